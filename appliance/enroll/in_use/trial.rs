use std::time::Duration;

/// For how long the session must stand in one piece with what is on trial: a broker that closes on it does so at once.
pub const STANDS: Duration = Duration::from_secs(5);
/// Within what time it must have stood so, or the unit goes back.
pub const WITHIN: Duration = Duration::from_secs(30);

/// An identity that the session shows and that does not count yet.
#[derive(Debug)]
pub struct Trial {
    begun: Duration,
    /// The connection that stands, and since when.
    standing: Option<(u64, Duration)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Wait,
    Keep,
    /// Go back to the one before.
    Leave,
}

impl Trial {
    pub fn begin(now: Duration) -> Self {
        Self { begun: now, standing: None }
    }

    /// `connection` is the number of the one that stands with the identity on trial; None while none does.
    pub fn observe(&mut self, connection: Option<u64>, now: Duration) -> Verdict {
        self.standing = match (connection, self.standing) {
            (Some(number), Some((known, since))) if number == known => Some((number, since)),
            (number, _) => number.map(|number| (number, now)),
        };
        match self.standing {
            Some((_, since)) if now.saturating_sub(since) >= STANDS => Verdict::Keep,
            _ if now.saturating_sub(self.begun) >= WITHIN => Verdict::Leave,
            _ => Verdict::Wait,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_connection_that_stands_is_kept() {
        let mut trial = Trial::begin(at(100));
        assert_eq!(trial.observe(Some(1), at(100)), Verdict::Wait);
        assert_eq!(trial.observe(Some(1), at(104)), Verdict::Wait);
        assert_eq!(trial.observe(Some(1), at(105)), Verdict::Keep);
    }

    #[test]
    fn one_that_is_lost_or_made_anew_begins_again_and_the_time_ends() {
        let mut trial = Trial::begin(at(100));
        assert_eq!(trial.observe(Some(1), at(100)), Verdict::Wait);
        assert_eq!(trial.observe(None, at(104)), Verdict::Wait);
        assert_eq!(trial.observe(Some(2), at(106)), Verdict::Wait);
        assert_eq!(trial.observe(Some(3), at(112)), Verdict::Wait, "another one than was seen before");
        assert_eq!(trial.observe(Some(3), at(116)), Verdict::Wait);
        assert_eq!(trial.observe(Some(3), at(117)), Verdict::Keep);

        let mut trial = Trial::begin(at(100));
        for second in 100..130 {
            assert_eq!(trial.observe(Some(second / 4), at(second)), Verdict::Wait);
        }
        assert_eq!(trial.observe(None, at(130)), Verdict::Leave);
    }
}
