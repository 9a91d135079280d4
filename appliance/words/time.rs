use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// When something happened, on both clocks.
///
/// People and records want wall time, which may jump when the network comes back; decisions
/// (windows, time-outs, expiry of a passage) use `uptime`, which only ever rises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    /// Since the program started, monotonic.
    pub uptime: Duration,
    pub wall: Timestamp,
}

impl Moment {
    /// Time passed since `earlier`; zero if `earlier` is later.
    pub fn since(&self, earlier: &Moment) -> Duration {
        self.uptime.saturating_sub(earlier.uptime)
    }

    /// By how much the wall clock was set since `earlier`: what it went beyond the time that passed.
    pub fn step_since(&self, earlier: &Moment) -> SignedDuration {
        let passed = SignedDuration::try_from(self.since(earlier)).unwrap_or(SignedDuration::MAX);
        self.wall.duration_since(earlier.wall).saturating_sub(passed)
    }
}
