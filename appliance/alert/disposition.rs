use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::hotlist::Text;
use crate::words::{PersonName, RecordId};

/// What a person found when they looked at an alert. The unit's own rate of false hits comes from these.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Disposition {
    pub alert: RecordId,
    pub verdict: Verdict,
    pub verified: Verified,
    pub by: PersonName,
    /// When it was found. At most an hour ahead of the unit's clock.
    #[cfg_attr(test, schemars(with = "crate::contract::Time"))]
    pub at: Timestamp,
    /// Where the person sat.
    #[serde(default)]
    pub from: Origin,
    /// In that person's words.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub note: Text<200>,
}

/// What an alert turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Characters and state are the listed ones.
    CorrectRead,
    /// The characters are right, the plate is another state's.
    WrongState,
    /// The characters are not what the unit read.
    IncorrectRead,
    /// Seen, and not followed up.
    Dismissed,
}

/// Where a person sat who answered an alert.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// Beside the unit, signed in at its console.
    #[default]
    Console,
    /// At the department's server, which vouches for the name.
    Server,
}

/// What the person ticked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Verified {
    /// By eye.
    pub characters: bool,
    /// By eye.
    pub state: bool,
    /// Confirmed in CJIS/NCIC.
    pub status: bool,
}

/// Why a disposition was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DispositionError {
    #[error("a correct read needs characters and state to be verified by eye first")]
    NotVerified,
    #[error("characters that were verified cannot be an incorrect read, nor a verified state a wrong one")]
    Contradiction,
}

impl Disposition {
    pub fn new(
        alert: RecordId,
        verdict: Verdict,
        verified: Verified,
        by: PersonName,
        at: Timestamp,
    ) -> Result<Self, DispositionError> {
        let (from, note) = (Origin::Console, Text::default());
        let disposition = Self { alert, verdict, verified, by, at, from, note };
        disposition.check().map(|()| disposition)
    }

    /// Whether the verdict follows from what was verified.
    pub fn check(&self) -> Result<(), DispositionError> {
        let Verified { characters, state, .. } = self.verified;
        match self.verdict {
            Verdict::CorrectRead if !(characters && state) => Err(DispositionError::NotVerified),
            Verdict::IncorrectRead if characters => Err(DispositionError::Contradiction),
            Verdict::WrongState if state => Err(DispositionError::Contradiction),
            _ => Ok(()),
        }
    }
}

impl Verdict {
    pub const ALL: [Self; 4] = [Self::CorrectRead, Self::WrongState, Self::IncorrectRead, Self::Dismissed];

    pub fn words(self) -> &'static str {
        match self {
            Self::CorrectRead => "correct read",
            Self::WrongState => "wrong state",
            Self::IncorrectRead => "incorrect read",
            Self::Dismissed => "dismissed",
        }
    }

    /// Whether it says that the hit was false.
    pub fn is_false_hit(self) -> bool {
        matches!(self, Self::WrongState | Self::IncorrectRead)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_must_follow_from_what_was_verified() {
        let disposition = |verdict, characters, state| {
            let verified = Verified { characters, state, status: false };
            let by = PersonName::parse("Ann Lee").unwrap();
            Disposition::new(RecordId::new(), verdict, verified, by, Timestamp::UNIX_EPOCH).map(|d| d.verdict)
        };
        assert_eq!(disposition(Verdict::CorrectRead, true, true), Ok(Verdict::CorrectRead));
        assert_eq!(disposition(Verdict::CorrectRead, true, false), Err(DispositionError::NotVerified));
        assert_eq!(disposition(Verdict::WrongState, true, false), Ok(Verdict::WrongState));
        assert_eq!(disposition(Verdict::WrongState, true, true), Err(DispositionError::Contradiction));
        assert_eq!(disposition(Verdict::IncorrectRead, true, false), Err(DispositionError::Contradiction));
        assert_eq!(disposition(Verdict::Dismissed, false, false), Ok(Verdict::Dismissed));
    }
}
