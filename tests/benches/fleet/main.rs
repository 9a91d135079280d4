//! A department of simulated units at one mosquitto with the configuration that ships, over mutual TLS, and one
//! `milepost receive`; all on this machine. The evening's rush hour, at the speed of a real one: a unit has some 400
//! vehicles an hour on average, and ten times the usual share of them is listed.
//!
//! | figure | what |
//! |---|---|
//! | `fleet_units` | most units, of 1,000, 2,500 and 5,000, that stay connected while 99 of 100 alerts have their receipt within a second |
//! | `fleet_alert_p99_ms` | with 1,000 units: from an alert's storing to the receiver's signed receipt at the unit, so the receiver's disk and the way back are in it; `..._2500_ms`, `..._5000_ms` with more |
//! | `fleet_records_per_s`, `..._share_of_core` | with 1,000 units: what the receiver stores, and what broker and receiver use for it |
//! | `fleet_reconnect_s` | 1,000 units: from a `kill -9` of the broker, which starts again at once with what it had saved some seconds before, until all units are back and every record from before the kill has its receipt |
//! | `fleet_lost`, `fleet_doubled` | records of the whole run, in the receiver's files: fewer than were made; more than once |
//! | `fleet_delta_share` | 1 % of a list of a million entries is replaced (10,000 out, 10,000 in): bytes that each of 1,000 units downloads, of the bytes of a snapshot; `fleet_delta_all_s` until all have it |
//! | `fleet_broker_kb_per_unit`, `fleet_unit_kb` | resident memory of mosquitto, and of this process, for each of 5,000 units |
//! | `fleet_read_bytes`, `fleet_alert_bytes`, `fleet_health_bytes` | a read with its picture and its certificate of purge; an alert with its pictures; a health report |

#[path = "../delivery/cores.rs"]
#[allow(dead_code, reason = "the delivery benchmark holds processes to cores")]
mod cores;
mod department;
#[path = "../support/entries.rs"]
mod entries;
mod list;
#[path = "../../support/receiver.rs"]
#[allow(dead_code, reason = "the kill test does more with it")]
mod receiver;
mod sizes;
#[path = "../support/summary.rs"]
mod summary;
#[path = "../../support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use milepost::simulate::{Counts, Fleet, Latencies, allow_open_files};
use serde_json::{Map, Value, json};
use tokio::runtime::Runtime;

use department::Department;
use list::Published;

/// How many are at work at each step.
const STEPS: [usize; 3] = [1000, 2500, 5000];
const MEASURED: Duration = Duration::from_secs(20);
/// What came up all at once has settled by then.
const SETTLED: Duration = Duration::from_secs(4);
const ALERT_WITHIN: Duration = Duration::from_secs(1);

fn main() {
    allow_open_files(STEPS[2] as u64).unwrap_or_else(|error| panic!("{error}"));
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let mut department = Department::open(scratch.path());
    let published = Published::open(&scratch.path().join("lists"), &department.broker);
    let runtime = Runtime::new().expect("threads can be started");
    let guard = runtime.enter();
    let (broker_kb, own_kb) = (department.broker_kb(), department::resident_kb(std::process::id()));

    let mut figures = Map::new();
    let mut held = 0;
    let mut fleets: Vec<Fleet> = Vec::new();
    for (step, units) in STEPS.into_iter().enumerate() {
        let first = step.checked_sub(1).map_or(1, |before| STEPS[before] + 1);
        fleets.push(department.fleet(first, units, &published.list));
        let up = || {
            let now = counts(&fleets);
            (now.connected, now.list_holders) == (now.units, now.units)
        };
        if !waited(Duration::from_secs(60), up) {
            println!("of {units} units {} are connected after a minute", counts(&fleets).connected);
            break;
        }
        std::thread::sleep(SETTLED);
        let load = measure(&department, &fleets);
        println!("{units} units: {} alerts, {load:?}", load.alerts);
        let name =
            if step == 0 { "fleet_alert_p99_ms".to_owned() } else { format!("fleet_alert_p99_{units}_ms") };
        figures.insert(name, (load.alert_p99.as_secs_f64() * 1e3).round().into());
        if load.reconnects == 0 && load.alert_p99 < ALERT_WITHIN && held == first - 1 {
            held = units;
        }
        if step == 0 {
            figures.extend(object(json!({
                "fleet_records_per_s": load.records_per_s,
                "fleet_simulator_share_of_core": load.shares[0],
                "fleet_broker_share_of_core": load.shares[1],
                "fleet_receiver_share_of_core": load.shares[2],
            })));
            figures.extend(object(published.step(&department.broker, &fleets[0])));
            figures.insert("fleet_reconnect_s".into(), storm(&mut department, &fleets[0]).into());
        }
    }
    figures.insert("fleet_units".into(), held.into());
    let units = counts(&fleets).units as f64;
    figures.insert(
        "fleet_broker_kb_per_unit".into(),
        ((department.broker_kb() - broker_kb) / units).round().into(),
    );
    let own = (department::resident_kb(std::process::id()) - own_kb) / units;
    figures.insert("fleet_unit_kb".into(), own.round().into());
    fleets.iter().for_each(Fleet::end_traffic);
    let drained = waited(Duration::from_secs(120), || counts(&fleets).waiting() == 0);
    println!("every record has its receipt: {drained}");
    figures.extend(object(sizes::of(&department, counts(&fleets).made)));
    drop(guard);
    runtime.block_on(async {
        for fleet in fleets {
            fleet.stop().await;
        }
    });
    summary::add(figures);
}

/// What a fleet asked of the department in a while.
#[derive(Debug)]
struct Load {
    alert_p99: Duration,
    alerts: u64,
    records_per_s: f64,
    reconnects: u64,
    /// Of one core: simulator, broker, receiver.
    shares: [f64; 3],
}

fn measure(department: &Department, fleets: &[Fleet]) -> Load {
    let look = || (counts(fleets), latencies(fleets), department.seconds(), Instant::now());
    let (before, early, used, began) = look();
    std::thread::sleep(MEASURED);
    let (after, late, using, ended) = look();
    let took = (ended - began).as_secs_f64();
    let latencies = late.since(&early);
    let share = |index: usize| ((using[index] - used[index]) / took * 100.0).round() / 100.0;
    Load {
        alert_p99: latencies.within(0.99).expect("alerts were raised"),
        alerts: latencies.count(),
        records_per_s: ((after.received - before.received) as f64 / took).round(),
        reconnects: after.connections - before.connections,
        shares: [share(0), share(1), share(2)],
    }
}

/// Seconds from the broker's end until everything from before is safe and everybody back.
fn storm(department: &mut Department, fleet: &Fleet) -> f64 {
    department.broker.save();
    std::thread::sleep(SETTLED);
    let before = fleet.gauge().counts();
    let killed = Instant::now();
    department.broker.restart();
    wait("all units are back and everything from before is received", Duration::from_secs(120), || {
        let now = fleet.gauge().counts();
        let back = now.connections >= before.connections + before.units && now.connected == now.units;
        back && fleet.oldest_waiting().is_none_or(|oldest| oldest > killed)
    });
    (killed.elapsed().as_secs_f64() * 10.0).round() / 10.0
}

/// All fleets together.
fn counts(fleets: &[Fleet]) -> Counts {
    let all = fleets.iter().map(|fleet| fleet.gauge().counts());
    all.reduce(Counts::and).expect("there is a fleet")
}

fn latencies(fleets: &[Fleet]) -> Latencies {
    let all = fleets.iter().map(|fleet| fleet.gauge().latencies());
    all.reduce(|one, other| one.and(&other)).expect("there is a fleet")
}

fn wait(what: &str, patience: Duration, done: impl FnMut() -> bool) {
    assert!(waited(patience, done), "waited in vain: {what}");
}

fn waited(patience: Duration, mut done: impl FnMut() -> bool) -> bool {
    let until = Instant::now() + patience;
    while !done() {
        if Instant::now() > until {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    true
}

fn object(figures: Value) -> Map<String, Value> {
    figures.as_object().expect("it was just made").clone()
}
