//! How records end: received, expired, or lost. Keys first, then bytes, with a certificate where a vehicle
//! was captured.

use std::collections::HashSet;

use tracing::{debug, warn};

use super::certificate::{Certificate, PurgedRecord, RECORDS_MAX, digest_of};
use super::counts::{Loss, Reason};
use super::error::RecordError;
use super::index::{Decis, Entry, State};
use super::kind::{Head, Kind, NewRecord, Shelf};
use super::records::{Io, Records};
use super::recovery::decis;
use super::sealing::seal;
use super::slot::{Extent, Found, Place};
use super::storing::is_full;
use super::writer::Sealed;
use crate::audit::{Event, Who};
use crate::crypto::Digest;
use crate::words::RecordId;

/// Expiry begins so long before the limit, so that the work is done in time even where the disk is slow.
const EXPIRY_MARGIN: Decis = 50;

/// When something must expire, all goes that would have to within this time: one certificate instead of many.
const EXPIRY_TOGETHER: Decis = 300;

/// Lines of receipts that are taken before others may write: a backlog's purge must not hold up an alert.
const RECEIPTS_TOGETHER: usize = 512;

/// Records that memory hands back to the disk in one commit.
const BACK_TO_DISK: usize = 32;

/// What became of the records that a receipt names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Received {
    pub purged: Vec<RecordId>,
    /// The server has something else under this id: the record waits again.
    pub wrong_digest: Vec<RecordId>,
    /// Purged before, or never ours.
    pub unknown: Vec<RecordId>,
}

/// What a sweep did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    pub expired: u64,
    /// Records that were in memory only and now are durable.
    pub back_on_disk: u64,
}

/// A purge whose certificate stands.
pub(super) struct Purge {
    subjects: Vec<Subject>,
    certificate: Option<Certified>,
    reason: Reason,
}

#[derive(Clone)]
struct Subject {
    head: Head,
    /// None: in memory.
    at: Option<(Place, Extent)>,
}

enum Certified {
    OnDisk(RecordId),
    /// The disk is full, and only the purge itself will make room; or it refuses, and the purge needs none.
    InMemory(Sealed),
}

impl Records {
    /// The server has received these: what fits its digest is purged, durably when this returns.
    ///
    /// # Errors
    /// Where the disk refuses; what was purged until then stays purged.
    pub fn received(&self, receipts: &[(RecordId, Digest)]) -> Result<Received, RecordError> {
        let mut answer = Received::default();
        for part in receipts.chunks(RECEIPTS_TOGETHER) {
            let Received { purged, wrong_digest, unknown } = self.received_together(part)?;
            answer.purged.extend(purged);
            answer.wrong_digest.extend(wrong_digest);
            answer.unknown.extend(unknown);
        }
        Ok(answer)
    }

    fn received_together(&self, receipts: &[(RecordId, Digest)]) -> Result<Received, RecordError> {
        let mut io = self.io();
        self.finish(&mut io)?;
        let mut answer = Received::default();
        let mut subjects = Vec::new();
        let mut seen = HashSet::new();
        for &(id, digest) in receipts.iter().filter(|line| seen.insert(**line)) {
            match self.subject(&mut io, id)? {
                None => answer.unknown.push(id),
                Some(subject) if subject.head.sha256 == digest => subjects.push(subject),
                Some(_) => answer.wrong_digest.push(id),
            }
        }
        {
            let mut state = self.lock();
            state.counts.wrong_digests += answer.wrong_digest.len() as u64;
            for &id in &answer.wrong_digest {
                let _ =
                    state.memory.set_state(id, State::Waiting) || state.index.set_state(id, State::Waiting);
            }
        }
        answer.purged = subjects.iter().map(|subject| subject.head.id).collect();
        let result = self.purge(&mut io, subjects, Reason::Received);
        drop(io);
        self.notify();
        result.map(|()| answer)
    }

    /// Drops a canary, which has come back or was given up. Touches nothing else.
    pub fn drop_canary(&self, id: RecordId) -> Result<(), RecordError> {
        let mut io = self.io();
        self.finish(&mut io)?;
        let subject = self.subject(&mut io, id)?.filter(|subject| subject.head.kind == Kind::Canary);
        self.purge(&mut io, subject.into_iter().collect(), Reason::Received)
    }

    /// To be called about once a second: purges what the policy does not let stay, and brings to the disk
    /// what it had refused. Counts on the monotonic clock, so that nothing expires because somebody set the time.
    pub fn sweep(&self) -> Result<Swept, RecordError> {
        let mut io = self.io();
        let Io { writer, steps, .. } = &mut *io;
        steps.follow(self.clock.now(), writer);
        self.finish(&mut io)?;
        let back_on_disk = self.bring_back(&mut io);
        let mut subjects = Vec::new();
        for entry in self.expired() {
            subjects.extend(self.subject(&mut io, entry.id)?);
        }
        let expired = subjects.len() as u64;
        self.purge(&mut io, subjects, Reason::Expired)?;
        drop(io);
        self.report_losses();
        if expired + back_on_disk > 0 {
            self.notify();
        }
        Ok(Swept { expired, back_on_disk })
    }

    fn expired(&self) -> Vec<Entry> {
        let Some(limit) = self.config.policy.limit() else { return Vec::new() };
        let (now, limit) = (decis(self.clock.now().uptime), decis(limit));
        let due = now.saturating_sub(limit).saturating_add(EXPIRY_MARGIN.min(limit));
        let together = due.saturating_add(EXPIRY_TOGETHER.min(limit / 2));
        let state = self.lock();
        let shelves = [Shelf::Reads, Shelf::Pictures];
        let due = |shelf: &Shelf| limit == 0 || !state.index.born_before(*shelf, due).is_empty();
        let before = if limit == 0 { Decis::MAX } else { together };
        let found = shelves.into_iter().filter(due).flat_map(|shelf| state.index.born_before(shelf, before));
        found.map(|(_, entry)| entry).collect()
    }

    fn bring_back(&self, io: &mut Io) -> u64 {
        let mut back = 0;
        loop {
            let oldest = self.lock().memory.oldest(BACK_TO_DISK);
            if oldest.is_empty() {
                return back;
            }
            let Ok(written) = self.commit(io, &oldest) else { return back };
            let published = {
                let mut state = self.lock();
                let published =
                    oldest.iter().filter(|sealed| state.memory.is_published(sealed.slot.head.id)).cloned();
                let published: Vec<_> = published.collect();
                oldest.iter().for_each(|sealed| drop(state.memory.remove(sealed.slot.head.id)));
                published
            };
            self.admit(&oldest, &written, State::Waiting);
            self.published(&published.iter().map(|sealed| sealed.slot.head.id).collect::<Vec<_>>());
            back += oldest.len() as u64;
        }
    }

    fn subject(&self, io: &mut Io, id: RecordId) -> Result<Option<Subject>, RecordError> {
        let (in_memory, on_disk) = {
            let state = self.lock();
            (state.memory.get(id).map(|sealed| sealed.slot.head.clone()), state.index.find(id))
        };
        if let Some(head) = in_memory {
            return Ok(Some(Subject { head, at: None }));
        }
        let Some((place, entry)) = on_disk else { return Ok(None) };
        match self.files.read_slot(place)? {
            Found::InUse(slot) if slot.head.id == id => {
                Ok(Some(Subject { head: slot.head, at: Some((place, slot.extent)) }))
            }
            _ => {
                self.lose(io, &[(place, entry)], Loss::Damaged)?;
                Ok(None)
            }
        }
    }

    /// Certificate, then keys, then bytes; in parts that one certificate can name, one after another, so that
    /// at start only the newest certificate can be ahead of its work.
    fn purge(&self, io: &mut Io, subjects: Vec<Subject>, reason: Reason) -> Result<(), RecordError> {
        for part in subjects.chunks(RECORDS_MAX) {
            let captured = part.iter().filter(|subject| subject.head.kind.is_captured());
            let captured: Vec<_> = captured.map(|subject| PurgedRecord::of(&subject.head)).collect();
            let in_memory = part.iter().all(|subject| subject.at.is_none());
            let certificate = match captured.is_empty() {
                true => None,
                false => Some(self.certify(io, captured, reason, in_memory)?),
            };
            io.unfinished = Some(Purge { subjects: part.to_vec(), certificate, reason });
            self.finish(io)?;
        }
        Ok(())
    }

    fn certify(
        &self,
        io: &mut Io,
        records: Vec<PurgedRecord>,
        reason: Reason,
        in_memory: bool,
    ) -> Result<Certified, RecordError> {
        let id = RecordId::new();
        let now = self.clock.now();
        let policy = self.config.policy.name.clone();
        let records_sha256 = digest_of(&records);
        let decided = self.audit.append(
            Who::Unit,
            Event::PurgeDecided {
                certificate: id,
                reason: reason.to_string(),
                policy: policy.clone(),
                records: records.len() as u64,
                sha256: records_sha256,
            },
        );
        // A full disk must not keep what the law wants gone: the certificate then stands without the log.
        let audit = decided.inspect_err(|error| warn!(%error, "a purge is not in the audit log")).ok();
        let certificate = Certificate { id, at: now.wall, reason, policy, records, records_sha256, audit };
        let sealed = seal(NewRecord {
            id,
            kind: Kind::Certificate,
            hit: false,
            belongs_to: None,
            captured: now,
            clock_trusted: self.audit.clock_trusted(),
            body: serde_json::to_vec(&certificate).expect("a certificate is plain data"),
        });
        match self.commit(io, std::slice::from_ref(&sealed)) {
            Ok(written) => {
                self.admit(std::slice::from_ref(&sealed), &written, State::Withheld);
                Ok(Certified::OnDisk(id))
            }
            Err(error) if in_memory || is_full(&error) => Ok(Certified::InMemory(sealed)),
            Err(error) => Err(error.into()),
        }
    }

    /// Destroys what a certificate says is destroyed; only then the certificate is seen by anybody.
    fn finish(&self, io: &mut Io) -> Result<(), RecordError> {
        let Some(mut purge) = io.unfinished.take() else { return Ok(()) };
        {
            // Making room for the certificate may have taken the very records.
            let state = self.lock();
            purge.subjects.retain(|subject| match subject.at {
                Some((place, _)) => state.index.find(subject.head.id).is_some_and(|(at, _)| at == place),
                None => state.memory.get(subject.head.id).is_some(),
            });
        }
        let on_disk: Vec<_> = purge.subjects.iter().filter_map(|subject| subject.at).collect();
        if let Err(error) = io.writer.destroy_keys(on_disk.iter().map(|&(place, _)| place)) {
            io.unfinished = Some(purge);
            return Err(error.into());
        }
        if let Err(error) = io.writer.erase_bodies(on_disk.iter().copied()) {
            debug!(%error, "bytes without a key stay until their file goes");
        }
        self.forget(io, on_disk.iter().map(|&(place, _)| place));
        let mut state = self.lock();
        for subject in purge.subjects.iter().filter(|subject| subject.at.is_none()) {
            state.memory.remove(subject.head.id);
        }
        let count = purge.subjects.iter().filter(|subject| subject.head.kind.is_counted()).count() as u64;
        if count > 0 {
            *state.counts.purged.entry(purge.reason).or_default() += count;
        }
        if purge.reason == Reason::Received {
            state.counts.received += count;
        }
        match purge.certificate {
            Some(Certified::OnDisk(id)) => drop(state.index.set_state(id, State::Waiting)),
            Some(Certified::InMemory(sealed)) => drop(state.memory.keep(sealed)),
            None => {}
        }
        Ok(())
    }

    /// Loses the oldest segment of what may be lost; false if there is none.
    pub(super) fn drop_oldest(&self, io: &mut Io) -> std::io::Result<bool> {
        for shelf in [Shelf::Reads, Shelf::Pictures] {
            let oldest = self.lock().index.oldest_segment(shelf);
            if !oldest.is_empty() {
                self.lose(io, &oldest, Loss::NoRoom)?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Destroys records without a certificate, because nobody wanted it; the audit log hears of it.
    pub(super) fn lose(&self, io: &mut Io, records: &[(Place, Entry)], loss: Loss) -> std::io::Result<()> {
        let places = || records.iter().map(|&(place, _)| place);
        io.writer.destroy_keys(places())?;
        self.forget(io, places());
        let kind = records.first().map_or(Kind::Read, |(_, entry)| entry.kind);
        self.count_loss(loss, Some(kind), records.len() as u64);
        Ok(())
    }

    /// Removes from memory what has no key any more, and the files that hold nothing else.
    fn forget(&self, io: &mut Io, places: impl Iterator<Item = Place>) {
        let mut failed = None;
        for place in places {
            let freed = self.lock().index.remove(place);
            if let Some(pack) = freed.pack {
                failed = self.files.remove_pack(pack).err().or(failed);
            }
            if freed.segment {
                io.writer.close(place.shelf, place.segment);
                failed = self.files.remove_segment(place.shelf, place.segment).err().or(failed);
            }
        }
        if let Some(error) = failed {
            warn!(%error, "files without keys cannot be removed yet; the next start will");
        }
    }
}
