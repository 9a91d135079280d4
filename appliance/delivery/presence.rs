use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Birth, last will and clean stop, retained on the unit's status topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Presence {
    Online {
        /// Rises with each connection; the sequence of the messages that follow counts from 0.
        session: u64,
        #[cfg_attr(test, schemars(with = "crate::contract::Time"))]
        at: Timestamp,
        version: String,
    },
    Offline {
        session: u64,
        /// When the session began, for a last will; when it was stopped, otherwise.
        #[cfg_attr(test, schemars(with = "crate::contract::Time"))]
        at: Timestamp,
        reason: OfflineReason,
    },
}

/// Why a unit is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum OfflineReason {
    /// The last will: nobody said good-bye.
    Lost,
    /// Stopped on purpose.
    Stopped,
}

impl Presence {
    pub(super) fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a presence is plain data with string keys")
    }
}
