use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::words::PersonName;

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

/// Where the unit stands, what for, and on whose word: what the policy wants to be written down before a unit
/// is put up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    pub site: String,
    pub purpose: String,
    /// On whose authority it stands there.
    pub authority: String,
    /// Who approved it, and under which number.
    pub approval: String,
    pub from: Date,
    /// The last day.
    pub until: Date,
}

/// A deployment with who wrote it down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployed {
    #[serde(flatten)]
    pub deployment: Deployment,
    pub by: PersonName,
    pub at: Timestamp,
}
