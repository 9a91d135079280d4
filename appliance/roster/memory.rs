//! The roster that is held, and the highest version ever held.
//!
//! One small sealed file, replaced with a real fsync before its accounts change: after a power cut in between the next
//! start changes them. The broker retains the highest versions, sealed with the same key: storage that was restored has
//! forgotten them, and the broker has not.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use tracing::warn;

use super::message::Roster;
use crate::crypto::{KeyId, SealedFile, SealedFileError, UnitKey};
use crate::words::RosterName;

const ON_DISK: &[u8] = b"roster 1";
const AT_THE_BROKER: &[u8] = b"rosters at the broker 1";

/// A roster that was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Held {
    pub roster: Roster,
    /// The keys of this unit's configuration that it was signed by.
    pub by: Vec<KeyId>,
}

pub(super) struct Memory {
    file: SealedFile<Known>,
    known: Known,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Known {
    /// By name, since a unit may be given another roster and the former again.
    highest: BTreeMap<RosterName, u64>,
    held: Option<Held>,
}

impl Memory {
    pub fn open(folder: &Path, key: &UnitKey) -> Result<Self, SealedFileError> {
        let file = SealedFile::new(folder.join("roster"), key.derive("roster"), ON_DISK);
        let known = file.read()?.unwrap_or_default();
        Ok(Self { file, known })
    }

    pub fn held(&self) -> Option<&Held> {
        self.known.held.as_ref()
    }

    /// 0 where none was ever held.
    pub fn highest(&self, roster: &RosterName) -> u64 {
        self.known.highest.get(roster).copied().unwrap_or(0)
    }

    /// Held from now on, also where the disk takes no writes: then until a restart.
    pub fn hold(&mut self, held: Held) -> Result<(), SealedFileError> {
        self.raise(&held.roster.roster.clone(), held.roster.version);
        self.known.held = Some(held);
        self.write()
    }

    pub fn let_go(&mut self) -> Result<(), SealedFileError> {
        self.known.held = None;
        self.write()
    }

    pub fn for_the_broker(&self) -> Vec<u8> {
        self.file.key().seal_json(AT_THE_BROKER, &self.known.highest)
    }

    /// Whether it says more than was known; None if what the broker kept does not open.
    pub fn recall(&mut self, kept: &[u8]) -> Option<bool> {
        let kept: BTreeMap<RosterName, u64> = self.file.key().open_json(AT_THE_BROKER, kept)?;
        let before = self.known.highest.clone();
        kept.iter().for_each(|(roster, seen)| self.raise(roster, *seen));
        let more = self.known.highest != before;
        if more && let Err(error) = self.write() {
            warn!(%error, "what the broker kept of rosters is known until a restart");
        }
        Some(more)
    }

    fn raise(&mut self, roster: &RosterName, seen: u64) {
        let highest = self.known.highest.entry(roster.clone()).or_default();
        *highest = seen.max(*highest);
    }

    fn write(&self) -> Result<(), SealedFileError> {
        self.file.write(&self.known)
    }
}
