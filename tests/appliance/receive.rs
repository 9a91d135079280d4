//! The receiver at work, and a records officer beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use milepost::crypto::SigningKey;
use milepost::delivery::{self, Delivery, Event, Kind, Link, LinkEvent, MemoryShelf, Parcel, Subscriptions};
use milepost::receive::{self, Keep, Ledger, NewsKind, Receiver, expire};
use milepost::system::{Clock, ManualClock, SystemClock};
use milepost::words::{RecordId, UnitId};
use serde_json::Value;

use crate::program::{milepost, milepost_ok, said};
use crate::support::{Mosquitto, eventually, files, sample};

fn unit() -> UnitId {
    UnitId::parse("north-7").unwrap()
}

fn receiver(
    broker: &Mosquitto,
    folder: &Path,
    key: SigningKey,
) -> (Receiver, tokio::sync::mpsc::Receiver<receive::News>) {
    Receiver::start(broker.receiver(folder, key), Arc::new(SystemClock::new())).unwrap()
}

/// How often each record is in the vault, or named as expired.
fn accounted(folder: &Path) -> BTreeMap<RecordId, u32> {
    let mut found = BTreeMap::new();
    for path in files(folder).into_iter().filter(|path| !path.starts_with(folder.join("ledger"))) {
        let name = path.file_name().unwrap().to_str().unwrap();
        if let Some(id) = name.strip_suffix(".jpg") {
            *found.entry(id.parse().unwrap()).or_default() += 1;
        } else {
            // Without the line that the receiver is about to write.
            let text = std::fs::read_to_string(&path).unwrap();
            for line in text.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
                let line: Value = serde_json::from_str(line).unwrap();
                let id = if name == "expired.jsonl" { &line["id"] } else { &line["event"]["id"] };
                *found.entry(id.as_str().unwrap().parse().unwrap()).or_default() += 1;
            }
        }
    }
    found
}

#[test]
fn expiry_holds_and_exports_lose_nothing_of_what_a_receiver_stores_meanwhile() {
    let broker = Mosquitto::start();
    let (folder, key) = (tempfile::tempdir().unwrap(), SigningKey::generate());
    let vault = folder.path().join("received");
    let trusted = vec![key.verifying_key()];
    let (running, _news) = receiver(&broker, &vault, key);
    let shelf = Arc::new(MemoryShelf::new());
    let config = delivery::Config {
        broker: broker.client("north-7"),
        receivers: trusted,
        batch_wait_ms: 10,
        // What came before the receiver had subscribed reached nobody.
        receipt_timeout_s: 2.try_into().unwrap(),
        ..delivery::Config::default()
    };
    let clock = Arc::new(SystemClock::new());
    let (delivery, _inbound) = Delivery::start(config, unit(), Vec::new(), shelf.clone(), clock).unwrap();
    let mut all = BTreeSet::new();
    // By this clock everything was received more than a day ago.
    let later: Arc<dyn Clock> = Arc::new(ManualClock::at(Timestamp::now() + SignedDuration::from_hours(72)));
    let ledger = Ledger::open(&vault).unwrap();
    let keep: Keep = "1".parse().unwrap();
    let mut expired = 0;
    for round in 0..12 {
        for n in 0..40 {
            let now = Timestamp::now();
            all.insert(match n % 4 {
                0 => shelf.put(Kind::ReadPicture, now, sample::jpeg(30_000 + round)),
                _ => shelf.put(Kind::Read, now, sample::body(Kind::Read)),
            });
        }
        let amount = expire(&ledger, &later, keep, None).unwrap();
        expired += amount.events + amount.pictures;
    }
    eventually("everything is receipted, while expiry is at work", || {
        let amount = expire(&ledger, &later, keep, None).unwrap();
        expired += amount.events + amount.pictures;
        shelf.is_empty()
    });
    running.stop();
    delivery.stop();
    let found = accounted(&vault);
    assert_eq!(found.keys().copied().collect::<BTreeSet<_>>(), all);
    let doubled: Vec<_> = found.iter().filter(|(_, times)| **times > 1).collect();
    assert!(doubled.is_empty(), "{doubled:?}");
    assert!(expired > 0, "expiry was at work meanwhile");
}

#[test]
fn a_records_officer_finds_the_way_and_mistakes_get_sentences() {
    let broker = Mosquitto::start();
    let (folder, key) = (tempfile::tempdir().unwrap(), SigningKey::generate());
    let (running, _news) = receiver(&broker, &folder.path().join("received"), key);
    let help = milepost_ok(&["receive", "--help"], folder.path());
    for command in ["preserve", "holds", "release", "expire", "export", "answer"] {
        assert!(help.contains(&format!("  {command} ")), "{help}");
    }
    let who = ["--by", "Ann Lee", "--why", "court order 12"];
    let preserve = |what: &[&str]| {
        milepost(&[&["receive", "preserve", "--case", "2026-114"][..], &who, what].concat(), folder.path())
    };
    let held = said(&preserve(&["--plate", "abc 123", "--from", "2026-03-01"]));
    assert!(held.starts_with("Preserved for 2026-114: 0 records and 0 pictures"), "{held}");
    let hold = held.lines().find_map(|line| line.strip_prefix("Hold ")).unwrap().to_owned();
    let listed = milepost_ok(&["receive", "holds"], folder.path());
    assert!(listed.contains(&hold) && listed.contains("by Ann Lee: court order 12"), "{listed}");
    for (what, complaint) in [
        (&[][..], "give a record, a plate, a unit or a time span"),
        (&["--plate", "ABC!"], "'!' cannot stand on a plate"),
        (&["--from", "yesterday"], "write a date as 2026-03-01"),
        (&["--from", "2026-03-02", "--until", "2026-03-01"], "ends before it begins"),
    ] {
        let output = preserve(what);
        assert!(!output.status.success() && said(&output).contains(complaint), "{}", said(&output));
    }
    let release = [&["receive", "release", &hold][..], &who].concat();
    assert!(milepost_ok(&release, folder.path()).starts_with("Released"));
    assert!(said(&milepost(&release, folder.path())).contains("there is no hold"));
    let export = ["receive", "export", "--to", "out", "--recipient", "Repository"];
    let nothing = milepost(&[&export[..], &who].concat(), folder.path());
    assert!(said(&nothing).contains("nothing was exported"), "{}", said(&nothing));
    let elsewhere = milepost(&["receive", "holds", "--folder", "elsewhere"], folder.path());
    assert!(said(&elsewhere).contains("elsewhere holds no received records"), "{}", said(&elsewhere));
    running.stop();
}

#[test]
fn a_gap_in_a_units_counter_is_told() {
    let broker = Mosquitto::start();
    let folder = tempfile::tempdir().unwrap();
    let (running, mut news) = receiver(&broker, &folder.path().join("received"), SigningKey::generate());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let connected = |kind: &NewsKind| matches!(kind, NewsKind::Connected);
    let mut hears = |wanted: &dyn Fn(&NewsKind) -> bool| {
        let hear = async { while !wanted(&news.recv().await.expect("the receiver runs").kind) {} };
        runtime
            .block_on(async { tokio::time::timeout(Duration::from_secs(30), hear).await })
            .expect("in time");
    };
    hears(&connected);
    let client = broker.client("north-7");
    let subscriptions = Subscriptions { filters: Vec::new(), renew: false };
    let mut link = runtime.block_on(Link::open(&client, "north-7", None, &subscriptions)).unwrap();
    let mut send = |topic: &str, payload: Vec<u8>| {
        link.publish(format!("milepost/v1/units/north-7/{topic}"), payload, false).unwrap();
        runtime.block_on(async { while !matches!(link.next().await, LinkEvent::Acknowledged(_)) {} });
    };
    send("status", br#"{"state":"online","session":7,"at":"2026-03-01T12:00:00Z","version":"1"}"#.to_vec());
    for sequence in [0, 1, 4] {
        let captured = Timestamp::now();
        let parcel = Parcel {
            id: RecordId::new(),
            kind: Kind::Alert,
            captured,
            clock_trusted: true,
            body: sample::body(Kind::Alert),
        };
        send("alerts", Event::wrap(&unit(), parcel, sequence, false).unwrap().to_json());
    }
    hears(&|kind| matches!(kind, NewsKind::Gap(missing) if *missing == (2..=3)));
    running.stop();
}

/// Also where the broker sends all of it without waiting for an acknowledgement.
#[test]
fn a_receiver_that_was_away_takes_what_queued_over_one_connection() {
    const QUEUED: usize = 12_000;
    for window in ["", "max_inflight_messages 0\n"] {
        let mut broker = Mosquitto::unheard();
        broker.reconfigure(window.to_owned());
        let folder = tempfile::tempdir().unwrap();
        let vault = folder.path().join("received");
        let (running, _news) = receiver(&broker, &vault, SigningKey::generate());
        let subscribed = || broker.log().matches("Sending SUBACK to receiver").count();
        eventually("the receiver has subscribed", || subscribed() >= receive::filters().len());
        running.stop();

        queue(&broker, QUEUED);
        let (running, mut news) = receiver(&broker, &vault, SigningKey::generate());
        let listening = std::thread::spawn(move || {
            let told = std::iter::from_fn(|| news.blocking_recv().map(|news| news.kind));
            let of_link = |kind: &NewsKind| matches!(kind, NewsKind::Connected | NewsKind::Fault(_));
            told.filter(of_link).collect::<Vec<_>>()
        });
        eventually("everything is stored", || accounted(&vault).len() == QUEUED);
        running.stop();
        let of_link = listening.join().unwrap();
        assert!(matches!(of_link[..], [NewsKind::Connected]), "{window:?}: {of_link:?}");
        assert!(accounted(&vault).values().all(|times| *times == 1), "nothing is stored twice");
    }
}

/// So many messages of a unit, each acknowledged by the broker.
fn queue(broker: &Mosquitto, messages: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let nothing = Subscriptions { filters: Vec::new(), renew: false };
        let mut link = Link::open(&broker.client("north-7"), "north-7", None, &nothing).await.unwrap();
        let (mut sent, mut acknowledged) = (0, 0);
        while acknowledged < messages {
            while sent < messages && sent - acknowledged < 60 {
                let captured = Timestamp::now();
                let body = sample::body(Kind::PurgeCertificate);
                let parcel = Parcel {
                    id: RecordId::new(),
                    kind: Kind::PurgeCertificate,
                    captured,
                    clock_trusted: true,
                    body,
                };
                let event = Event::wrap(&unit(), parcel, sent as u64, false).unwrap();
                link.publish("milepost/v1/units/north-7/events".to_owned(), event.to_json(), false).unwrap();
                sent += 1;
            }
            match link.next().await {
                LinkEvent::Acknowledged(_) => acknowledged += 1,
                LinkEvent::Lost(fault) => panic!("{fault}"),
                _ => {}
            }
        }
    });
}
