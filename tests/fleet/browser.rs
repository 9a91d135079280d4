//! The pages in a real browser, with a crowd of units on them.

use std::path::PathBuf;

use jiff::Timestamp;
use serde_json::json;

use crate::chromium::Browser;
use crate::stage::{self, OFFICER, Stage, crowd, topic};
use crate::support::{Mosquitto, eventually};

/// Pictures of the pages are left here, to be looked at.
fn album() -> PathBuf {
    let album = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("fleet");
    std::fs::create_dir_all(&album).unwrap();
    album
}

#[test]
fn the_fleet_fits_a_telephone_and_a_desk_and_follows_what_happens() {
    let mut broker = Mosquitto::start();
    let folder = tempfile::tempdir().unwrap();
    stage::let_one_write_for_all(&mut broker, folder.path());
    let stage = Stage::with(broker, 1000);
    stage.people();
    let voice = stage.unit("crowd");
    let says = |change: &dyn Fn(usize, &mut serde_json::Value)| {
        for (number, (name, mut report)) in crowd(300, Timestamp::now()).enumerate() {
            change(number, &mut report);
            voice.sends_to(topic(&name, "health"), report.to_string().into());
        }
    };
    says(&|_, _| {});
    let mut officer = stage.signed_in(OFFICER);
    // The crowd's own connection is the one more.
    eventually("all are heard", || officer.get("/").text().contains("<b>301</b>"));

    let address = format!("https://{}", stage.fleet.address());
    let mut browser = Browser::start();
    browser.wear_session_of(&officer, &address);
    for (width, scheme) in [(360, "light"), (360, "dark"), (1280, "light"), (1280, "dark")] {
        browser.look_like(width, scheme);
        for (name, path) in
            [("units", "/"), ("few", "/?state=out-of-service&q=moved"), ("unit", "/units/pole-0007")]
        {
            browser.open(&format!("{address}{path}"));
            assert_eq!(browser.barriers(), Vec::<String>::new(), "{path} at {width}, {scheme}");
            let overhang = browser.evaluate("document.documentElement.scrollWidth - innerWidth");
            assert!(overhang.as_i64().unwrap() <= 0, "{path} at {width}: {overhang} px too wide");
            browser.picture(&album().join(format!("{name}-{width}-{scheme}.png")));
        }
    }

    browser.open(&format!("{address}/"));
    // By name: the 2nd of the crowd stands on the page. Somebody is on its link by keyboard.
    browser.evaluate("document.getElementById('sort').value = 'name'; document.getElementById('sort').dispatchEvent(new Event('input', {bubbles: true})); true");
    browser.wait_for("document.getElementById('unit-pole-0002') !== null");
    browser.wait_for("location.search === '?sort=name'");
    browser.evaluate("document.querySelector('#unit-pole-0002 a').focus(); true");
    says(&|number, report| {
        if number == 1 {
            report["service"]["state"] = json!("out-of-service");
            report["records"]["waiting"] = json!(4321);
        }
    });
    browser.wait_for("document.querySelector('#unit-pole-0002').textContent.includes('4,321')");
    browser.wait_for("document.querySelector('#unit-pole-0002').className === 'bad'");
    assert_eq!(browser.evaluate("document.activeElement.textContent"), "pole-0002", "the focus stays");
    // What is typed narrows the list as it stands.
    browser.evaluate("const q = document.getElementById('q'); q.focus(); q.value = 'pole-0002'; q.dispatchEvent(new Event('input', {bubbles: true})); true");
    browser.wait_for("document.querySelectorAll('#units tbody tr').length === 1");
    browser.wait_for("document.getElementById('pager-top').textContent.includes('1–1 of 1')");
    assert_eq!(browser.complaints, Vec::<String>::new());
}
