use std::collections::HashMap;
use std::time::Duration;

use crate::words::{Moment, PersonName, RecordId};

/// One look: long enough to read and to fetch the pictures, short enough that the next one needs a reason again.
const LASTS: Duration = Duration::from_secs(10 * 60);

/// Who has said why they look at which stored alert.
#[derive(Default)]
pub struct Looks(HashMap<(PersonName, RecordId), Moment>);

impl Looks {
    pub fn allow(&mut self, who: PersonName, record: RecordId, now: Moment) {
        self.0.retain(|_, since| now.since(since) < LASTS);
        self.0.insert((who, record), now);
    }

    pub fn allows(&self, who: &PersonName, record: RecordId, now: Moment) -> bool {
        self.0.get(&(who.clone(), record)).is_some_and(|since| now.since(since) < LASTS)
    }
}
