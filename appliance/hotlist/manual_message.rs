//! Requests and approvals of manual entries as signed messages, from people whom the unit knows by their keys.
//!
//! A message acts once however often it comes: a request is known by its id, and the others leave nothing to
//! repeat. It is for one unit, and for a day at most, so none that was overheard serves later or elsewhere.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::manual_entry::{Author, ManualError, Request};
use crate::crypto::{SignatureError, Signed, SigningKey, VerifyingKey};
use crate::words::{PersonName, RecordId, UnitId};

const PURPOSE: &str = "manual entry";
/// The longest entry, and the envelope around it.
const MESSAGE_MAX: usize = 16 << 10;
/// No message is good for longer.
const VALID_FOR: SignedDuration = SignedDuration::from_hours(24);

/// `[[hotlist.people]]`: somebody who may ask for or approve manual entries by signed message.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signatory {
    /// As it will stand with every entry.
    pub name: PersonName,
    /// Ed25519 public key, 44 characters, as `milepost hotlist keygen` prints it.
    pub key: VerifyingKey,
    /// What this person may do. Default: both, since no one can approve what they asked for themselves.
    #[serde(default)]
    pub may: May,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum May {
    Request,
    Approve,
    #[default]
    Both,
}

/// One person's word to one unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ManualMessage {
    pub unit: UnitId,
    /// Of this message. That of a request is the one that its approval names.
    pub id: RecordId,
    /// At most an hour ahead of the unit's clock.
    #[cfg_attr(test, schemars(with = "crate::contract::Time"))]
    pub issued: Timestamp,
    /// Not later than a day after `issued`.
    #[cfg_attr(test, schemars(with = "crate::contract::Time"))]
    pub expires: Timestamp,
    pub act: ManualAct,
}

/// A request, or another person's word on one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ManualAct {
    Request(Request),
    /// The id of the request.
    Approve(RecordId),
    Decline(RecordId),
}

/// Why such a message was refused. Names no plate.
#[derive(Debug, thiserror::Error)]
pub enum ManualMessageError {
    #[error("the message has {0} bytes, more than one about a manual entry may have")]
    TooLong(usize),
    #[error(transparent)]
    Signature(#[from] SignatureError),
    #[error("it is for the unit {0}")]
    OtherUnit(UnitId),
    #[error("it was good until {0}")]
    Late(Timestamp),
    #[error("it is dated {0}, ahead of this unit's clock")]
    FromTheFuture(Timestamp),
    #[error("it would be good for more than a day")]
    GoodForTooLong,
    #[error("{0} may not do this: see `may` under [[hotlist.people]]")]
    NotAllowed(PersonName),
    #[error(transparent)]
    Refused(#[from] ManualError),
}

impl ManualMessage {
    pub fn new(unit: UnitId, act: ManualAct, issued: Timestamp) -> Self {
        Self { unit, id: RecordId::new(), issued, expires: issued + VALID_FOR, act }
    }

    pub fn sign(&self, key: &SigningKey) -> Vec<u8> {
        Signed::new(PURPOSE, self, &[key]).to_json()
    }

    /// Verifies a message, and says on whose word it comes.
    pub fn open(
        payload: &[u8],
        unit: &UnitId,
        people: &[Signatory],
        now: Timestamp,
    ) -> Result<(Self, Author), ManualMessageError> {
        if payload.len() > MESSAGE_MAX {
            return Err(ManualMessageError::TooLong(payload.len()));
        }
        let keys: Vec<VerifyingKey> = people.iter().map(|person| person.key).collect();
        let (message, by) = Signed::verify::<Self>(payload, PURPOSE, &keys)?;
        if message.unit != *unit {
            return Err(ManualMessageError::OtherUnit(message.unit));
        }
        if message.expires.duration_since(message.issued) > VALID_FOR {
            return Err(ManualMessageError::GoodForTooLong);
        }
        if message.expires <= now {
            return Err(ManualMessageError::Late(message.expires));
        }
        if message.issued > now + SignedDuration::from_hours(1) {
            return Err(ManualMessageError::FromTheFuture(message.issued));
        }
        let person = people.iter().find(|person| person.key.id() == by);
        let person = person.ok_or_else(|| SignatureError::UnknownKey(by.to_string()))?;
        let allowed = match (&message.act, person.may) {
            (_, May::Both) | (ManualAct::Decline(_), _) => true,
            (ManualAct::Request(_), may) => may == May::Request,
            (ManualAct::Approve(_), may) => may == May::Approve,
        };
        if !allowed {
            return Err(ManualMessageError::NotAllowed(person.name.clone()));
        }
        Ok((message, Author { name: person.name.clone(), key: Some(by) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-06-01T12:00:00Z".parse().unwrap()
    }

    fn north() -> UnitId {
        UnitId::parse("north").unwrap()
    }

    fn person(name: &str, may: May) -> (SigningKey, Signatory) {
        let key = SigningKey::generate();
        let signatory = Signatory { name: PersonName::parse(name).unwrap(), key: key.verifying_key(), may };
        (key, signatory)
    }

    fn approval() -> ManualMessage {
        ManualMessage::new(north(), ManualAct::Approve(RecordId::new()), now())
    }

    #[test]
    fn the_name_comes_from_the_key() {
        let (key, ann) = person("Ann Lee", May::Both);
        let message = approval();
        let (opened, by) = ManualMessage::open(&message.sign(&key), &north(), &[ann], now()).unwrap();
        assert_eq!(opened, message);
        assert_eq!((by.name.as_str(), by.key), ("Ann Lee", Some(key.verifying_key().id())));
    }

    #[test]
    fn strangers_other_units_other_times_and_other_rights_are_refused() {
        use ManualMessageError as Error;
        let (key, ann) = person("Ann Lee", May::Request);
        let (stranger, _) = person("Nobody", May::Both);
        let people = [ann];
        let open = |json: &[u8], unit: &UnitId, at| ManualMessage::open(json, unit, &people, at).unwrap_err();
        let hours = SignedDuration::from_hours;
        let json = approval().sign(&key);
        assert!(matches!(open(&json, &north(), now()), Error::NotAllowed(_)));
        assert!(matches!(open(&approval().sign(&stranger), &north(), now()), Error::Signature(_)));
        assert!(matches!(open(&json, &UnitId::parse("south").unwrap(), now()), Error::OtherUnit(_)));
        assert!(matches!(open(&json, &north(), now() + hours(24)), Error::Late(_)));
        assert!(matches!(open(&json, &north(), now() - hours(2)), Error::FromTheFuture(_)));
        let long = ManualMessage { expires: now() + hours(25), ..approval() };
        assert!(matches!(open(&long.sign(&key), &north(), now()), Error::GoodForTooLong));
        assert!(matches!(open(&vec![b'{'; 20_000], &north(), now()), Error::TooLong(_)));
    }
}
