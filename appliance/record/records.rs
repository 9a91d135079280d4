use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::watch;
use tracing::warn;

use super::config::Config;
use super::counters::{Counter, Counters};
use super::counts::{Counts, Loss};
use super::error::RecordError;
use super::group::Group;
use super::index::{Decis, Index, State};
use super::kind::{Class, Fetched, Kind, Shelf};
use super::memory::Memory;
use super::purge::Purge;
use super::recovery::{Recovered, decis, recover};
use super::sealing::open_body;
use super::slot::{Found, Place};
use super::steps::Steps;
use super::storing::Stored;
use super::writer::{Files, Sealed, Writer};
use crate::audit::{Audit, Event, Who};
use crate::crypto::UnitKey;
use crate::system::{Clock, Disk};
use crate::words::RecordId;

/// The store of records. Cheap to share; every method takes `&self` and may be called from any thread. Those
/// that write block for the disk, so an async caller goes through `spawn_blocking`.
pub struct Records {
    pub(super) config: Config,
    pub(super) files: Arc<Files>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) audit: Arc<Audit>,
    /// Held by whoever writes, for as long as the disk takes; always taken before `state`.
    pub(super) io: Mutex<Io>,
    /// Held while waiting for `io`, so that storing and purging take turns, however busy either is.
    turn: Mutex<()>,
    /// Held for moments only.
    state: Mutex<Shared>,
    pub(super) group: Group<Vec<Sealed>, Result<Stored, RecordError>>,
    counters: Mutex<Counters>,
    changed: watch::Sender<u64>,
    /// Nobody else writes here as long as this is held.
    _lock: Option<File>,
}

pub(super) struct Io {
    pub writer: Writer,
    pub steps: Steps,
    /// A purge whose certificate stands and whose keys the disk would not let go of yet.
    pub unfinished: Option<Purge>,
}

pub(super) struct Shared {
    pub index: Index,
    pub memory: Memory,
    pub counts: Counts,
    /// Losses while the disk refused, which the audit log could not hear of either.
    pub unreported: BTreeMap<(Loss, Kind), u64>,
    /// When the disk last refused records, by the monotonic clock.
    pub refused: Duration,
}

impl Shared {
    /// The waiting records of a class from a place on, oldest first. Segments count from 1: 0 stands for
    /// memory, whose records are few and come first.
    fn waiting(&self, class: Class, from: (u32, u32)) -> impl Iterator<Item = Waiting> {
        let in_memory = self.memory.waiting(class, if from.0 == 0 { from.1 } else { u32::MAX });
        let in_memory = in_memory.map(move |(number, sealed)| Waiting {
            id: sealed.slot.head.id,
            kind: sealed.slot.head.kind,
            hit: sealed.slot.head.hit,
            length: sealed.body.len() as u32,
            cursor: Cursor(class, 0, number),
        });
        let on_disk = self.index.waiting(class, from).map(move |(place, entry)| Waiting {
            id: entry.id,
            kind: entry.kind,
            hit: entry.hit,
            length: entry.length,
            cursor: Cursor(class, place.segment, u32::from(place.slot)),
        });
        in_memory.chain(on_disk)
    }
}

/// A record that waits to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    pub id: RecordId,
    pub kind: Kind,
    pub hit: bool,
    /// Bytes of the sealed body, 28 more than the body has.
    pub length: u32,
    pub cursor: Cursor,
}

/// A place in the order of sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor(Class, u32, u32);

impl Records {
    /// `folder` is for the records alone. `audit` hears of every purge and loss.
    pub fn open(
        config: Config,
        folder: &Path,
        key: &UnitKey,
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        audit: Arc<Audit>,
    ) -> Result<(Self, Recovered), RecordError> {
        let started = clock.now();
        let files = Arc::new(Files {
            keys: folder.join("keys"),
            bodies: folder.join("bodies"),
            check: folder.join("check"),
            steps: folder.join("steps"),
            slot_key: key.derive("record keys"),
            disk,
        });
        let open = |error: std::io::Error| RecordError::Open { path: folder.into(), why: error.to_string() };
        for made in [&files.keys, &files.bodies] {
            files.disk.create_folder(made).map_err(open)?;
        }
        let lock = files.disk.lock(folder).map_err(open)?;
        let opened = recover(&files, config.segment_records, started)?;
        let mut recovered = opened.recovered;
        let counters = Counters::open(files.disk.clone(), folder);
        let memory = Memory::new((config.memory_mb << 20) as usize);
        recovered.counters_damaged = counters.damaged;
        recovered.took = clock.now().since(&started);
        let records = Self {
            config,
            files,
            clock,
            audit,
            io: Mutex::new(Io { writer: opened.writer, steps: opened.steps, unfinished: None }),
            turn: Mutex::new(()),
            state: Mutex::new(Shared {
                index: opened.index,
                memory,
                counts: Counts::default(),
                unreported: BTreeMap::new(),
                refused: Duration::ZERO,
            }),
            group: Group::new(),
            counters: Mutex::new(counters),
            changed: watch::Sender::new(0),
            _lock: lock,
        };
        let damaged = recovered.bodies_missing + recovered.unreadable;
        if damaged > 0 {
            records.count_loss(Loss::Damaged, None, damaged);
        }
        Ok((records, recovered))
    }

    /// Up to `limit` records that were neither published nor received, most urgent first: alerts, their
    /// pictures, changes of health, audit, certificates, reads; each kind in the order of storing.
    ///
    /// `after` goes on behind an earlier answer; what is more urgent and came since is then not seen.
    pub fn waiting(&self, after: Option<Cursor>, limit: usize) -> Vec<Waiting> {
        let delivered =
            |class: &Class| class.shelf() == Shelf::Kept || self.config.policy.delivers_reads_without_match();
        let state = self.lock();
        let mut found = Vec::new();
        for class in Class::ALL.into_iter().filter(delivered) {
            let from = match after {
                Some(Cursor(passed, ..)) if passed > class => continue,
                Some(Cursor(same, segment, slot)) if same == class => (segment, slot + 1),
                _ => (0, 0),
            };
            found.extend(state.waiting(class, from).take(limit - found.len()));
            if found.len() == limit {
                break;
            }
        }
        found
    }

    /// The same for one kind alone: of hits or of the others.
    pub fn waiting_of(&self, kind: Kind, hit: bool, limit: usize) -> Vec<Waiting> {
        let class = Class::of(kind, hit);
        if class.shelf() != Shelf::Kept && !self.config.policy.delivers_reads_without_match() {
            return Vec::new();
        }
        self.lock().waiting(class, (0, 0)).take(limit).collect()
    }

    /// Up to `limit` records of a kind that are stored and not yet received, sent or not, the last stored first.
    pub fn held_of(&self, kind: Kind, hit: bool, limit: usize) -> Vec<RecordId> {
        let class = Class::of(kind, hit);
        let state = self.lock();
        let in_memory = state.memory.waiting(class, 0).map(|(_, sealed)| sealed.slot.head.id);
        let on_disk = state.index.held(class).map(|(_, entry)| entry.id);
        in_memory.chain(on_disk).take(limit).collect()
    }

    /// Decrypts a record and checks it against its digest.
    pub fn fetch(&self, id: RecordId) -> Result<Fetched, RecordError> {
        let (in_memory, on_disk) = {
            let state = self.lock();
            (state.memory.get(id).cloned(), state.index.find(id))
        };
        if let Some(Sealed { slot, body, .. }) = in_memory {
            let body = open_body(&slot, &body).ok_or(RecordError::Damaged(id))?;
            return Ok(Fetched { head: slot.head, body });
        }
        let (place, _) = on_disk.ok_or(RecordError::Unknown(id))?;
        match self.read(place) {
            Ok(Some(fetched)) if fetched.head.id == id => Ok(fetched),
            Ok(_) => Err(self.give_up(id, place)),
            Err(error) => Err(error.into()),
        }
    }

    /// The broker has these; they no longer wait, until the server has them or [`Records::send_again`].
    pub fn published(&self, ids: &[RecordId]) {
        let mut state = self.lock();
        for &id in ids {
            let _ =
                state.memory.set_state(id, State::Published) || state.index.set_state(id, State::Published);
        }
    }

    /// Whether the broker has acknowledged this record; none if it is stored no longer.
    pub fn is_published(&self, id: RecordId) -> Option<bool> {
        let state = self.lock();
        if state.memory.get(id).is_some() {
            return Some(state.memory.is_published(id));
        }
        state.index.find(id).map(|(_, entry)| entry.state == State::Published)
    }

    /// Whatever was published and not received waits again: for a broker that forgot the session, or a
    /// server that stays silent.
    pub fn send_again(&self) {
        let mut state = self.lock();
        state.memory.send_again();
        state.index.send_again();
        drop(state);
        self.notify();
    }

    pub fn counts(&self) -> Counts {
        let state = self.lock();
        let mut counts = state.counts.clone();
        for class in Class::ALL.into_iter().filter(|class| class.kind().is_counted()) {
            *counts.held.entry(class.kind()).or_default() += state.index.live(class);
        }
        for kind in state.memory.kinds().filter(|kind| kind.is_counted()) {
            *counts.held.entry(kind).or_default() += 1;
        }
        counts.in_memory = state.memory.len() as u64;
        counts.bytes = state.index.bytes;
        counts
    }

    /// How long ago the oldest record on the disk was captured that nobody has confirmed yet.
    pub fn oldest_age(&self) -> Option<Duration> {
        let born = self.lock().index.oldest()?;
        Some(self.since(born))
    }

    /// How long ago this record was captured, whatever was done to the wall clock since; none if it is stored no longer.
    pub fn age(&self, id: RecordId) -> Option<Duration> {
        let state = self.lock();
        let in_memory = state.memory.get(id).map(|sealed| sealed.born);
        let born = in_memory.or_else(|| state.index.find(id).map(|(_, entry)| entry.born));
        drop(state);
        born.map(|born| self.since(born))
    }

    fn since(&self, born: Decis) -> Duration {
        let tenths = i64::from(decis(self.clock.now().uptime)) - i64::from(born);
        Duration::from_millis(100 * tenths.max(0) as u64)
    }

    /// Changes whenever there may be more to send.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// The number of a new session with the broker: `at_least`, and higher than any before, also where the wall clock was
    /// set back before a restart. A disk that refuses to keep it must not stop delivery.
    pub fn next_session(&self, at_least: u64) -> u64 {
        let mut counters = self.counters();
        let number = at_least.max(counters.get(Counter::Session) + 1);
        if let Err(error) = counters.set(Counter::Session, number) {
            warn!(%error, "the number of the session may come again after a restart");
        }
        number
    }

    pub fn counter(&self, counter: Counter) -> u64 {
        self.counters().get(counter)
    }

    pub fn set_counter(&self, counter: Counter, value: u64) -> Result<(), RecordError> {
        Ok(self.counters().set(counter, value)?)
    }

    /// What lies at a place; none if it is damaged.
    fn read(&self, place: Place) -> std::io::Result<Option<Fetched>> {
        let short = |error: &std::io::Error| {
            matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::UnexpectedEof)
        };
        let slot = match self.files.read_slot(place) {
            Ok(Found::InUse(slot)) => slot,
            Ok(Found::Empty | Found::Unreadable) => return Ok(None),
            Err(error) if short(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        match self.files.read_body(place, slot.extent) {
            Ok(sealed) => Ok(open_body(&slot, &sealed).map(|body| Fetched { head: slot.head, body })),
            Err(error) if short(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A record that cannot be read: purged while it was being read, or damaged and so lost.
    fn give_up(&self, id: RecordId, place: Place) -> RecordError {
        let mut io = self.io();
        let still = self.lock().index.find(id).filter(|(found, _)| *found == place);
        let Some(found) = still else { return RecordError::Unknown(id) };
        if self.lose(&mut io, &[found], Loss::Damaged).is_err() {
            warn!(record = %id, "a damaged record cannot be removed");
        }
        RecordError::Damaged(id)
    }

    pub(super) fn count_loss(&self, loss: Loss, kind: Option<Kind>, count: u64) {
        *self.lock().counts.lost.entry(loss).or_default() += count;
        warn!(count, %loss, "records lost");
        self.report_loss(loss, kind, count);
    }

    /// Tells the audit log what was lost while the disk refused, one entry for each reason and kind, once it takes
    /// records again.
    pub(super) fn report_losses(&self) {
        let unreported = {
            let mut state = self.lock();
            if state.memory.len() == 0 {
                self.forgive(&mut state);
            }
            if state.counts.disk_fault.is_some() {
                return;
            }
            std::mem::take(&mut state.unreported)
        };
        for ((loss, kind), count) in unreported {
            self.report_loss(loss, Some(kind), count);
        }
    }

    fn report_loss(&self, loss: Loss, kind: Option<Kind>, count: u64) {
        let event = Event::RecordsLost {
            reason: loss.to_string(),
            kind: kind.map_or("unknown".to_owned(), |kind| kind.to_string()),
            count,
        };
        self.audit.note(Who::Unit, event);
    }

    pub(super) fn notify(&self) {
        self.changed.send_modify(|count| *count += 1);
    }

    pub(super) fn io(&self) -> MutexGuard<'_, Io> {
        let _turn = self.turn.lock().expect("no holder of this lock can panic");
        self.io.lock().expect("no holder of this lock can panic")
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Shared> {
        self.state.lock().expect("no holder of this lock can panic")
    }

    fn counters(&self) -> MutexGuard<'_, Counters> {
        self.counters.lock().expect("no holder of this lock can panic")
    }
}
