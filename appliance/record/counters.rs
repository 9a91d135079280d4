use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::crypto::sha256;
use crate::system::Disk;

/// Numbers that must not fall back over a restart, each with its place in the file. What once stood in the first
/// place is not counted any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counter {
    /// The last entry of the audit log that was stored for delivery.
    AuditStored = 1,
    /// Of the sessions with the broker: whoever follows them takes a lower one for an old one.
    Session = 2,
}

const CELL: usize = 16;
const COUNTERS: usize = 3;

/// On the disk two cells for each counter, written in turn, so that a torn write leaves the other: the
/// value (8 bytes, little endian), then the first 8 bytes of the SHA-256 of counter and value.
pub(super) struct Counters {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    stored: [u64; COUNTERS],
    turn: [bool; COUNTERS],
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
        Self { disk, path, stored, turn, damaged }
    }

    pub fn get(&self, counter: Counter) -> u64 {
        self.stored[counter as usize]
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
        disk.truncate(&folder.join("counters"), offset(Counter::Session as usize, false) as u64).unwrap();
        let mut counters = Counters::open(disk.clone(), folder);
        assert!(!counters.damaged);
        counters.set(Counter::Session, 11).unwrap();
        let counters = Counters::open(disk, folder);
        assert_eq!([Counter::AuditStored, Counter::Session].map(|counter| counters.get(counter)), [7, 11]);
    }

    #[test]
    fn no_counter_falls_back_wherever_the_power_is_cut() {
        let folder = Path::new("/records");
        for seed in 0..200 {
            let disk = Arc::new(SimulatedDisk::default());
            let mut last = 0;
            for start in 0..3 {
                let mut counters = Counters::open(disk.clone(), folder);
                let found = counters.get(Counter::Session);
                assert!(found >= last && !counters.damaged, "seed {seed}: {found} after {last}");
                last = found;
                disk.cut_power_after(4 + (seed + start) % 5);
                // What was acknowledged counts; the one during which the power went may or may not be there.
                while counters.set(Counter::Session, last + 1).is_ok() {
                    last += 1;
                }
                disk.restart(seed);
            }
        }
    }
}
