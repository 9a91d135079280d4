//! What lies in the receiver's files at the end: whether it is all, once, and how large a piece is.

use std::collections::HashSet;
use std::time::Duration;

use milepost::delivery::{Link, LinkEvent, Subscriptions};
use serde_json::{Value, json};

use crate::department::Department;
use crate::support::files;

/// A crop of a plate is smaller, a scene larger.
const CROP_MOST: u64 = 40_000;

pub fn of(department: &Department, made: u64) -> Value {
    let mut ids: HashSet<String> = HashSet::new();
    let mut stored = 0;
    let (mut reads, mut alerts, mut certified) = (Mean::default(), Mean::default(), Mean::default());
    let (mut crops, mut scenes) = (Mean::default(), Mean::default());
    for path in files(department.receiver.folder()) {
        if path.extension().is_some_and(|end| end == "jpg") {
            let bytes = path.metadata().expect("it is there").len();
            if bytes < CROP_MOST {
                crops.add(bytes)
            } else {
                scenes.add(bytes)
            }
            stored += 1;
            ids.insert(path.file_stem().expect("it has a name").to_string_lossy().into_owned());
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        for event in lines.map(|mut line| line["event"].take()).filter(|event| event["id"].is_string()) {
            let bytes = event.to_string().len() as u64;
            match event["type"].as_str() {
                Some("milepost.read.v1") => reads.add(bytes),
                Some("milepost.alert.v1") => alerts.add(bytes),
                Some("milepost.purge-certificate.v1") => {
                    let records = event["data"]["records"].as_array().map_or(1, Vec::len) as u64;
                    certified.sum += bytes;
                    certified.count += records;
                }
                _ => {}
            }
            stored += 1;
            ids.insert(event["id"].as_str().expect("it is a text").to_owned());
        }
    }
    let distinct = ids.len() as u64;
    // A read and its crop are purged, and certified, each.
    let read = reads.value() + crops.value() + 2.0 * certified.value();
    let alert = alerts.value() + crops.value() + scenes.value() + 3.0 * certified.value();
    json!({
        "fleet_lost": made.saturating_sub(distinct),
        "fleet_doubled": stored - distinct,
        "fleet_records": made,
        "fleet_read_bytes": read.round(),
        "fleet_alert_bytes": alert.round(),
        "fleet_health_bytes": health_bytes(department),
    })
}

#[derive(Default)]
struct Mean {
    sum: u64,
    count: u64,
}

impl Mean {
    fn add(&mut self, bytes: u64) {
        self.sum += bytes;
        self.count += 1;
    }

    fn value(&self) -> f64 {
        self.sum as f64 / self.count.max(1) as f64
    }
}

/// Of the report that the broker retains of the first unit.
fn health_bytes(department: &Department) -> usize {
    let runtime = tokio::runtime::Handle::current();
    let filters = vec!["milepost/v1/units/sim-0001/health".to_owned()];
    let heard = async {
        let subscriptions = Subscriptions { filters, renew: true };
        let client = department.broker.client("dashboard");
        let mut link = Link::open(&client, "dashboard", None, &subscriptions).await.ok()?;
        loop {
            match link.next().await {
                LinkEvent::Arrived(arrival) => return Some(arrival.payload().len()),
                LinkEvent::Lost(_) => return None,
                _ => {}
            }
        }
    };
    let heard = runtime.block_on(async { tokio::time::timeout(Duration::from_secs(10), heard).await });
    heard.ok().flatten().expect("the broker retains a report of each unit")
}
