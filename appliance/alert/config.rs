use std::time::Duration;

use serde::Deserialize;

use crate::words::Probability;

/// `[alert]` in milepost.toml: which matches become alerts.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// From this probability on an exact match whose state does not differ is a full hit. Default: 0.9:
    /// of reads so sure, 98.8 % were right by `make accuracy`.
    /// Raise it where full hits turn out wrong; the unit shows its own rate of false hits.
    pub full_from: Probability,
    /// From this probability on any match is at least a possible hit; below, no alert is raised. Default: 0.3,
    /// so that a plate with a 0 raises one for the same plate with an O (0.5 at best), and the reader's own
    /// doubt does, while a well-read 8 raises none for a B (0.1).
    pub possible_from: Probability,
    /// A character that the reader held for less likely than this is marked as doubtful. Default: 0.9.
    pub doubtful_below: Probability,
    /// The same listed vehicle at the same camera raises no second alert until it was out of sight for this
    /// long; a better read updates the first one. Default: 60. Raise it at traffic lights and car parks.
    pub repeat_after_s: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            full_from: Probability::clamped(0.9),
            possible_from: Probability::clamped(0.3),
            doubtful_below: Probability::clamped(0.9),
            repeat_after_s: 60,
        }
    }
}

impl Config {
    pub fn repeat_after(&self) -> Duration {
        Duration::from_secs(self.repeat_after_s.into())
    }
}
