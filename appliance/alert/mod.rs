//! Matches to alerts.
//!
//! Owns the decision what becomes an alert: threshold, deduplication, level, the verification notice, and
//! the disposition that a person gives. Must not know how matches are found, nor how alerts travel.

mod answer;
mod config;
mod decide;
mod disposition;
mod shorten;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::hotlist::{Category, Level, Match};
use crate::passage::Course;
use crate::words::{CameraId, Plate, Position, Probability, RecordId, State, UnitId};

pub use answer::{Answer, AnswerError};
pub use config::Config;
pub use decide::Alerts;
pub use disposition::{Disposition, DispositionError, Origin, Verdict, Verified};

/// Stands in every alert: a match is a hint, never a reason by itself to stop anyone.
pub const NOTICE: &str =
    "Verify characters and state of issuance, and confirm the status in CJIS/NCIC, before any stop.";

/// What a person must look at now. As JSON under [`Alert::JSON_MAX`] bytes: it travels ahead of its pictures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Alert {
    pub id: RecordId,
    /// 1 at first; higher where another read of the vehicle said more, or took back what the first had said.
    pub revision: u32,
    pub unit: UnitId,
    pub camera: CameraId,
    /// When the plate was last seen in the passage.
    #[cfg_attr(test, schemars(with = "crate::contract::Time"))]
    pub seen: Timestamp,
    /// The read behind it.
    pub read: RecordId,
    /// The raw read, never rewritten to the listed plate.
    pub text: Plate,
    pub confidence: Probability,
    /// Positions in `text` (from 0) that the reader was unsure of.
    pub doubtful: Vec<u8>,
    /// The state of issuance as it was read; absent where that is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// How sure that is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_confidence: Option<Probability>,
    #[serde(flatten)]
    pub course: Course,
    pub level: Level,
    pub hit: Hit,
    /// Its free texts may be shortened; they then end in "…".
    pub matched: Match,
    /// Age of the list by its own date, in seconds, when the match was made.
    pub list_age_s: u64,
    /// Where the unit was when the plate was last seen; null where it does not know.
    #[serde(default)]
    pub position: Option<Position>,
    /// A sentence for the officer, which stands in every alert.
    pub notice: String,
}

impl Alert {
    /// Leaves some 600 bytes of a message of 2 kB for the envelope and the ids of two pictures.
    pub const JSON_MAX: usize = 1400;

    /// The same from a unit that was there. The entry's texts make room for it.
    pub fn seen_from(self, position: Option<Position>) -> Self {
        shorten::fit(Self { position, ..self })
    }

    pub fn urgency(&self) -> Urgency {
        match (self.matched.entry.category, self.level) {
            (Category::Amber, _) => Urgency::Amber,
            (_, Level::Critical) => Urgency::Critical,
            _ => Urgency::Other,
        }
    }
}

/// Which alert goes first, in every queue: to the broker, on the console, and when room runs out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    Other,
    Critical,
    Amber,
}

/// A full hit, or one that needs a person's eye before it is more than a hint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Hit {
    Possible,
    Full,
}
