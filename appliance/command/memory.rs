//! Which commands this unit has seen, so that none acts twice.
//!
//! One small sealed file, replaced with a real fsync *before* a command is carried out. A nonce is kept until its
//! command's expiry has passed by a clock that somebody keeps; then `floor` takes its place: nothing that was good
//! until then or less is taken any more, whatever the clock says. So the file is bounded, and a clock that is set back
//! opens no door.
//!
//! The broker retains a copy, sealed with the same key. It is united with what the storage knows: restored storage
//! has forgotten what came since, and the copy has not.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::message::{Command, CommandRefusal};
use super::result::CommandResult;
use crate::crypto::{Digest, Letter, LetterError, SealedFile, SealedFileError, UnitKey};
use crate::system::ClockStatus;
use crate::words::{PersonName, RecordId};

const ON_DISK: &[u8] = b"commands 1";
const AT_THE_BROKER: &[u8] = b"commands at the broker 1";
/// Commands that are still good. A person sends a few a day.
const MOST: usize = 1000;

pub struct Memory {
    file: SealedFile<Known>,
    known: Known,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Known {
    seen: BTreeMap<RecordId, Seen>,
    /// What was good until then or less is over.
    floor: Timestamp,
    /// The latest that a command was issued: time was that late at least.
    newest: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Seen {
    expires: Timestamp,
    /// None while it is carried out; and at the broker, which need not know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    result: Option<CommandResult>,
    /// It is carried out over a restart, after which its result is known. The broker need not know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    over_restart: Option<OverRestart>,
}

/// A command whose result is known after the program has started anew.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OverRestart {
    pub command: Command,
    pub by: PersonName,
    /// Of the configuration that the unit works with if all goes well.
    pub configuration: Digest,
}

impl Memory {
    pub fn open(folder: &Path, key: &UnitKey) -> Result<Self, SealedFileError> {
        let file = SealedFile::new(folder.join("commands"), key.derive("commands"), ON_DISK);
        let known = file.read()?.unwrap_or_default();
        Ok(Self { file, known })
    }

    /// None for a command that never came; `Some(None)` for one whose result is not known.
    pub fn result_of(&self, command: &Command) -> Option<Option<CommandResult>> {
        self.known.seen.get(&command.nonce).map(|seen| seen.result.clone())
    }

    /// Takes a new command if its time is right, and notes it durably.
    pub fn admit(
        &mut self,
        command: &Command,
        now: Timestamp,
        clock: ClockStatus,
    ) -> Result<(), CommandRefusal> {
        // A clock that nobody keeps may be far behind; it is at least as late as what was signed lately.
        let time = if clock == ClockStatus::Free { now.max(self.known.newest) } else { now };
        command.is_timely(time)?;
        if command.expires <= self.known.floor {
            return Err(LetterError::Late(command.expires).into());
        }
        let mut known = self.known.clone();
        if clock != ClockStatus::Free || known.seen.len() >= MOST {
            known.forget(time);
        }
        if known.seen.len() >= MOST {
            return Err(CommandRefusal::TooMany);
        }
        known.newest = known.newest.max(command.issued);
        known.seen.insert(command.nonce, Seen::at(command.expires));
        Ok(self.write(known)?)
    }

    pub fn keep_result(&mut self, command: &Command, result: &CommandResult) -> Result<(), SealedFileError> {
        let mut known = self.known.clone();
        let seen = Seen { result: Some(result.clone()), ..Seen::at(command.expires) };
        known.seen.insert(command.nonce, seen);
        self.write(known)
    }

    /// Notes that the result of this command comes after a restart.
    pub fn leave_open(&mut self, over_restart: OverRestart) -> Result<(), SealedFileError> {
        let mut known = self.known.clone();
        let command = &over_restart.command;
        let (nonce, expires) = (command.nonce, command.expires);
        known.seen.insert(nonce, Seen { over_restart: Some(over_restart), ..Seen::at(expires) });
        self.write(known)
    }

    pub fn left_open(&self) -> Vec<OverRestart> {
        self.known.seen.values().filter_map(|seen| seen.over_restart.clone()).collect()
    }

    pub fn for_the_broker(&self) -> Vec<u8> {
        let seen = self.known.seen.iter();
        let seen = seen.map(|(nonce, seen)| (*nonce, Seen::at(seen.expires))).collect();
        self.file.key().seal_json(AT_THE_BROKER, &Known { seen, ..self.known })
    }

    /// False if what the broker kept does not open.
    pub fn recall(&mut self, kept: &[u8]) -> Result<bool, SealedFileError> {
        let Some(kept) = self.file.key().open_json::<Known>(AT_THE_BROKER, kept) else { return Ok(false) };
        let mut known = self.known.clone();
        known.floor = known.floor.max(kept.floor);
        known.newest = known.newest.max(kept.newest);
        for (nonce, seen) in kept.seen {
            if seen.expires > known.floor {
                known.seen.entry(nonce).or_insert(seen);
            }
        }
        if known != self.known {
            self.write(known)?;
        }
        Ok(true)
    }

    fn write(&mut self, known: Known) -> Result<(), SealedFileError> {
        self.file.write(&known)?;
        self.known = known;
        Ok(())
    }
}

impl Seen {
    fn at(expires: Timestamp) -> Self {
        Self { expires, result: None, over_restart: None }
    }
}

impl Known {
    fn forget(&mut self, now: Timestamp) {
        let over = self.seen.values().map(|seen| seen.expires).filter(|expires| *expires <= now).max();
        if let Some(over) = over {
            self.floor = self.floor.max(over);
            self.seen.retain(|_, seen| seen.expires > over || seen.over_restart.is_some());
        }
    }
}
