//! Many light units in one process: for load tests, and for a department that wants to see a fleet before it has one.
//!
//! Owns the simulated units, their traffic, their faults and the folder with their certificates. Must not know how
//! a session, a receipt or a message is made: a light unit sends the product's own messages over the product's own
//! [`Delivery`](crate::delivery::Delivery), decides about alerts and its service state with the product's own rooms, and verifies hot lists
//! as a unit does. What it leaves out is the camera, the disk and the lists' entries: its vehicles were rendered and
//! read once at the start, its records lie in memory until their signed receipt, and of a list it knows the version.
//!
//! A unit shares no state with another but for what nobody changes, the vehicles' pictures. Threads are shared: a unit
//! is two tasks. What a unit does is drawn from the seed and its number alone; when messages cross, the network decides.

mod day;
mod fault;
mod files;
mod folder;
mod follower;
mod gauge;
mod health;
mod shelf;
mod unit;
mod vehicle;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinSet;

pub use day::Day;
pub use files::{FilesError, allow_open_files};
pub use folder::{Folder, FolderError};
pub use gauge::{Counts, Gauge, Latencies};
pub use vehicle::{Vehicle, VehicleError, vehicles};

use shelf::LightShelf;

use crate::crypto::VerifyingKey;
use crate::delivery;
use crate::hotlist::List;
use crate::words::UnitId;

/// What a fleet needs.
pub struct Config {
    /// Each unit's name, and how it connects.
    pub units: Vec<(UnitId, delivery::Broker)>,
    pub seed: u64,
    /// Whose receipts count.
    pub receivers: Vec<VerifyingKey>,
    /// The hot list that units follow.
    pub list: Option<Follow>,
    pub day: Day,
    /// Of 1,000 vehicles so many are listed.
    pub hits_per_1000: f64,
    /// Whether faults are drawn.
    pub faults: bool,
    pub report_every: Duration,
    /// Units that come up in a second, at the start.
    pub start_per_s: NonZeroU32,
}

/// A list to follow, and how.
#[derive(Debug, Clone)]
pub struct Follow {
    pub list: List,
    /// Fetch a snapshot's chunks too. Otherwise a unit holds the first edition that it hears of, as one that has been
    /// at work for a while, and follows deltas from there.
    pub snapshots: bool,
}

/// What all units are doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Vehicles pass.
    Traffic,
    /// None pass any more; what is stored is delivered.
    Draining,
    /// Said good-bye.
    Stopping,
}

/// A fleet at work. Dropping it ends the units without a word, as a power cut would.
pub struct Fleet {
    phase: watch::Sender<Phase>,
    units: JoinSet<()>,
    shelves: Vec<Arc<LightShelf>>,
    gauge: Arc<Gauge>,
}

impl Fleet {
    /// Starts the units on this runtime. `vehicles` must not be empty.
    pub fn start(config: Config, vehicles: Arc<Vec<Vehicle>>) -> Self {
        let gauge = Arc::new(Gauge::new(config.units.len()));
        let (phase, told) = watch::channel(Phase::Traffic);
        let (mut units, mut shelves) = (JoinSet::new(), Vec::new());
        let common = Arc::new(unit::Common {
            seed: config.seed,
            receivers: config.receivers,
            list: config.list,
            day: config.day,
            hits_per_1000: config.hits_per_1000,
            faults: config.faults,
            report_every: config.report_every,
            vehicles,
            gauge: gauge.clone(),
        });
        for (number, (name, broker)) in (0u32..).zip(config.units) {
            let begin =
                Duration::from_secs(1).mul_f64(f64::from(number) / f64::from(config.start_per_s.get()));
            let unit = unit::LightUnit::new(common.clone(), u64::from(number), name, broker);
            shelves.push(unit.shelf());
            units.spawn(unit.run(begin, told.clone()));
        }
        Self { phase, units, shelves, gauge }
    }

    pub fn gauge(&self) -> &Gauge {
        &self.gauge
    }

    /// Since when the oldest record waits for its receipt.
    pub fn oldest_waiting(&self) -> Option<Instant> {
        self.shelves.iter().filter_map(|shelf| shelf.stock().oldest).min()
    }

    /// No vehicle passes any more, and no fault begins.
    pub fn end_traffic(&self) {
        self.phase.send_replace(Phase::Draining);
    }

    /// Ends the traffic and waits until every record has its receipt; false if that takes longer than `patience`.
    pub async fn drain(&self, patience: Duration) -> bool {
        self.end_traffic();
        let all = async {
            while self.gauge.counts().waiting() > 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(patience, all).await.is_ok()
    }

    /// Every unit says good-bye.
    pub async fn stop(mut self) {
        self.phase.send_replace(Phase::Stopping);
        while self.units.join_next().await.is_some() {}
    }
}
