//! What the console asks of the unit it stands in, and nothing of how the unit knows.
//!
//! Owns the question list ([`Unit`]) and the plain answers. Whoever wires the rooms implements it; a test
//! puts a twin in its place.

use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::accounts::Role;
use crate::alert::Alert;
use crate::hotlist::{Category, ListSummary, ManualEntry, ManualState, ManualSummary};
use crate::words::{CameraId, PersonName, Plate, Probability, RecordId, State, UnitId};

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

    /// The latest alerts, newest first.
    fn alerts(&self, limit: usize) -> Vec<AlertView>;
    fn alert(&self, id: RecordId) -> Option<AlertView>;
    /// A stored picture of an alert as JPEG, or None once it is purged.
    fn alert_picture(&self, id: RecordId, kind: PictureKind) -> Option<Vec<u8>>;
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
    fn change_service(&self, to: ServiceChange, reason: &str, by: &PersonName) -> Result<(), Refused>;
    fn note_work(&self, work: Work, note: &str, by: &PersonName) -> Result<(), Refused>;

    /// The latest entries of the audit log, newest first.
    fn audit_entries(&self, limit: usize) -> Vec<AuditEntry>;
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
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PictureKind {
    Crop,
    Scene,
}

/// An alert, and what became of it.
#[derive(Debug, Clone)]
pub struct AlertView {
    pub alert: Alert,
    pub has_crop: bool,
    pub has_scene: bool,
    pub verified: Option<Verified>,
}

#[derive(Debug, Clone)]
pub struct Verified {
    pub by: PersonName,
    pub at: Timestamp,
    pub what: Verification,
}

/// What a person found when looking at an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

#[derive(Debug, Clone)]
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryRequest {
    /// A plate, or a part of one with `?` and `*`.
    pub plate: String,
    pub state: Option<State>,
    pub category: Category,
    pub reason: String,
    pub authority: String,
    pub case: String,
    pub instructions: String,
    /// For how long it is to match, from now; none for the default of its category.
    pub hours: Option<u32>,
    /// The entry whose place it is to take.
    pub replaces: Option<RecordId>,
}

/// A manual entry as it stands now.
#[derive(Debug, Clone)]
pub struct ManualView {
    pub manual: ManualEntry,
    pub state: ManualState,
    pub expires_soon: bool,
}

#[derive(Debug, Clone)]
pub struct Records {
    pub stock: Vec<Stock>,
    /// Confirmed by the server since the start.
    pub delivered: u64,
    /// Destroyed since the start, by reason.
    pub purged: Vec<(String, u64)>,
    /// Records that were lost, by reason; empty as long as the unit keeps its promise.
    pub lost: Vec<(String, u64)>,
    pub disk_used_bytes: u64,
    pub disk_free_bytes: u64,
}

/// How many records of one kind the unit holds. `kind` is a plural noun, such as "alerts".
#[derive(Debug, Clone)]
pub struct Stock {
    pub kind: String,
    pub waiting: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServiceChange {
    OutOfService,
    Return,
}

/// What a technician did to the unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Work {
    Cleaned,
    Aimed,
    Damaged,
    Malfunction,
    Repaired,
}

impl Work {
    pub const ALL: [Self; 5] = [Self::Cleaned, Self::Aimed, Self::Damaged, Self::Malfunction, Self::Repaired];

    pub fn words(self) -> &'static str {
        match self {
            Self::Cleaned => "Cleaned",
            Self::Aimed => "Aimed",
            Self::Damaged => "Damage found",
            Self::Malfunction => "Malfunction found",
            Self::Repaired => "Repaired",
        }
    }

    /// As it stands in forms, which is its serde name.
    pub fn token(self) -> &'static str {
        match self {
            Self::Cleaned => "cleaned",
            Self::Aimed => "aimed",
            Self::Damaged => "damaged",
            Self::Malfunction => "malfunction",
            Self::Repaired => "repaired",
        }
    }
}

#[derive(Debug, Clone)]
pub struct AuditEntry {
    pub at: Timestamp,
    /// A person, or the part of the unit that acted.
    pub who: String,
    pub what: String,
}

/// One access to the console, for the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Access {
    pub at: Timestamp,
    /// None where nobody was signed in, and for a name that no account has: it may be a mistyped password.
    pub who: Option<PersonName>,
    pub role: Option<Role>,
    pub from: IpAddr,
    pub act: Act,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    SignedIn,
    SignInRefused,
    /// Refused for the fifth time in a row.
    AccountLocked,
    /// Set the first password with a one-time code.
    AccountSetUp,
    SignedOut,
    /// Opened a page.
    Looked {
        path: String,
    },
    /// Sent a form, with this outcome as HTTP status.
    Sent {
        path: String,
        status: u16,
    },
    /// Asked for something that this role may not have.
    Denied {
        path: String,
    },
    /// Changed an account; a sentence without a subject, such as "locked out Jo Hill".
    ChangedAccount {
        what: String,
    },
}

impl std::fmt::Display for Act {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::SignedIn => write!(f, "signed in"),
            Self::SignInRefused => write!(f, "was refused at sign-in"),
            Self::AccountLocked => write!(f, "was refused at sign-in once too often; the account is locked"),
            Self::AccountSetUp => write!(f, "set a password with a one-time code"),
            Self::SignedOut => write!(f, "signed out"),
            Self::Looked { path } => write!(f, "opened {path}"),
            Self::Sent { path, status } => write!(f, "sent {path} (answered with {status})"),
            Self::Denied { path } => write!(f, "was denied {path}"),
            Self::ChangedAccount { what } => write!(f, "{what}"),
        }
    }
}
