use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;

use super::Frame;
use crate::console::answer::{Failure, page};
use crate::console::desk::Desk;
use crate::console::gate::Visit;
use crate::console::unit::Overview;
use crate::health::{WIDTH_MOVING_PX, WIDTH_STANDING_PX};

/// Past this roll readers fail (Axxon's and Paxton's guides).
const ROLL_MAX_DEGREES: f32 = 10.0;

#[derive(Template)]
#[template(path = "aim.html", config = "appliance/console/askama.toml")]
struct Page {
    frame: Frame,
    overview: Overview,
}

pub async fn show(
    State(desk): State<Arc<Desk>>,
    Extension(visit): Extension<Visit>,
) -> Result<Response, Failure> {
    let (frame, overview) = Frame::new(&desk, visit, "Aim").await?;
    page(&Page { frame, overview })
}
