use std::num::NonZeroU32;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::camera::CameraView;
use super::canary::CanaryReport;
use super::{Finding, Reason, ServiceState, Standing};
use crate::hotlist::{Freshness, ListSummary, ManualSummary};
use crate::system::{ClockStatus, DeviceFacts, Position, PositionConfig, Reserve};
use crate::words::{CameraId, PersonName, UnitId, UnitKind};

/// Limits that departments differ in. Section `[health]` of the configuration.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Seconds between two reports; a change is reported at once. Default 60.
    pub report_every_s: u32,
    /// Less free storage than this many megabytes degrades the unit. Default 500.
    pub disk_low_mb: u64,
    /// A storage medium that calls so much of its life used, in per cent, degrades the unit. Default 90.
    pub storage_worn_percent: u8,
    /// Less free memory than this many megabytes degrades the unit. Default 50.
    pub memory_low_mb: u64,
    /// Hotter than this many degrees Celsius degrades the unit. Default 85.
    pub too_hot_c: u32,
    /// A supply or battery under this many volts degrades the unit. Default none: only the device's own alarm counts.
    pub supply_low_v: Option<f32>,
    /// A clock that may be wrong by more than this many milliseconds degrades the unit. Default 2000: timesyncd looks
    /// at its server every half hour, and until then the kernel allows for a second.
    pub clock_error_ms: u32,
    /// Days before its end from which the unit's certificate is reported. Default 21.
    pub certificate_warning_days: u32,
    /// A record that has waited for its receipt for this many hours degrades the unit. Default 24.
    pub backlog_late_h: u32,
    /// A unit that leans so many degrees from how it stood when its aim was verified is out of service. Default 2.
    pub tilted_deg: f32,
    /// A blow harder than this many g, beyond gravity, is told. Default 1.
    pub knock_g: f32,
    /// Seconds between two test plates, which must come through every stage from the camera's picture to the broker
    /// and back; 0 turns them off. Default 300.
    pub canary_every_s: u32,
    /// Seconds that the broker, and then the receiver, may take to confirm one. Default 60. Raise it on slow links.
    pub canary_patience_s: NonZeroU32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            report_every_s: 60,
            disk_low_mb: 500,
            storage_worn_percent: 90,
            memory_low_mb: 50,
            too_hot_c: 85,
            supply_low_v: None,
            clock_error_ms: 2000,
            certificate_warning_days: 21,
            backlog_late_h: 24,
            tilted_deg: 2.0,
            knock_g: 1.0,
            canary_every_s: 300,
            canary_patience_s: NonZeroU32::new(60).expect("60 is not zero"),
        }
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
    pub place: PlaceReport,
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
    /// How the unit's own test plate fares; none where it is turned off.
    #[serde(default)]
    pub canary: Option<CanaryReport>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AimVerified {
    pub by: PersonName,
    pub at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RecordReport {
    pub waiting: u64,
    /// How long the oldest of those has waited.
    pub oldest_waiting_s: Option<u64>,
    pub delivered: u64,
    pub purged: u64,
    pub lost: u64,
    /// Why storage fails, if it does.
    pub fault: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BrokerReport {
    pub connected: bool,
    /// Why it is not, or why nothing comes back though it is, with the mend.
    pub fault: Option<String>,
    pub certificate_days_left: Option<i64>,
}

/// Where the unit is, and how it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlaceReport {
    pub kind: UnitKind,
    /// As gpsd told last; None where nobody tells.
    pub position: Option<Position>,
    /// From the deployed site.
    pub from_site_m: Option<f64>,
    /// Against how it stood when the aim was verified; None without an accelerometer.
    pub tilted_deg: Option<f32>,
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
    pub place: &'a PlaceReport,
}

impl Facts<'_> {
    /// Everything that is wrong by `config`'s limits.
    pub fn findings(&self, config: &Config, position: &PositionConfig) -> Vec<Finding> {
        let mut findings = Vec::new();
        self.cameras(&mut findings);
        let mut find = |reason, detail: String| findings.push(Finding { reason, camera: None, detail });
        self.lists(&mut find);
        self.device(config, &mut find);
        self.place(config, position, &mut find);
        if let Some(fault) = &self.records.fault {
            find(Reason::StoreFailing, fault.clone());
        }
        if self.records.lost > 0 {
            find(Reason::RecordsLost, format!("{} records", self.records.lost));
        }
        let late = u64::from(config.backlog_late_h) * 3600;
        if let Some(waited) = self.records.oldest_waiting_s.filter(|waited| *waited > late) {
            find(Reason::BacklogOld, format!("the oldest for {} hours", waited / 3600));
        }
        if !self.broker.connected {
            find(Reason::BrokerLost, self.broker.fault.clone().unwrap_or_default());
        } else if let Some(fault) = &self.broker.fault {
            find(Reason::Unreceipted, fault.clone());
        }
        match self.broker.certificate_days_left {
            Some(days) if days < 0 => find(Reason::CertificateExpired, format!("{} days ago", -days)),
            Some(days) if days <= i64::from(config.certificate_warning_days) => {
                find(Reason::CertificateExpiring, format!("{days} days left"));
            }
            _ => {}
        }
        findings
    }

    fn device(&self, config: &Config, find: &mut impl FnMut(Reason, String)) {
        let device = self.device;
        if device.clock == ClockStatus::Free {
            find(Reason::ClockFree, String::new());
        }
        if let Some(error) = device.clock_error_ms.filter(|error| *error > config.clock_error_ms.into()) {
            find(Reason::ClockOff, format!("up to {:.1} s", error / 1000.0));
        }
        if let Some(free) = device.disk_free_mb.filter(|free| *free < config.disk_low_mb) {
            find(Reason::DiskLow, format!("{free} MB free"));
        }
        let worn = device.storage.storage_worn_percent.filter(|worn| *worn >= config.storage_worn_percent);
        match (worn, device.storage.storage_reserve) {
            (Some(worn), _) => find(Reason::StorageWorn, format!("{worn} % of its life is used")),
            (None, Some(Reserve::Low)) => {
                find(Reason::StorageWorn, "80 % of its spare blocks are used".into())
            }
            (None, Some(Reserve::NearlyGone)) => {
                find(Reason::StorageWorn, "90 % of its spare blocks are used".into());
            }
            _ => {}
        }
        if let Some(free) = device.memory_free_mb.filter(|free| *free < config.memory_low_mb) {
            find(Reason::MemoryLow, format!("{free} MB free"));
        }
        if let Some(hot) = device.temperature_c.filter(|hot| *hot > config.too_hot_c as f32) {
            find(Reason::TooHot, format!("{hot:.0} °C"));
        }
        let low = |volts: &f32| config.supply_low_v.is_some_and(|low| *volts < low);
        match device.power.supply_v.filter(low) {
            Some(volts) => find(Reason::UnderVoltage, format!("{volts:.1} V")),
            None if device.power.undervoltage == Some(true) => find(Reason::UnderVoltage, String::new()),
            None => {}
        }
        if device.power.throttled == Some(true) {
            find(Reason::Throttled, String::new());
        }
        if let Some(motion) = device.motion.filter(|motion| motion.knock_g > config.knock_g) {
            find(Reason::Knocked, format!("with {:.1} g", motion.knock_g));
        }
    }

    fn place(&self, config: &Config, position: &PositionConfig, find: &mut impl FnMut(Reason, String)) {
        let place = self.place;
        if let Some(tilted) = place.tilted_deg.filter(|tilted| *tilted > config.tilted_deg) {
            find(Reason::Tilted, format!("by {tilted:.1} degrees"));
        }
        let recent = place.position.filter(|position| position.age_s <= POSITION_GOOD_S);
        if place.kind != UnitKind::Fixed && recent.is_none() {
            let told = place.position.map(|position| format!("last known {} min ago", position.age_s / 60));
            find(Reason::PositionLost, told.unwrap_or_default());
        }
        // A fix that may be as wrong as that says nothing.
        let limit = position.moved_m.metres();
        let sure = recent.is_some_and(|position| position.error_m.is_none_or(|error| error < limit));
        if let Some(metres) = place.from_site_m.filter(|metres| sure && *metres > limit) {
            find(Reason::SiteLeft, format!("{metres:.0} m away"));
        }
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

/// A position this old is no longer where the unit is.
const POSITION_GOOD_S: u64 = 60;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hotlist::RefusalNote;
    use crate::system::{Motion, PowerFacts, StorageFacts};
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
            canary: None,
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

    fn sound_device() -> DeviceFacts {
        DeviceFacts {
            disk_free_mb: Some(9_000),
            memory_mb: Some(90),
            memory_free_mb: Some(900),
            temperature_c: Some(50.0),
            clock: ClockStatus::Synchronised,
            clock_error_ms: Some(20.0),
            ..DeviceFacts::default()
        }
    }

    fn at_its_place() -> PlaceReport {
        PlaceReport { kind: UnitKind::Fixed, position: None, from_site_m: None, tilted_deg: None }
    }

    fn reasons(cameras: &[CameraReport], lists: &[ListSummary], days_left: i64) -> Vec<Reason> {
        let broker = BrokerReport { connected: true, fault: None, certificate_days_left: Some(days_left) };
        let (device, place, records) = (sound_device(), at_its_place(), RecordReport::default());
        let facts =
            Facts { cameras, lists, records: &records, broker: &broker, device: &device, place: &place };
        facts
            .findings(&Config::default(), &PositionConfig::default())
            .into_iter()
            .map(|finding| finding.reason)
            .collect()
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

    fn of_device(device: &DeviceFacts, place: &PlaceReport) -> Vec<Reason> {
        let cameras = [camera("a", true)];
        let broker = BrokerReport { connected: true, ..BrokerReport::default() };
        let records = RecordReport::default();
        let facts =
            Facts { cameras: &cameras, lists: &[], records: &records, broker: &broker, device, place };
        let config = Config { supply_low_v: Some(11.0), ..Config::default() };
        facts
            .findings(&config, &PositionConfig::default())
            .into_iter()
            .map(|finding| finding.reason)
            .collect()
    }

    #[test]
    fn each_limit_of_the_device_has_its_reason() {
        let sound = sound_device();
        assert_eq!(of_device(&sound, &at_its_place()), []);
        assert_eq!(
            of_device(&DeviceFacts::default(), &at_its_place()),
            [],
            "what does not tell is not at fault"
        );
        let storage = |worn, reserve| StorageFacts {
            storage_worn_percent: worn,
            storage_reserve: reserve,
            storage_written_gb: None,
        };
        let power = PowerFacts::default();
        let knocked = Motion { gravity: None, knock_g: 1.5 };
        for (device, reason) in [
            (DeviceFacts { clock: ClockStatus::Free, ..sound.clone() }, Reason::ClockFree),
            (DeviceFacts { clock_error_ms: Some(2001.0), ..sound.clone() }, Reason::ClockOff),
            (DeviceFacts { disk_free_mb: Some(499), ..sound.clone() }, Reason::DiskLow),
            (DeviceFacts { storage: storage(Some(90), None), ..sound.clone() }, Reason::StorageWorn),
            (
                DeviceFacts { storage: storage(Some(10), Some(Reserve::Low)), ..sound.clone() },
                Reason::StorageWorn,
            ),
            (DeviceFacts { memory_free_mb: Some(49), ..sound.clone() }, Reason::MemoryLow),
            (DeviceFacts { temperature_c: Some(85.5), ..sound.clone() }, Reason::TooHot),
            (
                DeviceFacts { power: PowerFacts { supply_v: Some(10.9), ..power.clone() }, ..sound.clone() },
                Reason::UnderVoltage,
            ),
            (
                DeviceFacts {
                    power: PowerFacts { undervoltage: Some(true), ..power.clone() },
                    ..sound.clone()
                },
                Reason::UnderVoltage,
            ),
            (
                DeviceFacts { power: PowerFacts { throttled: Some(true), ..power }, ..sound.clone() },
                Reason::Throttled,
            ),
            (DeviceFacts { motion: Some(knocked), ..sound.clone() }, Reason::Knocked),
        ] {
            assert_eq!(of_device(&device, &at_its_place()), [reason], "{device:?}");
        }
    }

    #[test]
    fn a_unit_that_was_carried_away_leans_or_does_not_know_where_it_is_is_told() {
        let here = crate::system::Place { latitude: 42.1, longitude: -72.6 };
        let position =
            |age_s, error_m| Some(Position { place: here, error_m, at: Timestamp::UNIX_EPOCH, age_s });
        let fixed = |position, metres| PlaceReport { position, from_site_m: Some(metres), ..at_its_place() };
        let judged = |place: PlaceReport| of_device(&sound_device(), &place);
        assert_eq!(judged(fixed(position(1, Some(8.0)), 101.0)), [Reason::SiteLeft]);
        assert_eq!(judged(fixed(position(1, Some(8.0)), 99.0)), []);
        assert_eq!(judged(fixed(position(1, Some(200.0)), 150.0)), [], "the receiver is not sure");
        assert_eq!(judged(fixed(position(61, Some(8.0)), 500.0)), [], "an old fix says nothing of now");
        let mobile = |position| PlaceReport { kind: UnitKind::Mobile, position, ..at_its_place() };
        assert_eq!(judged(mobile(None)), [Reason::PositionLost]);
        assert_eq!(judged(mobile(position(61, None))), [Reason::PositionLost]);
        assert_eq!(judged(mobile(position(2, None))), []);
        assert_eq!(judged(PlaceReport { tilted_deg: Some(2.1), ..at_its_place() }), [Reason::Tilted]);
    }
}
