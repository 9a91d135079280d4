use std::time::Duration;

/// How long nothing of a list may have come, once the broker has answered all subscriptions, until it is taken to keep no
/// memory for this unit. The memory is asked for first and a broker answers in order: all that can hold it up is what is
/// queued before it, and that does not pause for so long.
const QUIET: Duration = Duration::from_secs(2);

/// Where lists change all the time there is no such pause; by then the broker's queue is through.
const LONGEST: Duration = Duration::from_secs(30);

/// Keeps the lists' messages out after a start until the broker's memory has come: storage that was restored has forgotten
/// which versions this unit held, and the broker may have queued a message that is older than those. What was turned away is
/// retained, so it is asked for again.
#[derive(Debug)]
pub enum Door {
    Shut {
        turned_away: bool,
        /// Since when nothing of a list has come over a link with all its subscriptions; none without such a link.
        quiet_since: Option<Duration>,
        /// Since when there is such a link.
        answered_since: Option<Duration>,
    },
    Open,
}

/// Whether the lists' messages are to be asked for again.
#[derive(Debug, PartialEq, Eq)]
pub struct AskAgain(pub bool);

impl Door {
    pub fn shut() -> Self {
        Self::Shut { turned_away: false, quiet_since: None, answered_since: None }
    }

    /// Whether a list's message may come in.
    pub fn admits(&mut self) -> bool {
        match self {
            Self::Open => true,
            Self::Shut { turned_away, quiet_since, .. } => {
                (*turned_away, *quiet_since) = (true, None);
                false
            }
        }
    }

    /// The memory has come.
    pub fn remembered(&mut self) -> AskAgain {
        let turned_away = matches!(self, Self::Shut { turned_away: true, .. });
        *self = Self::Open;
        AskAgain(turned_away)
    }

    /// To be told about once a second whether the broker has answered all subscriptions of its present link.
    pub fn tick(&mut self, answered: bool, uptime: Duration) -> AskAgain {
        match self {
            Self::Shut { quiet_since, answered_since, .. } if !answered => {
                (*quiet_since, *answered_since) = (None, None);
            }
            Self::Shut { quiet_since, answered_since, .. } => {
                let lasts =
                    |since: &mut Option<Duration>| uptime.saturating_sub(*since.get_or_insert(uptime));
                if lasts(quiet_since) >= QUIET || lasts(answered_since) >= LONGEST {
                    return self.remembered();
                }
            }
            Self::Open => {}
        }
        AskAgain(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn what_was_queued_before_the_memory_is_turned_away_and_had_again_after_it() {
        let mut door = Door::shut();
        assert!(!door.admits());
        assert_eq!(door.tick(true, at(1)), AskAgain(false));
        assert!(!door.admits(), "the broker still hands out its queue");
        assert_eq!(door.remembered(), AskAgain(true));
        assert!(door.admits());
        assert_eq!(door.tick(true, at(9)), AskAgain(false));
        assert_eq!(door.remembered(), AskAgain(false), "its echo");
    }

    #[test]
    fn a_broker_without_a_memory_is_believed_once_it_has_answered_and_is_quiet() {
        let mut door = Door::shut();
        assert_eq!(door.tick(false, at(100)), AskAgain(false), "there is no link");
        assert_eq!(door.tick(true, at(101)), AskAgain(false));
        assert!(!door.admits());
        assert_eq!(door.tick(true, at(102)), AskAgain(false));
        assert_eq!(door.tick(false, at(103)), AskAgain(false), "the link was lost");
        assert_eq!(door.tick(true, at(104)), AskAgain(false));
        assert_eq!(door.tick(true, at(106)), AskAgain(true));
        assert!(door.admits());
    }

    #[test]
    fn lists_that_never_pause_come_in_all_the_same() {
        let mut door = Door::shut();
        let opened = (0..=60).find(|&second| {
            door.admits();
            door.tick(true, at(second)) == AskAgain(true)
        });
        assert_eq!(opened, Some(30));
    }

    #[test]
    fn a_memory_that_comes_first_costs_nothing() {
        let mut door = Door::shut();
        assert_eq!(door.remembered(), AskAgain(false));
        assert!(door.admits());
    }
}
