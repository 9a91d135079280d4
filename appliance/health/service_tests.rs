use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

use super::*;

fn at(seconds: u64) -> Moment {
    let uptime = Duration::from_secs(seconds);
    Moment { uptime, wall: Timestamp::UNIX_EPOCH + uptime }
}

fn found(reason: Reason) -> Vec<Finding> {
    vec![Finding { reason, camera: None, detail: "measured".into() }]
}

fn person() -> PersonName {
    PersonName::parse("Dana Ruiz").unwrap()
}

fn observe_every_second(
    service: &mut Service,
    seconds: std::ops::Range<u64>,
    findings: &[Finding],
) -> Vec<Change> {
    seconds.filter_map(|second| service.observe(findings.to_vec(), at(second))).collect()
}

#[test]
fn a_gust_is_no_move_and_a_nudge_is() {
    let mut service = Service::new(Kept::default(), at(0));
    assert_eq!(observe_every_second(&mut service, 0..10, &found(Reason::CameraMoved)), []);
    assert_eq!(observe_every_second(&mut service, 10..20, &[]), []);
    let changes = observe_every_second(&mut service, 20..60, &found(Reason::CameraMoved));
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].at, at(35).wall);
    assert_eq!(service.state(), ServiceState::OutOfService);
}

#[test]
fn a_move_latches_over_a_restart_until_a_person_returns_the_unit() {
    let mut service = Service::new(Kept::default(), at(0));
    observe_every_second(&mut service, 0..30, &found(Reason::CameraMoved));
    observe_every_second(&mut service, 30..500, &[]);
    assert_eq!(service.state(), ServiceState::OutOfService);

    let mut service = Service::new(service.kept(), at(600));
    assert_eq!(service.state(), ServiceState::OutOfService);
    assert_eq!(service.since(), at(15).wall);
    observe_every_second(&mut service, 600..700, &[]);
    let change = service.return_to_service(person(), "aimed again", at(700)).unwrap();
    assert_eq!((change.to, change.by), (ServiceState::InService, Some(person())));
    assert_eq!(service.kept(), Kept::default());
}

#[test]
fn a_unit_does_not_return_while_a_check_fails() {
    let mut service = Service::new(Kept::default(), at(0));
    observe_every_second(&mut service, 0..30, &found(Reason::CameraMoved));
    let refused = service.return_to_service(person(), "looks fine to me", at(30)).unwrap_err();
    assert!(refused.to_string().contains("no longer looks where it was aimed"));
    assert_eq!(service.state(), ServiceState::OutOfService);
}

#[test]
fn a_person_takes_the_unit_out_and_returns_it() {
    let mut service = Service::new(Kept::default(), at(0));
    let change = service.take_out(person(), "window broken", at(1));
    assert_eq!((change.from, change.to), (ServiceState::InService, ServiceState::OutOfService));
    assert_eq!(service.observe(vec![], at(600)), None);
    assert_eq!(service.state(), ServiceState::OutOfService);
    service.return_to_service(person(), "window replaced", at(601)).unwrap();
    assert_eq!(service.state(), ServiceState::InService);
}

#[test]
fn what_degrades_goes_by_itself_after_a_quiet_while() {
    let mut service = Service::new(Kept::default(), at(0));
    service.observe(found(Reason::CameraLost), at(0)).unwrap();
    assert_eq!(service.state(), ServiceState::Degraded);
    assert_eq!(service.observe(vec![], at(3)), None);
    assert_eq!(service.observe(vec![], at(6)).unwrap().to, ServiceState::InService);
}

#[test]
fn damage_latches_over_a_restart_and_is_no_news_once_a_person_has_accepted_it() {
    let broken = Damage { reason: Reason::AuditDamaged, detail: "line 7: changed".into() };
    let mut service = Service::new(Kept::default(), at(0));
    assert_eq!(service.damaged(broken.clone(), at(1)).unwrap().to, ServiceState::OutOfService);
    let mut service = Service::new(service.kept(), at(10));
    assert_eq!(service.damaged(broken.clone(), at(11)), None, "found again, and known");
    assert_eq!(service.state(), ServiceState::OutOfService);
    service.return_to_service(person(), "the disk was copied with our knowledge", at(12)).unwrap();

    let mut service = Service::new(service.kept(), at(20));
    assert_eq!(service.damaged(broken, at(21)), None);
    assert_eq!(service.state(), ServiceState::InService);
    let another = Damage { reason: Reason::AuditDamaged, detail: "line 9: changed".into() };
    assert!(service.damaged(another, at(22)).is_some());
}

/// What the checks find and people do.
#[derive(Debug, Clone)]
enum Act {
    /// Every check at once, so many seconds after the act before.
    Observe(u64, BTreeSet<Reason>),
    Damage(Reason, u8),
    TakeOut,
    Return,
    Restart,
}

const FOUND: [Reason; 6] = [
    Reason::CameraMoved,
    Reason::CameraLost,
    Reason::AllCamerasLost,
    Reason::ViewCovered,
    Reason::AimUnverified,
    Reason::TooHot,
];

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let reasons = prop::collection::btree_set(prop::sample::select(&FOUND[..]), 0..4);
    let damage = prop::sample::select(vec![Reason::AuditDamaged, Reason::RecordsDamaged]);
    let act = prop_oneof![
        12 => (1..40u64, reasons).prop_map(|(after, found)| Act::Observe(after, found)),
        1 => (damage, 0..2u8).prop_map(|(reason, which)| Act::Damage(reason, which)),
        1 => Just(Act::TakeOut),
        3 => Just(Act::Return),
        1 => Just(Act::Restart),
    ];
    prop::collection::vec(act, 1..60)
}

/// The rules, said once more and without care for cost: everything is judged from the whole history.
#[derive(Default)]
struct Plain {
    /// Since the start of the program: when, and what was found.
    looks: Vec<(u64, BTreeSet<Reason>)>,
    raised: BTreeMap<Reason, String>,
    accepted: BTreeSet<String>,
}

impl Plain {
    fn observe(&mut self, now: u64, found: BTreeSet<Reason>) {
        self.looks.push((now, found));
        for reason in FOUND {
            let lasting = self.looks.iter().rev().take_while(|(_, found)| found.contains(&reason));
            let lasted = lasting.last().map(|(first, _)| now - first);
            let gone = self.last_found(reason).map(|last| now - last);
            if lasted.is_some_and(|lasted| lasted >= reason.raise_after().as_secs()) {
                self.raised.entry(reason).or_default();
            } else if !reason.latches()
                && gone.is_none_or(|gone| gone > 0 && gone >= reason.clear_after().as_secs())
            {
                self.raised.remove(&reason);
            }
        }
    }

    fn last_found(&self, reason: Reason) -> Option<u64> {
        self.looks.iter().rev().find(|(_, found)| found.contains(&reason)).map(|(at, _)| *at)
    }

    fn damage(&mut self, damage: &Damage) {
        if !self.accepted.contains(&damage.detail) {
            self.raised.entry(damage.reason).or_insert_with(|| damage.detail.clone());
        }
    }

    /// Whether a person may return the unit now.
    fn passes(&self, now: u64) -> bool {
        let still_found = |reason: &Reason| {
            let looked = self.looks.last().is_some_and(|(_, found)| found.contains(reason));
            let recent = self.last_found(*reason).is_some_and(|last| now - last < CURRENT.as_secs());
            reason.severity() == Severity::Disables && (looked || self.raised.contains_key(reason)) && recent
        };
        !FOUND.iter().any(still_found)
    }

    fn return_to_service(&mut self) {
        self.accepted.extend(self.raised.get(&Reason::AuditDamaged).cloned());
        self.raised.retain(|reason, _| !reason.latches());
        // What was found of these counts anew from the next look.
        for (_, found) in &mut self.looks {
            found.retain(|reason| !reason.latches());
        }
    }

    /// Nobody has looked since, so what latched counts as there.
    fn restart(&mut self, now: u64) {
        self.raised.retain(|reason, _| reason.latches());
        let found = self.raised.keys().copied().filter(|reason| FOUND.contains(reason)).collect();
        self.looks = vec![(now, found)];
    }

    fn state(&self) -> ServiceState {
        match self.raised.keys().map(|reason| reason.severity()).max() {
            None => ServiceState::InService,
            Some(Severity::Degrades) => ServiceState::Degraded,
            Some(Severity::Disables) => ServiceState::OutOfService,
        }
    }
}

proptest! {
    // Beside this file, because the default is a folder at the top of the repository.
    #![proptest_config(ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_transition_is_the_plain_models(acts in acts()) {
        let (mut service, mut plain) = (Service::new(Kept::default(), at(0)), Plain::default());
        let mut now = 0;
        for act in acts {
            let before = service.state();
            let change = match act {
                Act::Observe(after, found) => {
                    now += after;
                    let findings = found.iter().map(|reason| Finding {
                        reason: *reason,
                        camera: None,
                        detail: String::new(),
                    });
                    let change = service.observe(findings.collect(), at(now));
                    plain.observe(now, found);
                    change
                }
                Act::Damage(reason, which) => {
                    let damage = Damage { reason, detail: format!("{reason:?} {which}") };
                    plain.damage(&damage);
                    service.damaged(damage, at(now))
                }
                Act::TakeOut => {
                    plain.raised.insert(Reason::TakenOut, String::new());
                    Some(service.take_out(person(), "told to", at(now)))
                }
                Act::Return => {
                    let returned = service.return_to_service(person(), "mended", at(now));
                    prop_assert_eq!(returned.is_ok(), plain.passes(now));
                    if returned.is_ok() {
                        plain.return_to_service();
                    }
                    returned.ok()
                }
                Act::Restart => {
                    service = Service::new(service.kept(), at(now));
                    plain.restart(now);
                    None
                }
            };
            prop_assert_eq!(service.state(), plain.state());
            let standing: BTreeSet<Reason> = service.standing().iter().map(|standing| standing.reason).collect();
            prop_assert_eq!(standing, plain.raised.keys().copied().collect::<BTreeSet<_>>());
            if let Some(change) = change {
                prop_assert_eq!((change.from, change.to, change.at), (before, service.state(), at(now).wall));
            }
        }
    }
}
