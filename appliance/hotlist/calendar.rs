use std::time::Duration;

use jiff::Timestamp;

use crate::words::Moment;

/// The date by which manual entries end: the wall clock's only while a time service keeps that, and otherwise the last date
/// that was known, moved on by the monotonic clock. So a clock that jumps, or comes up wrong after a power cut, ends no entry
/// before its time and brings none back.
///
/// A person who sets the clock is believed at once where that makes entries end later, and else once the time has stood for
/// [`SETTLES`]: a slip of the hand is noticed within that.
///
/// Across a restart the time that the unit was off does not count until the clock is kept again: a late end of an entry costs
/// a needless look at it, an early one a missed child.
#[derive(Debug, Default)]
pub struct Calendar {
    /// The last date that was known, and the uptime at which it was.
    anchor: Option<(Timestamp, Duration)>,
    /// Where a person set the clock to, not believed yet, and the uptime at which it was.
    set: Option<(Timestamp, Duration)>,
}

/// How long a later time has to stand that was set by hand.
const SETTLES: Duration = Duration::from_secs(3600);

impl Calendar {
    /// To be told about once a second. `trusted`: whether a time service keeps the clock. `known`: a date that has certainly
    /// come, if there is one: people have acted on it.
    pub fn tell(&mut self, now: Moment, trusted: bool, known: Option<Timestamp>) {
        let moved_on = |(date, at): (Timestamp, Duration)| date + now.uptime.saturating_sub(at);
        let settled = self.set.filter(|(_, at)| now.uptime.saturating_sub(*at) >= SETTLES);
        let date = match settled.or(self.anchor) {
            _ if trusted => now.wall,
            Some(anchor) => moved_on(anchor),
            None => known.unwrap_or(now.wall),
        };
        if trusted || settled.is_some() {
            self.set = None;
        }
        // Whoever acts by a time that may be a slip has not vouched for it.
        let known = known.filter(|_| !trusted && self.set.is_none());
        self.anchor = Some((known.map_or(date, |known| known.max(date)), now.uptime));
    }

    /// A person has set the clock, which shows this now.
    pub fn set_by_hand(&mut self, now: Moment) {
        let set = (now.wall, now.uptime);
        match self.anchor {
            Some((date, at)) if date + now.uptime.saturating_sub(at) < now.wall => self.set = Some(set),
            _ => (self.anchor, self.set) = (Some(set), None),
        }
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
    fn a_slip_of_the_hand_ends_nothing_and_a_time_that_stands_is_believed() {
        let (clock, mut calendar) = (ManualClock::at(noon()), Calendar::default());
        let year = 365 * 24 * HOUR;
        date(&mut calendar, &clock, false);
        clock.step_wall(noon() + year);
        calendar.set_by_hand(clock.now());
        clock.advance(HOUR / 2);
        // Somebody acts by the wrong time, which is then noticed.
        calendar.tell(clock.now(), false, Some(clock.now().wall));
        assert_eq!(calendar.date(clock.now().wall), noon() + HOUR / 2);
        clock.step_wall(noon() + HOUR / 2);
        calendar.set_by_hand(clock.now());
        clock.advance(2 * HOUR);
        assert_eq!(date(&mut calendar, &clock, false), noon() + 5 * HOUR / 2);

        clock.step_wall(noon() + year);
        calendar.set_by_hand(clock.now());
        clock.advance(HOUR);
        assert_eq!(date(&mut calendar, &clock, false), noon() + year + HOUR);
        clock.step_wall(noon() + HOUR);
        calendar.set_by_hand(clock.now());
        clock.advance(HOUR);
        assert_eq!(date(&mut calendar, &clock, false), noon() + 2 * HOUR, "set back, it is believed at once");
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
