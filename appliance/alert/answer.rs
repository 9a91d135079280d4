//! The server's answer to an alert, as it travels to the unit that raised it.
//!
//! Signed by a key whose receipts the unit believes, for a purpose of its own, for one unit, and good for a month:
//! a unit may be without network for weeks. Of two answers to one alert the later one counts, so that one that
//! was overheard and sent again changes nothing (the unit remembers for longer than any is good).

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::disposition::{Disposition, DispositionError, Origin};
use crate::crypto::{Heading, KeyId, Letter, LetterError, VerifyingKey};
use crate::words::{RecordId, UnitId};

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
    #[error(transparent)]
    Letter(#[from] LetterError),
    #[error(transparent)]
    Disposition(#[from] DispositionError),
    #[error("alert {alert} was answered at {at}, not before this answer")]
    Superseded { alert: RecordId, at: Timestamp },
}

impl Letter for Answer {
    const PURPOSE: &'static str = "answer";
    /// The longest name and note, and the envelope around them.
    const LONGEST: usize = 8 << 10;
    const GOOD_FOR: SignedDuration = SignedDuration::from_hours(30 * 24);

    fn heading(&self) -> Heading<'_> {
        Heading { unit: &self.unit, issued: self.disposition.at, expires: self.expires }
    }
}

impl Answer {
    pub fn new(unit: UnitId, disposition: Disposition) -> Result<Self, DispositionError> {
        let disposition = Disposition { from: Origin::Server, ..disposition };
        disposition.check()?;
        Ok(Self { unit, expires: disposition.at + Self::GOOD_FOR, disposition })
    }

    /// The disposition as the server's, and the key on whose word it comes.
    pub fn open(
        payload: &[u8],
        unit: &UnitId,
        trusted: &[VerifyingKey],
        now: Timestamp,
    ) -> Result<(Disposition, KeyId), AnswerError> {
        let (answer, by) = Self::verify(payload, unit, trusted)?;
        answer.is_timely(now)?;
        answer.disposition.check()?;
        Ok((Disposition { from: Origin::Server, ..answer.disposition }, by))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::{Verdict, Verified};
    use crate::crypto::{Signed, SigningKey};
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
        let letter = |refused| matches!(refused, AnswerError::Letter(_));
        let answer = Answer::new(unit("north"), disposition()).unwrap();
        assert!(letter(open(&answer.sign(&stranger), now())));
        assert!(letter(open(&answer.sign(&key), now() + Answer::GOOD_FOR)));
        let other = Answer { unit: unit("south"), ..answer.clone() };
        assert!(letter(open(&other.sign(&key), now())));
        let receipt = Signed::new("receipt", &answer, &[&key]).to_json();
        assert!(letter(open(&receipt, now())));
        let mut contrary = answer;
        contrary.disposition.verdict = Verdict::CorrectRead;
        assert!(matches!(open(&contrary.sign(&key), now()), AnswerError::Disposition(_)));
    }
}
