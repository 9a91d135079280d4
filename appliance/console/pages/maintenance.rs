use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Form, State};
use axum::response::Response;
use serde::Deserialize;

use super::{Frame, wording};
use crate::console::answer::{Failure, file, page, see};
use crate::console::desk::Desk;
use crate::console::gate::Visit;
use crate::console::unit::{Act, AuditEntry, Overview, ServiceChange, ServiceState, Work};

/// Longest reason or note.
pub const NOTE_MAX: usize = 500;
/// As many as a person looks through; the export holds all.
pub const LOGBOOK_SHOWN: usize = 50;

#[derive(Template)]
#[template(path = "maintenance.html", config = "appliance/console/askama.toml")]
struct Page {
    frame: Frame,
    overview: Overview,
    logbook: Vec<AuditEntry>,
}

pub async fn show(
    State(desk): State<Arc<Desk>>,
    Extension(visit): Extension<Visit>,
) -> Result<Response, Failure> {
    let (frame, overview) = Frame::new(&desk, visit, "Maintenance").await?;
    let logbook = desk.ask(|unit| unit.logbook(LOGBOOK_SHOWN)).await?;
    page(&Page { frame, overview, logbook })
}

#[derive(Deserialize)]
pub struct ServiceForm {
    pub to: ServiceChange,
    reason: String,
}

impl ServiceForm {
    pub fn reason(&self) -> Result<String, Failure> {
        let reason = note(&self.reason)?;
        if reason.is_empty() {
            return Err(Failure::Refused("A change of service needs a reason.".to_owned()));
        }
        Ok(reason)
    }
}

pub async fn service(
    State(desk): State<Arc<Desk>>,
    Extension(visit): Extension<Visit>,
    Form(form): Form<ServiceForm>,
) -> Result<Response, Failure> {
    let reason = form.reason()?;
    desk.ask(move |unit| unit.change_service(form.to, &reason, &visit.person.name)).await??;
    Ok(see("/maintenance"))
}

#[derive(Deserialize)]
pub struct WorkForm {
    work: Work,
    /// Empty where it was the person who writes it down.
    #[serde(default)]
    done_by: String,
    note: String,
}

pub async fn work(
    State(desk): State<Arc<Desk>>,
    Extension(visit): Extension<Visit>,
    Form(form): Form<WorkForm>,
) -> Result<Response, Failure> {
    let (done_by, note) = (note(&form.done_by)?, note(&form.note)?);
    desk.ask(move |unit| unit.note_work(form.work, &done_by, &note, &visit.person.name)).await??;
    Ok(see("/maintenance"))
}

/// Deployment and logbook, signed by the unit.
pub async fn export(
    State(desk): State<Arc<Desk>>,
    Extension(visit): Extension<Visit>,
) -> Result<Response, Failure> {
    let by = visit.person.name.clone();
    let signed = desk.ask(move |unit| unit.statement(&by)).await??;
    let what = "the logbook of maintenance and deployment".to_owned();
    desk.audit(&visit.person, visit.from, Act::Exported { what }).await?;
    Ok(file(&format!("logbook-{}.json", desk.unit.name()), "application/json", signed))
}

/// A note as it goes into a log: trimmed, of bounded length, on one line.
pub fn note(text: &str) -> Result<String, Failure> {
    let words: Vec<&str> = text.split(|c: char| c.is_whitespace() || c.is_control()).collect();
    let line = words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    if line.chars().count() > NOTE_MAX {
        return Err(Failure::Refused(format!("The text is too long: at most {NOTE_MAX} characters.")));
    }
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_one_line_of_bounded_length() {
        assert_eq!(note(" lens\r\ncleaned\u{7} ").unwrap(), "lens cleaned");
        assert!(note(&"x".repeat(501)).is_err());
    }
}
