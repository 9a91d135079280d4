//! The whole promise of records and delivery, with real parts and real kills: a unit that stores, delivers and purges under
//! load, a mosquitto over mutual TLS and the reference receiver, `kill -9` for all three at random instants, and a
//! count of every record at both ends.
//!
//! `make kill-test` kills the unit a thousand times and leaves the figures in the summary of `make bench`; `make test` kills
//! it a few dozen times.

#[allow(dead_code, reason = "the benchmarks wait for it")]
#[path = "../support/receiver.rs"]
mod receiver;
#[path = "../benches/support/summary.rs"]
mod summary;
#[path = "../support/mod.rs"]
mod support;
mod unit;
mod vault;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use milepost::audit::{Audit, verify};
use milepost::crypto::{Digest, UnitKey, VerifyingKey, random};
use milepost::system::{RealDisk, SystemClock};
use milepost::words::RecordId;
use receiver::Receiver;
use support::Mosquitto;
use unit::{Life, Told};

/// How often the unit is killed where nobody asks for more.
const KILLS: u32 = 30;
/// Out of so many kills of the unit, one also hits the broker, and one the receiver.
const BROKER_TOO: u8 = 16;
const RECEIVER_TOO: u8 = 16;
/// One of so many lives ends while it is still opening its records.
const EARLY: u8 = 8;
/// A life at work ends within this time, at a random instant.
const LIFE: Duration = Duration::from_millis(250);
/// What is left at the end must be delivered and purged within this time.
const DRAINED_WITHIN: Duration = Duration::from_secs(120);

/// Not a test of its own: the process that the next one kills.
#[test]
fn unit_that_is_killed() {
    if let Some(folder) = std::env::var_os(unit::FOLDER) {
        unit::live(Path::new(&folder));
    }
}

#[test]
fn killed_at_any_instant_with_broker_and_receiver_nothing_is_lost_doubled_or_kept() {
    let asked =
        std::env::var("MILEPOST_KILLS").ok().map(|kills| kills.parse().expect("MILEPOST_KILLS is a number"));
    let mut world = World::open();
    let started = Instant::now();
    let mut ledger = Ledger::default();
    let kills = asked.unwrap_or(KILLS);
    for _ in 0..kills {
        world.one_life(&mut ledger);
    }
    let rate = f64::from(kills) / started.elapsed().as_secs_f64();
    world.drain(&mut ledger);
    let figures = ledger.judge(&world);
    println!(
        "killed the unit {kills} times ({rate:.1} a second), the broker {} and the receiver {} times; \
         {} records acknowledged, {} of them purged in the unit's own words: {} lost, {} doubled, {} kept",
        world.broker_kills,
        world.receiver_kills,
        ledger.stored.len(),
        ledger.purged.len(),
        figures.lost,
        figures.doubled,
        figures.kept
    );
    if asked.is_some() {
        summary::keep_kills(&[
            ("kill_cycles", kills.into()),
            ("kill_lost", figures.lost),
            ("kill_doubled", figures.doubled),
            ("kill_kept_after_purge", figures.kept),
        ]);
    }
    assert_eq!((figures.lost, figures.doubled, figures.kept), (0, 0, 0));
    assert!(ledger.stored.len() > kills as usize, "too little was under way to prove anything");
    assert!(ledger.purged.len() > kills as usize, "too little was purged to prove anything");
}

/// Everything that the unit's processes said.
#[derive(Default)]
struct Ledger {
    /// Acknowledged as durable, with the digest of the body.
    stored: BTreeMap<RecordId, Digest>,
    purged: BTreeSet<RecordId>,
    /// Purged, and held all the same by a later life.
    kept: BTreeSet<RecordId>,
}

struct Figures {
    lost: u64,
    doubled: u64,
    kept: u64,
}

impl Ledger {
    fn note(&mut self, said: &[Told]) {
        for told in said {
            match told {
                Told::Stored(id, digest) => drop(self.stored.insert(*id, *digest)),
                Told::Purged(id) => drop(self.purged.insert(*id)),
                // Said at the beginning of a life, so whatever was purged was purged by an earlier one.
                Told::Holds(id) if self.purged.contains(id) => drop(self.kept.insert(*id)),
                Told::Holds(_) | Told::Ready | Told::Empty => {}
            }
        }
    }

    /// Counts every record at both ends.
    fn judge(&self, world: &World) -> Figures {
        let vault = vault::read(world.receiver.folder());
        let arrived = |(id, digest): &(&RecordId, &Digest)| {
            vault.records.get(*id).is_some_and(|copies| copies.iter().all(|copy| copy == *digest))
        };
        let lost = self.stored.iter().filter(|record| !arrived(record));
        let doubled = vault.records.values().filter(|copies| copies.len() > 1);
        let uncertified =
            self.purged.iter().filter(|id| vault.is_captured(id) && !vault.certified.contains(id));
        assert_eq!(uncertified.count(), 0, "records that show a vehicle were purged without a certificate");
        world.check_audit();
        let left = world.left_on_disk();
        assert!(left.is_empty() || !self.kept.is_empty(), "a unit that delivered all holds {left:?}");
        Figures {
            lost: lost.count() as u64,
            doubled: doubled.count() as u64,
            kept: (self.kept.len() + left.len()) as u64,
        }
    }
}

/// The unit's folder, the broker and the receiver.
struct World {
    folder: tempfile::TempDir,
    broker: Mosquitto,
    receiver: Receiver,
    broker_kills: u32,
    receiver_kills: u32,
}

impl World {
    fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let broker = Mosquitto::unheard();
        let unit = folder.path().join("unit");
        std::fs::create_dir(&unit).unwrap();
        std::fs::write(unit.join("unit.key"), UnitKey::generate().as_bytes()).unwrap();
        let (receiver, receipts) = Receiver::start(folder.path(), &broker);
        std::fs::write(unit.join("delivery.toml"), delivery(&broker, receipts)).unwrap();
        Self { folder, broker, receiver, broker_kills: 0, receiver_kills: 0 }
    }

    fn unit(&self) -> PathBuf {
        self.folder.path().join("unit")
    }

    /// The unit works, and is killed; now and then the broker or the receiver with it.
    fn one_life(&mut self, ledger: &mut Ledger) {
        let [when, finer, early, whom] = random::<4>();
        let part = f64::from(u16::from_be_bytes([when, finer])) / f64::from(u16::MAX);
        let mut life = Life::begin(&self.unit(), false);
        if early % EARLY != 0 {
            life.wait_until_ready();
        }
        std::thread::sleep(LIFE.mul_f64(part));
        match whom {
            _ if whom % BROKER_TOO == 0 => {
                self.broker.kill();
                ledger.note(&life.kill());
                self.broker.restart();
                self.broker_kills += 1;
            }
            _ if whom % RECEIVER_TOO == 1 => {
                self.receiver.kill();
                ledger.note(&life.kill());
                self.receiver.restart(&self.broker);
                self.receiver_kills += 1;
            }
            _ => ledger.note(&life.kill()),
        }
    }

    /// A last life stores nothing new and ends when nothing is held any more.
    fn drain(&self, ledger: &mut Ledger) {
        let mut life = Life::begin(&self.unit(), true);
        let is_empty = life.wait_until_empty(DRAINED_WITHIN);
        ledger.note(&life.kill());
        assert!(
            is_empty,
            "the unit could not deliver what it held; the broker says: {}",
            tail(&self.broker.log())
        );
    }

    /// Files of records that are left, or show anything in the clear.
    fn left_on_disk(&self) -> Vec<String> {
        let mut left = Vec::new();
        for path in support::files(&self.unit()) {
            let bytes = std::fs::read(&path).unwrap();
            let marker = unit::MARKER.as_bytes();
            let is_body = path.starts_with(self.unit().join("records/keys"))
                || path.starts_with(self.unit().join("records/bodies"));
            if is_body || bytes.windows(marker.len()).any(|part| part == marker) {
                left.push(path.display().to_string());
            }
        }
        left
    }

    fn check_audit(&self) {
        let clock = std::sync::Arc::new(SystemClock::new());
        let (audit, _) =
            Audit::open(&self.unit().join("audit"), std::sync::Arc::new(RealDisk), clock).unwrap();
        let mut log = Vec::new();
        audit.export(&mut log).unwrap();
        verify(log.as_slice(), None, audit.head().map(|head| head.hash)).expect("the chain is whole");
    }
}

/// The unit's side of the link, as a configuration file has it.
fn delivery(broker: &Mosquitto, receipts: VerifyingKey) -> String {
    let client = broker.client(unit::NAME);
    format!(
        "receivers = [\"{}\"]\nreceipt_timeout_s = 1\nbatch_wait_ms = 20\n\
         [broker]\nport = {}\nauthority = {:?}\ncertificate = {:?}\nkey = {:?}\nretry_max_s = 1\n",
        receipts, client.port, client.authority, client.certificate, client.key
    )
}

fn tail(log: &str) -> &str {
    let start = log.len().saturating_sub(2000);
    log.get(start..).unwrap_or(log)
}
