//! Locks last as long as they were meant to, whatever the wall clock is set to.

use jiff::{SignedDuration, Timestamp};

use super::Accounts;
use crate::words::Moment;

/// Less is a time service at work, and not worth a write.
const STEP: SignedDuration = SignedDuration::from_secs(10);

impl Accounts {
    /// To be told the time before anything is asked. How the clock was set while nobody was told is not known, but no lock
    /// lasts longer than a new one would.
    pub fn follow(&mut self, now: Moment) {
        let told = self.told.replace(now);
        if self.book.accounts.iter().all(|account| account.locked_until.is_none()) {
            return;
        }
        let step = told.map_or(SignedDuration::ZERO, |told| now.step_since(&told));
        let longest = now.wall.saturating_add(self.lock).unwrap_or(Timestamp::MAX);
        for until in self.book.accounts.iter_mut().filter_map(|account| account.locked_until.as_mut()) {
            *until = until.saturating_add(step).unwrap_or(Timestamp::MAX).min(longest);
        }
        if step.abs() > STEP {
            self.note(|_| ());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::accounts::tests::{LOCK, PASSWORD, accepted, with_administrator};
    use crate::system::{Clock, ManualClock};

    #[test]
    fn a_clock_that_is_set_neither_opens_a_lock_nor_makes_it_longer() {
        for hours in [-24 * 365, -1, 1, 24 * 365] {
            let (folder, mut accounts) = with_administrator();
            let clock = ManualClock::at("2026-06-01T12:00:00Z".parse().unwrap());
            accounts.follow(clock.now());
            for _ in 0..5 {
                accounts.sign_in("Jo Hill", "wrong", clock.now().wall).unwrap();
            }
            clock.step_wall(clock.now().wall + SignedDuration::from_hours(hours));
            let comes = |accounts: &mut Accounts| {
                accounts.follow(clock.now());
                accepted(&accounts.sign_in("Jo Hill", PASSWORD, clock.now().wall).unwrap())
            };
            assert!(!comes(&mut accounts), "set by {hours} h");
            let (mut restarted, _) = Accounts::open(folder.path(), LOCK).unwrap();
            assert!(!comes(&mut restarted), "set by {hours} h, then restarted");
            clock.advance(LOCK);
            assert!(comes(&mut accounts) && comes(&mut restarted), "set by {hours} h");
        }
    }

    #[test]
    fn a_lock_from_before_a_start_lasts_no_longer_than_a_new_one() {
        let (folder, mut accounts) = with_administrator();
        let clock = ManualClock::at("2036-06-01T12:00:00Z".parse().unwrap());
        for _ in 0..5 {
            accounts.sign_in("Jo Hill", "wrong", clock.now().wall).unwrap();
        }
        let clock = ManualClock::at("2026-06-01T12:00:00Z".parse().unwrap());
        let (mut accounts, _) = Accounts::open(folder.path(), LOCK).unwrap();
        accounts.follow(clock.now());
        assert!(!accepted(&accounts.sign_in("Jo Hill", PASSWORD, clock.now().wall).unwrap()));
        clock.advance(LOCK);
        assert!(accepted(&accounts.sign_in("Jo Hill", PASSWORD, clock.now().wall).unwrap()));
    }
}
