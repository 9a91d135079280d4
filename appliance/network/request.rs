use serde::{Deserialize, Serialize};

use super::{Change, Reading, Wanted};
use crate::words::RecordId;

/// Far more than a request takes.
const LONGEST: usize = 16 * 1024;

/// What the service asks of root. Whoever gets hold of the service can write one, so it is read as a stranger's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Each is answered once.
    pub id: RecordId,
    pub ask: Ask,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Ask {
    /// The request's id becomes that of the trial.
    Try {
        change: Change,
        /// Within which somebody must keep it.
        confirm_s: u64,
    },
    Keep {
        trial: RecordId,
    },
    Leave {
        trial: RecordId,
    },
    SetClock(Reading),
}

/// Why what lies there is no request.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    #[error("it is longer than {LONGEST} bytes")]
    TooLong,
    #[error(transparent)]
    Malformed(#[from] serde_json::Error),
}

impl Request {
    pub fn parse(bytes: &[u8]) -> Result<Self, RequestError> {
        if bytes.len() > LONGEST {
            return Err(RequestError::TooLong);
        }
        Ok(serde_json::from_slice(bytes)?)
    }

    /// Enough to see that it is too long.
    pub const READ_MOST: u64 = LONGEST as u64 + 1;
}

/// How things stand, as root tells the service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    pub kept: Wanted,
    pub trial: Option<OnTrial>,
    /// The newest request, with the sentence that refused it.
    pub answered: Option<(RecordId, Result<(), String>)>,
    /// The trial before.
    pub ended: Option<Ended>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnTrial {
    pub id: RecordId,
    pub change: Change,
    /// In seconds since the machine started: a trial may be one of what sets the clock.
    pub until_uptime_s: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    pub trial: RecordId,
    pub how: End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    Kept,
    /// A person returned to what was before.
    Left,
    NobodyKept,
    /// The program that watched over it ended, so the trial did.
    Unwatched,
}
