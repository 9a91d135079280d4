//! What the console asks of the unit it stands in, and nothing of how the unit knows.
//!
//! Owns the questions, a trait for each of what people come for ([`Unit`] is all of them), and the plain answers. Whoever
//! wires the rooms implements it; a test puts a twin in its place.

mod access;
mod aims;
mod alerts;
mod bundle;
mod certificates;
mod lists;
mod maintenance;
mod network;
mod settings;
mod stored;

use jiff::Timestamp;
use serde::Serialize;

use crate::health::{AnswerReport, LaneReads, YieldReport};
use crate::hotlist::{ListSummary, ManualSummary};
use crate::words::{CameraId, PersonName, UnitId};

pub use access::{Access, Act, AuditEntry, AuditFilter, Logging, Subject};
pub use aims::{AimPicture, AimView, Aiming, Drawn, LivePicture, PlateInPicture, ReferenceView};
pub use alerts::{AlertView, Alerting, PictureKind, Verdict, Verification, Verified};
pub use bundle::{BundleSent, BundleView, FieldChange};
pub use certificates::{
    Attempt, AttemptState, ByWhom, CertificateView, Certificates, Identifying, RequestView,
};
pub use lists::{EntryRequest, Listing, Lists, ListsChecked, ManualView};
pub use maintenance::{Deployed, Deployment, ServiceChange, Upkeep, Work};
pub use network::{ClockChange, InterfaceView, NetworkTrial, NetworkView};
pub use settings::{Configuration, Setup};
pub use stored::{Counted, Purge, Records, Stock, StoredAlert, Storing};

/// The unit as the console sees it.
///
/// All methods but [`Aiming::live`], [`Alerting::newest_alert`] and [`Unit::name`] are called on a thread that may
/// block, so they may read the disk; [`Unit::overview`] is asked for every page and should be a snapshot.
pub trait Unit:
    Aiming + Alerting + Listing + Storing + Upkeep + Identifying + Setup + Logging + Send + Sync + 'static
{
    fn name(&self) -> UnitId;
    /// Whether the console is the in-car screen of a police vehicle, which may stay signed in through a shift
    /// (CJIS Security Policy 5.5.5 exempts those from the session lock).
    fn rides_in_vehicle(&self) -> bool;
    fn overview(&self) -> Overview;
    /// The latest report as Prometheus reads it; None before the first.
    fn metrics(&self) -> Option<String>;
    /// The health of the last hours as JSON, a sample each minute; at most a week.
    fn history(&self, hours: u16) -> String;
}

/// Why the unit did not do what a person asked: a sentence for that person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub String);

/// The unit in one glance.
#[derive(Debug, Clone, Serialize)]
pub struct Overview {
    pub service: Service,
    pub cameras: Vec<CameraView>,
    pub reads_today: u64,
    pub alerts_today: u64,
    /// Alerts that no person has verified or dismissed yet.
    pub alerts_open: u64,
    pub lists: Vec<ListSummary>,
    pub manual: ManualSummary,
    /// What people found of the alerts that were raised.
    pub answers: AnswerReport,
    /// Records that the server has not yet confirmed.
    pub backlog: u64,
    pub broker: Link,
}

/// Whether the unit may be trusted now, and on whose word.
#[derive(Debug, Clone, Serialize)]
pub struct Service {
    pub state: ServiceState,
    /// Sentences, the gravest first; empty in service.
    pub reasons: Vec<String>,
    pub since: Timestamp,
    /// None where the unit itself decided.
    pub by: Option<PersonName>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServiceState {
    InService,
    Degraded,
    OutOfService,
}

impl ServiceState {
    pub fn words(self) -> &'static str {
        match self {
            Self::InService => "In service",
            Self::Degraded => "Degraded",
            Self::OutOfService => "Out of service",
        }
    }
}

#[derive(Debug, Clone, Serialize)]
pub struct CameraView {
    pub camera: CameraId,
    pub link: Link,
    /// Frames a second, averaged over a few seconds.
    pub fps: f32,
    /// What the last whole hour yielded, against what is usual.
    pub yields: YieldReport,
    /// Of today, or since they were drawn: in each drawn lane, then outside all of them. Empty where none are drawn.
    pub reads_by_lane: Vec<LaneReads>,
    /// The aim was verified anew since its lanes were drawn: somebody must look if they still fit.
    pub lanes_doubtful: bool,
}

/// A connection to something outside the unit.
#[derive(Debug, Clone, Serialize)]
pub struct Link {
    pub up: bool,
    pub since: Timestamp,
    /// Why it is down, as a sentence.
    pub trouble: Option<String>,
}
