use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::reason::{Reason, Severity};
use crate::words::{CameraId, Moment, PersonName};

/// Whether the unit may be relied on. Out of service it raises no alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Standing {
    pub reason: Reason,
    /// The camera that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub camera: Option<CameraId>,
    /// What was measured.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// By the unit's clock.
    #[cfg_attr(test, schemars(with = "crate::contract::Time"))]
    pub since: Timestamp,
    /// The person behind it, if it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<PersonName>,
}

/// A change of the service state or of its reasons.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Change {
    pub from: ServiceState,
    pub to: ServiceState,
    /// By the unit's clock.
    #[cfg_attr(test, schemars(with = "crate::contract::Time"))]
    pub at: Timestamp,
    /// The person who did it, if it was one.
    pub by: Option<PersonName>,
    /// What the person said, when it was one.
    pub said: Option<String>,
    /// Those in force afterwards.
    pub reasons: Vec<Standing>,
}

/// Why a unit stays out of service although a person asked for its return.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReturnRefused {
    #[error("the checks do not pass yet: {}", .0.join(" "))]
    ChecksFail(Vec<String>),
}

/// Decides the service state: reasons come after their cause has lasted, go after it has been gone, and
/// latched ones stay until a person returns the unit. Does no I/O; the caller keeps [`Service::kept`].
pub struct Service {
    causes: BTreeMap<(Reason, Option<CameraId>), Cause>,
    /// Breaks of the audit log that a person knew of when they returned the unit: nobody can mend them, so every
    /// start finds them again.
    accepted: Vec<Damage>,
    state: ServiceState,
    since: Timestamp,
}

/// What must outlive a restart.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    pub latched: Vec<Standing>,
    #[serde(default)]
    pub accepted: Vec<Damage>,
}

/// An integrity fault: something that the unit wrote is no longer what it wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Damage {
    pub reason: Reason,
    /// What is damaged and where, the same each time that it is found.
    pub detail: String,
}

/// Somebody who breaks the log more often is told of each time.
const ACCEPTED_MAX: usize = 64;

struct Cause {
    began: Moment,
    last_found: Moment,
    raised: Option<Standing>,
    detail: String,
}

impl Service {
    /// `kept` is what [`Service::kept`] gave before the restart.
    pub fn new(kept: Kept, now: Moment) -> Self {
        let Kept { latched, accepted } = kept;
        let since = latched.iter().map(|standing| standing.since).min().unwrap_or(now.wall);
        let causes = latched
            .into_iter()
            .map(|standing| {
                let detail = standing.detail.clone();
                let key = (standing.reason, standing.camera.clone());
                (key, Cause { began: now, last_found: now, raised: Some(standing), detail })
            })
            .collect();
        let mut service = Self { causes, accepted, state: ServiceState::InService, since };
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
    pub fn kept(&self) -> Kept {
        let latched = self.standing().into_iter().filter(|standing| standing.reason.latches()).collect();
        Kept { latched, accepted: self.accepted.clone() }
    }

    /// Takes in damage, which was found once and is not looked for again. What a person has accepted is no news.
    pub fn damaged(&mut self, damage: Damage, now: Moment) -> Option<Change> {
        let key = (damage.reason, None);
        if self.accepted.contains(&damage)
            || self.causes.get(&key).is_some_and(|cause| cause.raised.is_some())
        {
            return None;
        }
        self.put(
            Standing {
                reason: damage.reason,
                camera: None,
                detail: damage.detail,
                since: now.wall,
                by: None,
            },
            now,
        );
        Some(self.change(now, None, None))
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
        let by_them = Some(by.clone());
        let detail = why.to_owned();
        self.put(
            Standing { reason: Reason::TakenOut, camera: None, detail, since: now.wall, by: by_them },
            now,
        );
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
                // Both are for the person to judge.
                *reason != Reason::TakenOut
                    && !reason.is_damage()
                    && reason.severity() == Severity::Disables
                    && now.since(&cause.last_found) < CURRENT
            })
            .map(|((reason, _), _)| format!("{} {}", reason.sentence(), reason.mend()))
            .collect();
        if !still.is_empty() {
            return Err(ReturnRefused::ChecksFail(still));
        }
        for ((reason, _), cause) in &self.causes {
            if *reason == Reason::AuditDamaged && self.accepted.len() < ACCEPTED_MAX {
                self.accepted.push(Damage { reason: *reason, detail: cause.detail.clone() });
            }
        }
        self.causes.retain(|(reason, _), _| !reason.latches());
        Ok(self.change(now, Some(by), Some(why)))
    }

    /// In force from now on, without waiting.
    fn put(&mut self, standing: Standing, now: Moment) {
        let detail = standing.detail.clone();
        let key = (standing.reason, standing.camera.clone());
        self.causes.insert(key, Cause { began: now, last_found: now, raised: Some(standing), detail });
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
#[path = "service_tests.rs"]
mod tests;
