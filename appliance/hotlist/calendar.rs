use std::time::Duration;

use jiff::Timestamp;

use crate::words::Moment;

/// The date by which manual entries end: the wall clock's only while a time service keeps that, and otherwise the last date
/// that was known, moved on by the monotonic clock. So a clock that jumps, or comes up wrong after a power cut, ends no entry
/// before its time and brings none back.
///
/// Across a restart the time that the unit was off does not count until the clock is kept again: a late end of an entry costs
/// a needless look at it, an early one a missed child.
#[derive(Debug, Default)]
pub struct Calendar {
    /// The last date that was known, and the uptime at which it was.
    anchor: Option<(Timestamp, Duration)>,
}

impl Calendar {
    /// To be told about once a second. `trusted`: whether a time service keeps the clock. `known`: a date that has certainly
    /// come, if there is one: people have acted on it.
    pub fn tell(&mut self, now: Moment, trusted: bool, known: Option<Timestamp>) {
        let date = match self.anchor {
            _ if trusted => now.wall,
            Some((date, at)) => date + now.uptime.saturating_sub(at),
            None => known.unwrap_or(now.wall),
        };
        let date = if trusted { date } else { known.map_or(date, |known| known.max(date)) };
        self.anchor = Some((date, now.uptime));
    }

    /// The date; the wall clock's where nobody tells the time.
    pub fn date(&self, wall: Timestamp) -> Timestamp {
        self.anchor.map_or(wall, |(date, _)| date)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::{Clock, ManualClock};

    const HOUR: Duration = Duration::from_secs(3600);

    fn noon() -> Timestamp {
        "2026-06-01T12:00:00Z".parse().unwrap()
    }

    fn date(calendar: &mut Calendar, clock: &ManualClock, trusted: bool) -> Timestamp {
        calendar.tell(clock.now(), trusted, None);
        calendar.date(clock.now().wall)
    }

    #[test]
    fn a_clock_that_jumps_is_believed_only_once_it_is_kept() {
        let (clock, mut calendar) = (ManualClock::at(noon()), Calendar::default());
        assert_eq!(date(&mut calendar, &clock, true), noon());
        clock.advance(HOUR);
        for jump in ["2027-06-01T00:00:00Z", "2025-06-01T00:00:00Z"] {
            clock.step_wall(jump.parse().unwrap());
            assert_eq!(date(&mut calendar, &clock, false), noon() + HOUR, "{jump}");
        }
        clock.advance(HOUR);
        assert_eq!(date(&mut calendar, &clock, false), noon() + 2 * HOUR);
        clock.step_wall(noon() + 3 * HOUR);
        assert_eq!(date(&mut calendar, &clock, true), noon() + 3 * HOUR);
    }

    #[test]
    fn a_clock_that_comes_up_wrong_counts_on_from_what_is_known() {
        for wrong in ["2031-01-01T00:00:00Z", "1970-01-01T00:00:00Z"] {
            let (clock, mut calendar) = (ManualClock::at(wrong.parse().unwrap()), Calendar::default());
            calendar.tell(clock.now(), false, Some(noon()));
            clock.advance(HOUR);
            assert_eq!(date(&mut calendar, &clock, false), noon() + HOUR, "{wrong}");
            clock.step_wall(noon() + 5 * HOUR);
            assert_eq!(date(&mut calendar, &clock, true), noon() + 5 * HOUR, "{wrong}");
        }
    }
}
