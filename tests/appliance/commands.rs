//! The department's signed commands, with the real program, a real broker and its access list, and everybody who would
//! like to command a unit and may not.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use milepost::command::{Act, Command, CommandResult, Outcome};
use milepost::crypto::{Letter, SigningKey};
use milepost::delivery::{Link, LinkEvent, Subscriptions, Topic, UnitTopic};
use milepost::hotlist::Text;
use milepost::words::UnitId;
use serde_json::json;

use crate::program::{Appliance, milepost, milepost_ok, said};
use crate::site::{Site, UNIT};
use crate::support::{Mosquitto, eventually};

/// A change of the service state must be at the broker within this time.
const REPORTED_WITHIN: Duration = Duration::from_secs(1);

#[test]
fn a_unit_obeys_whom_it_was_told_to_once_and_nobody_else() {
    let site = Site::open();
    let [ann, bo, stranger] = ["ann.key", "bo.key", "stranger.key"].map(|name| person(&site, name));
    site.configure_scene("127.0.0.1:0".parse().unwrap());
    let people = [("Ann Lee", &ann, "technician"), ("Bo Hill", &bo, "officer")];
    let mut configuration = std::fs::read_to_string(site.folder().join("milepost.toml")).unwrap();
    for (name, key, role) in people {
        let key = key.verifying_key();
        configuration +=
            &format!("[[command.people]]\nname = \"{name}\"\nkey = \"{key}\"\nrole = \"{role}\"\n");
    }
    std::fs::write(site.folder().join("milepost.toml"), configuration).unwrap();
    let mut unit = Appliance::start(site.folder());
    unit.tells("READY=1");
    let mut dispatcher = Client::connect(&site.broker, "dispatcher");

    // By the command that people use.
    let said = command_ok(&site, "ann.key", &["take-out", "--reason", "window broken"]);
    let answered = Instant::now();
    assert_eq!(said.trim(), "north-7: The unit is out of service.");
    eventually("the broker knows", || site.department.sees("out-of-service", &["taken-out"]));
    assert!(answered.elapsed() < REPORTED_WITHIN, "reported after {:?}", answered.elapsed());
    let taken = site.audited("command-taken").remove(0);
    assert_eq!(
        (&taken["who"]["person"], &taken["what"]["reason"]),
        (&json!("Ann Lee"), &json!("window broken"))
    );
    let before_the_return = std::fs::read(site.folder().join("state/commands")).unwrap();

    // Whoever may not is refused: a known person is told why, anybody else nothing.
    let back = command(Act::Return {});
    let silent = |refusals: usize| {
        eventually("the refusal is audited", || site.audited("command-refused").len() == refusals);
    };
    dispatcher.send(&back.sign(&stranger));
    silent(1);
    let forged = String::from_utf8(back.sign(&ann)).unwrap().replace("mended", "menaced");
    dispatcher.send(forged.as_bytes());
    silent(2);
    let elsewhere = Command { unit: UnitId::parse("south-1").unwrap(), ..back.clone() };
    dispatcher.send(&elsewhere.sign(&ann));
    silent(3);
    let answer = dispatcher.ask(&back.sign(&bo), &back);
    assert!(answer.said.contains("Bo Hill may not command this as officer"), "{}", answer.said);
    let stale =
        Command { issued: Timestamp::now() - SignedDuration::from_hours(2), ..command(Act::Return {}) };
    let stale = Command { expires: stale.issued + SignedDuration::from_hours(1), ..stale };
    let answer = dispatcher.ask(&stale.sign(&ann), &stale);
    assert!(
        answer.outcome == Outcome::Refused && answer.said.contains("It was good until"),
        "{}",
        answer.said
    );
    // Another unit's certificate may not even write there: the broker drops it.
    Client::connect(&site.broker, "south-1").send(&back.sign(&ann));
    assert!(site.department.sees("out-of-service", &["taken-out"]));

    // And who may, once.
    let done = dispatcher.ask(&back.sign(&ann), &back);
    assert_eq!((done.outcome, done.by.as_str()), (Outcome::Done, "Ann Lee"), "{}", done.said);
    eventually("the unit is back", || site.department.sees("degraded", &[]));
    let out = command(Act::TakeOut {});
    assert_eq!(dispatcher.ask(&out.sign(&ann), &out).outcome, Outcome::Done);
    eventually("the unit is out again", || site.department.sees("out-of-service", &["taken-out"]));
    let carried_out = site.audited("command-taken").len();
    assert_eq!(dispatcher.ask(&back.sign(&ann), &back), done, "answered as the first time");
    assert_eq!(site.audited("command-taken").len(), carried_out, "and not carried out again");
    assert!(site.department.sees("out-of-service", &["taken-out"]));

    // Neither a restart nor storage from before the return makes it forget.
    let (status, _, told) = unit.terminate();
    assert!(status.success(), "{told}");
    std::fs::write(site.folder().join("state/commands"), before_the_return).unwrap();
    let mut unit = Appliance::start(site.folder());
    unit.tells("READY=1");
    let answer = dispatcher.ask(&back.sign(&ann), &back);
    assert_eq!(answer.outcome, Outcome::Refused, "{}", answer.said);
    assert!(site.department.sees("out-of-service", &["taken-out"]));

    a_snapshot_is_delivered(&site);
    eventually("the view has settled, and is the reference", || {
        run(&site, "ann.key", &["verify-aim", "--reason", "aimed at the lane"])
            .1
            .contains("its reference now")
    });
    assert_eq!(site.audited("aim-verified")[0]["who"]["person"], "Ann Lee");
    let refused = run(&site, "ann.key", &["snapshot", "--camera", "lane-9", "--reason", "look"]);
    assert!(!refused.0 && refused.1.contains("it has lane-1"), "{}", refused.1);
    let silence =
        run(&site, "ann.key", &["--unit", "south-1", "--wait-s", "1", "return", "--reason", "mended"]);
    assert!(!silence.0 && silence.1.contains("south-1: no answer in 1 s"), "{}", silence.1);
    let (status, _, told) = unit.terminate();
    assert!(status.success(), "{told}");
    assert_eq!(site.readable_at_rest(), Vec::<String>::new());
}

fn a_snapshot_is_delivered(site: &Site) {
    let said = command_ok(site, "bo.key", &["snapshot", "--reason", "is the lens clean?"]);
    let (_, rest) = said.split_once("stores it as ").expect("the picture is named");
    let (id, rest) = rest.split_once(".jpg, SHA-256 ").unwrap();
    let picture = json!({"id": id, "sha256": rest.trim().trim_end_matches('.')});
    let named = json!({"data": {"pictures": [picture]}});
    eventually("the picture arrives", || site.department.missing_pictures(std::slice::from_ref(&named)) == 0);
    eventually("it is purged once it was received", || site.department.purged().contains(id));
    let answered = site.audited("command-answered");
    assert!(answered.iter().any(|entry| entry["what"]["picture"] == id), "{answered:?}");
}

fn person(site: &Site, name: &str) -> SigningKey {
    milepost_ok(&["hotlist", "keygen", "--no-passphrase", "--out", name], site.folder());
    SigningKey::load(&site.folder().join(name)).unwrap()
}

fn command(act: Act) -> Command {
    let unit = UnitId::parse(UNIT).unwrap();
    Command::new(unit, act, Text::parse("mended").unwrap(), Timestamp::now(), SignedDuration::from_mins(5))
}

/// Whether `milepost command` succeeded, and what it said.
fn run(site: &Site, key: &str, act: &[&str]) -> (bool, String) {
    let client = site.broker.client("dispatcher");
    let [ca, cert, tls_key] =
        [&client.authority, &client.certificate, &client.key].map(|file| file.display().to_string());
    let broker = format!("localhost:{}", client.port);
    let to = ["--broker", &broker, "--ca", &ca, "--cert", &cert, "--key", &tls_key, "--sign-key", key];
    let unit: &[&str] = if act.contains(&"--unit") { &[] } else { &["--unit", UNIT] };
    let output = milepost(&[&["command"], &to[..], unit, act].concat(), site.folder());
    (output.status.success(), said(&output))
}

fn command_ok(site: &Site, key: &str, act: &[&str]) -> String {
    let (well, said) = run(site, key, act);
    assert!(well, "{said}");
    said
}

/// Somebody at the broker who writes commands and hears the results.
struct Client {
    runtime: tokio::runtime::Runtime,
    link: Link,
}

impl Client {
    fn connect(broker: &Mosquitto, name: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let results = Topic::Unit(UnitId::parse(UNIT).unwrap(), UnitTopic::CommandResults).to_string();
        let subscriptions = Subscriptions { filters: vec![results], renew: true };
        let own = format!("{name}-by-hand");
        let link = runtime.block_on(Link::open(&broker.client(name), &own, None, &subscriptions)).unwrap();
        Self { runtime, link }
    }

    /// Returns once the broker has acknowledged it, which it does also with what it drops.
    fn send(&mut self, payload: &[u8]) {
        self.publish(payload);
        while !matches!(self.runtime.block_on(self.link.next()), LinkEvent::Acknowledged(_)) {}
    }

    fn publish(&self, payload: &[u8]) {
        let topic = Topic::Unit(UnitId::parse(UNIT).unwrap(), UnitTopic::Commands).to_string();
        // The client's requests are taken by a task of this runtime.
        let _entered = self.runtime.enter();
        self.link.publish(topic, payload.to_vec(), false).unwrap();
    }

    /// The answer to this command.
    fn ask(&mut self, payload: &[u8], command: &Command) -> CommandResult {
        self.publish(payload);
        self.runtime.block_on(async {
            let answered = async {
                loop {
                    match self.link.next().await {
                        LinkEvent::Arrived(arrival) => {
                            self.link.accept(&arrival).unwrap();
                            let result: CommandResult = serde_json::from_slice(arrival.payload()).unwrap();
                            if result.nonce == command.nonce {
                                return result;
                            }
                        }
                        LinkEvent::Lost(fault) => panic!("the link is lost: {fault}"),
                        _ => {}
                    }
                }
            };
            tokio::time::timeout(Duration::from_secs(30), answered).await.expect("an answer")
        })
    }
}
