use std::time::Duration;

use super::{Ask, Change, End, Ended, OnTrial, Reading, Request, Status, Wanted, check, check_clock};
use crate::system::network::{NetworkFacts, TimeFacts};

/// A person needs some time to look, and the unit may not stay long as nobody wants it.
const CONFIRM_S: std::ops::RangeInclusive<u64> = 5..=600;

/// What has to be done to the system next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Nothing,
    /// Make it so, and see that it took effect.
    Try {
        wanted: Wanted,
        change: Change,
    },
    /// Write down durably that it is to be so at every start; it is so already.
    Store(Wanted),
    /// Make it so again.
    Return(Wanted),
    SetClock(Reading),
}

/// Decides what becomes of requests and of the trial. At most one change is on trial.
#[derive(Debug)]
pub struct Keeper {
    status: Status,
}

impl Keeper {
    /// `before` is what an earlier run told: a trial of then has nobody who watches over it, and is over.
    pub fn resume(kept: Wanted, before: Option<Status>) -> Self {
        let before = before.unwrap_or_default();
        let unwatched = before.trial.map(|trial| Ended { trial: trial.id, how: End::Unwatched });
        let ended = unwatched.or(before.ended);
        Self { status: Status { kept, trial: None, answered: before.answered, ended } }
    }

    pub fn status(&self) -> &Status {
        &self.status
    }

    pub fn on_trial(&self) -> bool {
        self.status.trial.is_some()
    }

    /// Whether this request was answered already.
    pub fn knows(&self, request: &Request) -> bool {
        self.status.answered.as_ref().is_some_and(|(answered, _)| *answered == request.id)
    }

    /// Takes a request that is not known yet. `uptime` is the time since the machine started.
    pub fn hear(
        &mut self,
        request: Request,
        network: &NetworkFacts,
        time: &TimeFacts,
        uptime: Duration,
    ) -> Step {
        let decided = self.decide(&request, network, time, uptime);
        self.status.answered = Some((request.id, decided.as_ref().map(|_| ()).map_err(Clone::clone)));
        decided.unwrap_or(Step::Nothing)
    }

    fn decide(
        &mut self,
        request: &Request,
        network: &NetworkFacts,
        time: &TimeFacts,
        uptime: Duration,
    ) -> Result<Step, String> {
        match &request.ask {
            Ask::Try { .. } | Ask::SetClock(_) if self.on_trial() => {
                Err("another change is on trial".to_owned())
            }
            Ask::Try { change, confirm_s } => {
                check(change, network, time).map_err(|objection| objection.to_string())?;
                let lasts = (*confirm_s).clamp(*CONFIRM_S.start(), *CONFIRM_S.end());
                let until_uptime_s = uptime.as_secs() + lasts;
                self.status.trial = Some(OnTrial { id: request.id, change: change.clone(), until_uptime_s });
                Ok(Step::Try { wanted: self.status.kept.with(change), change: change.clone() })
            }
            Ask::Keep { trial } => Ok(Step::Store(self.status.kept.with(&self.tried(*trial)?.change))),
            Ask::Leave { trial } => {
                self.tried(*trial)?;
                Ok(self.end(End::Left))
            }
            Ask::SetClock(reading) => {
                check_clock(reading, time, uptime).map_err(|objection| objection.to_string())?;
                Ok(Step::SetClock(reading.clone()))
            }
        }
    }

    fn tried(&self, id: crate::words::RecordId) -> Result<&OnTrial, String> {
        let trial = self.status.trial.as_ref().filter(|trial| trial.id == id);
        trial.ok_or_else(|| "the change is no longer on trial".to_owned())
    }

    /// A trial that nobody kept in its time is over.
    pub fn tick(&mut self, uptime: Duration) -> Step {
        match &self.status.trial {
            Some(trial) if uptime.as_secs() >= trial.until_uptime_s => self.end(End::NobodyKept),
            _ => Step::Nothing,
        }
    }

    fn end(&mut self, how: End) -> Step {
        self.status.ended = self.status.trial.take().map(|trial| Ended { trial: trial.id, how });
        Step::Return(self.status.kept.clone())
    }

    /// Takes what came of a step; what is to be done about it.
    pub fn done(&mut self, step: Step, outcome: Result<(), String>) -> Step {
        match (step, outcome) {
            (Step::Store(wanted), Ok(())) => {
                self.end(End::Kept);
                self.status.kept = wanted;
                Step::Nothing
            }
            (Step::Try { .. }, Err(why)) => {
                self.refuse(why);
                self.status.trial = None;
                Step::Return(self.status.kept.clone())
            }
            (Step::Store(_) | Step::SetClock(_), Err(why)) => {
                self.refuse(why);
                Step::Nothing
            }
            (Step::Try { .. } | Step::SetClock(_), Ok(())) | (Step::Return(_) | Step::Nothing, _) => {
                Step::Nothing
            }
        }
    }

    fn refuse(&mut self, why: String) {
        if let Some((_, answer)) = &mut self.status.answered {
            *answer = Err(why);
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::network::TimeServer;
    use crate::system::ClockStatus;
    use crate::system::network::TimeService;
    use crate::words::RecordId;

    struct Bench {
        keeper: Keeper,
        uptime: u64,
    }

    impl Bench {
        fn new() -> Self {
            Self { keeper: Keeper::resume(Wanted::default(), None), uptime: 1000 }
        }

        fn ask(&mut self, ask: Ask) -> (RecordId, Step) {
            let time = TimeFacts {
                service: Some(TimeService::Timesyncd),
                status: ClockStatus::Free,
                ..TimeFacts::default()
            };
            let request = Request { id: RecordId::new(), ask };
            let id = request.id;
            let uptime = Duration::from_secs(self.uptime);
            let step = self.keeper.hear(request.clone(), &NetworkFacts::default(), &time, uptime);
            assert!(self.keeper.knows(&request));
            (id, step)
        }

        /// Has these servers tried for two minutes, which works.
        fn tried(&mut self, servers: &str) -> RecordId {
            let change = Change::of_time_servers(servers).unwrap();
            let (id, step) = self.ask(Ask::Try { change, confirm_s: 120 });
            assert!(matches!(step, Step::Try { .. }), "{step:?}");
            assert_eq!(self.keeper.done(step, Ok(())), Step::Nothing);
            id
        }

        fn refused(&self) -> &str {
            self.keeper.status().answered.as_ref().unwrap().1.as_ref().unwrap_err()
        }

        fn kept(&self) -> Vec<String> {
            self.keeper.status().kept.time_servers.iter().cloned().map(String::from).collect()
        }

        fn tick(&mut self, seconds: u64) -> Step {
            self.uptime += seconds;
            self.keeper.tick(Duration::from_secs(self.uptime))
        }
    }

    fn wanted(servers: &[&str]) -> Wanted {
        let servers = servers.iter().map(|server| TimeServer::try_from((*server).to_owned()).unwrap());
        Wanted { time_servers: servers.collect(), ..Wanted::default() }
    }

    #[test]
    fn what_nobody_keeps_is_over_after_its_time() {
        let mut bench = Bench::new();
        let trial = bench.tried("a.example");
        assert_eq!(bench.tick(119), Step::Nothing);
        assert_eq!(bench.tick(1), Step::Return(Wanted::default()));
        assert_eq!(bench.keeper.status().ended, Some(Ended { trial, how: End::NobodyKept }));
        assert_eq!(bench.ask(Ask::Keep { trial }).1, Step::Nothing);
        assert!(bench.refused().contains("no longer on trial") && bench.kept().is_empty());
    }

    #[test]
    fn what_is_kept_stays_and_the_next_change_comes_on_top_of_it() {
        let mut bench = Bench::new();
        let trial = bench.tried("a.example");
        let (_, step) = bench.ask(Ask::Keep { trial });
        assert_eq!(step, Step::Store(wanted(&["a.example"])));
        assert!(bench.keeper.on_trial() && bench.kept().is_empty(), "not before it is written down");
        assert_eq!(bench.keeper.done(step, Ok(())), Step::Nothing);
        assert_eq!((bench.kept(), bench.keeper.on_trial()), (vec!["a.example".to_owned()], false));
        assert_eq!(bench.tick(1000), Step::Nothing);

        let second = bench.tried("b.example");
        assert_eq!(bench.ask(Ask::Leave { trial: second }).1, Step::Return(wanted(&["a.example"])));
        assert_eq!(bench.keeper.status().ended, Some(Ended { trial: second, how: End::Left }));
    }

    #[test]
    fn one_change_is_on_trial_at_a_time_and_only_it_is_kept() {
        let mut bench = Bench::new();
        let trial = bench.tried("a.example");
        let change = Change::of_time_servers("b.example").unwrap();
        assert_eq!(bench.ask(Ask::Try { change, confirm_s: 120 }).1, Step::Nothing);
        assert!(bench.refused().contains("another change"));
        assert_eq!(bench.ask(Ask::Keep { trial: RecordId::new() }).1, Step::Nothing);
        assert!(matches!(bench.ask(Ask::Keep { trial }).1, Step::Store(_)));
    }

    #[test]
    fn what_does_not_take_effect_is_taken_back_at_once_and_what_cannot_be_stored_stays_on_trial() {
        let mut bench = Bench::new();
        let change = Change::of_time_servers("a.example").unwrap();
        let (_, step) = bench.ask(Ask::Try { change, confirm_s: 120 });
        assert_eq!(bench.keeper.done(step, Err("no effect".into())), Step::Return(Wanted::default()));
        assert_eq!((bench.refused(), bench.keeper.on_trial()), ("no effect", false));

        let trial = bench.tried("a.example");
        let (_, step) = bench.ask(Ask::Keep { trial });
        assert_eq!(bench.keeper.done(step, Err("disk full".into())), Step::Nothing);
        assert_eq!((bench.refused(), bench.keeper.on_trial()), ("disk full", true));
        assert_eq!(bench.tick(120), Step::Return(Wanted::default()));
    }

    #[test]
    fn a_clock_is_set_without_a_trial_and_not_during_one() {
        let mut bench = Bench::new();
        let reading = Reading::at("2026-06-01T12:00:00Z".parse().unwrap(), Duration::from_secs(1000));
        let (_, step) = bench.ask(Ask::SetClock(reading.clone()));
        assert_eq!(step, Step::SetClock(reading.clone()));
        assert_eq!(bench.keeper.done(step.clone(), Ok(())), Step::Nothing);
        assert!(bench.keeper.status().answered.as_ref().unwrap().1.is_ok() && !bench.keeper.on_trial());
        assert_eq!(bench.keeper.done(step, Err("not permitted".into())), Step::Nothing);
        assert_eq!(bench.refused(), "not permitted");

        bench.tried("a.example");
        assert_eq!(bench.ask(Ask::SetClock(reading)).1, Step::Nothing);
        assert!(bench.refused().contains("another change"));
        let early = Reading::at(Timestamp::UNIX_EPOCH, Duration::ZERO);
        bench.tick(120);
        assert_eq!(bench.ask(Ask::SetClock(early)).1, Step::Nothing);
        assert!(bench.refused().contains("once more"));
    }

    #[test]
    fn a_trial_lasts_as_long_as_somebody_watches_over_it_and_ten_minutes_at_most() {
        let mut bench = Bench::new();
        let change = Change::of_time_servers("a.example").unwrap();
        let (trial, step) = bench.ask(Ask::Try { change, confirm_s: u64::MAX });
        bench.keeper.done(step, Ok(()));
        let mut resumed = Keeper::resume(Wanted::default(), Some(bench.keeper.status().clone()));
        assert_eq!(resumed.status().ended, Some(Ended { trial, how: End::Unwatched }));
        assert_eq!(resumed.tick(Duration::MAX), Step::Nothing);
        assert_eq!(bench.tick(600), Step::Return(Wanted::default()));
    }
}
