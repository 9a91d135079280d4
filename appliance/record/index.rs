//! What is in memory of the records on the disk: 34 bytes for each, so that a backlog of a million fits a
//! small unit. Keys, digests and bodies stay on the disk.

use std::collections::{BTreeMap, HashMap};

use super::kind::{Class, Kind, Shelf};
use super::slot::Place;
use crate::words::RecordId;

#[derive(Default)]
pub(super) struct Index {
    segments: BTreeMap<(Shelf, u32), Segment>,
    packs: HashMap<u32, Pack>,
    live: [u64; Class::ALL.len()],
    /// Bytes of all files.
    pub bytes: u64,
}

/// One pair of files, keys and bodies.
#[derive(Default)]
struct Segment {
    /// By slot.
    entries: Vec<Entry>,
    /// Slots in the order of their ids. Ids are made in the order of time, so adding is nearly always at the end.
    order: Vec<u16>,
    /// Bounds of the ids as numbers, which compare fastest: a search passes many segments.
    lowest: u128,
    highest: u128,
    live: u32,
    waiting: [u16; Class::ALL.len()],
    /// Earliest `born` of all entries.
    oldest: Decis,
    bytes: u64,
}

#[derive(Default)]
struct Pack {
    live: u32,
    bytes: u64,
}

/// Tenths of a second of the monotonic clock, negative for what was captured before this start.
pub(super) type Decis = i32;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub id: RecordId,
    pub born: Decis,
    /// Of the sealed body.
    pub length: u32,
    pub pack: u32,
    pub kind: Kind,
    pub hit: bool,
    pub state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Waiting,
    /// Stored, and nobody's to see yet: a certificate ahead of its purge.
    Withheld,
    /// Acknowledged by the broker, not yet received by the server.
    Published,
    Gone,
}

/// What can be removed from the disk after a record has gone.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Freed {
    pub pack: Option<u32>,
    /// The segment holds no record any more.
    pub segment: bool,
}

impl Entry {
    pub fn class(&self) -> Class {
        Class::of(self.kind, self.hit)
    }

    fn gone() -> Self {
        let id = RecordId::from_bytes([0; 16]);
        Self { id, born: 0, length: 0, pack: 0, kind: Kind::Read, hit: false, state: State::Gone }
    }
}

impl Index {
    /// Adds the record in a slot behind all that its segment holds.
    pub fn insert(&mut self, place: Place, entry: Entry) {
        let segment = self.segments.entry((place.shelf, place.segment)).or_insert_with(|| Segment {
            oldest: Decis::MAX,
            lowest: u128::MAX,
            ..Segment::default()
        });
        segment.entries.resize(usize::from(place.slot), Entry::gone());
        segment.entries.push(entry);
        let entries = &segment.entries;
        let at = segment.order.partition_point(|&slot| entries[usize::from(slot)].id < entry.id);
        segment.order.insert(at, place.slot);
        let number = number_of(entry.id);
        segment.lowest = segment.lowest.min(number);
        segment.highest = segment.highest.max(number);
        segment.live += 1;
        segment.waiting[entry.class() as usize] += u16::from(entry.state == State::Waiting);
        segment.oldest = segment.oldest.min(entry.born);
        self.live[entry.class() as usize] += 1;
        if entry.pack != 0 {
            self.packs.entry(entry.pack).or_default().live += 1;
        }
    }

    /// None while there is no record.
    pub fn lowest_segment(&self) -> Option<u32> {
        self.segments.keys().map(|(_, number)| *number).min()
    }

    /// Counts what the files have grown by.
    pub fn grow_segment(&mut self, shelf: Shelf, number: u32, bytes: u64) {
        if let Some(segment) = self.segments.get_mut(&(shelf, number)) {
            segment.bytes += bytes;
            self.bytes += bytes;
        }
    }

    pub fn grow_pack(&mut self, number: u32, bytes: u64) {
        if let Some(pack) = self.packs.get_mut(&number) {
            pack.bytes += bytes;
            self.bytes += bytes;
        }
    }

    /// A segment that will not grow any more needs no room to.
    pub fn close(&mut self, shelf: Shelf, number: u32) {
        if let Some(segment) = self.segments.get_mut(&(shelf, number)) {
            segment.entries.shrink_to_fit();
            segment.order.shrink_to_fit();
        }
    }

    pub fn find(&self, id: RecordId) -> Option<(Place, Entry)> {
        let wanted = number_of(id);
        let segments = self.segments.iter().rev();
        let mut may_hold =
            segments.filter(|(_, segment)| (segment.lowest..=segment.highest).contains(&wanted));
        may_hold.find_map(|(&(shelf, number), segment)| {
            let slot = segment.slot_of(id)?;
            let entry = segment.entries[usize::from(slot)];
            (entry.state != State::Gone).then_some((Place { shelf, segment: number, slot }, entry))
        })
    }

    /// Forgets a record; what it occupied can then be removed.
    pub fn remove(&mut self, place: Place) -> Freed {
        let mut freed = Freed::default();
        let Some(segment) = self.segments.get_mut(&(place.shelf, place.segment)) else { return freed };
        let entry = &mut segment.entries[usize::from(place.slot)];
        if entry.state == State::Gone {
            return freed;
        }
        let class = entry.class() as usize;
        segment.waiting[class] -= u16::from(entry.state == State::Waiting);
        entry.state = State::Gone;
        segment.live -= 1;
        self.live[class] -= 1;
        let (number, empty) = (entry.pack, segment.live == 0);
        if let Some(pack) = self.packs.get_mut(&number) {
            pack.live -= 1;
            if pack.live == 0 {
                self.bytes -= pack.bytes;
                self.packs.remove(&number);
                freed.pack = Some(number);
            }
        }
        if empty {
            let segment = self.segments.remove(&(place.shelf, place.segment)).expect("it was just found");
            self.bytes -= segment.bytes;
            freed.segment = true;
        }
        freed
    }

    pub fn set_state(&mut self, id: RecordId, state: State) -> bool {
        let Some((place, _)) = self.find(id) else { return false };
        let segment = self.segments.get_mut(&(place.shelf, place.segment)).expect("it was just found");
        segment.set_state(place.slot, state);
        true
    }

    /// Whatever was published and not received waits again.
    pub fn send_again(&mut self) {
        for segment in self.segments.values_mut() {
            if u32::from(segment.waiting.iter().sum::<u16>()) == segment.live {
                continue;
            }
            for slot in 0..segment.entries.len() {
                if segment.entries[slot].state == State::Published {
                    segment.set_state(slot as u16, State::Waiting);
                }
            }
        }
    }

    /// The waiting records of one class in the order of their storing, from a place on.
    pub fn waiting(&self, class: Class, from: (u32, u32)) -> impl Iterator<Item = (Place, Entry)> {
        let shelf = class.shelf();
        let segments = self.segments.range((shelf, from.0)..=(shelf, u32::MAX));
        segments.filter(move |(_, segment)| segment.waiting[class as usize] > 0).flat_map(
            move |(&(_, number), segment)| {
                let skip = if number == from.0 { from.1 as usize } else { 0 };
                segment.entries.iter().enumerate().skip(skip).filter_map(move |(slot, entry)| {
                    let place = Place { shelf, segment: number, slot: slot as u16 };
                    (entry.state == State::Waiting && entry.class() == class).then_some((place, *entry))
                })
            },
        )
    }

    /// The records of a shelf that were captured before.
    pub fn born_before(&self, shelf: Shelf, limit: Decis) -> Vec<(Place, Entry)> {
        let segments = self.segments.range((shelf, 0)..=(shelf, u32::MAX));
        let old = segments.filter(|(_, segment)| segment.oldest < limit);
        old.flat_map(|(&(_, number), segment)| segment.live(shelf, number))
            .filter(|(_, entry)| entry.born < limit)
            .collect()
    }

    /// When the oldest record was captured.
    pub fn oldest(&self) -> Option<Decis> {
        let mut oldest = None;
        for (&(shelf, number), segment) in &self.segments {
            // The segment's own bound spares a look at most of them.
            if oldest.is_none_or(|oldest| segment.oldest < oldest) {
                let born = segment.live(shelf, number).map(|(_, entry)| entry.born);
                oldest = born.chain(oldest).min();
            }
        }
        oldest
    }

    /// The records of a shelf's oldest segment.
    pub fn oldest_segment(&self, shelf: Shelf) -> Vec<(Place, Entry)> {
        let oldest = self.segments.range((shelf, 0)..=(shelf, u32::MAX)).next();
        oldest.map_or(Vec::new(), |(&(_, number), segment)| segment.live(shelf, number).collect())
    }

    /// The record of this class that was stored last.
    pub fn newest(&self, class: Class) -> Option<(Place, Entry)> {
        self.held(class).next()
    }

    /// The records of this class, sent or not, the last stored first.
    pub fn held(&self, class: Class) -> impl Iterator<Item = (Place, Entry)> {
        let shelf = class.shelf();
        let segments = self.segments.range((shelf, 0)..=(shelf, u32::MAX)).rev();
        segments
            .flat_map(move |(&(_, number), segment)| {
                segment.live(shelf, number).collect::<Vec<_>>().into_iter().rev()
            })
            .filter(move |(_, entry)| entry.class() == class)
    }

    pub fn live(&self, class: Class) -> u64 {
        self.live[class as usize]
    }

    pub fn has_pack(&self, number: u32) -> bool {
        self.packs.contains_key(&number)
    }

    pub fn has_segment(&self, shelf: Shelf, number: u32) -> bool {
        self.segments.contains_key(&(shelf, number))
    }
}

impl Segment {
    fn slot_of(&self, id: RecordId) -> Option<u16> {
        let entries = &self.entries;
        let id_of = |slot: &u16| entries[usize::from(*slot)].id;
        let at = self.order.partition_point(|slot| id_of(slot) < id);
        // An id may stand twice if its first record is gone and it was stored again.
        let same = self.order[at..].iter().take_while(|slot| id_of(slot) == id);
        same.copied().max_by_key(|&slot| entries[usize::from(slot)].state != State::Gone)
    }

    fn set_state(&mut self, slot: u16, state: State) {
        let entry = &mut self.entries[usize::from(slot)];
        let class = entry.class() as usize;
        self.waiting[class] -= u16::from(entry.state == State::Waiting);
        self.waiting[class] += u16::from(state == State::Waiting);
        entry.state = state;
    }

    fn live(&self, shelf: Shelf, number: u32) -> impl Iterator<Item = (Place, Entry)> {
        let entries = self.entries.iter().enumerate();
        entries
            .filter(|(_, entry)| entry.state != State::Gone)
            .map(move |(slot, entry)| (Place { shelf, segment: number, slot: slot as u16 }, *entry))
    }
}

fn number_of(id: RecordId) -> u128 {
    u128::from_be_bytes(*id.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: RecordId, kind: Kind, pack: u32) -> Entry {
        Entry { id, born: 5, length: 9, pack, kind, hit: true, state: State::Waiting }
    }

    fn place(segment: u32, slot: u16) -> Place {
        Place { shelf: Shelf::Kept, segment, slot }
    }

    #[test]
    fn an_entry_stays_small() {
        assert_eq!(size_of::<Entry>(), 32);
    }

    #[test]
    fn finds_by_id_whatever_the_order_of_storing() {
        let mut index = Index::default();
        let mut ids: Vec<_> = (0..9).map(|_| RecordId::new()).collect();
        ids.swap(0, 8);
        ids.swap(2, 5);
        for (slot, &id) in (0..).zip(&ids) {
            index.insert(place(1 + u32::from(slot) / 4, slot % 4), entry(id, Kind::Alert, 0));
        }
        for (slot, &id) in (0..).zip(&ids) {
            assert_eq!(index.find(id).unwrap().0, place(1 + slot / 4, slot as u16 % 4));
        }
        assert_eq!(index.find(RecordId::new()), None);
        index.remove(place(1, 2));
        assert_eq!(index.find(ids[2]), None);
    }

    #[test]
    fn a_pack_is_free_when_its_last_record_is_gone_and_so_is_a_segment() {
        let mut index = Index::default();
        for slot in 0..2 {
            index.insert(place(1, slot), entry(RecordId::new(), Kind::Picture, 7));
        }
        index.grow_pack(7, 100);
        assert_eq!(index.remove(place(1, 0)), Freed { pack: None, segment: false });
        assert_eq!(index.remove(place(1, 0)), Freed { pack: None, segment: false });
        assert_eq!(index.remove(place(1, 1)), Freed { pack: Some(7), segment: true });
        assert_eq!(index.bytes, 0);
    }

    #[test]
    fn what_is_published_waits_again_only_when_asked() {
        let mut index = Index::default();
        let id = RecordId::new();
        index.insert(place(1, 0), entry(id, Kind::Health, 0));
        assert!(index.set_state(id, State::Published));
        assert_eq!(index.waiting(Class::Health, (0, 0)).count(), 0);
        index.send_again();
        assert_eq!(index.waiting(Class::Health, (0, 0)).count(), 1);
        assert!(!index.set_state(RecordId::new(), State::Published));
    }
}
