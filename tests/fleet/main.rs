//! The dashboard keeps its promises: it shows what units say, calls silence by its name, takes nothing that is not a
//! unit's own, and lets nobody look unseen. Over real HTTPS, with a real mosquitto behind mutual TLS.

mod browser;
#[path = "../support/browser.rs"]
mod chromium;
#[path = "../support/client.rs"]
mod client;
mod dashboard;
mod monitoring;
#[path = "../support/program.rs"]
#[allow(dead_code, reason = "other tests use more of it")]
mod program;
mod stage;
#[path = "../support/mod.rs"]
mod support;

use std::time::Duration;

use dashboard::Dashboard;
use milepost::audit::verify;
use serde_json::{Value, json};
use stage::{ADMINISTRATOR, OFFICER, PASSWORD, Stage, TECHNICIAN, Unit, assert_is_health, crowd, topic};
use support::{Mosquitto, eventually};

#[test]
fn units_show_what_they_say_and_their_silence() {
    let stage = Stage::peopled();
    let mut officer = stage.signed_in(OFFICER);
    assert!(officer.get("/").text().contains("No unit has been heard of yet"));
    let units = ["barrel-1", "pole-1", "pole-2", "pole-3", "pole-4"].map(|name| stage.unit(name));
    let [barrel, moved, lost, stopped, mute] = units;
    barrel.reports(|report| assert_is_health(report));
    let is_moved = |report: &mut Value| {
        report["service"]["state"] = json!("out-of-service");
        report["service"]["reasons"] = json!([{
            "reason": "camera-moved", "camera": "north", "detail": "shifted by 43 px to the left",
            "since": report["at"], "by": null,
        }]);
        report["broker"]["certificate_days_left"] = json!(3);
    };
    moved.reports(is_moved);
    lost.reports(|_| {});
    stopped.reports(|_| {});
    mute.reports(|report| report["report_every_s"] = json!(600));

    let is = |state: &'static str| move |told: &Value| told["state"] == state;
    let moved_as_told = stage.sees(&mut officer, "pole-1", "is out of service", is("out-of-service"));
    assert_eq!(moved_as_told["reasons"], json!(["camera-moved"]));
    assert_eq!((&moved_as_told["connected"], &moved_as_told["waiting"]), (&json!(true), &json!(3)));
    stage.sees(&mut officer, "pole-2", "is in service", is("in-service"));
    lost.vanishes();
    stopped.stops();
    let told = stage.sees(&mut officer, "pole-2", "is lost", is("silent"));
    assert_eq!(told["silence"], "lost");
    stage.sees(&mut officer, "pole-3", "is stopped", is("stopped"));

    // Two minutes later; the clocks of the units' reports stay behind.
    for unit in ["barrel-1", "pole-4"] {
        stage.sees(&mut officer, unit, "is in service", is("in-service"));
    }
    stage.clock.advance(Duration::from_secs(120));
    let told = stage.sees(&mut officer, "barrel-1", "is overdue", is("silent"));
    assert_eq!(told["silence"], "overdue");
    stage.sees(&mut officer, "pole-4", "has a longer interval", is("in-service"));
    barrel.reports(|_| {});
    moved.reports(is_moved);
    stage.sees(&mut officer, "pole-1", "is out of service still", is("out-of-service"));
    stage.sees(&mut officer, "barrel-1", "is heard again", is("in-service"));

    let page = officer.get("/").text();
    for told in
        ["The camera no longer looks where it was aimed. (shifted by 43 px to the left)", "Out of service"]
    {
        assert!(page.contains(told), "{told} is not on the page");
    }
    let order: Vec<_> =
        page.split("<tr id=\"unit-").skip(1).map(|row| row.split('"').next().unwrap()).collect();
    assert_eq!(order[..3], ["pole-2", "pole-1", "pole-3"], "silent, out of service, stopped");
    let one = officer.get("/units/pole-1").text();
    for told in ["Camera north.", "verify the aim", "3 days", "connected since", "state-stolen", "10.0 %"] {
        assert!(one.contains(told), "{told} is not on the unit's page: {one}");
    }
    assert_eq!(officer.get("/units/pole-9").status, 404);
}

#[test]
fn a_filter_narrows_and_nonsense_is_told() {
    let stage = Stage::peopled();
    let units = ["pole-1", "pole-2", "car-1"].map(|name| stage.unit(name));
    units[0].reports(|_| {});
    units[1].reports(|report| report["service"]["state"] = json!("degraded"));
    units[2].reports(|report| report["place"]["kind"] = json!("mobile"));
    let mut technician = stage.signed_in(TECHNICIAN);
    let found = |client: &mut client::Client, query: &str| -> Vec<String> {
        let answer = client.call("GET", &format!("/api/v1/units?{query}"), "");
        assert_eq!(answer.status, 200, "{query}: {}", answer.text());
        let told: Value = serde_json::from_slice(&answer.body).unwrap();
        told["units"]
            .as_array()
            .unwrap()
            .iter()
            .map(|unit| unit["unit"].as_str().unwrap().to_owned())
            .collect()
    };
    eventually("all three are heard", || found(&mut technician, "state=in-service").len() == 2);
    assert_eq!(found(&mut technician, "")[0], "pole-2", "the worst first");
    assert_eq!(found(&mut technician, "kind=mobile"), ["car-1"]);
    assert_eq!(found(&mut technician, "q=pole&state=degraded"), ["pole-2"]);
    let page = technician.get("/?q=pole&kind=fixed").text();
    assert!(page.contains("of <b>2</b> that fit"), "{page}");
    for (query, says) in
        [("state=broken", "is not a state"), ("page=x", "number of a page"), ("area=1", "an area")]
    {
        let answer = technician.get(&format!("/?{query}"));
        assert_eq!(answer.status, 422);
        assert!(answer.text().contains(says), "{}", answer.text());
    }
}

#[test]
fn only_what_changed_is_sent() {
    let stage = Stage::peopled();
    let units: Vec<Unit> = (1..=9).map(|number| stage.unit(&format!("pole-{number}"))).collect();
    units.iter().for_each(|unit| unit.reports(|_| {}));
    let mut officer = stage.signed_in(OFFICER);
    stage.sees(&mut officer, "pole-9", "is heard", |told| told["state"] == "in-service");
    eventually("all are heard", || officer.get("/").text().contains("All in service"));
    let page = officer.get("/").text();
    let mut known = page.split("data-known=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();

    units[4].reports(|report| report["records"]["waiting"] = json!(77));
    let mut changes = Value::Null;
    eventually("the change is told", || {
        let answer = officer.get_with("/changes", &[("Milepost-Known", &known)]);
        assert_eq!(answer.status, 200);
        changes = serde_json::from_slice(&answer.body).unwrap();
        known = changes["known"].as_str().unwrap().to_owned();
        changes["rows"].to_string().contains("77")
    });
    let rows = changes["rows"].as_object().unwrap();
    assert_eq!((rows.len(), changes["order"].as_array().unwrap().len()), (1, 9), "{rows:?}");
    assert!(changes["summary"].is_null(), "no unit changed its state");

    // A change of state moves the unit to the top, and the counts with it.
    units[7].reports(|report| report["service"]["state"] = json!("degraded"));
    let answer = officer.get_with("/changes", &[("Milepost-Known", &known)]);
    let changes: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(changes["order"][0], "pole-8");
    assert!(changes["summary"].as_str().unwrap().contains("Degraded"));
    // Who knows nothing is sent everything, and what cannot be understood is nothing.
    for knows in ["0-0", "nonsense"] {
        let answer = officer.get_with("/changes", &[("Milepost-Known", knows)]);
        let changes: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(changes["rows"].as_object().unwrap().len(), 9);
    }
}

#[test]
fn what_is_no_report_of_the_unit_itself_is_not_taken() {
    let stage = Stage::peopled();
    let (honest, hostile) = (stage.unit("pole-1"), stage.unit("pole-2"));
    honest.reports(|_| {});
    hostile.reports(|_| {});
    let mut officer = stage.signed_in(OFFICER);
    for unit in ["pole-1", "pole-2"] {
        stage.sees(&mut officer, unit, "is in service", |told| told["state"] == "in-service");
    }
    // The broker drops what is written under another's name; what is said in another's name the dashboard does.
    hostile.sends_to(topic("pole-1", "health"), b"{}".to_vec());
    hostile.reports(|report| report["unit"] = json!("pole-1"));
    let refused = |told: &Value| told["why"].to_string().contains("calls itself pole-1");
    let told = stage.sees(&mut officer, "pole-2", "spoke in another's name", refused);
    assert_eq!(told["state"], "in-service", "what it said before stands");
    for (payload, says) in [
        (b"{\"unit\":\"pole-2\"".to_vec(), "could not be read"),
        (vec![b'['; 4_000_000], "was not read"),
        (vec![b'['; 100_000], "could not be read"),
        ("\u{1b}[2J<script>alert(1)</script>".into(), "could not be read"),
    ] {
        hostile.reports(|_| {});
        stage.sees(&mut officer, "pole-2", "is well", |told| told["why"] == json!([]));
        hostile.sends("health", payload);
        stage.sees(&mut officer, "pole-2", says, |told| told["why"].to_string().contains(says));
    }
    let script = "<script>alert(1)</script>";
    hostile.reports(|report| {
        report["version"] = json!(script);
        report["service"]["reasons"] = json!([{ "reason": script, "detail": script, "since": report["at"] }]);
    });
    stage.sees(&mut officer, "pole-2", "has a reason of its own", |told| told["reasons"] == json!([script]));
    for page in ["/", "/units/pole-2"] {
        let text = officer.get(page).text();
        assert!(!text.contains(script) && text.contains("&#60;script&#62;alert"), "{page}: {text}");
    }
    assert_eq!(
        stage.sees(&mut officer, "pole-1", "is as it was", |told| told["why"] == json!([]))["reads"],
        Value::Null
    );
}

#[test]
fn thousands_that_the_broker_kept_are_heard_at_once_and_a_flood_is_bounded() {
    let mut broker = Mosquitto::start();
    let folder = tempfile::tempdir().unwrap();
    stage::let_one_write_for_all(&mut broker, folder.path());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let voice = Unit::connect(&runtime, &broker, "crowd");
    for (name, report) in crowd(3000, jiff::Timestamp::now()) {
        voice.sends_to(topic(&name, "status"), stage::birth().to_string().into());
        voice.sends_to(topic(&name, "health"), report.to_string().into());
    }
    voice.stops();
    let stage = Stage::with(broker, 2500);
    stage.people();
    let mut officer = stage.signed_in(OFFICER);
    let mut heard = |query: &str| -> usize {
        let answer = officer.call("GET", &format!("/api/v1/units{query}"), "");
        let told: Value = serde_json::from_slice(&answer.body).unwrap();
        told["units"].as_array().unwrap().len()
    };
    eventually("all that there is room for are heard", || heard("") == 2500 && heard("?state=silent") == 0);
    assert!(officer.get("/").text().contains("--units-max"), "the others are told of");
}

#[test]
fn a_broker_that_goes_and_comes_is_told_and_nobody_is_called_silent_for_it() {
    let mut stage = Stage::peopled();
    let unit = stage.unit("pole-1");
    unit.reports(|_| {});
    let mut officer = stage.signed_in(OFFICER);
    stage.sees(&mut officer, "pole-1", "is in service", |told| told["state"] == "in-service");
    stage.broker.save();
    stage.broker.kill();
    eventually("the page says so", || officer.get("/").text().contains("No connection to the broker"));
    stage.clock.advance(Duration::from_secs(600));
    std::thread::sleep(Duration::from_millis(1100));
    let told = stage.sees(&mut officer, "pole-1", "is as it was", |_| true);
    assert_eq!(told["state"], "in-service", "we are deaf, it is not silent");
    stage.broker.restart();
    eventually("the page is whole again", || {
        !officer.get("/").text().contains("No connection to the broker")
    });
    drop(unit);
    let unit = stage.unit("pole-1");
    unit.reports(|report| report["reads_today"] = json!(413));
    stage.sees(&mut officer, "pole-1", "is heard again", |told| told["report"]["reads_today"] == 413);
}

/// Who may go where: `t`echnician, `o`fficer, `a`dministrator, anyone `*`.
const WHO: [(&str, &str, &str); 27] = [
    ("GET", "/", "toa"),
    ("GET", "/changes", "toa"),
    ("GET", "/map", "toa"),
    ("GET", "/units/pole-1", "toa"),
    ("GET", "/units/pole-1/now", "toa"),
    ("GET", "/metrics", "toa"),
    ("GET", "/metrics/units", "toa"),
    ("GET", "/assets/fleet.css", "*"),
    ("GET", "/assets/console.css", "*"),
    ("GET", "/api/v1/units", "toa"),
    ("GET", "/api/v1/units/pole-1", "toa"),
    ("GET", "/accounts", "a"),
    ("POST", "/accounts/invitation", "a"),
    ("POST", "/accounts/change", "a"),
    ("GET", "/audit", "a"),
    ("GET", "/audit/export", "a"),
    ("GET", "/password", "toa"),
    ("POST", "/password", "toa"),
    ("GET", "/recovery", "toa"),
    ("POST", "/recovery", "toa"),
    ("GET", "/sign-in", "*"),
    ("GET", "/set-up", "*"),
    // Not there for anyone: nothing of a unit is changed from here.
    ("GET", "/lists", "-"),
    ("POST", "/maintenance/service", "-"),
    ("POST", "/units/pole-1", "-"),
    ("GET", "/assets/..%2Faccounts.json", "-"),
    // Last: the session is over then.
    ("POST", "/api/v1/session/end", "toa"),
];

#[test]
fn every_address_admits_its_roles_and_nobody_else() {
    let stage = Stage::peopled();
    stage.unit("pole-1").reports(|_| {});
    let mut officer = stage.signed_in(OFFICER);
    stage.sees(&mut officer, "pole-1", "is heard", |_| true);
    for (who, letter) in
        [(None, '-'), (Some(TECHNICIAN), 't'), (Some(OFFICER), 'o'), (Some(ADMINISTRATOR), 'a')]
    {
        let signed_in = who.map_or_else(|| stage.client(), |name| stage.signed_in(name));
        for (method, path, allowed) in WHO {
            // The throttle of strangers' forms has its own test.
            stage.clock.advance(Duration::from_secs(6));
            let mut client = signed_in.clone();
            let status = match path {
                path if path.starts_with("/api/") => client.call(method, path, "{}").status,
                path if method == "POST" => client.post(path, &[]).status,
                path => client.get_with(path, &[("Milepost-Known", "0-0")]).status,
            };
            let got_in = allowed == "*" || (who.is_some() && allowed.contains(letter));
            let denied = matches!(status, 401 | 403 | 404 | 405) || (who.is_none() && status == 303);
            assert_eq!(got_in, !denied, "{method} {path} as {who:?}: {status}");
        }
    }
}

#[test]
fn who_looked_at_what_is_written_down_in_a_chain() {
    let stage = Stage::peopled();
    stage.unit("pole-1").reports(|_| {});
    let mut officer = stage.signed_in(OFFICER);
    stage.sees(&mut officer, "pole-1", "is heard", |_| true);
    officer.get("/units/pole-1");
    officer.get("/units/pole-1/now");
    assert_eq!(officer.get("/audit").status, 403);
    assert_eq!(stage.client().post("/sign-in", &[("name", OFFICER), ("password", "wrong")]).status, 401);
    let mut administrator = stage.signed_in(ADMINISTRATOR);
    let page = administrator.get("/audit?who=omar&what=pole-1").text();
    assert!(page.contains("opened /units/pole-1"), "{page}");
    assert!(!page.contains("/units/pole-1/now"), "what a page fetches for itself is no look");
    assert!(administrator.get("/audit?what=denied").text().contains("was denied /audit"));

    let exported = administrator.get("/audit/export");
    assert_eq!(exported.status, 200);
    let log: Vec<u8> =
        support::files(&stage.log_folder()).iter().flat_map(|file| std::fs::read(file).unwrap()).collect();
    let whole = verify(&log[..], None, None).unwrap();
    assert!(whole.entries > 10, "{whole:?}");
    let text = String::from_utf8(log).unwrap().replacen("pole-1", "pole-2", 1);
    assert!(verify(text.as_bytes(), None, None).is_err(), "a changed line shows");
}

#[test]
fn a_locked_account_and_a_foreign_form_are_refused_as_at_a_unit() {
    let stage = Stage::peopled();
    for _ in 0..5 {
        stage.clock.advance(Duration::from_secs(60));
        assert_eq!(stage.client().post("/sign-in", &[("name", OFFICER), ("password", "wrong")]).status, 401);
    }
    stage.clock.advance(Duration::from_secs(60));
    assert_eq!(stage.client().post("/sign-in", &[("name", OFFICER), ("password", PASSWORD)]).status, 401);
    let mut administrator = stage.signed_in(ADMINISTRATOR);
    administrator.csrf = Some("0".repeat(64));
    assert_eq!(
        administrator.post("/accounts/invitation", &[("name", "Eve"), ("role", "officer")]).status,
        403
    );
    let answer = administrator.get("/");
    let policy = answer.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("connect-src 'self'"), "{policy}");
    let text = answer.text();
    assert!(!text.contains("http://") && !text.contains("https://") && !text.contains("style="), "{text}");
}

#[test]
fn the_program_teaches_starts_and_stops() {
    let broker = Mosquitto::start();
    let folder = tempfile::tempdir().unwrap();
    let help = program::milepost_ok(&["fleet", "--help"], folder.path());
    for told in ["--listen", "/metrics", "one-time code", "mosquitto_pub -r -n"] {
        assert!(help.contains(told), "{told} is not in\n{help}");
    }
    let mut dashboard = Dashboard::start(&broker, folder.path());
    let unit_runtime = tokio::runtime::Runtime::new().unwrap();
    let unit = Unit::connect(&unit_runtime, &broker, "pole-1");
    unit.reports(|_| {});
    eventually("the unit is on the page", || dashboard.administrator.get("/").text().contains("pole-1"));
    assert!(dashboard.terminate().success());
}
