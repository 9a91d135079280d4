//! Matches to alerts.
//!
//! Owns the decision what becomes an alert: threshold, deduplication, level, the verification notice, and
//! the disposition that a person gives. Must not know how matches are found, nor how alerts travel.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::hotlist::{Level, Match};
use crate::words::{CameraId, Plate, Probability, RecordId, State, UnitId};

/// What a person must look at now. As JSON under 2 kB: it travels ahead of its pictures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    pub id: RecordId,
    pub unit: UnitId,
    pub camera: CameraId,
    /// When the plate was last seen in the passage.
    pub seen: Timestamp,
    /// The read behind it.
    pub read: RecordId,
    /// The raw read, never rewritten to the listed plate.
    pub text: Plate,
    pub confidence: Probability,
    /// Positions in `text` (from 0) that the reader was unsure of.
    pub doubtful: Vec<u8>,
    pub state: Option<State>,
    pub state_confidence: Option<Probability>,
    pub level: Level,
    pub hit: Hit,
    pub matched: Match,
    /// Age of the list by its own date, in seconds, when the match was made.
    pub list_age_s: u64,
    pub notice: String,
}

/// A full hit, or one that needs a person's eye before it is more than a hint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hit {
    Full,
    Possible,
}
