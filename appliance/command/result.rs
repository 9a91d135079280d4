use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::message::Command;
use crate::crypto::Digest;
use crate::enroll::Statement;
use crate::words::{CameraId, PersonName, RecordId, UnitId};

/// What became of a command, as it is published.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CommandResult {
    pub unit: UnitId,
    /// That of the command.
    pub nonce: RecordId,
    /// Whose command it was, by the key that signed it.
    pub by: PersonName,
    /// By the unit's clock.
    #[cfg_attr(test, schemars(with = "crate::contract::Time"))]
    pub at: Timestamp,
    pub outcome: Outcome,
    /// A sentence for that person.
    pub said: String,
    /// The picture that follows, of a snapshot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<Snapshot>,
    /// The certificate request (PEM) that is to be signed, as a statement of the unit: signed with the key of the
    /// certificate that it has now, so that nobody on the way can put another in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Statement>,
}

/// Whether a command was carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    Done,
    Refused,
}

/// A picture that travels as a record of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Snapshot {
    pub camera: CameraId,
    pub picture: RecordId,
    pub sha256: Digest,
}

impl CommandResult {
    pub fn of(command: &Command, by: &PersonName, outcome: Outcome, said: &str, at: Timestamp) -> Self {
        Self {
            unit: command.unit.clone(),
            nonce: command.nonce,
            by: by.clone(),
            at,
            outcome,
            said: said.to_owned(),
            snapshot: None,
            request: None,
        }
    }

    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a result is plain data with string keys")
    }
}
