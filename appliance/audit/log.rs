use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use jiff::Timestamp;
use tokio::sync::watch;
use tracing::{error, warn};

use super::chain::{Broken, Chain, Position};
use super::event::{Event, Who};
use crate::system::{Clock, Disk, RealDisk};

/// A file of 4 MiB holds some ten thousand entries: small enough to read whole at start.
const FILE_MAX: u64 = 4 << 20;

/// Entries that may wait in memory for a disk that refuses: an hour of a busy unit, some 300 kB.
const WAITING_MAX: usize = 1000;

/// Longer than any entry.
const LINE_MAX: usize = 64 << 10;

/// The log, open for appending. Cheap to share; every method takes `&self`.
pub struct Audit {
    folder: PathBuf,
    disk: Arc<dyn Disk>,
    clock: Arc<dyn Clock>,
    clock_trusted: AtomicBool,
    tail: Mutex<Tail>,
    grown: watch::Sender<u64>,
    /// Nobody else appends to the chain as long as this is held.
    _lock: Option<File>,
}

struct Tail {
    chain: Chain,
    /// The files by the numbers of their first entries, the one being written last.
    files: Vec<u64>,
    /// Of the last file: the bytes that are synced.
    length: u64,
    /// Behind those may stand a part of an entry that must go before the next is written.
    torn: bool,
    /// Those end in damage without a line feed, which the next entry must not join.
    unfinished: bool,
    /// What the disk has not taken yet, oldest first.
    waiting: VecDeque<Entry>,
    /// Entries for which there was no room in memory either.
    lost: u64,
}

struct Entry {
    at: Timestamp,
    clock_trusted: bool,
    who: Who,
    what: Event,
}

/// What opening found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    pub entries: u64,
    /// Bytes of a torn last line that were dropped.
    pub torn_bytes: u64,
    /// Damage in the newest file that no power cut explains; left as it is.
    pub damage: Option<Broken>,
}

#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    #[error("the audit log {path} cannot be read: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("an entry cannot be written to the audit log {path} and waits in memory: {source}")]
    Write { path: PathBuf, source: std::io::Error },
    #[error("the audit log {path} cannot be opened: {source}")]
    Open { path: PathBuf, source: std::io::Error },
    #[error("the audit log cannot be exported: {0}")]
    Export(std::io::Error),
}

impl Audit {
    pub fn open(
        folder: &Path,
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
    ) -> Result<(Self, Recovered), AuditError> {
        let open = |source| AuditError::Open { path: folder.into(), source };
        disk.create_folder(folder).map_err(open)?;
        let lock = disk.lock(folder).map_err(open)?;
        let (tail, recovered) = recover(folder, disk.as_ref())?;
        let audit = Self {
            folder: folder.into(),
            disk,
            clock,
            clock_trusted: AtomicBool::new(false),
            tail: Mutex::new(tail),
            grown: watch::Sender::new(recovered.entries),
            _lock: lock,
        };
        if recovered.torn_bytes > 0 {
            warn!(bytes = recovered.torn_bytes, "dropped the torn last line of the audit log");
            audit.note(Who::Unit, Event::TornLineDropped { bytes: recovered.torn_bytes });
        }
        Ok((audit, recovered))
    }

    /// Whether entries from now on may be believed their time; not believed at first.
    pub fn set_clock_trusted(&self, trusted: bool) {
        self.clock_trusted.store(trusted, Ordering::Relaxed);
    }

    pub fn clock_trusted(&self) -> bool {
        self.clock_trusted.load(Ordering::Relaxed)
    }

    /// Durable when it returns. After an error the entry waits in memory with its time, and goes to the disk ahead of
    /// the next one that the disk takes, or by [`Audit::retry`]. Past [`WAITING_MAX`] it is lost, and the log will say
    /// how many were.
    pub fn append(&self, who: Who, what: Event) -> Result<Position, AuditError> {
        let mut tail = self.lock();
        let entry = self.entry(who, what);
        match self.write_waiting(&mut tail).and_then(|()| self.write(&mut tail, &entry)) {
            Ok(()) => Ok(tail.chain.head().expect("an entry was just written")),
            Err(error) => {
                if tail.waiting.len() < WAITING_MAX {
                    tail.waiting.push_back(entry);
                } else {
                    tail.lost += 1;
                }
                Err(error)
            }
        }
    }

    /// [`Audit::append`] for whoever goes on without: a disk that refuses must keep no unit from starting, nor an alert
    /// from being raised.
    pub fn note(&self, who: Who, what: Event) {
        if let Err(error) = self.append(who, what) {
            error!(%error, "the audit log could not be written");
        }
    }

    /// Writes what the disk had refused, if it takes it now.
    pub fn retry(&self) -> Result<(), AuditError> {
        self.write_waiting(&mut self.lock())
    }

    /// Entries that wait in memory because the disk refused them.
    pub fn waiting(&self) -> usize {
        self.lock().waiting.len()
    }

    fn entry(&self, who: Who, what: Event) -> Entry {
        Entry { at: self.clock.now().wall, clock_trusted: self.clock_trusted(), who, what }
    }

    fn write_waiting(&self, tail: &mut Tail) -> Result<(), AuditError> {
        while let Some(entry) = tail.waiting.pop_front() {
            if let Err(error) = self.write(tail, &entry) {
                tail.waiting.push_front(entry);
                return Err(error);
            }
        }
        if tail.lost > 0 {
            self.write(tail, &self.entry(Who::Unit, Event::EntriesLost { count: tail.lost }))?;
            tail.lost = 0;
        }
        Ok(())
    }

    fn write(&self, tail: &mut Tail, entry: &Entry) -> Result<(), AuditError> {
        let (line, chain) = tail.chain.write(entry.at, entry.clock_trusted, &entry.who, &entry.what);
        let number = chain.head().map_or(0, |head| head.number);
        let new_file = tail.files.is_empty() || tail.length >= FILE_MAX;
        let (first, offset) = match tail.files.last() {
            Some(&first) if !new_file => (first, tail.length),
            _ => (number, 0),
        };
        let path = path_of(&self.folder, first);
        let lead = if tail.unfinished && offset > 0 { "\n" } else { "" };
        let bytes = format!("{lead}{line}\n").into_bytes();
        let disk = self.disk.as_ref();
        let cut = if tail.torn { disk.truncate(&path, offset) } else { Ok(()) };
        let written = cut
            .and_then(|()| disk.write_at(&path, offset, &bytes))
            .and_then(|()| disk.sync(&path))
            .and_then(|()| if new_file { disk.sync_folder(&self.folder) } else { Ok(()) });
        if let Err(source) = written {
            // A part may stand there. Should it not go now either, the next entry tries, or the next start.
            tail.torn = disk.truncate(&path, offset).is_err()
                && disk.length(&path).is_ok_and(|length| length > offset);
            return Err(AuditError::Write { path, source });
        }
        if new_file {
            tail.files.push(first);
        }
        tail.length = offset + bytes.len() as u64;
        (tail.torn, tail.unfinished) = (false, false);
        tail.chain = chain;
        self.grown.send_replace(number);
        Ok(())
    }

    pub fn head(&self) -> Option<Position> {
        self.lock().chain.head()
    }

    /// The number of the last entry, for whoever waits for the next.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.grown.subscribe()
    }

    /// Writes the whole log; the number of bytes written.
    pub fn export(&self, to: &mut dyn Write) -> Result<u64, AuditError> {
        self.each_file(0, |bytes| {
            to.write_all(bytes).map(|()| bytes.len() as u64).map_err(AuditError::Export)
        })
    }

    /// Follows the whole log from its first entry, and gives every place where it is not as it was written.
    pub fn check(&self) -> Result<Vec<Broken>, AuditError> {
        let (mut chain, mut lines, mut broken) = (Some(Chain::start()), 0, Vec::new());
        self.each_file(0, |bytes| {
            let (behind, damage) = walk(bytes, chain, lines);
            chain = behind;
            lines += bytes.iter().filter(|&&byte| byte == b'\n').count() as u64;
            broken.extend(damage);
            Ok(0)
        })?;
        Ok(broken)
    }

    /// Up to `limit` whole lines behind entry `number`, to be sent on.
    pub fn after(&self, number: u64, limit: usize) -> Result<Vec<String>, AuditError> {
        let mut lines = Vec::new();
        self.each_file(number, |bytes| {
            for line in bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
                let behind = Chain::before(line).ok().and_then(|chain| chain.head());
                if lines.len() < limit && behind.map_or(0, |position| position.number) >= number {
                    lines.push(String::from_utf8_lossy(line).into_owned());
                }
            }
            Ok(0)
        })?;
        Ok(lines)
    }

    /// Calls `each` with the synced content of every file that may hold entries behind `number`.
    fn each_file(
        &self,
        number: u64,
        mut each: impl FnMut(&[u8]) -> Result<u64, AuditError>,
    ) -> Result<u64, AuditError> {
        let (files, length) = {
            let tail = self.lock();
            (tail.files.clone(), tail.length as usize)
        };
        let mut total = 0;
        for (index, &first) in files.iter().enumerate() {
            if files.get(index + 1).is_some_and(|&next| next <= number + 1) {
                continue;
            }
            let path = path_of(&self.folder, first);
            let mut bytes = self.disk.read(&path).map_err(|source| AuditError::Read { path, source })?;
            if index + 1 == files.len() {
                bytes.truncate(length);
            }
            total += each(&bytes)?;
        }
        Ok(total)
    }

    fn lock(&self) -> MutexGuard<'_, Tail> {
        self.tail.lock().expect("no holder of this lock can panic")
    }
}

fn path_of(folder: &Path, first: u64) -> PathBuf {
    folder.join(format!("{first:012}.jsonl"))
}

fn recover(folder: &Path, disk: &dyn Disk) -> Result<(Tail, Recovered), AuditError> {
    let read = |path: &Path, source| AuditError::Read { path: path.into(), source };
    let names = disk.list(folder).map_err(|source| read(folder, source))?;
    let mut files: Vec<u64> = names.iter().filter_map(|name| number_of(name)).collect();
    files.sort_unstable();
    let mut torn_bytes = 0;
    while let Some(&first) = files.last() {
        let path = path_of(folder, first);
        let bytes = disk.read(&path).map_err(|source| read(&path, source))?;
        let whole = without_torn_end(&bytes);
        let mut torn = false;
        if whole < bytes.len() {
            torn_bytes += (bytes.len() - whole) as u64;
            // A disk that does not take the cut now, full or read-only, is asked again before the next entry.
            torn = disk.truncate(&path, whole as u64).and_then(|()| disk.sync(&path)).is_err();
        }
        if whole == 0 {
            // A new file whose first entry never became durable: the one before is still the last.
            files.pop();
            continue;
        }
        let (chain, mut damage) = walk(&bytes[..whole], None, 0);
        let damage = damage.pop_front();
        // Where not one line can be read, the chain goes on behind the file before, and the check tells the rest.
        let chain = match (chain, files.len().checked_sub(2)) {
            (Some(chain), _) => chain,
            (None, Some(before)) => {
                let bytes = disk.read(&path_of(folder, files[before])).unwrap_or_default();
                walk(&bytes, None, 0).0.unwrap_or_else(Chain::start)
            }
            (None, None) => Chain::start(),
        };
        let entries = chain.head().map_or(0, |head| head.number);
        let unfinished = bytes[whole - 1] != b'\n';
        let (length, waiting) = (whole as u64, VecDeque::new());
        let tail = Tail { chain, files, length, torn, unfinished, waiting, lost: 0 };
        return Ok((tail, Recovered { entries, torn_bytes, damage }));
    }
    let (chain, waiting) = (Chain::start(), VecDeque::new());
    let tail = Tail { chain, files, length: 0, torn: false, unfinished: false, waiting, lost: 0 };
    Ok((tail, Recovered { entries: 0, torn_bytes, damage: None }))
}

/// The number of a file's first entry.
fn number_of(name: &str) -> Option<u64> {
    name.strip_suffix(".jsonl")?.parse().ok()
}

/// Copies the log that lies in `folder`, also while a unit writes it; the number of lines copied. What stands behind the last
/// whole line is being written just now.
pub fn export(folder: &Path, to: &mut dyn Write) -> Result<u64, AuditError> {
    let read = |path: &Path, source| AuditError::Read { path: path.into(), source };
    let names = RealDisk.list(folder).map_err(|source| read(folder, source))?;
    let mut files: Vec<u64> = names.iter().filter_map(|name| number_of(name)).collect();
    files.sort_unstable();
    let mut lines = 0;
    for (index, &first) in files.iter().enumerate() {
        let path = path_of(folder, first);
        let mut bytes = RealDisk.read(&path).map_err(|source| read(&path, source))?;
        if index + 1 == files.len() {
            bytes.truncate(bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |feed| feed + 1));
        }
        lines += bytes.iter().filter(|&&byte| byte == b'\n').count() as u64;
        to.write_all(&bytes).map_err(AuditError::Export)?;
    }
    Ok(lines)
}

/// How many bytes are left without a last line that is no entry. A torn write may lack any of its sectors,
/// so a line feed at the end proves nothing.
///
/// What is longer than any line was not torn by a power cut: it stays, for the check to find.
fn without_torn_end(bytes: &[u8]) -> usize {
    let whole = without_last_if_no_entry(bytes);
    if bytes.len() - whole > LINE_MAX { bytes.len() } else { whole }
}

fn without_last_if_no_entry(bytes: &[u8]) -> usize {
    let unfinished = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |feed| feed + 1);
    if unfinished < bytes.len() {
        return unfinished;
    }
    let body = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let start = body.iter().rposition(|&byte| byte == b'\n').map_or(0, |feed| feed + 1);
    if Chain::before(&body[start..]).is_err() { start } else { bytes.len() }
}

/// Follows the chain through one file, which `chain` leads to (None: wherever it begins) behind so many lines.
/// Behind damage it goes on from the line that stands there, so that the log can be continued and the check still
/// finds the damage.
fn walk(bytes: &[u8], mut chain: Option<Chain>, lines_before: u64) -> (Option<Chain>, VecDeque<Broken>) {
    let lines = bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    let mut damage = VecDeque::new();
    for (line, text) in (lines_before + 1..).zip(lines) {
        let mut own = match Chain::before(text) {
            Ok(own) => own,
            Err(fault) => {
                damage.push_back(Broken { line, fault });
                // What follows from it cannot be told; the damage is told already.
                chain = None;
                continue;
            }
        };
        if let Some(Err(fault)) = chain.map(|mut expected| expected.step(text)) {
            damage.push_back(Broken { line, fault });
        }
        chain = own.step(text).ok().map(|_| own);
    }
    (chain, damage)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::verify;
    use crate::system::{ManualClock, SimulatedDisk};

    fn open(disk: &Arc<SimulatedDisk>) -> (Audit, Recovered) {
        let clock = Arc::new(ManualClock::at(jiff::Timestamp::UNIX_EPOCH));
        Audit::open(Path::new("/audit"), disk.clone(), clock).unwrap()
    }

    fn note(text: &str) -> Event {
        Event::Maintenance { what: text.to_owned() }
    }

    fn exported(audit: &Audit) -> Vec<u8> {
        let mut log = Vec::new();
        audit.export(&mut log).unwrap();
        log
    }

    #[test]
    fn the_chain_runs_on_through_restarts_and_files() {
        let disk = Arc::new(SimulatedDisk::default());
        let long = "x".repeat(1 << 20);
        for _ in 0..3 {
            let (audit, recovered) = open(&disk);
            assert_eq!(recovered.torn_bytes, 0);
            for _ in 0..3 {
                audit.append(Who::Unit, note(&long)).unwrap();
            }
        }
        let (audit, _) = open(&disk);
        assert!(disk.list(Path::new("/audit")).unwrap().len() > 1);
        assert_eq!(audit.check().unwrap(), []);
        let summary = verify(exported(&audit).as_slice(), None, None).unwrap();
        assert_eq!((summary.entries, summary.head), (9, audit.head()));
        let behind: Vec<String> = audit.after(7, 10).unwrap();
        assert_eq!(behind.len(), 2);
        assert!(behind[0].starts_with("{\"number\":8,"));
    }

    #[test]
    fn a_power_cut_at_any_change_keeps_every_acknowledged_entry() {
        for seed in 0..8 {
            for changes in 0..16 {
                let disk = Arc::new(SimulatedDisk::default());
                let (audit, _) = open(&disk);
                disk.cut_power_after(changes);
                let long = "y".repeat(700);
                let kept = (0..6).take_while(|_| audit.append(Who::Unit, note(&long)).is_ok()).count();
                disk.restart(seed * 31 + changes);
                let (audit, recovered) = open(&disk);
                assert!(recovered.entries >= kept as u64, "seed {seed}, cut after {changes}");
                assert_eq!(recovered.damage, None);
                audit.append(Who::Unit, Event::Stopped).unwrap();
                verify(exported(&audit).as_slice(), None, None).unwrap();
            }
        }
    }

    #[test]
    fn what_a_full_disk_refuses_waits_in_memory_and_goes_ahead_of_the_next() {
        let disk = Arc::new(SimulatedDisk::default());
        let (audit, _) = open(&disk);
        audit.append(Who::Unit, note("before")).unwrap();
        disk.set_full(true);
        for _ in 0..2 {
            assert!(matches!(audit.append(Who::Unit, note("meanwhile")), Err(AuditError::Write { .. })));
        }
        assert_eq!(audit.waiting(), 2);
        disk.set_full(false);
        let position = audit.append(Who::Unit, note("after")).unwrap();
        assert_eq!((position.number, audit.waiting()), (4, 0));
        let log = String::from_utf8(exported(&audit)).unwrap();
        assert_eq!(verify(log.as_bytes(), None, Some(position.hash)).unwrap().entries, 4);
        assert!(log.lines().nth(3).unwrap().contains("after"), "{log}");
    }

    #[test]
    fn entries_that_find_no_room_in_memory_are_counted_in_the_log() {
        let disk = Arc::new(SimulatedDisk::default());
        let (audit, _) = open(&disk);
        disk.set_read_only(true);
        for _ in 0..WAITING_MAX + 7 {
            assert!(audit.append(Who::Unit, Event::Stopped).is_err());
        }
        disk.set_read_only(false);
        audit.retry().unwrap();
        let log = String::from_utf8(exported(&audit)).unwrap();
        assert_eq!(log.lines().count(), WAITING_MAX + 1);
        assert!(log.ends_with('\n') && log.contains("{\"event\":\"entries-lost\",\"count\":7}"));
    }

    #[test]
    fn a_file_of_noise_stays_for_the_check_and_the_log_goes_on_behind_it() {
        let disk = Arc::new(SimulatedDisk::default());
        disk.create_folder(Path::new("/audit")).unwrap();
        let file = Path::new("/audit/000000000001.jsonl");
        for noise in [vec![b'#'; 200_000], [vec![b'#'; 100], vec![b'\n'; 3]].concat()] {
            disk.write_at(file, 0, &noise).unwrap();
            let (audit, recovered) = open(&disk);
            assert!(recovered.damage.is_some() || recovered.torn_bytes > 0);
            audit.append(Who::Unit, Event::Stopped).unwrap();
            let log = exported(&audit);
            let last = log.split(|&byte| byte == b'\n').rfind(|line| !line.is_empty()).unwrap();
            assert!(Chain::before(last).is_ok(), "the new entry stands in a line of its own");
            disk.remove(file).unwrap();
        }
    }

    #[test]
    fn a_torn_end_on_a_read_only_disk_does_not_stop_the_unit() {
        let disk = Arc::new(SimulatedDisk::default());
        let (audit, _) = open(&disk);
        audit.append(Who::Unit, note("kept")).unwrap();
        let file = Path::new("/audit/000000000001.jsonl");
        let end = disk.length(file).unwrap();
        disk.write_at(file, end, &[b'{'; 900]).unwrap();
        disk.set_read_only(true);
        let (audit, recovered) = open(&disk);
        assert_eq!((recovered.entries, recovered.torn_bytes), (1, 900));
        disk.set_read_only(false);
        audit.append(Who::Unit, Event::Stopped).unwrap();
        let summary = verify(exported(&audit).as_slice(), None, None).unwrap();
        assert_eq!(summary.entries, 3, "the entry, that a torn end was dropped, and the new one");
        assert_eq!(disk.read(file).unwrap(), exported(&audit), "nothing of the torn end is left");
    }

    #[test]
    fn damage_in_the_middle_is_reported_and_kept() {
        let disk = Arc::new(SimulatedDisk::default());
        let (audit, _) = open(&disk);
        for _ in 0..3 {
            audit.append(Who::Unit, note("entry")).unwrap();
        }
        disk.flip_bit(Path::new("/audit/000000000001.jsonl"), 12);
        let (audit, recovered) = open(&disk);
        assert_eq!((recovered.entries, recovered.damage.map(|broken| broken.line)), (3, Some(1)));
        audit.append(Who::Unit, note("later")).unwrap();
        assert!(verify(exported(&audit).as_slice(), None, None).is_err());
        assert_eq!(audit.check().unwrap().iter().map(|broken| broken.line).collect::<Vec<_>>(), [1]);
    }
}
