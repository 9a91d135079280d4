use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, File};
use std::io::{self, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::book::{self, Book, NewLine};
use super::ledger::{Entered, Ledger, VaultError, day_of};
use crate::crypto::Digest;
use crate::delivery::{Event, Received};
use crate::system::{at_once, open_files};
use crate::words::{RecordId, UnitId};

/// Where received records lie, by day and unit:
///
/// ```text
/// {folder}/{day}/{unit}/alerts.jsonl     one line for each event: {"received": ..., "sha256": ..., "event": {...}}
/// {folder}/{day}/{unit}/reads.jsonl
/// {folder}/{day}/{unit}/events.jsonl
/// {folder}/{day}/{unit}/pictures/{record}.jpg
/// {folder}/{day}/{unit}/expired.jsonl    what has expired of all this: ids, digests and times
/// {folder}/ledger/                       holds, the receiver's own log, what left: see `ledger.rs`
/// ```
///
/// The day is that of the record's id (UTC), so that a record has one place however late or often it comes,
/// and whether it is there already needs a look at that day alone. Nothing counts as stored before
/// [`commit`](Self::commit) has synced it; a torn last line is cut off when its file is next opened, since
/// nobody was told of it. The last line of an id counts: a unit sends again what we held wrongly.
///
/// Holds, expiry and exports work on the folder while a receiver runs on it: whoever reads or writes records
/// [enters](Self::enter) first. One receiver at a time.
pub struct Vault {
    folder: PathBuf,
    ledger: Ledger,
    /// Held for as long as the receiver runs.
    _ours: File,
    /// Days of units held open, by folder, each with its ids in memory.
    days: HashMap<PathBuf, Day>,
    days_most: usize,
    /// Counts uses of days, to tell which was used last.
    uses: u64,
    /// Folders with names that are new since the last commit.
    unsynced: BTreeSet<PathBuf>,
    pictures: Vec<File>,
}

/// Whether a delivery was the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Novelty {
    New,
    /// Here already, with this digest.
    Known,
    /// Here already with another digest, and now replaced.
    Replaced,
}

struct Day {
    folder: PathBuf,
    used: u64,
    books: BTreeMap<Book, (File, HashMap<RecordId, Digest>)>,
    dirty: BTreeSet<Book>,
}

/// Days of units held open, at most: a day for each unit of a large department. What is not held must be read anew for
/// each record.
const DAYS_OPEN: usize = 5500;
/// And ids in all of them together: about 300 MB.
const IDS_HELD: usize = 4_000_000;
/// A day has so many books at most; and so many files are opened besides.
const BOOKS: u64 = Book::ALL.len() as u64;
const BESIDES: u64 = 300;

impl Vault {
    pub fn open(folder: &Path) -> Result<Self, VaultError> {
        let ledger = Ledger::make(folder)?;
        let ours = ledger.take_for_receiving()?;
        let files = open_files(DAYS_OPEN as u64 * BOOKS + BESIDES);
        Ok(Self {
            folder: ledger.folder().to_owned(),
            ledger,
            _ours: ours,
            days: HashMap::new(),
            days_most: (files.saturating_sub(BESIDES) / BOOKS).clamp(16, DAYS_OPEN as u64) as usize,
            uses: 0,
            unsynced: BTreeSet::new(),
            pictures: Vec::new(),
        })
    }

    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Keeps everybody else off the records until what it gives is dropped; waits for them first.
    pub fn enter(&mut self) -> Result<Entered, VaultError> {
        let entered = self.ledger.enter()?;
        // Ids come day and night.
        self.make_room()?;
        Ok(entered)
    }

    pub fn store_event(
        &mut self,
        unit: &UnitId,
        book: Book,
        event: &Event,
        now: Timestamp,
    ) -> Result<Novelty, VaultError> {
        let digest = event.digest();
        let day = self.day(unit, event.id)?;
        let path = day.folder.join(book.file_name());
        let fault = |source| VaultError::Disk { path: path.clone(), source };
        // One that expiry has replaced or removed meanwhile has no name any more.
        let has_name = |file: &File| file.metadata().is_ok_and(|facts| facts.nlink() > 0);
        let open = day.books.get(&book).is_some_and(|(file, _)| has_name(file));
        let is_new = !open && !path.exists();
        if !open {
            day.books.insert(book, book::open(&path).map_err(fault)?);
        }
        let (file, known) = day.books.get_mut(&book).expect("it was just put there");
        let novelty = match known.get(&event.id) {
            Some(known) if *known == digest => return Ok(Novelty::Known),
            Some(_) => Novelty::Replaced,
            None => Novelty::New,
        };
        let line = NewLine { received: now, sha256: digest, event };
        let mut bytes = serde_json::to_vec(&line).map_err(|error| fault(error.into()))?;
        bytes.push(b'\n');
        let end = file.stream_position().map_err(fault)?;
        if let Err(source) = file.write_all(&bytes) {
            // A full disk may have taken half a line.
            file.set_len(end).and_then(|()| file.seek(io::SeekFrom::Start(end))).map_err(fault)?;
            return Err(fault(source));
        }
        known.insert(event.id, digest);
        day.dirty.insert(book);
        if is_new {
            let folder = day.folder.clone();
            self.unsynced.insert(folder);
        }
        Ok(novelty)
    }

    pub fn store_picture(
        &mut self,
        unit: &UnitId,
        id: RecordId,
        jpeg: &[u8],
    ) -> Result<(Novelty, Received), VaultError> {
        let digest = Digest::of(jpeg);
        let received = Received { id, sha256: digest };
        let folder = self.day(unit, id)?.folder.join("pictures");
        let path = folder.join(format!("{id}.jpg"));
        let fault = |source| VaultError::Disk { path: path.clone(), source };
        let novelty = match fs::read(&path) {
            Ok(stored) if Digest::of(&stored) == digest => {
                // Whoever wrote it may have been killed before syncing it.
                self.pictures.push(File::open(&path).map_err(fault)?);
                self.unsynced.insert(folder);
                return Ok((Novelty::Known, received));
            }
            Ok(_) => Novelty::Replaced,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Novelty::New,
            Err(error) => return Err(fault(error)),
        };
        if !folder.exists() {
            fs::create_dir_all(&folder).map_err(fault)?;
            self.unsynced.extend(folder.parent().map(Path::to_owned));
        }
        // Under a passing name until it is whole; the name is made lasting by the folder's sync in `commit`.
        let passing = folder.join(format!("{id}.part"));
        let mut file = File::create(&passing).map_err(fault)?;
        file.write_all(jpeg).map_err(fault)?;
        // Renamed before its sync: what a power cut leaves of it was never receipted, and its digest shows.
        fs::rename(&passing, &path).map_err(fault)?;
        self.pictures.push(file);
        self.unsynced.insert(folder);
        Ok((novelty, received))
    }

    /// Makes everything stored so far safe from a power cut. Only then may it be receipted.
    pub fn commit(&mut self) -> Result<(), VaultError> {
        let committed = self.sync();
        if committed.is_err() {
            // What was not synced must not be taken for stored: it is read, and synced, anew.
            self.days.clear();
            self.pictures.clear();
        }
        committed
    }

    fn sync(&mut self) -> Result<(), VaultError> {
        let fault = |source| VaultError::Disk { path: self.folder.clone(), source };
        let dirty = self.days.values().flat_map(|day| day.dirty.iter().map(|book| &day.books[book].0));
        let files: Vec<&File> = self.pictures.iter().chain(dirty).collect();
        at_once(&files, |file| file.sync_all()).map_err(fault)?;
        let folders: Vec<&PathBuf> = self.unsynced.iter().collect();
        at_once(&folders, |folder| File::open(folder)?.sync_all()).map_err(fault)?;
        self.pictures.clear();
        self.days.values_mut().for_each(|day| day.dirty.clear());
        self.unsynced.clear();
        Ok(())
    }

    fn day(&mut self, unit: &UnitId, id: RecordId) -> Result<&mut Day, VaultError> {
        let day_folder = self.folder.join(day_of(id));
        let folder = day_folder.join(unit.as_str());
        self.uses += 1;
        if !folder.exists() {
            fs::create_dir_all(&folder).map_err(VaultError::disk(&folder))?;
            self.unsynced.extend([self.folder.clone(), day_folder]);
        }
        if !self.days.contains_key(&folder) {
            self.make_room()?;
            let (books, dirty) = (BTreeMap::new(), BTreeSet::new());
            self.days.insert(folder.clone(), Day { folder: folder.clone(), used: 0, books, dirty });
        }
        let day = self.days.get_mut(&folder).expect("it was just put there");
        day.used = self.uses;
        Ok(day)
    }

    /// Closes the half of the days that was not used for longest, where too much is held.
    fn make_room(&mut self) -> Result<(), VaultError> {
        let ids = || self.days.values().flat_map(|day| day.books.values()).map(|(_, known)| known.len());
        if self.days.len() < self.days_most && ids().sum::<usize>() < IDS_HELD {
            return Ok(());
        }
        self.commit()?;
        let mut used: Vec<u64> = self.days.values().map(|day| day.used).collect();
        used.sort_unstable();
        if let Some(&middle) = used.get(used.len() / 2) {
            self.days.retain(|_, day| day.used > middle);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::{Kind, Parcel};

    fn unit() -> UnitId {
        UnitId::parse("north-7").unwrap()
    }

    fn event(id: RecordId, body: &str) -> Event {
        let captured = "2026-03-01T12:00:00Z".parse().unwrap();
        let parcel = Parcel { id, kind: Kind::Read, captured, clock_trusted: true, body: body.into() };
        Event::wrap(&unit(), parcel, 0, false).unwrap()
    }

    fn store(vault: &mut Vault, event: &Event) -> Novelty {
        vault.store_event(&unit(), Book::Reads, event, Timestamp::UNIX_EPOCH).unwrap()
    }

    fn id_of(day: &str) -> RecordId {
        let time: Timestamp = format!("{day}T08:00:00Z").parse().unwrap();
        let mut bytes = *RecordId::new().as_bytes();
        bytes[..6].copy_from_slice(&time.as_millisecond().to_be_bytes()[2..]);
        RecordId::from_bytes(bytes)
    }

    #[test]
    fn a_second_delivery_is_known_also_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let event = event(id_of("2026-03-01"), "{}");
        let mut vault = Vault::open(folder.path()).unwrap();
        assert_eq!(store(&mut vault, &event), Novelty::New);
        assert_eq!(store(&mut vault, &event), Novelty::Known);
        vault.commit().unwrap();
        drop(vault);
        let mut vault = Vault::open(folder.path()).unwrap();
        assert_eq!(store(&mut vault, &event), Novelty::Known);
        let text = fs::read_to_string(folder.path().join("2026-03-01/north-7/reads.jsonl")).unwrap();
        assert_eq!(text.lines().count(), 1);
    }

    #[test]
    fn a_torn_line_is_cut_off_and_its_record_stored_again() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (event(id_of("2026-03-01"), "{}"), event(id_of("2026-03-01"), "{}"));
        let mut vault = Vault::open(folder.path()).unwrap();
        store(&mut vault, &first);
        store(&mut vault, &second);
        drop(vault);
        let path = folder.path().join("2026-03-01/north-7/reads.jsonl");
        let length = fs::metadata(&path).unwrap().len();
        File::options().write(true).open(&path).unwrap().set_len(length - 5).unwrap();
        let mut vault = Vault::open(folder.path()).unwrap();
        assert_eq!(store(&mut vault, &first), Novelty::Known);
        assert_eq!(store(&mut vault, &second), Novelty::New);
        let text = fs::read_to_string(path).unwrap();
        assert!(text.ends_with('\n') && text.lines().count() == 2, "{text}");
    }

    #[test]
    fn pictures_lie_by_day_and_are_replaced_only_by_other_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let mut vault = Vault::open(folder.path()).unwrap();
        let id = id_of("2026-03-02");
        let mut put = |jpeg: &[u8]| {
            let (novelty, received) = vault.store_picture(&unit(), id, jpeg).unwrap();
            assert_eq!(received, Received { id, sha256: Digest::of(jpeg) });
            vault.commit().unwrap();
            novelty
        };
        assert_eq!(
            [put(b"one"), put(b"one"), put(b"two")],
            [Novelty::New, Novelty::Known, Novelty::Replaced]
        );
        let path = folder.path().join(format!("2026-03-02/north-7/pictures/{id}.jpg"));
        assert_eq!(fs::read(path).unwrap(), b"two");
    }

    #[test]
    fn more_days_than_are_held_open_lose_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut vault = Vault::open(folder.path()).unwrap();
        vault.days_most = 16;
        let ids: Vec<RecordId> = (0..16 + 9)
            .map(|days| {
                let day = jiff::civil::date(2026, 1, 1) + jiff::Span::new().days(days);
                id_of(&day.to_string())
            })
            .collect();
        for id in &ids {
            assert_eq!(store(&mut vault, &event(*id, "{}")), Novelty::New);
        }
        for id in &ids {
            assert_eq!(store(&mut vault, &event(*id, "{}")), Novelty::Known);
        }
    }
}
