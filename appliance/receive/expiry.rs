//! The end of records that no case needs: everything that was received longer ago than it may be kept.
//!
//! By the time of receipt, not of capture: a unit whose clock was wrong must not have its evidence destroyed on
//! arrival, nor kept for ever. For one unit's day at a time, while nobody else is in:
//!
//! 1. the ids, digests and times of what goes are added to the day's `expired.jsonl`, synced;
//! 2. the log gets an entry with the digest of those lines;
//! 3. books without them are written beside, synced and renamed; pictures are removed; the folder is synced.
//!
//! A power cut before 3 is done leaves records that the next expiry removes without naming them again.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{self, File};
use std::io::Write;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::book::{self, Book, StoredLine};
use super::hold::{Amount, protected};
use super::ledger::{Entered, Ledger, UnitDay, VaultError};
use super::selection::{Facts, Meant};
use crate::audit::{Event, Who};
use crate::crypto::Digest;
use crate::system::{Clock, write_durably};
use crate::words::{PersonName, RecordId};

/// For how many days received records are kept. A year, unless it is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep(NonZeroU32);

impl Keep {
    pub fn days(days: NonZeroU32) -> Self {
        Self(days)
    }

    fn since(self, now: Timestamp) -> Timestamp {
        now.saturating_sub(SignedDuration::from_hours(24 * i64::from(self.0.get())))
            .expect("a duration has no units that a timestamp does not know")
    }
}

impl Default for Keep {
    fn default() -> Self {
        Self(NonZeroU32::new(365).expect("not zero"))
    }
}

impl std::str::FromStr for Keep {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |_| format!("{text:?} is no number of days: give a whole number from 1 on");
        text.parse().map(Self).map_err(wrong)
    }
}

impl std::fmt::Display for Keep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// A line of `expired.jsonl`: what there was, and no more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Proof {
    expired: Timestamp,
    received: Timestamp,
    /// None for a line of a book that was damaged.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<RecordId>,
    sha256: Digest,
    /// The event's, `picture`, or `damaged line`.
    #[serde(rename = "type")]
    kind: String,
}

/// What of one unit's day goes and what stays.
#[derive(Default)]
struct Judged {
    proofs: Vec<Proof>,
    /// Books that lose lines, with what stays of them.
    books: BTreeMap<Book, Vec<u8>>,
    pictures: Vec<PathBuf>,
}

/// Destroys what was received longer ago than `keep` and is not held. `by` is none for a receiver by itself.
pub fn expire(
    ledger: &Ledger,
    clock: &Arc<dyn Clock>,
    keep: Keep,
    by: Option<&PersonName>,
) -> Result<Amount, VaultError> {
    let now = clock.now().wall;
    let before = keep.since(now);
    let mut expired = Amount::default();
    let days = ledger.days()?;
    for day in days.iter().filter(|day| may_hold_old(day, before)) {
        // Holds are read again for each day: one that was placed meanwhile counts.
        let entered = ledger.enter()?;
        let selections = protected(ledger, &entered)?;
        let reaching: Vec<_> = selections.iter().filter(|selection| selection.reaches(day)).collect();
        let near: Vec<_> = days.iter().filter(|other| day.is_near(other)).cloned().collect();
        let held = Meant::of(&reaching, &near)?;
        let judged = judge(day, &held, before, now)?;
        expired.events += judged.proofs.len() as u64 - judged.pictures.len() as u64;
        expired.pictures += judged.pictures.len() as u64;
        let who = by.map_or(Who::Receiver, |by| Who::Person(by.clone()));
        carry_out(ledger, &entered, clock, who, day, &judged)?;
    }
    Ok(expired)
}

/// Cheap: the first line of a book is its oldest, and where a day has none any more, its date says it.
fn may_hold_old(day: &UnitDay, before: Timestamp) -> bool {
    let begun = |book: Book| book::begun(&day.folder.join(book.file_name())).ok().flatten();
    Book::ALL.into_iter().filter_map(begun).any(|begun| begun < before)
        || day.date().is_none_or(|date| date.in_tz("UTC").is_ok_and(|date| date.timestamp() < before))
}

fn judge(day: &UnitDay, held: &Meant, before: Timestamp, now: Timestamp) -> Result<Judged, VaultError> {
    let mut judged = Judged::default();
    let mut digests = HashMap::new();
    for book in Book::ALL {
        let path = day.folder.join(book.file_name());
        let (mut kept, mut gone) = (Vec::new(), Vec::new());
        // A damaged line is as old as the one before it.
        let mut last = Timestamp::MIN;
        let each = |text: &[u8], line: Option<StoredLine>| {
            last = line.as_ref().map_or(last, |line| line.received);
            if let Some(line) = &line {
                let pictures = Facts::of(line).pictures.into_iter();
                digests.extend(pictures.map(|picture| (picture.id, picture.sha256)));
            }
            let is_held = line.as_ref().is_some_and(|line| held.has_event(line.event.id));
            if is_held || last >= before {
                kept.extend_from_slice(text);
                kept.push(b'\n');
                return;
            }
            gone.push(match line {
                Some(StoredLine { received, sha256, event }) => {
                    Proof { expired: now, received, id: Some(event.id), sha256, kind: event.event_type }
                }
                None => {
                    let sha256 = Digest::of(text);
                    Proof { expired: now, received: last, id: None, sha256, kind: "damaged line".into() }
                }
            });
        };
        book::read(&path, each).map_err(VaultError::disk(&path))?;
        if !gone.is_empty() {
            judged.proofs.extend(gone);
            judged.books.insert(book, kept);
        }
    }
    for (id, path) in day.pictures()? {
        let written = fs::metadata(&path).and_then(|facts| facts.modified());
        let written = written.map_err(VaultError::disk(&path))?;
        let received = Timestamp::try_from(written).unwrap_or(Timestamp::MAX);
        if held.has_picture(id) || received >= before {
            continue;
        }
        let sha256 = match digests.get(&id) {
            Some(sha256) => *sha256,
            None => Digest::of(&fs::read(&path).map_err(VaultError::disk(&path))?),
        };
        judged.proofs.push(Proof { expired: now, received, id: Some(id), sha256, kind: "picture".into() });
        judged.pictures.push(path);
    }
    Ok(judged)
}

fn carry_out(
    ledger: &Ledger,
    entered: &Entered,
    clock: &Arc<dyn Clock>,
    who: Who,
    day: &UnitDay,
    judged: &Judged,
) -> Result<(), VaultError> {
    if judged.proofs.is_empty() {
        return Ok(());
    }
    let named = name(day, &judged.proofs)?;
    if !named.is_empty() {
        let records = named.iter().filter(|byte| **byte == b'\n').count() as u64;
        let (unit, day, sha256) = (day.unit.clone(), day.day.clone(), Digest::of(&named));
        ledger.note(entered, clock, who, Event::RecordsExpired { unit, day, records, sha256 })?;
    }
    for (book, kept) in &judged.books {
        let path = day.folder.join(book.file_name());
        let replaced = match kept.is_empty() {
            true => fs::remove_file(&path),
            false => write_durably(&path, kept),
        };
        replaced.map_err(VaultError::disk(&path))?;
    }
    for picture in &judged.pictures {
        fs::remove_file(picture).map_err(VaultError::disk(picture))?;
    }
    let pictures = day.folder.join("pictures");
    for folder in [&pictures, &day.folder].into_iter().filter(|folder| folder.is_dir()) {
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(VaultError::disk(folder))?;
    }
    Ok(())
}

/// Adds to the day's `expired.jsonl` what is not named there yet, durably; gives the lines that were added.
fn name(day: &UnitDay, proofs: &[Proof]) -> Result<Vec<u8>, VaultError> {
    let path = day.folder.join("expired.jsonl");
    let append = || -> std::io::Result<Vec<u8>> {
        let mut file = File::options().read(true).append(true).create(true).open(&path)?;
        let text = fs::read(&path)?;
        // A power cut may have torn the last line, whose record is then still there and named again.
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        file.set_len(whole as u64)?;
        let known = text[..whole].split(|byte| *byte == b'\n').filter_map(|line| {
            let proof: Proof = serde_json::from_slice(line).ok()?;
            Some((proof.received, proof.sha256, proof.id))
        });
        let known: HashSet<_> = known.collect();
        let mut lines = Vec::new();
        for proof in proofs.iter().filter(|proof| !known.contains(&(proof.received, proof.sha256, proof.id)))
        {
            lines.extend(serde_json::to_vec(proof)?);
            lines.push(b'\n');
        }
        file.write_all(&lines)?;
        file.sync_all()?;
        File::open(&day.folder)?.sync_all()?;
        Ok(lines)
    };
    append().map_err(VaultError::disk(&path))
}
