//! The remote dashboard with 5,000 units: how soon its page is painted, how soon a change is on it, and what it takes
//! of memory. Figures go to `target/bench/summary.json`.
//!
//! The program runs as a process of its own. Birth and report of each unit go through a real mosquitto behind mutual
//! TLS, over one connection that may write for all: the broker's share is measured elsewhere. While the page is
//! looked at, every unit goes on reporting each minute, 83 reports a second. The page is painted by a real Chromium,
//! whose own word counts: its first contentful paint after it was told to go there, cookie and connection being
//! there already. A change is timed from its publishing to the frame of the browser that shows it.

#[path = "../support/browser.rs"]
mod chromium;
#[path = "../support/client.rs"]
#[allow(dead_code, reason = "the console's tests use more of it")]
mod client;
#[path = "../fleet/dashboard.rs"]
mod dashboard;
#[path = "../fleet/stage.rs"]
mod stage;
#[path = "support/summary.rs"]
mod summary;
#[path = "../support/mod.rs"]
mod support;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use chromium::Browser;
use dashboard::Dashboard;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use stage::{Unit, crowd, topic};
use support::Mosquitto;

const UNITS: usize = 5000;
const PAINTS: usize = 9;
const CHANGES: usize = 25;

fn main() {
    let mut broker = Mosquitto::start_quiet();
    let folder = tempfile::tempdir().expect("a folder");
    stage::let_one_write_for_all(&mut broker, folder.path());
    let mut dashboard = Dashboard::start(&broker, folder.path());
    let address = format!("https://{}", dashboard.address);
    let person = &mut dashboard.administrator;
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let voice = Arc::new(Unit::connect(&runtime, &broker, "crowd"));

    let began = Instant::now();
    let birth = stage::birth().to_string();
    for (name, report) in crowd(UNITS, Timestamp::now()) {
        voice.sends_to(topic(&name, "status"), birth.clone().into());
        voice.sends_to(topic(&name, "health"), report.to_string().into());
    }
    // With the connection of the crowd itself, which is no unit and so never reports.
    let all = ["<b>5,001</b>", "1–1 of <b>1</b>"];
    while !all.iter().all(|told| person.get("/?state=silent").text().contains(told)) {
        assert!(began.elapsed() < Duration::from_secs(120), "not all units were heard");
        // Who asks without a pause takes the time that hearing them needs.
        std::thread::sleep(Duration::from_millis(250));
    }
    let heard_s = began.elapsed().as_secs_f64();

    let reporting = Reporting::begin(voice.clone());
    let server = median((0..PAINTS).map(|_| timed(|| drop(person.get("/")))).collect());
    let mut browser = Browser::start();
    browser.wear_session_of(person, &address);
    browser.look_like(1280, "light");
    let paints: Vec<f64> = (0..=PAINTS).map(|_| painted(&mut browser, &address)).skip(1).collect();
    let changes = (0..CHANGES).map(|number| changed(&mut browser, &voice, number)).collect();
    album(&mut browser, &address);
    let resident = resident_mb(dashboard.id());
    drop(reporting);

    let mut figures = Map::new();
    let mut figure =
        |name: &str, value: f64| figures.insert(name.into(), json!((value * 10.0).round() / 10.0));
    figure("fleet_page_units", UNITS as f64);
    figure("fleet_page_ms", median(paints));
    figure("fleet_page_server_ms", server);
    figure("fleet_update_ms", percentile(changes, 0.95));
    figure("fleet_rss_mb", resident);
    figure("fleet_heard_s", heard_s);
    summary::add(figures);
}

/// Every unit reports each minute, until this is dropped.
struct Reporting {
    over: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Reporting {
    fn begin(voice: Arc<Unit>) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let told = over.clone();
        let thread = std::thread::spawn(move || {
            let every = Duration::from_secs(60) / UNITS as u32;
            let mut next = Instant::now();
            while !told.load(Ordering::Relaxed) {
                for (name, report) in crowd(UNITS, Timestamp::now()).filter(|(name, _)| !is_watched(name)) {
                    if told.load(Ordering::Relaxed) {
                        return;
                    }
                    std::thread::sleep(next.saturating_duration_since(Instant::now()));
                    next += every;
                    voice.sends_to(topic(&name, "health"), report.to_string().into());
                }
            }
        });
        Self { over, thread: Some(thread) }
    }
}

impl Drop for Reporting {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        self.thread.take().map(std::thread::JoinHandle::join);
    }
}

/// The unit whose changes are timed reports only those.
const WATCHED: &str = "pole-0001";

fn is_watched(name: &str) -> bool {
    name == WATCHED
}

/// Milliseconds from the order to go there to the first contentful paint.
fn painted(browser: &mut Browser, address: &str) -> f64 {
    browser.ask("Page.navigate", json!({ "url": "about:blank" }));
    browser.wait_for("location.href === 'about:blank'");
    browser.open(&format!("{address}/"));
    let paint = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0";
    browser.wait_for(&format!("({paint}) > 0"));
    browser.evaluate(paint).as_f64().expect("a number")
}

/// Milliseconds from the publishing of a change to the frame that shows it.
fn changed(browser: &mut Browser, voice: &Unit, number: usize) -> f64 {
    let mark = 1_000_000 + number;
    if number == 0 {
        // The watched one is the worst of all, so that it stands on the page.
        publish(voice, 7);
        browser.wait_for(&format!("document.getElementById('unit-{WATCHED}') !== null"));
    }
    let shown = format!("1,000,{number:03}");
    let watch = format!(
        "window.shown = null; (function look() {{
            const row = document.getElementById('unit-{WATCHED}');
            if (row?.textContent.includes('{shown}')) window.shown = Date.now(); else requestAnimationFrame(look);
        }})(); true"
    );
    browser.evaluate(&watch);
    let sent = Timestamp::now().as_microsecond() as f64 / 1000.0;
    publish(voice, mark);
    browser.wait_for("window.shown !== null");
    browser.evaluate("window.shown").as_f64().expect("a time") - sent
}

fn publish(voice: &Unit, waiting: usize) {
    let now = Timestamp::now();
    let report = stage::report(WATCHED, now, |report: &mut Value| {
        report["service"]["state"] = json!("out-of-service");
        report["records"]["waiting"] = json!(waiting);
    });
    voice.sends_to(topic(WATCHED, "health"), report.to_string().into());
}

/// Pictures of the pages are left in `target/tmp/fleet`, to be looked at.
fn album(browser: &mut Browser, address: &str) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fleet");
    std::fs::create_dir_all(&folder).expect("the target folder can be written");
    for (width, scheme) in [(360, "light"), (360, "dark"), (1280, "light"), (1280, "dark")] {
        browser.look_like(width, scheme);
        browser.open(&format!("{address}/"));
        browser.picture(&folder.join(format!("5000-{width}-{scheme}.png")));
    }
}

fn resident_mb(process: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("every process has it");
    let kilobytes: f64 = line.split_whitespace().nth(1).and_then(|text| text.parse().ok()).expect("a number");
    kilobytes * 1024.0 / 1e6
}

fn timed(work: impl FnOnce()) -> f64 {
    let began = Instant::now();
    work();
    began.elapsed().as_secs_f64() * 1000.0
}

fn median(values: Vec<f64>) -> f64 {
    percentile(values, 0.5)
}

fn percentile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * share).round() as usize]
}
