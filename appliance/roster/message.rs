use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::RosterRefusal;
use super::config::Config;
use crate::console::Member;
use crate::crypto::{KeyId, Signed, SigningKey, VerifyingKey};
use crate::words::RosterName;

const PURPOSE: &str = "roster";
/// A person takes about 250 bytes.
const MESSAGE_MAX: usize = 1 << 20;
/// More than any department has; each becomes an account of every unit.
pub const PEOPLE_MAX: usize = 2000;

/// Everybody whom the department lets sign in at its units. Retained: it replaces the one before whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Roster {
    pub roster: RosterName,
    /// Rises with each roster; a unit takes none that is older than what it held.
    pub version: u64,
    /// When it was made.
    #[cfg_attr(test, schemars(with = "crate::contract::Time"))]
    pub issued: Timestamp,
    /// From then on nobody of it may sign in; none for a roster that counts until the next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<crate::contract::Time>"))]
    pub expires: Option<Timestamp>,
    /// All of them, each once in whatever case; 2,000 at most.
    pub people: Vec<Member>,
}

/// What a roster may not say.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RosterError {
    #[error("it has {0} people, and units take at most {PEOPLE_MAX}")]
    TooMany(usize),
    #[error("{0} stands in it twice")]
    Twice(String),
    #[error("it ends before it begins")]
    EndsBefore,
}

impl Roster {
    /// What units ask of it, besides its signatures.
    pub fn check(&self) -> Result<(), RosterError> {
        if self.people.len() > PEOPLE_MAX {
            return Err(RosterError::TooMany(self.people.len()));
        }
        if self.expires.is_some_and(|expires| expires <= self.issued) {
            return Err(RosterError::EndsBefore);
        }
        let mut names = BTreeSet::new();
        // Names are typed in any case.
        match self.people.iter().find(|person| !names.insert(person.name.as_str().to_lowercase())) {
            Some(twice) => Err(RosterError::Twice(twice.name.to_string())),
            None => Ok(()),
        }
    }

    pub fn sign(&self, keys: &[&SigningKey]) -> Vec<u8> {
        Signed::new(PURPOSE, self, keys).to_json()
    }

    /// A signed roster with one more signature; whoever gives it has looked at it first.
    pub fn countersign(payload: &[u8], key: &SigningKey) -> serde_json::Result<Vec<u8>> {
        let mut signed: Signed = serde_json::from_slice(payload)?;
        signed.countersign(PURPOSE, key);
        Ok(signed.to_json())
    }

    /// What a signed roster says and whose signatures it claims, for people: units verify.
    pub fn look(payload: &[u8]) -> serde_json::Result<(Self, Vec<KeyId>)> {
        let signed: Signed = serde_json::from_slice(payload)?;
        Ok((signed.unverified()?, signed.claimed_keys()))
    }

    /// Everything but version and time; and the keys that it is signed by, of those that count.
    pub(super) fn open(payload: &[u8], config: &Config) -> Result<(Self, Vec<KeyId>), RosterRefusal> {
        if payload.len() > MESSAGE_MAX {
            return Err(RosterRefusal::TooLong(payload.len()));
        }
        let keys: &[VerifyingKey] = &config.keys;
        let (roster, by) = Signed::verify_all::<Self>(payload, PURPOSE, keys)?;
        let needs = config.signatures.count();
        if by.len() < needs {
            return Err(RosterRefusal::TooFewSignatures { has: by.len(), needs });
        }
        if roster.roster != config.name {
            return Err(RosterRefusal::OtherRoster(roster.roster));
        }
        roster.check()?;
        Ok((roster, by))
    }
}
