use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::crypto::Digest;
use crate::words::RecordId;

/// What a record is, in the order in which kinds are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    Alert,
    AlertPicture,
    Disposition,
    ManualEntry,
    HealthChange,
    Canary,
    Audit,
    PurgeCertificate,
    Read,
    ReadPicture,
}

impl Kind {
    pub const ALL: [Self; 10] = [
        Self::Alert,
        Self::AlertPicture,
        Self::Disposition,
        Self::ManualEntry,
        Self::HealthChange,
        Self::Canary,
        Self::Audit,
        Self::PurgeCertificate,
        Self::Read,
        Self::ReadPicture,
    ];

    /// Sent in batches: many, small, and nobody waits for a single one.
    pub fn is_batched(self) -> bool {
        matches!(self, Self::Audit | Self::PurgeCertificate | Self::Read)
    }

    pub fn is_picture(self) -> bool {
        matches!(self, Self::AlertPicture | Self::ReadPicture)
    }

    /// Whether it takes a number of the session. Who counts those to find a gap does not listen for canaries.
    pub fn is_numbered(self) -> bool {
        !self.is_picture() && self != Self::Canary
    }
}

/// A record as it is to travel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parcel {
    pub id: RecordId,
    pub kind: Kind,
    /// When the recorded thing happened.
    pub captured: Timestamp,
    /// Whether a time service kept the clock then.
    pub clock_trusted: bool,
    /// JSON, or a JPEG for the pictures. Receipts name its SHA-256.
    pub body: Vec<u8>,
}

/// One line of a receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Received {
    pub id: RecordId,
    pub sha256: Digest,
}

/// What the store made of one line of a receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acceptance {
    /// The digest is ours: whatever the policy says of received records is done, durably.
    Accepted,
    /// No such record, or received before: nothing to do.
    Unknown,
    /// The receiver holds something else under this id: to be sent again.
    Differs,
    /// The store could not do it now; the record will be sent and receipted again.
    Failed,
}

/// Why a record cannot be handed out. It stays in the store, which reports its own damage.
#[derive(Debug, thiserror::Error)]
#[error("record {id} cannot be sent: {reason}")]
pub struct ShelfError {
    pub id: RecordId,
    pub reason: String,
}

/// What delivery needs of the store of records.
///
/// Every record is *waiting* until [`published`](Self::published), also after a restart of the program: a
/// second delivery is harmless, a lost one is not.
pub trait Shelf: Send + Sync + 'static {
    /// Up to `limit` waiting records, in the order in which they should go. Called often: answered from memory.
    fn waiting(&self, kind: Kind, limit: usize) -> Vec<RecordId>;

    /// None when it was purged meanwhile; from then on `waiting` does not list it.
    fn fetch(&self, id: RecordId) -> Result<Option<Parcel>, ShelfError>;

    /// The broker has these; they wait for their receipt and no longer to be sent. Not to be made durable, and quick.
    fn published(&self, ids: &[RecordId]);

    /// The receiver has these, by a receipt that was verified. Durable on return, one answer for each, in order.
    fn received(&self, receipts: &[Received]) -> Vec<Acceptance>;

    /// How long ago it was captured, by a clock that nobody sets; none where only wall time tells.
    fn age(&self, _id: RecordId) -> Option<Duration> {
        None
    }

    /// The number of a new session: `at_least`, and higher than any before, also over a restart.
    fn next_session(&self, at_least: u64) -> u64 {
        at_least
    }

    /// Changes whenever something new may wait.
    fn subscribe(&self) -> watch::Receiver<u64>;
}

/// The store's twin in memory, for tests.
#[derive(Default)]
pub struct MemoryShelf {
    /// True once published.
    records: Mutex<BTreeMap<RecordId, (Parcel, bool)>>,
    changed: watch::Sender<u64>,
}

impl MemoryShelf {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn put(&self, kind: Kind, captured: Timestamp, body: Vec<u8>) -> RecordId {
        let id = RecordId::new();
        self.lock().insert(id, (Parcel { id, kind, captured, clock_trusted: true, body }, false));
        self.changed.send_modify(|changes| *changes += 1);
        id
    }

    /// Records without a receipt.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<RecordId, (Parcel, bool)>> {
        self.records.lock().expect("no holder of this lock can panic")
    }
}

impl Shelf for MemoryShelf {
    fn waiting(&self, kind: Kind, limit: usize) -> Vec<RecordId> {
        let records = self.lock();
        let waiting = records.values().filter(|(parcel, published)| parcel.kind == kind && !published);
        waiting.take(limit).map(|(parcel, _)| parcel.id).collect()
    }

    fn fetch(&self, id: RecordId) -> Result<Option<Parcel>, ShelfError> {
        Ok(self.lock().get(&id).map(|(parcel, _)| parcel.clone()))
    }

    fn published(&self, ids: &[RecordId]) {
        let mut records = self.lock();
        for id in ids {
            if let Some((_, published)) = records.get_mut(id) {
                *published = true;
            }
        }
    }

    fn received(&self, receipts: &[Received]) -> Vec<Acceptance> {
        let mut records = self.lock();
        let mut accept = |receipt: &Received| match records.get(&receipt.id) {
            None => Acceptance::Unknown,
            Some((parcel, _)) if Digest::of(&parcel.body) != receipt.sha256 => Acceptance::Differs,
            Some(_) => {
                records.remove(&receipt.id);
                Acceptance::Accepted
            }
        };
        receipts.iter().map(&mut accept).collect()
    }

    fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }
}
