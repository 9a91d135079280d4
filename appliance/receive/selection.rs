//! Which records are meant: by id, plate, unit, time or hit, with everything that belongs to them.

use std::collections::{BTreeSet, HashSet};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde::{Deserialize, Serialize};

use super::book::{self, Book, StoredLine};
use super::ledger::{UNDATED, UnitDay, VaultError, day_of};
use crate::crypto::Digest;
use crate::words::{Plate, RecordId, UnitId};

/// What all of its fields agree on; an empty field leaves the choice open.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Selection {
    /// Of records, pictures or alerts (an alert is joined by the answers to it and by its read).
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub records: BTreeSet<RecordId>,
    /// As read, or as listed where it matched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plate: Option<Plate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<UnitId>,
    /// When it happened, by the unit's clock: from, and before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Only alerts, the answers to them, and reads that matched a list.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub hits: bool,
}

/// What a line says that selections ask for. All of it came from outside: whatever is not as expected is absent.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Facts {
    /// The alert's own id, one for all its revisions; a read's is its record's.
    id: Option<RecordId>,
    /// The alert that an answer is to.
    alert: Option<RecordId>,
    /// The read behind an alert.
    read: Option<RecordId>,
    text: Option<String>,
    candidates: Vec<Written>,
    matched: Option<Matched>,
    matches: Vec<serde_json::Value>,
    pub pictures: Vec<Pictured>,
}

#[derive(Deserialize)]
struct Written {
    plate: String,
}

#[derive(Deserialize)]
struct Matched {
    entry: Written,
}

#[derive(Deserialize)]
pub(super) struct Pictured {
    pub id: RecordId,
    pub sha256: Digest,
}

impl Facts {
    pub fn of(line: &StoredLine) -> Self {
        serde_json::from_str(line.event.data.get()).unwrap_or_default()
    }

    fn shows(&self, plate: &Plate) -> bool {
        let raw = self.candidates.first().map(|best| &best.plate);
        let listed = self.matched.as_ref().map(|matched| &matched.entry.plate);
        let mut texts = self.text.iter().chain(raw).chain(listed);
        texts.any(|text| Plate::parse(text).is_ok_and(|shown| shown == *plate))
    }

    fn is_hit(&self) -> bool {
        self.matched.is_some() || self.alert.is_some() || !self.matches.is_empty()
    }
}

/// The ids of events and pictures that selections mean.
#[derive(Debug, Default)]
pub(super) struct Meant {
    events: HashSet<RecordId>,
    pictures: HashSet<RecordId>,
    /// Alerts, whose answers are meant as well, and the reads behind them.
    alerts: HashSet<RecordId>,
    reads: HashSet<RecordId>,
}

impl Selection {
    /// Whether it leaves every choice open.
    pub fn is_everything(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn check(&self) -> Result<(), VaultError> {
        match (self.from, self.until) {
            (Some(from), Some(until)) if until <= from => Err(VaultError::Backwards),
            _ => Ok(()),
        }
    }

    /// Whether what is meant may lie in this day: ids and happenings carry their time, and a day to both sides
    /// covers what crossed midnight on its way to the disk.
    pub(super) fn reaches(&self, day: &UnitDay) -> bool {
        let Ok(date) = day.day.parse::<Date>() else { return true };
        let around = |day: &str| {
            day.parse::<Date>().is_ok_and(|other| (date - other).get_days().abs() <= 1) || day == UNDATED
        };
        let day_at = |time: Timestamp| TimeZone::UTC.to_datetime(time).date();
        self.unit.as_ref().is_none_or(|unit| *unit == day.unit)
            && self.from.is_none_or(|from| date >= day_at(from).saturating_sub(Span::new().days(1)))
            && self.until.is_none_or(|until| date <= day_at(until).saturating_add(Span::new().days(1)))
            && (self.records.is_empty() || self.records.iter().any(|id| around(&day_of(*id))))
    }

    fn means(&self, unit: &UnitId, line: &StoredLine, facts: &Facts) -> bool {
        let known = |id: Option<RecordId>| id.is_some_and(|id| self.records.contains(&id));
        let named = || {
            known(Some(line.event.id))
                || known(facts.id)
                || known(facts.alert)
                || facts.pictures.iter().any(|picture| known(Some(picture.id)))
        };
        self.unit.as_ref().is_none_or(|wanted| wanted == unit)
            && self.from.is_none_or(|from| from <= line.event.time)
            && self.until.is_none_or(|until| line.event.time < until)
            && (!self.hits || facts.is_hit())
            && self.plate.is_none_or(|plate| facts.shows(&plate))
            && (self.records.is_empty() || named())
    }
}

impl Meant {
    /// Everything in these days of one unit that any of the selections means.
    pub fn of(selections: &[&Selection], days: &[UnitDay]) -> Result<Self, VaultError> {
        let mut meant = Self::default();
        for selection in selections {
            meant.pictures.extend(&selection.records);
            meant.events.extend(&selection.records);
        }
        if selections.is_empty() {
            return Ok(meant);
        }
        meant.walk(days, |meant, day, line, facts| {
            let is_meant = selections.iter().any(|selection| selection.means(&day.unit, line, facts));
            if is_meant {
                meant.alerts.extend(facts.matched.as_ref().and(facts.id));
                meant.reads.extend(facts.read);
            }
            is_meant
        })?;
        meant.walk(days, |meant, _, line, facts| {
            meant.reads.contains(&line.event.id)
                || facts.alert.is_some_and(|alert| meant.alerts.contains(&alert))
        })?;
        Ok(meant)
    }

    pub fn has_event(&self, id: RecordId) -> bool {
        self.events.contains(&id)
    }

    pub fn has_picture(&self, id: RecordId) -> bool {
        self.pictures.contains(&id)
    }

    fn walk(
        &mut self,
        days: &[UnitDay],
        is_meant: impl Fn(&mut Self, &UnitDay, &StoredLine, &Facts) -> bool,
    ) -> Result<(), VaultError> {
        for day in days {
            for book in Book::ALL {
                let path = day.folder.join(book.file_name());
                let each = |_: &[u8], line: Option<StoredLine>| {
                    let Some(line) = line else { return };
                    let facts = Facts::of(&line);
                    if is_meant(self, day, &line, &facts) {
                        self.events.insert(line.event.id);
                        self.pictures.extend(facts.pictures.iter().map(|picture| picture.id));
                    }
                };
                book::read(&path, each).map_err(VaultError::disk(&path))?;
            }
        }
        Ok(())
    }
}
