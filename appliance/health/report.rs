use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::camera::CameraView;
use super::canary::CanaryReport;
use super::yields::YieldReport;
use super::{Config, ServiceState, Standing};
use crate::alert::Verdict;
use crate::hotlist::{ListSummary, ManualSummary};
use crate::record::Loss;
use crate::roster::RosterReport;
use crate::system::DeviceFacts;
use crate::words::{CameraId, LaneName, PersonName, Position, UnitId, UnitKind};

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dismissed_alerts_make_no_rate_of_false_hits() {
        let counts = |correct, state, read, dismissed| {
            let report = AnswerReport::of(
                30,
                [
                    (Verdict::CorrectRead, correct),
                    (Verdict::WrongState, state),
                    (Verdict::IncorrectRead, read),
                    (Verdict::Dismissed, dismissed),
                ],
            );
            (report.answered, report.false_hit_rate)
        };
        assert_eq!(counts(0, 0, 0, 4), (4, None));
        assert_eq!(counts(6, 1, 2, 4), (13, Some(0.333)));
    }
}
