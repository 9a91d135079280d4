//! The one place that wires the rooms into a unit: started in the order of the data, stopped in reverse.
//!
//! Owns the threads between the rooms and what must be remembered over a restart besides records and
//! lists. Decides nothing that a room can decide.

mod answers;
mod board;
mod canary;
mod clerk;
mod courier;
mod door;
mod duty;
pub(crate) mod errand;
mod evidence;
mod guard;
mod history;
mod inbound;
pub(crate) mod integrity;
mod live;
mod manual;
mod muster;
mod news;
pub(crate) mod opening;
mod orders;
mod place;
mod pulse;
mod read_record;
mod refusals;
mod renewal;
mod roll_back;
pub(crate) mod saved;
mod sight;
mod tally;
mod window;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;

use jiff::tz::TimeZone;
use tokio::runtime::Handle;
use tokio::sync::{broadcast, watch};
use tracing::warn;

use crate::alert::Alerts;
use crate::audit::{Audit, AuditError, Event, Who};
use crate::capture::{Capture, ViewAngle};
use crate::config::{Config, ConfigError};
use crate::console::{self, Console, Refused};
use crate::crypto::{SealError, SealedFileError, UnitKey};
use crate::delivery::{Delivery, DeliveryError};
use crate::health::{CameraWatch, Service, Timing, YieldWatch};
use crate::record::{Counter, RecordError, Records};
use crate::system::{Clock, Device, RealDisk, ServiceManager, SystemClock};
use crate::vision::{Vision, VisionError};
use crate::words::PersonName;

use answers::Answers;
use board::Board;
use clerk::Clerk;
use courier::Courier;
use door::Door;
use duty::Duty;
use evidence::Evidence;
use guard::{Guard, Paperwork, Watched};
use history::{Historian, History};
use inbound::Post;
use muster::Muster;
use orders::Orders;
use place::{PlaceWatch, Whereabouts};
use pulse::Pulse;
use refusals::Refusals;
use renewal::Renewal;
use roll_back::RollBack;
use saved::{Saved, SavedError};
use sight::Sight;
use tally::Tally;
use window::Window;
use window::network::Network;

pub(crate) use evidence::{AlertRecord, PictureKind, PictureRef};
pub(crate) use read_record::ReadRecord;
pub use window::settings::{Again, Settings};

#[cfg(test)]
pub(crate) use canary::CanaryRecord;
pub use news::{Glance, News};
pub use tally::Counts as TallyCounts;

/// Reads that may wait to be decided. A vehicle takes about a second to pass, so this is a queue of a minute.
const READS_WAITING: usize = 64;

/// News that a slow watcher may fall behind by; older ones are dropped for that watcher alone.
const NEWS_WAITING: usize = 256;

/// A unit at work.
pub struct Unit {
    cameras: Arc<Vec<Watched>>,
    vision: Vec<JoinHandle<()>>,
    evidence: Option<JoinHandle<()>>,
    delivery: Arc<Delivery>,
    background: Vec<JoinHandle<()>>,
    clerk: (Clerk, JoinHandle<()>),
    console: Option<Console>,
    records: Arc<Records>,
    audit: Arc<Audit>,
    tally: Arc<Tally>,
    duty: Arc<Duty>,
    window: Arc<Window>,
    news: broadcast::Sender<News>,
    clock: Arc<dyn Clock>,
    stop: Arc<AtomicBool>,
}

/// Why a unit could not start. Everything else mends itself or is reported by the running unit.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Key(#[from] SealError),
    #[error(transparent)]
    Saved(#[from] SavedError),
    #[error(transparent)]
    Audit(#[from] AuditError),
    #[error(transparent)]
    Records(#[from] RecordError),
    #[error("the hot lists cannot be opened: {0}")]
    Hotlist(#[from] crate::hotlist::StoreError),
    #[error(transparent)]
    Sealed(#[from] SealedFileError),
    #[error(transparent)]
    Vision(#[from] VisionError),
    #[error(transparent)]
    Delivery(#[from] DeliveryError),
    #[error(transparent)]
    Camera(#[from] crate::capture::StartError),
    #[error("the state directory {path} cannot be made: {source}")]
    StateDir { path: std::path::PathBuf, source: std::io::Error },
    #[error("a thread could not be started: {0}")]
    Thread(#[from] std::io::Error),
}

impl Unit {
    /// Starts everything, in the order of the data. Must be called within a tokio runtime.
    pub fn start(config: Config, key: &UnitKey) -> Result<Self, StartError> {
        Self::start_with(config, key, None)
    }

    /// The same with settings that can be changed at the console, for a program that then starts anew.
    pub fn start_with(
        config: Config,
        key: &UnitKey,
        settings: Option<Arc<Settings>>,
    ) -> Result<Self, StartError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let stop = Arc::new(AtomicBool::new(false));
        let folder = config.unit.state_dir.as_path();
        make_private(folder).map_err(|source| StartError::StateDir { path: folder.into(), source })?;
        let saved = Arc::new(Saved::new(folder, key));
        let (news, _) = broadcast::channel(NEWS_WAITING);
        let (tally, board) = (Arc::new(Tally::default()), Arc::new(Board::default()));

        let disk = Arc::new(RealDisk);
        let (audit, found_log) = Audit::open(&folder.join("audit"), disk.clone(), clock.clone())?;
        let audit = Arc::new(audit);
        let (records, found_records) = Records::open(
            config.record.clone(),
            &folder.join("records"),
            key,
            disk,
            clock.clone(),
            audit.clone(),
        )?;
        let records = Arc::new(records);
        let ran_before = found_log.entries > 0 || records.counter(Counter::AuditStored) > 0;
        let (accounts, accounts_damage) =
            integrity::accounts(&saved, key, config.console.lock(), ran_before, &audit, clock.now().wall);
        let (kept, state_damage) = integrity::service(&saved, ran_before)?;
        opening::begin(&audit, &saved, config.digest);
        opening::tell_damage(&audit, &found_records);
        let shortened = opening::compare(&audit, &found_log, &records);
        let (hotlist, updates, list_damage) = integrity::lists(&folder.join("lists"), key, &config.hotlist)?;
        canary::drop_left_behind(&records);

        let (commands, command_damage) = integrity::commands(folder, key, &config.unit.id, &config.command)?;
        let (rosters, roster_damage) = integrity::rosters(folder, key, config.roster.as_ref())?;
        let (in_use, identity_damage) = integrity::identity(folder, key, &config)?;
        let in_use = Arc::new(in_use);

        let service = Service::new(kept, clock.now());
        let (clerk, clerk_thread) = Clerk::start()?;
        let duty = Arc::new(Duty::new(
            service,
            clerk.clone(),
            saved.clone(),
            audit.clone(),
            records.clone(),
            news.clone(),
            clock.clone(),
        ));
        let damage = [
            accounts_damage,
            state_damage,
            shortened,
            list_damage,
            command_damage,
            roster_damage,
            identity_damage,
        ];
        damage.into_iter().flatten().for_each(|damage| duty.damaged(damage));
        let mut background = vec![integrity::check_audit(audit.clone(), duty.clone())?];

        let filters = [updates.subscriptions(), muster::subscriptions(&config.unit.id, &rosters)].concat();
        let (delivery, arrivals) = Delivery::start_as(
            in_use.clone(),
            config.delivery.clone(),
            config.unit.id.clone(),
            filters,
            records.clone(),
            clock.clone(),
        )?;
        let delivery = Arc::new(delivery);
        let renewal = Arc::new(Renewal {
            unit: config.unit.id.clone(),
            in_use,
            broker: config.delivery.broker.clone(),
            delivery: delivery.clone(),
            audit: audit.clone(),
            clock: clock.clone(),
            runtime: Handle::current(),
            last: Mutex::default(),
        });
        let manual = manual::Ledger { audit: audit.clone(), records: records.clone() };
        let answers = Arc::new(Answers::open(
            config.unit.id.clone(),
            config.delivery.receivers.clone(),
            board.clone(),
            records.clone(),
            audit.clone(),
            saved.clone(),
            clock.clone(),
        ));
        let inbound = Arc::new(Pulse::new("inbound", clock.now()));
        let mut pulses = vec![inbound.clone()];

        let whereabouts = Arc::new(Whereabouts::start(config.unit.kind, &config.position, clock.clone()));
        let (newest_alert, newest) = watch::channel(None);
        let evidence = Evidence {
            unit: config.unit.id.clone(),
            hotlist: hotlist.clone(),
            alerts: Alerts::new(config.unit.id.clone(), config.alert),
            duty: duty.clone(),
            records: records.clone(),
            audit: audit.clone(),
            board: board.clone(),
            tally: tally.clone(),
            whereabouts: whereabouts.clone(),
            pulse: Arc::new(Pulse::new("evidence", clock.now())),
            clock: clock.clone(),
            news: news.clone(),
            newest_alert,
        };
        pulses.push(evidence.pulse.clone());
        let (reads, decided) = mpsc::sync_channel(READS_WAITING);
        let evidence = Some(evidence.start(decided)?);

        let mut cameras = Vec::new();
        let mut vision = Vec::new();
        for camera in &config.camera {
            let view_angle_deg = camera.view_angle_deg.map(ViewAngle::degrees);
            let watch = CameraWatch::new(
                camera.name.clone(),
                view_angle_deg,
                opening::kept(&audit, saved.aim(&camera.name)),
            );
            let yields =
                YieldWatch::new(opening::kept(&audit, saved.yields(&camera.name)), TimeZone::system());
            let timing = Timing::of(&config.health, !config.delivery.receivers.is_empty());
            let canary = timing.map(|timing| canary::Flight::new(timing, clock.now()));
            let sight = Arc::new(Sight::new(
                camera.name.clone(),
                view_angle_deg,
                watch,
                yields,
                opening::kept(&audit, saved.lanes(&camera.name)),
                canary,
                clock.as_ref(),
            ));
            let eyes = Vision::load(&config.vision)?;
            vision.push(sight.start(eyes, config.passage.clone(), reads.clone(), clock.clone())?);
            let capture = Capture::start(camera.clone(), clock.clone(), sight.frames.clone())?;
            cameras.push(Watched { capture, sight });
        }
        let cameras = Arc::new(cameras);

        let stance = opening::kept(&audit, saved.stance());
        let latest = Arc::new(Mutex::new(None));
        let history = Arc::new(History::new(folder, Arc::new(RealDisk)));
        let reporter = delivery.clone();
        let roster = muster::Report::default();
        let guard = Guard {
            unit: config.unit.id.clone(),
            config: config.health.clone(),
            cameras: cameras.clone(),
            pulses,
            hotlist: hotlist.clone(),
            records: records.clone(),
            broker: delivery.watch(),
            renewal: renewal.clone(),
            duty: duty.clone(),
            audit: audit.clone(),
            tally: tally.clone(),
            answers: answers.clone(),
            roster: roster.clone(),
            clock: clock.clone(),
            device: Device::new(folder),
            place: PlaceWatch::new(config.unit.kind, whereabouts, saved.clone(), stance),
            saved: saved.clone(),
            clerk: clerk.clone(),
            paperwork: Arc::new(Mutex::new(Paperwork {
                courier: Courier::new(audit.clone(), records.clone()),
                historian: Historian::new(history.clone()),
            })),
            manager: ServiceManager::from_environment(),
            latest: latest.clone(),
            publish: Box::new(move |report| reporter.report_health(report)),
            stop: stop.clone(),
        };
        background.push(guard.start()?);

        let network = Arc::new(Network::new(&config.console, &config.delivery.broker, folder, audit.clone()));
        background.push(network.watch(stop.clone())?);
        let window = Arc::new(Window {
            network,
            manual: manual.clone(),
            answers: answers.clone(),
            unit: config.unit.id.clone(),
            kind: config.unit.kind,
            settings,
            renewal: renewal.clone(),
            cameras: cameras.clone(),
            hotlist: hotlist.clone(),
            records: records.clone(),
            audit: audit.clone(),
            board,
            newest_alert: newest,
            broker: delivery.watch(),
            duty: duty.clone(),
            saved,
            tally: tally.clone(),
            latest,
            history,
            clock: clock.clone(),
            handed_out: Mutex::default(),
        });
        let orders = Orders {
            roll_back: RollBack::begin(window.settings.clone(), &commands),
            commands,
            cameras: cameras.clone(),
            window: window.clone(),
            renewal,
            duty: duty.clone(),
            records: records.clone(),
            audit: audit.clone(),
            delivery: delivery.clone(),
            clock: clock.clone(),
            waiting: orders::Waiting::default(),
            under_way: Vec::new(),
            refusals: Refusals::default(),
        };
        let console = accounts.and_then(|accounts| {
            Console::start(&config.console, &console::folder(folder), accounts, window.clone(), clock.clone())
                .inspect_err(|error| warn!(%error, "the unit works without its console"))
                .ok()
        });
        // What is held counts before anybody signs in with what it takes away.
        let muster = Muster::begin(
            rosters,
            console.as_ref().map(Console::admission),
            delivery.clone(),
            audit.clone(),
            roster,
            hotlist.date(clock.now().wall),
        );
        let post = Post {
            unit: config.unit.id.clone(),
            hotlist,
            updates,
            door: Door::shut(),
            delivery: delivery.clone(),
            audit: audit.clone(),
            manual,
            answers,
            orders,
            muster,
            refused_entries: Refusals::default(),
            refused_lists: Refusals::default(),
            pulse: inbound,
            clock: clock.clone(),
            stop: stop.clone(),
        };
        background.push(post.start(arrivals, Handle::current())?);
        Ok(Self {
            cameras,
            vision,
            evidence,
            delivery,
            background,
            clerk: (clerk, clerk_thread),
            console,
            records,
            audit,
            tally,
            duty,
            window,
            news,
            clock,
            stop,
        })
    }

    /// What happens from now on.
    pub fn news(&self) -> broadcast::Receiver<News> {
        self.news.subscribe()
    }

    pub fn console(&mut self) -> Option<&mut Console> {
        self.console.as_mut()
    }

    pub fn duty(&self) -> &Duty {
        &self.duty
    }

    pub fn tally(&self) -> TallyCounts {
        self.tally.counts(self.clock.now().wall)
    }

    pub fn records(&self) -> &Records {
        &self.records
    }

    /// Makes every camera's present view its reference, on this person's word.
    ///
    /// # Errors
    /// A sentence, where a view has not settled yet.
    pub fn verify_aim(&self, by: &PersonName) -> Result<(), Refused> {
        self.window.verify_aims(by)
    }

    /// Stops the cameras and waits for the last reads to be decided and stored. Delivery goes on.
    pub fn stop_reading(&mut self) {
        for camera in self.cameras.iter() {
            camera.sight.stop();
        }
        for thread in self.vision.drain(..).chain(self.evidence.take()) {
            join(thread);
        }
    }

    /// Stops everything, in the reverse order of the start. What is not delivered stays stored.
    pub async fn stop(mut self) {
        if let Some(console) = self.console.take() {
            console.stop().await;
        }
        let blocking = tokio::task::spawn_blocking(move || {
            self.stop_reading();
            self.stop.store(true, Ordering::Relaxed);
            self.background.drain(..).for_each(join);
            let (clerk, thread) = self.clerk;
            clerk.end();
            join(thread);
            self.delivery.stop();
            self.audit.note(Who::Unit, Event::Stopped);
        });
        if blocking.await.is_err() {
            warn!("the unit did not stop in order");
        }
    }
}

fn join(thread: JoinHandle<()>) {
    if thread.join().is_err() {
        warn!("a thread had already failed");
    }
}

/// For its owner alone.
pub(crate) fn make_private(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}
