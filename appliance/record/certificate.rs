use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::counts::Reason;
use super::kind::{Head, Kind};
use crate::audit::Position;
use crate::crypto::Digest;
use crate::words::RecordId;

/// The most records that one certificate names: some 40 kB of JSON.
pub(super) const RECORDS_MAX: usize = 256;

/// Says that records were destroyed: which, when, why, by which policy, and where the audit log says so.
///
/// It is written before the keys are destroyed and sent only after, so a power cut in between leaves work
/// to finish and never a false certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Certificate {
    pub id: RecordId,
    /// By the unit's clock.
    #[cfg_attr(test, schemars(with = "crate::contract::Time"))]
    pub at: Timestamp,
    pub reason: Reason,
    /// The policy that said so, by name.
    pub policy: String,
    /// Those that were destroyed.
    pub records: Vec<PurgedRecord>,
    /// The SHA-256 of `records` as JSON without spaces; the entry in the audit log has the same.
    pub records_sha256: Digest,
    /// The entry that states the decision; none if the log could not be written.
    pub audit: Option<Position>,
}

impl Certificate {
    /// That these were destroyed because the server has them.
    pub fn of_received(policy: String, records: Vec<PurgedRecord>, at: Timestamp) -> Self {
        let records_sha256 = digest_of(&records);
        Self {
            id: RecordId::new(),
            at,
            reason: Reason::Received,
            policy,
            records,
            records_sha256,
            audit: None,
        }
    }
}

/// One destroyed record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PurgedRecord {
    pub id: RecordId,
    pub sha256: Digest,
    pub kind: Kind,
    /// Whether the read behind it matched a list.
    pub hit: bool,
    /// When the recorded thing happened.
    #[cfg_attr(test, schemars(with = "crate::contract::Time"))]
    pub captured: Timestamp,
}

impl PurgedRecord {
    pub fn of(head: &Head) -> Self {
        Self { id: head.id, sha256: head.sha256, kind: head.kind, hit: head.hit, captured: head.captured }
    }
}

/// As [`Certificate::records_sha256`].
pub(super) fn digest_of(records: &[PurgedRecord]) -> Digest {
    Digest::of(&serde_json::to_vec(records).expect("records are plain data"))
}
