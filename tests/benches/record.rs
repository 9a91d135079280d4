//! How many records a second go to the disk and off it, and what a backlog of a million costs. Figures go
//! to `target/bench/summary.json`; the folder of the records can be chosen with MILEPOST_BENCH_FOLDER, because fsync on a memory disk costs nothing.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use milepost::audit::Audit;
use milepost::crypto::{Digest, UnitKey, random};
use milepost::record::{Config, Kind, NewRecord, Records, Stored};
use milepost::system::{Clock, RealDisk, SystemClock};
use milepost::words::{Moment, RecordId};

#[path = "support/summary.rs"]
mod summary;

const BACKLOG: usize = 1_000_000;
const PICTURE: usize = 60_000;
/// A read as JSON, with its candidates.
const READ: usize = 900;
const REOPEN: &str = "MILEPOST_BENCH_REOPEN";

fn main() {
    let key = UnitKey::generate();
    if let Ok(folder) = std::env::var(REOPEN) {
        return reopen(Path::new(&folder));
    }
    let parent = std::env::var_os("MILEPOST_BENCH_FOLDER").unwrap_or_else(|| "target".into());
    let folder = tempfile::tempdir_in(parent).expect("the bench folder can be written");
    std::fs::write(folder.path().join("unit.key"), key.as_bytes()).expect("the bench folder can be written");

    let (stored_per_s, purged_per_s) = pictures(&folder.path().join("pictures"), &key);
    fill(&folder.path().join("backlog"), &key);
    let program = std::env::current_exe().expect("a running program has a path");
    let output = Command::new(program).env(REOPEN, folder.path()).output().expect("it can be run again");
    let reopened: serde_json::Value = serde_json::from_slice(&output.stdout).expect("it prints JSON");
    let mut figures = serde_json::json!({
        "records_stored_per_s": stored_per_s,
        "records_purged_per_s": purged_per_s,
    });
    let measured = figures.as_object_mut().expect("it was just made");
    measured.extend(reopened.as_object().expect("it prints an object").clone());
    summary::add(measured.clone());
}

fn open(folder: &Path, key: &UnitKey) -> Records {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let (audit, _) = Audit::open(&folder.join("audit"), Arc::new(RealDisk), clock.clone())
        .expect("the bench folder can be written");
    let config = Config { max_mb: 1 << 20, ..Config::default() };
    Records::open(config, &folder.join("records"), key, Arc::new(RealDisk), clock, Arc::new(audit))
        .expect("the bench folder can be written")
        .0
}

fn record(kind: Kind, size: usize) -> NewRecord {
    let captured = Moment { uptime: Duration::ZERO, wall: jiff::Timestamp::now() };
    let (id, body) = (RecordId::new(), random::<64>().repeat(size / 64));
    NewRecord { id, kind, hit: false, belongs_to: None, captured, clock_trusted: true, body }
}

/// Each record is a read with its picture, stored by eight callers at once; then fetched and received in
/// batches of a hundred.
fn pictures(folder: &Path, key: &UnitKey) -> (u64, u64) {
    const CALLERS: usize = 8;
    const EACH: usize = 250;
    let records = open(folder, key);
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| {
                for _ in 0..EACH {
                    let group = vec![record(Kind::Read, READ), record(Kind::Picture, PICTURE)];
                    assert_eq!(records.store_all(group).expect("the disk takes it"), Stored::OnDisk);
                }
            });
        }
    });
    let stored_per_s = per_s(CALLERS * EACH, started);
    let started = Instant::now();
    drain(&records, 2 * CALLERS * EACH, 200);
    (stored_per_s, per_s(CALLERS * EACH, started))
}

fn fill(folder: &Path, key: &UnitKey) {
    let records = open(folder, key);
    for _ in 0..BACKLOG / 1000 {
        let batch = (0..1000).map(|_| record(Kind::Read, READ)).collect();
        records.store_all(batch).expect("the disk takes it");
    }
}

/// In a process of its own, so that what is resident is the backlog's.
fn reopen(folder: &Path) {
    let key = UnitKey::load(&folder.join("unit.key")).expect("it was just written");
    let started = Instant::now();
    let records = open(&folder.join("backlog"), &key);
    let recovery_s = started.elapsed().as_secs_f64();
    assert_eq!(records.counts().held[&Kind::Read], BACKLOG as u64);
    let (resident_mb, peak_mb) = (memory_mb("VmRSS:"), memory_mb("VmHWM:"));
    let started = Instant::now();
    drain(&records, 100_000, 500);
    let summary = serde_json::json!({
        "recovery_1m_s": (recovery_s * 1000.0).round() / 1000.0,
        "backlog_rss_mb": resident_mb,
        "backlog_peak_mb": peak_mb,
        "backlog_purged_per_s": per_s(100_000, started),
    });
    println!("{summary}");
}

/// What delivery does, without a network: take what waits, read it, get a receipt for it.
fn drain(records: &Records, count: usize, batch: usize) {
    for _ in 0..count / batch {
        // Certificates wait too, and go first.
        let waiting = records.waiting(None, 2 * batch);
        let taken = waiting.iter().filter(|waiting| waiting.kind != Kind::Certificate).take(batch);
        let receipts: Vec<_> = taken
            .map(|waiting| {
                let fetched = records.fetch(waiting.id).expect("it waits");
                (waiting.id, Digest::of(&fetched.body))
            })
            .collect();
        records.received(&receipts).expect("the disk takes it");
    }
}

fn per_s(count: usize, since: Instant) -> u64 {
    (count as f64 / since.elapsed().as_secs_f64()) as u64
}

fn memory_mb(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux has it");
    let line = status.lines().find_map(|line| line.strip_prefix(field)).expect("Linux has it");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("it is a number of kB") / 1024
}
