//! Hot lists: what is listed, since when, on whose word, and whether a read vehicle is among it.
//!
//! Owns lists, versions, signatures, manual entries and matching, and sled. Must not know cameras,
//! pictures, MQTT sessions, or what becomes of a match.

mod entry;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::words::{ListName, Plate, Probability};

pub use entry::{Category, Entry, Level};

/// One listed vehicle that a read may be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Match {
    pub entry: Entry,
    pub kind: MatchKind,
    /// How likely the vehicle carries the listed plate.
    pub probability: Probability,
    /// The candidate of the read that matched; equals the entry's plate unless a look-alike or pattern.
    pub read_as: Plate,
    pub state: StateAgreement,
    pub list: ListVersion,
}

/// How the read and the entry agree on the characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MatchKind {
    /// The best candidate is the listed plate.
    Exact,
    /// Another candidate is, or one with characters that are easily mistaken for each other.
    LookAlike,
    /// The entry is a partial plate.
    Pattern,
}

/// How the read and the entry agree on the state of issuance. `Differs` never makes a full hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StateAgreement {
    Equal,
    Differs,
    Unknown,
}

/// Which edition of which list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListVersion {
    pub list: ListName,
    pub version: u64,
    /// The list's own date: its age counts from here, not from its arrival.
    pub issued: Timestamp,
}
