use std::num::NonZeroU32;
use std::time::Duration;

use serde::Deserialize;

use crate::words::Probability;

/// `[passage]`: when a vehicle's sightings are one passage, and when their vote is good enough.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How long a plate may be out of sight before its passage is over. Default 2000. Raise it where
    /// vehicles often hide each other; lower it where the final read must come sooner.
    pub window_ms: NonZeroU32,
    /// How long a plate must be out of sight before its vehicle's read is told early although its vote is not sure:
    /// from the last frame with the car to its alert no more may pass. Default 120, two frames at 15 a second. Raise
    /// it where plates flicker and doubtful alerts are corrected too often.
    pub unseen_ms: NonZeroU32,
    /// How long after a passage the same plate still counts as the same vehicle. Default 8000. Raise it
    /// where vehicles manoeuvre in front of the camera.
    pub recall_ms: u32,
    /// A vehicle that stands is read for good after this long. Default 120000. Its read is not repeated
    /// while it keeps standing.
    pub standing_ms: NonZeroU32,
    /// How sure the vote must be for an early read, which raises alerts while the vehicle is in view.
    /// Default 0.95: of single frames' reads so sure, 99 in 100 were right by `make accuracy`. Lower it where
    /// alerts come too late.
    pub sure: Probability,
    /// How many frames must have shown the plate for an early read. Default 3: one glare is one frame.
    pub sure_sightings: NonZeroU32,
    /// How sure the vote must be to be a read at all; below, the vehicle is counted as unreadable.
    /// Default 0.4: below it, none of the reads of `make accuracy` was right. Raise it where the receiver wants
    /// no doubtful reads.
    pub read_floor: Probability,
}

impl Default for Config {
    fn default() -> Self {
        const fn nonzero(value: u32) -> NonZeroU32 {
            NonZeroU32::new(value).expect("the defaults are not zero")
        }
        Self {
            window_ms: nonzero(2000),
            unseen_ms: nonzero(120),
            recall_ms: 8000,
            standing_ms: nonzero(120_000),
            sure: Probability::clamped(0.95),
            sure_sightings: nonzero(3),
            read_floor: Probability::clamped(0.4),
        }
    }
}

impl Config {
    pub(super) fn window(&self) -> Duration {
        Duration::from_millis(self.window_ms.get().into())
    }

    pub(super) fn unseen(&self) -> Duration {
        Duration::from_millis(self.unseen_ms.get().into())
    }

    pub(super) fn recall(&self) -> Duration {
        Duration::from_millis(self.recall_ms.into())
    }

    pub(super) fn standing(&self) -> Duration {
        Duration::from_millis(self.standing_ms.get().into())
    }
}
