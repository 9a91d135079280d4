//! Accounts by signed message: the people of a department who may sign in at its units, all of them at once.
//!
//! Owns the signed roster, whose signatures count, which version is held, and until when it counts. Must not know what
//! an account is made of beyond [`Member`], nor MQTT: it is handed bytes and the time.
//!
//! ```text
//! bytes ─► signatures ─► this roster ─► a higher version ─► not expired ─► noted, durably ─► the console's accounts
//! ```
//!
//! A roster is whole: who is not in it has no account. The promise: an older one never counts again, over restarts, and over
//! storage that was restored as soon as the broker's copy of the memory has come ([`memory`]); one that does not verify
//! changes nothing.
//!
//! Who runs the broker sees names, roles and hashes. The hashes are of codes with 80 random bits, so nothing is to be had
//! from them; see [`GivenSecret`](crate::console::GivenSecret).

mod config;
mod memory;
mod message;

use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tracing::warn;

pub use config::Config;
pub use memory::Held;
pub use message::{PEOPLE_MAX, Roster, RosterError};

use crate::console::{self, RosterView};
use crate::crypto::{SealedFileError, SignatureError, UnitKey};
use crate::words::RosterName;
use memory::Memory;

/// The one owner of the roster that this unit holds.
pub struct Rosters {
    /// None where the unit takes none.
    config: Option<Config>,
    memory: Memory,
}

/// Why a roster was not taken.
#[derive(Debug, thiserror::Error)]
pub enum RosterRefusal {
    #[error("the message has {0} bytes, more than a roster may have")]
    TooLong(usize),
    #[error(transparent)]
    Signature(#[from] SignatureError),
    #[error("it is signed by {has} of the keys that this unit was given, and needs {needs}")]
    TooFewSignatures { has: usize, needs: usize },
    #[error("it is the roster {0}, and this unit takes another")]
    OtherRoster(RosterName),
    #[error(transparent)]
    Form(#[from] RosterError),
    #[error("it is version {offered}, and this unit has seen version {seen}")]
    Older { offered: u64, seen: u64 },
    #[error("it differs from the version {0} that this unit holds")]
    TwoOfOneVersion(u64),
    #[error("it was good until {0}")]
    Expired(Timestamp),
}

/// What a message led to.
#[derive(Debug)]
pub enum Judgement {
    /// It counts from now on; with the error, only until a restart.
    Taken(Option<SealedFileError>),
    /// It is the one that is held.
    Known,
}

/// The roster in health reports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RosterReport {
    pub roster: RosterName,
    /// Of the one that is held; none before the first.
    pub version: Option<u64>,
    /// When it was made.
    #[cfg_attr(test, schemars(with = "Option<crate::contract::Time>"))]
    pub issued: Option<Timestamp>,
    /// Seconds since then.
    pub age_s: Option<u64>,
    /// Whether its people may sign in: it is neither over nor older than one that the unit has held.
    pub counts: bool,
    /// Why they may not, as a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rests: Option<String>,
}

impl Rosters {
    pub fn open(folder: &Path, key: &UnitKey, config: Option<&Config>) -> Result<Self, SealedFileError> {
        let mut memory = Memory::open(folder, key)?;
        let trusted = |held: &Held| config.is_some_and(|config| config.trusts(&held.roster.roster, &held.by));
        if memory.held().is_some_and(|held| !trusted(held)) {
            warn!(
                "the configuration names another roster, or other keys: the one that was held counts no more"
            );
            if let Err(error) = memory.let_go() {
                warn!(%error, "the next start says so again");
            }
        }
        Ok(Self { config: config.cloned(), memory })
    }

    /// The roster that this unit takes.
    pub fn name(&self) -> Option<&RosterName> {
        self.config.as_ref().map(|config| &config.name)
    }

    /// `date`: by the kept clock, or the last that was known.
    pub fn judge(&mut self, payload: &[u8], date: Timestamp) -> Result<Judgement, RosterRefusal> {
        let Some(config) = &self.config else { return Ok(Judgement::Known) };
        let (roster, by) = Roster::open(payload, config)?;
        let seen = self.memory.highest(&roster.roster);
        if let Some(held) = self.memory.held()
            && held.roster.version == roster.version
        {
            return if held.roster == roster {
                Ok(Judgement::Known)
            } else {
                Err(RosterRefusal::TwoOfOneVersion(roster.version))
            };
        }
        if roster.version < seen {
            return Err(RosterRefusal::Older { offered: roster.version, seen });
        }
        if let Some(expires) = roster.expires.filter(|expires| *expires <= date) {
            return Err(RosterRefusal::Expired(expires));
        }
        Ok(Judgement::Taken(self.memory.hold(Held { roster, by }).err()))
    }

    /// What the broker is to keep for this unit: sealed. To be handed over after each roster that was taken.
    pub fn for_the_broker(&self) -> Vec<u8> {
        self.memory.for_the_broker()
    }

    /// Takes what the broker kept. Whether it says more than was known; None if it does not open.
    pub fn recall(&mut self, kept: &[u8]) -> Option<bool> {
        self.memory.recall(kept)
    }

    pub fn held(&self) -> Option<&Held> {
        self.memory.held()
    }

    /// For the console: the people, and whether they may sign in at this date.
    pub fn in_force(&self, date: Timestamp) -> Option<console::Roster> {
        let Held { roster, by } = self.memory.held()?;
        let view = RosterView {
            roster: roster.roster.clone(),
            version: roster.version,
            issued: roster.issued,
            expires: roster.expires,
            signed_by: by.clone(),
            rests: self.rests(date),
        };
        Some(console::Roster { view, members: roster.people.clone() })
    }

    /// None where the unit takes no roster.
    pub fn report(&self, date: Timestamp) -> Option<RosterReport> {
        let held = self.memory.held().map(|held| &held.roster);
        let age = |issued: Timestamp| date.duration_since(issued).as_secs().max(0).unsigned_abs();
        let rests = self.rests(date);
        Some(RosterReport {
            roster: self.name()?.clone(),
            version: held.map(|roster| roster.version),
            issued: held.map(|roster| roster.issued),
            age_s: held.map(|roster| age(roster.issued)),
            counts: held.is_some() && rests.is_none(),
            rests,
        })
    }

    /// Why nobody of the roster may sign in, as a sentence.
    fn rests(&self, date: Timestamp) -> Option<String> {
        let roster = &self.memory.held()?.roster;
        let seen = self.memory.highest(&roster.roster);
        if roster.version < seen {
            return Some(format!(
                "This unit held version {seen} before its storage was restored, and waits for one that is not older."
            ));
        }
        let over = roster.expires.filter(|expires| *expires <= date)?;
        Some(format!("It was good until {over:.0}: the department must sign a new one."))
    }
}

#[cfg(test)]
mod tests;
