use std::time::Duration;

use jiff::Timestamp;

use super::fault::Trouble;
use super::vehicle::{PICTURE_SIZE, camera};
use crate::capture::scene::chance::Chance;
use crate::delivery::LinkStatus;
use crate::health::{
    AimVerified, AnswerReport, BrokerReport, CameraReport, CameraView, Change, Config, Facts, Finding,
    HealthReport, Kept, PlaceReport, Reason, RecordReport, Service, ServiceReport, YieldReport,
};
use crate::hotlist::{ListSummary, ManualSummary};
use crate::system::{ClockStatus, DeviceFacts};
use crate::words::{Moment, PersonName, Place, Position, UnitId, UnitKind};

/// The health of a light unit: the facts are simulated, what they mean is decided by the product's own service state.
pub struct Health {
    unit: UnitId,
    config: Config,
    service: Service,
    started: Moment,
    place: Place,
    certificate_ends: Option<Timestamp>,
    moved: bool,
    /// Where its device differs from the next one's.
    warmer_c: f32,
    disk_free_mb: u64,
}

/// What there is to say at the moment.
pub struct Now<'a> {
    pub at: Moment,
    pub troubles: &'a [Trouble],
    pub list: Option<ListSummary>,
    pub broker: &'a LinkStatus,
    pub waiting: u64,
    pub oldest_waiting: Option<Duration>,
    pub delivered: u64,
    pub last_read: Option<Timestamp>,
    pub reads: u64,
    pub alerts: u64,
}

/// The middle of the simulated department's roads, and how far they reach, in degrees.
const TOWN: (f64, f64) = (42.36, -71.20);
const REACH: (f64, f64) = (0.35, 0.50);

impl Health {
    /// `report_every_s`: what the reports say of how often they come.
    pub fn new(
        unit: UnitId,
        report_every_s: u32,
        certificate_ends: Option<Timestamp>,
        started: Moment,
        chance: &mut Chance,
    ) -> Self {
        let mut around =
            |middle: f64, reach: f64| middle + reach * (chance.fraction() + chance.fraction() - 1.0);
        let place = Place { latitude: around(TOWN.0, REACH.0), longitude: around(TOWN.1, REACH.1) };
        Self {
            unit,
            config: Config { report_every_s, ..Config::default() },
            service: Service::new(Kept::default(), started),
            started,
            place,
            certificate_ends,
            moved: false,
            warmer_c: chance.between(-4.0, 9.0),
            disk_free_mb: 8_000 + chance.below(20_000) as u64,
        }
    }

    /// Its site: it has no receiver.
    pub fn position(&self) -> Position {
        Position::of_site(self.place)
    }

    /// Whether alerts may be raised.
    pub fn is_in_service(&self) -> bool {
        self.service.state() != crate::health::ServiceState::OutOfService
    }

    /// Judges the facts; the changes of the service state that come of it.
    pub fn judge(&mut self, now: &Now<'_>) -> (HealthReport, Vec<Change>) {
        let mut report = self.report(now);
        let mut findings = Facts::of(&report).findings(&self.config);
        let moved = now.troubles.contains(&Trouble::CameraMoved);
        if moved {
            let detail = "shifted by 43 px to the left".to_owned();
            findings.push(Finding { reason: Reason::CameraMoved, camera: Some(camera()), detail });
        }
        let mut changes = Vec::from_iter(self.service.observe(findings, now.at));
        if self.moved && !moved {
            // Refused while the check has only just stopped finding it; then it is tried again.
            let returned = self.service.return_to_service(technician(), "aimed anew", now.at);
            self.moved = returned.is_err();
            changes.extend(returned);
        }
        self.moved |= moved;
        report.service = self.service();
        (report, changes)
    }

    fn service(&self) -> ServiceReport {
        let service = &self.service;
        ServiceReport { state: service.state(), since: service.since(), reasons: service.standing() }
    }

    fn report(&self, now: &Now<'_>) -> HealthReport {
        let at = now.at.wall;
        let (width, height) = PICTURE_SIZE;
        let camera = CameraReport {
            camera: camera(),
            streaming: true,
            fault: None,
            frames_per_s: 15.0,
            width,
            height,
            view: CameraView::default(),
            aim_verified: Some(AimVerified { by: technician(), at: self.started.wall }),
            vision_ms: 21.0,
            frames_skipped: 0,
            canary: None,
            yields: YieldReport::default(),
            reads_today_by_lane: Vec::new(),
        };
        HealthReport {
            unit: self.unit.clone(),
            at,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime_s: now.at.since(&self.started).as_secs(),
            service: self.service(),
            cameras: vec![camera],
            lists: now.list.iter().cloned().collect(),
            manual_entries: ManualSummary::default(),
            records: RecordReport {
                waiting: now.waiting,
                oldest_waiting_s: now.oldest_waiting.map(|waited| waited.as_secs()),
                delivered: now.delivered,
                purged: now.delivered,
                ..RecordReport::default()
            },
            broker: BrokerReport {
                connected: now.broker.is_connected(),
                fault: now.broker.trouble(),
                certificate_days_left: self
                    .certificate_ends
                    .map(|end| end.duration_since(at).as_hours() / 24),
            },
            device: DeviceFacts {
                disk_free_mb: Some(self.disk_free_mb),
                memory_mb: Some(105),
                memory_free_mb: Some(1_400),
                temperature_c: Some(46.0 + self.warmer_c),
                clock: ClockStatus::Synchronised,
                clock_error_ms: Some(14.0),
                ..DeviceFacts::default()
            },
            place: PlaceReport {
                kind: UnitKind::Fixed,
                position: Some(self.position()),
                from_site_m: None,
                tilted_deg: None,
            },
            last_read: now.last_read,
            report_every_s: self.config.report_every_s,
            reads_today: now.reads,
            alerts_today: now.alerts,
            answers: AnswerReport::default(),
            roster: None,
        }
    }
}

fn technician() -> PersonName {
    PersonName::parse("Simulated Technician").expect("a constant name")
}
