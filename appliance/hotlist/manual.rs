//! Entries that people add on the unit: requested by one, approved by another.
//!
//! Promise: what was requested or approved survives a power cut once the call has returned; the file is
//! sealed, so that it tells nobody without the unit's key who is listed; until a second person has approved
//! it, and once it has expired, an entry matches nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::config::MANUAL_LIST;
use super::durable;
use super::entry::{Category, Entry};
use super::listed::Listed;
use super::matching::{ListVersion, Lookup};
use super::refusal::StoreError;
use crate::crypto::{SealKey, UnitKey};
use crate::words::{ListName, PersonName, Plate, RecordId};

/// A unit's manual entries are looked through one by one; more than this belongs on a pushed list.
const MOST: usize = 500;
/// No manual entry is in force longer.
const LONGEST: SignedDuration = SignedDuration::from_hours(24 * 30);
/// Expired entries stay to be seen for this long.
const KEPT: SignedDuration = SignedDuration::from_hours(24 * 7);
const CONTEXT: &[u8] = b"hot list manual entries 1";

/// An entry with those who answer for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManualEntry {
    pub id: RecordId,
    /// `until` is always given.
    pub entry: Entry,
    pub requested: Act,
    /// None: pending.
    pub approved: Option<Act>,
}

/// Who did something, and when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Act {
    pub by: PersonName,
    pub at: Timestamp,
}

/// Where a manual entry stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ManualState {
    Pending,
    InForce,
    Expired,
}

/// Why a manual entry was not requested or approved.
#[derive(Debug, thiserror::Error)]
pub enum ManualError {
    #[error("a manual entry needs a reason")]
    NoReason,
    #[error("it would expire at {0}, which has passed already")]
    ExpiresInThePast(Timestamp),
    #[error("it may be in force for 30 days at most; until {latest}")]
    TooLong { latest: Timestamp },
    #[error("there are {MOST} manual entries already; publish a list instead")]
    TooMany,
    #[error("there is no such manual entry")]
    Unknown,
    #[error("{0} requested this entry; another person must approve it")]
    SamePerson(PersonName),
    #[error("{0} has approved this entry already")]
    AlreadyApproved(PersonName),
    #[error("the entry expired at {0}; request it anew")]
    Expired(Timestamp),
    #[error(transparent)]
    Storage(#[from] StoreError),
}

impl ManualEntry {
    pub fn state(&self, now: Timestamp) -> ManualState {
        if self.expires() <= now {
            ManualState::Expired
        } else if self.approved.is_none() {
            ManualState::Pending
        } else {
            ManualState::InForce
        }
    }

    pub fn expires(&self) -> Timestamp {
        self.entry.until.unwrap_or(self.requested.at)
    }
}

/// How long a manual entry of this category is in force unless its author says otherwise: as long as the
/// case is likely to be hot, short enough that a forgotten one does not stop people next month.
pub fn default_hours(category: Category) -> i64 {
    match category {
        Category::Amber | Category::MissingChild => 72,
        Category::MissingCollegeStudent | Category::MissingPerson | Category::Stolen => 24 * 7,
        Category::Wanted | Category::PersonOfInterest => 48,
        Category::Bolo | Category::AttemptToLocate | Category::Unregistered | Category::Other => 24,
    }
}

pub struct Manual {
    path: PathBuf,
    seal: SealKey,
    version: ListVersion,
    entries: BTreeMap<RecordId, ManualEntry>,
    /// The ids of approved entries that list a plate.
    by_plate: BTreeMap<Plate, Vec<RecordId>>,
}

impl Manual {
    pub fn open(folder: &Path, key: &UnitKey) -> Result<Self, StoreError> {
        let path = folder.join("manual");
        let seal = key.derive("hot list manual entries");
        let entries = match std::fs::read(&path) {
            Ok(sealed) => {
                let damaged = || StoreError::Damaged(path.display().to_string());
                let json = seal.open(CONTEXT, &sealed).map_err(|_| damaged())?;
                serde_json::from_slice(&json).map_err(|_| damaged())?
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(StoreError::file(&path)(error)),
        };
        let list = ListName::parse(MANUAL_LIST).expect("the constant is a list's name");
        let version = ListVersion { list, version: 0, issued: Timestamp::UNIX_EPOCH };
        let mut manual = Self { path, seal, version, entries: BTreeMap::new(), by_plate: BTreeMap::new() };
        manual.put_in_force(entries);
        Ok(manual)
    }

    /// An entry without `until` gets the default of its category.
    pub fn request(
        &mut self,
        mut entry: Entry,
        by: PersonName,
        now: Timestamp,
    ) -> Result<RecordId, ManualError> {
        if entry.reason.is_empty() {
            return Err(ManualError::NoReason);
        }
        let default = || now + SignedDuration::from_hours(default_hours(entry.category));
        let until = entry.until.unwrap_or_else(default);
        if until <= now {
            return Err(ManualError::ExpiresInThePast(until));
        }
        let latest = now + LONGEST;
        if until > latest {
            return Err(ManualError::TooLong { latest });
        }
        entry.until = Some(until);
        let mut entries = self.entries.clone();
        entries.retain(|_, entry| entry.expires() + KEPT > now);
        if entries.len() >= MOST {
            return Err(ManualError::TooMany);
        }
        let id = RecordId::new();
        entries.insert(id, ManualEntry { id, entry, requested: Act { by, at: now }, approved: None });
        self.store(entries)?;
        Ok(id)
    }

    pub fn approve(&mut self, id: RecordId, by: PersonName, now: Timestamp) -> Result<(), ManualError> {
        let mut entries = self.entries.clone();
        let entry = entries.get_mut(&id).ok_or(ManualError::Unknown)?;
        if let Some(approved) = &entry.approved {
            return Err(ManualError::AlreadyApproved(approved.by.clone()));
        }
        if same_person(&entry.requested.by, &by) {
            return Err(ManualError::SamePerson(by));
        }
        if entry.expires() <= now {
            return Err(ManualError::Expired(entry.expires()));
        }
        entry.approved = Some(Act { by, at: now });
        self.store(entries)?;
        Ok(())
    }

    /// The newest first.
    pub fn list(&self) -> Vec<ManualEntry> {
        self.entries.values().rev().cloned().collect()
    }

    fn store(&mut self, entries: BTreeMap<RecordId, ManualEntry>) -> Result<(), StoreError> {
        let json = serde_json::to_vec(&entries).expect("manual entries are plain data with string keys");
        durable::replace(&self.path, &self.seal.seal(CONTEXT, &json))?;
        self.put_in_force(entries);
        Ok(())
    }

    fn put_in_force(&mut self, entries: BTreeMap<RecordId, ManualEntry>) {
        self.by_plate.clear();
        let approvals = entries.values().filter_map(|entry| entry.approved.as_ref().map(|act| (entry, act)));
        for (entry, approved) in approvals {
            // The list of manual entries is as old as its newest approval.
            self.version.issued = self.version.issued.max(approved.at);
            if let Listed::Plate(plate) = entry.entry.plate {
                self.by_plate.entry(plate).or_default().push(entry.id);
            }
        }
        self.version.version = entries.values().filter(|entry| entry.approved.is_some()).count() as u64;
        self.entries = entries;
    }
}

/// Names are typed by people: case and inner spaces make no second person.
fn same_person(a: &PersonName, b: &PersonName) -> bool {
    let plain =
        |name: &PersonName| name.as_str().split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    plain(a) == plain(b)
}

impl Lookup for Manual {
    fn version(&self) -> &ListVersion {
        &self.version
    }

    fn count(&self) -> u64 {
        self.version.version
    }

    fn find(&self, plate: &Plate) -> Result<Vec<Entry>, StoreError> {
        let ids = self.by_plate.get(plate).into_iter().flatten();
        Ok(ids.filter_map(|id| self.entries.get(id)).map(|manual| manual.entry.clone()).collect())
    }

    fn each_pattern(&self, take: &mut dyn FnMut(&Entry)) {
        let approved = self.entries.values().filter(|manual| manual.approved.is_some());
        approved.map(|manual| &manual.entry).for_each(take);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hotlist::Text;

    fn now() -> Timestamp {
        "2026-06-01T12:00:00Z".parse().unwrap()
    }

    fn person(name: &str) -> PersonName {
        PersonName::parse(name).unwrap()
    }

    fn entry(plate: &str) -> Entry {
        let reason = Text::parse("seen near the bank").unwrap();
        Entry { reason, ..Entry::new(Listed::parse(plate).unwrap(), Category::Bolo) }
    }

    fn found(manual: &Manual, plate: &str) -> usize {
        manual.find(&Plate::parse(plate).unwrap()).unwrap().len()
    }

    #[test]
    fn matches_only_once_a_second_person_approved_and_survives_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let key = UnitKey::generate();
        let mut manual = Manual::open(folder.path(), &key).unwrap();
        let id = manual.request(entry("ABC123"), person("Ann Lee"), now()).unwrap();
        assert_eq!(found(&manual, "ABC123"), 0);
        assert!(matches!(manual.approve(id, person("ann  LEE"), now()), Err(ManualError::SamePerson(_))));
        assert_eq!(manual.list()[0].state(now()), ManualState::Pending);

        let mut manual = Manual::open(folder.path(), &key).unwrap();
        manual.approve(id, person("Bo Hill"), now()).unwrap();
        assert!(matches!(manual.approve(id, person("Cy"), now()), Err(ManualError::AlreadyApproved(_))));

        let manual = Manual::open(folder.path(), &key).unwrap();
        assert_eq!(found(&manual, "ABC123"), 1);
        let shown = &manual.list()[0];
        assert_eq!((shown.requested.by.as_str(), shown.state(now())), ("Ann Lee", ManualState::InForce));
        assert_eq!(shown.state(now() + SignedDuration::from_hours(24)), ManualState::Expired);
        assert!(Manual::open(folder.path(), &UnitKey::generate()).is_err(), "sealed with the unit's key");
    }

    #[test]
    fn needs_a_reason_and_a_sensible_end() {
        let folder = tempfile::tempdir().unwrap();
        let mut manual = Manual::open(folder.path(), &UnitKey::generate()).unwrap();
        let mut request = |entry| manual.request(entry, person("Ann"), now());
        let bare = Entry::new(Listed::parse("ABC123").unwrap(), Category::Bolo);
        assert!(matches!(request(bare), Err(ManualError::NoReason)));
        let over = Entry { until: Some(now()), ..entry("ABC123") };
        assert!(matches!(request(over), Err(ManualError::ExpiresInThePast(_))));
        let endless = Entry { until: Some(Timestamp::MAX), ..entry("ABC123") };
        assert!(matches!(request(endless), Err(ManualError::TooLong { .. })));
        let id = request(entry("ABC123")).unwrap();
        let late = now() + SignedDuration::from_hours(25);
        assert!(matches!(manual.approve(id, person("Bo"), late), Err(ManualError::Expired(_))));
        assert!(matches!(manual.approve(RecordId::new(), person("Bo"), now()), Err(ManualError::Unknown)));
    }
}
