//! Requests and approvals of manual entries as signed messages, from people whom the unit knows by their keys.
//!
//! A message acts once however often it comes: a request is known by its id, and the others leave nothing to
//! repeat. It is for one unit, and for a day at most, so none that was overheard serves later or elsewhere.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::manual_entry::{Author, ManualError, Request};
use crate::crypto::{Heading, Letter, LetterError, Signer, VerifyingKey};
use crate::words::{PersonName, RecordId, UnitId};

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

impl Signer for Signatory {
    fn name(&self) -> &PersonName {
        &self.name
    }

    fn key(&self) -> &VerifyingKey {
        &self.key
    }
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
    #[error(transparent)]
    Letter(#[from] LetterError),
    #[error("{0} may not do this: see `may` under [[hotlist.people]]")]
    NotAllowed(PersonName),
    #[error(transparent)]
    Refused(#[from] ManualError),
}

impl Letter for ManualMessage {
    const PURPOSE: &'static str = "manual entry";
    /// The longest entry, and the envelope around it.
    const LONGEST: usize = 16 << 10;
    const GOOD_FOR: SignedDuration = SignedDuration::from_hours(24);

    fn heading(&self) -> Heading<'_> {
        Heading { unit: &self.unit, issued: self.issued, expires: self.expires }
    }
}

impl ManualMessage {
    pub fn new(unit: UnitId, act: ManualAct, issued: Timestamp) -> Self {
        Self { unit, id: RecordId::new(), issued, expires: issued + Self::GOOD_FOR, act }
    }

    /// Verifies a message, and says on whose word it comes.
    pub fn open(
        payload: &[u8],
        unit: &UnitId,
        people: &[Signatory],
        now: Timestamp,
    ) -> Result<(Self, Author), ManualMessageError> {
        let (message, person) = Self::verify_from(payload, unit, people)?;
        message.is_timely(now)?;
        let allowed = match (&message.act, person.may) {
            (_, May::Both) | (ManualAct::Decline(_), _) => true,
            (ManualAct::Request(_), may) => may == May::Request,
            (ManualAct::Approve(_), may) => may == May::Approve,
        };
        if !allowed {
            return Err(ManualMessageError::NotAllowed(person.name.clone()));
        }
        Ok((message, Author { name: person.name.clone(), key: Some(person.key.id()) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::SigningKey;

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
    fn what_is_no_letter_to_this_unit_now_and_what_its_signer_may_not_do_is_refused() {
        let (key, ann) = person("Ann Lee", May::Request);
        let people = [ann];
        let open = |json: &[u8], unit: &UnitId, at| ManualMessage::open(json, unit, &people, at).unwrap_err();
        let json = approval().sign(&key);
        assert!(matches!(open(&json, &north(), now()), ManualMessageError::NotAllowed(_)));
        let south = UnitId::parse("south").unwrap();
        let letter = |refused| matches!(refused, ManualMessageError::Letter(_));
        assert!(letter(open(&json, &south, now())));
        assert!(letter(open(&json, &north(), now() + SignedDuration::from_hours(24))));
        assert!(letter(open(&approval().sign(&SigningKey::generate()), &north(), now())));
    }
}
