//! A unit's health report as far as the dashboard shows it.
//!
//! Reads what `health::HealthReport` writes, and no more of it: thousands of these are in memory. A later
//! version of a unit may say more, or give reasons that this program does not know; those are shown as they come.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::health::{AnswerReport, BrokerReport, Reason, ServiceState};
use crate::hotlist::Freshness;
use crate::words::{CameraId, ListName, PersonName, UnitId, UnitKind};

/// A whole report has 3 to 10 kB.
pub const PAYLOAD_MAX: usize = 128 * 1024;
/// More of anything than a unit has; what a hostile one lists beyond is not kept.
const MOST: usize = 32;
/// Longer than any detail of a reason.
const LETTERS: usize = 200;

/// Why a message is no report of this unit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    #[error("a report of {0} bytes was not read: a unit sends a tenth of that")]
    Oversized(usize),
    #[error("a report could not be read: {0}")]
    Unreadable(String),
    #[error("a report under this unit's topic calls itself {0}: somebody sends in another's name")]
    Foreign(UnitId),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    #[serde(skip_serializing)]
    unit: UnitId,
    /// By the unit's clock.
    pub at: Timestamp,
    #[serde(default = "usual_interval")]
    pub report_every_s: u32,
    pub version: Box<str>,
    pub uptime_s: u64,
    pub service: Service,
    pub cameras: Box<[Camera]>,
    pub lists: Box<[List]>,
    pub records: Records,
    pub broker: BrokerReport,
    pub device: Device,
    pub place: Whereabouts,
    pub reads_today: u64,
    pub alerts_today: u64,
    #[serde(default)]
    pub last_read: Option<Timestamp>,
    #[serde(default)]
    pub answers: AnswerReport,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Service {
    pub state: ServiceState,
    pub since: Timestamp,
    pub reasons: Box<[Cause]>,
}

/// A reason in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    pub reason: Told,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub camera: Option<CameraId>,
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub detail: Box<str>,
    pub since: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<PersonName>,
}

/// A reason that this program knows, or one of a later version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Told {
    Known(Reason),
    Later(Box<str>),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Camera {
    pub camera: CameraId,
    pub streaming: bool,
    pub fault: Option<Box<str>>,
    pub frames_per_s: f32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct List {
    pub list: ListName,
    pub freshness: Freshness,
    pub version: Option<u64>,
    pub issued: Option<Timestamp>,
    /// When the report was made.
    pub age_s: Option<u64>,
    pub entries: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Records {
    pub waiting: u64,
    pub oldest_waiting_s: Option<u64>,
    pub lost: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Device {
    pub disk_free_mb: Option<u64>,
    pub temperature_c: Option<f32>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Whereabouts {
    pub kind: UnitKind,
    pub position: Option<Spot>,
    pub from_site_m: Option<f64>,
}

/// Degrees (WGS 84).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Spot {
    pub latitude: f64,
    pub longitude: f64,
    #[serde(default)]
    pub age_s: Option<u64>,
}

/// Of units that do not say: `[health] report_every_s`.
fn usual_interval() -> u32 {
    60
}

impl Report {
    /// Reads what came under this unit's topic.
    pub fn read(unit: &UnitId, payload: &[u8]) -> Result<Self, ReportError> {
        if payload.len() > PAYLOAD_MAX {
            return Err(ReportError::Oversized(payload.len()));
        }
        let unreadable = |error: serde_json::Error| {
            ReportError::Unreadable(error.to_string().chars().take(LETTERS).collect())
        };
        let mut report: Self = serde_json::from_slice(payload).map_err(unreadable)?;
        if report.unit != *unit {
            return Err(ReportError::Foreign(report.unit));
        }
        report.shorten();
        Ok(report)
    }

    /// What a hostile unit writes at length takes no room.
    fn shorten(&mut self) {
        first(&mut self.service.reasons);
        first(&mut self.cameras);
        first(&mut self.lists);
        short(&mut self.version);
        for cause in &mut self.service.reasons {
            short(&mut cause.detail);
            if let Told::Later(name) = &mut cause.reason {
                short(name);
            }
        }
        self.cameras.iter_mut().filter_map(|camera| camera.fault.as_mut()).for_each(short);
        if let Some(fault) = &mut self.broker.fault {
            *fault = fault.chars().take(LETTERS).collect();
        }
        let valid = |spot: &Spot| spot.latitude.abs() <= 90.0 && spot.longitude.abs() <= 180.0;
        self.place.position = self.place.position.filter(valid);
    }

    /// The oldest of its lists that is there, by the list's own date.
    fn oldest_list(&self) -> Option<&List> {
        self.lists.iter().filter(|list| list.age_s.is_some()).max_by_key(|list| list.age_s)
    }

    /// The age of that list at `now`, which runs on while the unit is silent.
    pub fn list_age_s(&self, now: Timestamp) -> Option<u64> {
        let told = self.oldest_list()?.age_s?;
        let since = now.duration_since(self.at).as_secs().max(0);
        Some(told.saturating_add(since.unsigned_abs()))
    }

    /// The gravest freshness among its lists; None where it has none configured.
    pub fn freshness(&self) -> Option<Freshness> {
        self.lists.iter().map(|list| list.freshness).max()
    }
}

impl Told {
    /// As it stands in reports, filters and metrics.
    pub fn token(&self) -> String {
        match self {
            Self::Known(reason) => {
                let name = serde_json::to_value(reason).unwrap_or_default();
                name.as_str().unwrap_or_default().to_owned()
            }
            Self::Later(name) => name.to_string(),
        }
    }

    pub fn sentence(&self) -> String {
        match self {
            Self::Known(reason) => reason.sentence().to_owned(),
            Self::Later(name) => format!("{name} (a reason of a later version)."),
        }
    }

    /// What a person can do about it.
    pub fn mend(&self) -> Option<&'static str> {
        match self {
            Self::Known(reason) => Some(reason.mend()),
            Self::Later(_) => None,
        }
    }

    pub fn disables(&self) -> bool {
        matches!(self, Self::Known(reason) if reason.severity() == crate::health::Severity::Disables)
    }
}

fn first<T>(all: &mut Box<[T]>) {
    if all.len() > MOST {
        let mut kept = std::mem::take(all).into_vec();
        kept.truncate(MOST);
        *all = kept.into();
    }
}

fn short(text: &mut Box<str>) {
    if text.chars().count() > LETTERS {
        *text = text.chars().take(LETTERS).collect();
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// A report as a unit sends it, in service and without a fault.
    pub fn sent(unit: &str, at: Timestamp) -> Value {
        json!({
            "unit": unit, "at": at, "report_every_s": 60, "version": "0.1.0", "uptime_s": 7200,
            "service": { "state": "in-service", "since": at, "reasons": [] },
            "cameras": [{ "camera": "north", "streaming": true, "fault": null, "frames_per_s": 15.0 }],
            "lists": [{
                "list": "state-stolen", "freshness": "fresh", "version": 7, "issued": at, "age_s": 600,
                "entries": 1000,
            }],
            "records": { "waiting": 3, "oldest_waiting_s": 2, "delivered": 9, "purged": 9, "lost": 0 },
            "broker": { "connected": true, "fault": null, "certificate_days_left": 200 },
            "device": { "disk_free_mb": 9000, "temperature_c": 41.5 },
            "place": { "kind": "fixed", "position": null, "from_site_m": null, "tilted_deg": null },
            "reads_today": 412, "alerts_today": 1, "last_read": at,
            "answers": {
                "days": 30, "answered": 20, "correct_read": 18, "wrong_state": 1, "incorrect_read": 1,
                "dismissed": 0, "false_hit_rate": 0.1,
            },
        })
    }

    fn read(value: &Value) -> Result<Report, ReportError> {
        Report::read(&UnitId::parse("unit-1").unwrap(), value.to_string().as_bytes())
    }

    const AT: Timestamp = Timestamp::UNIX_EPOCH;

    #[test]
    fn what_another_unit_says_under_this_topic_is_not_taken() {
        let other = UnitId::parse("unit-2").unwrap();
        assert_eq!(read(&sent("unit-2", AT)), Err(ReportError::Foreign(other)));
        assert!(read(&sent("unit-1", AT)).is_ok());
    }

    #[test]
    fn a_hostile_report_takes_little_room() {
        let mut report = sent("unit-1", AT);
        let cause = json!({ "reason": "x".repeat(900), "detail": "y".repeat(900), "since": AT });
        report["service"]["reasons"] = Value::Array(vec![cause; 60]);
        let kept = read(&report).unwrap();
        assert_eq!(kept.service.reasons.len(), MOST);
        assert_eq!(
            (kept.service.reasons[0].detail.len(), kept.service.reasons[0].reason.token().len()),
            (200, 200)
        );
        report["version"] = Value::String("z".repeat(PAYLOAD_MAX));
        assert!(matches!(read(&report), Err(ReportError::Oversized(_))));
        assert!(matches!(read(&json!([1, 2])), Err(ReportError::Unreadable(_))));
    }

    #[test]
    fn a_reason_of_a_later_version_is_shown_as_it_comes() {
        let mut report = sent("unit-1", AT);
        report["service"]["reasons"] = json!([{ "reason": "lens-stolen", "since": AT }]);
        report["a_later_field"] = json!({ "x": 1 });
        let kept = read(&report).unwrap();
        assert_eq!(kept.service.reasons[0].reason.sentence(), "lens-stolen (a reason of a later version).");
    }

    #[test]
    fn a_list_grows_older_while_its_unit_is_silent() {
        let report = read(&sent("unit-1", AT)).unwrap();
        let later = Timestamp::from_second(3600).unwrap();
        assert_eq!(report.list_age_s(later), Some(600 + 3600));
        assert_eq!(report.list_age_s(AT), Some(600));
    }

    #[test]
    fn what_health_writes_can_be_read() {
        use crate::health::{HealthReport, PlaceReport, RecordReport, ServiceReport};
        let service = ServiceReport { state: ServiceState::Degraded, since: AT, reasons: vec![] };
        let place =
            PlaceReport { kind: UnitKind::Mobile, position: None, from_site_m: None, tilted_deg: None };
        let whole = HealthReport {
            unit: UnitId::parse("unit-1").unwrap(),
            at: AT,
            report_every_s: 30,
            version: "0.1.0".into(),
            uptime_s: 5,
            service,
            cameras: vec![],
            lists: vec![],
            manual_entries: Default::default(),
            records: RecordReport::default(),
            broker: BrokerReport::default(),
            device: Default::default(),
            place,
            reads_today: 0,
            alerts_today: 0,
            last_read: None,
            answers: AnswerReport::default(),
            roster: None,
        };
        let report = read(&serde_json::to_value(&whole).unwrap()).unwrap();
        assert_eq!((report.report_every_s, report.place.kind), (30, UnitKind::Mobile));
    }
}
