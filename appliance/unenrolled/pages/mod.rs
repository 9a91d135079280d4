//! What the box shows and takes: pages, and the same for programs.

pub mod api;
pub mod time;

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Form, State};
use axum::response::Response;
use serde::Deserialize;

use super::newcomer::{Newcomer, Progress};
use super::plan::{PlanView, Sent};
use crate::console::Role;
use crate::console::answer::{Failure, file, page, see};
use crate::console::gate::Visit;
use crate::console::pages::{Frame, wording};
use crate::console::reception::{Reception, blocking};
use crate::words::{UnitId, sentence};

pub type Asked = State<Arc<Newcomer>>;
pub type By = Extension<Visit>;
type Door = Extension<Arc<Reception>>;

#[derive(Template)]
#[template(path = "not_enrolled.html", config = "appliance/unenrolled/askama.toml")]
struct Overview {
    frame: Frame,
    progress: Progress,
}

#[derive(Template)]
#[template(path = "enrolment.html", config = "appliance/unenrolled/askama.toml")]
struct Enrolment {
    frame: Frame,
    progress: Progress,
    /// Whether this person may enrol the unit.
    enrols: bool,
}

/// What would become of the box, before anything is done.
#[derive(Template)]
#[template(path = "plan.html", config = "appliance/unenrolled/askama.toml")]
struct Plan {
    frame: Frame,
    sent: Sent,
    plan: PlanView,
}

/// It is about to start as a unit.
#[derive(Template)]
#[template(path = "taken.html", config = "appliance/unenrolled/askama.toml")]
struct Taken {
    frame: Frame,
    plan: PlanView,
}

pub async fn overview(
    State(newcomer): Asked,
    Extension(reception): Door,
    Extension(visit): By,
) -> Result<Response, Failure> {
    let frame = Frame::at(&reception, visit, "Overview").await?;
    page(&Overview { frame, progress: newcomer.progress() })
}

pub async fn enrolment(
    State(newcomer): Asked,
    Extension(reception): Door,
    Extension(visit): By,
) -> Result<Response, Failure> {
    let frame = Frame::at(&reception, visit, "Enrolment").await?;
    let enrols = frame.person.role == Role::Administrator;
    page(&Enrolment { frame, progress: newcomer.progress(), enrols })
}

#[derive(Deserialize)]
pub struct Name {
    unit: String,
}

impl Name {
    pub fn parsed(&self) -> Result<UnitId, Failure> {
        UnitId::parse(self.unit.trim()).map_err(|error| Failure::Refused(sentence(error)))
    }
}

pub async fn request(
    State(newcomer): Asked,
    Extension(visit): By,
    Form(name): Form<Name>,
) -> Result<Response, Failure> {
    let unit = name.parsed()?;
    blocking(move || newcomer.request(&unit, &visit.person.name)).await??;
    Ok(see("/enrolment"))
}

/// The request that waits, as a file to be signed.
pub async fn download(State(newcomer): Asked) -> Result<Response, Failure> {
    let waiting = newcomer.progress().requested.ok_or(Failure::NotFound)?;
    Ok(file(&format!("{}.csr", waiting.unit), "application/pkcs10", waiting.request))
}

pub async fn look(
    State(newcomer): Asked,
    Extension(reception): Door,
    Extension(visit): By,
    Form(sent): Form<Sent>,
) -> Result<Response, Failure> {
    let frame = Frame::at(&reception, visit, "Enrolment").await?;
    let asked = sent.clone();
    let plan = blocking(move || newcomer.look(&asked)).await??;
    page(&Plan { frame, sent, plan })
}

pub async fn take(
    State(newcomer): Asked,
    Extension(reception): Door,
    Extension(visit): By,
    Form(sent): Form<Sent>,
) -> Result<Response, Failure> {
    let by = visit.person.name.clone();
    let frame = Frame::at(&reception, visit, "Enrolment").await?;
    let plan = blocking(move || newcomer.take(&sent, &by)).await??;
    page(&Taken { frame, plan })
}
