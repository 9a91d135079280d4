//! Which edition of which list is in force, and the highest version ever held.
//!
//! Promise: one small sealed file, replaced with a real fsync of file and folder. An edition is in force
//! exactly if this file names it, so replacing the file *is* the switch, and an older version stays refused
//! for ever, whatever becomes of the edition itself.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::matching::ListVersion;
use super::message::Manifest;
use super::refusal::StoreError;
use crate::crypto::{Digest, KeyId, SealedFile, UnitKey};
use crate::words::ListName;

const CONTEXT: &[u8] = b"hot list ledger 1";

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// The highest version that was ever in force.
    pub highest: u64,
    pub current: Option<Current>,
}

/// The edition in force.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Current {
    /// The name of its folder.
    pub edition: String,
    pub version: u64,
    /// The highest manifest that was accepted up to then, so that it is not called outdated when it comes
    /// again; older than `version` where deltas led on.
    pub manifest: u64,
    /// Of the chunks, if it came as a snapshot.
    #[serde(default)]
    pub digest: Option<Digest>,
    pub issued: Timestamp,
    pub expires: Option<Timestamp>,
    pub installed: Timestamp,
    pub by: KeyId,
    pub count: u64,
    pub blocks: u32,
}

impl Current {
    /// Whether this manifest is signed as the same version and says something else.
    pub fn is_contradicted_by(&self, manifest: &Manifest) -> bool {
        let same =
            self.digest.is_none_or(|digest| digest == manifest.digest && self.issued == manifest.issued);
        self.version == manifest.version && !same
    }

    pub fn list_version(&self, list: &ListName) -> ListVersion {
        ListVersion { list: list.clone(), version: self.version, issued: self.issued }
    }
}

pub struct Ledger {
    file: SealedFile<BTreeMap<ListName, Line>>,
    lines: BTreeMap<ListName, Line>,
}

impl Ledger {
    pub fn open(folder: &Path, key: &UnitKey) -> Result<Self, StoreError> {
        let file = SealedFile::new(folder.join("ledger"), key.derive("hot list ledger"), CONTEXT);
        let lines = file.read()?.unwrap_or_default();
        Ok(Self { file, lines })
    }

    pub fn line(&self, list: &ListName) -> Line {
        self.lines.get(list).cloned().unwrap_or_default()
    }

    pub fn lists(&self) -> impl Iterator<Item = &ListName> {
        self.lines.keys()
    }

    /// In force, durably, once this has returned.
    pub fn install(&mut self, list: &ListName, current: Current) -> Result<(), StoreError> {
        let highest = self.line(list).highest.max(current.version);
        self.write(list, Line { highest, current: Some(current) })
    }

    /// This version was in force before the storage was restored.
    pub fn raise(&mut self, list: &ListName, highest: u64) -> Result<(), StoreError> {
        let line = self.line(list);
        self.write(list, Line { highest: line.highest.max(highest), ..line })
    }

    /// The highest version of each list that was ever in force.
    pub fn highest(&self) -> BTreeMap<&ListName, u64> {
        self.lines.iter().map(|(list, line)| (list, line.highest)).collect()
    }

    /// No edition is in force any more; the highest version stays known.
    pub fn withdraw(&mut self, list: &ListName) -> Result<(), StoreError> {
        let highest = self.line(list).highest;
        self.write(list, Line { highest, current: None })
    }

    fn write(&mut self, list: &ListName, line: Line) -> Result<(), StoreError> {
        let mut lines = self.lines.clone();
        lines.insert(list.clone(), line);
        self.file.write(&lines)?;
        self.lines = lines;
        Ok(())
    }
}
