//! The roster that is held, and the highest version ever held.
//!
//! One small sealed file, replaced with a real fsync before its accounts change: after a power cut in between the next
//! start changes them. The broker retains the highest versions, sealed with the same key: storage that was restored has
//! forgotten them, and the broker has not.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tracing::warn;

use super::message::Roster;
use crate::crypto::{KeyId, SealKey, UnitKey};
use crate::system::write_durably;
use crate::words::RosterName;

const ON_DISK: &[u8] = b"roster 1";
const AT_THE_BROKER: &[u8] = b"rosters at the broker 1";

/// The memory of rosters cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RosterStoreError {
    #[error("{} cannot be read: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{} cannot be written: {source}", path.display())]
    Write { path: PathBuf, source: std::io::Error },
    #[error("{} is damaged, or was written with another unit key", path.display())]
    Damaged { path: PathBuf },
}

/// A roster that was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Held {
    pub roster: Roster,
    /// The keys of this unit's configuration that it was signed by.
    pub by: Vec<KeyId>,
}

pub(super) struct Memory {
    path: PathBuf,
    seal: SealKey,
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
    pub fn open(folder: &Path, key: &UnitKey) -> Result<Self, RosterStoreError> {
        let path = folder.join("roster");
        let seal = key.derive("roster");
        let known = match std::fs::read(&path) {
            Ok(sealed) => seal
                .open_json(ON_DISK, &sealed)
                .ok_or_else(|| RosterStoreError::Damaged { path: path.clone() })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Known::default(),
            Err(source) => return Err(RosterStoreError::Read { path, source }),
        };
        Ok(Self { path, seal, known })
    }

    pub fn held(&self) -> Option<&Held> {
        self.known.held.as_ref()
    }

    /// 0 where none was ever held.
    pub fn highest(&self, roster: &RosterName) -> u64 {
        self.known.highest.get(roster).copied().unwrap_or(0)
    }

    /// Held from now on, also where the disk takes no writes: then until a restart.
    pub fn hold(&mut self, held: Held) -> Result<(), RosterStoreError> {
        self.raise(&held.roster.roster.clone(), held.roster.version);
        self.known.held = Some(held);
        self.write()
    }

    pub fn let_go(&mut self) -> Result<(), RosterStoreError> {
        self.known.held = None;
        self.write()
    }

    pub fn for_the_broker(&self) -> Vec<u8> {
        let json = serde_json::to_vec(&self.known.highest).expect("names and numbers are plain data");
        self.seal.seal(AT_THE_BROKER, &json)
    }

    /// Whether it says more than was known; None if what the broker kept does not open.
    pub fn recall(&mut self, kept: &[u8]) -> Option<bool> {
        let kept: BTreeMap<RosterName, u64> = self.seal.open_json(AT_THE_BROKER, kept)?;
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

    fn write(&self) -> Result<(), RosterStoreError> {
        let json = serde_json::to_vec(&self.known).expect("a roster is plain data with string keys");
        let write = |source| RosterStoreError::Write { path: self.path.clone(), source };
        write_durably(&self.path, &self.seal.seal(ON_DISK, &json)).map_err(write)
    }
}
