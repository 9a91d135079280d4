use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::calendar::Calendar;
use super::config::Config;
use super::edition::{Edition, ListKeys};
use super::entry::{Category, Entry};
use super::ledger::Current;
use super::listed::Listed;
use super::manual::{Manual, ManualChange, ManualSummary};
use super::manual_entry::{Author, ManualEntry, ManualError, Request};
use super::manual_message::{ManualAct, ManualMessage, ManualMessageError};
use super::matching::{self, ListVersion, Look, Lookup, Match};
use super::refusal::StoreError;
use crate::crypto::KeyId;
use crate::words::{ListName, Moment, Plate, Reading, RecordId, StateReading, UnitId};

/// The lists in force: matching, manual entries and what health and the console show.
///
/// Cheap to clone, usable from every thread. Matching never waits for an import: a new edition is built
/// beside the old one and takes its place in an instant, and so are manual entries that the disk has taken.
#[derive(Clone)]
pub struct Hotlist(Arc<Shared>);

pub(super) struct Shared {
    pub keys: ListKeys,
    config: Config,
    lists: RwLock<BTreeMap<ListName, InForce>>,
    notes: Mutex<BTreeMap<ListName, Note>>,
    /// Held by whoever changes manual entries, for as long as the disk takes.
    manual_turn: Mutex<()>,
    manual: RwLock<Arc<Manual>>,
    calendar: Mutex<Calendar>,
}

/// An edition that matches.
pub(super) struct InForce {
    pub version: ListVersion,
    pub expires: Option<Timestamp>,
    pub installed: Timestamp,
    pub by: KeyId,
    pub edition: Edition,
}

impl InForce {
    pub fn new(list: &ListName, current: &Current, edition: Edition) -> Self {
        Self {
            version: current.list_version(list),
            expires: current.expires,
            installed: current.installed,
            by: current.by.clone(),
            edition,
        }
    }

    /// After a step: the same edition, a new version.
    pub fn describe(&mut self, list: &ListName, current: &Current) {
        self.version = current.list_version(list);
        self.expires = current.expires;
        self.installed = current.installed;
        self.by = current.by.clone();
    }
}

/// What there is to say about a list beside what is in force.
#[derive(Debug, Clone, Default)]
pub(super) struct Note {
    pub on_its_way: Option<u64>,
    pub last_refusal: Option<RefusalNote>,
    pub refusals: u64,
    /// The unit once held a newer version than the one in force.
    pub outdone: bool,
    /// Why a read could not be looked up in what is in force; each such read may be a missed match.
    pub unreadable: Option<String>,
}

/// A refused update, as health and the console show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RefusalNote {
    /// By the unit's clock.
    #[cfg_attr(test, schemars(with = "crate::contract::Time"))]
    pub at: Timestamp,
    /// In words.
    pub why: String,
}

/// How fresh a list is by its own date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Freshness {
    Fresh,
    /// Past `warn_age_h`.
    Ageing,
    /// Past `fault_age_h`, past what its publisher calls its expiry, or older than one that the unit once held. It
    /// still matches.
    Stale,
    /// The unit holds no edition of it.
    Missing,
}

/// One configured list as health, the console and reports show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ListSummary {
    pub list: ListName,
    pub freshness: Freshness,
    /// Null while the unit holds none.
    pub version: Option<u64>,
    /// The list's own date.
    #[cfg_attr(test, schemars(with = "Option<crate::contract::Time>"))]
    pub issued: Option<Timestamp>,
    /// Seconds since that date.
    pub age_s: Option<u64>,
    /// From then on its publisher calls it out of date.
    #[cfg_attr(test, schemars(with = "Option<crate::contract::Time>"))]
    pub expires: Option<Timestamp>,
    /// When the unit took it.
    #[cfg_attr(test, schemars(with = "Option<crate::contract::Time>"))]
    pub installed: Option<Timestamp>,
    /// The key's id.
    pub signed_by: Option<KeyId>,
    /// Listed vehicles.
    pub entries: u64,
    /// A newer version that is being waited for or fetched.
    pub on_its_way: Option<u64>,
    /// The last edition that was not taken, and why.
    pub last_refusal: Option<RefusalNote>,
    /// Refused messages since the program started.
    pub refusals: u64,
}

impl Hotlist {
    pub(super) fn new(keys: ListKeys, config: Config, manual: Manual) -> Self {
        let notes = config.lists.iter().map(|list| (list.name.clone(), Note::default())).collect();
        Self(Arc::new(Shared {
            keys,
            config,
            lists: RwLock::default(),
            notes: Mutex::new(notes),
            manual_turn: Mutex::default(),
            manual: RwLock::new(Arc::new(manual)),
            calendar: Mutex::default(),
        }))
    }

    /// Every listed vehicle that the read one may be, the most urgent first.
    ///
    /// A list that cannot be read is skipped; [`Updates`](super::Updates) sees to it that it is had again.
    pub fn matches(&self, reading: &Reading, state: &StateReading, now: Timestamp) -> Vec<Match> {
        let look = Look::new(reading, state, now, self.0.config.matching);
        let mut matches = Vec::new();
        for in_force in self.lists().values() {
            let looked = look.at(&Held { keys: &self.0.keys, in_force }, &mut matches);
            self.note_fault(&in_force.version.list, looked);
        }
        let manual = self.manual();
        let looked = look.on(self.date(now)).at(&*manual, &mut matches);
        self.note_fault(&manual.version().list, looked);
        matching::sort(&mut matches);
        matches
    }

    /// Holds a read of the unit's own test plate against every list, as any read, and against an entry for `plate`
    /// that stands in none: gives how it matches that one. What it may match in a list by chance is left alone.
    ///
    /// # Errors
    /// If any list cannot be looked at.
    pub fn try_out(
        &self,
        reading: &Reading,
        state: &StateReading,
        plate: Plate,
        now: Timestamp,
    ) -> Result<Option<Match>, StoreError> {
        let look = Look::new(reading, state, now, self.0.config.matching);
        let mut by_chance = Vec::new();
        for in_force in self.lists().values() {
            look.at(&Held { keys: &self.0.keys, in_force }, &mut by_chance)?;
        }
        look.at(&*self.manual(), &mut by_chance)?;
        let mut matches = Vec::new();
        look.at(&TestEntry::of(plate, now), &mut matches)?;
        Ok(matches.pop())
    }

    /// Each configured list, whether held or not.
    pub fn summary(&self, now: Timestamp) -> Vec<ListSummary> {
        let lists = self.lists();
        let notes = self.notes();
        let summary = |(list, note): (&ListName, &Note)| {
            let in_force = lists.get(list);
            let age_s = in_force.map(|held| held.version.age_s(now));
            ListSummary {
                list: list.clone(),
                freshness: self.freshness(in_force, note, now),
                version: in_force.map(|held| held.version.version),
                issued: in_force.map(|held| held.version.issued),
                age_s,
                expires: in_force.and_then(|held| held.expires),
                installed: in_force.map(|held| held.installed),
                signed_by: in_force.map(|held| held.by.clone()),
                entries: in_force.map_or(0, |held| held.edition.count()),
                on_its_way: note.on_its_way,
                last_refusal: note.last_refusal.clone(),
                refusals: note.refusals,
            }
        };
        notes.iter().map(summary).collect()
    }

    fn freshness(&self, in_force: Option<&InForce>, note: &Note, now: Timestamp) -> Freshness {
        let Some(held) = in_force else { return Freshness::Missing };
        let age_s = held.version.age_s(now);
        let past = |hours: u32| age_s > u64::from(hours) * 3600;
        let outdated = note.outdone || past(self.0.config.fault_age_h);
        if outdated || held.expires.is_some_and(|expires| expires <= now) {
            Freshness::Stale
        } else if past(self.0.config.warn_age_h) {
            Freshness::Ageing
        } else {
            Freshness::Fresh
        }
    }

    /// Takes down a request for a manual entry, its change or its removal; nothing comes of it until another
    /// person approves it. None if it was made before under the same id.
    pub fn manual_request(
        &self,
        id: RecordId,
        request: Request,
        by: &Author,
        now: Timestamp,
    ) -> Result<Option<ManualChange>, ManualError> {
        self.change_manual(|manual| manual.request(id, request, by, now))
    }

    pub fn manual_approve(
        &self,
        id: RecordId,
        by: &Author,
        now: Timestamp,
    ) -> Result<ManualChange, ManualError> {
        self.change_manual(|manual| manual.approve(id, by, now))
    }

    pub fn manual_decline(
        &self,
        id: RecordId,
        by: &Author,
        now: Timestamp,
    ) -> Result<ManualChange, ManualError> {
        self.change_manual(|manual| manual.decline(id, by, now))
    }

    /// What a person says by signed message. None if it was said before.
    pub fn manual_message(
        &self,
        payload: &[u8],
        unit: &UnitId,
        now: Timestamp,
    ) -> Result<Option<(ManualChange, Author)>, ManualMessageError> {
        let (message, by) = ManualMessage::open(payload, unit, &self.0.config.people, now)?;
        let change = match message.act {
            ManualAct::Request(request) => self.manual_request(message.id, request, &by, now)?,
            ManualAct::Approve(id) => Some(self.manual_approve(id, &by, now)?),
            ManualAct::Decline(id) => Some(self.manual_decline(id, &by, now)?),
        };
        Ok(change.map(|change| (change, by)))
    }

    /// To be told about once a second, so that a clock that jumps ends no manual entry. `trusted`: whether a time service
    /// keeps the clock.
    pub fn tell_time(&self, now: Moment, trusted: bool) {
        let known = self.manual().last_act();
        self.calendar().tell(now, trusted, known);
    }

    /// A person has set the clock by hand, which showed `from` just before.
    ///
    /// # Errors
    /// Where the disk does not take that it was set back: what was done by the wrong time then counts after a restart.
    pub fn clock_was_set(&self, from: Timestamp, now: Moment) -> Result<(), StoreError> {
        self.calendar().set_by_hand(now);
        match from > now.wall {
            true => self.change_manual(|manual| manual.note_set_back(from, now.wall)),
            false => Ok(()),
        }
    }

    /// The date by which manual entries are in force; `wall` where nobody tells the time.
    pub fn date(&self, wall: Timestamp) -> Timestamp {
        self.calendar().date(wall)
    }

    /// The manual entries that people must now be told of, each once. To be asked every second or so.
    pub fn manual_due(&self, now: Timestamp) -> Result<Vec<ManualChange>, StoreError> {
        let date = self.date(now);
        self.change_manual(|manual| manual.due(date))
    }

    pub fn manual_expires_soon(&self, entry: &ManualEntry, now: Timestamp) -> bool {
        self.manual().expires_soon(entry, self.date(now))
    }

    pub fn manual_summary(&self, now: Timestamp) -> ManualSummary {
        self.manual().summary(self.date(now))
    }

    /// Pending, in force and lately ended, the newest first.
    pub fn manual_list(&self) -> Vec<ManualEntry> {
        self.manual().list()
    }

    fn note_fault(&self, list: &ListName, looked: Result<(), StoreError>) {
        let Err(error) = looked else { return };
        // Manual entries lie in memory, and have no note.
        if let Some(note) = self.notes().get_mut(list).filter(|note| note.unreadable.is_none()) {
            tracing::error!(%list, %error, "a read could not be looked up");
            note.unreadable = Some(error.to_string());
        }
    }

    /// Lists in which a read could not be looked up, and why.
    pub(super) fn unreadable(&self) -> Vec<(ListName, String)> {
        let notes = self.notes();
        let unreadable =
            notes.iter().filter_map(|(list, note)| Some((list.clone(), note.unreadable.clone()?)));
        unreadable.collect()
    }

    pub(super) fn config(&self) -> &Config {
        &self.0.config
    }

    pub(super) fn keys(&self) -> &ListKeys {
        &self.0.keys
    }

    pub(super) fn lists(&self) -> RwLockReadGuard<'_, BTreeMap<ListName, InForce>> {
        self.0.lists.read().expect("no writer of this lock can panic")
    }

    pub(super) fn lists_mut(&self) -> RwLockWriteGuard<'_, BTreeMap<ListName, InForce>> {
        self.0.lists.write().expect("no writer of this lock can panic")
    }

    pub(super) fn notes(&self) -> MutexGuard<'_, BTreeMap<ListName, Note>> {
        self.0.notes.lock().expect("no holder of this lock can panic")
    }

    fn manual(&self) -> Arc<Manual> {
        self.0.manual.read().expect("no writer of this lock can panic").clone()
    }

    /// On a copy, so that no match waits while the disk takes the change.
    fn change_manual<T, E>(&self, change: impl FnOnce(&mut Manual) -> Result<T, E>) -> Result<T, E> {
        let _turn = self.0.manual_turn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut manual = Manual::clone(&self.manual());
        let changed = change(&mut manual)?;
        *self.0.manual.write().expect("no writer of this lock can panic") = Arc::new(manual);
        Ok(changed)
    }

    fn calendar(&self) -> MutexGuard<'_, Calendar> {
        self.0.calendar.lock().expect("no holder of this lock can panic")
    }
}

/// The one entry that the unit's own test plate is matched with, and no other read.
struct TestEntry {
    version: ListVersion,
    entry: Entry,
}

impl TestEntry {
    fn of(plate: Plate, now: Timestamp) -> Self {
        let list = ListName::parse("canary").expect("a constant name of allowed characters");
        let entry = Entry::new(Listed::Plate(plate), Category::Other);
        Self { version: ListVersion { list, version: 0, issued: now }, entry }
    }
}

impl Lookup for TestEntry {
    fn version(&self) -> &ListVersion {
        &self.version
    }

    fn count(&self) -> u64 {
        1
    }

    fn find(&self, plate: &Plate) -> Result<Vec<Entry>, StoreError> {
        Ok((self.entry.plate == Listed::Plate(*plate)).then(|| self.entry.clone()).into_iter().collect())
    }

    fn each_pattern(&self, _: &mut dyn FnMut(&Entry)) {}
}

/// An edition in force together with the keys that open it.
struct Held<'a> {
    keys: &'a ListKeys,
    in_force: &'a InForce,
}

impl Lookup for Held<'_> {
    fn version(&self) -> &ListVersion {
        &self.in_force.version
    }

    fn count(&self) -> u64 {
        self.in_force.edition.count()
    }

    fn find(&self, plate: &Plate) -> Result<Vec<Entry>, StoreError> {
        let edition = &self.in_force.edition;
        if edition.may_hold(plate) { edition.find(self.keys, plate) } else { Ok(Vec::new()) }
    }

    fn each_pattern(&self, take: &mut dyn FnMut(&Entry)) {
        self.in_force.edition.patterns().iter().for_each(take);
    }
}
