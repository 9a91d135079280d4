//! A unit that has been at work for a while: with everybody around it, and what of all this must stay secret.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use serde_json::{Value, json};

use super::spy::{Heard, Spy};
use crate::client::Client;
use crate::program::{Appliance, milepost_ok};
use crate::rtsp::RtspServer;
use crate::site::{LISTED, METRICS_TOKEN, PASSWORD, Site, UNIT};
use crate::support::{eventually, files};

pub const ADMINISTRATOR: &str = "Dana Ruiz";
pub const OFFICER: &str = "Lee Okafor";
pub const PASSPHRASE: &str = "three herons by the weir";
/// What somebody typed where the name belongs.
const SLIPPED: &str = "my other passphrase";
/// Entered by two people at the console; nothing that drives past carries it.
const MANUAL: &str = "9QQZ77";

/// Who is signed in.
type People = Vec<(&'static str, Client)>;
/// What it is, and the secret.
pub type Secrets = Vec<(&'static str, String)>;

pub struct Day {
    pub site: Site,
    pub unit: Appliance,
    _camera: RtspServer,
    spy: Heard,
    /// Nobody signed in.
    pub console: Client,
    people: People,
    pub first_code: String,
    /// One that was delivered.
    pub alert: String,
    pub waiting: Waiting,
    pub secrets: Secrets,
}

/// The store while nothing could be delivered.
#[derive(Debug)]
pub struct Waiting {
    pub alerts: usize,
    pub bytes: u64,
    pub readable: Vec<String>,
}

/// One day for all tests that run at the same time; whoever is last ends it.
pub fn today() -> Arc<Day> {
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

    pub fn heard(&self) -> MutexGuard<'_, Vec<(String, Vec<u8>)>> {
        self.spy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// In the session of before: every try of a password counts against the address, and all come from one.
    pub fn signed_in(&self, name: &str) -> Client {
        self.people.iter().find(|(person, _)| *person == name).expect("a person of the day").1.clone()
    }

    pub fn an_alert_later(&self) {
        let before = self.site.department.events("alerts").len();
        eventually("another alert arrives", || self.site.department.events("alerts").len() > before);
    }

    /// What a message that counts would have changed.
    pub fn standing(&self) -> Value {
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
