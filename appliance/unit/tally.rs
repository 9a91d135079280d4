use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::health::LaneReads;
use crate::words::{CameraId, LaneName};

/// How much happened: today, by the unit's local calendar, and since the start.
#[derive(Default)]
pub struct Tally(Mutex<Book>);

#[derive(Default)]
struct Book {
    counts: Counts,
    /// Today's reads.
    lanes: BTreeMap<(CameraId, Option<LaneName>), u64>,
}

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
    /// Counts for the day on which it is decided: one that was seen before midnight must not turn the day back.
    /// `lane`: where it was, None outside all lanes.
    pub fn read(&self, seen: Timestamp, now: Timestamp, camera: &CameraId, lane: Option<&LaneName>) {
        let mut book = self.turned_to(now);
        book.counts.reads_today += 1;
        book.counts.reads += 1;
        book.counts.last_read = book.counts.last_read.max(Some(seen));
        *book.lanes.entry((camera.clone(), lane.cloned())).or_default() += 1;
    }

    /// Counts an alert when it is raised; a better read of the same is no second one.
    pub fn alert(&self, now: Timestamp) {
        let mut book = self.turned_to(now);
        book.counts.alerts_today += 1;
        book.counts.alerts += 1;
    }

    pub fn counts(&self, now: Timestamp) -> Counts {
        self.turned_to(now).counts
    }

    /// Today's reads of a camera: in each of these lanes, then outside all of them.
    pub fn by_lane(&self, now: Timestamp, camera: &CameraId, lanes: &[LaneName]) -> Vec<LaneReads> {
        let book = self.turned_to(now);
        let places = lanes.iter().cloned().map(Some).chain([None]);
        let reads = |lane: &Option<LaneName>| book.lanes.get(&(camera.clone(), lane.clone()));
        places.map(|lane| LaneReads { reads: reads(&lane).copied().unwrap_or(0), lane }).collect()
    }

    /// The camera's lanes are drawn anew: what was counted by the old ones counts no longer.
    pub fn forget_lanes(&self, camera: &CameraId, now: Timestamp) {
        self.turned_to(now).lanes.retain(|(other, _), _| other != camera);
    }

    fn turned_to(&self, now: Timestamp) -> MutexGuard<'_, Book> {
        // Numbers are whole at every instant, so a panic elsewhere cannot have left them half-written.
        let mut book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let date = now.to_zoned_datetime(TimeZone::system()).date();
        if book.counts.date != Some(date) {
            book.counts = Counts { date: Some(date), reads_today: 0, alerts_today: 0, ..book.counts };
            book.lanes.clear();
        }
        book
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn midnight_begins_a_new_day_and_keeps_the_sum() {
        let tally = Tally::default();
        let noon: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let (camera, left) = (CameraId::parse("north").unwrap(), LaneName::parse("left").unwrap());
        tally.read(noon, noon, &camera, Some(&left));
        tally.read(noon, noon, &camera, None);
        tally.alert(noon);
        let by_lane = |at, lanes: &[LaneName]| {
            tally.by_lane(at, &camera, lanes).into_iter().map(|lane| lane.reads).collect::<Vec<_>>()
        };
        assert_eq!(by_lane(noon, std::slice::from_ref(&left)), [1, 1]);
        let next_day: Timestamp = "2026-03-02T12:00:00Z".parse().unwrap();
        assert_eq!(by_lane(next_day, std::slice::from_ref(&left)), [0, 0]);
        tally.read(next_day, next_day, &camera, Some(&left));
        assert_eq!(by_lane(next_day, &[]), [0], "a lane that is no longer drawn");
        tally.forget_lanes(&camera, next_day);
        assert_eq!(by_lane(next_day, &[left]), [0, 0]);
        tally.read(noon, next_day, &camera, None);
        assert_eq!(
            tally.counts(next_day).reads_today,
            2,
            "one that was seen the day before takes no other away"
        );
        let counts = tally.counts(next_day);
        assert_eq!((counts.reads_today, counts.alerts_today), (2, 0));
        assert_eq!(counts.last_read, Some(next_day), "whichever was told last");
        assert_eq!((counts.reads, counts.alerts), (4, 1));
    }
}
