use std::collections::BTreeMap;

use super::index::State;
use super::kind::{Class, Kind};
use super::writer::Sealed;
use crate::words::RecordId;

/// Records that the disk did not take: kept here, deliverable like the others, gone with the power.
///
/// Overload policy: the oldest of what is no alert goes first, then the oldest alert, then those of the highest level, AMBER last.
pub(super) struct Memory {
    records: BTreeMap<u32, Held>,
    next: u32,
    bytes: usize,
    max: usize,
}

struct Held {
    sealed: Sealed,
    state: State,
}

impl Memory {
    pub fn new(max: usize) -> Self {
        Self { records: BTreeMap::new(), next: 0, bytes: 0, max }
    }

    /// Keeps a record; the classes of those that had to go for it.
    pub fn keep(&mut self, sealed: Sealed) -> Vec<Class> {
        self.bytes += sealed.body.len();
        self.records.insert(self.next, Held { sealed, state: State::Waiting });
        self.next += 1;
        let mut dropped = Vec::new();
        while self.bytes > self.max {
            // AMBER last, before it alerts of the highest level; of what is worth the same, the oldest first.
            let worth = |held: &Held| match held.sealed.slot.class() {
                Class::AmberAlert => 3,
                Class::CriticalAlert => 2,
                Class::Alert => 1,
                _ => 0,
            };
            let Some((&number, _)) = self.records.iter().min_by_key(|(_, held)| worth(held)) else { break };
            dropped.extend(self.take(number).map(|sealed| sealed.slot.class()));
        }
        dropped
    }

    pub fn get(&self, id: RecordId) -> Option<&Sealed> {
        self.number_of(id).map(|number| &self.records[&number].sealed)
    }

    pub fn remove(&mut self, id: RecordId) -> Option<Sealed> {
        self.number_of(id).and_then(|number| self.take(number))
    }

    pub fn set_state(&mut self, id: RecordId, state: State) -> bool {
        let held = self.records.values_mut().find(|held| held.sealed.slot.head.id == id);
        held.map(|held| held.state = state).is_some()
    }

    pub fn send_again(&mut self) {
        self.records.values_mut().for_each(|held| held.state = State::Waiting);
    }

    /// The waiting records of a class with their numbers, oldest first, from a number on.
    pub fn waiting(&self, class: Class, from: u32) -> impl Iterator<Item = (u32, &Sealed)> {
        let waiting = move |held: &Held| held.state == State::Waiting && held.sealed.slot.class() == class;
        let records = self.records.range(from..);
        records.filter(move |(_, held)| waiting(held)).map(|(&number, held)| (number, &held.sealed))
    }

    /// The oldest so many.
    pub fn oldest(&self, count: usize) -> Vec<Sealed> {
        self.records.values().take(count).map(|held| held.sealed.clone()).collect()
    }

    pub fn kinds(&self) -> impl Iterator<Item = Kind> {
        self.records.values().map(|held| held.sealed.slot.head.kind)
    }

    pub fn is_published(&self, id: RecordId) -> bool {
        self.number_of(id).is_some_and(|number| self.records[&number].state == State::Published)
    }

    pub fn len(&self) -> usize {
        self.records.len()
    }

    // Few enough that a search costs less than a second index would.
    fn number_of(&self, id: RecordId) -> Option<u32> {
        self.records.iter().find(|(_, held)| held.sealed.slot.head.id == id).map(|(&number, _)| number)
    }

    fn take(&mut self, number: u32) -> Option<Sealed> {
        let held = self.records.remove(&number)?;
        self.bytes -= held.sealed.body.len();
        Some(held.sealed)
    }
}
