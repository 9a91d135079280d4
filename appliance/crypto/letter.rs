use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{KeyId, SignatureError, Signed, Signer, SigningKey, VerifyingKey};
use crate::words::UnitId;

/// How far the clock of whoever signs may be ahead of the unit's.
const AHEAD: SignedDuration = SignedDuration::from_hours(1);

/// What every letter says of itself.
///
/// A view, not a part of the messages: serde refuses unknown fields only in a struct that flattens none, and a signed
/// message with a field that nobody reads must not be taken.
pub struct Heading<'a> {
    pub unit: &'a UnitId,
    pub issued: Timestamp,
    pub expires: Timestamp,
}

/// A signed message to one unit, good for a limited time: one that was overheard serves nowhere else, and not for long.
pub trait Letter: Serialize + DeserializeOwned {
    /// A signature for it serves no other; see [`Signed`].
    const PURPOSE: &'static str;
    /// What is longer is not looked into; bytes.
    const LONGEST: usize;
    /// None is good for longer.
    const GOOD_FOR: SignedDuration;

    fn heading(&self) -> Heading<'_>;

    fn sign(&self, key: &SigningKey) -> Vec<u8> {
        Signed::new(Self::PURPOSE, self, &[key]).to_json()
    }

    /// Whose word it is, if it is for this unit. Verifies first, then parses: what is refused was never looked into.
    fn verify(payload: &[u8], unit: &UnitId, trusted: &[VerifyingKey]) -> Result<(Self, KeyId), LetterError> {
        if payload.len() > Self::LONGEST {
            return Err(LetterError::TooLong { has: payload.len(), most: Self::LONGEST });
        }
        let (letter, by) = Signed::verify::<Self>(payload, Self::PURPOSE, trusted)?;
        let meant = letter.heading().unit;
        if meant != unit {
            return Err(LetterError::OtherUnit(meant.clone()));
        }
        Ok((letter, by))
    }

    /// [`Letter::verify`], and which of these people wrote it.
    fn verify_from<'a, Person: Signer>(
        payload: &[u8],
        unit: &UnitId,
        people: &'a [Person],
    ) -> Result<(Self, &'a Person), LetterError> {
        let keys: Vec<VerifyingKey> = people.iter().map(|person| *person.key()).collect();
        let (letter, by) = Self::verify(payload, unit, &keys)?;
        let person = people.iter().find(|person| person.key().id() == by);
        Ok((letter, person.expect("only keys of these people were trusted")))
    }

    /// Whether it counts at this time.
    fn is_timely(&self, now: Timestamp) -> Result<(), LetterError> {
        let Heading { issued, expires, .. } = self.heading();
        if expires.duration_since(issued) > Self::GOOD_FOR {
            return Err(LetterError::GoodForTooLong(Self::GOOD_FOR));
        }
        if expires <= now {
            return Err(LetterError::Late(expires));
        }
        if issued.duration_since(now) > AHEAD {
            return Err(LetterError::FromTheFuture(issued));
        }
        Ok(())
    }
}

/// Why a letter was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LetterError {
    #[error("the message has {has} bytes, more than the {most} that one of its kind may have")]
    TooLong { has: usize, most: usize },
    #[error(transparent)]
    Signature(#[from] SignatureError),
    #[error("it is for the unit {0}")]
    OtherUnit(UnitId),
    #[error("it was good until {0}")]
    Late(Timestamp),
    #[error("it is dated {0}, ahead of this unit's clock")]
    FromTheFuture(Timestamp),
    #[error("it would be good for more than {} hours", .0.as_hours())]
    GoodForTooLong(SignedDuration),
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    struct Note {
        unit: UnitId,
        issued: Timestamp,
        expires: Timestamp,
    }

    impl Letter for Note {
        const PURPOSE: &'static str = "note";
        const LONGEST: usize = 1000;
        const GOOD_FOR: SignedDuration = SignedDuration::from_hours(24);

        fn heading(&self) -> Heading<'_> {
            Heading { unit: &self.unit, issued: self.issued, expires: self.expires }
        }
    }

    fn unit(name: &str) -> UnitId {
        UnitId::parse(name).unwrap()
    }

    fn note() -> Note {
        let issued: Timestamp = "2026-06-01T12:00:00Z".parse().unwrap();
        Note { unit: unit("north"), issued, expires: issued + Note::GOOD_FOR }
    }

    #[test]
    fn it_is_known_by_its_key() {
        let key = SigningKey::generate();
        let (opened, by) = Note::verify(&note().sign(&key), &unit("north"), &[key.verifying_key()]).unwrap();
        assert_eq!((opened, by), (note(), key.verifying_key().id()));
    }

    #[test]
    fn strangers_other_units_other_purposes_and_long_ones_are_refused() {
        let (key, stranger) = (SigningKey::generate(), SigningKey::generate());
        let refused = |json: &[u8], to: &str| {
            Note::verify(json, &unit(to), &[key.verifying_key()]).expect_err("it is refused")
        };
        let json = note().sign(&key);
        assert!(matches!(refused(&json, "south"), LetterError::OtherUnit(meant) if meant == unit("north")));
        assert!(matches!(refused(&note().sign(&stranger), "north"), LetterError::Signature(_)));
        let receipt = Signed::new("receipt", &note(), &[&key]).to_json();
        assert!(matches!(refused(&receipt, "north"), LetterError::Signature(SignatureError::Wrong(_))));
        assert!(matches!(refused(&[b'{'; 1001], "north"), LetterError::TooLong { has: 1001, most: 1000 }));
    }

    #[test]
    fn it_counts_from_its_date_to_its_end_and_no_longer_than_its_kind_may() {
        let (note, second) = (note(), SignedDuration::from_secs(1));
        assert!(note.is_timely(note.issued).is_ok() && note.is_timely(note.issued - AHEAD).is_ok());
        assert!(note.is_timely(note.expires - second).is_ok());
        assert!(matches!(note.is_timely(note.expires), Err(LetterError::Late(_))));
        let early = note.is_timely(note.issued - AHEAD - second);
        assert!(matches!(early, Err(LetterError::FromTheFuture(_))));
        let lasting = Note { expires: note.expires + second, ..note.clone() };
        assert!(matches!(lasting.is_timely(note.issued), Err(LetterError::GoodForTooLong(_))));
    }
}
