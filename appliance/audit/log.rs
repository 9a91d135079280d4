use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::watch;
use tracing::warn;

use super::chain::{Broken, Chain, Position};
use super::event::{Event, Who};
use crate::system::{Clock, Disk};

/// A file of 4 MiB holds some ten thousand entries: small enough to read whole at start.
const FILE_MAX: u64 = 4 << 20;

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
    #[error("an entry cannot be written to the audit log {path}: {source}")]
    Write { path: PathBuf, source: std::io::Error },
    #[error("the audit log cannot be exported: {0}")]
    Export(std::io::Error),
}

impl Audit {
    pub fn open(
        folder: &Path,
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
    ) -> Result<(Self, Recovered), AuditError> {
        let write = |source| AuditError::Write { path: folder.into(), source };
        disk.create_folder(folder).map_err(write)?;
        let lock = disk.lock(folder).map_err(write)?;
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
            audit.append(Who::Unit, Event::TornLineDropped { bytes: recovered.torn_bytes })?;
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

    /// Durable when it returns. After an error the entry is not in the log, and the next one may succeed.
    pub fn append(&self, who: Who, what: Event) -> Result<Position, AuditError> {
        let mut tail = self.lock();
        let (line, chain) = tail.chain.write(self.clock.now().wall, self.clock_trusted(), &who, &what);
        let number = chain.head().map_or(0, |head| head.number);
        let new_file = tail.files.is_empty() || tail.length >= FILE_MAX;
        let (first, offset) = match tail.files.last() {
            Some(&first) if !new_file => (first, tail.length),
            _ => (number, 0),
        };
        let path = path_of(&self.folder, first);
        let bytes = format!("{line}\n").into_bytes();
        let written = self
            .disk
            .write_at(&path, offset, &bytes)
            .and_then(|()| self.disk.sync(&path))
            .and_then(|()| if new_file { self.disk.sync_folder(&self.folder) } else { Ok(()) });
        if let Err(source) = written {
            // A part may stand there; the next entry is written over it. Should the truncation fail as well,
            // what is left is a torn last line, which the next start drops.
            let _ = self.disk.truncate(&path, offset);
            return Err(AuditError::Write { path, source });
        }
        if new_file {
            tail.files.push(first);
        }
        tail.length = offset + bytes.len() as u64;
        tail.chain = chain;
        self.grown.send_replace(number);
        Ok(chain.head().expect("an entry was just written"))
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
    let mut files: Vec<u64> =
        names.iter().filter_map(|name| name.strip_suffix(".jsonl")?.parse().ok()).collect();
    files.sort_unstable();
    let mut torn_bytes = 0;
    while let Some(&first) = files.last() {
        let path = path_of(folder, first);
        let bytes = disk.read(&path).map_err(|source| read(&path, source))?;
        let whole = without_torn_end(&bytes);
        if whole < bytes.len() {
            torn_bytes += (bytes.len() - whole) as u64;
            let cut = disk.truncate(&path, whole as u64).and_then(|()| disk.sync(&path));
            cut.map_err(|source| AuditError::Write { path: path.clone(), source })?;
        }
        if whole == 0 {
            // A new file whose first entry never became durable: the one before is still the last.
            files.pop();
            continue;
        }
        let (chain, mut damage) = walk(&bytes[..whole], None, 0);
        let (chain, damage) = (chain.unwrap_or_else(Chain::start), damage.pop_front());
        let entries = chain.head().map_or(0, |head| head.number);
        let tail = Tail { chain, files, length: whole as u64 };
        return Ok((tail, Recovered { entries, torn_bytes, damage }));
    }
    let tail = Tail { chain: Chain::start(), files, length: 0 };
    Ok((tail, Recovered { entries: 0, torn_bytes, damage: None }))
}

/// How many bytes are left without a last line that is no entry. A torn write may lack any of its sectors,
/// so a line feed at the end proves nothing.
fn without_torn_end(bytes: &[u8]) -> usize {
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
    fn a_full_disk_refuses_the_entry_and_goes_on_when_there_is_room() {
        let disk = Arc::new(SimulatedDisk::default());
        let (audit, _) = open(&disk);
        audit.append(Who::Unit, note("before")).unwrap();
        disk.set_full(true);
        assert!(matches!(audit.append(Who::Unit, note("lost")), Err(AuditError::Write { .. })));
        disk.set_full(false);
        audit.append(Who::Unit, note("after")).unwrap();
        assert_eq!(verify(exported(&audit).as_slice(), None, None).unwrap().entries, 2);
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
