use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use super::Disk;

/// A disk in memory that loses, tears and reorders what was not synced when its power is cut: the
/// simulated twin of [`RealDisk`](super::RealDisk), harsher than any real one.
#[derive(Default)]
pub struct SimulatedDisk(Mutex<State>);

#[derive(Default)]
struct State {
    files: Vec<Content>,
    folders: BTreeSet<PathBuf>,
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    /// Names added (with their file) or removed since their folder was synced.
    renaming: Vec<(PathBuf, Option<usize>)>,
    changes: u64,
    power_for: Option<u64>,
    full: bool,
    read_only: bool,
}

#[derive(Default)]
struct Content {
    current: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<Change>,
}

#[derive(Clone)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Truncate { length: usize },
}

/// What a disk writes whole or not at all.
const SECTOR: usize = 512;

impl SimulatedDisk {
    /// How many changes (writes, syncs, removals) it has been asked for.
    pub fn changes(&self) -> u64 {
        self.lock().changes
    }

    /// The power goes after so many more changes: the one then under way may be kept in any part, and
    /// every operation fails from then on.
    pub fn cut_power_after(&self, changes: u64) {
        self.lock().power_for = Some(changes);
    }

    pub fn has_power(&self) -> bool {
        !self.lock().without_power()
    }

    /// Power comes back; of what was not synced, `seed` decides what is there.
    pub fn restart(&self, seed: u64) {
        let mut state = self.lock();
        let mut chance = Chance(seed | 1);
        state.power_for = None;
        let state = &mut *state;
        for (path, file) in state.renaming.drain(..) {
            if chance.one_in(2) {
                match file {
                    Some(file) => state.durable_names.insert(path, file),
                    None => state.durable_names.remove(&path),
                };
            }
        }
        state.names = state.durable_names.clone();
        for content in &mut state.files {
            let unsynced = std::mem::take(&mut content.unsynced);
            for change in unsynced {
                survive(&mut content.durable, change, &mut chance);
            }
            content.current = content.durable.clone();
        }
    }

    /// Nothing more fits: writes beyond a file's end fail with `StorageFull`.
    pub fn set_full(&self, full: bool) {
        self.lock().full = full;
    }

    /// Every change fails with `ReadOnlyFilesystem`.
    pub fn set_read_only(&self, read_only: bool) {
        self.lock().read_only = read_only;
    }

    /// Flips one bit of a file, as a worn flash cell would.
    pub fn flip_bit(&self, path: &Path, offset: usize) {
        let mut state = self.lock();
        let Some(&file) = state.names.get(path) else { return };
        let content = &mut state.files[file];
        content.current[offset] ^= 1;
        content.durable = content.current.clone();
    }

    /// Every file with its content, as a thief would find it.
    pub fn contents(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let state = self.lock();
        state.names.iter().map(|(path, &file)| (path.clone(), state.files[file].current.clone())).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no holder of this lock can panic")
    }

    /// Counts a change; `Err` if it cannot happen. The last change before the cut is applied, unsynced, and
    /// then reported as failed.
    fn change(&self, apply: impl FnOnce(&mut State) -> io::Result<()>) -> io::Result<()> {
        let mut state = self.lock();
        state.changes += 1;
        if state.read_only {
            return Err(io::ErrorKind::ReadOnlyFilesystem.into());
        }
        match &mut state.power_for {
            Some(0) => return Err(no_power()),
            Some(left) => *left -= 1,
            None => {}
        }
        apply(&mut state)
    }

    fn look<T>(&self, look: impl FnOnce(&State) -> io::Result<T>) -> io::Result<T> {
        let state = self.lock();
        if state.power_for == Some(0) { Err(no_power()) } else { look(&state) }
    }
}

impl State {
    fn file(&self, path: &Path) -> io::Result<usize> {
        self.names.get(path).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn without_power(&self) -> bool {
        self.power_for == Some(0)
    }
}

impl Disk for SimulatedDisk {
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        // Folders are made once, at the first start; what that costs is not what is simulated.
        self.look(|_| Ok(()))?;
        self.lock().folders.insert(path.to_owned());
        Ok(())
    }

    /// Nobody else can reach it.
    fn lock(&self, _folder: &Path) -> io::Result<Option<File>> {
        Ok(None)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        self.look(|state| {
            if !state.folders.contains(folder) {
                return Err(io::ErrorKind::NotFound.into());
            }
            let within = state.names.keys().filter(|path| path.parent() == Some(folder));
            Ok(within.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect())
        })
    }

    fn length(&self, path: &Path) -> io::Result<u64> {
        self.look(|state| Ok(state.files[state.file(path)?].current.len() as u64))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.look(|state| Ok(state.files[state.file(path)?].current.clone()))
    }

    fn read_at(&self, path: &Path, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        self.look(|state| {
            let offset = offset as usize;
            let bytes = state.files[state.file(path)?].current.get(offset..offset + length);
            bytes.map(<[u8]>::to_vec).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
        })
    }

    fn write_at(&self, path: &Path, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.change(|state| {
            let offset = offset as usize;
            let length = state.file(path).map_or(0, |file| state.files[file].current.len());
            if state.full && offset + bytes.len() > length {
                return Err(io::ErrorKind::StorageFull.into());
            }
            let file = state.file(path).unwrap_or_else(|_| {
                state.files.push(Content::default());
                let file = state.files.len() - 1;
                state.names.insert(path.to_owned(), file);
                state.renaming.push((path.to_owned(), Some(file)));
                file
            });
            let change = Change::Write { offset, bytes: bytes.to_vec() };
            apply(&mut state.files[file].current, &change);
            state.files[file].unsynced.push(change);
            if state.without_power() { Err(no_power()) } else { Ok(()) }
        })
    }

    fn truncate(&self, path: &Path, length: u64) -> io::Result<()> {
        self.change(|state| {
            let file = state.file(path)?;
            let change = Change::Truncate { length: length as usize };
            apply(&mut state.files[file].current, &change);
            state.files[file].unsynced.push(change);
            if state.without_power() { Err(no_power()) } else { Ok(()) }
        })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.change(|state| {
            state.file(path)?;
            state.names.remove(path);
            state.renaming.push((path.to_owned(), None));
            if state.without_power() { Err(no_power()) } else { Ok(()) }
        })
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        self.change(|state| {
            if state.without_power() {
                return Err(no_power());
            }
            let file = state.file(path)?;
            let content = &mut state.files[file];
            content.durable = content.current.clone();
            content.unsynced.clear();
            Ok(())
        })
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.change(|state| {
            if state.without_power() {
                return Err(no_power());
            }
            let (here, elsewhere) =
                state.renaming.drain(..).partition(|(name, _)| name.parent() == Some(path));
            state.renaming = elsewhere;
            for (name, file) in here {
                match file {
                    Some(file) => state.durable_names.insert(name, file),
                    None => state.durable_names.remove(&name),
                };
            }
            Ok(())
        })
    }
}

fn no_power() -> io::Error {
    io::Error::other("the simulated power is off")
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Write { offset, bytes: new } => {
            let end = offset + new.len();
            bytes.resize(bytes.len().max(end), 0);
            bytes[*offset..end].copy_from_slice(new);
        }
        Change::Truncate { length } => bytes.resize(*length, 0),
    }
}

/// Keeps all of an unsynced change, none, or some of the sectors that it touches.
fn survive(bytes: &mut Vec<u8>, change: Change, chance: &mut Chance) {
    let Change::Write { offset, bytes: new } = change else {
        if chance.one_in(2) {
            apply(bytes, &change);
        }
        return;
    };
    let fate = chance.next() % 3;
    let end = offset + new.len();
    let mut from = offset;
    while from < end && fate != 0 {
        let to = ((from / SECTOR + 1) * SECTOR).min(end);
        if fate == 1 || chance.one_in(2) {
            let part = new[from - offset..to - offset].to_vec();
            apply(bytes, &Change::Write { offset: from, bytes: part });
        }
        from = to;
    }
}

/// Marsaglia's xorshift: repeatable from its seed.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 8
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.next().is_multiple_of(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_synced_with_its_folder_is_sure_to_survive() {
        let (folder, file) = (Path::new("/d"), Path::new("/d/f"));
        let (mut kept, mut lost) = (false, false);
        for seed in 0..64 {
            let disk = SimulatedDisk::default();
            disk.create_folder(folder).unwrap();
            disk.write_at(file, 0, b"synced").unwrap();
            disk.sync(file).unwrap();
            disk.sync_folder(folder).unwrap();
            disk.write_at(file, 0, b"change").unwrap();
            disk.write_at(Path::new("/d/new"), 0, b"x").unwrap();
            disk.restart(seed);
            let content = disk.read(file).unwrap();
            kept |= content == b"change";
            lost |= content == b"synced";
            assert!(content == b"change" || content == b"synced");
        }
        assert!(kept && lost, "both fates must be tried");
    }

    #[test]
    fn every_operation_fails_once_the_power_is_off() {
        let disk = SimulatedDisk::default();
        let file = Path::new("/d/f");
        disk.cut_power_after(1);
        assert!(disk.write_at(file, 0, b"x").is_err());
        assert!(disk.sync(file).is_err());
        assert!(disk.read(file).is_err());
    }
}
