//! What was found in another maker's plate readers (CISA's advisory ICSA-24-165-19, 2024), tried on a unit at work: one test
//! for each finding. `config/policy/threat-model.md` says what stops each.
//!
//! The unit is the real program with a camera that asks for a password, a broker, a department, and people at its console.
//! Beside them sits somebody who rules the broker: hears all, keeps all, and may write to every topic.

mod day;
mod spy;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use milepost::console::{Allowed, routes};
use serde_json::{Value, json};

use crate::program::{Appliance, milepost_ok, said};
use crate::site::{self, METRICS_TOKEN, PASSWORD, UNIT};
use crate::support::files;
use day::{ADMINISTRATOR, OFFICER, PASSPHRASE, today};
use spy::Spy;

#[test]
fn cve_2024_38279_no_other_path_leads_around_the_sign_in() {
    let day = today();
    let mut stranger = day.console.clone();
    let mut tried = 0;
    for route in routes().into_iter().filter(|route| route.rule.allowed != Allowed::Anyone) {
        let path = route.path.replace("{camera}", "lane-1").replace("{id}", &day.alert);
        let path = path.replace("{picture}", "scene").replace("{which}", "now");
        for disguise in disguises(&path) {
            for method in ["GET", "HEAD", "POST", "PUT", "OPTIONS", "TRACE"] {
                let body = (method == "POST").then_some("");
                let answer = stranger.send(method, &disguise, &DISGUISES, body);
                assert!(
                    !(200..300).contains(&answer.status) && !shows_the_inside(&answer.text()),
                    "{method} {disguise} gave a stranger {}: {}",
                    answer.status,
                    answer.text()
                );
                tried += 1;
            }
        }
    }
    assert!(tried > 1000, "{tried}");

    // What the loader is told cannot be changed at a screen, a keyboard or a serial cable.
    for loader in [
        "yocto/meta-milepost/files/wic/milepost-grub.cfg",
        "yocto/meta-milepost/dynamic-layers/raspberrypi/recipes-bsp/rpi-u-boot-scr/files/boot.cmd.in",
    ] {
        let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(loader)).unwrap();
        // The init that is named keeps a kernel that finds none from going on to a shell.
        let text = text.replace("init=/usr/lib/systemd/systemd ", "").replace("# Without init=", "");
        for opens in ["menuentry", "terminal_input", "serial", "console=", "init=", "systemd.debug", "single"]
        {
            assert!(!text.contains(opens), "{loader} holds {opens}");
        }
    }
}

#[test]
fn cve_2024_38280_nothing_lies_on_the_disk_in_the_clear() {
    let day = today();
    let state = files(&day.site.folder().join("state"));
    assert!(state.len() > 10, "the unit keeps its state where it was told to: {state:?}");
    for path in state {
        // What vanishes while it is looked at was temporary.
        let bytes = std::fs::read(&path).unwrap_or_default();
        for (what, secret) in &day.secrets {
            assert!(!holds(&bytes, secret), "{what} can be read in {}", path.display());
        }
    }
}

#[test]
fn cve_2024_38281_no_password_is_built_in_and_nothing_else_listens() {
    let day = today();
    let accounts = day.signed_in(ADMINISTRATOR).call("GET", "/api/v1/accounts", "");
    let accounts: Value = serde_json::from_str(&accounts.text()).unwrap();
    let names: Vec<&str> =
        accounts.as_array().unwrap().iter().filter_map(|one| one["name"].as_str()).collect();
    assert_eq!(names, [ADMINISTRATOR, OFFICER], "nobody but those who were invited");
    let mut stranger = day.console.clone();
    for (name, password) in [("admin", "admin"), ("root", "root"), ("milepost", "milepost"), ("admin", "")] {
        let shown = json!({"name": name, "password": password}).to_string();
        let answer = stranger.call("POST", "/api/v1/session", &shown);
        assert!([401, 422, 429].contains(&answer.status), "{name} {password}: {}", answer.status);
    }
    // The one code of a first start is made there and then: two units of one make share nothing.
    let other = tempfile::tempdir().unwrap();
    let second = day.site.configuration("scene:traffic", "127.0.0.1:0".parse().unwrap());
    std::fs::write(other.path().join("milepost.toml"), second).unwrap();
    site::enrol(other.path(), &day.site.broker);
    std::fs::write(other.path().join("metrics-token"), METRICS_TOKEN).unwrap();
    let unit = Appliance::start(other.path());
    assert_ne!(unit.word_behind("one-time code code="), day.first_code);

    // The console is the one door, of that unit and of this.
    for unit in [&unit, &day.unit] {
        let address: SocketAddr = unit.word_behind("the console listens address=").parse().unwrap();
        assert_eq!(listening(unit.process()), [address.to_string()]);
    }
}

#[test]
fn cve_2024_38282_the_cameras_password_is_shown_to_nobody() {
    let day = today();
    let mut person = day.signed_in(ADMINISTRATOR);
    for route in routes().into_iter().filter(|route| route.method() == "GET" && !route.path.contains('{')) {
        let page = match route.rule.kind.is_api() {
            true => person.call("GET", route.path, ""),
            false if route.path.ends_with("/news") => continue,
            false => person.get(route.path),
        };
        assert!(!holds(&page.body, PASSWORD), "{} shows the camera's password", route.path);
    }
    for (topic, payload) in day.heard().iter() {
        assert!(!holds(payload, PASSWORD), "{topic} carries the camera's password");
    }
    let check = milepost_ok(&["check", "--config", "milepost.toml"], day.site.folder());
    assert!(check.contains("camera lane-1") && !check.contains(PASSWORD), "{check}");
    assert!(!std::fs::read_to_string(day.site.folder().join("milepost.toml")).unwrap().contains(PASSWORD));
}

#[test]
fn cve_2024_38283_what_waits_for_the_server_is_encrypted() {
    // Looked at while the broker was gone and evidence was stored.
    let day = today();
    assert!(day.waiting.alerts > 0 && day.waiting.bytes > 50_000, "{:?}", day.waiting);
    assert_eq!(day.waiting.readable, Vec::<String>::new());
}

#[test]
fn cve_2024_38284_nothing_that_was_sent_counts_a_second_time() {
    let day = today();
    let before = day.standing();
    let replayed = day.heard().clone();
    let kinds: BTreeMap<&str, usize> = replayed.iter().fold(BTreeMap::new(), |mut kinds, (topic, _)| {
        *kinds
            .entry(topic.split('/').skip(2).find(|level| !level.contains(UNIT)).unwrap_or_default())
            .or_default() += 1;
        kinds
    });
    let topics: Vec<&str> = replayed.iter().map(|(topic, _)| topic.as_str()).collect();
    for kind in ["/commands", "/manual-entries", "/receipts", "/alerts", "/events", "/manifest", "/answers"] {
        assert!(topics.iter().any(|topic| topic.ends_with(kind)), "{kind} was never heard: {kinds:?}");
    }
    let mut attacker = Spy::connect(&day.site.broker, "attacker");
    for (topic, payload) in &replayed {
        attacker.publish(topic, payload);
    }
    day.an_alert_later();
    assert_eq!(day.standing(), before);
    let mut times = BTreeMap::new();
    for event in ["alerts", "reads", "events"].iter().flat_map(|book| day.site.department.events(book)) {
        *times.entry(event["id"].to_string()).or_insert(0) += 1;
    }
    times.retain(|_, times| *times > 1);
    assert_eq!(times, BTreeMap::new(), "stored twice");
}

#[test]
fn cve_2024_38285_no_log_holds_what_could_be_used() {
    let day = today();
    let log = day.unit.said();
    assert!(log.contains("the console listens"), "{log}");
    for (what, secret) in &day.secrets {
        assert!(!log.contains(secret.as_str()), "{what} stands in the journal");
    }
    // The one code that does stand there opened the console once, and opens nothing now.
    assert!(log.contains(&day.first_code));
    let mut stranger = day.console.clone();
    stranger.get("/set-up");
    let form = [
        ("code", day.first_code.as_str()),
        ("name", "Mallory"),
        ("password", PASSPHRASE),
        ("again", PASSPHRASE),
    ];
    assert_ne!(stranger.post("/set-up", &form).status, 303);
    let audit = files(&day.site.folder().join("state/audit"));
    let audit: String = audit
        .iter()
        .map(|path| String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned())
        .collect();
    assert!(audit.contains(OFFICER), "the log of accesses names people: {audit}");
    for (what, secret) in &day.secrets {
        assert!(!audit.contains(secret.as_str()), "{what} stands in the log of accesses");
    }
}

/// Headers by which other gates were talked round.
const DISGUISES: [(&str, &str); 7] = [
    ("X-Original-URL", "/assets/console.css"),
    ("X-Rewrite-URL", "/assets/console.css"),
    ("X-HTTP-Method-Override", "GET"),
    ("X-Forwarded-For", "127.0.0.1"),
    ("Authorization", "Basic YWRtaW46YWRtaW4="),
    ("Cookie", "__Host-session=0000000000000000000000000000000000000000000000000000000000000000"),
    ("Sec-Fetch-Site", "same-origin"),
];

/// Ways to write a path.
fn disguises(path: &str) -> [String; 6] {
    let bare = path.trim_start_matches('/');
    [
        path.to_owned(),
        format!("//{bare}"),
        format!("/assets/../{bare}"),
        format!("/assets/%2e%2e/{bare}"),
        format!("{path}?next=/assets/console.css"),
        format!("/{}", bare.to_uppercase()),
    ]
}

/// Words of the pages behind the door.
fn shows_the_inside(text: &str) -> bool {
    ["Sign out", "\"service\"", ADMINISTRATOR, OFFICER, "milepost_service_state", "lane-1"]
        .iter()
        .any(|word| text.contains(word))
}

fn holds(bytes: &[u8], secret: &str) -> bool {
    bytes.windows(secret.len()).any(|window| window == secret.as_bytes())
}

/// The addresses on which a process accepts connections or datagrams.
fn listening(process: u32) -> Vec<String> {
    let output = Command::new("ss")
        .args(["-H", "-l", "-n", "-p", "-t", "-u"])
        .output()
        .expect("iproute2 is installed");
    let own = format!("pid={process},");
    let text = said(&output);
    text.lines()
        .filter(|line| line.contains(&own))
        .filter_map(|line| line.split_whitespace().nth(4))
        .map(str::to_owned)
        .collect()
}
