use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::reason::{Reason, Severity};
use crate::words::{CameraId, Moment, PersonName};

/// Whether the unit may be relied on. Out of service it raises no alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServiceState {
    InService,
    Degraded,
    OutOfService,
}

impl std::fmt::Display for ServiceState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::InService => "in service",
            Self::Degraded => "degraded",
            Self::OutOfService => "out of service",
        })
    }
}

/// Something that a check found wrong just now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub reason: Reason,
    pub camera: Option<CameraId>,
    /// The measured fact, such as "shifted by 43 px to the left".
    pub detail: String,
}

/// A reason in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    pub reason: Reason,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub camera: Option<CameraId>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    pub since: Timestamp,
    /// The person behind it, if it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<PersonName>,
}

/// A change of the service state or of its reasons.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    pub from: ServiceState,
    pub to: ServiceState,
    pub at: Timestamp,
    pub by: Option<PersonName>,
    /// What the person said, when it was one.
    pub said: Option<String>,
    pub reasons: Vec<Standing>,
}

/// Why a unit stays out of service although a person asked for its return.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReturnRefused {
    #[error("the checks do not pass yet: {}", .0.join(" "))]
    ChecksFail(Vec<String>),
}

/// Decides the service state: reasons come after their cause has lasted, go after it has been gone, and
/// latched ones stay until a person returns the unit. Does no I/O; the caller keeps [`Service::latched`].
pub struct Service {
    causes: BTreeMap<(Reason, Option<CameraId>), Cause>,
    state: ServiceState,
    since: Timestamp,
}

struct Cause {
    began: Moment,
    last_found: Moment,
    raised: Option<Standing>,
    detail: String,
}

impl Service {
    /// `latched` is what [`Service::latched`] gave before the restart.
    pub fn new(latched: Vec<Standing>, now: Moment) -> Self {
        let since = latched.iter().map(|standing| standing.since).min().unwrap_or(now.wall);
        let causes = latched
            .into_iter()
            .map(|standing| {
                let detail = standing.detail.clone();
                let key = (standing.reason, standing.camera.clone());
                (key, Cause { began: now, last_found: now, raised: Some(standing), detail })
            })
            .collect();
        let mut service = Self { causes, state: ServiceState::InService, since };
        service.state = service.judged();
        service
    }

    pub fn state(&self) -> ServiceState {
        self.state
    }

    pub fn since(&self) -> Timestamp {
        self.since
    }

    pub fn standing(&self) -> Vec<Standing> {
        self.causes.values().filter_map(|cause| cause.raised.clone()).collect()
    }

    /// What must outlive a restart.
    pub fn latched(&self) -> Vec<Standing> {
        self.standing().into_iter().filter(|standing| standing.reason.latches()).collect()
    }

    /// Takes in everything that the checks find at this moment.
    pub fn observe(&mut self, findings: Vec<Finding>, now: Moment) -> Option<Change> {
        let before = self.raised();
        for Finding { reason, camera, detail } in findings {
            let cause = self.causes.entry((reason, camera)).or_insert_with(|| Cause {
                began: now,
                last_found: now,
                raised: None,
                detail: String::new(),
            });
            cause.last_found = now;
            cause.detail = detail;
        }
        self.causes.retain(|(reason, _), cause| {
            let gone_for = now.since(&cause.last_found);
            let latched = cause.raised.is_some() && reason.latches();
            // What was never raised starts anew after any gap; what was raised needs a quiet while.
            let patience = if cause.raised.is_some() { reason.clear_after() } else { Default::default() };
            latched || gone_for.is_zero() || gone_for < patience
        });
        for ((reason, camera), cause) in &mut self.causes {
            if cause.raised.is_none() && now.since(&cause.began) >= reason.raise_after() {
                cause.raised = Some(Standing {
                    reason: *reason,
                    camera: camera.clone(),
                    detail: cause.detail.clone(),
                    since: now.wall,
                    by: None,
                });
            }
        }
        (self.raised() != before).then(|| self.change(now, None, None))
    }

    /// A person takes the unit out of service.
    pub fn take_out(&mut self, by: PersonName, why: &str, now: Moment) -> Change {
        let standing = Standing {
            reason: Reason::TakenOut,
            camera: None,
            detail: why.to_owned(),
            since: now.wall,
            by: Some(by.clone()),
        };
        let cause = Cause { began: now, last_found: now, raised: Some(standing), detail: why.to_owned() };
        self.causes.insert((Reason::TakenOut, None), cause);
        self.change(now, Some(by), Some(why))
    }

    /// A person returns the unit: latched reasons go if their causes are gone. Refused, and nothing changed,
    /// while a check still finds a cause that keeps the unit out of service.
    pub fn return_to_service(
        &mut self,
        by: PersonName,
        why: &str,
        now: Moment,
    ) -> Result<Change, ReturnRefused> {
        let still: Vec<String> = self
            .causes
            .iter()
            .filter(|((reason, _), cause)| {
                *reason != Reason::TakenOut
                    && reason.severity() == Severity::Disables
                    && now.since(&cause.last_found) < CURRENT
            })
            .map(|((reason, _), _)| format!("{} {}", reason.sentence(), reason.mend()))
            .collect();
        if !still.is_empty() {
            return Err(ReturnRefused::ChecksFail(still));
        }
        self.causes.retain(|(reason, _), _| !reason.latches());
        Ok(self.change(now, Some(by), Some(why)))
    }

    fn change(&mut self, now: Moment, by: Option<PersonName>, said: Option<&str>) -> Change {
        let from = self.state;
        self.state = self.judged();
        if self.state != from {
            self.since = now.wall;
        }
        let said = said.map(str::to_owned);
        Change { from, to: self.state, at: now.wall, by, said, reasons: self.standing() }
    }

    fn judged(&self) -> ServiceState {
        match self.raised().iter().map(|(reason, _)| reason.severity()).max() {
            None => ServiceState::InService,
            Some(Severity::Degrades) => ServiceState::Degraded,
            Some(Severity::Disables) => ServiceState::OutOfService,
        }
    }

    fn raised(&self) -> Vec<(Reason, Option<CameraId>)> {
        self.causes.iter().filter(|(_, cause)| cause.raised.is_some()).map(|(key, _)| key.clone()).collect()
    }
}

/// A cause found this recently counts as still there: checks look at least this often.
const CURRENT: std::time::Duration = std::time::Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
        let mut service = Service::new(vec![], at(0));
        assert_eq!(observe_every_second(&mut service, 0..10, &found(Reason::CameraMoved)), []);
        assert_eq!(observe_every_second(&mut service, 10..20, &[]), []);
        let changes = observe_every_second(&mut service, 20..60, &found(Reason::CameraMoved));
        assert_eq!(changes.len(), 1);
        assert_eq!(changes[0].at, at(35).wall);
        assert_eq!(service.state(), ServiceState::OutOfService);
    }

    #[test]
    fn a_move_latches_over_a_restart_until_a_person_returns_the_unit() {
        let mut service = Service::new(vec![], at(0));
        observe_every_second(&mut service, 0..30, &found(Reason::CameraMoved));
        observe_every_second(&mut service, 30..500, &[]);
        assert_eq!(service.state(), ServiceState::OutOfService);

        let mut service = Service::new(service.latched(), at(600));
        assert_eq!(service.state(), ServiceState::OutOfService);
        assert_eq!(service.since(), at(15).wall);
        observe_every_second(&mut service, 600..700, &[]);
        let change = service.return_to_service(person(), "aimed again", at(700)).unwrap();
        assert_eq!((change.to, change.by), (ServiceState::InService, Some(person())));
        assert_eq!(service.latched(), []);
    }

    #[test]
    fn a_unit_does_not_return_while_a_check_fails() {
        let mut service = Service::new(vec![], at(0));
        observe_every_second(&mut service, 0..30, &found(Reason::CameraMoved));
        let refused = service.return_to_service(person(), "looks fine to me", at(30)).unwrap_err();
        assert!(refused.to_string().contains("no longer looks where it was aimed"));
        assert_eq!(service.state(), ServiceState::OutOfService);
    }

    #[test]
    fn a_person_takes_the_unit_out_and_returns_it() {
        let mut service = Service::new(vec![], at(0));
        let change = service.take_out(person(), "window broken", at(1));
        assert_eq!((change.from, change.to), (ServiceState::InService, ServiceState::OutOfService));
        assert_eq!(service.observe(vec![], at(600)), None);
        assert_eq!(service.state(), ServiceState::OutOfService);
        service.return_to_service(person(), "window replaced", at(601)).unwrap();
        assert_eq!(service.state(), ServiceState::InService);
    }

    #[test]
    fn what_degrades_goes_by_itself_after_a_quiet_while() {
        let mut service = Service::new(vec![], at(0));
        service.observe(found(Reason::CameraLost), at(0)).unwrap();
        assert_eq!(service.state(), ServiceState::Degraded);
        assert_eq!(service.observe(vec![], at(3)), None);
        assert_eq!(service.observe(vec![], at(6)).unwrap().to, ServiceState::InService);
    }
}
