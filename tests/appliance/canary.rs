//! The unit's own test plate, through the whole program and a real broker: it comes back, leaves no trace among what
//! is real, and where it is lost the unit names the stage.

use std::path::Path;
use std::sync::{Arc, Mutex};

use milepost::delivery::{Link, LinkEvent, Subscriptions};
use opencv::core::Mat;
use opencv::imgcodecs;
use serde_json::Value;

use crate::program::Appliance;
use crate::site::{Site, UNIT};
use crate::support::{Mosquitto, eventually};

/// A street on which nothing ever passes, as a camera shows it: three pictures that differ by noise alone.
fn street(folder: &Path) {
    std::fs::create_dir(folder).unwrap();
    for picture in 0..3u32 {
        let grey = |x: u32, y: u32| {
            let block = (x / 64 * 7 + y / 48 * 13) % 23;
            let noise =
                (x.wrapping_mul(7919) ^ y.wrapping_mul(104_729) ^ picture).wrapping_mul(0x9e37_79b9) >> 29;
            (60 + 4 * block + noise) as u8
        };
        let grey: Vec<u8> = (0..720).flat_map(|y| (0..1280).map(move |x| grey(x, y))).collect();
        let grey = Mat::new_rows_cols_with_bytes::<u8>(720, 1280, &grey).unwrap();
        let file = folder.join(format!("{picture}.png"));
        assert!(imgcodecs::imwrite_def(file.to_str().unwrap(), &grey).unwrap());
    }
}

/// A unit over an empty street with a test plate each second, as this changes its configuration.
fn unit_with(site: &Site, change: impl Fn(String) -> String) -> Appliance {
    let configuration = site.configuration("street/", "127.0.0.1:0".parse().unwrap());
    let configuration =
        configuration.replace("source = \"street/\"", "source = \"street/\"\npicture_ms = 100");
    let health = "\n[health]\nreport_every_s = 1\ncanary_every_s = 1\ncanary_patience_s = 2\n";
    std::fs::write(site.folder().join("milepost.toml"), change(configuration) + health).unwrap();
    let mut unit = Appliance::start(site.folder());
    unit.tells("READY=1");
    unit
}

fn site() -> Site {
    let site = Site::open();
    street(&site.folder().join("street"));
    site
}

/// Listens as the service manager would meanwhile.
fn waits(unit: &mut Appliance, what: &str, mut done: impl FnMut() -> bool) {
    eventually(what, || {
        unit.tells("WATCHDOG=1");
        done()
    });
}

fn canary(site: &Site) -> Value {
    site.department.health()["cameras"][0]["canary"].clone()
}

fn reported(site: &Site, reason: &str) -> bool {
    let health = site.department.health();
    health["service"]["reasons"]
        .as_array()
        .is_some_and(|reasons| reasons.iter().any(|standing| standing["reason"] == reason))
}

/// Topic and payload.
type Heard = (String, Vec<u8>);

/// Hears everything that units publish, beside the receiver.
struct Listener {
    heard: Arc<Mutex<Vec<Heard>>>,
    _runtime: tokio::runtime::Runtime,
}

impl Listener {
    fn at(broker: &Mosquitto) -> Self {
        let (heard, broker) = (Arc::new(Mutex::new(Vec::new())), broker.client("receiver"));
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let keep = Arc::clone(&heard);
        let (ready, is_ready) = std::sync::mpsc::channel();
        runtime.spawn(async move {
            let filters = vec!["milepost/v1/units/#".to_owned()];
            let subscriptions = Subscriptions { filters, renew: true };
            let mut link = Link::open(&broker, "listener", None, &subscriptions).await.unwrap();
            ready.send(()).unwrap();
            loop {
                match link.next().await {
                    LinkEvent::Arrived(arrival) => {
                        keep.lock().unwrap().push((arrival.topic().to_owned(), arrival.payload().to_vec()));
                        link.accept(&arrival).unwrap();
                    }
                    LinkEvent::Lost(_) => return,
                    _ => {}
                }
            }
        });
        is_ready.recv().unwrap();
        Self { heard, _runtime: runtime }
    }

    fn on(&self, topic: &str) -> Vec<Value> {
        let topic = format!("milepost/v1/units/{UNIT}/{topic}");
        let heard = self.heard.lock().unwrap();
        heard
            .iter()
            .filter(|(at, _)| *at == topic)
            .map(|(_, payload)| serde_json::from_slice(payload).unwrap())
            .collect()
    }
}

#[test]
fn the_test_plate_comes_back_and_leaves_no_trace_among_what_is_real() {
    let mut site = site();
    let listener = Listener::at(&site.broker);
    let mut unit = unit_with(&site, |configuration| configuration);
    waits(&mut unit, "it comes back", || {
        listener.on("canary").len() >= 3 && canary(&site)["returned"].is_string()
    });
    for event in listener.on("canary") {
        assert_eq!(event["type"], "milepost.canary.v1");
        assert_eq!((&event["data"]["unit"], &event["data"]["camera"]), (&UNIT.into(), &"lane-1".into()));
        assert!(event["data"]["confidence"].as_f64().unwrap() > 0.8, "{event}");
        assert!(event["data"].get("text").is_none(), "nobody may take it for a vehicle's");
    }

    // The broker goes, and the unit names what no longer answers; it comes, and all is well again.
    site.broker.kill();
    let lost = "does not acknowledge the record of the unit's own test plate";
    let told = |what: &str| {
        let changes = site.audited("service-state-changed");
        changes.iter().filter(|entry| entry["what"]["reason"].as_str().unwrap().contains(what)).count()
    };
    waits(&mut unit, "the broker's silence is noticed", || told(lost) > 0);
    site.broker.restart();
    waits(&mut unit, "it comes back again", || {
        canary(&site)["losses"] == 0 && !reported(&site, "canary-unacknowledged")
    });

    let health = site.department.health();
    assert_eq!((&health["reads_today"], &health["alerts_today"]), (&0.into(), &0.into()), "{health}");
    assert_eq!(site.department.events("reads"), Vec::<Value>::new());
    assert_eq!(site.department.events("alerts"), Vec::<Value>::new());
    assert!(health["lists"].as_array().unwrap().iter().all(|list| list["list"] != "canary"), "{health}");
    let events = site.department.events("events");
    assert!(events.iter().all(|event| !event.to_string().contains("canary.v1")), "the receiver stores none");
    assert!(
        events.iter().all(|event| event["type"] != "milepost.purge-certificate.v1"),
        "nothing real was purged"
    );
    assert!(site.audited("alert-raised").is_empty() && site.audited("alert-suppressed").is_empty());
    let sequence: Vec<u64> =
        events.iter().map(|event| event["sequence"].as_str().unwrap().parse().unwrap()).collect();
    assert!(sequence.windows(2).all(|pair| pair[1] <= pair[0] + 1), "canaries leave no gap: {sequence:?}");
    let (status, _, told) = unit.terminate();
    assert!(status.success(), "{told}");
    assert!(!told.contains("ERROR"), "{told}");
}

#[test]
fn a_lost_test_plate_is_reported_with_the_stage_that_lost_it() {
    let site = site();
    let stranger = milepost::crypto::SigningKey::generate().verifying_key().to_string();
    let ours = site.department.key.to_string();
    let add = |section: &'static str, line: &'static str| {
        move |configuration: String| match configuration.contains(section) {
            true => configuration.replace(section, &format!("{section}\n{line}")),
            false => format!("{configuration}\n{section}\n{line}\n"),
        }
    };
    let mut blind = unit_with(&site, add("[vision]", "found_floor = 1.0"));
    waits(&mut blind, "vision finds nothing", || reported(&site, "canary-unseen"));
    blind.terminate();
    let mut dull = unit_with(&site, add("[passage]", "sure = 1.0\nread_floor = 1.0"));
    waits(&mut dull, "no passage comes of it", || reported(&site, "canary-unfollowed"));
    dull.terminate();
    let mut deaf = unit_with(&site, add("[alert]", "full_from = 1.0\npossible_from = 1.0"));
    waits(&mut deaf, "nothing is likely enough", || reported(&site, "canary-unmatched"));
    deaf.terminate();
    let mut alone = unit_with(&site, |configuration| configuration.replace(&ours, &stranger));
    waits(&mut alone, "no receiver that counts confirms it", || reported(&site, "canary-unreceipted"));
    alone.terminate();
}
