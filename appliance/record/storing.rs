//! How records come to be: what the policy lets in, one commit for many callers, room made for them, and
//! memory for evidence while the disk refuses.

use std::collections::HashSet;
use std::time::Duration;

use tracing::{info, warn};

use super::counts::Loss;
use super::error::RecordError;
use super::index::State;
use super::kind::{Class, NewRecord, Shelf};
use super::policy::WithoutMatch;
use super::records::{Io, Records, Shared};
use super::sealing::{entry_of, seal};
use super::slot::SLOT;
use super::writer::{Sealed, Written};
use crate::words::RecordId;

/// For how long a refusal of the disk is told after the last one.
const TOLD_FOR: Duration = Duration::from_secs(10);

/// What became of records that were to be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// Durable.
    OnDisk,
    /// The disk refused; deliverable, but gone with the power.
    InMemory,
    /// The policy does not let any of them be stored.
    NotByPolicy,
}

impl Records {
    pub fn store(&self, record: NewRecord) -> Result<Stored, RecordError> {
        self.store_all(vec![record])
    }

    /// Stores records that belong together, such as an alert with its pictures: when it returns, all are
    /// durable, or all of those that are evidence are in memory because the disk refused.
    pub fn store_all(&self, records: Vec<NewRecord>) -> Result<Stored, RecordError> {
        let given = records.len();
        let sealed: Vec<_> = records.into_iter().filter(|record| self.may_store(record)).map(seal).collect();
        self.lock().counts.not_stored += (given - sealed.len()) as u64;
        if sealed.is_empty() {
            return Ok(Stored::NotByPolicy);
        }
        self.group.submit(sealed, |groups| self.commit_groups(groups))
    }

    fn may_store(&self, record: &NewRecord) -> bool {
        let never = matches!(self.config.policy.reads_without_match, WithoutMatch::Never {});
        !never || Class::of(record.kind, record.hit).shelf() == Shelf::Kept
    }

    fn commit_groups(&self, groups: Vec<Vec<Sealed>>) -> Vec<Result<Stored, RecordError>> {
        let mut io = self.io();
        let mut seen = HashSet::new();
        let duplicates: Vec<_> = groups.iter().map(|group| self.duplicate(group, &mut seen)).collect();
        let fresh = groups.iter().zip(&duplicates).filter(|(_, duplicate)| duplicate.is_none());
        let all: Vec<Sealed> = fresh.flat_map(|(group, _)| group.iter().cloned()).collect();
        let committed = self.commit(&mut io, &all);
        if let Ok(written) = &committed {
            self.admit(&all, written, State::Waiting);
        }
        let answer = |(group, duplicate): (Vec<Sealed>, Option<RecordId>)| match (duplicate, &committed) {
            (Some(id), _) => Err(RecordError::Duplicate(id)),
            (None, Ok(_)) => Ok(Stored::OnDisk),
            (None, Err(error)) => self.keep_in_memory(group, error),
        };
        let answers = groups.into_iter().zip(duplicates).map(answer).collect();
        drop(io);
        self.notify();
        answers
    }

    fn duplicate(&self, group: &[Sealed], seen: &mut HashSet<RecordId>) -> Option<RecordId> {
        let state = self.lock();
        let ids: Vec<_> = group.iter().map(|sealed| sealed.slot.head.id).collect();
        let known = |id: &RecordId| {
            seen.contains(id) || state.index.find(*id).is_some() || state.memory.get(*id).is_some()
        };
        let twice = (1..ids.len()).find(|&i| ids[..i].contains(&ids[i])).map(|i| ids[i]);
        let duplicate = twice.or(ids.iter().copied().find(known));
        if duplicate.is_none() {
            seen.extend(ids);
        }
        duplicate
    }

    /// Writes, and makes room for it first where that is needed and allowed.
    pub(super) fn commit(&self, io: &mut Io, records: &[Sealed]) -> std::io::Result<Written> {
        let Io { writer, steps, .. } = io;
        steps.follow(self.clock.now(), writer);
        let result = self.commit_with_room(io, records);
        let mut state = self.lock();
        match &result {
            Ok(_) => self.forgive(&mut state),
            Err(error) => {
                if state.counts.disk_fault.is_none() {
                    warn!(%error, "the disk does not take records; alerts are kept in memory");
                }
                state.counts.disk_fault = Some(error.to_string());
                state.refused = self.clock.now().uptime;
            }
        }
        result
    }

    /// Forgets a refusal once the disk has taken everything for [`TOLD_FOR`]. A disk that is nearly full takes some records and
    /// refuses others; were the fault gone with each that it takes, nobody who looks once a second would see it.
    pub(super) fn forgive(&self, state: &mut Shared) {
        let passed = self.clock.now().uptime.saturating_sub(state.refused) >= TOLD_FOR;
        if passed && state.counts.disk_fault.take().is_some() {
            info!("the disk takes records again");
        }
    }

    fn commit_with_room(&self, io: &mut Io, records: &[Sealed]) -> std::io::Result<Written> {
        let needed: u64 = records.iter().map(|sealed| (sealed.body.len() + SLOT) as u64).sum();
        while self.lock().index.bytes + needed > self.config.max_mb << 20 && self.drop_oldest(io)? {}
        loop {
            match io.writer.commit(records) {
                Err(error) if is_full(&error) && self.drop_oldest(io)? => {}
                other => return other,
            }
        }
    }

    /// Makes written records known.
    pub(super) fn admit(&self, records: &[Sealed], written: &Written, as_state: State) {
        let mut state = self.lock();
        for (sealed, &(place, extent)) in records.iter().zip(&written.places) {
            state.index.insert(place, entry_of(sealed, extent, as_state));
        }
        for &(shelf, number, bytes) in &written.segments {
            state.index.grow_segment(shelf, number, bytes);
        }
        for &(number, bytes) in &written.packs {
            state.index.grow_pack(number, bytes);
        }
        for &(shelf, number) in &written.closed {
            state.index.close(shelf, number);
        }
        state.counts.stored +=
            records.iter().filter(|sealed| sealed.slot.head.kind.is_counted()).count() as u64;
    }

    fn keep_in_memory(&self, group: Vec<Sealed>, error: &std::io::Error) -> Result<Stored, RecordError> {
        let kept = |sealed: &Sealed| sealed.slot.class().shelf() == Shelf::Kept;
        let (evidence, other): (Vec<_>, Vec<_>) = group.into_iter().partition(kept);
        let result = if evidence.is_empty() {
            Err(RecordError::Disk(error.to_string()))
        } else {
            Ok(Stored::InMemory)
        };
        let mut state = self.lock();
        let dropped: Vec<Class> = evidence.into_iter().flat_map(|sealed| state.memory.keep(sealed)).collect();
        let refused = other.iter().map(|sealed| (Loss::DiskRefused, sealed.slot.head.kind));
        for (loss, kind) in refused.chain(dropped.iter().map(|class| (Loss::MemoryFull, class.kind()))) {
            *state.counts.lost.entry(loss).or_default() += 1;
            *state.unreported.entry((loss, kind)).or_default() += 1;
        }
        if other.len() + dropped.len() > 0 {
            warn!(refused = other.len(), dropped = dropped.len(), "records lost: the disk refuses them");
        }
        result
    }
}

/// Whether room is what the disk lacks.
pub(super) fn is_full(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)
}
