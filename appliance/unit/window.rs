//! The unit as the console sees it.

mod aims;
mod alerts;
mod bundle;
mod certificates;
mod clock;
mod differences;
mod lists;
mod log;
mod logbook;
pub mod network;
pub mod settings;
mod setup;
mod stored;
mod upkeep;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use super::answers::Answers;
use super::board::Board;
use super::duty::Duty;
use super::guard::Watched;
use super::history::History;
use super::manual::Ledger;
use super::renewal::Renewal;
use super::saved::Saved;
use super::tally::Tally;
use crate::audit::Audit;
use crate::console::{CameraView, Link, Overview, Service as ServiceView, ServiceState as StateView, Unit};
use crate::delivery::{LinkState as BrokerState, LinkStatus};
use crate::health::{HealthReport, ServiceState, metrics};
use crate::hotlist::Hotlist;
use crate::record::Records;
use crate::system::Clock;
use crate::words::{PersonName, RecordId, UnitId, UnitKind};

use network::Network;
use settings::Settings;

/// Handles on the rooms.
pub struct Window {
    pub unit: UnitId,
    pub kind: UnitKind,
    /// None where the program cannot start anew with others.
    pub settings: Option<Arc<Settings>>,
    pub network: Arc<Network>,
    /// What the unit shows to the broker, and signs statements with.
    pub renewal: Arc<Renewal>,
    pub cameras: Arc<Vec<Watched>>,
    pub hotlist: Hotlist,
    pub records: Arc<Records>,
    pub audit: Arc<Audit>,
    pub manual: Ledger,
    pub answers: Arc<Answers>,
    pub board: Arc<Board>,
    pub newest_alert: watch::Receiver<Option<RecordId>>,
    pub broker: watch::Receiver<LinkStatus>,
    pub duty: Arc<Duty>,
    pub saved: Arc<Saved>,
    pub tally: Arc<Tally>,
    pub latest: Arc<Mutex<Option<HealthReport>>>,
    pub history: Arc<History>,
    pub clock: Arc<dyn Clock>,
    /// Which pictures went to whom, so that the log says it once.
    pub handed_out: Mutex<HashSet<(PersonName, RecordId, &'static str)>>,
}

impl Unit for Window {
    fn name(&self) -> UnitId {
        self.unit.clone()
    }

    fn rides_in_vehicle(&self) -> bool {
        self.kind == UnitKind::Mobile
    }

    fn overview(&self) -> Overview {
        let now = self.clock.now();
        let counts = self.tally.counts(now.wall);
        Overview {
            service: self.service(),
            cameras: self.cameras.iter().map(|camera| camera.view(&self.tally, now.wall)).collect(),
            reads_today: counts.reads_today,
            alerts_today: counts.alerts_today,
            alerts_open: self.board.open(now),
            lists: self.hotlist.summary(now.wall),
            manual: self.hotlist.manual_summary(now.wall),
            answers: self.answers.report(),
            backlog: self.records.counts().held.values().sum(),
            broker: self.broker_link(),
        }
    }

    fn metrics(&self) -> Option<String> {
        let tally = self.tally.counts(self.clock.now().wall);
        self.report().map(|report| metrics(&report, tally.reads, tally.alerts))
    }

    fn history(&self, hours: u16) -> String {
        let samples = self.history.since(SignedDuration::from_hours(hours.into()), self.clock.now().wall);
        serde_json::to_string(&samples).expect("samples are plain data with string keys")
    }
}

impl Window {
    fn service(&self) -> ServiceView {
        let report = self.duty.report();
        let reason = |standing: &crate::health::Standing| match standing.detail.as_str() {
            "" => standing.reason.sentence().to_owned(),
            detail => format!("{} ({detail})", standing.reason.sentence()),
        };
        let mut standing = report.reasons;
        standing.sort_by_key(|standing| std::cmp::Reverse(standing.reason.severity()));
        ServiceView {
            state: match report.state {
                ServiceState::InService => StateView::InService,
                ServiceState::Degraded => StateView::Degraded,
                ServiceState::OutOfService => StateView::OutOfService,
            },
            reasons: standing.iter().map(reason).collect(),
            since: report.since,
            by: standing.iter().find_map(|standing| standing.by.clone()),
        }
    }

    fn broker_link(&self) -> Link {
        let status = self.broker.borrow();
        let (up, since, trouble) = match &status.link {
            BrokerState::Connected { since } => (true, Some(*since), status.trouble()),
            BrokerState::Down { since, .. } => (false, Some(*since), status.trouble()),
            BrokerState::Connecting => (false, None, Some("It is being connected.".to_owned())),
            BrokerState::Stopped => (false, None, Some("The unit is stopping.".to_owned())),
        };
        Link { up, since: since.unwrap_or_else(|| self.clock.now().wall), trouble }
    }

    fn report(&self) -> Option<HealthReport> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Watched {
    fn view(&self, tally: &Tally, now: Timestamp) -> CameraView {
        use crate::capture::LinkState;
        let status = self.capture.status();
        let (up, fps, trouble) = match &status.state {
            LinkState::Streaming(stream) => (true, stream.fps, None),
            LinkState::Connecting => (false, 0.0, Some("It is being connected.".to_owned())),
            LinkState::Faulted(fault) => (false, 0.0, Some(format!("{fault}. {}", fault.mend()))),
            LinkState::Ended => (false, 0.0, Some("Its pictures have come to their end.".to_owned())),
        };
        let link = Link { up, since: status.since.wall, trouble };
        CameraView {
            camera: self.sight.camera.clone(),
            link,
            fps,
            yields: self.sight.yields().report(),
            reads_by_lane: self.reads_by_lane(tally, now),
            lanes_doubtful: self.sight.lanes_doubtful(),
        }
    }
}
