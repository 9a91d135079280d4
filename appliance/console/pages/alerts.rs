use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Form, Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::{Frame, wording};
use crate::console::answer::{Failure, page, see};
use crate::console::desk::Desk;
use crate::console::gate::Visit;
use crate::console::unit::{AlertView, PictureKind, Verdict, Verification};
use crate::words::RecordId;

/// As many as a person scrolls through.
pub const SHOWN: usize = 50;

#[derive(Template)]
#[template(path = "alerts.html", config = "appliance/console/askama.toml")]
struct Page {
    frame: Frame,
    alerts: Vec<AlertView>,
}

#[derive(Template)]
#[template(path = "alert.html", config = "appliance/console/askama.toml")]
struct One {
    frame: Frame,
    view: AlertView,
    /// Where its pictures are fetched.
    pictures: String,
}

pub async fn show(
    State(desk): State<Arc<Desk>>,
    Extension(visit): Extension<Visit>,
) -> Result<Response, Failure> {
    let (frame, _) = Frame::new(&desk, visit, "Alerts").await?;
    let alerts = desk.ask(|unit| unit.alerts(SHOWN)).await?;
    page(&Page { frame, alerts })
}

pub async fn one(
    State(desk): State<Arc<Desk>>,
    Extension(visit): Extension<Visit>,
    Path(id): Path<RecordId>,
) -> Result<Response, Failure> {
    let view = desk.ask(move |unit| unit.alert(id)).await?.ok_or(Failure::NotFound)?;
    let (frame, _) = Frame::new(&desk, visit, "Alert").await?;
    page(&One { frame, view, pictures: format!("/alerts/{id}") })
}

pub async fn picture(
    State(desk): State<Arc<Desk>>,
    Extension(visit): Extension<Visit>,
    Path((id, kind)): Path<(RecordId, PictureKind)>,
) -> Result<Response, Failure> {
    let picture = desk.ask(move |unit| unit.alert_picture(id, kind, &visit.person.name)).await?;
    let jpeg = picture.ok_or(Failure::NotFound)?;
    Ok(([(CONTENT_TYPE, "image/jpeg")], jpeg).into_response())
}

/// An unticked box is not sent at all.
#[derive(Deserialize)]
pub struct VerificationForm {
    characters_match: Option<String>,
    state_matches: Option<String>,
    status_verified: Option<String>,
    verdict: Verdict,
}

pub async fn verify(
    State(desk): State<Arc<Desk>>,
    Extension(visit): Extension<Visit>,
    Path(id): Path<RecordId>,
    Form(form): Form<VerificationForm>,
) -> Result<Response, Failure> {
    let what = Verification {
        characters_match: form.characters_match.is_some(),
        state_matches: form.state_matches.is_some(),
        status_verified: form.status_verified.is_some(),
        verdict: form.verdict,
    };
    desk.ask(move |unit| unit.verify_alert(id, what, &visit.person.name)).await??;
    Ok(see(&format!("/alerts/{id}")))
}
