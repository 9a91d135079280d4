//! What a mobile network does to packets must not cost a record, nor let an alert wait behind pictures: a unit and its broker
//! with a bad link between them, in networks of their own.

#[path = "support/netem.rs"]
mod netem;
mod support;

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use milepost::audit::Audit;
use milepost::crypto::{SigningKey, UnitKey};
use milepost::delivery::{Config, Delivery, LinkFault, LinkState};
use milepost::receive::{self, News, NewsKind, Receiver};
use milepost::record::{self, Kind, NewRecord, Records, Stored};
use milepost::system::{Clock, Disk, ManualClock, RealDisk, SystemClock};
use milepost::words::{RecordId, UnitId};
use netem::{FAR, Link, Weather};
use support::{Mosquitto, files, not_run, sample};

/// A dead link is noticed within twice as long; one that loses much needs some time for each answer.
const KEEPALIVE: NonZeroU16 = NonZeroU16::new(10).unwrap();
const HOUR: Duration = Duration::from_secs(3600);

/// A unit on one side; a broker and a receiver on the other.
struct World {
    delivery: Delivery,
    records: Arc<Records>,
    clock: Arc<dyn Clock>,
    /// When each record arrived at the receiver.
    arrived: Arrivals,
    vault: PathBuf,
    link: Link,
    _receiver: Receiver,
    _broker: Mosquitto,
    _folder: tempfile::TempDir,
}

type Arrivals = Arc<std::sync::Mutex<HashMap<RecordId, Instant>>>;

impl World {
    /// None where the machine does not let a test do it, which is then said.
    fn open(test: &str, weather: Weather, clock: Arc<dyn Clock>) -> Option<Self> {
        let link = match Link::lay(weather) {
            Ok(link) => link,
            Err(error) => {
                not_run(test, &error);
                return None;
            }
        };
        let folder = tempfile::tempdir().unwrap();
        let (vault, key) = (folder.path().join("vault"), SigningKey::generate());
        let receivers = vec![key.verifying_key()];
        let broker = link.far(|| Mosquitto::start_on(FAR));
        let arrived = Arrivals::default();
        let receiver = link.far(|| receiver(&broker, &vault, key, arrived.clone()));
        let mut client = broker.client("north-7");
        client.keepalive_s = KEEPALIVE;
        client.connect_timeout_s = NonZeroU16::new(20).unwrap();
        let config = Config { broker: client, receivers, batch_wait_ms: 200, ..Config::default() };
        let records = Arc::new(records(folder.path(), clock.clone()));
        let unit = UnitId::parse("north-7").unwrap();
        let (shelf, shared) = (records.clone(), clock.clone());
        let (delivery, _) = link.near(|| Delivery::start(config, unit, Vec::new(), shelf, shared)).unwrap();
        Some(Self {
            delivery,
            records,
            clock,
            arrived,
            vault,
            link,
            _receiver: receiver,
            _broker: broker,
            _folder: folder,
        })
    }

    fn store(&self, kind: Kind, size: usize) -> RecordId {
        let body = if kind == Kind::Picture { sample::jpeg(size) } else { sample::padded(kind, size) };
        let (id, captured) = (RecordId::new(), self.clock.now());
        let hit = kind != Kind::Read;
        let record = NewRecord { id, kind, hit, belongs_to: None, captured, clock_trusted: true, body };
        assert_eq!(self.records.store(record).unwrap(), Stored::OnDisk);
        id
    }

    fn arrival(&self, id: RecordId) -> Option<Instant> {
        self.arrived.lock().unwrap().get(&id).copied()
    }

    fn within(&self, patience: Duration, what: &str, mut done: impl FnMut() -> bool) {
        let deadline = Instant::now() + patience;
        while !done() {
            assert!(
                Instant::now() < deadline,
                "waited in vain: {what}; the link: {:?}",
                self.delivery.status()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until nothing is held any more, and looks that each of these is at the receiver exactly once.
    fn all_arrive_once(&self, ids: &[RecordId], patience: Duration) {
        self.within(patience, "everything is received and purged", || {
            self.records.counts().held.values().sum::<u64>() == 0
        });
        let stored = stored(&self.vault);
        for id in ids {
            assert_eq!(stored.get(&id.to_string()), Some(&1), "{id}");
        }
        let doubled: Vec<_> = stored.iter().filter(|(_, times)| **times > 1).collect();
        assert!(doubled.is_empty(), "{doubled:?}");
        support::spy::judge_stored(&self.vault).expect("messages are as config/asyncapi.yaml says");
    }
}

fn receiver(broker: &Mosquitto, vault: &Path, key: SigningKey, arrived: Arrivals) -> Receiver {
    let config = receive::Config {
        broker: broker.client("receiver"),
        name: "receiver".into(),
        folder: vault.into(),
        key,
        keep: receive::Keep::default(),
    };
    let (receiver, mut news) = Receiver::start(config, Arc::new(SystemClock::new())).unwrap();
    std::thread::spawn(move || {
        while let Some(News { kind, .. }) = news.blocking_recv() {
            let id = match kind {
                NewsKind::Event(event) => event.id,
                NewsKind::Picture { id, .. } => id,
                _ => continue,
            };
            arrived.lock().unwrap().entry(id).or_insert_with(Instant::now);
        }
    });
    receiver
}

fn records(folder: &Path, clock: Arc<dyn Clock>) -> Records {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let (audit, _) = Audit::open(&folder.join("audit"), disk.clone(), clock.clone()).unwrap();
    let place = folder.join("records");
    Records::open(record::Config::default(), &place, &UnitKey::generate(), disk, clock, Arc::new(audit))
        .unwrap()
        .0
}

/// How often each id stands in the vault.
fn stored(vault: &Path) -> BTreeMap<String, u32> {
    let mut found = BTreeMap::new();
    for path in files(vault) {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("jpg") => *found.entry(name).or_default() += 1,
            Some("jsonl") => {
                for line in std::fs::read_to_string(&path).unwrap().lines() {
                    let line: serde_json::Value = serde_json::from_str(line).unwrap();
                    *found.entry(line["event"]["id"].as_str().unwrap().to_owned()).or_default() += 1;
                }
            }
            _ => {}
        }
    }
    found
}

/// 64 kbit/s, 800 ms each way, 5 % of the packets lost, a queue of a thousand packets in front of it, and half a megabyte of
/// pictures and reads that waits: an alert must not.
#[test]
fn behind_a_slow_link_full_of_pictures_alerts_go_first() {
    let weather = Weather { rate: 64_000, delay: Duration::from_millis(800), lost: 5, ..Weather::default() };
    let test = "behind_a_slow_link_full_of_pictures_alerts_go_first";
    let Some(world) = World::open(test, weather, Arc::new(SystemClock::new())) else { return };
    let bulk: Vec<_> = (0..16).map(|_| world.store(Kind::Picture, 30_000)).collect();
    let reads: Vec<_> = (0..100).map(|_| world.store(Kind::Read, 300)).collect();
    world.within(Duration::from_secs(120), "the first picture arrives", || {
        bulk.iter().any(|id| world.arrival(*id).is_some())
    });
    let mut took = Vec::new();
    for _ in 0..5 {
        let asked = Instant::now();
        let alert = world.store(Kind::Alert, 700);
        world.within(Duration::from_secs(60), "the alert arrives", || world.arrival(alert).is_some());
        took.push(world.arrival(alert).unwrap() - asked);
    }
    let waiting = bulk.iter().filter(|id| world.arrival(**id).is_none()).count();
    took.sort();
    println!(
        "alerts behind a loaded link of 64 kbit/s, 800 ms, 5 % loss took {took:?}; {waiting} of 16 pictures still waited"
    );
    assert!(waiting > 0, "the link was not loaded while the alerts went");
    assert!(reads.iter().all(|id| world.arrival(*id).is_none()), "no read went before the pictures of hits");
}

#[test]
fn a_link_that_loses_a_third_of_its_packets_delivers_all_once() {
    let weather = Weather { delay: Duration::from_millis(20), lost: 30, ..Weather::default() };
    let test = "a_link_that_loses_a_third_of_its_packets_delivers_all_once";
    let Some(world) = World::open(test, weather, Arc::new(SystemClock::new())) else { return };
    let mut ids: Vec<_> = (0..6).map(|_| world.store(Kind::Alert, 700)).collect();
    ids.push(world.store(Kind::Picture, 20_000));
    ids.extend((0..20).map(|_| world.store(Kind::Read, 300)));
    world.all_arrive_once(&ids, Duration::from_secs(180));
}

#[test]
fn packets_out_of_order_and_doubled_neither_lose_nor_double_a_record() {
    let weather = Weather {
        delay: Duration::from_millis(40),
        reordered: 25,
        doubled: 10,
        lost: 1,
        ..Weather::default()
    };
    let test = "packets_out_of_order_and_doubled_neither_lose_nor_double_a_record";
    let Some(world) = World::open(test, weather, Arc::new(SystemClock::new())) else { return };
    let mut ids = Vec::new();
    for _ in 0..20 {
        ids.push(world.store(Kind::Alert, 700));
        ids.push(world.store(Kind::Picture, 20_000));
        ids.extend((0..10).map(|_| world.store(Kind::Read, 300)));
    }
    world.all_arrive_once(&ids, Duration::from_secs(120));
}

/// Neither side is told: packets vanish, and later come again.
#[test]
fn a_half_open_link_is_noticed_and_loses_nothing_when_it_heals() {
    let test = "a_half_open_link_is_noticed_and_loses_nothing_when_it_heals";
    let Some(world) = World::open(test, Weather::default(), Arc::new(SystemClock::new())) else { return };
    let mut ids: Vec<_> = (0..20).map(|_| world.store(Kind::Picture, 60_000)).collect();
    world.within(Duration::from_secs(30), "the link stands", || world.delivery.status().is_connected());
    world.link.set(Weather { cut: true, ..Weather::default() });
    ids.push(world.store(Kind::Alert, 700));
    world.within(Duration::from_secs(30), "the silence is noticed", || {
        matches!(world.delivery.status().link, LinkState::Down { fault: LinkFault::Silent, .. })
    });
    ids.push(world.store(Kind::Alert, 700));
    world.link.set(Weather::default());
    world.all_arrive_once(&ids, Duration::from_secs(90));
}

#[test]
fn a_week_without_a_link_loses_nothing_and_is_marked_as_late() {
    let test = "a_week_without_a_link_loses_nothing_and_is_marked_as_late";
    let clock = Arc::new(ManualClock::at(Timestamp::now()));
    let ticking = clock.clone();
    let cut = Weather { cut: true, ..Weather::default() };
    let Some(world) = World::open(test, cut, clock.clone()) else { return };
    let mut ids = Vec::new();
    for _ in 0..7 * 24 {
        ids.push(world.store(Kind::Alert, 700));
        ids.push(world.store(Kind::Picture, 5_000));
        ids.extend((0..5).map(|_| world.store(Kind::Read, 300)));
        clock.advance(HOUR);
        world.records.sweep().unwrap();
    }
    let counts = world.records.counts();
    assert_eq!((counts.held[&Kind::Alert], counts.held[&Kind::Read], counts.lost.len()), (168, 840, 0));
    world.link.set(Weather::default());
    std::thread::spawn(move || {
        while Arc::strong_count(&ticking) > 1 {
            std::thread::sleep(Duration::from_millis(20));
            ticking.advance(Duration::from_millis(20));
        }
    });
    world.all_arrive_once(&ids, Duration::from_secs(120));
    let (alerts, reads): (Vec<_>, Vec<_>) = (0..ids.len()).partition(|index| index % 7 == 0);
    let last = |of: &[usize]| of.iter().filter_map(|index| world.arrival(ids[*index])).max();
    let first_read =
        reads.iter().filter(|index| *index % 7 > 1).filter_map(|index| world.arrival(ids[*index])).min();
    assert!(last(&alerts) <= first_read, "a week of alerts goes before the first read");
    let books =
        files(&world.vault).into_iter().filter(|path| path.extension().is_some_and(|end| end == "jsonl"));
    let text: String = books.map(|path| std::fs::read_to_string(path).unwrap()).collect();
    let lines = text.lines().filter(|line| line.contains("milepost.alert.v1"));
    assert_eq!(lines.filter(|line| line.contains("\"historical\":true")).count(), 168);
}
