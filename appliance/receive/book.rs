//! The files of a unit's day: what a line is, and how they are read.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek};
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::crypto::Digest;
use crate::delivery::Event;
use crate::words::RecordId;

/// Which file of a unit's day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Book {
    Alerts,
    Reads,
    Events,
}

impl Book {
    pub const ALL: [Self; 3] = [Self::Alerts, Self::Reads, Self::Events];

    pub(super) fn file_name(self) -> &'static str {
        match self {
            Self::Alerts => "alerts.jsonl",
            Self::Reads => "reads.jsonl",
            Self::Events => "events.jsonl",
        }
    }
}

/// One line of a book.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredLine {
    pub received: Timestamp,
    pub sha256: Digest,
    pub event: Event,
}

/// The same, to be written.
#[derive(Serialize)]
pub(super) struct NewLine<'a> {
    pub received: Timestamp,
    pub sha256: Digest,
    pub event: &'a Event,
}

/// Opens a book at its end, with what it holds; cuts off a torn last line.
pub(super) fn open(path: &Path) -> io::Result<(File, HashMap<RecordId, Digest>)> {
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
    let mut known = HashMap::new();
    let mut reader = BufReader::new(&mut file);
    let (mut line, mut end) = (Vec::new(), 0);
    while reader.read_until(b'\n', &mut line)? > 0 {
        let Some(text) = line.strip_suffix(b"\n") else { break };
        // A damaged line within the file is left for a person to look at; its record is stored anew if it
        // comes again.
        if let Ok(stored) = serde_json::from_slice::<StoredLine>(text) {
            known.insert(stored.event.id, stored.event.digest());
        }
        end += line.len() as u64;
        line.clear();
    }
    file.set_len(end)?;
    // Whoever wrote this may have been killed before syncing it, and what is here is answered as stored.
    file.sync_data()?;
    file.seek(io::SeekFrom::Start(end))?;
    Ok((file, known))
}

/// Calls `each` with every whole line of a book: its text, and what it says unless it is damaged. Nothing happens
/// where there is no such book.
pub(super) fn read(path: &Path, mut each: impl FnMut(&[u8], Option<StoredLine>)) -> io::Result<()> {
    let mut reader = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => BufReader::new(opened?),
    };
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        let Some(text) = line.strip_suffix(b"\n") else { return Ok(()) };
        each(text, serde_json::from_slice(text).ok());
        line.clear();
    }
    Ok(())
}

/// When the first line of a book was received: none of the others is older, since lines are only appended.
pub(super) fn begun(path: &Path) -> io::Result<Option<Timestamp>> {
    let mut line = Vec::new();
    match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => BufReader::new(opened?).read_until(b'\n', &mut line)?,
    };
    Ok(serde_json::from_slice::<StoredLine>(&line).ok().map(|line| line.received))
}
