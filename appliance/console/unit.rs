//! What the console asks of the unit it stands in, and nothing of how the unit knows.
//!
//! Owns the question list ([`Unit`]) and the plain answers. Whoever wires the rooms implements it; a test
//! puts a twin in its place.

mod access;
mod bundle;
mod certificates;
mod lanes;
mod maintenance;
mod network;
mod settings;
mod stored;

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::alert::Alert;
use crate::enroll::Offer;
use crate::health::Coaching;
use crate::health::{AnswerReport, Displacement, Lane, LaneReads, LaneShift, Light, YieldReport};
use crate::hotlist::{Category, ListSummary, ManualEntry, ManualState, ManualSummary};
use crate::network::Change;
use crate::passage::DrawnLanes;
use crate::words::{CameraId, LaneName, PersonName, Plate, Probability, RecordId, State, UnitId};

pub use access::{Access, Act, AuditEntry, AuditFilter, Subject};
pub use bundle::{BundleSent, BundleView, FieldChange};
pub use certificates::{Attempt, AttemptState, ByWhom, CertificateView, Certificates, RequestView};
pub use lanes::Drawn;
pub use maintenance::{Deployed, Deployment, ServiceChange, Work};
pub use network::{InterfaceView, NetworkTrial, NetworkView};
pub use settings::Configuration;
pub use stored::{Counted, Purge, Records, Stock, StoredAlert};

/// The unit as the console sees it.
///
/// All methods but [`Unit::live`], [`Unit::newest_alert`] and [`Unit::name`] are called on a thread that may
/// block, so they may read the disk; [`Unit::overview`] is asked for every page and should be a snapshot.
pub trait Unit: Send + Sync + 'static {
    fn name(&self) -> UnitId;
    /// Whether the console is the in-car screen of a police vehicle, which may stay signed in through a shift
    /// (CJIS Security Policy 5.5.5 exempts those from the session lock).
    fn rides_in_vehicle(&self) -> bool;
    fn overview(&self) -> Overview;

    /// The newest picture of a camera, or None if there is no such camera.
    ///
    /// The console awaits the next picture, so while the sender's `receiver_count()` is above zero someone is
    /// looking, and while it is zero nothing needs to be encoded.
    fn live(&self, camera: &CameraId) -> Option<watch::Receiver<Option<Arc<LivePicture>>>>;

    /// Where each camera looks against where it was aimed.
    fn aims(&self) -> Vec<AimView>;
    /// JPEG; None where there is no such camera or picture.
    fn aim_picture(&self, camera: &CameraId, which: AimPicture) -> Option<Vec<u8>>;
    /// Makes the present view of a camera its reference, on this person's word.
    fn verify_aim(&self, camera: &CameraId, by: &PersonName) -> Result<(), Refused>;
    /// Takes the place of the camera's lanes before; reads say from now on in which of these a vehicle was.
    fn draw_lanes(&self, camera: &CameraId, drawing: DrawnLanes, by: &PersonName) -> Result<(), Refused>;

    /// The latest alerts, newest first.
    fn alerts(&self, limit: usize) -> Vec<AlertView>;
    fn alert(&self, id: RecordId) -> Option<AlertView>;
    /// A stored picture of an alert as JPEG, or None once it is purged.
    fn alert_picture(&self, id: RecordId, kind: PictureKind, by: &PersonName) -> Option<Vec<u8>>;
    /// The id of the newest alert; changes with every alert that the unit raises.
    fn newest_alert(&self) -> watch::Receiver<Option<RecordId>>;
    fn verify_alert(&self, id: RecordId, what: Verification, by: &PersonName) -> Result<(), Refused>;

    fn lists(&self) -> Lists;
    /// Asks for a manual entry, which matches nothing until a second person approves it.
    fn request_entry(&self, entry: EntryRequest, by: &PersonName) -> Result<(), Refused>;
    /// Asks that an entry be taken out; it matches until a second person approves that.
    fn request_removal(&self, of: RecordId, reason: &str, by: &PersonName) -> Result<(), Refused>;
    /// `id` is that of the request: of an entry or of a removal. Must refuse the person who asked.
    fn approve_request(&self, id: RecordId, by: &PersonName) -> Result<(), Refused>;
    fn decline_request(&self, id: RecordId, by: &PersonName) -> Result<(), Refused>;
    /// A person's look at the lists at the start of a shift.
    fn check_lists(&self, by: &PersonName) -> Result<(), Refused>;

    fn records(&self) -> Records;
    /// An alert as it is stored until the server has it; None once it is purged.
    fn stored_alert(&self, record: RecordId) -> Option<AlertView>;
    /// A picture that is stored with it, as JPEG.
    fn stored_picture(&self, record: RecordId, kind: PictureKind, by: &PersonName) -> Option<Vec<u8>>;

    fn change_service(&self, to: ServiceChange, reason: &str, by: &PersonName) -> Result<(), Refused>;
    /// `done_by` is who did the work where that is another than `by`, who writes it down.
    fn note_work(&self, work: Work, done_by: &str, note: &str, by: &PersonName) -> Result<(), Refused>;
    fn deployment(&self) -> Option<Deployed>;
    fn deploy(&self, deployment: Deployment, by: &PersonName) -> Result<(), Refused>;
    /// Maintenance, changes of service and deployments, newest first.
    fn logbook(&self, limit: usize) -> Vec<AuditEntry>;
    /// Deployment and logbook as a file that the unit signs with its identity.
    fn statement(&self, by: &PersonName) -> Result<Vec<u8>, Refused>;

    /// The latest report as Prometheus reads it; None before the first.
    fn metrics(&self) -> Option<String>;
    /// The health of the last hours as JSON, a sample each minute; at most a week.
    fn history(&self, hours: u16) -> String;
    fn certificates(&self) -> Certificates;
    /// Makes a key, and the request for its certificate, unless one waits already.
    fn request_certificate(&self, by: &PersonName) -> Result<(), Refused>;
    fn withdraw_request(&self, by: &PersonName) -> Result<(), Refused>;
    /// Judges what is offered and begins to try it; [`Unit::certificates`] tells how far it has come.
    fn install_certificate(&self, offer: &Offer, by: &PersonName) -> Result<(), Refused>;
    /// What an enrolment bundle would change, if it is for this unit and signed by whom it believes.
    fn look_into_bundle(&self, sent: &BundleSent) -> Result<BundleView, Refused>;
    /// Begins to try what it holds: certificate and authority, and then the configuration.
    fn take_bundle(&self, sent: &BundleSent, by: &PersonName) -> Result<(), Refused>;
    fn configuration(&self) -> Configuration;
    /// Until when the present configuration is on trial; None where it is not.
    fn trial_until(&self) -> Option<Timestamp>;
    /// Has the unit start anew with this text, on trial; where the console will listen then.
    fn try_configuration(&self, text: &str, by: &PersonName) -> Result<String, Refused>;
    /// Ends the trial: the configuration stays, or the unit starts anew with the old one.
    fn decide_trial(&self, keep: bool, by: &PersonName) -> Result<(), Refused>;

    fn network(&self) -> NetworkView;
    /// Until when a change of network or time is on trial; None where none is.
    fn network_trial_until(&self) -> Option<Timestamp>;
    /// Has a change tried; on trial once this returns.
    fn try_network(&self, change: Change, by: &PersonName) -> Result<(), Refused>;
    /// Ends the trial: the change stays, or is taken back.
    fn decide_network(&self, keep: bool, by: &PersonName) -> Result<(), Refused>;

    /// The latest entries of the audit log that fit, newest first.
    fn audit_entries(&self, filter: &AuditFilter, limit: usize) -> Vec<AuditEntry>;
    /// Lines of the audit log as they stand in it, behind entry `after`.
    fn audit_lines(&self, after: u64, limit: usize) -> Vec<String>;
    /// Takes down an access. Must not fail towards the console: a full disk never locks a technician out.
    fn audit(&self, access: Access);
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

/// How a camera is aimed, against the references that were taken when a person verified it.
#[derive(Debug, Clone, Serialize)]
pub struct AimView {
    pub camera: CameraId,
    /// Who verified the aim, and when; None where nobody has.
    pub verified: Option<(PersonName, Timestamp)>,
    /// The person's own first.
    pub references: Vec<ReferenceView>,
    /// None where nobody has verified the aim, or where the picture shows nothing to compare.
    pub displacement: Option<Displacement>,
    /// The lanes that the unit learned from the plates that passed; empty before enough did.
    pub lanes: Vec<Lane>,
    /// How vehicles pass now against then.
    pub lane_shift: Option<LaneShift>,
    /// The lanes that a person drew; None where nobody did.
    pub drawn: Option<Drawn>,
    pub lanes_doubtful: bool,
    /// Of today, or since they were drawn: in each drawn lane, then outside all of them. Empty where none are drawn.
    pub reads_by_lane: Vec<LaneReads>,
}

/// One of the views that the aim is judged by.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct ReferenceView {
    pub light: Light,
    pub at: Timestamp,
    /// Whether the unit took it, within the aim that the person had verified.
    pub learned: bool,
}

/// Pictures to lay side by side: of one size, grey, the street without its traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AimPicture {
    Now,
    /// The newest reference in this light.
    Then(Light),
}

/// A connection to something outside the unit.
#[derive(Debug, Clone, Serialize)]
pub struct Link {
    pub up: bool,
    pub since: Timestamp,
    /// Why it is down, as a sentence.
    pub trouble: Option<String>,
}

/// One picture of a camera, and what the unit found in it.
#[derive(Debug, Clone)]
pub struct LivePicture {
    pub jpeg: Arc<[u8]>,
    /// Of the frame that `plates` are measured in; the JPEG may be smaller.
    pub width: u32,
    pub height: u32,
    pub plates: Vec<PlateInPicture>,
    /// What the widest plate says of the camera's aim.
    pub coaching: Coaching,
}

#[derive(Debug, Clone)]
pub struct PlateInPicture {
    /// Pixels of the frame, clockwise from the plate's own top left.
    pub corners: [(f32, f32); 4],
    /// None where a plate was found and could not be read.
    pub text: Option<Plate>,
    pub confidence: Probability,
    pub state: Option<State>,
    /// Mean length of the upper and lower edge, in pixels of the frame.
    pub width_px: f32,
    /// The drawn lane that its middle lies in.
    pub lane: Option<LaneName>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PictureKind {
    Crop,
    Scene,
}

/// An alert, and what became of it.
#[derive(Debug, Clone, Serialize)]
pub struct AlertView {
    pub alert: Alert,
    pub has_crop: bool,
    pub has_scene: bool,
    pub verified: Option<Verified>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Verified {
    pub by: PersonName,
    pub at: Timestamp,
    pub what: Verification,
}

/// What a person found when looking at an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verification {
    pub characters_match: bool,
    pub state_matches: bool,
    /// The listing was confirmed in CJIS/NCIC.
    pub status_verified: bool,
    pub verdict: Verdict,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    CorrectRead,
    WrongState,
    IncorrectRead,
    Dismissed,
}

impl Verdict {
    pub const ALL: [Self; 4] = [Self::CorrectRead, Self::WrongState, Self::IncorrectRead, Self::Dismissed];

    pub fn words(self) -> &'static str {
        match self {
            Self::CorrectRead => "Correct read",
            Self::WrongState => "Wrong state",
            Self::IncorrectRead => "Incorrect read",
            Self::Dismissed => "Dismissed",
        }
    }

    /// As it stands in forms, which is its serde name.
    pub fn token(self) -> &'static str {
        match self {
            Self::CorrectRead => "correct-read",
            Self::WrongState => "wrong-state",
            Self::IncorrectRead => "incorrect-read",
            Self::Dismissed => "dismissed",
        }
    }
}

#[derive(Debug, Clone, Serialize)]
pub struct Lists {
    pub lists: Vec<ListSummary>,
    /// Newest first; expired ones stay for a while so that people see why they match no more.
    pub manual: Vec<ManualView>,
    /// The latest check at a shift's start.
    pub checked: Option<ListsChecked>,
}

/// That a person looked whether the lists are current.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ListsChecked {
    pub by: PersonName,
    pub at: Timestamp,
    /// Whether every list was fresh then.
    pub current: bool,
}

/// A manual entry as a person asks for it. The texts are as typed: the hot list's own rules judge them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntryRequest {
    /// A plate, or a part of one with `?` and `*`.
    pub plate: String,
    #[serde(default)]
    pub state: Option<State>,
    pub category: Category,
    pub reason: String,
    #[serde(default)]
    pub authority: String,
    #[serde(default)]
    pub case: String,
    #[serde(default)]
    pub instructions: String,
    /// For how long it is to match, from now; none for the default of its category.
    #[serde(default)]
    pub hours: Option<u32>,
    /// The entry whose place it is to take.
    #[serde(default)]
    pub replaces: Option<RecordId>,
}

/// A manual entry as it stands now.
#[derive(Debug, Clone, Serialize)]
pub struct ManualView {
    pub manual: ManualEntry,
    pub state: ManualState,
    pub expires_soon: bool,
}
