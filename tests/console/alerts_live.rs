//! An alert at the screen: seen and heard by whoever has a page open, in a real browser.

use milepost::hotlist::Level;
use serde_json::json;

use crate::chromium::Browser;
use crate::twin::{amber, stolen};
use crate::{OFFICER, Site};

/// Writes down every tone that the page starts, with its pitch.
const LISTEN: &str = "window.tones = [];
    const start = OscillatorNode.prototype.start;
    OscillatorNode.prototype.start = function (...when) {
        tones.push(this.frequency.value);
        return start.apply(this, when);
    }; true";

#[test]
fn an_alert_is_seen_and_heard_and_the_highest_cannot_be_muted() {
    let site = Site::peopled();
    let address = format!("https://{}", site.console.address());
    let mut browser = Browser::start();
    browser.look_like(360, "dark");
    browser.wear_session_of(&site.signed_in(OFFICER), &address);
    browser.open(&format!("{address}/"));
    browser.evaluate(LISTEN);
    let news = |text: &str| format!("document.getElementById('news').textContent === '{text}'");

    // Browsers let no page sound before a person has touched it: the page says so, and the alert is seen all the same.
    assert_eq!(browser.evaluate("document.getElementById('silent').hidden"), false);
    site.unit.raise(stolen("11SEEN1", 0));
    browser.wait_for(&news("HIGH alert: 11SEEN1, lane 2, going away"));
    assert_eq!(browser.evaluate("tones"), json!([]));

    browser.click("#sound");
    browser.wait_for("document.getElementById('silent').hidden");
    site.unit.raise(stolen("22LOUD2", 0));
    browser.wait_for(&news("HIGH alert: 22LOUD2, lane 2, going away"));
    browser.wait_for("tones.length === 4 && new Set(tones).size === 2");

    // Silenced are the lower levels and no others.
    let low = |plate: &str| {
        let mut view = stolen(plate, 0);
        view.alert.level = Level::Low;
        view
    };
    site.unit.raise(low("33LOW33"));
    browser.wait_for("tones.length === 5");
    browser.click("#mute");
    assert_eq!(browser.evaluate("document.getElementById('mute').checked"), true);
    site.unit.raise(low("44MUTE4"));
    browser.wait_for(&news("LOW alert: 44MUTE4, lane 2, going away"));
    assert_eq!(browser.evaluate("tones.length"), 5, "seen, and not heard");
    site.unit.raise(amber("55AMB55", 0));
    browser.wait_for(&news("CRITICAL alert: 55AMB55, lane 2, going away"));
    browser.wait_for("tones.length === 9");
    site.unit.raise(stolen("66HIGH6", 0));
    browser.wait_for("tones.length === 13");

    // On another page the choice holds, and what was called out is not called out again.
    browser.open(&format!("{address}/alerts"));
    browser.evaluate(LISTEN);
    assert_eq!(browser.evaluate("document.getElementById('mute').checked"), true);
    assert_eq!(browser.evaluate("document.getElementById('news').hidden"), true);
    assert_eq!(browser.complaints, Vec::<String>::new());
}
