//! One edition of one list at rest: a folder with a sled database of sealed blocks.
//!
//! Promise: an edition that the ledger names is whole; lookups see one version, also while the next is
//! written; the folder tells nobody without the unit's key who is listed, nor how many share a category.
//!
//! A plate's keyed hash (HMAC-SHA-256) chooses its block, so that blocks are filled evenly and tell nothing.
//! A block holds about [`ROWS_IN_BLOCK`] rows and is sealed as one, so that not even a row's length shows:
//!
//! | sled key | value |
//! |---|---|
//! | block number (4 bytes), version (8 bytes), big-endian | AES-256-GCM of the block's rows (`row`), bound to edition and key |
//!
//! Every block exists, empty ones too; the one behind the last holds the patterns. A delta writes the blocks
//! that it touches anew under its own version; the older ones are swept away once the ledger names the new
//! version. So recovery is: of each block take the newest that is not newer than the ledger's version, sweep
//! the rest. If a block is missing or does not open, or the rows are not as many as the ledger says, the
//! edition is damaged, and the list must be had again from the broker.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use aws_lc_rs::hmac;

use super::delta::{Delta, Removal};
use super::durable;
use super::entry::Entry;
use super::filter::Filter;
use super::listed::Listed;
use super::refusal::{Refusal, StoreError};
use super::row::{self, Row};
use crate::crypto::{SealKey, UnitKey};
use crate::system::catch;
use crate::words::Plate;

/// Small enough that opening one takes 2 µs, large enough that sled handles 16,000 keys for a million rows.
const ROWS_IN_BLOCK: u64 = 64;
/// The same plate more often than this is a mistake of the publisher, and would bloat its block.
pub const SAME_PLATE_MAX: usize = 32;
/// Patterns are held against every read one by one; a BOLO list has a handful.
pub const PATTERNS_MAX: usize = 256;
/// Blocks are read at random from all over, so a large cache would buy little; the kernel caches the file.
const CACHE_BYTES: u64 = 4 << 20;

/// The keys of all editions, derived from the unit's key.
pub struct ListKeys {
    place: hmac::Key,
    seal: SealKey,
}

impl ListKeys {
    pub fn new(key: &UnitKey) -> Self {
        Self { place: key.derive_hmac("hot list places"), seal: key.derive("hot list blocks") }
    }

    pub fn block_of(&self, plate: &Plate, blocks: u32) -> u32 {
        let tag = hmac::sign(&self.place, plate.as_bytes());
        let (head, _) = tag.as_ref().split_first_chunk().expect("HMAC-SHA-256 gives 32 bytes");
        ((u128::from(u64::from_be_bytes(*head)) * u128::from(blocks)) >> 64) as u32
    }
}

/// How many blocks an edition of this many entries has, patterns aside.
pub fn blocks_for(count: u64) -> u32 {
    count.div_ceil(ROWS_IN_BLOCK).max(1) as u32
}

/// A database folder under construction or in use.
pub struct Blocks {
    folder: PathBuf,
    id: String,
    db: sled::Db,
}

impl Blocks {
    pub fn open(parent: &Path, id: &str) -> Result<Self, StoreError> {
        let folder = parent.join(id);
        let config = sled::Config::new()
            .path(&folder)
            .cache_capacity(CACHE_BYTES)
            .flush_every_ms(None)
            .mode(sled::Mode::LowSpace);
        // sled panics on some kinds of damage after a power cut; the list can be had again, the unit must run.
        let db = catch(|| config.open()).map_err(|_| StoreError::Damaged(format!("the edition {id}")))??;
        Ok(Self { folder, id: id.to_owned(), db })
    }

    /// Opens a copy in the folder for passing files, for a disk that is read-only or full: sled must write to open. The blocks
    /// are sealed there as well.
    pub fn open_copy(parent: &Path, id: &str) -> Result<Self, StoreError> {
        let (from, copies) = (parent.join(id), std::env::temp_dir().join("milepost-lists"));
        let to = copies.join(id);
        // What an earlier start has left.
        let _ = std::fs::remove_dir_all(&to);
        copy_folder(&from, &to).map_err(StoreError::file(&to))?;
        Self::open(&copies, id)
    }

    pub fn write(&self, keys: &ListKeys, block: u32, version: u64, rows: &[u8]) -> Result<(), StoreError> {
        let key = block_key(block, version);
        self.db.insert(key, keys.seal.seal(&self.context(&key), rows))?;
        Ok(())
    }

    fn read(&self, keys: &ListKeys, block: u32, version: u64) -> Result<Vec<u8>, StoreError> {
        let key = block_key(block, version);
        let sealed = self.db.get(key)?.ok_or_else(|| self.damaged())?;
        self.unseal(keys, &key, &sealed)
    }

    fn unseal(&self, keys: &ListKeys, key: &[u8], sealed: &[u8]) -> Result<Vec<u8>, StoreError> {
        keys.seal.open(&self.context(key), sealed).map_err(|_| self.damaged())
    }

    /// Lets sled give up the memory of what was written. Without it an import of a million entries holds 70 MB more.
    pub fn write_out(&self) -> Result<(), StoreError> {
        self.db.flush()?;
        Ok(())
    }

    /// On the disk, not only in its cache, when this returns.
    pub fn sync(&self) -> Result<(), StoreError> {
        self.db.flush()?;
        durable::sync_tree(&self.folder)?;
        // An edition that was just made is a name in the folder above.
        durable::sync_folder(self.folder.parent().unwrap_or(&self.folder))
    }

    fn context(&self, key: &[u8]) -> Vec<u8> {
        [self.id.as_bytes(), b"/", key].concat()
    }

    fn damaged(&self) -> StoreError {
        StoreError::Damaged(format!("the edition {}", self.id))
    }
}

fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(to)?;
    for item in std::fs::read_dir(from)? {
        let (path, name) = item.map(|item| (item.path(), item.file_name()))?;
        if path.is_dir() {
            copy_folder(&path, &to.join(name))?;
        } else {
            std::fs::copy(&path, to.join(name))?;
        }
    }
    Ok(())
}

fn block_key(block: u32, version: u64) -> [u8; 12] {
    let mut key = [0; 12];
    key[..4].copy_from_slice(&block.to_be_bytes());
    key[4..].copy_from_slice(&version.to_be_bytes());
    key
}

/// A whole edition, ready for lookups.
pub struct Edition {
    blocks: Blocks,
    /// The newest version of each block, patterns last.
    versions: Vec<u64>,
    filter: Filter,
    /// The entries that are patterns.
    patterns: Vec<Entry>,
    count: u64,
}

/// A delta that is written but not yet in force; see [`Edition::switch`].
pub struct Step {
    version: u64,
    /// The blocks it wrote anew.
    blocks: Vec<u32>,
    filter: Filter,
    patterns: Vec<Entry>,
    count: u64,
}

impl Edition {
    /// From blocks just written, all under one version.
    pub fn new(blocks: Blocks, version: u64, filter: Filter, patterns: Vec<Entry>, count: u64) -> Self {
        Self { versions: vec![version; blocks_for(count) as usize + 1], blocks, filter, patterns, count }
    }

    /// Opens what lies on disk as of `version`, with `blocks` blocks, and checks that it is whole.
    pub fn load(
        blocks: Blocks,
        keys: &ListKeys,
        block_count: u32,
        version: u64,
        count: u64,
    ) -> Result<Self, StoreError> {
        let mut versions = vec![None; block_count as usize + 1];
        let mut left_over = Vec::new();
        for key in blocks.db.iter().keys() {
            let key = key?;
            let (block, of) = split_key(&key).ok_or_else(|| blocks.damaged())?;
            match versions.get_mut(block as usize) {
                Some(newest) if of <= version => {
                    left_over.extend(newest.replace(of).map(|older| block_key(block, older)));
                }
                _ => left_over.push(block_key(block, of)),
            }
        }
        let versions: Vec<u64> =
            versions.into_iter().collect::<Option<_>>().ok_or_else(|| blocks.damaged())?;
        let mut edition =
            Self { blocks, versions, filter: Filter::for_entries(count), patterns: Vec::new(), count };
        let mut found = 0;
        for block in 0..=block_count {
            let bytes = edition.blocks.read(keys, block, edition.versions[block as usize])?;
            for row in row::rows(&bytes) {
                let row = row.ok_or_else(|| edition.blocks.damaged())?;
                found += 1;
                match listed(&row).ok_or_else(|| edition.blocks.damaged())? {
                    Listed::Plate(plate) => edition.filter.insert(&plate),
                    Listed::Pattern(_) => {
                        edition.patterns.push(row.decode().ok_or_else(|| edition.blocks.damaged())?);
                    }
                }
            }
        }
        if found != count {
            return Err(edition.blocks.damaged());
        }
        for key in left_over {
            edition.blocks.db.remove(key)?;
        }
        Ok(edition)
    }

    /// The name of its folder.
    pub fn id(&self) -> &str {
        &self.blocks.id
    }

    pub fn count(&self) -> u64 {
        self.count
    }

    pub fn block_count(&self) -> u32 {
        self.versions.len() as u32 - 1
    }

    pub fn patterns(&self) -> &[Entry] {
        &self.patterns
    }

    pub fn may_hold(&self, plate: &Plate) -> bool {
        self.filter.may_hold(plate)
    }

    /// Every entry that lists this plate.
    pub fn find(&self, keys: &ListKeys, plate: &Plate) -> Result<Vec<Entry>, StoreError> {
        let block = keys.block_of(plate, self.block_count());
        let bytes = self.blocks.read(keys, block, self.versions[block as usize])?;
        let mut found = Vec::new();
        for row in row::rows(&bytes) {
            let row = row.ok_or_else(|| self.blocks.damaged())?;
            if row.listed() == plate.as_bytes() {
                found.push(row.decode().ok_or_else(|| self.blocks.damaged())?);
            }
        }
        Ok(found)
    }

    /// As a disk does that rots: the block of this plate opens no more.
    #[cfg(test)]
    pub fn spoil(&self, keys: &ListKeys, plate: &Plate) {
        let block = keys.block_of(plate, self.block_count());
        let key = block_key(block, self.versions[block as usize]);
        self.blocks.db.insert(key, b"noise").unwrap();
    }

    /// Writes what a delta changes beside what is in force, durably. Nothing changes for lookups.
    pub fn write_step(&self, keys: &ListKeys, delta: &Delta) -> Result<Step, Refusal> {
        let written = self.write_changes(keys, delta);
        if written.is_err() {
            // Not in force and never named by the ledger: at worst it takes room until the next start.
            let _ = self.sweep_version(delta.version);
        }
        written
    }

    fn write_changes(&self, keys: &ListKeys, delta: &Delta) -> Result<Step, Refusal> {
        let mut changes: BTreeMap<u32, (Vec<&Removal>, Vec<&Entry>)> = BTreeMap::new();
        for removal in &delta.remove {
            changes.entry(self.place(keys, &removal.plate)).or_default().0.push(removal);
        }
        for entry in &delta.add {
            changes.entry(self.place(keys, &entry.plate)).or_default().1.push(entry);
        }
        let mut step = Step {
            version: delta.version,
            blocks: changes.keys().copied().collect(),
            filter: self.filter.clone(),
            patterns: self.patterns.clone(),
            count: self.count,
        };
        for (block, (removals, additions)) in changes {
            let old = self.blocks.read(keys, block, self.versions[block as usize])?;
            let (new, removed) = changed(&old, &removals, &additions).map_err(|error| match error {
                Unfit::Damaged => Refusal::Storage(self.blocks.damaged()),
                Unfit::NotListed => Refusal::NotListed,
            })?;
            step.count = step.count + additions.len() as u64 - removed;
            if block == self.block_count() {
                step.patterns = row::rows(&new).flatten().filter_map(|row| row.decode()).collect();
                check_patterns(step.patterns.len())?;
            } else {
                check_crowding(&new)?;
            }
            self.blocks.write(keys, block, delta.version, &new)?;
        }
        if step.count != delta.count {
            return Err(Refusal::Count { announced: delta.count, found: step.count });
        }
        for entry in &delta.add {
            if let Listed::Plate(plate) = &entry.plate {
                step.filter.insert(plate);
            }
        }
        self.blocks.sync()?;
        Ok(step)
    }

    /// Puts a step in force. To be called once the ledger names its version; then [`Edition::sweep`].
    pub fn switch(&mut self, step: Step) -> Vec<(u32, u64)> {
        let replaced = step
            .blocks
            .iter()
            .map(|&block| (block, std::mem::replace(&mut self.versions[block as usize], step.version)));
        let replaced = replaced.collect();
        self.filter = step.filter;
        self.patterns = step.patterns;
        self.count = step.count;
        replaced
    }

    /// Removes blocks that a step replaced. Failing here costs room only; the next start sweeps again.
    pub fn sweep(&self, replaced: Vec<(u32, u64)>) -> Result<(), StoreError> {
        for (block, version) in replaced {
            self.blocks.db.remove(block_key(block, version))?;
        }
        Ok(())
    }

    fn sweep_version(&self, version: u64) -> Result<(), StoreError> {
        for block in 0..self.versions.len() as u32 {
            self.blocks.db.remove(block_key(block, version))?;
        }
        Ok(())
    }

    fn place(&self, keys: &ListKeys, listed: &Listed) -> u32 {
        match listed {
            Listed::Plate(plate) => keys.block_of(plate, self.block_count()),
            Listed::Pattern(_) => self.block_count(),
        }
    }
}

fn split_key(key: &[u8]) -> Option<(u32, u64)> {
    let (block, version) = key.split_first_chunk::<4>()?;
    Some((u32::from_be_bytes(*block), u64::from_be_bytes(version.try_into().ok()?)))
}

fn listed(row: &Row<'_>) -> Option<Listed> {
    Listed::parse(std::str::from_utf8(row.listed()).ok()?).ok()
}

enum Unfit {
    Damaged,
    NotListed,
}

/// A block's rows without what is removed and with what is added; and how many were removed.
fn changed(old: &[u8], removals: &[&Removal], additions: &[&Entry]) -> Result<(Vec<u8>, u64), Unfit> {
    let mut new = Vec::with_capacity(old.len() + additions.len() * 128);
    let mut used = vec![false; removals.len()];
    let mut removed = 0;
    for row in row::rows(old) {
        let row = row.ok_or(Unfit::Damaged)?;
        let mut keep = true;
        for (removal, used) in removals.iter().zip(&mut used) {
            if removal.plate.as_str().as_bytes() == row.listed() && removal.state == row.state() {
                (keep, *used) = (false, true);
            }
        }
        if keep {
            row.copy_to(&mut new);
        } else {
            removed += 1;
        }
    }
    if used.contains(&false) {
        return Err(Unfit::NotListed);
    }
    additions.iter().for_each(|entry| row::encode(entry, &mut new));
    Ok((new, removed))
}

pub fn check_patterns(count: usize) -> Result<(), Refusal> {
    if count > PATTERNS_MAX { Err(Refusal::TooManyPatterns(PATTERNS_MAX)) } else { Ok(()) }
}

/// Refuses a block in which one plate stands too often.
pub fn check_crowding(block: &[u8]) -> Result<(), Refusal> {
    let mut plates: Vec<&[u8]> = row::rows(block).flatten().map(|row| row.listed()).collect();
    if plates.len() <= SAME_PLATE_MAX {
        return Ok(());
    }
    plates.sort_unstable();
    let crowded = plates.chunk_by(|a, b| a == b).any(|same| same.len() > SAME_PLATE_MAX);
    if crowded { Err(Refusal::Crowded(SAME_PLATE_MAX)) } else { Ok(()) }
}
