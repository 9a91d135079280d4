use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Form, Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::maintenance::{NOTE_MAX, note};
use super::{Frame, wording};
use crate::console::answer::{Failure, page, see};
use crate::console::desk::Desk;
use crate::console::gate::Visit;
use crate::console::unit::{Act, AlertView, Overview, PictureKind, Records};
use crate::words::RecordId;

#[derive(Template)]
#[template(path = "records.html", config = "appliance/console/askama.toml")]
struct Page {
    frame: Frame,
    overview: Overview,
    records: Records,
}

#[derive(Template)]
#[template(path = "stored_alert.html", config = "appliance/console/askama.toml")]
struct One {
    frame: Frame,
    record: RecordId,
    /// Where its pictures are fetched.
    pictures: String,
    /// None until a reason was given.
    view: Option<AlertView>,
}

pub async fn show(
    State(desk): State<Arc<Desk>>,
    Extension(visit): Extension<Visit>,
) -> Result<Response, Failure> {
    let (frame, overview) = Frame::new(&desk, visit, "Records").await?;
    let records = desk.ask(|unit| unit.records()).await?;
    page(&Page { frame, overview, records })
}

pub async fn one(
    State(desk): State<Arc<Desk>>,
    Extension(visit): Extension<Visit>,
    Path(record): Path<RecordId>,
) -> Result<Response, Failure> {
    let view = desk.ask(move |unit| unit.stored_alert(record)).await?.ok_or(Failure::NotFound)?;
    let allowed = desk.looks().allows(&visit.person.name, record, desk.clock.now());
    let (frame, _) = Frame::new(&desk, visit, "Stored alert").await?;
    let pictures = format!("/records/{record}");
    page(&One { frame, record, pictures, view: allowed.then_some(view) })
}

#[derive(Deserialize)]
pub struct ReasonForm {
    pub reason: String,
}

pub async fn reason(
    State(desk): State<Arc<Desk>>,
    Extension(visit): Extension<Visit>,
    Path(record): Path<RecordId>,
    Form(form): Form<ReasonForm>,
) -> Result<Response, Failure> {
    look(&desk, &visit, record, &form.reason).await?;
    Ok(see(&format!("/records/{record}")))
}

/// Writes down who looks and why, before anything is shown.
pub async fn look(
    desk: &Arc<Desk>,
    visit: &Visit,
    record: RecordId,
    reason: &str,
) -> Result<AlertView, Failure> {
    let reason = note(reason)?;
    if reason.is_empty() {
        return Err(Failure::Refused("A look at a stored alert needs a reason.".to_owned()));
    }
    let view = desk.ask(move |unit| unit.stored_alert(record)).await?.ok_or(Failure::NotFound)?;
    desk.audit(&visit.person, visit.from, Act::LookedAt { record, reason }).await?;
    desk.looks().allow(visit.person.name.clone(), record, desk.clock.now());
    Ok(view)
}

pub async fn picture(
    State(desk): State<Arc<Desk>>,
    Extension(visit): Extension<Visit>,
    Path((record, kind)): Path<(RecordId, PictureKind)>,
) -> Result<Response, Failure> {
    if !desk.looks().allows(&visit.person.name, record, desk.clock.now()) {
        return Err(Failure::NotFound);
    }
    let picture = desk.ask(move |unit| unit.stored_picture(record, kind, &visit.person.name)).await?;
    let jpeg = picture.ok_or(Failure::NotFound)?;
    Ok(([(CONTENT_TYPE, "image/jpeg")], jpeg).into_response())
}
