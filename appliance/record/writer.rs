//! The order of writes, and nothing else: what the module page promises of a commit and of a destruction.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::index::Decis;
use super::kind::Shelf;
use super::slot::{Extent, Found, Place, SLOT, Slot};
use crate::crypto::SealKey;
use crate::system::Disk;

/// Bodies from this size on lie in packs: a picture, so that its bytes can go without its segment.
const LARGE: usize = 16 << 10;

/// A pack of this size is closed, so that one late receipt does not hold back much.
const PACK_MAX: usize = 8 << 20;

/// A segment whose bodies have this size is closed.
const BODIES_MAX: u32 = 32 << 20;

/// Where the files are, and the key that slots are sealed with.
pub(super) struct Files {
    pub disk: Arc<dyn Disk>,
    pub keys: PathBuf,
    pub bodies: PathBuf,
    /// Tells whose key it was; see `recovery.rs`.
    pub check: PathBuf,
    /// How the clock was set; see `steps.rs`.
    pub steps: PathBuf,
    pub slot_key: SealKey,
}

/// Writes one commit after another; whoever holds it is the only one who writes.
pub(super) struct Writer {
    files: Arc<Files>,
    segment_records: u16,
    next_segment: u32,
    next_pack: u32,
    open: BTreeMap<Shelf, OpenSegment>,
    closed: Vec<(Shelf, u32)>,
}

#[derive(Clone, Copy)]
struct OpenSegment {
    number: u32,
    slots: u16,
    bodies: u32,
}

/// A record with its body sealed, ready to be written.
#[derive(Clone)]
pub(super) struct Sealed {
    pub slot: Slot,
    pub born: Decis,
    pub body: Vec<u8>,
}

/// What a commit wrote.
pub(super) struct Written {
    /// For each record, in the order given.
    pub places: Vec<(Place, Extent)>,
    pub segments: Vec<(Shelf, u32, u64)>,
    pub packs: Vec<(u32, u64)>,
    /// Segments that will not grow any more.
    pub closed: Vec<(Shelf, u32)>,
}

/// What goes to one segment in one commit.
#[derive(Default)]
struct Chunk {
    first_slot: u16,
    slots: Vec<u8>,
    bodies_at: u32,
    bodies: Vec<u8>,
}

impl Files {
    pub fn keys_of(&self, shelf: Shelf, number: u32) -> PathBuf {
        self.keys.join(format!("{}-{number:08}.keys", shelf.name()))
    }

    pub fn bodies_of(&self, shelf: Shelf, number: u32) -> PathBuf {
        self.bodies.join(format!("{}-{number:08}.bodies", shelf.name()))
    }

    pub fn pack(&self, number: u32) -> PathBuf {
        self.bodies.join(format!("{number:08}.pack"))
    }

    pub fn read_slot(&self, place: Place) -> io::Result<Found> {
        let offset = u64::from(place.slot) * SLOT as u64;
        let bytes = self.disk.read_at(&self.keys_of(place.shelf, place.segment), offset, SLOT)?;
        Ok(Slot::find(&bytes, &self.slot_key, place))
    }

    pub fn read_body(&self, place: Place, extent: Extent) -> io::Result<Vec<u8>> {
        let path = match extent.pack {
            0 => self.bodies_of(place.shelf, place.segment),
            pack => self.pack(pack),
        };
        self.disk.read_at(&path, u64::from(extent.offset), extent.length as usize)
    }

    /// Removes both files of a segment. That they come back after a power cut is harmless: every key in
    /// them was destroyed before.
    pub fn remove_segment(&self, shelf: Shelf, number: u32) -> io::Result<()> {
        self.remove(&self.keys_of(shelf, number))?;
        self.remove(&self.bodies_of(shelf, number))
    }

    /// As [`Files::remove_segment`]: without a key a pack is noise.
    pub fn remove_pack(&self, number: u32) -> io::Result<()> {
        self.remove(&self.pack(number))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        match self.disk.remove(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }
}

impl Writer {
    /// Begins new segments and packs behind all that exist: what a power cut left is never written to again.
    pub fn new(files: Arc<Files>, segment_records: u16, next_segment: u32, next_pack: u32) -> Self {
        Self { files, segment_records, next_segment, next_pack, open: BTreeMap::new(), closed: Vec::new() }
    }

    /// Writes records so that all are durable when it returns: bodies, synced with their folder, and only
    /// then the keys, synced with theirs. After an error none of them is there, as far as the disk still
    /// does what it is told.
    pub fn commit(&mut self, records: &[Sealed]) -> io::Result<Written> {
        let mut chunks: BTreeMap<(Shelf, u32), Chunk> = BTreeMap::new();
        let mut packs: BTreeMap<u32, Vec<u8>> = BTreeMap::new();
        let mut filling: BTreeMap<Shelf, u32> = BTreeMap::new();
        let mut places = Vec::with_capacity(records.len());
        for record in records {
            let shelf = record.slot.class().shelf();
            let small = if record.body.len() < LARGE { record.body.len() as u32 } else { 0 };
            let segment = self.segment_with_room(shelf, small);
            let place = Place { shelf, segment: segment.number, slot: segment.slots };
            let chunk = chunks.entry((shelf, segment.number)).or_insert_with(|| Chunk {
                first_slot: segment.slots,
                bodies_at: segment.bodies,
                ..Chunk::default()
            });
            let (pack, offset) = if record.body.len() < LARGE {
                chunk.bodies.extend_from_slice(&record.body);
                (0, segment.bodies)
            } else {
                let number = self.pack_with_room(filling.get(&shelf), &packs);
                filling.insert(shelf, number);
                let pack = packs.entry(number).or_default();
                let offset = pack.len() as u32;
                pack.extend_from_slice(&record.body);
                (number, offset)
            };
            let extent = Extent { pack, offset, length: record.body.len() as u32 };
            let slot = Slot { extent, ..record.slot.clone() };
            chunk.slots.extend_from_slice(&slot.seal(&self.files.slot_key, place));
            let segment = self.open.get_mut(&shelf).expect("it has just been given room");
            segment.slots += 1;
            segment.bodies += small;
            places.push((place, extent));
        }
        if let Err(error) = self.write(&chunks, &packs) {
            self.abandon(&chunks, &packs);
            return Err(error);
        }
        let grown = |chunk: &Chunk| (chunk.slots.len() + chunk.bodies.len()) as u64;
        Ok(Written {
            places,
            segments: chunks.iter().map(|(&(shelf, number), chunk)| (shelf, number, grown(chunk))).collect(),
            packs: packs.iter().map(|(&number, bytes)| (number, bytes.len() as u64)).collect(),
            closed: std::mem::take(&mut self.closed),
        })
    }

    /// Overwrites the keys with zeros, durably.
    pub fn destroy_keys(&self, places: impl Iterator<Item = Place>) -> io::Result<()> {
        let mut segments: BTreeMap<(Shelf, u32), Vec<(u64, u64)>> = BTreeMap::new();
        for place in places {
            let range = (u64::from(place.slot) * SLOT as u64, SLOT as u64);
            segments.entry((place.shelf, place.segment)).or_default().push(range);
        }
        let mut written = Vec::with_capacity(segments.len());
        for ((shelf, number), ranges) in segments {
            let path = self.files.keys_of(shelf, number);
            self.overwrite(&path, ranges)?;
            written.push(path);
        }
        self.files.disk.sync_each(&written)
    }

    /// Overwrites small bodies; what lies in packs goes with its pack.
    pub fn erase_bodies(&self, bodies: impl Iterator<Item = (Place, Extent)>) -> io::Result<()> {
        let mut segments: BTreeMap<(Shelf, u32), Vec<(u64, u64)>> = BTreeMap::new();
        for (place, extent) in bodies.filter(|(_, extent)| extent.pack == 0) {
            let range = (u64::from(extent.offset), u64::from(extent.length));
            segments.entry((place.shelf, place.segment)).or_default().push(range);
        }
        for ((shelf, number), ranges) in segments {
            self.overwrite(&self.files.bodies_of(shelf, number), ranges)?;
        }
        Ok(())
    }

    fn overwrite(&self, path: &Path, ranges: Vec<(u64, u64)>) -> io::Result<()> {
        for (offset, length) in joined(ranges) {
            self.files.disk.write_at(path, offset, &vec![0; length as usize])?;
        }
        Ok(())
    }

    /// The next record of this shelf begins a new segment.
    pub fn close(&mut self, shelf: Shelf, number: u32) {
        if self.open.get(&shelf).is_some_and(|segment| segment.number == number) {
            self.open.remove(&shelf);
        }
    }

    /// Every shelf's next record begins a new segment, with this number or a higher one.
    pub fn begin_anew(&mut self) -> u32 {
        self.closed
            .extend(std::mem::take(&mut self.open).into_iter().map(|(shelf, open)| (shelf, open.number)));
        self.next_segment
    }

    fn segment_with_room(&mut self, shelf: Shelf, body: u32) -> OpenSegment {
        if let Some(&segment) = self.open.get(&shelf) {
            if segment.slots < self.segment_records && segment.bodies + body <= BODIES_MAX {
                return segment;
            }
            self.closed.push((shelf, segment.number));
        }
        let segment = OpenSegment { number: self.next_segment, slots: 0, bodies: 0 };
        self.next_segment += 1;
        self.open.insert(shelf, segment);
        segment
    }

    fn pack_with_room(&mut self, filling: Option<&u32>, packs: &BTreeMap<u32, Vec<u8>>) -> u32 {
        match filling {
            Some(&number) if packs[&number].len() < PACK_MAX => number,
            _ => {
                self.next_pack += 1;
                self.next_pack - 1
            }
        }
    }

    fn write(
        &self,
        chunks: &BTreeMap<(Shelf, u32), Chunk>,
        packs: &BTreeMap<u32, Vec<u8>>,
    ) -> io::Result<()> {
        let Files { disk, keys, bodies, .. } = self.files.as_ref();
        let mut new_files = !packs.is_empty();
        let mut written = Vec::new();
        for (&number, bytes) in packs {
            let path = self.files.pack(number);
            disk.write_at(&path, 0, bytes)?;
            written.push(path);
        }
        for (&(shelf, number), chunk) in chunks.iter().filter(|(_, chunk)| !chunk.bodies.is_empty()) {
            let path = self.files.bodies_of(shelf, number);
            disk.write_at(&path, u64::from(chunk.bodies_at), &chunk.bodies)?;
            written.push(path);
            new_files |= chunk.bodies_at == 0;
        }
        disk.sync_each(&written)?;
        if new_files {
            disk.sync_folder(bodies)?;
        }
        written.clear();
        for (&(shelf, number), chunk) in chunks {
            let path = self.files.keys_of(shelf, number);
            disk.write_at(&path, u64::from(chunk.first_slot) * SLOT as u64, &chunk.slots)?;
            written.push(path);
        }
        disk.sync_each(&written)?;
        if chunks.values().any(|chunk| chunk.first_slot == 0) {
            disk.sync_folder(keys)?;
        }
        Ok(())
    }

    /// Takes back a failed commit, as far as the disk lets it: a record whose storing failed must not be
    /// there after a restart if it was since delivered from memory. Nothing more is written to its segments,
    /// because what a failed sync has left in them is unknown.
    fn abandon(&mut self, chunks: &BTreeMap<(Shelf, u32), Chunk>, packs: &BTreeMap<u32, Vec<u8>>) {
        for (&(shelf, number), chunk) in chunks {
            self.close(shelf, number);
            self.closed.push((shelf, number));
            if chunk.first_slot == 0 {
                let _ = self.files.remove_segment(shelf, number);
                continue;
            }
            let path = self.files.keys_of(shelf, number);
            let end = u64::from(chunk.first_slot) * SLOT as u64;
            let _ = self.files.disk.truncate(&path, end).and_then(|()| self.files.disk.sync(&path));
        }
        let _ = self.files.disk.sync_folder(&self.files.keys);
        for &number in packs.keys() {
            let _ = self.files.remove_pack(number);
        }
    }
}

/// Neighbouring ranges as one, so that a whole batch is one write.
fn joined(mut ranges: Vec<(u64, u64)>) -> Vec<(u64, u64)> {
    ranges.sort_unstable();
    let mut joined: Vec<(u64, u64)> = Vec::with_capacity(ranges.len());
    for (offset, length) in ranges {
        match joined.last_mut() {
            Some(last) if last.0 + last.1 == offset => last.1 += length,
            _ => joined.push((offset, length)),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbouring_ranges_are_written_as_one() {
        assert_eq!(joined(vec![(160, 160), (0, 160), (480, 160)]), [(0, 320), (480, 160)]);
        assert_eq!(joined(Vec::new()), []);
    }
}
