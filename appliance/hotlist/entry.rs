use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::words::{Plate, State};

/// One listed vehicle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    pub plate: Plate,
    /// None: listed whatever state issued it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    pub category: Category,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Who answers for the entry.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub authority: String,
    /// The case reference.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub case: String,
    /// Instructions and caution for the officer.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub instructions: String,
    /// Matches nothing before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Matches nothing from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// Why a vehicle is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Category {
    Amber,
    MissingChild,
    MissingCollegeStudent,
    MissingPerson,
    Wanted,
    PersonOfInterest,
    Stolen,
    Bolo,
    AttemptToLocate,
    Unregistered,
    Other,
}

impl Category {
    pub const ALL: [Self; 11] = [
        Self::Amber,
        Self::MissingChild,
        Self::MissingCollegeStudent,
        Self::MissingPerson,
        Self::Wanted,
        Self::PersonOfInterest,
        Self::Stolen,
        Self::Bolo,
        Self::AttemptToLocate,
        Self::Unregistered,
        Self::Other,
    ];

    /// How urgently a person must look.
    pub fn level(self) -> Level {
        match self {
            Self::Amber | Self::MissingChild => Level::Critical,
            Self::MissingCollegeStudent | Self::MissingPerson | Self::Wanted | Self::Stolen => Level::High,
            Self::PersonOfInterest | Self::Bolo | Self::AttemptToLocate => Level::Medium,
            Self::Unregistered | Self::Other => Level::Low,
        }
    }
}

/// The urgency of an alert; critical and high cannot be muted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    Low,
    Medium,
    High,
    Critical,
}
