use std::collections::VecDeque;

use jiff::Timestamp;
use jiff::civil::Weekday;
use serde::{Deserialize, Serialize};

use super::Passed;

/// Weeks of which each hour is remembered, and after which it is known what is usual: a new road has changed what is
/// usual after a month.
const WEEKS: usize = 8;
pub(super) const WEEKS_MIN: usize = 4;

/// Hours that are judged before they are learned from.
pub(super) const RECENT: usize = 24;

const SLOTS: usize = 7 * 24;

/// An hour of the week, from Monday 0:00.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub(super) struct Slot(u8);

impl Slot {
    pub fn new(day: Weekday, hour: u8) -> Self {
        Self(day.to_monday_zero_offset() as u8 * 24 + hour % 24)
    }

    pub fn hour(self) -> u8 {
        self.0 % 24
    }

    pub fn day(self) -> &'static str {
        ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
            [usize::from(self.0 / 24)]
    }
}

impl TryFrom<u8> for Slot {
    type Error = String;

    fn try_from(number: u8) -> Result<Self, String> {
        if usize::from(number) < SLOTS {
            Ok(Self(number))
        } else {
            Err(format!("a week has no hour {number}"))
        }
    }
}

impl From<Slot> for u8 {
    fn from(slot: Slot) -> Self {
        slot.0
    }
}

impl std::fmt::Display for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:00 to {}:00", self.hour(), (self.hour() + 1) % 24)
    }
}

/// One whole hour.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Hour {
    pub start: Timestamp,
    pub slot: Slot,
    pub passed: Passed,
}

/// What was counted: the last day by hours, and the weeks before by hour of the week. Numbers alone.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Learned {
    recent: VecDeque<Hour>,
    /// By slot; the newest week first.
    weeks: Vec<VecDeque<Passed>>,
}

impl Learned {
    pub(super) fn take(&mut self, hour: Hour) {
        self.weeks.resize_with(SLOTS, VecDeque::new);
        self.recent.push_back(hour);
        while self.recent.len() > RECENT {
            let Some(Hour { slot, passed, .. }) = self.recent.pop_front() else { return };
            let weeks = &mut self.weeks[usize::from(slot.0)];
            weeks.push_front(passed);
            weeks.truncate(WEEKS);
        }
    }

    pub(super) fn last(&self) -> Option<&Hour> {
        self.recent.back()
    }

    /// The hours of the last day, oldest first.
    pub(super) fn recent(&self) -> impl Iterator<Item = &Hour> {
        self.recent.iter()
    }

    /// Whether the last day was counted without a longer gap.
    pub(super) fn is_a_day(&self) -> bool {
        let (Some(first), Some(last)) = (self.recent.front(), self.recent.back()) else { return false };
        self.recent.len() == RECENT && last.start.duration_since(first.start).as_hours() <= RECENT as i64 + 2
    }

    /// What passed in these hours together, in each week of which all are known.
    pub(super) fn weeks(&self, slots: &[Slot]) -> Vec<Passed> {
        let of = |slot: &Slot| self.weeks.get(usize::from(slot.0));
        let known = slots.iter().map(|slot| of(slot).map_or(0, VecDeque::len)).min().unwrap_or(0);
        let week = |week: usize| {
            let mut sum = Passed::default();
            slots.iter().filter_map(of).for_each(|weeks| sum += weeks[week]);
            sum
        };
        (0..known).map(week).collect()
    }

    /// What moves in an hour in which hardly anything passes, by the quietest twentieth of the week: usually, and at the
    /// most: twice as far beyond as was ever seen.
    pub(super) fn background(&self) -> (f32, f32) {
        let stirs =
            |weeks: &VecDeque<Passed>| -> Vec<f32> { weeks.iter().map(|passed| passed.stir).collect() };
        let known = self.weeks.iter().filter(|weeks| !weeks.is_empty()).map(stirs);
        let mut known: Vec<(f32, Vec<f32>)> =
            known.map(|stirs| (super::median(stirs.iter().copied()), stirs)).collect();
        known.sort_by(|a, b| a.0.total_cmp(&b.0));
        known.truncate(known.len().div_ceil(20));
        let usual = known.last().map_or(0.0, |(usual, _)| *usual);
        let most = known.iter().flat_map(|(_, stirs)| stirs).copied().fold(usual, f32::max);
        (usual, usual + 2.0 * (most - usual))
    }
}
