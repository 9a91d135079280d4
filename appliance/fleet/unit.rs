use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::report::{Report, Told};
use crate::delivery::{OfflineReason, Presence};
use crate::health::ServiceState;
use crate::words::UnitId;

/// What a department has of a unit now, the worst first: of a silent one nobody knows anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Condition {
    Silent,
    OutOfService,
    Stopped,
    Degraded,
    InService,
}

impl Condition {
    pub const ALL: [Self; 5] =
        [Self::Silent, Self::OutOfService, Self::Stopped, Self::Degraded, Self::InService];

    pub fn words(self) -> &'static str {
        match self {
            Self::Silent => "Silent",
            Self::OutOfService => "Out of service",
            Self::Stopped => "Stopped",
            Self::Degraded => "Degraded",
            Self::InService => "In service",
        }
    }

    /// As it stands in addresses and metrics, which is its serde name.
    pub fn token(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::OutOfService => "out-of-service",
            Self::Stopped => "stopped",
            Self::Degraded => "degraded",
            Self::InService => "in-service",
        }
    }

    /// The class that colours it; the word beside it says the same.
    pub fn class(self) -> &'static str {
        match self {
            Self::Silent | Self::OutOfService => "bad",
            Self::Stopped | Self::Degraded => "fair",
            Self::InService => "good",
        }
    }
}

/// One unit as the dashboard knows it. Times are by the dashboard's own clock unless they stand in the report.
#[derive(Debug, Clone)]
pub struct Unit {
    pub id: UnitId,
    pub link: Option<Link>,
    pub report: Option<Report>,
    /// When the last report was made: when it came, or by the unit's clock if the broker had kept it.
    pub heard: Option<Timestamp>,
    /// Why its last message was not taken.
    pub trouble: Option<Box<str>>,
    pub judged: Judged,
    /// The roster's revision at which any of this changed last.
    pub revision: u64,
}

/// What the broker keeps of a unit's connection: its birth, its last will, its good-bye.
#[derive(Debug, Clone)]
pub struct Link {
    pub presence: Presence,
    pub told: Timestamp,
    /// We were told when it happened, not by what the broker had kept.
    pub live: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judged {
    pub condition: Condition,
    /// None where nobody can say.
    pub since: Option<Timestamp>,
    pub silence: Option<Silence>,
}

/// Why nothing is known of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Silence {
    /// Its connection broke, and the broker published its last will.
    Lost,
    /// It is connected, as far as the broker knows, and its report has not come in time.
    Overdue,
    /// No report of it was ever heard.
    NeverReported,
}

impl Silence {
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Lost => "The broker has lost the connection to it: no power, no network, or it was taken.",
            Self::Overdue => "No report has come for longer than its interval.",
            Self::NeverReported => "It has never sent a report that could be read.",
        }
    }
}

/// A broker's retained messages come within moments of our connection; units after a broker's restart a little later.
/// A report that is older than this was given up long before.
const LONG_GONE: SignedDuration = SignedDuration::from_secs(15 * 60);

impl Unit {
    pub fn new(id: UnitId) -> Self {
        let judged =
            Judged { condition: Condition::Silent, since: None, silence: Some(Silence::NeverReported) };
        Self { id, link: None, report: None, heard: None, trouble: None, judged, revision: 0 }
    }

    /// How the unit stands at `now`, where we have heard everything since `listening_since`.
    pub fn judge(&self, now: Timestamp, listening_since: Timestamp) -> Judged {
        let silent = |silence, since| Judged { condition: Condition::Silent, since, silence: Some(silence) };
        if let Some(Link { presence: Presence::Offline { at, reason, .. }, told, live }) = &self.link
            // A report that came after it: the will was that of an older connection.
            && self.heard.is_none_or(|heard| heard <= *told)
        {
            let last_sign = self.heard.map_or(*at, |heard| heard.max(*at));
            return match reason {
                OfflineReason::Stopped => {
                    Judged { condition: Condition::Stopped, since: Some(*at), silence: None }
                }
                OfflineReason::Lost => silent(Silence::Lost, Some(if *live { *told } else { last_sign })),
            };
        }
        let (Some(report), Some(heard)) = (&self.report, self.heard) else {
            return silent(Silence::NeverReported, self.link.as_ref().map(|link| link.told));
        };
        let patience = patience(report.report_every_s);
        let unheard = now.duration_since(heard);
        if unheard > patience && (unheard > LONG_GONE || now.duration_since(listening_since) > patience) {
            return silent(Silence::Overdue, Some(heard));
        }
        let condition = match report.service.state {
            ServiceState::InService => Condition::InService,
            ServiceState::Degraded => Condition::Degraded,
            ServiceState::OutOfService => Condition::OutOfService,
        };
        Judged { condition, since: Some(report.service.since), silence: None }
    }

    /// Why, in sentences, the gravest first.
    pub fn why(&self) -> Vec<String> {
        let silence = self.judged.silence.map(|silence| silence.sentence().to_owned());
        let stopped =
            (self.judged.condition == Condition::Stopped).then(|| "It was stopped on purpose.".to_owned());
        let trouble = self.trouble.as_deref().map(crate::words::sentence);
        let causes = self.causes().into_iter().map(|cause| match &*cause.detail {
            "" => cause.reason.sentence(),
            detail => format!("{} ({detail})", cause.reason.sentence()),
        });
        silence.into_iter().chain(stopped).chain(trouble).chain(causes).collect()
    }

    /// The reasons of its last report, the gravest first.
    pub fn causes(&self) -> Vec<&super::report::Cause> {
        let mut causes: Vec<_> = self.report.iter().flat_map(|report| &report.service.reasons).collect();
        causes.sort_by_key(|cause| !cause.reason.disables());
        causes
    }

    /// Whether one of its reasons is this.
    pub fn has_reason(&self, token: &str) -> bool {
        self.reasons().any(|reason| reason.token() == token)
    }

    pub fn reasons(&self) -> impl Iterator<Item = &Told> {
        self.report.iter().flat_map(|report| &report.service.reasons).map(|cause| &cause.reason)
    }

    /// Whether the broker holds a connection to it; None where it never said.
    pub fn is_connected(&self) -> Option<bool> {
        self.link.as_ref().map(|link| matches!(link.presence, Presence::Online { .. }))
    }
}

/// A report that is half an interval late is missing: on its way it takes a second.
fn patience(report_every_s: u32) -> SignedDuration {
    let every = i64::from(report_every_s.max(1));
    SignedDuration::from_secs(every + (every / 2).max(5))
}
