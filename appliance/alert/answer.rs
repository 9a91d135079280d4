//! The server's answer to an alert, as it travels to the unit that raised it.
//!
//! Signed by a key whose receipts the unit believes, for a purpose of its own, for one unit, and good for a month:
//! a unit may be without network for weeks. Of two answers to one alert the later one counts, so that one that
//! was overheard and sent again changes nothing (the unit remembers for longer than any is good).

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::disposition::{Disposition, DispositionError, Origin};
use crate::crypto::{KeyId, SignatureError, Signed, SigningKey, VerifyingKey};
use crate::words::{RecordId, UnitId};

const PURPOSE: &str = "answer";
/// The longest name and note, and the envelope around them.
const MESSAGE_MAX: usize = 8 << 10;
/// No answer is good for longer.
const VALID_FOR: SignedDuration = SignedDuration::from_hours(30 * 24);
/// How far the server's clock may be ahead of the unit's.
const AHEAD: SignedDuration = SignedDuration::from_hours(1);

/// "A person at the department found this to be true of your alert."
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Answer {
    pub unit: UnitId,
    /// Not later than a month after `disposition.at`.
    #[cfg_attr(test, schemars(with = "crate::contract::Time"))]
    pub expires: Timestamp,
    pub disposition: Disposition,
}

/// Why an answer was not taken.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    #[error("the message has {0} bytes, more than an answer to an alert may have")]
    TooLong(usize),
    #[error(transparent)]
    Signature(#[from] SignatureError),
    #[error("it is for the unit {0}")]
    OtherUnit(UnitId),
    #[error("it was good until {0}")]
    Late(Timestamp),
    #[error("it is dated {0}, ahead of this unit's clock")]
    FromTheFuture(Timestamp),
    #[error("it would be good for more than a month")]
    GoodForTooLong,
    #[error(transparent)]
    Disposition(#[from] DispositionError),
    #[error("alert {alert} was answered at {at}, not before this answer")]
    Superseded { alert: RecordId, at: Timestamp },
}

impl Answer {
    pub fn new(unit: UnitId, disposition: Disposition) -> Result<Self, DispositionError> {
        let disposition = Disposition { from: Origin::Server, ..disposition };
        disposition.check()?;
        Ok(Self { unit, expires: disposition.at + VALID_FOR, disposition })
    }

    pub fn sign(&self, key: &SigningKey) -> Vec<u8> {
        Signed::new(PURPOSE, self, &[key]).to_json()
    }

    /// Verifies first, then parses: what is refused was never looked into.
    pub fn open(
        payload: &[u8],
        unit: &UnitId,
        trusted: &[VerifyingKey],
        now: Timestamp,
    ) -> Result<(Disposition, KeyId), AnswerError> {
        if payload.len() > MESSAGE_MAX {
            return Err(AnswerError::TooLong(payload.len()));
        }
        let (answer, by) = Signed::verify::<Self>(payload, PURPOSE, trusted)?;
        let Self { unit: meant, expires, disposition } = answer;
        if meant != *unit {
            return Err(AnswerError::OtherUnit(meant));
        }
        if expires.duration_since(disposition.at) > VALID_FOR {
            return Err(AnswerError::GoodForTooLong);
        }
        if expires <= now {
            return Err(AnswerError::Late(expires));
        }
        if disposition.at.duration_since(now) > AHEAD {
            return Err(AnswerError::FromTheFuture(disposition.at));
        }
        disposition.check()?;
        Ok((Disposition { from: Origin::Server, ..disposition }, by))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::{Verdict, Verified};
    use crate::words::PersonName;

    fn now() -> Timestamp {
        "2026-06-01T12:00:00Z".parse().unwrap()
    }

    fn unit(name: &str) -> UnitId {
        UnitId::parse(name).unwrap()
    }

    fn disposition() -> Disposition {
        let verified = Verified { characters: true, state: false, status: true };
        let by = PersonName::parse("Ann Lee").unwrap();
        Disposition::new(RecordId::new(), Verdict::WrongState, verified, by, now()).unwrap()
    }

    #[test]
    fn an_answer_comes_back_as_the_servers() {
        let (key, disposition) = (SigningKey::generate(), disposition());
        let json = Answer::new(unit("north"), disposition.clone()).unwrap().sign(&key);
        let (opened, by) = Answer::open(&json, &unit("north"), &[key.verifying_key()], now()).unwrap();
        assert_eq!(opened, Disposition { from: Origin::Server, ..disposition });
        assert_eq!(by, key.verifying_key().id());
    }

    #[test]
    fn strangers_other_units_times_purposes_and_contradictions_are_refused() {
        let (key, stranger) = (SigningKey::generate(), SigningKey::generate());
        let open = |json: &[u8], at| {
            Answer::open(json, &unit("north"), &[key.verifying_key()], at).expect_err("it is refused")
        };
        let answer = Answer::new(unit("north"), disposition()).unwrap();
        let days = |days: i64| SignedDuration::from_hours(24 * days);
        assert!(matches!(open(&answer.sign(&stranger), now()), AnswerError::Signature(_)));
        assert!(matches!(open(&answer.sign(&key), now() + days(30)), AnswerError::Late(_)));
        assert!(matches!(open(&answer.sign(&key), now() - days(1)), AnswerError::FromTheFuture(_)));
        let other = Answer { unit: unit("south"), ..answer.clone() };
        assert!(matches!(open(&other.sign(&key), now()), AnswerError::OtherUnit(_)));
        let long = Answer { expires: now() + days(31), ..answer.clone() };
        assert!(matches!(open(&long.sign(&key), now()), AnswerError::GoodForTooLong));
        let receipt = Signed::new("receipt", &answer, &[&key]).to_json();
        assert!(matches!(open(&receipt, now()), AnswerError::Signature(SignatureError::Wrong(_))));
        let mut contrary = answer;
        contrary.disposition.verdict = Verdict::CorrectRead;
        assert!(matches!(open(&contrary.sign(&key), now()), AnswerError::Disposition(_)));
        assert!(matches!(open(&[b'{'; 9000], now()), AnswerError::TooLong(_)));
    }
}
