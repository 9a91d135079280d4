use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::camera::CameraView;
use super::{Finding, Reason, ServiceState, Standing};
use crate::hotlist::{Freshness, ListSummary, ManualSummary};
use crate::system::{ClockStatus, DeviceFacts};
use crate::words::{CameraId, PersonName, UnitId};

/// Limits that departments differ in. Section `[health]` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Seconds between two reports; a change is reported at once. Default 60.
    pub report_every_s: u32,
    /// Less free storage than this many megabytes degrades the unit. Default 500.
    pub disk_low_mb: u64,
    /// Hotter than this many degrees Celsius degrades the unit. Default 85.
    pub too_hot_c: u32,
    /// Days before its end from which the unit's certificate is reported. Default 21.
    pub certificate_warning_days: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self { report_every_s: 60, disk_low_mb: 500, too_hot_c: 85, certificate_warning_days: 21 }
    }
}

/// What goes to the broker, retained, every minute and at every change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HealthReport {
    pub unit: UnitId,
    pub at: Timestamp,
    pub version: String,
    pub uptime_s: u64,
    pub service: ServiceReport,
    pub cameras: Vec<CameraReport>,
    pub lists: Vec<ListSummary>,
    pub manual_entries: ManualSummary,
    pub records: RecordReport,
    pub broker: BrokerReport,
    pub device: DeviceFacts,
    pub reads_today: u64,
    pub alerts_today: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceReport {
    pub state: ServiceState,
    pub since: Timestamp,
    pub reasons: Vec<Standing>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CameraReport {
    pub camera: CameraId,
    /// Whether pictures come; not yet in the first seconds, without a fault.
    pub streaming: bool,
    /// What is wrong with the link, in words.
    pub fault: Option<String>,
    pub frames_per_s: f32,
    pub width: u32,
    pub height: u32,
    #[serde(flatten)]
    pub view: CameraView,
    pub aim_verified: Option<AimVerified>,
    /// Milliseconds of the last look of vision at a frame.
    pub vision_ms: f32,
    /// Frames that vision did not look at because newer ones had come.
    pub frames_skipped: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AimVerified {
    pub by: PersonName,
    pub at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RecordReport {
    pub waiting: u64,
    pub delivered: u64,
    pub purged: u64,
    pub lost: u64,
    /// Why storage fails, if it does.
    pub fault: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BrokerReport {
    pub connected: bool,
    pub fault: Option<String>,
    pub certificate_days_left: Option<i64>,
}

/// What the rooms and the device say, for judgement. The picture's findings come from
/// [`super::CameraWatch::findings`].
pub struct Facts<'a> {
    pub cameras: &'a [CameraReport],
    /// Each configured list; a unit may serve without any.
    pub lists: &'a [ListSummary],
    pub records: &'a RecordReport,
    pub broker: &'a BrokerReport,
    pub device: &'a DeviceFacts,
}

impl Facts<'_> {
    /// Everything that is wrong by `config`'s limits.
    pub fn findings(&self, config: &Config) -> Vec<Finding> {
        let mut findings = Vec::new();
        self.cameras(&mut findings);
        let mut find = |reason, detail: String| findings.push(Finding { reason, camera: None, detail });
        self.lists(&mut find);
        if let Some(fault) = &self.records.fault {
            find(Reason::StoreFailing, fault.clone());
        }
        if self.records.lost > 0 {
            find(Reason::RecordsLost, format!("{} records", self.records.lost));
        }
        if !self.broker.connected {
            find(Reason::BrokerLost, self.broker.fault.clone().unwrap_or_default());
        }
        match self.broker.certificate_days_left {
            Some(days) if days < 0 => find(Reason::CertificateExpired, format!("{} days ago", -days)),
            Some(days) if days <= i64::from(config.certificate_warning_days) => {
                find(Reason::CertificateExpiring, format!("{days} days left"));
            }
            _ => {}
        }
        if self.device.clock == ClockStatus::Free {
            find(Reason::ClockFree, String::new());
        }
        if let Some(free) = self.device.disk_free_mb.filter(|free| *free < config.disk_low_mb) {
            find(Reason::DiskLow, format!("{free} MB free"));
        }
        if let Some(hot) = self.device.temperature_c.filter(|hot| *hot > config.too_hot_c as f32) {
            find(Reason::TooHot, format!("{hot:.0} °C"));
        }
        findings
    }

    fn cameras(&self, findings: &mut Vec<Finding>) {
        let lost = self.cameras.iter().filter(|camera| camera.fault.is_some());
        findings.extend(lost.map(|camera| Finding {
            reason: Reason::CameraLost,
            camera: Some(camera.camera.clone()),
            detail: camera.fault.clone().unwrap_or_default(),
        }));
        if !findings.is_empty() && findings.len() == self.cameras.len() {
            findings.push(Finding { reason: Reason::AllCamerasLost, camera: None, detail: String::new() });
        }
    }

    fn lists(&self, find: &mut impl FnMut(Reason, String)) {
        for list in self.lists {
            let age = list.age_s.map_or_else(String::new, |age| format!(" is {} hours old", age / 3600));
            match list.freshness {
                Freshness::Fresh => {}
                Freshness::Ageing => find(Reason::ListLate, format!("{}{age}", list.list)),
                Freshness::Stale => find(Reason::ListStale, format!("{}{age}", list.list)),
                Freshness::Missing => find(Reason::NoList, list.list.to_string()),
            }
            // A refusal before the edition in force is history.
            if let Some(refusal) = &list.last_refusal
                && list.installed.is_none_or(|installed| refusal.at > installed)
            {
                find(Reason::ListRefused, format!("{}: {}", list.list, refusal.why));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hotlist::RefusalNote;
    use crate::words::ListName;

    fn camera(name: &str, streaming: bool) -> CameraReport {
        CameraReport {
            camera: CameraId::parse(name).unwrap(),
            streaming,
            fault: (!streaming).then(|| "no answer".to_owned()),
            frames_per_s: 25.0,
            width: 1280,
            height: 720,
            view: CameraView::default(),
            aim_verified: None,
            vision_ms: 12.0,
            frames_skipped: 0,
        }
    }

    fn list(freshness: Freshness) -> ListSummary {
        ListSummary {
            list: ListName::parse("state").unwrap(),
            freshness,
            version: Some(7),
            issued: Some(Timestamp::UNIX_EPOCH),
            age_s: Some(7200),
            expires: None,
            installed: Some(Timestamp::UNIX_EPOCH),
            signed_by: None,
            entries: 10,
            on_its_way: None,
            last_refusal: None,
            refusals: 0,
        }
    }

    fn reasons(cameras: &[CameraReport], lists: &[ListSummary], days_left: i64) -> Vec<Reason> {
        let broker = BrokerReport { connected: true, fault: None, certificate_days_left: Some(days_left) };
        let device = DeviceFacts {
            disk_free_mb: Some(9_000),
            memory_mb: Some(90),
            memory_free_mb: Some(900),
            temperature_c: Some(50.0),
            clock: ClockStatus::Synchronised,
        };
        let facts =
            Facts { cameras, lists, records: &RecordReport::default(), broker: &broker, device: &device };
        facts.findings(&Config::default()).into_iter().map(|finding| finding.reason).collect()
    }

    #[test]
    fn one_lost_camera_degrades_and_all_disable() {
        let cameras = [camera("a", true), camera("b", false)];
        assert_eq!(reasons(&cameras, &[list(Freshness::Fresh)], 90), [Reason::CameraLost]);
        assert_eq!(
            reasons(&cameras[1..], &[list(Freshness::Fresh)], 90),
            [Reason::CameraLost, Reason::AllCamerasLost]
        );
    }

    #[test]
    fn a_list_that_is_late_missing_or_refused_is_told() {
        let cameras = [camera("a", true)];
        assert_eq!(reasons(&cameras, &[list(Freshness::Missing)], 90), [Reason::NoList]);
        let lists = [list(Freshness::Fresh), list(Freshness::Ageing)];
        assert_eq!(reasons(&cameras, &lists, 90), [Reason::ListLate]);
        assert_eq!(reasons(&cameras, &[list(Freshness::Stale)], 90), [Reason::ListStale]);
        let mut refused = list(Freshness::Fresh);
        let at = Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_secs(1);
        refused.last_refusal = Some(RefusalNote { at, why: "an unknown key".into() });
        assert_eq!(reasons(&cameras, &[refused.clone()], 90), [Reason::ListRefused]);
        refused.installed = Some(at);
        assert_eq!(reasons(&cameras, &[refused], 90), []);
    }

    #[test]
    fn a_certificate_is_reported_before_and_after_its_end() {
        let cameras = [camera("a", true)];
        assert_eq!(reasons(&cameras, &[list(Freshness::Fresh)], 21), [Reason::CertificateExpiring]);
        assert_eq!(reasons(&cameras, &[list(Freshness::Fresh)], -1), [Reason::CertificateExpired]);
    }
}
