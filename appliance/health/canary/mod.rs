//! The canary: a test plate that nobody carries, laid into a copy of a live frame every few minutes. What reads,
//! matches, records and delivers real plates must bring it to the broker and back; where it stays away, the stage
//! that lost it is known.
//!
//! [`Canary`] decides without I/O when one is due, how long each stage may take, and when a loss counts.
//! [`TestPlate`] is what is laid, [`place`] where. The plate's text is chosen anew each time and never leaves
//! memory; its entry stands in no hot list, its read in no count, its record in nobody's evidence.

mod lay;

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use lay::{TestPlate, place};

use super::{Config, Finding, Reason};
use crate::words::{CameraId, Moment, RecordId};

/// The first one of a start comes no later than this: a unit that was just mended should prove it.
const FIRST: Duration = Duration::from_secs(30);

/// After a loss the next one comes no later than this.
const AGAIN: Duration = Duration::from_secs(20);

/// So many losses in a row count: one may be a bird, or a broker's restart.
const LOSSES: u32 = 2;

/// From its due time on it waits so long for a frame in which nothing moves.
const CALM_WITHIN: Duration = Duration::from_secs(30);

/// Where a canary was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Nothing was found where it lay.
    Vision,
    /// Something else was read.
    Reading,
    /// It was seen, and no read came of it.
    Passage,
    /// Its entry was not found, or not taken for worth an alert.
    Matching,
    /// Its record was not stored.
    Record,
    /// The broker did not acknowledge it.
    Broker,
    /// No receiver confirmed it.
    Receiver,
}

impl Stage {
    pub fn reason(self) -> Reason {
        match self {
            Self::Vision => Reason::CanaryUnseen,
            Self::Reading => Reason::CanaryMisread,
            Self::Passage => Reason::CanaryUnfollowed,
            Self::Matching => Reason::CanaryUnmatched,
            Self::Record => Reason::CanaryUnstored,
            Self::Broker => Reason::CanaryUnacknowledged,
            Self::Receiver => Reason::CanaryUnreceipted,
        }
    }
}

/// How often, and how patient.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    pub every: Duration,
    /// How long each of matching, broker and receiver may take.
    pub patience: Duration,
    /// Whether a receiver is configured, whose receipt is waited for.
    pub receipts: bool,
}

impl Timing {
    /// None where canaries are turned off. `receipts`: whether a receiver is configured.
    pub fn of(config: &Config, receipts: bool) -> Option<Self> {
        let seconds = |seconds: u32| Duration::from_secs(seconds.into());
        let patience = seconds(config.canary_patience_s.get());
        (config.canary_every_s > 0).then(|| Self {
            every: seconds(config.canary_every_s),
            patience,
            receipts,
        })
    }
}

/// How far a stored canary has come, as its store knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whereabouts {
    Waiting,
    Acknowledged,
    /// No longer stored, because a receiver has it.
    Received,
}

/// What the report says of a camera's canary.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CanaryReport {
    /// When the last one came back.
    #[cfg_attr(test, schemars(with = "Option<crate::contract::Time>"))]
    pub returned: Option<Timestamp>,
    /// From its laying to its return.
    pub took_ms: Option<u64>,
    /// Canaries lost in a row, and where the last one was.
    pub losses: u32,
    /// Where the last lost one was lost; null where none was.
    pub lost_by: Option<Stage>,
}

/// One camera's canary.
pub struct Canary {
    timing: Timing,
    course: Course,
    laid: Option<Moment>,
    report: CanaryReport,
}

#[derive(Debug, Clone, Copy)]
enum Course {
    Resting {
        until: Duration,
    },
    /// Vision looks at it.
    Looked {
        since: Moment,
    },
    /// Read, and on its way through matching and the store.
    Read {
        since: Moment,
    },
    Stored {
        record: RecordId,
        since: Moment,
    },
    Acknowledged {
        record: RecordId,
        since: Moment,
    },
}

impl Canary {
    pub fn new(timing: Timing, now: Moment) -> Self {
        let until = now.uptime + timing.every.min(FIRST);
        Self { timing, course: Course::Resting { until }, laid: None, report: CanaryReport::default() }
    }

    /// Whether to lay one into the present frame; `calm` if nothing moves in it.
    pub fn is_due(&self, calm: bool, now: Moment) -> bool {
        let Course::Resting { until } = self.course else { return false };
        now.uptime >= if calm { until } else { until + CALM_WITHIN }
    }

    pub fn laid(&mut self, now: Moment) {
        self.laid = Some(now);
        self.course = Course::Looked { since: now };
    }

    pub fn was_read(&mut self, now: Moment) {
        self.course = Course::Read { since: now };
    }

    pub fn stored(&mut self, record: RecordId, now: Moment) {
        self.course = Course::Stored { record, since: now };
    }

    pub fn lost(&mut self, stage: Stage, now: Moment) {
        self.report.losses = self.report.losses.saturating_add(1);
        self.report.lost_by = Some(stage);
        self.course = Course::Resting { until: now.uptime + self.timing.every.min(AGAIN) };
    }

    /// To be called about once a second. Gives the record that is to be dropped from the store: it has come
    /// back, or it was given up.
    pub fn follow(&mut self, whereabouts: impl Fn(RecordId) -> Whereabouts, now: Moment) -> Option<RecordId> {
        let late = |since: &Moment| now.since(since) > self.timing.patience;
        match self.course {
            // Frames stopped coming; that is the camera's fault, which has reasons of its own.
            Course::Looked { since } if late(&since) => {
                self.course = Course::Resting { until: now.uptime };
                None
            }
            Course::Read { since } if late(&since) => {
                self.lost(Stage::Matching, now);
                None
            }
            Course::Stored { record, since } => match whereabouts(record) {
                Whereabouts::Received => self.came_back(now, None),
                Whereabouts::Acknowledged if !self.timing.receipts => self.came_back(now, Some(record)),
                Whereabouts::Acknowledged => {
                    self.course = Course::Acknowledged { record, since: now };
                    None
                }
                Whereabouts::Waiting => late(&since).then(|| self.given_up(Stage::Broker, record, now)),
            },
            Course::Acknowledged { record, since } => match whereabouts(record) {
                Whereabouts::Received => self.came_back(now, None),
                _ => late(&since).then(|| self.given_up(Stage::Receiver, record, now)),
            },
            Course::Resting { .. } | Course::Looked { .. } | Course::Read { .. } => None,
        }
    }

    pub fn finding(&self, camera: &CameraId) -> Option<Finding> {
        let stage = self.report.lost_by.filter(|_| self.report.losses >= LOSSES)?;
        let detail = match self.report.returned {
            Some(at) => format!("{} in a row; the last one came back at {at:.0}", self.report.losses),
            None => format!("{} in a row; none has come back since the start", self.report.losses),
        };
        Some(Finding { reason: stage.reason(), camera: Some(camera.clone()), detail })
    }

    pub fn report(&self) -> CanaryReport {
        self.report.clone()
    }

    fn came_back(&mut self, now: Moment, drop: Option<RecordId>) -> Option<RecordId> {
        let took = self.laid.map(|laid| now.since(&laid).as_millis() as u64);
        self.report = CanaryReport { returned: Some(now.wall), took_ms: took, losses: 0, lost_by: None };
        self.course = Course::Resting { until: now.uptime + self.timing.every };
        drop
    }

    fn given_up(&mut self, stage: Stage, record: RecordId, now: Moment) -> RecordId {
        self.lost(stage, now);
        record
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        let uptime = Duration::from_secs(seconds);
        Moment { uptime, wall: Timestamp::UNIX_EPOCH + uptime }
    }

    fn canary(receipts: bool) -> Canary {
        let timing = Timing { every: Duration::from_secs(300), patience: Duration::from_secs(60), receipts };
        Canary::new(timing, at(0))
    }

    fn camera() -> CameraId {
        CameraId::parse("lane-1").unwrap()
    }

    fn reason(canary: &Canary) -> Option<Reason> {
        canary.finding(&camera()).map(|finding| finding.reason)
    }

    /// Lays and stores one, from this second on.
    fn stored(canary: &mut Canary, second: u64) -> RecordId {
        let record = RecordId::new();
        canary.laid(at(second));
        canary.was_read(at(second));
        canary.stored(record, at(second));
        record
    }

    #[test]
    fn it_waits_for_calm_but_not_for_ever() {
        let canary = canary(true);
        assert!(!canary.is_due(true, at(29)));
        assert!(canary.is_due(true, at(30)) && !canary.is_due(false, at(30)));
        assert!(canary.is_due(false, at(60)));
    }

    #[test]
    fn a_receipt_or_without_receivers_the_acknowledgement_brings_it_back() {
        let mut with = canary(true);
        stored(&mut with, 30);
        assert_eq!(with.follow(|_| Whereabouts::Acknowledged, at(31)), None);
        assert_eq!(with.report().returned, None);
        assert_eq!(with.follow(|_| Whereabouts::Received, at(32)), None);
        let report = with.report();
        assert_eq!((report.returned, report.took_ms), (Some(at(32).wall), Some(2000)));
        assert!(!with.is_due(true, at(331)) && with.is_due(true, at(332)));

        let mut without = canary(false);
        let record = stored(&mut without, 30);
        assert_eq!(without.follow(|_| Whereabouts::Acknowledged, at(31)), Some(record), "it is dropped");
        assert!(without.report().returned.is_some());
    }

    #[test]
    fn two_losses_in_a_row_count_and_one_return_ends_it() {
        let mut canary = canary(true);
        canary.laid(at(30));
        canary.lost(Stage::Vision, at(30));
        assert_eq!(reason(&canary), None);
        assert!(canary.is_due(true, at(50)));
        canary.laid(at(50));
        canary.lost(Stage::Reading, at(50));
        assert_eq!(reason(&canary), Some(Reason::CanaryMisread));
        stored(&mut canary, 70);
        assert_eq!(reason(&canary), Some(Reason::CanaryMisread), "not before it is back");
        canary.follow(|_| Whereabouts::Received, at(71));
        assert_eq!(reason(&canary), None);
    }

    #[test]
    fn each_stage_that_is_silent_is_named_and_its_record_dropped() {
        for (whereabouts, expected) in [
            (Whereabouts::Waiting, Reason::CanaryUnacknowledged),
            (Whereabouts::Acknowledged, Reason::CanaryUnreceipted),
        ] {
            let mut canary = canary(true);
            let mut dropped = Vec::new();
            let mut records = Vec::new();
            for second in 30..300 {
                if canary.is_due(true, at(second)) {
                    records.push(stored(&mut canary, second));
                }
                dropped.extend(canary.follow(|_| whereabouts, at(second)));
            }
            assert_eq!(reason(&canary), Some(expected));
            assert_eq!(dropped, records[..dropped.len()]);
            assert!(records.len() - dropped.len() <= 1 && dropped.len() >= 2, "never two in the store");
        }
        let mut canary = canary(true);
        for second in [30, 120] {
            canary.laid(at(second));
            canary.was_read(at(second));
            canary.follow(|_| Whereabouts::Waiting, at(second + 61));
        }
        assert_eq!(reason(&canary), Some(Reason::CanaryUnmatched));
    }

    #[test]
    fn a_camera_that_stops_in_the_middle_is_no_loss() {
        let mut canary = canary(true);
        canary.laid(at(30));
        canary.follow(|_| Whereabouts::Waiting, at(100));
        assert_eq!(canary.report().losses, 0);
        assert!(canary.is_due(true, at(100)));
    }
}
