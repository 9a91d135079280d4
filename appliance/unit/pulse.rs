use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::words::Moment;

/// A stage that has not moved for this long is stuck. Well under systemd's `WatchdogSec`, well over the
/// longest pause of any stage that works.
const STUCK_AFTER: Duration = Duration::from_secs(15);

/// When a stage last made progress. The stage beats; whoever feeds the watchdog listens.
///
/// A stage that has nothing to do beats too, from the place where it waits for work, so that silence
/// always means a stage that neither works nor waits.
pub struct Pulse {
    stage: &'static str,
    last_ms: AtomicU64,
}

impl Pulse {
    pub fn new(stage: &'static str, now: Moment) -> Self {
        let pulse = Self { stage, last_ms: AtomicU64::new(0) };
        pulse.beat(now);
        pulse
    }

    pub fn stage(&self) -> &'static str {
        self.stage
    }

    pub fn beat(&self, now: Moment) {
        self.last_ms.store(millis(now), Ordering::Relaxed);
    }

    pub fn is_stuck(&self, now: Moment) -> bool {
        millis(now).saturating_sub(self.last_ms.load(Ordering::Relaxed)) > STUCK_AFTER.as_millis() as u64
    }
}

fn millis(moment: Moment) -> u64 {
    moment.uptime.as_millis() as u64
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::system::{Clock, ManualClock};

    #[test]
    fn a_stage_is_stuck_when_it_neither_works_nor_waits() {
        let clock = ManualClock::at(Timestamp::UNIX_EPOCH);
        let pulse = Pulse::new("vision", clock.now());
        clock.advance(Duration::from_secs(15));
        assert!(!pulse.is_stuck(clock.now()));
        clock.advance(Duration::from_secs(1));
        assert!(pulse.is_stuck(clock.now()));
        pulse.beat(clock.now());
        assert!(!pulse.is_stuck(clock.now()));
    }
}
