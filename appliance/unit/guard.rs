//! The thread that asks every second whether the unit can be trusted, and says so.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tracing::error;

use super::answers::Answers;
use super::canary::{Flight, drop_canary};
use super::clerk::Clerk;
use super::courier::Courier;
use super::duty::Duty;
use super::history::Historian;
use super::muster;
use super::place::PlaceWatch;
use super::pulse::Pulse;
use super::renewal::Renewal;
use super::saved::Saved;
use super::sight::Sight;
use super::tally::Tally;
use crate::audit::{Audit, Event, Who};
use crate::capture::{Capture, LinkState};
use crate::delivery::LinkStatus;
use crate::health::{
    AimVerified, BrokerReport, CameraReport, Config, Damage, Facts, Finding, HealthReport, LaneReads, Reason,
    RecordReport,
};
use crate::hotlist::Hotlist;
use crate::record::{Loss, Records};
use crate::system::{Clock, ClockStatus, Device, DeviceFacts, ServiceManager};
use crate::words::{LaneName, Moment, UnitId};

const TICK: Duration = Duration::from_secs(1);

/// One camera as the guard watches it.
pub struct Watched {
    pub capture: Capture,
    pub sight: Arc<Sight>,
}

/// Everything that this thread asks and tells.
pub struct Guard {
    pub unit: UnitId,
    pub config: Config,
    pub cameras: Arc<Vec<Watched>>,
    pub pulses: Vec<Arc<Pulse>>,
    pub hotlist: Hotlist,
    pub records: Arc<Records>,
    pub broker: watch::Receiver<LinkStatus>,
    pub renewal: Arc<Renewal>,
    pub duty: Arc<Duty>,
    pub audit: Arc<Audit>,
    pub tally: Arc<Tally>,
    pub answers: Arc<Answers>,
    pub roster: muster::Report,
    pub clock: Arc<dyn Clock>,
    pub device: Device,
    pub place: PlaceWatch,
    pub saved: Arc<Saved>,
    /// Writes what comes of all this: nothing here waits for a disk.
    pub clerk: Clerk,
    pub paperwork: Arc<Mutex<Paperwork>>,
    pub manager: ServiceManager,
    /// The newest report, for the console.
    pub latest: Arc<Mutex<Option<HealthReport>>>,
    /// Hands a report (JSON) to the broker.
    pub publish: Box<dyn Fn(Vec<u8>) + Send>,
    pub stop: Arc<AtomicBool>,
}

/// What is written about once a minute, whether anything happened or not.
pub struct Paperwork {
    pub courier: Courier,
    pub historian: Historian,
}

impl Guard {
    /// Starts the thread; it ends soon after `stop` is set.
    pub fn start(self) -> std::io::Result<JoinHandle<()>> {
        std::thread::Builder::new().name("health".into()).spawn(move || self.run())
    }

    fn run(mut self) {
        let mut links = vec![true; self.cameras.len()];
        let mut damaged = 0;
        let mut published: Option<(Moment, (u64, Option<u64>))> = None;
        let report_every = Duration::from_secs(self.config.report_every_s.into());
        while !self.stop.load(Ordering::Relaxed) {
            let now = self.clock.now();
            let facts = self.device.facts();
            self.audit.set_clock_trusted(facts.clock == ClockStatus::Synchronised);
            self.note_links(&mut links);
            self.note_damage(&mut damaged);
            self.keep_learned();
            self.count_yields(now);
            for canary in self.cameras.iter().filter_map(|camera| camera.sight.canary.as_ref()) {
                if let Some(over) = canary.follow(&self.records, now) {
                    let records = self.records.clone();
                    self.clerk.later(move || drop_canary(&records, over));
                }
            }
            let mut report = self.report(facts, now);
            self.duty.observe(self.findings(&report), now);
            // In this order: a change in between is told once more, and none is missed.
            let changes = self.duty.changes();
            report.service = self.duty.report();
            // Who publishes a roster sees at once which units have it.
            let news = (changes, report.roster.as_ref().and_then(|roster| roster.version));
            let due = published.is_none_or(|(last, told)| told != news || now.since(&last) >= report_every);
            if due {
                published = Some((now, news));
                (self.publish)(serde_json::to_vec(&report).expect("a report is plain data with string keys"));
                self.manager.status(&sentence(&report));
            }
            self.do_paperwork(&report, now);
            *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = Some(report);
            self.feed_watchdog(now);
            // A change of the service state must be at the broker within a second.
            self.duty.wait_for_change(changes, TICK);
        }
    }

    /// Left out while the clerk still waits for the disk: the next round does the same.
    fn do_paperwork(&self, report: &HealthReport, now: Moment) {
        if self.clerk.is_idle() {
            let (paperwork, report) = (self.paperwork.clone(), report.clone());
            self.clerk.later(move || {
                let mut paperwork = paperwork.lock().unwrap_or_else(PoisonError::into_inner);
                paperwork.historian.note(&report, now);
                paperwork.courier.tick(now);
            });
        }
    }

    fn report(&mut self, device: DeviceFacts, now: Moment) -> HealthReport {
        let counts = self.records.counts();
        let tally = self.tally.counts(now.wall);
        let cameras: Vec<CameraReport> =
            self.cameras.iter().map(|camera| camera.report(&self.tally, now)).collect();
        let aimed = cameras.iter().filter_map(|camera| camera.aim_verified.as_ref()).map(|aim| aim.at).max();
        let place = self.place.report(device.motion, aimed, now);
        HealthReport {
            unit: self.unit.clone(),
            at: now.wall,
            report_every_s: self.config.report_every_s,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime_s: now.uptime.as_secs(),
            service: self.duty.report(),
            cameras,
            lists: self.hotlist.summary(now.wall),
            manual_entries: self.hotlist.manual_summary(now.wall),
            records: RecordReport {
                waiting: counts.held.values().sum(),
                oldest_waiting_s: self.records.oldest_age().map(|age| age.as_secs()),
                delivered: counts.received,
                purged: counts.purged.values().sum(),
                lost: counts.lost.values().sum(),
                lost_by_reason: counts.lost,
                fault: counts.disk_fault,
            },
            broker: self.broker_report(now),
            device,
            place,
            reads_today: tally.reads_today,
            alerts_today: tally.alerts_today,
            last_read: tally.last_read,
            answers: self.answers.report(),
            roster: self.roster.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    fn findings(&self, report: &HealthReport) -> Vec<Finding> {
        let mut findings = Facts::of(report).findings(&self.config);
        for (camera, report) in self.cameras.iter().zip(&report.cameras) {
            findings.extend(camera.sight.watch().findings(report.streaming));
            findings.extend(camera.sight.yields().findings(&report.camera));
            findings.extend(camera.sight.canary.as_ref().and_then(|canary| canary.finding(&report.camera)));
        }
        findings.extend(self.renewal.finding());
        findings
    }

    fn broker_report(&self, now: Moment) -> BrokerReport {
        let status = self.broker.borrow();
        BrokerReport {
            connected: status.is_connected(),
            fault: status.trouble(),
            certificate_days_left: self
                .renewal
                .in_use
                .ends()
                .map(|end| end.duration_since(now.wall).as_hours() / 24),
        }
    }

    /// What cameras learned within their verified aim outlives a restart.
    fn keep_learned(&self) {
        for camera in self.cameras.iter() {
            let learned = camera.sight.watch().take_unsaved();
            let Some(references) = learned else { continue };
            let (saved, camera) = (self.saved.clone(), camera.sight.camera.clone());
            self.clerk.later(move || {
                if let Err(error) = saved.keep_aim(&camera, &references) {
                    error!(%error, "what a camera learned is lost at the next start");
                }
            });
        }
    }

    /// Once an hour there is something new to keep: a power cut costs the hour that was being counted, and the whole one
    /// before where the disk refused it.
    fn count_yields(&self, now: Moment) {
        for Watched { capture, sight } in self.cameras.iter() {
            let watched = matches!(capture.status().state, LinkState::Streaming(_));
            let mut yields = sight.yields();
            if yields.tick(sight.take_passed(), watched, now) {
                let (saved, camera, learned) =
                    (self.saved.clone(), sight.camera.clone(), yields.learned().clone());
                self.clerk.later(move || {
                    if let Err(error) = saved.keep_yields(&camera, &learned) {
                        error!(%error, "what is usual on a camera is lost at the next start");
                    }
                });
            }
        }
    }

    /// Each camera's coming and going is an entry of the audit log; capture tells the journal.
    fn note_links(&self, links: &mut [bool]) {
        for (camera, was_up) in self.cameras.iter().zip(links) {
            let status = camera.capture.status();
            let name = camera.sight.camera.clone();
            let event = match status.state {
                LinkState::Faulted(fault) if *was_up => {
                    *was_up = false;
                    Event::CameraFault { camera: name, fault: fault.to_string() }
                }
                LinkState::Streaming(_) if !*was_up => {
                    *was_up = true;
                    Event::CameraRecovered { camera: name }
                }
                _ => continue,
            };
            let audit = self.audit.clone();
            self.clerk.later(move || audit.note(Who::Unit, event));
        }
    }

    /// Records that turned out damaged, at start or since.
    fn note_damage(&self, known: &mut u64) {
        let damaged = self.records.counts().lost.get(&Loss::Damaged).copied().unwrap_or(0);
        if damaged > *known {
            let detail = format!("{damaged} records since {}", self.clock.now().wall);
            self.duty.damaged(Damage { reason: Reason::RecordsDamaged, detail });
            *known = damaged;
        }
    }

    fn feed_watchdog(&self, now: Moment) {
        let vision = self.cameras.iter().map(|camera| &camera.sight.pulse);
        match self.pulses.iter().map(Arc::as_ref).chain(vision).find(|pulse| pulse.is_stuck(now)) {
            None => self.manager.alive(),
            Some(pulse) => error!(stage = pulse.stage(), "a stage is stuck; the watchdog is not fed"),
        }
    }
}

/// What `systemctl status` shows.
fn sentence(report: &HealthReport) -> String {
    let reasons: Vec<&str> =
        report.service.reasons.iter().map(|standing| standing.reason.sentence()).collect();
    format!("{}. {}", report.service.state, reasons.join(" "))
}

impl Watched {
    /// Empty where nobody has drawn any lanes.
    pub fn reads_by_lane(&self, tally: &Tally, now: Timestamp) -> Vec<LaneReads> {
        let Some(drawn) = self.sight.drawn().filter(|drawn| !drawn.lanes.is_empty()) else {
            return Vec::new();
        };
        let names: Vec<LaneName> = drawn.lanes.iter().map(|lane| lane.name().clone()).collect();
        tally.by_lane(now, &self.sight.camera, &names)
    }

    fn report(&self, tally: &Tally, now: Moment) -> CameraReport {
        let status = self.capture.status();
        let watch = self.sight.watch();
        let stream = match &status.state {
            LinkState::Streaming(stream) => Some(stream),
            _ => None,
        };
        let fault = match &status.state {
            LinkState::Ended => Some("its pictures have come to their end".to_owned()),
            LinkState::Faulted(fault) => Some(format!("{fault}. {}", fault.mend())),
            // Each attempt to reach a lost camera is not a return. A camera that is connected for the first time
            // is given as long as a fault takes to be noticed.
            LinkState::Connecting
                if status.faults > 0 || now.since(&status.since) > Duration::from_secs(5) =>
            {
                Some("it is being connected".to_owned())
            }
            _ => None,
        };
        CameraReport {
            camera: self.sight.camera.clone(),
            streaming: stream.is_some(),
            fault,
            frames_per_s: stream.map_or(0.0, |stream| stream.fps),
            width: stream.map_or(0, |stream| stream.width as u32),
            height: stream.map_or(0, |stream| stream.height as u32),
            view: watch.view(),
            aim_verified: watch
                .references()
                .map(|verified| AimVerified { by: verified.by.clone(), at: verified.at }),
            vision_ms: self.sight.look_time().as_secs_f32() * 1000.0,
            frames_skipped: self.sight.frames.dropped(),
            canary: self.sight.canary.as_ref().map(Flight::report),
            yields: self.sight.yields().report(),
            reads_today_by_lane: self.reads_by_lane(tally, now.wall),
        }
    }
}
