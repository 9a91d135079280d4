//! Entries that people add on the unit: requested by one, approved by another.
//!
//! Promise: what was requested or approved survives a power cut once the call has returned; the file is
//! sealed, so that it tells nobody without the unit's key who is listed; until a second person has approved
//! it, and once it has ended, an entry matches nothing. A change or a removal needs a second person as well: until
//! then the entry matches as it was.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tracing::warn;

use super::config::MANUAL_LIST;
use super::entry::Entry;
use super::listed::Listed;
use super::manual_entry::{
    Act, Author, End, Ended, MOST, ManualEntry, ManualError, ManualState, Removal, Request, Told, acceptable,
};
use super::matching::{ListVersion, Lookup};
use super::refusal::StoreError;
use super::text::Text;
use crate::crypto::{SealedFile, UnitKey};
use crate::words::{ListName, PersonName, Plate, RecordId};

/// Entries stay to be seen for this long after their end.
const KEPT: SignedDuration = SignedDuration::from_hours(24 * 7);
const CONTEXT: &[u8] = b"hot list manual entries 1";
const SET_BACK_CONTEXT: &[u8] = b"clock set back 1";

type Entries = BTreeMap<RecordId, ManualEntry>;

/// A person set the clock back by hand: what people did by then is no sign that so late a date has come.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct SetBack {
    from: Timestamp,
    to: Timestamp,
}

#[derive(Clone)]
pub struct Manual {
    file: Arc<SealedFile<Entries>>,
    set_back_file: Arc<SealedFile<SetBack>>,
    set_back: Option<SetBack>,
    remind_before: SignedDuration,
    version: ListVersion,
    in_force: u64,
    entries: Entries,
    /// The ids of entries in force (but for their time) that list a plate.
    by_plate: BTreeMap<Plate, Vec<RecordId>>,
}

/// What became of a manual entry: for the audit log, and as a record for the department.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ManualChange {
    pub what: ManualStep,
    /// As it stands afterwards, with all names and times.
    pub entry: ManualEntry,
}

/// What happened to a manual entry.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ManualStep {
    Requested,
    ChangeRequested,
    RemovalRequested,
    Approved { requested_by: PersonName },
    RemovalApproved { requested_by: PersonName },
    Declined { requested_by: PersonName },
    RemovalDeclined,
    ExpiresSoon,
    Expired,
}

/// How many there are, for health and the console.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ManualSummary {
    /// Entries that match.
    pub in_force: u64,
    /// Entries, changes and removals that wait for a second person.
    pub pending: u64,
    /// In force, and near their end.
    pub expiring: u64,
    /// When the first of them ends.
    #[cfg_attr(test, schemars(with = "Option<crate::contract::Time>"))]
    pub next_expiry: Option<Timestamp>,
}

impl Manual {
    pub fn open(folder: &Path, key: &UnitKey, remind_before: SignedDuration) -> Result<Self, StoreError> {
        let file = SealedFile::new(folder.join("manual"), key.derive("hot list manual entries"), CONTEXT);
        let entries = file.read()?.unwrap_or_default();
        let key = key.derive("clock set back");
        let set_back_file = SealedFile::new(folder.join("set-back"), key, SET_BACK_CONTEXT);
        let set_back = set_back_file.read().unwrap_or_else(|error| {
            warn!(%error, "that the clock was set back is not known any more");
            None
        });
        let list = ListName::parse(MANUAL_LIST).expect("the constant is a list's name");
        let version = ListVersion { list, version: 0, issued: Timestamp::UNIX_EPOCH };
        let mut manual = Self {
            file: Arc::new(file),
            set_back_file: Arc::new(set_back_file),
            set_back,
            remind_before,
            version,
            in_force: 0,
            entries: BTreeMap::new(),
            by_plate: BTreeMap::new(),
        };
        manual.put_in_force(entries);
        Ok(manual)
    }

    /// Takes down what somebody asks for, under an id that the approval will name. The same request under the same
    /// id is taken once: None for the second time.
    pub fn request(
        &mut self,
        id: RecordId,
        request: Request,
        by: &Author,
        now: Timestamp,
    ) -> Result<Option<ManualChange>, ManualError> {
        match request {
            Request::Add { entry } => self.request_entry(id, entry, None, by, now),
            Request::Change { of, entry } => self.request_entry(id, entry, Some(of), by, now),
            Request::Remove { of, reason } => self.request_removal(id, of, reason, by, now),
        }
    }

    fn request_entry(
        &mut self,
        id: RecordId,
        entry: Entry,
        replaces: Option<RecordId>,
        by: &Author,
        now: Timestamp,
    ) -> Result<Option<ManualChange>, ManualError> {
        let mut entries = self.entries.clone();
        if let Some(known) = entries.get(&id) {
            // Without `until` the second message would end later than the first.
            let until = entry.until.or(known.entry.until);
            let same = known.entry == Entry { until, ..entry } && known.replaces == replaces;
            let again = same && known.requested.is_by(by);
            return if again { Ok(None) } else { Err(ManualError::OtherContent) };
        }
        if asked_removal(&mut entries, id).is_some() {
            return Err(ManualError::OtherContent);
        }
        let entry = acceptable(entry, now)?;
        if let Some(of) = replaces {
            entry_in_force(&mut entries, of, now)?;
        }
        if entries.len() >= MOST {
            return Err(ManualError::TooMany);
        }
        let entry = ManualEntry {
            id,
            entry,
            replaces,
            requested: by.act(now),
            approved: None,
            removal: None,
            ended: None,
            told: Told::Nothing,
        };
        entries.insert(id, entry.clone());
        self.store(entries)?;
        let what = if replaces.is_some() { ManualStep::ChangeRequested } else { ManualStep::Requested };
        Ok(Some(ManualChange { what, entry }))
    }

    fn request_removal(
        &mut self,
        id: RecordId,
        of: RecordId,
        reason: Text<200>,
        by: &Author,
        now: Timestamp,
    ) -> Result<Option<ManualChange>, ManualError> {
        if reason.is_empty() {
            return Err(ManualError::NoReason);
        }
        let mut entries = self.entries.clone();
        if let Some(known) = asked_removal(&mut entries, id) {
            return if known.id == of { Ok(None) } else { Err(ManualError::OtherContent) };
        }
        if entries.contains_key(&id) {
            return Err(ManualError::OtherContent);
        }
        let entry = entry_in_force(&mut entries, of, now)?;
        if let Some(removal) = &entry.removal {
            return Err(ManualError::RemovalAsked(removal.requested.by.clone()));
        }
        entry.removal = Some(Removal { id, reason, requested: by.act(now) });
        let entry = entry.clone();
        self.store(entries)?;
        Ok(Some(ManualChange { what: ManualStep::RemovalRequested, entry }))
    }

    /// The second person's word on the request of this id: of an entry, a change or a removal.
    pub fn approve(
        &mut self,
        id: RecordId,
        by: &Author,
        now: Timestamp,
    ) -> Result<ManualChange, ManualError> {
        let mut entries = self.entries.clone();
        let change = match asked_removal(&mut entries, id) {
            Some(entry) => {
                let removal = entry.removal.clone().ok_or(ManualError::Unknown)?;
                if let Some(Ended { act, .. }) = &entry.ended {
                    return Err(ManualError::AlreadyApproved(act.by.clone()));
                }
                let requested_by = other_person(&removal.requested, by)?;
                entry.ended = Some(Ended { how: End::Removed, act: by.act(now) });
                let what = ManualStep::RemovalApproved { requested_by };
                ManualChange { what, entry: entry.clone() }
            }
            None => Self::approve_entry(&mut entries, id, by, now)?,
        };
        self.store(entries)?;
        Ok(change)
    }

    fn approve_entry(
        entries: &mut Entries,
        id: RecordId,
        by: &Author,
        now: Timestamp,
    ) -> Result<ManualChange, ManualError> {
        let entry = entries.get_mut(&id).ok_or(ManualError::Unknown)?;
        if let Some(approved) = &entry.approved {
            return Err(ManualError::AlreadyApproved(approved.by.clone()));
        }
        let requested_by = other_person(&entry.requested, by)?;
        match entry.state(now) {
            ManualState::Pending => {}
            ManualState::Expired => return Err(ManualError::Expired(entry.expires())),
            _ => return Err(ManualError::Unknown),
        }
        entry.approved = Some(by.act(now));
        let approved = entry.clone();
        if let Some(of) = approved.replaces {
            let replaced = entries.get_mut(&of).ok_or(ManualError::NotInForce)?;
            match replaced.state(now) {
                // Extended too late is still what two people want.
                ManualState::InForce | ManualState::Expired => {
                    replaced.ended = Some(Ended { how: End::Replaced, act: by.act(now) });
                }
                _ => return Err(ManualError::NotInForce),
            }
        }
        Ok(ManualChange { what: ManualStep::Approved { requested_by }, entry: approved })
    }

    /// Says no to a request, or takes back one's own: for that one person is enough, since nothing comes of it.
    pub fn decline(
        &mut self,
        id: RecordId,
        by: &Author,
        now: Timestamp,
    ) -> Result<ManualChange, ManualError> {
        let mut entries = self.entries.clone();
        let change = match asked_removal(&mut entries, id) {
            Some(entry) if entry.ended.is_none() => {
                entry.removal = None;
                ManualChange { what: ManualStep::RemovalDeclined, entry: entry.clone() }
            }
            Some(_) => return Err(ManualError::Unknown),
            None => {
                let entry = entries.get_mut(&id).ok_or(ManualError::Unknown)?;
                if let Some(approved) = &entry.approved {
                    return Err(ManualError::AlreadyApproved(approved.by.clone()));
                }
                entry.ended = Some(Ended { how: End::Declined, act: by.act(now) });
                let what = ManualStep::Declined { requested_by: entry.requested.by.clone() };
                ManualChange { what, entry: entry.clone() }
            }
        };
        self.store(entries)?;
        Ok(change)
    }

    /// The entries that people must now be told of: near their end, and past it. Each is told once, also over a
    /// restart. Forgets those that ended long ago.
    pub fn due(&mut self, now: Timestamp) -> Result<Vec<ManualChange>, StoreError> {
        let stands = |entry: &&ManualEntry| entry.approved.is_some();
        let due = self.entries.values().filter(stands).filter_map(|entry| {
            let (told, what) = match entry.state(now) {
                ManualState::Expired => (Told::Expired, ManualStep::Expired),
                ManualState::InForce if self.expires_soon(entry, now) => {
                    (Told::ExpiresSoon, ManualStep::ExpiresSoon)
                }
                _ => return None,
            };
            (entry.told < told).then(|| ManualChange { what, entry: ManualEntry { told, ..entry.clone() } })
        });
        let due: Vec<ManualChange> = due.collect();
        let is_kept = |entry: &ManualEntry| entry.expires() + KEPT > now;
        if !due.is_empty() || !self.entries.values().all(is_kept) {
            let mut entries = self.entries.clone();
            entries.retain(|_, entry| is_kept(entry));
            entries.extend(due.iter().map(|change| (change.entry.id, change.entry.clone())));
            self.store(entries)?;
        }
        Ok(due)
    }

    /// An entry that is asked to match for less than twice that time is not worth a reminder.
    pub fn expires_soon(&self, entry: &ManualEntry, now: Timestamp) -> bool {
        let asked_for = entry.expires().duration_since(entry.requested.at);
        entry.expires() - self.remind_before <= now && asked_for >= self.remind_before * 2
    }

    pub fn summary(&self, now: Timestamp) -> ManualSummary {
        let mut summary = ManualSummary::default();
        for entry in self.entries.values() {
            match entry.state(now) {
                ManualState::Pending => summary.pending += 1,
                ManualState::InForce => {
                    summary.in_force += 1;
                    summary.pending += u64::from(entry.removal.is_some());
                    summary.expiring += u64::from(self.expires_soon(entry, now));
                    let next = summary.next_expiry.map_or(entry.expires(), |next| next.min(entry.expires()));
                    summary.next_expiry = Some(next);
                }
                _ => {}
            }
        }
        summary
    }

    /// When somebody last acted on an entry in force, by a clock that was not set back since; none if nobody has.
    pub fn last_act(&self) -> Option<Timestamp> {
        let counts = |at: &Timestamp| !self.set_back.is_some_and(|back| back.to < *at && *at <= back.from);
        self.acts().filter(counts).max()
    }

    fn acts(&self) -> impl Iterator<Item = Timestamp> {
        let approved = self.entries.values().filter(|entry| entry.approved.is_some());
        approved.flat_map(|entry| {
            entry.approved.iter().chain(entry.ended.as_ref().map(|ended| &ended.act)).map(|act| act.at)
        })
    }

    /// What people did between these two does not tell the date any more.
    pub fn note_set_back(&mut self, from: Timestamp, to: Timestamp) -> Result<(), StoreError> {
        let before = self.set_back.unwrap_or(SetBack { from, to });
        let set_back = SetBack { from: before.from.max(from), to: before.to.min(to) };
        self.set_back_file.write(&set_back)?;
        self.set_back = Some(set_back);
        Ok(())
    }

    /// The newest first.
    pub fn list(&self) -> Vec<ManualEntry> {
        self.entries.values().rev().cloned().collect()
    }

    fn store(&mut self, entries: Entries) -> Result<(), StoreError> {
        self.file.write(&entries)?;
        self.put_in_force(entries);
        Ok(())
    }

    fn put_in_force(&mut self, entries: Entries) {
        self.by_plate.clear();
        self.in_force = 0;
        for entry in entries.values().filter(|entry| entry.approved.is_some()) {
            if entry.ended.is_none() {
                self.in_force += 1;
                if let Listed::Plate(plate) = entry.entry.plate {
                    self.by_plate.entry(plate).or_default().push(entry.id);
                }
            }
        }
        self.entries = entries;
        // The list of manual entries is as old as its newest change.
        self.version.issued = self.acts().fold(self.version.issued, Timestamp::max);
        self.version.version = self.version.issued.as_second().max(0) as u64;
    }
}

fn entry_in_force(
    entries: &mut Entries,
    id: RecordId,
    now: Timestamp,
) -> Result<&mut ManualEntry, ManualError> {
    let entry = entries.get_mut(&id).ok_or(ManualError::Unknown)?;
    if entry.state(now) == ManualState::InForce { Ok(entry) } else { Err(ManualError::NotInForce) }
}

/// The entry whose removal was asked for under this id.
fn asked_removal(entries: &mut Entries, id: RecordId) -> Option<&mut ManualEntry> {
    entries.values_mut().find(|entry| entry.removal.as_ref().is_some_and(|removal| removal.id == id))
}

fn other_person(requested: &Act, by: &Author) -> Result<PersonName, ManualError> {
    if requested.is_by(by) { Err(ManualError::SamePerson(by.name.clone())) } else { Ok(requested.by.clone()) }
}

impl Lookup for Manual {
    fn version(&self) -> &ListVersion {
        &self.version
    }

    fn count(&self) -> u64 {
        self.in_force
    }

    fn find(&self, plate: &Plate) -> Result<Vec<Entry>, StoreError> {
        let ids = self.by_plate.get(plate).into_iter().flatten();
        Ok(ids.filter_map(|id| self.entries.get(id)).map(|manual| manual.entry.clone()).collect())
    }

    fn each_pattern(&self, take: &mut dyn FnMut(&Entry)) {
        let stands = |manual: &&ManualEntry| manual.approved.is_some() && manual.ended.is_none();
        self.entries.values().filter(stands).map(|manual| &manual.entry).for_each(take);
    }
}

#[cfg(test)]
#[path = "manual_tests.rs"]
mod tests;
