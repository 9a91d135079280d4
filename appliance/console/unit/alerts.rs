use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::Refused;
use crate::alert::Alert;
use crate::words::{PersonName, RecordId};

/// The alerts, and what people find of them.
pub trait Alerting {
    /// The latest alerts, newest first.
    fn alerts(&self, limit: usize) -> Vec<AlertView>;
    fn alert(&self, id: RecordId) -> Option<AlertView>;
    /// A stored picture of an alert as JPEG, or None once it is purged.
    fn alert_picture(&self, id: RecordId, kind: PictureKind, by: &PersonName) -> Option<Vec<u8>>;
    /// The id of the newest alert; changes with every alert that the unit raises.
    fn newest_alert(&self) -> watch::Receiver<Option<RecordId>>;
    fn verify_alert(&self, id: RecordId, what: Verification, by: &PersonName) -> Result<(), Refused>;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PictureKind {
    Crop,
    Scene,
}

/// An alert, and what became of it.
#[derive(Debug, Clone, Serialize)]
pub struct AlertView {
    pub alert: Alert,
    pub has_crop: bool,
    pub has_scene: bool,
    pub verified: Option<Verified>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Verified {
    pub by: PersonName,
    pub at: Timestamp,
    pub what: Verification,
}

/// What a person found when looking at an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verification {
    pub characters_match: bool,
    pub state_matches: bool,
    /// The listing was confirmed in CJIS/NCIC.
    pub status_verified: bool,
    pub verdict: Verdict,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    CorrectRead,
    WrongState,
    IncorrectRead,
    Dismissed,
}

impl Verdict {
    pub const ALL: [Self; 4] = [Self::CorrectRead, Self::WrongState, Self::IncorrectRead, Self::Dismissed];

    pub fn words(self) -> &'static str {
        match self {
            Self::CorrectRead => "Correct read",
            Self::WrongState => "Wrong state",
            Self::IncorrectRead => "Incorrect read",
            Self::Dismissed => "Dismissed",
        }
    }

    /// As it stands in forms, which is its serde name.
    pub fn token(self) -> &'static str {
        match self {
            Self::CorrectRead => "correct-read",
            Self::WrongState => "wrong-state",
            Self::IncorrectRead => "incorrect-read",
            Self::Dismissed => "dismissed",
        }
    }
}
