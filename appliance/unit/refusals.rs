//! Which refusals are told. Anybody who may write a topic can cause as many as they like, and the audit log, which forgets
//! nothing, lies on the disk that holds the evidence.

use std::collections::VecDeque;
use std::time::Duration;

use tracing::warn;

use crate::words::Moment;

/// So many are told in any [`WITHIN`], each once.
const MOST: usize = 10;
const WITHIN: Duration = Duration::from_secs(60);

/// The refusals of one kind of message.
#[derive(Default)]
pub struct Refusals {
    told: VecDeque<(Moment, String)>,
    /// Since the last one that was told.
    untold: u64,
}

impl Refusals {
    /// What the audit log is to be told of this one, if anything; the journal hears of it here. `what` was refused.
    pub fn tell(&mut self, what: &str, why: String, now: Moment) -> Option<String> {
        while self.told.front().is_some_and(|(at, _)| now.since(at) >= WITHIN) {
            self.told.pop_front();
        }
        let refusal = format!("{what}: {why}");
        if self.told.len() == MOST || self.told.iter().any(|(_, told)| *told == refusal) {
            self.untold += 1;
            return None;
        }
        let untold = std::mem::take(&mut self.untold);
        warn!(refusal, untold, "refused");
        self.told.push_back((now, refusal));
        Some(match untold {
            0 => why,
            untold => format!("{why} (before it, {untold} more were refused and not told)"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::{Clock, ManualClock};

    #[test]
    fn each_is_told_once_a_minute_and_a_flood_is_counted() {
        let clock = ManualClock::at(jiff::Timestamp::UNIX_EPOCH);
        let mut refusals = Refusals::default();
        let mut tell = |why: &str| refusals.tell("a command", why.to_owned(), clock.now());
        assert_eq!(tell("late").as_deref(), Some("late"));
        assert_eq!(tell("late"), None);
        assert_eq!(tell("long").as_deref(), Some("long (before it, 1 more were refused and not told)"));
        let flood = (0..1000).filter(|number| tell(&number.to_string()).is_some()).count();
        assert_eq!(flood, MOST - 2);
        clock.advance(WITHIN);
        assert_eq!(tell("late").unwrap(), "late (before it, 992 more were refused and not told)");
        assert_eq!(tell("long").as_deref(), Some("long"));
    }
}
