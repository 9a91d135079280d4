use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::crypto::sha256;
use crate::system::Disk;

/// Numbers that must not fall back over a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counter {
    /// Of the packets sent: a receiver sees a gap.
    Sequence,
    /// The last entry of the audit log that was stored for delivery.
    AuditStored,
    /// Of the sessions with the broker: whoever follows them takes a lower one for an old one.
    Session,
}

/// How far ahead the sequence is written down, so that not each packet costs a sync. After a power cut it
/// jumps by at most this; the birth message that follows tells a receiver not to look for what is between.
const AHEAD: u64 = 256;

const CELL: usize = 16;
const COUNTERS: usize = 3;

/// On the disk two cells for each counter, written in turn, so that a torn write leaves the other: the
/// value (8 bytes, little endian), then the first 8 bytes of the SHA-256 of counter and value.
pub(super) struct Counters {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    stored: [u64; COUNTERS],
    turn: [bool; COUNTERS],
    next_sequence: u64,
    /// Of some counter neither cell was whole.
    pub damaged: bool,
}

impl Counters {
    pub fn open(disk: Arc<dyn Disk>, folder: &Path) -> Self {
        let path = folder.join("counters");
        // A file that cannot be read is one that was never written, or damaged: the higher of what is left counts.
        let bytes = disk.read(&path).unwrap_or_default();
        let mut stored = [0; COUNTERS];
        let mut turn = [false; COUNTERS];
        let mut damaged = false;
        for counter in 0..COUNTERS {
            let mut broken = 0;
            for second in [false, true] {
                let cell = bytes.get(offset(counter, second)..).and_then(|rest| rest.first_chunk::<CELL>());
                let value = cell.and_then(|cell| value_of(counter, cell));
                broken += usize::from(value.is_none() && cell.is_some_and(|cell| *cell != [0; CELL]));
                let value = value.unwrap_or(0);
                if value > stored[counter] {
                    stored[counter] = value;
                    turn[counter] = !second;
                }
            }
            // One may be torn, and a second cell that was never written is zeros.
            damaged |= broken > 0 && stored[counter] == 0;
        }
        let next_sequence = stored[Counter::Sequence as usize];
        Self { disk, path, stored, turn, next_sequence, damaged }
    }

    pub fn next_sequence(&mut self) -> u64 {
        if self.next_sequence >= self.stored[Counter::Sequence as usize] {
            // A disk that refuses must not stop delivery; at worst numbers repeat after a restart, which
            // costs a receiver a false report and no record.
            let _ = self.set(Counter::Sequence, self.next_sequence + AHEAD);
        }
        self.next_sequence += 1;
        self.next_sequence
    }

    pub fn get(&self, counter: Counter) -> u64 {
        match counter {
            Counter::Sequence => self.next_sequence,
            Counter::AuditStored | Counter::Session => self.stored[counter as usize],
        }
    }

    /// Durable when it returns.
    pub fn set(&mut self, counter: Counter, value: u64) -> io::Result<()> {
        let counter = counter as usize;
        let at = offset(counter, self.turn[counter]) as u64;
        self.disk.write_at(&self.path, at, &cell_of(counter, value))?;
        self.disk.sync(&self.path)?;
        if self.stored == [0; COUNTERS] {
            self.disk.sync_folder(self.path.parent().expect("it was joined to a folder"))?;
        }
        self.stored[counter] = value;
        self.turn[counter] ^= true;
        Ok(())
    }
}

fn offset(counter: usize, second: bool) -> usize {
    (2 * counter + usize::from(second)) * CELL
}

fn cell_of(counter: usize, value: u64) -> [u8; CELL] {
    let mut cell = [0; CELL];
    cell[..8].copy_from_slice(&value.to_le_bytes());
    let mut summed = vec![counter as u8];
    summed.extend_from_slice(&cell[..8]);
    cell[8..].copy_from_slice(&sha256(&summed)[..8]);
    cell
}

fn value_of(counter: usize, cell: &[u8; CELL]) -> Option<u64> {
    let value = u64::from_le_bytes(*cell.first_chunk()?);
    (cell_of(counter, value) == *cell).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::SimulatedDisk;

    #[test]
    fn a_file_that_knows_fewer_counters_keeps_what_it_has() {
        let (disk, folder) = (Arc::new(SimulatedDisk::default()), Path::new("/records"));
        let mut counters = Counters::open(disk.clone(), folder);
        counters.set(Counter::AuditStored, 7).unwrap();
        counters.set(Counter::Sequence, 9).unwrap();
        disk.truncate(&folder.join("counters"), offset(Counter::Session as usize, false) as u64).unwrap();
        let mut counters = Counters::open(disk.clone(), folder);
        assert!(!counters.damaged);
        counters.set(Counter::Session, 11).unwrap();
        let counters = Counters::open(disk, folder);
        let all = [Counter::AuditStored, Counter::Sequence, Counter::Session];
        assert_eq!(all.map(|counter| counters.get(counter)), [7, 9, 11]);
    }

    #[test]
    fn the_sequence_never_falls_back_wherever_the_power_is_cut() {
        let folder = Path::new("/records");
        for seed in 0..200 {
            let disk = Arc::new(SimulatedDisk::default());
            let mut last = 0;
            for start in 0..3 {
                let mut counters = Counters::open(disk.clone(), folder);
                disk.cut_power_after(4 + (seed + start) % 5);
                for _ in 0..600 {
                    let before = disk.changes();
                    let next = counters.next_sequence();
                    assert!(next > last, "seed {seed}");
                    last = next;
                    if disk.read(folder).is_err_and(|error| error.kind() == io::ErrorKind::Other) {
                        // The power went during this call: nobody saw its number.
                        last -= u64::from(disk.changes() > before);
                        break;
                    }
                }
                disk.restart(seed);
            }
        }
    }
}
