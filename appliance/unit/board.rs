use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::alert::{Alert, Disposition};
use crate::hotlist::Level;
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

impl Board {
    /// Posts an alert, or puts a better read of one in its place.
    pub fn post(&self, posted: Posted) {
        let mut board = self.at(posted.at);
        let known = board.iter().position(|other| other.alert.id == posted.alert.id);
        let disposition = known.and_then(|index| board.remove(index)).and_then(|old| old.disposition);
        board.push_front(Posted { disposition, ..posted });
        board.truncate(ALERTS_MAX);
    }

    /// Those of the highest level that nobody has answered, then the newest.
    pub fn latest(&self, limit: usize, now: Moment) -> Vec<Posted> {
        let board = self.at(now);
        let first = |posted: &&Posted| posted.alert.level == Level::Critical && posted.disposition.is_none();
        let (first, rest): (Vec<_>, Vec<_>) = board.iter().partition(first);
        first.into_iter().chain(rest).take(limit).cloned().collect()
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
