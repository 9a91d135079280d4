use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::response::Response;
use jiff::Timestamp;

use super::row::certificate;
use crate::console::answer::{Failure, page};
use crate::console::gate::Visit;
use crate::console::pages::{Frame, wording};
use crate::console::reception::Reception;
use crate::delivery::{OfflineReason, Presence};
use crate::fleet::board::Board;
use crate::fleet::report::{List, Report};
use crate::fleet::unit::{Link, Unit};
use crate::words::UnitId;

#[derive(Template)]
#[template(path = "unit.html", config = "appliance/fleet/askama.toml")]
struct Page {
    frame: Frame,
    unit: Arc<Unit>,
}

/// Everything that is known of one unit.
pub async fn show(
    State(board): State<Arc<Board>>,
    Extension(reception): Extension<Arc<Reception>>,
    Extension(visit): Extension<Visit>,
    Path(id): Path<UnitId>,
) -> Result<Response, Failure> {
    let unit = board.roster().get(&id).cloned().ok_or(Failure::NotFound)?;
    let frame = Frame::at(&reception, visit, "Unit").await?;
    page(&Page { frame, unit })
}

impl Page {
    fn report(&self) -> Option<&Report> {
        self.unit.report.as_ref()
    }

    /// What the broker says of the connection, in words.
    fn link(&self) -> (&'static str, String) {
        match &self.unit.link {
            None => ("", "never told".to_owned()),
            Some(Link { presence: Presence::Online { at, .. }, .. }) => {
                ("good", format!("connected since {}", self.frame.clock(at)))
            }
            Some(Link { presence: Presence::Offline { reason: OfflineReason::Lost, .. }, .. }) => {
                ("bad", "connection lost".to_owned())
            }
            Some(Link { presence: Presence::Offline { reason: OfflineReason::Stopped, at, .. }, .. }) => {
                ("fair", format!("stopped {}", self.frame.clock(at)))
            }
        }
    }

    fn certificate(&self) -> Option<(String, &'static str)> {
        certificate(self.report()?.broker.certificate_days_left?)
    }

    /// How old a list of the report is now.
    fn age(&self, list: &List) -> Option<String> {
        let report = self.report()?;
        let since = self.frame.now.duration_since(report.at).as_secs().max(0).unsigned_abs();
        Some(wording::duration(&list.age_s?.saturating_add(since)))
    }

    fn false_hits(&self) -> Option<String> {
        self.report()?.answers.false_hit_rate.map(|rate| format!("{:.1} %", 100.0 * rate))
    }

    fn area(&self) -> Option<String> {
        let spot = self.report()?.place.position?;
        let (up, aside) = (0.02, 0.03);
        Some(format!(
            "/?area={:.4},{:.4},{:.4},{:.4}",
            spot.latitude - up,
            spot.longitude - aside,
            spot.latitude + up,
            spot.longitude + aside
        ))
    }

    fn ago(&self, at: &Timestamp) -> String {
        self.frame.ago(at)
    }
}
