use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Form, State};
use axum::response::Response;

use super::{Frame, wording};
use crate::console::answer::{Failure, page, see};
use crate::console::desk::Desk;
use crate::console::gate::Visit;
use crate::console::unit::{BundleSent, BundleView};

/// What a bundle would change, before anything is done.
#[derive(Template)]
#[template(path = "bundle.html", config = "appliance/console/askama.toml")]
struct Page {
    frame: Frame,
    sent: BundleSent,
    bundle: BundleView,
}

pub async fn look(
    State(desk): State<Arc<Desk>>,
    Extension(visit): Extension<Visit>,
    Form(sent): Form<BundleSent>,
) -> Result<Response, Failure> {
    let (frame, _) = Frame::new(&desk, visit, "Enrolment bundle").await?;
    let asked = sent.clone();
    let bundle = desk.ask(move |unit| unit.look_into_bundle(&asked)).await??;
    page(&Page { frame, sent, bundle })
}

pub async fn take(
    State(desk): State<Arc<Desk>>,
    Extension(visit): Extension<Visit>,
    Form(sent): Form<BundleSent>,
) -> Result<Response, Failure> {
    desk.ask(move |unit| unit.take_bundle(&sent, &visit.person.name)).await??;
    Ok(see("/certificates"))
}
