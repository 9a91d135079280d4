use jiff::Timestamp;
use serde::Serialize;

use super::{AlertView, PictureKind};
use crate::words::{PersonName, RecordId};

/// What the unit still holds of its records.
pub trait Storing {
    fn records(&self) -> Records;
    /// An alert as it is stored until the server has it; None once it is purged.
    fn stored_alert(&self, record: RecordId) -> Option<AlertView>;
    /// A picture that is stored with it, as JPEG.
    fn stored_picture(&self, record: RecordId, kind: PictureKind, by: &PersonName) -> Option<Vec<u8>>;
}

#[derive(Debug, Clone, Serialize)]
pub struct Records {
    pub stock: Vec<Stock>,
    /// Confirmed by the server since the start.
    pub delivered: u64,
    /// Destroyed since the start, by reason.
    pub purged: Vec<Counted>,
    /// Records that were lost, by reason; empty as long as the unit keeps its promise.
    pub lost: Vec<Counted>,
    /// The latest purges, newest first.
    pub purges: Vec<Purge>,
    /// Alerts that the unit still holds, newest first, without what they show.
    pub alerts: Vec<StoredAlert>,
    pub disk_used_bytes: u64,
    pub disk_free_bytes: u64,
}

/// How many records of one kind the unit holds. `kind` is a plural noun, such as "alerts".
#[derive(Debug, Clone, Serialize)]
pub struct Stock {
    pub kind: String,
    pub waiting: u64,
}

/// So many for this reason.
#[derive(Debug, Clone, Serialize)]
pub struct Counted {
    pub reason: String,
    pub count: u64,
}

/// One certificate of purge.
#[derive(Debug, Clone, Serialize)]
pub struct Purge {
    /// The certificate's own record.
    pub certificate: RecordId,
    pub at: Timestamp,
    pub reason: String,
    pub policy: String,
    pub records: u64,
    /// Digest of the list of records that the certificate names.
    pub sha256: String,
    /// Not yet confirmed by the server.
    pub waiting: bool,
}

/// That an alert is stored; what it shows is told to who gives a reason.
#[derive(Debug, Clone, Serialize)]
pub struct StoredAlert {
    pub record: RecordId,
    pub critical: bool,
    pub captured: Timestamp,
}
