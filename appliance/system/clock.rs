use std::sync::Mutex;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::words::Moment;

/// Where time comes from, so that a test can hold it in its hand.
pub trait Clock: Send + Sync {
    fn now(&self) -> Moment;
}

/// The machine's clocks.
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    pub fn new() -> Self {
        Self { started: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Moment {
        Moment { uptime: self.started.elapsed(), wall: Timestamp::now() }
    }
}

/// A clock that moves when it is told to: the simulated twin of [`SystemClock`].
pub struct ManualClock(Mutex<Moment>);

impl ManualClock {
    pub fn at(wall: Timestamp) -> Self {
        Self(Mutex::new(Moment { uptime: Duration::ZERO, wall }))
    }

    /// Both clocks move on together.
    pub fn advance(&self, by: Duration) {
        let mut now = self.lock();
        now.uptime += by;
        now.wall += by;
    }

    /// Only the wall clock jumps, as when the network sets it.
    pub fn step_wall(&self, to: Timestamp) {
        self.lock().wall = to;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Moment> {
        self.0.lock().expect("no holder of this lock can panic")
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Moment {
        *self.lock()
    }
}
