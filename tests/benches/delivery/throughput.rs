//! Records stored, delivered, receipted and purged.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use milepost::audit::Audit;
use milepost::crypto::{UnitKey, random};
use milepost::delivery::{self, Delivery};
use milepost::record::{Config, Kind, NewRecord, Records, Stored};
use milepost::system::{Clock, RealDisk, SystemClock};
use milepost::words::{Moment, RecordId, UnitId};
use serde_json::{Map, Value, json};

use crate::cores::{self, Cores};
use crate::department::Department;

const RECORDS: usize = 4_000;
const BACKLOG: usize = 100_000;
/// A picture of a plate with what is around it.
const PICTURE: usize = 60_000;
/// A read with its candidates as JSON.
const READ: usize = 900;
/// Callers that store at once: as many as it takes to fill a commit.
const CALLERS: usize = 16;

pub fn measure() -> Map<String, Value> {
    let parent = std::env::var_os("MILEPOST_BENCH_FOLDER").unwrap_or_else(|| "target".into());
    let folder = tempfile::tempdir_in(parent).expect("the bench folder can be written");
    let department = Department::open(&folder.path().join("department"));
    cores::hold(0, Cores::First);
    let flow = with_pictures(&folder.path().join("unit-1"), &department);
    let drain = backlog(&folder.path().join("unit-2"), &department);
    let figures = json!({
        "records_per_s": flow.per_s,
        "records_unit_share_of_core": flow.unit,
        "records_broker_share_of_core": flow.broker,
        "records_receiver_share_of_core": flow.receiver,
        "backlog_drain_per_s": drain.per_s,
        "backlog_drain_unit_share_of_core": drain.unit,
        "backlog_drain_broker_share_of_core": drain.broker,
        "backlog_drain_receiver_share_of_core": drain.receiver,
    });
    figures.as_object().expect("it was just made").clone()
}

/// How many a second, and what each process used of a core for it.
struct Rate {
    per_s: u64,
    unit: f64,
    broker: f64,
    receiver: f64,
}

/// Reads with their pictures, delivered while they are stored.
fn with_pictures(folder: &Path, department: &Department) -> Rate {
    let records = open(folder);
    let delivery = deliver(&records, department, "unit-1");
    let rate = timed(department, RECORDS, || {
        std::thread::scope(|scope| {
            for _ in 0..CALLERS {
                scope.spawn(|| {
                    for _ in 0..RECORDS / CALLERS {
                        let group = vec![record(Kind::Read, &read()), record(Kind::Picture, &noise(PICTURE))];
                        assert_eq!(records.store_all(group).expect("the disk takes it"), Stored::OnDisk);
                    }
                });
            }
        });
        drained(&records);
    });
    delivery.stop();
    rate
}

/// What a week without network leaves, drained from the first connection to the last purge.
fn backlog(folder: &Path, department: &Department) -> Rate {
    let records = open(folder);
    for _ in 0..BACKLOG / 1000 {
        let batch = (0..1000).map(|_| record(Kind::Read, &read())).collect();
        records.store_all(batch).expect("the disk takes it");
    }
    let mut delivery = None;
    let rate = timed(department, BACKLOG, || {
        delivery = Some(deliver(&records, department, "unit-2"));
        drained(&records);
    });
    delivery.expect("it was started").stop();
    rate
}

fn timed(department: &Department, count: usize, work: impl FnOnce()) -> Rate {
    let used = || {
        let [broker, receiver] = department.seconds();
        [cores::seconds(std::process::id()), broker, receiver]
    };
    let (started, before) = (Instant::now(), used());
    work();
    let (after, took) = (used(), started.elapsed().as_secs_f64());
    let share = |index: usize| ((after[index] - before[index]) / took * 100.0).round() / 100.0;
    Rate { per_s: (count as f64 / took) as u64, unit: share(0), broker: share(1), receiver: share(2) }
}

/// Waits until the receiver has, and the unit has purged, every read and picture.
fn drained(records: &Records) {
    let deadline = Instant::now() + Duration::from_secs(600);
    let held = || {
        let held = records.counts().held;
        held[&Kind::Read] + held[&Kind::Picture]
    };
    while held() > 0 {
        assert!(Instant::now() < deadline, "{} records are still held", held());
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn open(folder: &Path) -> Arc<Records> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let (audit, _) = Audit::open(&folder.join("audit"), Arc::new(RealDisk), clock.clone())
        .expect("the bench folder can be written");
    let (config, key) = (Config { max_mb: 1 << 20, ..Config::default() }, UnitKey::generate());
    let opened =
        Records::open(config, &folder.join("records"), &key, Arc::new(RealDisk), clock, Arc::new(audit));
    Arc::new(opened.expect("the bench folder can be written").0)
}

/// As a unit does with the configuration's defaults.
fn deliver(records: &Arc<Records>, department: &Department, unit: &str) -> Delivery {
    let config = delivery::Config {
        broker: department.broker.client(unit),
        receivers: vec![department.key],
        ..delivery::Config::default()
    };
    let (unit, clock) = (UnitId::parse(unit).expect("it is a name"), Arc::new(SystemClock::new()));
    let started = Delivery::start(config, unit, Vec::new(), records.clone(), clock);
    started.expect("a thread can be started").0
}

fn record(kind: Kind, body: &[u8]) -> NewRecord {
    let captured = Moment { uptime: Duration::ZERO, wall: jiff::Timestamp::now() };
    let body = body.to_vec();
    NewRecord { id: RecordId::new(), kind, hit: false, belongs_to: None, captured, clock_trusted: true, body }
}

fn read() -> Vec<u8> {
    let candidates: Vec<Value> = (0..8)
        .map(|n| json!({"plate": format!("ABC{:03}", random::<1>()[0]), "probability": 1.0 / f64::from(n + 2)}))
        .collect();
    let mut read = json!({"id": RecordId::new(), "unit": "unit-1", "candidates": candidates, "pictures": []});
    let rest = READ.saturating_sub(read.to_string().len());
    read["direction"] = "x".repeat(rest.saturating_sub(20)).into();
    read.to_string().into_bytes()
}

/// Bytes that neither the disk nor anybody else can make smaller, as a JPEG's.
fn noise(length: usize) -> Vec<u8> {
    random::<64>().repeat(length / 64)
}
