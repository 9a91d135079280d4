use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// How much happened: today, by the unit's local calendar, and since the start.
#[derive(Default)]
pub struct Tally(Mutex<Counts>);

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    date: Option<Date>,
    pub reads_today: u64,
    pub alerts_today: u64,
    pub reads: u64,
    pub alerts: u64,
    pub last_read: Option<Timestamp>,
}

impl Tally {
    pub fn read(&self, at: Timestamp) {
        let mut counts = self.turned_to(at);
        counts.reads_today += 1;
        counts.reads += 1;
        counts.last_read = counts.last_read.max(Some(at));
    }

    /// Counts an alert when it is raised; a better read of the same is no second one.
    pub fn alert(&self, at: Timestamp) {
        let mut counts = self.turned_to(at);
        counts.alerts_today += 1;
        counts.alerts += 1;
    }

    pub fn counts(&self, now: Timestamp) -> Counts {
        *self.turned_to(now)
    }

    fn turned_to(&self, at: Timestamp) -> MutexGuard<'_, Counts> {
        // Numbers are whole at every instant, so a panic elsewhere cannot have left them half-written.
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let date = at.to_zoned_datetime(TimeZone::system()).date();
        if counts.date != Some(date) {
            *counts = Counts { date: Some(date), reads_today: 0, alerts_today: 0, ..*counts };
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn midnight_begins_a_new_day_and_keeps_the_sum() {
        let tally = Tally::default();
        let noon: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        tally.read(noon);
        tally.read(noon);
        tally.alert(noon);
        let next_day: Timestamp = "2026-03-02T12:00:00Z".parse().unwrap();
        tally.read(next_day);
        let counts = tally.counts(next_day);
        assert_eq!((counts.reads_today, counts.alerts_today), (1, 0));
        assert_eq!(counts.last_read, Some(next_day), "whichever was told last");
        assert_eq!((counts.reads, counts.alerts), (3, 1));
    }
}
