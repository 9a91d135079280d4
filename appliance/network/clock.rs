use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::system::ClockStatus;
use crate::system::network::TimeFacts;

/// A request that was not taken up within this is another moment's: a person would no longer know what is set.
const FRESH: Duration = Duration::from_secs(60);

/// A time that a person read off a clock that they trust.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reading {
    pub time: Timestamp,
    /// When it was so, in milliseconds since the machine started.
    pub uptime_ms: u64,
}

impl Reading {
    pub fn at(time: Timestamp, uptime: Duration) -> Self {
        Self { time, uptime_ms: uptime.as_millis().try_into().unwrap_or(u64::MAX) }
    }

    /// What that clock shows by now.
    pub fn by(&self, uptime: Duration) -> Timestamp {
        let passed = uptime.saturating_sub(Duration::from_millis(self.uptime_ms));
        self.time.saturating_add(passed).unwrap_or(Timestamp::MAX)
    }
}

/// Why the clock is not set by hand. A sentence without its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClockObjection {
    #[error(
        "a time server keeps this unit's clock, so it is not set by hand; if its time is wrong, change the time servers"
    )]
    Kept,
    #[error(
        "this unit's system does not tell whether a time server keeps its clock, so it is not set by hand"
    )]
    Untold,
    #[error("this program was made on {}, so it cannot be earlier now", .0.strftime("%Y-%m-%d"))]
    BeforeProgram(Timestamp),
    #[error("no unit works as late as {}", .0.strftime("%Y"))]
    TooLate(Timestamp),
    #[error("it took so long to get here that the time is no longer sure; set it once more")]
    Stale,
}

/// Whether the clock of a unit that stands so may be set by hand at all.
pub fn check_clock_free(time: &TimeFacts) -> Result<(), ClockObjection> {
    match time.status {
        ClockStatus::Free => Ok(()),
        ClockStatus::Synchronised => Err(ClockObjection::Kept),
        ClockStatus::Unknown => Err(ClockObjection::Untold),
    }
}

/// Whether the clock may be set to this.
pub fn check_clock(reading: &Reading, time: &TimeFacts, uptime: Duration) -> Result<(), ClockObjection> {
    check_clock_free(time)?;
    if let Some(made) = time.earliest.filter(|made| reading.time < *made) {
        return Err(ClockObjection::BeforeProgram(made));
    }
    // Where the counters of seconds of old file systems and formats end.
    let latest = Timestamp::from_second(i32::MAX.into()).expect("2038 is a year of every calendar");
    if reading.time >= latest {
        return Err(ClockObjection::TooLate(reading.time));
    }
    if uptime.abs_diff(Duration::from_millis(reading.uptime_ms)) > FRESH {
        return Err(ClockObjection::Stale);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noon() -> Timestamp {
        "2026-06-01T12:00:00Z".parse().unwrap()
    }

    const UPTIME: Duration = Duration::from_secs(1000);

    fn said(status: ClockStatus, reading: &Reading) -> String {
        let time = TimeFacts {
            status,
            earliest: Some("2026-05-01T00:00:00Z".parse().unwrap()),
            ..TimeFacts::default()
        };
        check_clock(reading, &time, UPTIME)
            .map_or_else(|objection| objection.to_string(), |()| "-".to_owned())
    }

    #[test]
    fn a_clock_that_nobody_keeps_is_set_to_a_time_that_can_be() {
        let at = |text: &str| Reading::at(text.parse().unwrap(), UPTIME);
        assert_eq!(said(ClockStatus::Free, &at("2026-06-01T12:00:00Z")), "-");
        assert_eq!(said(ClockStatus::Free, &at("2036-06-01T12:00:00Z")), "-");
        assert!(said(ClockStatus::Synchronised, &at("2026-06-01T12:00:00Z")).contains("time server keeps"));
        assert!(said(ClockStatus::Unknown, &at("2026-06-01T12:00:00Z")).contains("does not tell"));
        assert!(said(ClockStatus::Free, &at("2026-04-30T12:00:00Z")).contains("made on 2026-05-01"));
        assert!(said(ClockStatus::Free, &at("2038-06-01T12:00:00Z")).contains("2038"));
        for uptime in [UPTIME - 2 * FRESH, UPTIME + 2 * FRESH] {
            assert!(said(ClockStatus::Free, &Reading::at(noon(), uptime)).contains("once more"));
        }
    }

    #[test]
    fn what_passes_on_the_way_is_added() {
        let reading = Reading::at(noon(), UPTIME);
        assert_eq!(reading.by(UPTIME + Duration::from_millis(2500)), noon() + Duration::from_millis(2500));
        assert_eq!(reading.by(Duration::ZERO), noon());
    }
}
