use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;

use super::Frame;
use crate::console::answer::{Failure, page};
use crate::console::desk::Desk;
use crate::console::gate::Visit;
use crate::console::unit::AuditEntry;

/// Searched and shown; the whole log is exported by command.
const LATEST: usize = 500;

#[derive(Template)]
#[template(path = "audit.html", config = "appliance/console/askama.toml")]
struct Page {
    frame: Frame,
    entries: Vec<AuditEntry>,
    wanted: String,
}

#[derive(Deserialize)]
pub struct Filter {
    #[serde(default)]
    wanted: String,
}

pub async fn show(
    State(desk): State<Arc<Desk>>,
    Extension(visit): Extension<Visit>,
    Query(filter): Query<Filter>,
) -> Result<Response, Failure> {
    let (frame, _) = Frame::new(&desk, visit, "Audit").await?;
    let mut entries = desk.ask(|unit| unit.audit_entries(LATEST)).await?;
    let wanted = filter.wanted.trim().to_lowercase();
    entries.retain(|entry| {
        wanted.is_empty()
            || entry.who.to_lowercase().contains(&wanted)
            || entry.what.to_lowercase().contains(&wanted)
    });
    page(&Page { frame, entries, wanted: filter.wanted })
}
