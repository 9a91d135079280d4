//! How the wall clock was set while records were stored, so that a restart can tell their age: each was captured by the clock
//! as it was then.
//!
//! On disk one sealed cell for each step, one behind another. A step begins new segments, so a segment's number tells which
//! steps its records have seen. A cell that a power cut tore does not open and counts for nothing.

use std::io;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tracing::warn;

use super::writer::{Files, Writer};
use crate::words::Moment;

/// A time service moves the clock by less, and not at once.
const LEAST: SignedDuration = SignedDuration::from_secs(2);
/// A clock that is set so often is broken.
const MOST: usize = 1000;
const CONTEXT: &[u8] = b"a step of the clock";
/// Segment and microseconds, with what sealing adds.
const CELL: usize = 4 + 8 + 28;

pub(super) struct Steps {
    files: Arc<Files>,
    known: Vec<Step>,
    /// Of the file.
    cells: usize,
    told: Moment,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Step {
    /// Records in segments below this number were captured before it.
    before: u32,
    by: SignedDuration,
}

impl Steps {
    pub fn open(files: Arc<Files>, now: Moment) -> Self {
        let bytes = files.disk.read(&files.steps).unwrap_or_default();
        let step = |cell: &[u8]| Step::parse(&files.slot_key.open(CONTEXT, cell).ok()?);
        let known = bytes.chunks(CELL).filter_map(step).collect();
        Self { known, cells: bytes.len().div_ceil(CELL), files, told: now }
    }

    /// When a record of this segment was captured, by the clock as it is now.
    pub fn today(&self, captured: Timestamp, segment: u32) -> Timestamp {
        let since = self.known.iter().filter(|step| segment < step.before);
        let by = since.fold(SignedDuration::ZERO, |sum, step| sum.saturating_add(step.by));
        captured.saturating_add(by).unwrap_or(captured)
    }

    /// To be told the time before anything is stored, and each second.
    pub fn follow(&mut self, now: Moment, writer: &mut Writer) {
        let by = now.step_since(&self.told);
        self.told = now;
        if by.abs() < LEAST || self.cells >= MOST {
            return;
        }
        let step = Step { before: writer.begin_anew(), by };
        match self.write(step) {
            Ok(()) => self.known.push(step),
            Err(error) => {
                warn!(%error, "the clock was set: a restart will tell the age of what is stored by the new time");
            }
        }
    }

    fn write(&mut self, step: Step) -> io::Result<()> {
        let Files { disk, steps, slot_key, .. } = self.files.as_ref();
        disk.write_at(steps, (self.cells * CELL) as u64, &slot_key.seal(CONTEXT, &step.to_bytes()))?;
        self.cells += 1;
        disk.sync(steps)?;
        disk.sync_folder(steps.parent().expect("it was joined to a folder"))
    }

    /// Forgets all once no record is left that has seen one. `lowest`: the segment that the oldest record lies in.
    pub fn forget_below(&mut self, lowest: Option<u32>) {
        let is_needed = |step: &Step| lowest.is_some_and(|lowest| lowest < step.before);
        if self.cells > 0
            && !self.known.iter().any(is_needed)
            && self.files.disk.remove(&self.files.steps).is_ok()
        {
            self.known.clear();
            self.cells = 0;
        }
    }
}

impl Step {
    fn to_bytes(self) -> [u8; 12] {
        let us = i64::try_from(self.by.as_micros()).unwrap_or(if self.by.is_negative() {
            i64::MIN
        } else {
            i64::MAX
        });
        let mut bytes = [0; 12];
        bytes[..4].copy_from_slice(&self.before.to_le_bytes());
        bytes[4..].copy_from_slice(&us.to_le_bytes());
        bytes
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (before, us) = bytes.split_first_chunk()?;
        let by = SignedDuration::from_micros(i64::from_le_bytes(us.try_into().ok()?));
        Some(Self { before: u32::from_le_bytes(*before), by })
    }
}
