use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, sleep_until};

use super::day::Day;
use super::fault::{Faults, Trouble};
use super::follower::{Ask, Follower};
use super::gauge::{Gauge, Told};
use super::health::{self, Health};
use super::shelf::{LightShelf, New};
use super::vehicle::Vehicle;
use super::{Follow, Phase};
use crate::alert::{self, Alert, Alerts};
use crate::capture::scene::chance::Chance;
use crate::crypto::VerifyingKey;
use crate::delivery::tls::CertificateFacts;
use crate::delivery::{self, Delivery, Inbound, Kind, LinkStatus};
use crate::hotlist::{Category, ListVersion, Match};
use crate::passage::Read;
use crate::system::{Clock, ClockStatus, SystemClock};
use crate::unit::{AlertRecord, PictureKind, PictureRef, ReadRecord};
use crate::words::{ListName, Moment, RecordId, UnitId};

/// What all units are alike in, and what nobody changes.
pub struct Common {
    pub seed: u64,
    pub receivers: Vec<VerifyingKey>,
    pub list: Option<Follow>,
    pub day: Day,
    pub hits_per_1000: f64,
    pub faults: bool,
    pub report_every: Duration,
    pub vehicles: Arc<Vec<Vehicle>>,
    pub gauge: Arc<Gauge>,
}

/// How often a unit looks at its own health. A change is reported as soon as it is seen.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// The quietest site has so many vehicles a day, the busiest so many times as many.
const VEHICLES_A_DAY: f64 = 1500.0;
const BUSIEST: f64 = 8.0;
/// How much older a list is made to look that went stale.
const STALE_BY_S: u64 = 30 * 3600;
/// How long a good-bye may take.
const FAREWELL: Duration = Duration::from_secs(5);

/// One simulated unit: what it decides, and the one task that carries it out.
pub struct LightUnit {
    common: Arc<Common>,
    name: UnitId,
    broker: delivery::Broker,
    clock: Arc<dyn Clock>,
    chance: Chance,
    vehicles_a_day: f64,
    shelf: Arc<LightShelf>,
    alerts: Alerts,
    faults: Faults,
    troubles: Vec<Trouble>,
    follower: Option<Follower>,
    health: Health,
    unlisted: ListVersion,
    reported: Option<Moment>,
    last_read: Option<Timestamp>,
    reads: u64,
    alerted: u64,
}

/// The unit's session, while it has power and network.
struct Line {
    delivery: Delivery,
    inbound: mpsc::Receiver<Inbound>,
    status: watch::Receiver<LinkStatus>,
    session: JoinHandle<()>,
    connected: bool,
    connections: u64,
    gauge: Arc<Gauge>,
}

impl LightUnit {
    pub fn new(common: Arc<Common>, number: u64, name: UnitId, broker: delivery::Broker) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let now = clock.now();
        let mut chance = Chance::seeded(common.seed.wrapping_mul(0x1_0000_01b3) ^ number);
        let ends = CertificateFacts::load(&broker.certificate).ok().map(|facts| facts.not_after);
        Self {
            vehicles_a_day: VEHICLES_A_DAY * BUSIEST.powf(chance.fraction()),
            shelf: Arc::new(LightShelf::new(common.gauge.clone())),
            alerts: Alerts::new(name.clone(), alert::Config::default()),
            faults: Faults::new(common.seed, number),
            troubles: Vec::new(),
            follower: common.list.clone().map(|follow| Follower::new(follow, common.gauge.clone())),
            health: Health::new(name.clone(), common.report_every.as_secs() as u32, ends, now, &mut chance),
            unlisted: ListVersion {
                list: ListName::parse("simulated").expect("a constant name"),
                version: 1,
                issued: now.wall,
            },
            reported: None,
            last_read: None,
            reads: 0,
            alerted: 0,
            common,
            name,
            broker,
            clock,
            chance,
        }
    }

    pub fn shelf(&self) -> Arc<LightShelf> {
        self.shelf.clone()
    }

    /// Lives until the fleet stops; comes up after `begin`.
    pub async fn run(mut self, begin: Duration, mut phase: watch::Receiver<Phase>) {
        sleep(begin).await;
        let mut line = Some(self.connect());
        let started = Instant::now();
        // Not all units look at once.
        let first = started + LOOK_EVERY.mul_f64(self.chance.fraction());
        let mut look = interval_at(first, LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut next, mut passes) = self.next_vehicle(started.elapsed());
        loop {
            let doing = *phase.borrow_and_update();
            if doing == Phase::Stopping {
                break;
            }
            tokio::select! {
                () = sleep_until(next) => {
                    if passes && doing == Phase::Traffic && !self.has(Trouble::Silent) {
                        self.pass();
                    }
                    (next, passes) = self.next_vehicle(started.elapsed());
                }
                _ = look.tick() => {
                    let passed = self.common.day.passed(started.elapsed());
                    self.troubles = match doing {
                        Phase::Traffic if self.common.faults => self.faults.at(passed),
                        _ => Vec::new(),
                    };
                    let away = self.has(Trouble::Silent) || self.has(Trouble::Cut);
                    match &line {
                        Some(_) if away => line = None,
                        None if !away => line = Some(self.connect()),
                        _ => {}
                    }
                    // Without power nobody looks.
                    if !self.has(Trouble::Silent) {
                        self.look(line.as_ref());
                    }
                }
                Some(inbound) = Line::arrival(&mut line) => self.take(inbound, line.as_ref()),
                _ = phase.changed() => {}
            }
        }
        if let Some(line) = line {
            line.close().await;
        }
    }

    fn has(&self, trouble: Trouble) -> bool {
        self.troubles.contains(&trouble)
    }

    /// When to wake, and whether a vehicle passes then.
    fn next_vehicle(&mut self, running: Duration) -> (Instant, bool) {
        let day = self.common.day;
        let wait = day.wait(self.vehicles_a_day, running, &mut self.chance);
        (Instant::now() + wait.unwrap_or(day.steady()), wait.is_some())
    }

    /// A new session, as after a start of the program.
    fn connect(&mut self) -> Line {
        let config = delivery::Config {
            broker: self.broker.clone(),
            receivers: self.common.receivers.clone(),
            ..delivery::Config::default()
        };
        let filters = self.follower.as_ref().map(Follower::subscriptions).unwrap_or_default();
        self.shelf.forget_published();
        self.reported = None;
        let (delivery, inbound, session) =
            Delivery::prepare(config, self.name.clone(), filters, self.shelf.clone(), self.clock.clone());
        let line = Line {
            status: delivery.watch(),
            delivery,
            inbound,
            session: tokio::spawn(session),
            connected: false,
            connections: 0,
            gauge: self.common.gauge.clone(),
        };
        self.look(Some(&line));
        line
    }

    /// Judges the unit's health; reports it when it is time, and at every change.
    fn look(&mut self, line: Option<&Line>) {
        let now = self.clock.now();
        if let Some(follower) = &mut self.follower {
            let asks = follower.on_time(now);
            line.inspect(|line| line.ask(asks));
        }
        let older_by = if self.has(Trouble::ListStale) { STALE_BY_S } else { 0 };
        let stock = self.shelf.stock();
        let (report, changes) = self.health.judge(&health::Now {
            at: now,
            troubles: &self.troubles,
            list: self.follower.as_ref().map(|follower| follower.summary(older_by, now.wall)),
            broker: &line.map(|line| line.delivery.status()).unwrap_or_default(),
            waiting: stock.held,
            oldest_waiting: stock.oldest.map(|since| since.elapsed()),
            delivered: stock.received,
            last_read: self.last_read,
            reads: self.reads,
            alerts: self.alerted,
        });
        let due = self.reported.is_none_or(|last| now.since(&last) >= self.common.report_every);
        if let Some(line) = line.filter(|_| due || !changes.is_empty()) {
            self.reported = Some(now);
            let json = serde_json::to_vec(&report).expect("a report is plain data with string keys");
            line.delivery.report_health(json);
        }
        self.shelf.store(changes.iter().map(|change| {
            let body = serde_json::to_vec(change).expect("a change is plain data with string keys");
            New { id: RecordId::new(), kind: Kind::HealthChange, captured: now.wall, body: body.into() }
        }));
    }

    fn take(&mut self, inbound: Inbound, line: Option<&Line>) {
        let (Some(follower), Some(line)) = (&mut self.follower, line) else { return };
        let asks = follower.on_message(&inbound.topic, &inbound.payload, self.clock.now());
        line.ask(asks);
    }

    /// A vehicle passes: its read, and the alert if it is listed.
    fn pass(&mut self) {
        let now = self.clock.now();
        let vehicles = self.common.vehicles.clone();
        let vehicle = self.chance.pick(&vehicles);
        let read = vehicle.passes(now);
        let mut matches = Vec::new();
        if self.chance.fraction() * 1000.0 < self.common.hits_per_1000 {
            let category = *self.chance.pick(&Category::ALL);
            let case = self.chance.next() % 100_000_000;
            let version = self.follower.as_ref().and_then(Follower::version).unwrap_or(&self.unlisted);
            matches.push(vehicle.matched(category, case, version.clone()));
        }
        matches.retain(|matched| self.alerts.concerns(matched));
        if self.health.is_in_service() {
            for alert in self.alerts.decide(&read, matches.clone(), now) {
                let alert = alert.seen_from(Some(self.health.position()));
                self.raise(&alert, vehicle, now);
            }
        }
        self.keep(&read, &matches, vehicle, now);
    }

    fn raise(&mut self, alert: &Alert, vehicle: &Vehicle, now: Moment) {
        let (pictures, mut records) = pictures(vehicle, true, now);
        let body = AlertRecord { alert, pictures: &pictures }.to_json().into();
        records.insert(0, New { id: RecordId::new(), kind: Kind::Alert, captured: now.wall, body });
        self.shelf.store(records);
        self.alerted += 1;
        self.common.gauge.tell(Told::Alert);
    }

    fn keep(&mut self, read: &Read, matches: &[Match], vehicle: &Vehicle, now: Moment) {
        let (pictures, mut records) = pictures(vehicle, !matches.is_empty(), now);
        let position = Some(self.health.position());
        let record =
            ReadRecord::of(&self.name, read, matches, &pictures, position, ClockStatus::Synchronised);
        let body = record.to_json().into();
        records.insert(0, New { id: read.id, kind: Kind::Read, captured: now.wall, body });
        self.shelf.store(records);
        self.last_read = Some(now.wall);
        self.reads += 1;
        self.common.gauge.tell(Told::Read);
    }
}

/// The records of a vehicle's pictures, and how the record that they belong to names them: the scene only of a hit, which
/// a person must judge.
fn pictures(vehicle: &Vehicle, hit: bool, now: Moment) -> (Vec<PictureRef>, Vec<New>) {
    let kind = if hit { Kind::AlertPicture } else { Kind::ReadPicture };
    let crop = (PictureKind::Crop, &vehicle.crop);
    let all = [Some(crop), hit.then_some((PictureKind::Scene, &vehicle.scene))];
    let pictures = all.into_iter().flatten().map(|(shows, picture)| {
        let id = RecordId::new();
        let reference = PictureRef { id, kind: shows, sha256: picture.sha256 };
        (reference, New { id, kind, captured: now.wall, body: picture.jpeg.clone() })
    });
    pictures.unzip()
}

impl Line {
    /// The next message for the unit; counts how the link comes and goes meanwhile. Without a line there is none.
    async fn arrival(line: &mut Option<Self>) -> Option<Inbound> {
        let Some(line) = line else { return std::future::pending().await };
        loop {
            tokio::select! {
                inbound = line.inbound.recv() => return inbound,
                Ok(()) = line.status.changed() => line.count(),
                else => return None,
            }
        }
    }

    fn count(&mut self) {
        let status = self.status.borrow_and_update();
        let (connected, connections) = (status.is_connected(), status.connections);
        self.gauge.link(self.connected, connected, connections - self.connections);
        (self.connected, self.connections) = (connected, connections);
    }

    fn ask(&self, asks: Vec<Ask>) {
        for ask in asks {
            match ask {
                Ask::Subscribe(filter) => self.delivery.subscribe(filter),
                Ask::Unsubscribe(filter) => self.delivery.unsubscribe(filter),
            }
        }
    }

    /// Says good-bye.
    async fn close(mut self) {
        self.delivery.stop();
        // Whoever does not get through leaves the last word to the last will.
        let _ = tokio::time::timeout(FAREWELL, &mut self.session).await;
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.gauge.link(self.connected, false, 0);
    }
}
