use std::cmp::Reverse;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::alert::{Alert, Disposition, Urgency};
use crate::words::{Moment, RecordId};

/// Enough for a shift; older ones are at the department.
const ALERTS_MAX: usize = 50;

/// As long as a shift.
const KEPT_FOR: Duration = Duration::from_secs(12 * 3600);

/// The latest alerts, for the officer beside the unit.
///
/// In memory only: the stored record is purged as soon as the server has it, which may be before the
/// officer has looked up. A restart, or the end of a shift, clears the board.
#[derive(Default)]
pub struct Board(Mutex<VecDeque<Posted>>);

/// An alert on the board.
#[derive(Clone)]
pub struct Posted {
    pub alert: Alert,
    pub at: Moment,
    /// JPEG; None where it could not be encoded.
    pub crop: Option<Arc<[u8]>>,
    pub scene: Option<Arc<[u8]>>,
    pub disposition: Option<Disposition>,
}

impl Posted {
    /// One that a person has answered waits for nobody.
    fn urgency(&self) -> Urgency {
        if self.disposition.is_none() { self.alert.urgency() } else { Urgency::Other }
    }
}

impl Board {
    /// Posts an alert, or puts a better read of one in its place.
    pub fn post(&self, posted: Posted) {
        let mut board = self.at(posted.at);
        let known = board.iter().position(|other| other.alert.id == posted.alert.id);
        let disposition = known.and_then(|index| board.remove(index)).and_then(|old| old.disposition);
        board.push_front(Posted { disposition, ..posted });
        while board.len() > ALERTS_MAX {
            // Behind others of its kind stands the oldest.
            let least =
                board.iter().enumerate().min_by_key(|(place, posted)| (posted.urgency(), Reverse(*place)));
            let Some((place, _)) = least else { break };
            board.remove(place);
        }
    }

    /// AMBER alerts that nobody has answered, then others of the highest level, then the newest.
    pub fn latest(&self, limit: usize, now: Moment) -> Vec<Posted> {
        let board = self.at(now);
        let mut latest: Vec<&Posted> = board.iter().collect();
        latest.sort_by_key(|posted| Reverse(posted.urgency()));
        latest.into_iter().take(limit).cloned().collect()
    }

    pub fn alert(&self, id: RecordId, now: Moment) -> Option<Posted> {
        self.at(now).iter().find(|posted| posted.alert.id == id).cloned()
    }

    /// Alerts that no person has answered.
    pub fn open(&self, now: Moment) -> u64 {
        self.at(now).iter().filter(|posted| posted.disposition.is_none()).count() as u64
    }

    /// False if the alert is no longer on the board.
    pub fn answer(&self, disposition: Disposition, now: Moment) -> bool {
        let mut board = self.at(now);
        let posted = board.iter_mut().find(|posted| posted.alert.id == disposition.alert);
        posted.map(|posted| posted.disposition = Some(disposition)).is_some()
    }

    fn at(&self, now: Moment) -> MutexGuard<'_, VecDeque<Posted>> {
        let mut board = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        board.retain(|posted| now.since(&posted.at) < KEPT_FOR);
        board
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::*;
    use crate::alert::Hit;
    use crate::hotlist::{Category, Entry, ListVersion, Listed, Match, MatchKind, StateAgreement};
    use crate::passage::Course;
    use crate::words::{CameraId, ListName, Plate, Probability, UnitId};

    fn posted(category: Category, seconds: u64) -> Posted {
        let plate = Plate::parse("ABC123").unwrap();
        let entry = Entry::new(Listed::from(plate), category);
        let at = Moment { uptime: Duration::from_secs(seconds), wall: Timestamp::UNIX_EPOCH };
        let list = ListVersion { list: ListName::parse("state").unwrap(), version: 1, issued: at.wall };
        let alert = Alert {
            id: RecordId::new(),
            revision: 1,
            unit: UnitId::parse("north").unwrap(),
            camera: CameraId::parse("lane-1").unwrap(),
            seen: at.wall,
            read: RecordId::new(),
            text: plate,
            confidence: Probability::clamped(0.9),
            doubtful: vec![],
            state: None,
            state_confidence: None,
            course: Course::default(),
            level: entry.level(),
            hit: Hit::Full,
            matched: Match {
                entry,
                kind: MatchKind::Exact,
                probability: Probability::clamped(0.9),
                read_as: plate,
                state: StateAgreement::Unknown,
                state_probability: None,
                list,
            },
            list_age_s: 0,
            position: None,
            notice: String::new(),
        };
        Posted { alert, at, crop: None, scene: None, disposition: None }
    }

    #[test]
    fn an_unanswered_amber_alert_stands_first_and_no_crowd_pushes_it_off() {
        let board = Board::default();
        board.post(posted(Category::Amber, 0));
        board.post(posted(Category::MissingChild, 1));
        for second in 2..100 {
            board.post(posted(Category::Stolen, second));
        }
        let latest = board.latest(ALERTS_MAX, posted(Category::Other, 100).at);
        assert_eq!(latest.len(), ALERTS_MAX);
        let shown: Vec<_> = latest.iter().map(|posted| posted.alert.matched.entry.category).take(3).collect();
        assert_eq!(shown, [Category::Amber, Category::MissingChild, Category::Stolen]);
        assert_eq!(latest[2].at.uptime, Duration::from_secs(99), "of the others the newest");
    }
}
