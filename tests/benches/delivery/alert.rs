//! How long the alert for a listed car takes, from the camera to a subscriber at the broker.
//!
//! A whole unit with its defaults looks at an RTSP camera of 1080p15, before which real photographs of listed cars
//! drive up. They are in view for 1.3, 0.7 and 0.3 seconds: as long as a car at 26, 48 and 113 km/h takes for
//! the 9.4 m in which its plate is large enough to be read. The last picture of a car shows it whole and near.
//!
//! - *Latency* is the time from the moment at which the camera sends the last picture with the car, before the network
//!   and the decoder, to the arrival of the car's first alert. Most cars are read surely while they are in view, and
//!   their alerts arrive before they have left: these count as 0, and their share is told.
//! - *First sight* is the time from the first picture with the car, far away, to the same arrival.
//! - *Decided* is the time from the picture that decided the alert, by the unit's clock, to its arrival.
//!
//! A car without an alert before the same car comes again is told as missed; it is a matter of reading.
//! `recall_ms` and `repeat_after_s` are shorter than by default, because the same six cars come again and again.

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use milepost::config;
use milepost::crypto::{SigningKey, UnitKey};
use milepost::delivery::{Broker, Link, LinkEvent, Subscriptions};
use milepost::unit::Unit;
use serde_json::{Map, Value, json};

use crate::camera::Camera;
use crate::department::Department;
use crate::support::Mosquitto;
use crate::{datasets, road};

const FPS: u32 = 15;
/// In turn, a speed for a round of all cars.
const IN_VIEW_S: [f32; 3] = [1.3, 0.7, 0.3];
const GAP_S: f32 = 1.0;
const PASSAGES: usize = 108;
/// The unit connects and takes its list before the first car comes, and has its time after the last.
const SETTLING_S: f32 = 6.0;

pub fn measure() -> Map<String, Value> {
    let datasets = datasets::folder();
    let passes = passes();
    let seconds = (passes.last().expect("cars pass").end + SETTLING_S).ceil() as u32;
    let film = road::film(&datasets, "passing", seconds, FPS, passes.clone());
    let camera = Camera::over(&film, FPS);
    let folder = tempfile::tempdir_in("target").expect("the target folder can be written");
    let department = Department::open(&folder.path().join("department"));
    let plates = road::plates(&datasets);
    let list_key = publish(folder.path(), &department.broker, &plates);
    let runtime = tokio::runtime::Runtime::new().expect("threads can be started");
    let arrivals = runtime.block_on(listen(&department.broker.client("receiver")));
    let unit = {
        let _within = runtime.enter();
        let text = configuration(folder.path(), &department, &list_key, camera.port);
        let config = config::parse(&text, Path::new("bench.toml")).expect("it is a configuration");
        Unit::start(config, &UnitKey::generate()).expect("the unit starts")
    };
    let pictures = (seconds * FPS) as usize;
    while camera.taken().len() < pictures {
        std::thread::sleep(Duration::from_millis(100));
    }
    runtime.block_on(unit.stop());
    let arrivals = arrivals.lock().expect("nothing fails while it is held");
    figures(&passages(&passes, &camera.taken(), &plates, &arrivals))
}

fn passes() -> Vec<road::Pass> {
    let mut at = SETTLING_S;
    let pass = |number: usize| {
        let start = at;
        let end = start + IN_VIEW_S[number / road::CARS % IN_VIEW_S.len()];
        at = end + GAP_S;
        start..end
    };
    (0..PASSAGES).map(pass).collect()
}

/// One car's way through the view, and its alert if there was one.
struct Passage {
    first: Instant,
    last: Instant,
    alert: Option<Arrival>,
}

#[derive(Clone)]
struct Arrival {
    at: Instant,
    wall: Timestamp,
    plate: String,
    /// When the picture that decided it was taken.
    seen: Timestamp,
}

fn passages(
    passes: &[road::Pass],
    taken: &[Instant],
    plates: &[String],
    arrivals: &[Arrival],
) -> Vec<Passage> {
    let pictures = |pass: &road::Pass| {
        let pictures = (0..taken.len()).filter(|number| pass.contains(&(*number as f32 / FPS as f32)));
        let pictures: Vec<usize> = pictures.collect();
        (taken[pictures[0]], taken[pictures[pictures.len() - 1]])
    };
    let passage = |(number, pass)| {
        let (first, last) = pictures(pass);
        let again = passes.get(number + road::CARS).map(|pass| pictures(pass).0);
        let is_its = |arrival: &&Arrival| {
            arrival.plate == plates[number % road::CARS]
                && arrival.at >= first
                && again.is_none_or(|again| arrival.at < again)
        };
        Passage { first, last, alert: arrivals.iter().find(is_its).cloned() }
    };
    passes.iter().enumerate().map(passage).collect()
}

fn figures(passages: &[Passage]) -> Map<String, Value> {
    let of_alerts = |value: fn(&Passage, &Arrival) -> f64| -> Vec<f64> {
        let mut values: Vec<f64> =
            passages.iter().filter_map(|passage| Some(value(passage, passage.alert.as_ref()?))).collect();
        values.sort_by(f64::total_cmp);
        values
    };
    let latency = of_alerts(|passage, alert| ms_since(alert.at, passage.last));
    let first_sight = of_alerts(|passage, alert| ms_since(alert.at, passage.first));
    let decided = of_alerts(|_, alert| alert.wall.duration_since(alert.seen).as_secs_f64() * 1000.0);
    let in_view = latency.iter().filter(|latency| **latency <= 0.0).count();
    let latency: Vec<f64> = latency.into_iter().map(|latency| latency.max(0.0)).collect();
    let figures = json!({
        "alert_passages": passages.len(),
        "alert_missed": passages.len() - latency.len(),
        "alert_latency_p99_ms": quantile(&latency, 0.99),
        "alert_latency_median_ms": quantile(&latency, 0.5),
        "alert_in_view_share": (in_view as f64 / latency.len() as f64 * 100.0).round() / 100.0,
        "alert_first_sight_ms_median": quantile(&first_sight, 0.5),
        "alert_decided_ms_median": quantile(&decided, 0.5),
        "alert_decided_p99_ms": quantile(&decided, 0.99),
    });
    figures.as_object().expect("it was just made").clone()
}

/// Negative where `at` came before `since`.
fn ms_since(at: Instant, since: Instant) -> f64 {
    let (late, early) = (at.saturating_duration_since(since), since.saturating_duration_since(at));
    (late.as_secs_f64() - early.as_secs_f64()) * 1000.0
}

/// By nearest rank, in whole milliseconds.
fn quantile(sorted: &[f64], share: f64) -> i64 {
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted[rank.max(1) - 1].round() as i64
}

/// Hears the alerts of all units.
async fn listen(broker: &Broker) -> Arc<Mutex<Vec<Arrival>>> {
    let subscriptions = Subscriptions { filters: vec!["milepost/v1/units/+/alerts".to_owned()], renew: true };
    let link = Link::open(broker, "listener", None, &subscriptions).await;
    let mut link = link.expect("the broker lets a receiver listen");
    let heard = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&heard);
    tokio::spawn(async move {
        loop {
            match link.next().await {
                LinkEvent::Arrived(arrival) => {
                    let (at, wall) = (Instant::now(), Timestamp::now());
                    let event: Value = serde_json::from_slice(arrival.payload()).expect("an alert is JSON");
                    let word = |value: &Value| value.as_str().expect("an alert has it").to_owned();
                    let plate = word(&event["data"]["matched"]["entry"]["plate"]);
                    let seen = word(&event["data"]["seen"]).parse().expect("it is a time");
                    keep.lock().expect("nothing fails while it is held").push(Arrival {
                        at,
                        wall,
                        plate,
                        seen,
                    });
                    link.accept(&arrival).expect("the broker is there");
                }
                LinkEvent::Lost(_) => return,
                _ => {}
            }
        }
    });
    heard
}

/// By the department's commands; gives the key that signed the list.
fn publish(folder: &Path, broker: &Mosquitto, plates: &[String]) -> String {
    let key = SigningKey::generate();
    key.save(&folder.join("lists.key")).expect("the bench folder can be written");
    let rows: String = plates.iter().map(|plate| format!("{plate},stolen\n")).collect();
    std::fs::write(folder.join("export.csv"), format!("plate,category\n{rows}"))
        .expect("the bench folder can be written");
    let publisher = broker.client("publisher");
    for words in [
        "import export.csv --out list.jsonl --authority Bench".to_owned(),
        "sign list.jsonl --list bench --key lists.key --out edition".to_owned(),
        format!(
            "publish edition --broker localhost:{} --ca {} --cert {} --key {}",
            publisher.port,
            publisher.authority.display(),
            publisher.certificate.display(),
            publisher.key.display()
        ),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_milepost"));
        let output = command.arg("hotlist").args(words.split(' ')).current_dir(folder).output();
        let output = output.expect("milepost runs");
        assert!(output.status.success(), "{words}: {}", String::from_utf8_lossy(&output.stderr));
    }
    key.verifying_key().to_string()
}

fn configuration(folder: &Path, department: &Department, list_key: &str, camera: i32) -> String {
    let broker = department.broker.client("unit-3");
    format!(
        r#"[unit]
id = "unit-3"
state_dir = "{state}"

[[camera]]
name = "lane-1"
source = "rtsp://127.0.0.1:{camera}/live"

[passage]
recall_ms = 3000

[[hotlist.lists]]
name = "bench"
keys = ["{list_key}"]

[alert]
repeat_after_s = 3

[delivery]
receivers = ["{receipts}"]

[delivery.broker]
port = {port}
authority = "{authority}"
certificate = "{certificate}"
key = "{key}"

[console]
listen = "127.0.0.1:0"
"#,
        state = folder.join("unit-3").display(),
        receipts = department.key,
        port = broker.port,
        authority = broker.authority.display(),
        certificate = broker.certificate.display(),
        key = broker.key.display(),
    )
}
