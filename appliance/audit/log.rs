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
use super::recovery::{Recovered, recover, walk};
use crate::system::{Clock, Disk, RealDisk};

/// A file of 4 MiB holds some ten thousand entries: small enough to read whole at start.
const FILE_MAX: u64 = 4 << 20;

/// Entries that may wait in memory for a disk that refuses: an hour of a busy unit, some 300 kB.
const WAITING_MAX: usize = 1000;

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

pub(super) struct Tail {
    pub chain: Chain,
    /// The files by the numbers of their first entries, the one being written last.
    pub files: Vec<u64>,
    /// Of the last file: the bytes that are synced.
    pub length: u64,
    /// Behind those may stand a part of an entry that must go before the next is written.
    pub torn: bool,
    /// Those end in damage without a line feed, which the next entry must not join.
    pub unfinished: bool,
    /// What the disk has not taken yet, oldest first.
    waiting: VecDeque<Entry>,
    /// Entries for which there was no room in memory either.
    lost: u64,
}

impl Tail {
    /// Of a log that goes on behind `chain`, in the last of these files behind so many bytes.
    pub fn behind(chain: Chain, files: Vec<u64>, length: u64) -> Self {
        Self { chain, files, length, torn: false, unfinished: false, waiting: VecDeque::new(), lost: 0 }
    }
}

struct Entry {
    at: Timestamp,
    clock_trusted: bool,
    who: Who,
    what: Event,
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

pub(super) fn path_of(folder: &Path, first: u64) -> PathBuf {
    folder.join(format!("{first:012}.jsonl"))
}

/// The number of a file's first entry.
pub(super) fn number_of(name: &str) -> Option<u64> {
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

#[cfg(test)]
#[path = "log_tests.rs"]
mod tests;
