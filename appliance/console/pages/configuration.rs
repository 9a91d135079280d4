use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Form, State};
use axum::response::Response;
use serde::Deserialize;

use super::{Frame, wording};
use crate::console::answer::{Failure, page, see};
use crate::console::desk::Desk;
use crate::console::gate::Visit;
use crate::console::unit::Configuration;

#[derive(Template)]
#[template(path = "configuration.html", config = "appliance/console/askama.toml")]
struct Page {
    frame: Frame,
    configuration: Configuration,
}

#[derive(Template)]
#[template(path = "trial.html", config = "appliance/console/askama.toml")]
struct Trial {
    frame: Frame,
    /// Where the console listens with the new configuration.
    address: String,
}

pub async fn show(
    State(desk): State<Arc<Desk>>,
    Extension(visit): Extension<Visit>,
) -> Result<Response, Failure> {
    let (frame, _) = Frame::new(&desk, visit, "Configuration").await?;
    let configuration = desk.ask(|unit| unit.configuration()).await?;
    page(&Page { frame, configuration })
}

#[derive(Deserialize)]
pub struct Proposal {
    text: String,
}

pub async fn propose(
    State(desk): State<Arc<Desk>>,
    Extension(visit): Extension<Visit>,
    Form(form): Form<Proposal>,
) -> Result<Response, Failure> {
    let (frame, _) = Frame::new(&desk, visit, "Configuration on trial").await?;
    // Browsers send lines as mail does.
    let text = form.text.replace("\r\n", "\n");
    let by = frame.person.name.clone();
    let address = desk.ask(move |unit| unit.try_configuration(&text, &by)).await??;
    page(&Trial { frame, address })
}

#[derive(Deserialize)]
pub struct Decision {
    decision: What,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum What {
    Keep,
    Leave,
}

impl Decision {
    pub fn keeps(&self) -> bool {
        matches!(self.decision, What::Keep)
    }
}

pub async fn decide(
    State(desk): State<Arc<Desk>>,
    Extension(visit): Extension<Visit>,
    Form(form): Form<Decision>,
) -> Result<Response, Failure> {
    desk.ask(move |unit| unit.decide_trial(form.keeps(), &visit.person.name)).await??;
    Ok(see("/configuration"))
}
