//! The in-car screen: the foremost open alert as large as the glass allows.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;

use super::{Frame, wording};
use crate::console::answer::{Failure, page};
use crate::console::desk::Desk;
use crate::console::gate::Visit;
use crate::console::unit::{AlertView, ServiceState};

/// More than the driver's companion can take in at a glance, and fewer than fill the glass.
const OTHERS: usize = 4;
/// Among these some are not answered yet.
const SEARCHED: usize = 50;

#[derive(Template)]
#[template(path = "screen.html", config = "appliance/console/askama.toml")]
struct Page {
    frame: Frame,
    service: ServiceState,
    foremost: Option<AlertView>,
    others: Vec<AlertView>,
}

pub async fn show(
    State(desk): State<Arc<Desk>>,
    Extension(visit): Extension<Visit>,
) -> Result<Response, Failure> {
    let (frame, overview) = Frame::new(&desk, visit, "In-car screen").await?;
    let alerts = desk.ask(|unit| unit.alerts(SEARCHED)).await?;
    let mut open = alerts.into_iter().filter(|view| view.verified.is_none());
    let foremost = open.next();
    let others = open.take(OTHERS).collect();
    page(&Page { frame, service: overview.service.state, foremost, others })
}
