use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{AuditEntry, Refused};
use crate::words::PersonName;

/// Service, maintenance, and where the unit stands.
pub trait Upkeep {
    fn change_service(&self, to: ServiceChange, reason: &str, by: &PersonName) -> Result<(), Refused>;
    /// `done_by` is who did the work where that is another than `by`, who writes it down.
    fn note_work(&self, work: Work, done_by: &str, note: &str, by: &PersonName) -> Result<(), Refused>;
    fn deployment(&self) -> Option<Deployed>;
    fn deploy(&self, deployment: Deployment, by: &PersonName) -> Result<(), Refused>;
    /// Maintenance, changes of service and deployments, newest first.
    fn logbook(&self, limit: usize) -> Vec<AuditEntry>;
    /// Deployment and logbook as a file that the unit signs with its identity.
    fn statement(&self, by: &PersonName) -> Result<Vec<u8>, Refused>;
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
