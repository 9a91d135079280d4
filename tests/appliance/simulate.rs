//! A simulated department is held to what a real one promises: real messages, every record received once although the
//! broker is killed in between, and certificates that keep units apart.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiff::Timestamp;
use milepost::crypto::SigningKey;
use milepost::delivery::{Link, LinkEvent, Retained, Subscriptions};
use milepost::hotlist::List;
use milepost::simulate::{Config, Counts, Day, Fleet, Follow, Vehicle, vehicles};
use milepost::words::{ListName, UnitId};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::department::Department;
use crate::support::{Mosquitto, eventually, files};

const UNITS: usize = 30;

fn traffic() -> Arc<Vec<Vehicle>> {
    static VEHICLES: OnceLock<Arc<Vec<Vehicle>>> = OnceLock::new();
    VEHICLES.get_or_init(|| Arc::new(vehicles(4, 7).unwrap())).clone()
}

/// The rush hour, ten times as fast, with many listed vehicles.
fn config(broker: &Mosquitto, department: &Department, units: usize) -> Config {
    let unit = |number| {
        let name = UnitId::parse(&format!("sim-{number:04}")).unwrap();
        let client = broker.client(name.as_str());
        (name, client)
    };
    Config {
        units: (1..=units).map(unit).collect(),
        seed: 7,
        receivers: vec![department.key],
        list: None,
        day: Day::new(jiff::civil::time(17, 0, 0, 0), 10.0),
        hits_per_1000: 100.0,
        faults: false,
        report_every: Duration::from_secs(5),
        start_per_s: 100.try_into().unwrap(),
    }
}

#[test]
fn everything_arrives_once_although_the_broker_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let mut broker = Mosquitto::start();
    let received = folder.path().join("received");
    let department = Department::open(&broker, &received);
    let runtime = Runtime::new().unwrap();
    let fleet = runtime.block_on(async { Fleet::start(config(&broker, &department, UNITS), traffic()) });
    let counts = || fleet.gauge().counts();
    eventually("all units are connected", || counts().connected == UNITS as u64);
    eventually("alerts have arrived", || fleet.gauge().latencies().count() >= 5);
    // What it had saved a while ago is what it comes back with.
    broker.save();
    let before = counts().alerts;
    eventually("some more alerts are on their way", || counts().alerts >= before + 3);
    broker.kill();
    eventually("the units notice", || counts().connected == 0);
    let down = counts().alerts;
    eventually("alerts are raised meanwhile", || counts().alerts > down);
    broker.restart();
    eventually("all units are back", || counts().connected == UNITS as u64);
    assert!(counts().reconnects() >= UNITS as u64);
    assert!(runtime.block_on(fleet.drain(Duration::from_secs(60))), "left waiting: {:?}", counts());
    let Counts { made, alerts, reads, .. } = counts();

    let books = ["alerts", "reads", "events"].map(|book| department.events(book));
    let ids: Vec<&Value> = books.iter().flatten().map(|event| &event["id"]).collect();
    let distinct: BTreeSet<&str> = ids.iter().map(|id| id.as_str().unwrap()).collect();
    let pictures =
        files(&received).into_iter().filter(|path| path.extension().is_some_and(|end| end == "jpg"));
    assert_eq!(distinct.len(), ids.len(), "nothing is stored twice");
    assert_eq!((distinct.len() + pictures.count()) as u64, made, "nothing is lost");
    assert_eq!((books[0].len() as u64, books[1].len() as u64), (alerts, reads));
    assert_eq!(department.missing_pictures(&books[0]) + department.missing_pictures(&books[1]), 0);
    let purged = department.purged();
    let evidence = books[0].iter().chain(&books[1]).map(|event| event["id"].as_str().unwrap());
    assert!(evidence.into_iter().all(|id| purged.contains(id)), "each purge is certified");
    let longest = books[0].iter().map(|alert| alert.to_string().len()).max().unwrap();
    assert!(longest < 2000, "an alert has {longest} bytes");
    runtime.block_on(fleet.stop());
    eventually("the last unit has said good-bye", || department.presence()["reason"] == "stopped");
}

#[test]
fn what_a_simulated_unit_says_of_its_health_is_judged_with_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Mosquitto::start();
    let department = Department::open(&broker, &folder.path().join("received"));
    let runtime = Runtime::new().unwrap();
    // A unit without the list that it is to have is not what it should be.
    let (name, key) = (ListName::parse("state").unwrap(), SigningKey::generate().verifying_key());
    let list = Some(Follow { list: List { name, keys: vec![key] }, snapshots: false });
    let config = Config { list, ..config(&broker, &department, 3) };
    let fleet = runtime.block_on(async { Fleet::start(config, traffic()) });
    eventually("a unit reports", || department.sees("degraded", &["no-list"]));
    eventually("a unit's service state changes", || {
        let events = department.events("events");
        events.iter().any(|event| event["type"] == "milepost.health-change.v1")
    });
    assert!(runtime.block_on(fleet.drain(Duration::from_secs(60))), "left: {:?}", fleet.gauge().counts());
    runtime.block_on(fleet.stop());
}

/// The broker drops what its access list forbids without a word, so what is allowed follows on the same connection and
/// proves that the other had its chance.
#[test]
fn a_units_certificate_serves_for_its_own_topics_alone() {
    let folder = tempfile::tempdir().unwrap();
    let mut broker = Mosquitto::start();
    broker.excuse("milepost/v1/units/sim-0001/");
    broker.excuse("milepost/v1/units/sim-0002/");
    let department = Department::open(&broker, &folder.path().join("received"));
    let runtime = Runtime::new().unwrap();
    let (one, other) = (broker.client("sim-0001"), broker.client("dispatcher"));
    runtime.block_on(async {
        let commands = |unit: &str| format!("milepost/v1/units/{unit}/commands");
        let filters =
            vec![commands("sim-0002"), "milepost/v1/units/+/commands".to_owned(), commands("sim-0001")];
        let subscriptions = Subscriptions { filters, renew: true };
        let mut intruder = Link::open(&one, "sim-0001", None::<Retained>, &subscriptions).await.unwrap();
        while !matches!(intruder.next().await, LinkEvent::Subscribed) {}
        for unit in ["sim-0002", "sim-0001"] {
            intruder.publish(format!("milepost/v1/units/{unit}/alerts"), alert(unit), false).unwrap();
        }
        let none = Subscriptions { filters: Vec::new(), renew: true };
        let mut dispatcher = Link::open(&other, "dispatcher", None, &none).await.unwrap();
        for unit in ["sim-0002", "sim-0001"] {
            dispatcher.publish(commands(unit), unit.into(), false).unwrap();
        }
        let heard = async {
            loop {
                tokio::select! {
                    event = intruder.next() => if let LinkEvent::Arrived(arrival) = event {
                        return arrival.topic().to_owned();
                    },
                    _ = dispatcher.next() => {}
                }
            }
        };
        let first = tokio::time::timeout(Duration::from_secs(30), heard).await.unwrap();
        assert_eq!(first, commands("sim-0001"), "another's commands came first and were not handed out");
    });
    eventually("its own alert is stored", || !department.events("alerts").is_empty());
    let sources: Vec<Value> =
        department.events("alerts").iter().map(|event| event["source"].clone()).collect();
    assert_eq!(sources, ["milepost/units/sim-0001"]);
}

fn alert(unit: &str) -> Vec<u8> {
    let event = serde_json::json!({
        "specversion": "1.0", "id": milepost::words::RecordId::new(), "source": format!("milepost/units/{unit}"),
        "type": "milepost.alert.v1", "time": Timestamp::now(), "datacontenttype": "application/json",
        "sequence": "0000000000", "historical": false, "data": {"pictures": []}
    });
    event.to_string().into_bytes()
}

/// Killed when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// As somebody would who has never seen it: one command, and the one that it prints.
#[test]
fn a_stranger_needs_what_it_prints_and_nothing_more() {
    let folder = tempfile::tempdir().unwrap();
    let milepost = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_milepost"));
        command.args(arguments).current_dir(folder.path()).stdout(Stdio::piped());
        command
    };
    let words = "simulate --units 5 --with-broker --seconds 8 --speed 50 --from 17:00 --no-faults";
    let mut simulation = Running(milepost(&words.split(' ').collect::<Vec<_>>()).spawn().unwrap());
    let mut lines = BufReader::new(simulation.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let receive = lines.by_ref().find(|line| line.trim().starts_with("milepost receive")).unwrap();
    let words: Vec<&str> = receive.split_whitespace().skip(1).collect();
    let mut receiver = Running(milepost(&words).spawn().unwrap());
    let mut heard = receiver.0.stdout.take().unwrap();
    let listening = std::thread::spawn(move || heard.read_to_end(&mut Vec::new()));
    let last = lines.last().unwrap();
    let ended = simulation.0.wait().unwrap();
    drop(receiver);
    listening.join().unwrap().unwrap();
    assert!(ended.success() && last.contains("waiting=0 ") && !last.contains("reads=0 "), "{last}");
    assert!(folder.path().join("simulation/received").exists());
}
