use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;

use super::{Frame, wording};
use crate::console::answer::{Failure, page};
use crate::console::desk::Desk;
use crate::console::gate::Visit;
use crate::console::unit::{Overview, Records};

#[derive(Template)]
#[template(path = "records.html", config = "appliance/console/askama.toml")]
struct Page {
    frame: Frame,
    overview: Overview,
    records: Records,
}

pub async fn show(
    State(desk): State<Arc<Desk>>,
    Extension(visit): Extension<Visit>,
) -> Result<Response, Failure> {
    let (frame, overview) = Frame::new(&desk, visit, "Records").await?;
    let records = desk.ask(|unit| unit.records()).await?;
    page(&Page { frame, overview, records })
}
