use std::collections::BTreeMap;
use std::num::NonZeroU32;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::camera::CameraView;
use super::canary::CanaryReport;
use super::yields::YieldReport;
use super::{Finding, Reason, ServiceState, Standing};
use crate::alert::Verdict;
use crate::hotlist::{Freshness, ListSummary, ManualSummary};
use crate::record::Loss;
use crate::roster::RosterReport;
use crate::system::{ClockStatus, DeviceFacts, Reserve};
use crate::words::{CameraId, LaneName, PersonName, Position, PositionSource, UnitId, UnitKind};

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
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct HealthReport {
    pub unit: UnitId,
    /// By the unit's clock.
    #[cfg_attr(test, schemars(with = "crate::contract::Time"))]
    pub at: Timestamp,
    /// Seconds after which the next report comes at the latest; a unit that is silent for longer has a reason.
    #[serde(default = "usual_interval")]
    pub report_every_s: u32,
    /// Of the program.
    pub version: String,
    /// Seconds since the program started.
    pub uptime_s: u64,
    pub service: ServiceReport,
    /// Each configured one.
    pub cameras: Vec<CameraReport>,
    /// Each configured one.
    pub lists: Vec<ListSummary>,
    pub manual_entries: ManualSummary,
    pub records: RecordReport,
    pub broker: BrokerReport,
    pub device: DeviceFacts,
    pub place: PlaceReport,
    /// By the unit's local calendar.
    pub reads_today: u64,
    /// By the unit's local calendar.
    pub alerts_today: u64,
    /// When the last vehicle was read, since the program started.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "Option<crate::contract::Time>"))]
    pub last_read: Option<Timestamp>,
    pub answers: AnswerReport,
    /// None where the unit takes no accounts from the department.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roster: Option<RosterReport>,
}

/// Of units that do not say.
fn usual_interval() -> u32 {
    Config::default().report_every_s
}

/// What people found of the unit's alerts: its own rate of false hits.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AnswerReport {
    /// The days before now that are counted.
    pub days: u32,
    /// Alerts that were answered, all verdicts together; of two answers to one alert the last.
    pub answered: u64,
    /// Characters and state were the listed ones.
    pub correct_read: u64,
    /// The plate was another state's.
    pub wrong_state: u64,
    /// The characters were others.
    pub incorrect_read: u64,
    /// Seen, and not followed up.
    pub dismissed: u64,
    /// Wrong states and incorrect reads, of all that were not dismissed; None where there are none.
    pub false_hit_rate: Option<f64>,
}

impl AnswerReport {
    /// Answers that say whether an alert was a false hit.
    pub fn judged(&self) -> u64 {
        self.answered.saturating_sub(self.dismissed)
    }

    pub fn of(days: u32, counts: [(Verdict, u64); 4]) -> Self {
        let mut report = Self { days, ..Self::default() };
        let mut hits = [0u64; 2];
        for (verdict, count) in counts {
            report.answered += count;
            let counted = match verdict {
                Verdict::CorrectRead => &mut report.correct_read,
                Verdict::WrongState => &mut report.wrong_state,
                Verdict::IncorrectRead => &mut report.incorrect_read,
                Verdict::Dismissed => &mut report.dismissed,
            };
            *counted += count;
            if verdict != Verdict::Dismissed {
                hits[usize::from(verdict.is_false_hit())] += count;
            }
        }
        let [correct, wrong] = hits;
        let rate = |judged: u64| (wrong as f64 / judged as f64 * 1000.0).round() / 1000.0;
        report.false_hit_rate = (correct + wrong > 0).then(|| rate(correct + wrong));
        report
    }
}

/// Whether the unit can be trusted, and why not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ServiceReport {
    pub state: ServiceState,
    /// By the unit's clock.
    #[cfg_attr(test, schemars(with = "crate::contract::Time"))]
    pub since: Timestamp,
    /// Those in force, the gravest first.
    pub reasons: Vec<Standing>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CameraReport {
    pub camera: CameraId,
    /// Whether pictures come; not yet in the first seconds, without a fault.
    pub streaming: bool,
    /// What is wrong with the link, in words.
    pub fault: Option<String>,
    /// As they came lately.
    pub frames_per_s: f32,
    /// In pixels; 0 while no picture comes.
    pub width: u32,
    /// In pixels; 0 while no picture comes.
    pub height: u32,
    #[serde(flatten)]
    pub view: CameraView,
    /// Who last said that the camera stands as it should; null before.
    pub aim_verified: Option<AimVerified>,
    /// Milliseconds of the last look of vision at a frame.
    pub vision_ms: f32,
    /// Frames that vision did not look at because newer ones had come.
    pub frames_skipped: u64,
    /// How the unit's own test plate fares; none where it is turned off.
    #[serde(default)]
    pub canary: Option<CanaryReport>,
    /// What was read in the last whole hour, against what is usual.
    #[serde(default)]
    pub yields: YieldReport,
    /// In each lane that a person drew, then outside all of them; empty where nobody drew any.
    #[serde(default)]
    pub reads_today_by_lane: Vec<LaneReads>,
}

/// Reads of today in one lane of a camera.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LaneReads {
    /// None: outside all lanes.
    pub lane: Option<LaneName>,
    /// Of today, or since the lane was drawn.
    pub reads: u64,
}

/// Who said that a camera stands as it should.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AimVerified {
    pub by: PersonName,
    /// By the unit's clock.
    #[cfg_attr(test, schemars(with = "crate::contract::Time"))]
    pub at: Timestamp,
}

/// What waits for the department, and what became of the rest.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RecordReport {
    /// Records not yet confirmed by a receipt.
    pub waiting: u64,
    /// How long the oldest of those has waited.
    pub oldest_waiting_s: Option<u64>,
    /// Since the program started; so are the next two.
    pub delivered: u64,
    /// Destroyed, as policy says.
    pub purged: u64,
    /// Destroyed without having been received.
    pub lost: u64,
    /// The same by reason.
    #[serde(default)]
    pub lost_by_reason: BTreeMap<Loss, u64>,
    /// Why storage fails, if it does.
    pub fault: Option<String>,
}

/// The link to the broker.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct BrokerReport {
    /// Whether the session stands.
    pub connected: bool,
    /// Why it is not, or why nothing comes back though it is, with the mend.
    pub fault: Option<String>,
    /// Negative once it has ended; null where it cannot be read.
    pub certificate_days_left: Option<i64>,
}

/// Where the unit is, and how it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PlaceReport {
    pub kind: UnitKind,
    /// Of a fixed unit its deployed site, unless the receiver was surely elsewhere; of another where the receiver was
    /// last. Null where nobody ever told.
    pub position: Option<Position>,
    /// Metres from the deployed site to where the receiver was last.
    pub from_site_m: Option<f64>,
    /// Against how it stood when the aim was verified; None without an accelerometer.
    pub tilted_deg: Option<f32>,
}

/// "12 records: 10 no room, 2 damaged"
fn lost(records: &RecordReport) -> String {
    let reasons: Vec<String> =
        records.lost_by_reason.iter().map(|(loss, count)| format!("{count} {loss}")).collect();
    let colon = if reasons.is_empty() { "" } else { ": " };
    format!("{} records{colon}{}", records.lost, reasons.join(", "))
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
    pub roster: Option<&'a RosterReport>,
}

impl Facts<'_> {
    /// Everything that is wrong by `config`'s limits.
    pub fn findings(&self, config: &Config) -> Vec<Finding> {
        let mut findings = Vec::new();
        self.cameras(&mut findings);
        let mut find = |reason, detail: String| findings.push(Finding { reason, camera: None, detail });
        self.lists(&mut find);
        self.device(config, &mut find);
        self.place(config, &mut find);
        if let Some(fault) = &self.records.fault {
            find(Reason::StoreFailing, fault.clone());
        }
        if self.records.lost > 0 {
            find(Reason::RecordsLost, lost(self.records));
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
        if let Some(why) = self.roster.and_then(|roster| roster.rests.clone()) {
            find(Reason::RosterRests, why);
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

    fn place(&self, config: &Config, find: &mut impl FnMut(Reason, String)) {
        let place = self.place;
        if let Some(tilted) = place.tilted_deg.filter(|tilted| *tilted > config.tilted_deg) {
            find(Reason::Tilted, format!("by {tilted:.1} degrees"));
        }
        let age_s = place.position.and_then(|position| position.age_s);
        if place.kind != UnitKind::Fixed && age_s.is_none_or(|age_s| age_s > POSITION_GOOD_S) {
            let told = age_s.map(|age_s| format!("last known {} min ago", age_s / 60));
            find(Reason::PositionLost, told.unwrap_or_default());
        }
        let elsewhere = place.position.is_some_and(|position| position.source == PositionSource::Gps);
        if let Some(metres) = place.from_site_m.filter(|_| elsewhere) {
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
#[path = "report_tests.rs"]
mod tests;
