//! How soon the console is there for a person: the first useful page, and an alert on an open one. In a real browser, over
//! real HTTPS, against a unit whose rooms are held in the hand.

#[path = "../support/browser.rs"]
mod chromium;
#[allow(dead_code, reason = "the console's tests use more of it")]
#[path = "../support/client.rs"]
mod client;
#[path = "../console/site.rs"]
mod site;
#[path = "support/summary.rs"]
mod summary;
#[allow(dead_code, reason = "the console's tests use more of it")]
#[path = "../console/twin/mod.rs"]
mod twin;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chromium::Browser;
use serde_json::{Map, Value};
use site::{OFFICER, Site};
use twin::stolen;

const PAGES: usize = 7;
const ALERTS: usize = 20;

/// Notes when the alert's bar has been painted, and when its first tone was started, by the system's clock in milliseconds.
const WATCH: &str = "window.paintedAt = 0; window.soundedAt = 0;
    const now = () => performance.timeOrigin + performance.now();
    const start = OscillatorNode.prototype.start;
    OscillatorNode.prototype.start = function (...when) { soundedAt ||= now(); return start.apply(this, when); };
    new MutationObserver(() => requestAnimationFrame(() => setTimeout(() => { paintedAt ||= now(); })))
        .observe(document.getElementById('news'), { childList: true, attributes: true }); true";

fn main() {
    let site = Site::peopled();
    let address = format!("https://{}/", site.console.address());
    let (pages, answers): (Vec<f64>, Vec<f64>) = (0..PAGES).map(|_| first_page(&site, &address)).unzip();
    let (mut seen, mut heard) = (Vec::new(), Vec::new());
    let mut browser = Browser::start();
    browser.look_like(360, "light");
    browser.wear_session_of(&site.signed_in(OFFICER), &address);
    browser.open(&address);
    browser.evaluate(WATCH);
    browser.click("#sound");
    browser.wait_for("document.getElementById('silent').hidden");
    for number in 0..ALERTS {
        // As the unit does once the alert is stored.
        let raised = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock past 1970");
        site.unit.raise(stolen(&format!("7KLM{number:03}"), 0));
        browser.wait_for("paintedAt > 0 && soundedAt > 0");
        let after = |at: Value| at.as_f64().expect("a time") - raised.as_secs_f64() * 1000.0;
        seen.push(after(browser.evaluate("paintedAt")));
        heard.push(after(browser.evaluate("soundedAt")));
        // The page takes over the overview before it asks for the next alert.
        std::thread::sleep(Duration::from_millis(700));
        browser.evaluate("paintedAt = 0; soundedAt = 0; true");
    }
    let figures = [
        ("console_page_ms", middle(&pages)),
        ("console_page_worst_ms", worst(&pages)),
        ("console_page_answer_ms", middle(&answers)),
        ("console_alert_ms", middle(&seen)),
        ("console_alert_worst_ms", worst(&seen)),
        ("console_sound_ms", middle(&heard)),
        ("console_sound_worst_ms", worst(&heard)),
    ];
    let figures = figures.map(|(name, ms)| (name.to_owned(), Value::from((ms * 10.0).round() / 10.0)));
    summary::add(Map::from_iter(figures));
}

/// From the address typed into a browser that is open and knows nothing of the unit, to the overview's first painted words;
/// and to the last byte of the answer with them.
fn first_page(site: &Site, address: &str) -> (f64, f64) {
    let mut browser = Browser::start();
    browser.look_like(360, "light");
    let painted = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0";
    browser.open("data:text/html,<h1>open</h1>");
    browser.wait_for(&format!("({painted}) > 0"));
    browser.wear_session_of(&site.signed_in(OFFICER), address);
    browser.open(address);
    browser.wait_for(&format!("({painted}) > 0 && document.querySelector('.banner') !== null"));
    let answered = "performance.getEntriesByType('navigation')[0].responseEnd";
    let [painted, answered] = [painted, answered].map(|at| browser.evaluate(at).as_f64().expect("a time"));
    (painted, answered)
}

fn middle(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn worst(values: &[f64]) -> f64 {
    values.iter().copied().fold(0.0, f64::max)
}
