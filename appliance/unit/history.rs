//! A week of the unit's health, a sample each minute, in a ring on the disk.
//!
//! On disk: one file of 10,080 slots of 512 bytes, 5.2 MB for ever. A slot is a line: the sample as JSON, filled up with
//! spaces. Its place is its minute's number modulo the slots, so nothing but the slot is written, and the file needs no
//! head that could be wrong. A slot is a sector, which a disk writes whole or not at all; one that does not parse is
//! skipped. A sample is synced before the next; losing the last minute is no loss.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::health::{HealthReport, Reason, ServiceState};
use crate::system::Disk;
use crate::words::Moment;

const SLOT: usize = 512;
/// The minutes of a week.
const SLOTS: u64 = 7 * 24 * 60;

/// The unit at one minute.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    pub at: Timestamp,
    pub state: ServiceState,
    /// In force then; of very many the first.
    pub reasons: Vec<Reason>,
    pub cameras_streaming: u32,
    pub reads_today: u64,
    pub alerts_today: u64,
    pub waiting: u64,
    pub lost: u64,
    pub broker: bool,
    /// Of the oldest list.
    pub list_age_s: Option<u64>,
    pub temperature_c: Option<f32>,
    pub supply_v: Option<f32>,
    pub disk_free_mb: Option<u64>,
    pub memory_mb: Option<u64>,
    pub clock_error_ms: Option<f64>,
}

pub struct History {
    path: PathBuf,
    disk: Arc<dyn Disk>,
    slots: u64,
}

impl History {
    pub fn new(state_dir: &Path, disk: Arc<dyn Disk>) -> Self {
        Self { path: state_dir.join("history"), disk, slots: SLOTS }
    }

    /// Those of the time before `now`, oldest first. A unit whose clock was wrong has slots of other times; they are
    /// left out until they are written over.
    pub fn since(&self, back: SignedDuration, now: Timestamp) -> Vec<Sample> {
        let bytes = self.disk.read(&self.path).unwrap_or_default();
        let samples = bytes.chunks(SLOT).filter_map(|slot| serde_json::from_slice::<Sample>(slot).ok());
        let mut samples: Vec<Sample> =
            samples.filter(|sample| sample.at > now - back && sample.at <= now).collect();
        samples.sort_by_key(|sample| sample.at);
        samples
    }

    fn keep(&self, mut sample: Sample) -> std::io::Result<()> {
        let mut slot = serde_json::to_vec(&sample).expect("a sample is plain data with string keys");
        while slot.len() >= SLOT && sample.reasons.pop().is_some() {
            slot = serde_json::to_vec(&sample).expect("a sample is plain data with string keys");
        }
        slot.resize(SLOT - 1, b' ');
        slot.push(b'\n');
        let is_new = self.disk.length(&self.path).is_err();
        self.disk.write_at(&self.path, (minute(sample.at) % self.slots) * SLOT as u64, &slot)?;
        self.disk.sync(&self.path)?;
        match self.path.parent() {
            Some(folder) if is_new => self.disk.sync_folder(folder),
            _ => Ok(()),
        }
    }
}

/// Takes the samples.
pub struct Historian {
    pub history: Arc<History>,
    last: Option<u64>,
    failing: bool,
}

impl Historian {
    pub fn new(history: Arc<History>) -> Self {
        Self { history, last: None, failing: false }
    }

    /// To be given each report; keeps one a minute.
    pub fn note(&mut self, report: &HealthReport, now: Moment) {
        let minute = minute(now.wall);
        if self.last.replace(minute) == Some(minute) {
            return;
        }
        let kept = self.history.keep(Sample::of(report));
        if let (Err(error), false) = (&kept, self.failing) {
            warn!(%error, "the history of health cannot be written");
        }
        self.failing = kept.is_err();
    }
}

fn minute(at: Timestamp) -> u64 {
    at.as_second().max(0) as u64 / 60
}

impl Sample {
    fn of(report: &HealthReport) -> Self {
        Self {
            at: report.at,
            state: report.service.state,
            reasons: report.service.reasons.iter().map(|standing| standing.reason).collect(),
            cameras_streaming: report.cameras.iter().filter(|camera| camera.streaming).count() as u32,
            reads_today: report.reads_today,
            alerts_today: report.alerts_today,
            waiting: report.records.waiting,
            lost: report.records.lost,
            broker: report.broker.connected,
            list_age_s: report.lists.iter().filter_map(|list| list.age_s).max(),
            temperature_c: report.device.temperature_c,
            supply_v: report.device.power.supply_v,
            disk_free_mb: report.device.disk_free_mb,
            memory_mb: report.device.memory_mb,
            clock_error_ms: report.device.clock_error_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::SimulatedDisk;

    fn sample(minute: i64) -> Sample {
        Sample {
            at: Timestamp::from_second(1_800_000_000 + 60 * minute).unwrap(),
            state: ServiceState::Degraded,
            reasons: vec![Reason::ClockFree],
            cameras_streaming: 1,
            reads_today: minute as u64,
            alerts_today: 0,
            waiting: 3,
            lost: 0,
            broker: true,
            list_age_s: Some(3600),
            temperature_c: Some(51.2),
            supply_v: None,
            disk_free_mb: Some(9000),
            memory_mb: Some(90),
            clock_error_ms: None,
        }
    }

    fn on(disk: &Arc<SimulatedDisk>) -> History {
        // The simulated disk copies a whole file at each sync, so a short week.
        History { slots: 100, ..History::new(Path::new("/state"), disk.clone()) }
    }

    fn week() -> SignedDuration {
        SignedDuration::from_hours(7 * 24)
    }

    #[test]
    fn a_week_stays_in_a_bounded_file_over_restarts() {
        let disk = Arc::new(SimulatedDisk::default());
        disk.create_folder(Path::new("/state")).unwrap();
        let minutes = 150;
        for minute in 0..minutes {
            on(&disk).keep(sample(minute)).unwrap();
        }
        let now = sample(minutes - 1).at;
        let kept = on(&disk).since(week(), now);
        assert_eq!(kept, (50..minutes).map(sample).collect::<Vec<_>>());
        assert_eq!(on(&disk).since(SignedDuration::from_mins(10), now).len(), 10);
        assert_eq!(disk.length(Path::new("/state/history")).unwrap(), 100 * SLOT as u64);
        assert!(on(&disk).since(week(), now - week() - week()).is_empty(), "none is of the future");
    }

    #[test]
    fn a_power_cut_costs_a_minute_and_no_more() {
        for seed in 0..32 {
            let disk = Arc::new(SimulatedDisk::default());
            disk.create_folder(Path::new("/state")).unwrap();
            (0..5).for_each(|minute| on(&disk).keep(sample(minute)).unwrap());
            disk.cut_power_after(seed % 3);
            let _ = on(&disk).keep(sample(5));
            disk.restart(seed);
            let kept = on(&disk).since(week(), sample(5).at);
            assert!(kept.len() >= 5, "seed {seed}: {}", kept.len());
            assert_eq!(kept[..5], (0..5).map(sample).collect::<Vec<_>>());
        }
    }

    #[test]
    fn many_reasons_still_fit_their_slot() {
        let disk = Arc::new(SimulatedDisk::default());
        disk.create_folder(Path::new("/state")).unwrap();
        let many = Sample { reasons: vec![Reason::CertificateExpiring; 60], ..sample(0) };
        on(&disk).keep(many).unwrap();
        let kept = on(&disk).since(week(), sample(0).at);
        assert!(kept[0].reasons.len() > 3, "{:?}", kept[0]);
    }
}
