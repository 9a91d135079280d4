//! Network and time at the console: what is shown, what is asked of the unit, and who keeps it.

use std::sync::atomic::Ordering;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use milepost::system::Clock;
use serde_json::{Value, json};

use crate::browser::album;
use crate::chromium::Browser;
use crate::twin::{NOW, lock};
use crate::{Site, TECHNICIAN};

#[test]
fn a_technician_sees_what_the_interfaces_have_and_changes_one_on_trial() {
    let site = Site::peopled();
    let mut technician = site.signed_in(TECHNICIAN);
    let page = technician.get("/network").text();
    for shown in [
        "192.168.200.1/24",
        "10.20.0.47/16</code> by DHCP",
        ">Console<",
        ">Broker<",
        "NetworkManager looks after it",
        "off by 14 ms at most",
        "time.county.example 10.20.0.1; asked now: 10.20.0.1",
    ] {
        assert!(page.contains(shown), "{shown} is not on {page}");
    }
    assert_eq!(page.matches("action=\"/network/interface\"").count(), 2, "none for what others look after");

    let fields = |address| {
        [("interface", "eth1"), ("addressing", "static"), ("address", address), ("gateway", "10.20.0.1")]
    };
    let wrong = technician.post("/network/interface", &fields("10.20.0.300/16"));
    assert!(wrong.status == 422 && wrong.text().contains("192.168.1.20/24"), "{}", wrong.text());
    assert_eq!(technician.post("/network/interface", &fields("10.20.0.48/16")).status, 303);
    let page = technician.get("/network").text();
    assert!(page.contains("On trial until") && page.contains("eth1: 10.20.0.48/16, gateway 10.20.0.1"));
    assert!(!page.contains("action=\"/network/interface\""), "one change at a time");
    assert!(technician.get("/").text().contains("The network is on trial"));
    assert_eq!(technician.post("/network/decision", &[("decision", "keep")]).status, 303);
    assert!(!technician.get("/").text().contains("The network is on trial"));
    let done = lock(&site.unit.work).clone();
    assert_eq!(
        done,
        [
            format!("{TECHNICIAN}: tries eth1: 10.20.0.48/16, gateway 10.20.0.1"),
            format!("{TECHNICIAN}: keeps true")
        ]
    );
}

#[test]
fn a_tool_changes_network_and_time_as_a_person_does() {
    let site = Site::peopled();
    let mut tool = site.signed_in(TECHNICIAN);
    let network: Value = serde_json::from_slice(&tool.call("GET", "/api/v1/network", "").body).unwrap();
    assert_eq!(
        network["interfaces"][1]["addresses"][0],
        json!({"address": "10.20.0.47/16", "by_dhcp": true})
    );
    assert_eq!((&network["interfaces"][0]["console"], &network["trial"]), (&json!(true), &Value::Null));

    let mut ask = |path: &str, body: Value| {
        let answer = tool.call("POST", &format!("/api/v1/network/{path}"), &body.to_string());
        (answer.status, answer.text())
    };
    assert_eq!(ask("interface", json!({"interface": "eth0", "addressing": "dhcp"})).0, 204);
    assert_eq!(ask("decision", json!({"decision": "leave"})).0, 204);
    assert_eq!(ask("decision", json!({"decision": "leave"})).0, 422, "nothing is on trial any more");
    assert_eq!(ask("time-servers", json!({"servers": "time.example.org, 192.0.2.1"})).0, 204);
    let (status, why) = ask("time-servers", json!({"servers": "time.example.org NTP=evil"}));
    assert!(status == 422 && why.contains("neither an address nor the name of a host"), "{why}");
    let (status, why) = ask("interface", json!({"interface": "../eth0", "addressing": "dhcp"}));
    assert!(status == 422 && why.contains("not the name of an interface"), "{why}");
    assert!(lock(&site.unit.work).last().unwrap().ends_with("time servers: time.example.org 192.0.2.1"));
}

/// As a field for date and time sends it.
fn typed(at: Timestamp) -> String {
    at.to_zoned_datetime(TimeZone::system()).strftime("%Y-%m-%dT%H:%M:%S").to_string()
}

/// What the browser carries from one page to the next.
fn hidden(page: &str, name: &str) -> String {
    let field = page.split(&format!("name=\"{name}\" value=\"")).nth(1);
    field.unwrap_or_else(|| panic!("{name} is not on {page}")).split('"').next().unwrap().to_owned()
}

#[test]
fn a_technician_sets_a_clock_that_nobody_keeps_and_sees_first_what_follows() {
    let site = Site::peopled();
    let mut technician = site.signed_in(TECHNICIAN);
    let page = technician.get("/network").text();
    assert!(page.contains("A time server keeps this unit") && !page.contains("/network/clock"), "{page}");
    let kept = technician.post("/network/clock", &[("at", &typed(NOW))]);
    assert!(kept.status == 422 && kept.text().contains("A time server keeps"));

    site.unit.clock_free.store(true, Ordering::Relaxed);
    let page = technician.get("/network").text();
    assert!(page.contains("Not synchronised") && page.contains("type=\"datetime-local\""), "{page}");
    let wrong = technician.post("/network/clock", &[("at", "noon")]);
    assert!(wrong.status == 422 && wrong.text().contains("14:05:30"), "{}", wrong.text());

    let back = NOW - SignedDuration::from_hours(3);
    let page = technician.post("/network/clock", &[("at", &typed(back))]).text();
    for shown in ["The clock goes back by 3\u{a0}h 0\u{a0}min", "The hot list state is stale by it.", "twice"]
    {
        assert!(page.contains(shown), "{shown} is not on {page}");
    }
    assert!(!page.contains("name=\"sure\"") && lock(&site.unit.work).is_empty(), "nothing is done yet");
    let ahead = hidden(&page, "ahead_ms");
    // The minute that passed since is not lost.
    assert_eq!(technician.post("/network/clock/decision", &[("ahead_ms", &ahead)]).status, 303);
    let due = site.clock.now().wall - SignedDuration::from_hours(3);
    assert_eq!(*lock(&site.unit.work), [format!("{TECHNICIAN}: sets the clock to {due}")]);

    let far = (NOW + SignedDuration::from_hours(9000)).as_millisecond().to_string();
    let page = technician.post("/network/clock", &[("at", ""), ("device_ms", &far)]).text();
    assert!(page.contains("certificate ended on") && page.contains("name=\"sure\" required"), "{page}");
    let ahead = hidden(&page, "ahead_ms");
    let unsure = technician.post("/network/clock/decision", &[("ahead_ms", &ahead)]);
    assert!(unsure.status == 422 && unsure.text().contains("certificate ended on"));
    let sure = technician.post("/network/clock/decision", &[("ahead_ms", &ahead), ("sure", "on")]);
    assert_eq!((sure.status, lock(&site.unit.work).len()), (303, 2));
    let beyond = technician.post("/network/clock/decision", &[("ahead_ms", &i64::MAX.to_string())]);
    assert!(beyond.status == 422 && beyond.text().contains("calendars"));
}

#[test]
fn a_tool_sets_a_clock_that_nobody_keeps() {
    let site = Site::peopled();
    site.unit.clock_free.store(true, Ordering::Relaxed);
    let mut tool = site.signed_in(TECHNICIAN);
    let far = NOW + SignedDuration::from_hours(9000);
    let looked = tool.call("POST", "/api/v1/network/clock", &json!({"to": far}).to_string());
    let looked: Value = serde_json::from_slice(&looked.body).unwrap();
    assert_eq!((&looked["from"], &looked["to"]), (&json!(NOW), &json!(far)));
    assert!(looked["doubts"][0].as_str().unwrap().contains("certificate"), "{looked}");
    let mut set = |body: Value| tool.call("POST", "/api/v1/network/clock/decision", &body.to_string()).status;
    assert_eq!(set(json!({"to": far})), 422);
    assert_eq!(set(json!({"to": "noon", "sure": true})), 422);
    assert_eq!(set(json!({"to": far, "sure": true, "by": "me"})), 422);
    assert_eq!(set(json!({"to": far, "sure": true})), 204);
    assert_eq!(*lock(&site.unit.work), [format!("{TECHNICIAN}: sets the clock to {far}")]);
}

#[test]
fn a_browser_sets_the_clock_to_its_devices_time() {
    let site = Site::peopled();
    site.unit.clock_free.store(true, Ordering::Relaxed);
    let address = format!("https://{}", site.console.address());
    let mut browser = Browser::start();
    browser.look_like(360, "light");
    browser.wear_session_of(&site.signed_in(TECHNICIAN), &address);
    browser.open(&format!("{address}/network"));
    browser.wait_for("document.getElementById('device-clock').textContent.includes('the unit is')");
    browser.click("section[aria-labelledby=time] details:last-of-type summary");
    assert_eq!(browser.barriers(), Vec::<String>::new());
    browser.picture(&album().join("network-clock-360-light.png"));
    browser.click("form[action='/network/clock'] button");
    browser.wait_for("location.pathname === '/network/clock'");
    for scheme in ["light", "dark"] {
        browser.look_like(360, scheme);
        assert_eq!(browser.barriers(), Vec::<String>::new());
        let overhang = browser.evaluate("document.documentElement.scrollWidth - 360");
        assert!(overhang.as_i64().unwrap() <= 0, "{overhang} px too wide");
        browser.picture(&album().join(format!("clock-360-{scheme}.png")));
    }
    let doubtful = "document.querySelector('input[name=sure]')?.click(); true";
    browser.evaluate(doubtful);
    browser.click("form[action='/network/clock/decision'] button");
    browser.wait_for("location.pathname === '/network'");
    let done = lock(&site.unit.work).clone();
    let set: Timestamp = done[0].rsplit(' ').next().unwrap().parse().unwrap();
    let due = Timestamp::now() + (site.clock.now().wall - NOW);
    assert!(due.duration_since(set).abs() < SignedDuration::from_secs(60), "{done:?}, due {due}");
    assert_eq!(browser.complaints, Vec::<String>::new());
}
