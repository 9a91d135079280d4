use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Form, State};
use axum::response::Response;
use jiff::tz::TimeZone;

use super::Frame;
use super::maintenance::{NOTE_MAX, note};
use crate::console::answer::{Failure, page, see};
use crate::console::desk::Desk;
use crate::console::gate::Visit;
use crate::console::unit::{Deployed, Deployment};

#[derive(Template)]
#[template(path = "deployment.html", config = "appliance/console/askama.toml")]
struct Page {
    frame: Frame,
    deployed: Option<Deployed>,
    /// The last day has passed.
    over: bool,
}

pub async fn show(
    State(desk): State<Arc<Desk>>,
    Extension(visit): Extension<Visit>,
) -> Result<Response, Failure> {
    let (frame, _) = Frame::new(&desk, visit, "Deployment").await?;
    let deployed = desk.ask(|unit| unit.deployment()).await?;
    let today = frame.now.to_zoned_datetime(TimeZone::system()).date();
    let over = deployed.as_ref().is_some_and(|deployed| deployed.deployment.until < today);
    page(&Page { frame, deployed, over })
}

pub async fn deploy(
    State(desk): State<Arc<Desk>>,
    Extension(visit): Extension<Visit>,
    Form(asked): Form<Deployment>,
) -> Result<Response, Failure> {
    let deployment = complete(asked)?;
    desk.ask(move |unit| unit.deploy(deployment, &visit.person.name)).await??;
    Ok(see("/deployment"))
}

/// Every word of it goes into a log, and none may be missing.
pub fn complete(asked: Deployment) -> Result<Deployment, Failure> {
    let told = |field: &str, text: &str| match note(text) {
        Ok(text) if text.is_empty() => Err(Failure::Refused(format!("The {field} is missing."))),
        told => told,
    };
    if asked.until < asked.from {
        return Err(Failure::Refused("The last day lies before the first.".to_owned()));
    }
    Ok(Deployment {
        site: told("site", &asked.site)?,
        purpose: told("purpose", &asked.purpose)?,
        authority: told("authority", &asked.authority)?,
        approval: told("approval", &asked.approval)?,
        ..asked
    })
}
