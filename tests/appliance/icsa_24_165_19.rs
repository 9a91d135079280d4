//! What was found in another maker's plate readers (CISA's advisory ICSA-24-165-19, 2024), tried on a unit at work: one test
//! for each finding. `config/policy/threat-model.md` says what stops each.
//!
//! The unit is the real program with a camera that asks for a password, a broker, a department, and people at its console.
//! Beside them sits somebody who rules the broker: hears all, keeps all, and may write to every topic.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use milepost::console::{Allowed, routes};
use milepost::delivery::{Link, LinkEvent, Subscriptions};
use serde_json::{Value, json};

use crate::client::Client;
use crate::program::{Appliance, milepost_ok, said};
use crate::rtsp::RtspServer;
use crate::site::{self, LISTED, METRICS_TOKEN, PASSWORD, Site, UNIT};
use crate::support::{Mosquitto, eventually, files};

const ADMINISTRATOR: &str = "Dana Ruiz";
const OFFICER: &str = "Lee Okafor";
const PASSPHRASE: &str = "three herons by the weir";
/// What somebody typed where the name belongs.
const SLIPPED: &str = "my other passphrase";
/// Entered by two people at the console; nothing that drives past carries it.
const MANUAL: &str = "9QQZ77";

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

/// Every message that passed the broker, topic and payload.
type Heard = Arc<Mutex<Vec<(String, Vec<u8>)>>>;
/// Who is signed in.
type People = Vec<(&'static str, Client)>;
/// What it is, and the secret.
type Secrets = Vec<(&'static str, String)>;

/// A unit that has been at work for a while, everybody around it, and what of all this must stay secret.
struct Day {
    site: Site,
    unit: Appliance,
    _camera: RtspServer,
    spy: Heard,
    /// Nobody signed in.
    console: Client,
    people: People,
    first_code: String,
    /// One that was delivered.
    alert: String,
    waiting: Waiting,
    secrets: Secrets,
}

/// The store while nothing could be delivered.
#[derive(Debug)]
struct Waiting {
    alerts: usize,
    bytes: u64,
    readable: Vec<String>,
}

/// One day for all tests that run at the same time; whoever is last ends it.
fn today() -> Arc<Day> {
    static TODAY: Mutex<Weak<Day>> = Mutex::new(Weak::new());
    let mut shared = TODAY.lock().unwrap_or_else(PoisonError::into_inner);
    shared.upgrade().unwrap_or_else(|| {
        let day = Arc::new(Day::live());
        *shared = Arc::downgrade(&day);
        day
    })
}

impl Day {
    fn live() -> Self {
        let mut site = Site::open();
        let rules = format!(
            "{}\nuser spy\ntopic readwrite #\nuser attacker\ntopic readwrite #\n",
            std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("config/mosquitto/acl"))
                .unwrap()
        );
        let access = site.folder().join("access");
        std::fs::write(&access, rules).unwrap();
        site.broker.save();
        site.broker.reconfigure(format!("acl_file {}\n", access.display()));
        let spy = Spy::listen(&site.broker);
        let camera = site.camera(0);
        configure(&site, &camera);

        let mut unit = Appliance::start(site.folder());
        unit.tells("READY=1");
        let first_code = unit.word_behind("one-time code code=");
        let address: SocketAddr = unit.word_behind("the console listens address=").parse().unwrap();
        let console = Client::new(address, &site.folder().join("state/console"));
        let mut secrets = vec![
            ("the camera's password", PASSWORD.to_owned()),
            ("a passphrase", PASSPHRASE.to_owned()),
            ("what was typed into the wrong field", SLIPPED.to_owned()),
            ("the monitoring system's token", METRICS_TOKEN.to_owned()),
            ("a listed plate", LISTED[0].to_owned()),
            ("a listed plate", LISTED[1].to_owned()),
            ("a plate that two people entered", MANUAL.to_owned()),
        ];
        let (people, held) = people_work(&console, &first_code);
        secrets.extend(held);

        let department = &site.department;
        eventually("a listed car raises an alert", || !department.events("alerts").is_empty());
        let alert = department.events("alerts").remove(0)["data"]["id"].as_str().unwrap().to_owned();
        department_works(&site, &alert);
        site.broker.kill();
        eventually("an alert is raised without a broker", || site.alerts_on_their_way() > 0);
        let waiting = Waiting {
            alerts: site.alerts_on_their_way(),
            bytes: files(&site.folder().join("state/records"))
                .iter()
                .filter_map(|path| Some(std::fs::metadata(path).ok()?.len()))
                .sum(),
            readable: site.readable_at_rest(),
        };
        site.broker.restart();
        eventually("all that was raised arrives", || site.alerts_on_their_way() == 0);
        Self { site, unit, _camera: camera, spy, console, people, first_code, alert, waiting, secrets }
    }

    fn heard(&self) -> MutexGuard<'_, Vec<(String, Vec<u8>)>> {
        self.spy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// In the session of before: every try of a password counts against the address, and all come from one.
    fn signed_in(&self, name: &str) -> Client {
        self.people.iter().find(|(person, _)| *person == name).expect("a person of the day").1.clone()
    }

    fn an_alert_later(&self) {
        let before = self.site.department.events("alerts").len();
        eventually("another alert arrives", || self.site.department.events("alerts").len() > before);
    }

    /// What a message that counts would have changed.
    fn standing(&self) -> Value {
        let mut person = self.signed_in(OFFICER);
        let lists = person.call("GET", "/api/v1/lists", "").text();
        let lists: Value = serde_json::from_str(&lists).unwrap();
        let acts = [
            "command-taken",
            "list-changed",
            "manual-entry-requested",
            "manual-entry-approved",
            "manual-entry-removed",
            "service-state-changed",
            "alert-answered",
        ];
        let counts: BTreeMap<&str, usize> =
            acts.iter().map(|act| (*act, self.site.audited(act).len())).collect();
        let overview = person.call("GET", "/api/v1/overview", "").text();
        let overview: Value = serde_json::from_str(&overview).unwrap();
        let versions: Vec<&Value> =
            lists["lists"].as_array().unwrap().iter().map(|list| &list["version"]).collect();
        let service = &overview["overview"]["service"];
        json!({"manual": lists["manual"], "lists": versions, "acts": counts, "service": service})
    }
}

/// The camera's password is a file of its own, as the documentation asks.
fn configure(site: &Site, camera: &RtspServer) {
    site.configure(camera, "127.0.0.1:0".parse().unwrap());
    let path = site.folder().join("milepost.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(site.folder().join("camera-password"), PASSWORD).unwrap();
    let mut text = text
        .replace(&format!("viewer:{PASSWORD}@"), "viewer@")
        .replace("name = \"lane-1\"", "name = \"lane-1\"\npassword = { file = \"camera-password\" }");
    for (name, key) in [("Ann Lee", "ann.key"), ("Bo Hill", "bo.key")] {
        let said = milepost_ok(&["hotlist", "keygen", "--no-passphrase", "--out", key], site.folder());
        let (_, rest) = said.split_once("keys = [\"").unwrap();
        let key = rest.split_once('"').unwrap().0;
        text += &format!("[[hotlist.people]]\nname = \"{name}\"\nkey = \"{key}\"\n");
        text += &format!("[[command.people]]\nname = \"{name}\"\nkey = \"{key}\"\nrole = \"technician\"\n");
    }
    std::fs::write(path, text).unwrap();
}

/// The first administrator, an officer, a slip of the fingers, a manual entry of two people; what they hold.
fn people_work(console: &Client, first_code: &str) -> (People, Secrets) {
    let set_up = |code: &str, name: &str| {
        let mut client = console.clone();
        client.get("/set-up");
        let form = [("code", code), ("name", name), ("password", PASSPHRASE), ("again", PASSPHRASE)];
        let answer = client.post("/set-up", &form);
        assert_eq!(answer.status, 303, "{}", answer.text());
        client
    };
    let mut administrator = set_up(first_code, ADMINISTRATOR);
    let invited = administrator.call(
        "POST",
        "/api/v1/accounts",
        &json!({"name": OFFICER, "role": "officer"}).to_string(),
    );
    let invited: Value = serde_json::from_str(&invited.text()).unwrap();
    let code = invited["code"].as_str().expect("a one-time code").to_owned();
    let mut officer = set_up(&code, OFFICER);

    let mut slips = console.clone();
    let shown = json!({"name": SLIPPED, "password": OFFICER}).to_string();
    assert_eq!(slips.call("POST", "/api/v1/session", &shown).status, 401);
    let shown = json!({"name": OFFICER, "password": PASSPHRASE}).to_string();
    let session: Value = serde_json::from_str(&slips.call("POST", "/api/v1/session", &shown).text()).unwrap();

    let entry = json!({"plate": MANUAL, "category": "bolo", "reason": "left the scene"}).to_string();
    let asked = officer.call("POST", "/api/v1/lists/entries", &entry);
    assert_eq!(asked.status, 204, "{}", asked.text());
    let lists: Value = serde_json::from_str(&administrator.call("GET", "/api/v1/lists", "").text()).unwrap();
    let id = lists["manual"][0]["manual"]["id"].as_str().unwrap_or_else(|| panic!("{lists}"));
    let approved = administrator.call("POST", &format!("/api/v1/lists/requests/{id}/approval"), "{}");
    assert_eq!(approved.status, 204, "{}", approved.text());
    let token_of = |client: &Client| client.cookie.as_deref().unwrap().split_once('=').unwrap().1.to_owned();
    let held = vec![
        ("an invitation", code),
        ("a session's cookie", token_of(&administrator)),
        ("a session's cookie", token_of(&officer)),
        ("a tool's token", session["token"].as_str().unwrap().to_owned()),
    ];
    (vec![(ADMINISTRATOR, administrator), (OFFICER, officer)], held)
}

/// Commands, a manual entry by signed messages, and an answer to an alert.
fn department_works(site: &Site, alert: &str) {
    let client = site.broker.client("dispatcher");
    let [ca, cert, key] =
        [&client.authority, &client.certificate, &client.key].map(|file| file.display().to_string());
    let broker = format!("localhost:{}", client.port);
    let to = ["--broker", &broker, "--ca", &ca, "--cert", &cert, "--key", &key, "--unit", UNIT];
    for act in ["take-out", "return"] {
        milepost_ok(
            &[&["command"], &to[..], &["--sign-key", "ann.key", act, "--reason", "tried"]].concat(),
            site.folder(),
        );
    }
    let manual = |key: &str, act: &[&str]| {
        let said = milepost_ok(
            &[&["hotlist", "manual"], &to[..], &["--sign-key", key], act].concat(),
            site.folder(),
        );
        said.trim().rsplit_once(' ').unwrap().1.to_owned()
    };
    let add = ["add", "--plate", "8ZZQ66", "--category", "bolo", "--reason", "seen at the mall"];
    let before = site.audited("manual-entry-approved").len();
    let id = manual("ann.key", &add);
    eventually("the request is taken", || site.audited("manual-entry-requested").len() > before);
    manual("bo.key", &["approve", &id]);
    eventually("it is approved", || site.audited("manual-entry-approved").len() > before);
    let removal = manual("bo.key", &["remove", &id, "--reason", "found"]);
    manual("ann.key", &["approve", &removal]);
    eventually("it is taken out", || site.audited("manual-entry-removed").len() == 1);

    let signing = site.department.keys.display().to_string();
    let to = site.broker.arguments("receiver");
    let to = to.each_ref().map(String::as_str);
    let what = ["receive", "answer", "--unit", UNIT, "--alert", alert, "--verdict", "dismissed"];
    let who = ["--by", "Ann Lee", "--signing-key", &signing];
    milepost_ok(&[&what[..], &who, &to].concat(), site.folder());
    eventually("the answer is taken", || site.audited("alert-answered").len() == 1);
}

/// Whoever rules the broker.
struct Spy {
    runtime: tokio::runtime::Runtime,
    link: Link,
}

impl Spy {
    fn connect(broker: &Mosquitto, name: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let subscriptions = Subscriptions { filters: vec!["milepost/#".to_owned()], renew: true };
        let link = runtime.block_on(Link::open(&broker.client(name), name, None, &subscriptions)).unwrap();
        Self { runtime, link }
    }

    /// Keeps all that is said from now on, over restarts of the broker, for as long as somebody wants it.
    fn listen(broker: &Mosquitto) -> Heard {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (kept, client) = (Arc::downgrade(&heard), broker.client("spy"));
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let subscriptions = Subscriptions { filters: vec!["milepost/#".to_owned()], renew: true };
            runtime.block_on(async {
                while kept.strong_count() > 0 {
                    let Ok(mut link) = Link::open(&client, "spy", None, &subscriptions).await else {
                        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                        continue;
                    };
                    loop {
                        match link.next().await {
                            LinkEvent::Arrived(arrival) => {
                                let Some(heard) = kept.upgrade() else { return };
                                let message = (arrival.topic().to_owned(), arrival.payload().to_vec());
                                heard.lock().unwrap_or_else(PoisonError::into_inner).push(message);
                                let _ = link.accept(&arrival);
                            }
                            LinkEvent::Lost(_) => break,
                            _ => {}
                        }
                    }
                }
            });
        });
        heard
    }

    /// Returns once the broker has it.
    fn publish(&mut self, topic: &str, payload: &[u8]) {
        {
            let _entered = self.runtime.enter();
            self.link.publish(topic.to_owned(), payload.to_vec(), false).unwrap();
        }
        loop {
            match self.runtime.block_on(self.link.next()) {
                LinkEvent::Acknowledged(_) => return,
                LinkEvent::Arrived(arrival) => self.link.accept(&arrival).unwrap(),
                LinkEvent::Lost(fault) => panic!("the broker hangs up: {fault}"),
                _ => {}
            }
        }
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
