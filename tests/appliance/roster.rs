//! Accounts by signed message from the department, with the real program, a real broker and its access list, and people at
//! the console; and everybody who would like to say who may sign in and may not.

use std::path::Path;
use std::time::Duration;

use milepost::crypto::SigningKey;
use milepost::delivery::{Link, LinkEvent, Subscriptions};
use milepost::roster::Roster;
use serde_json::{Value, json};

use crate::client::Client;
use crate::program::{Appliance, milepost, milepost_ok, said};
use crate::site::Site;
use crate::support::{self, eventually};

const TOPIC: &str = "milepost/v1/rosters/patrol";
const ADMINISTRATOR: &str = "Ada Moss";
const PASSPHRASE: &str = "four lanes, wet road";

#[test]
fn the_department_lets_people_in_at_all_its_units_and_shuts_them_out_at_once() {
    let site = Site::open();
    let key = configure(&site);
    let mut unit = Appliance::start(site.folder());
    unit.tells("READY=1");
    let mut local = first_administrator(&unit, &site);

    // The department's own command, from nobody to two people at the unit.
    let folder = site.folder();
    milepost_ok(&["roster", "new", "patrol"], folder);
    let jos = code(&milepost_ok(&["roster", "add", "Jo Hill", "--role", "officer"], folder));
    let sams = code(&milepost_ok(&["roster", "add", "Sam Poe", "--role", "administrator"], folder));
    let first = publish(&site);
    let mut jo = come_in(&unit, &site, "Jo Hill", &jos);
    let mut sam = come_in(&unit, &site, "sam poe", &sams.to_lowercase().replace('-', " "));
    let page = sam.get("/accounts").text();
    assert!(
        page.contains("patrol, version 1") && page.contains(&key.verifying_key().id().to_string()),
        "{page}"
    );
    let change = [("name", "Jo Hill"), ("change", "disable")];
    assert!(sam.post("/accounts/change", &change).text().contains("comes from the department"));
    let taken = site.audited("roster-taken").remove(0);
    assert_eq!(taken["what"]["version"], 1);
    assert_eq!(taken["who"]["department"], key.verifying_key().id().to_string());
    assert_eq!(site.audited("accounts-changed")[0]["what"]["accounts"], json!(["Jo Hill", "Sam Poe"]));
    eventually("health names the version", || {
        let roster = site.department.health()["roster"].take();
        roster["version"] == 1 && roster["counts"] == true
    });

    // Disabled while a page waits for news: the wait ends, and so do the page and the tool.
    let mut tool = console(&unit, &site);
    let shown = json!({"name": "Jo Hill", "password": jos}).to_string();
    let session: Value = serde_json::from_slice(&tool.call("POST", "/api/v1/session", &shown).body).unwrap();
    tool.token = session["token"].as_str().map(str::to_owned);
    assert_eq!(tool.call("GET", "/api/v1/alerts", "").status, 200);
    let mut waiting = jo.clone();
    let waits = std::thread::spawn(move || {
        // Nothing is raised here: each wait ends by itself after 25 seconds.
        let answers = std::iter::repeat_with(|| waiting.get("/alerts/news").status);
        answers.take(8).find(|status| *status != 204)
    });
    milepost_ok(&["roster", "disable", "jo hill"], folder);
    let second = publish(&site);
    assert_eq!(waits.join().unwrap(), Some(401));
    assert_eq!(jo.get("/").header("location"), Some("/sign-in"));
    assert_eq!(jo.get("/screen/now").status, 401, "nor does the screen in the car stay");
    assert_eq!(tool.call("GET", "/api/v1/alerts", "").status, 401);
    assert_eq!(console(&unit, &site).sign_in("Jo Hill", &jos).status, 401);
    assert_eq!((sam.get("/").status, local.get("/").status), (200, 200), "others stay");
    let disabled = site.audited("accounts-changed").remove(1);
    assert_eq!(disabled["what"]["what"], "disabled");
    assert_eq!(
        (&disabled["what"]["version"], &disabled["what"]["accounts"]),
        (&json!(2), &json!(["Jo Hill"]))
    );

    // Who may not, changes nothing, and is told of.
    let refusals =
        |count: usize| eventually("it is audited", || site.audited("roster-refused").len() == count);
    let mut administrator = Publisher::connect(&site, "administrator");
    let stranger = SigningKey::generate();
    let (roster, _) = Roster::look(&first).unwrap();
    administrator.publish(&Roster { version: 7, ..roster.clone() }.sign(&[&stranger]));
    refusals(1);
    let forged =
        String::from_utf8(second.clone()).unwrap().replace("\\\"disabled\\\":true", "\\\"disabled\\\":false");
    assert_ne!(forged.as_bytes(), second);
    administrator.publish(forged.as_bytes());
    refusals(2);
    administrator.publish(&first);
    refusals(3);
    let told = site.audited("roster-refused").remove(2);
    assert_eq!(told["what"]["why"], "it is version 1, and this unit has seen version 2");
    // The broker drops what another than the administrator writes there.
    for name in ["publisher", "south-1"] {
        Publisher::connect(&site, name).publish(&Roster { version: 9, ..roster.clone() }.sign(&[&key]));
    }
    administrator.publish(&second);
    assert_eq!(console(&unit, &site).sign_in("Jo Hill", &jos).status, 401);

    // A unit that was away follows when it comes back, and its own memory outlives a restart.
    let (status, _, mut logs) = unit.terminate();
    assert!(status.success(), "{logs}");
    let version_2 = std::fs::read(folder.join("state/roster")).unwrap();
    milepost_ok(&["roster", "role", "Sam Poe", "officer"], folder);
    publish(&site);
    let unit = Appliance::start(folder);
    eventually("it has followed", || site.audited("roster-taken").len() == 3);
    assert_eq!(console(&unit, &site).sign_in("Jo Hill", &jos).status, 401);
    let mut sam = come_in(&unit, &site, "Sam Poe", &sams);
    assert_eq!(sam.get("/accounts").status, 403, "an officer now");
    logs += &unit.terminate().2;

    // Storage from before, and a broker that hands out what was good then: nobody comes in by it.
    std::fs::write(folder.join("state/roster"), version_2).unwrap();
    administrator.publish(&second);
    let unit = Appliance::start(folder);
    eventually("the broker's memory has come", || site.audited("roster-rests").len() == 1);
    let why = site.audited("roster-rests").remove(0)["what"]["why"].take();
    assert!(why.as_str().unwrap().contains("held version 3"), "{why}");
    assert_eq!(console(&unit, &site).sign_in("Sam Poe", &sams).status, 401);
    let mut local = console(&unit, &site);
    assert_eq!(local.sign_in(ADMINISTRATOR, PASSPHRASE).status, 303);
    assert!(local.get("/accounts").text().contains("cannot sign in now"));
    milepost_ok(&["roster", "sign", "--sign-key", "roster.key"], folder);
    let refused = milepost(&publishing(&site), folder);
    assert!(refused.status.success(), "a higher version is what it takes: {}", said(&refused));
    come_in(&unit, &site, "Sam Poe", &sams);

    // An empty roster takes away what the department gave; what was made here stays.
    for name in ["Jo Hill", "Sam Poe"] {
        milepost_ok(&["roster", "remove", name], folder);
    }
    publish(&site);
    eventually("all are gone", || !local.get("/accounts").text().contains("Sam Poe"));
    assert_eq!(console(&unit, &site).sign_in("Sam Poe", &sams).status, 401);
    logs += &unit.terminate().2;
    for secret in [&jos, &sams, "$argon2id$", PASSPHRASE] {
        assert!(!logs.contains(secret), "the journal holds {secret}");
        for path in support::files(&folder.join("state/audit")) {
            assert!(!String::from_utf8_lossy(&std::fs::read(path).unwrap()).contains(secret));
        }
    }
}

/// Where two must sign, the department's commands say so, and units wait for the second.
#[test]
fn two_people_sign_where_a_unit_asks_for_two() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for name in ["ann.key", "bo.key"] {
        milepost_ok(&["hotlist", "keygen", "--no-passphrase", "--out", name], folder);
    }
    let missing = milepost(&["roster", "show"], folder);
    assert!(said(&missing).contains("milepost roster new"), "{}", said(&missing));
    milepost_ok(&["roster", "new", "patrol"], folder);
    milepost_ok(&["roster", "add", "Jo Hill", "--role", "officer"], folder);
    let twice = milepost(&["roster", "add", "jo hill", "--role", "officer"], folder);
    assert!(!twice.status.success() && said(&twice).contains("`renew`"), "{}", said(&twice));
    let nobody = milepost(&["roster", "disable", "Jo Hall"], folder);
    assert!(!nobody.status.success() && said(&nobody).contains("it has Jo Hill"), "{}", said(&nobody));
    let before = std::fs::read_to_string(folder.join("roster.json")).unwrap();
    let first = code(&milepost_ok(&["roster", "renew", "Jo Hill"], folder));
    let after = std::fs::read_to_string(folder.join("roster.json")).unwrap();
    assert!(before != after && !after.contains(&first));

    milepost_ok(&["roster", "sign", "--sign-key", "ann.key", "--good-for-days", "30"], folder);
    milepost_ok(&["roster", "countersign", "patrol.roster", "--sign-key", "bo.key"], folder);
    let shown = milepost_ok(&["roster", "show", "patrol.roster"], folder);
    assert!(shown.contains("patrol version 1") && shown.contains("It counts until"), "{shown}");
    let (_, by) = Roster::look(&std::fs::read(folder.join("patrol.roster")).unwrap()).unwrap();
    let keys = ["ann.key", "bo.key"].map(|name| SigningKey::load(&folder.join(name)).unwrap());
    assert_eq!(by, keys.map(|key| key.verifying_key().id()));
    let again = milepost(&["roster", "sign", "--sign-key", "ann.key", "--version", "1"], folder);
    assert!(said(&again).contains("the next is 2"), "{}", said(&again));
}

/// A unit that takes the roster `patrol` by this key.
fn configure(site: &Site) -> SigningKey {
    milepost_ok(&["hotlist", "keygen", "--no-passphrase", "--out", "roster.key"], site.folder());
    let key = SigningKey::load(&site.folder().join("roster.key")).unwrap();
    site.configure_scene("127.0.0.1:0".parse().unwrap());
    let file = site.folder().join("milepost.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let roster = format!("[roster]\nname = \"patrol\"\nkeys = [\"{}\"]\n", key.verifying_key());
    std::fs::write(file, text + &roster).unwrap();
    key
}

/// Signs the next version and sends it; gives what was sent.
fn publish(site: &Site) -> Vec<u8> {
    milepost_ok(&["roster", "sign", "--sign-key", "roster.key"], site.folder());
    milepost_ok(&publishing(site), site.folder());
    std::fs::read(site.folder().join("patrol.roster")).unwrap()
}

fn publishing(site: &Site) -> Vec<&'static str> {
    let client = site.broker.client("administrator");
    let own =
        [&client.authority, &client.certificate, &client.key].map(|path| leak(&path.display().to_string()));
    let broker = leak(&format!("localhost:{}", client.port));
    let [ca, cert, key] = own;
    vec!["roster", "publish", "patrol.roster", "--broker", broker, "--ca", ca, "--cert", cert, "--key", key]
}

/// For the arguments of a command.
fn leak(text: &str) -> &'static str {
    Box::leak(text.to_owned().into_boxed_str())
}

/// The code that the department's command printed.
fn code(said: &str) -> String {
    let line = said.lines().find(|line| line.starts_with("    ")).expect("the code stands alone");
    line.trim().to_owned()
}

fn console(unit: &Appliance, site: &Site) -> Client {
    let address = unit.word_behind("the console listens address=").parse().unwrap();
    let folder: &Path = &site.folder().join("state/console");
    let mut client = Client::new(address, folder);
    client.get("/sign-in");
    client
}

fn first_administrator(unit: &Appliance, site: &Site) -> Client {
    let code = unit.word_behind("one-time code code=");
    let mut client = console(unit, site);
    let form =
        [("code", code.as_str()), ("name", ADMINISTRATOR), ("password", PASSPHRASE), ("again", PASSPHRASE)];
    assert_eq!(client.post("/set-up", &form).status, 303);
    client
}

/// Signs in once the roster has reached the unit.
fn come_in(unit: &Appliance, site: &Site, name: &str, code: &str) -> Client {
    let mut client = console(unit, site);
    eventually(&format!("{name} comes in"), || {
        let status = client.sign_in(name, code).status;
        // Slowed down, since a person would not try so often.
        std::thread::sleep(Duration::from_millis(if status == 303 { 0 } else { 700 }));
        status == 303
    });
    client.get("/password");
    client
}

/// Somebody at the broker who writes rosters.
struct Publisher {
    runtime: tokio::runtime::Runtime,
    link: Link,
}

impl Publisher {
    fn connect(site: &Site, name: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let subscriptions = Subscriptions { filters: vec![TOPIC.to_owned()], renew: true };
        let own = format!("{name}-by-hand");
        let link =
            runtime.block_on(Link::open(&site.broker.client(name), &own, None, &subscriptions)).unwrap();
        Self { runtime, link }
    }

    /// Returns once the broker has acknowledged it, which it does also with what it drops.
    fn publish(&mut self, payload: &[u8]) {
        {
            // The client's requests are taken by a task of this runtime.
            let _entered = self.runtime.enter();
            self.link.publish(TOPIC.to_owned(), payload.to_vec(), true).unwrap();
        }
        loop {
            match self.runtime.block_on(self.link.next()) {
                LinkEvent::Acknowledged(_) => return,
                LinkEvent::Lost(fault) => panic!("the link is lost: {fault}"),
                _ => {}
            }
        }
    }
}
