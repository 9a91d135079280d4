//! The contract with other programs: one document, the topics and access rights that follow from it, and a client that a
//! stranger wrote from it alone.

#[allow(dead_code, reason = "the appliance's own tests use more of it")]
#[path = "../support/department.rs"]
mod department;
#[allow(dead_code, reason = "the appliance's own tests use more of it")]
#[path = "../support/program.rs"]
mod program;
#[allow(dead_code, reason = "the appliance's own tests use more of it")]
#[path = "../support/rtsp.rs"]
mod rtsp;
#[allow(dead_code, reason = "the appliance's own tests use more of it")]
#[path = "../support/site.rs"]
mod site;
#[path = "../support/mod.rs"]
mod support;

mod compatibility;

use std::collections::BTreeSet;
use std::io::{Seek, Write};
use std::process::Command;

use milepost::delivery::{ListTopic, Topic, UnitTopic};
use milepost::words::{ListName, RecordId, RosterName, UnitId};
use program::Appliance;
use site::{LISTED, Site, TRAFFIC, UNIT};

/// Runs one of the programs beside this; gives what it printed.
fn python(program: &str, arguments: &[&str]) -> String {
    // Debian's own, which has Debian's packages; another may come first on the path.
    let output = Command::new("/usr/bin/python3")
        .arg(format!("tests/contract/{program}"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("the Debian package python3 is installed");
    assert!(output.status.success(), "{program}:\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_document_is_whole_and_the_access_list_grants_what_it_says() {
    python("document.py", &["tests/support"]);
}

#[test]
fn every_topic_has_its_channel_and_every_channel_its_topic() {
    let record = RecordId::new();
    let filled = |address: &str| {
        let parameters =
            [("unit", "north-7"), ("list", "state"), ("roster", "patrol"), ("version", "7"), ("index", "0")];
        let filled = parameters
            .iter()
            .fold(address.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value));
        filled.replace("{record}", &record.to_string())
    };
    let channels: BTreeSet<String> =
        python("document.py", &["tests/support", "addresses"]).lines().map(filled).collect();
    let topics: BTreeSet<String> = every_topic(record).iter().map(Topic::to_string).collect();
    assert_eq!(channels, topics);
}

fn every_topic(record: RecordId) -> Vec<Topic> {
    use UnitTopic::*;
    let of_unit = [
        Status,
        Alerts,
        Picture(record),
        Reads,
        Health,
        Events,
        Canary,
        Receipts,
        Commands,
        CommandResults,
        ManualEntries,
        Answers,
        Memory,
        CommandMemory,
        RosterMemory,
    ];
    let of_list =
        [ListTopic::Manifest, ListTopic::Chunk { version: 7, index: 0 }, ListTopic::Delta { version: 7 }];
    // Whoever adds a topic is led here by the compiler.
    of_unit.iter().for_each(|topic| match topic {
        Status | Alerts | Picture(_) | Reads | Health | Events | Canary | Receipts | Commands
        | CommandResults | ManualEntries | Answers | Memory | CommandMemory | RosterMemory => {}
    });
    let (unit, list) = (UnitId::parse("north-7").unwrap(), ListName::parse("state").unwrap());
    let of_unit = of_unit.into_iter().map(|topic| Topic::Unit(unit.clone(), topic));
    let of_list = of_list.into_iter().map(|topic| Topic::List(list.clone(), topic));
    let roster = Topic::Roster(RosterName::parse("patrol").unwrap());
    of_unit.chain(of_list).chain([roster]).collect()
}

/// Not a test: the process in which the camera serves.
#[test]
#[ignore = "the RTSP server of the other tests, started by them"]
fn rtsp_server_process() {
    rtsp::serve();
}

/// A list, an alert with its receipt, and a command, by what the pages say alone.
#[test]
fn a_strangers_client_works_with_a_unit() {
    let site = Site::open();
    let folder = site.folder();
    let at = folder.display().to_string();
    python("stranger.py", &["keys", &at]);
    let key = std::fs::read_to_string(folder.join("key")).unwrap();
    let clients = ["receiver", "publisher", "dispatcher"].map(|role| site.broker.client(role));
    for client in &clients {
        for file in [&client.authority, &client.certificate, &client.key] {
            std::fs::copy(file, folder.join(file.file_name().unwrap())).unwrap();
        }
    }
    let camera = site.camera(0);
    site.configure(&camera, "127.0.0.1:0".parse().unwrap());
    let configuration = std::fs::read_to_string(folder.join("milepost.toml")).unwrap();
    let configuration = configuration.replace(&site.department.key.to_string(), &key)
        + &format!("[[hotlist.lists]]\nname = \"strangers\"\nkeys = [\"{key}\"]\n")
        + &format!("[[command.people]]\nname = \"Sam Stranger\"\nkey = \"{key}\"\nrole = \"technician\"\n");
    std::fs::write(folder.join("milepost.toml"), configuration).unwrap();
    let mut unit = Appliance::start(folder);
    unit.tells("READY=1");
    let plate = TRAFFIC[2].split(';').next().unwrap();
    assert!(!LISTED.contains(&plate), "nobody but the stranger looks for it");
    let port = clients[0].port.to_string();
    let told = python("stranger.py", &["work", &at, "localhost", &port, UNIT, plate]);
    assert!(told.contains("purged") && told.contains("out of service"), "{told}");
}

/// What judges the messages of all other tests can say no.
#[test]
fn a_message_that_is_not_as_described_is_named_with_its_place() {
    let presence = r#"{"state":"online","session":1,"at":"2026-06-01T12:00:00Z","version":"0.1.0"}"#;
    assert_eq!(judged("status", presence), Ok(()));
    let wrong = |topic: &str, message: &str, words: &[&str]| {
        let told = judged(topic, message).expect_err(message);
        assert!(words.iter().all(|word| told.contains(word)), "{told}");
    };
    wrong("status", &presence.replace("\"session\":1,", ""), &["north-7/status", "'session' is a required"]);
    wrong("status", &presence.replace("0.1.0\"", "0.1.0\",\"later\":1"), &["later"]);
    wrong("status", &presence.replace(":1,", ":\"1\","), &["session: '1' is not of type 'integer'"]);
    wrong("speed", "{}", &["north-7/speed", "no channel has this topic"]);
    wrong("receipts", r#"{"payload":"{\"unit\":7}","signatures":[]}"#, &["payload"]);
    wrong("pictures/0197a000-0000-7000-8000-000000000000", "GIF89a", &["no JPEG"]);
    wrong("alerts", "not JSON", &["no JSON"]);
}

fn judged(topic: &str, message: &str) -> Result<(), String> {
    let mut heard = tempfile::tempfile().unwrap();
    let payload: String = message.bytes().map(|byte| format!("{byte:02x}")).collect();
    writeln!(heard, "milepost/v1/units/north-7/{topic} {payload} .").unwrap();
    heard.rewind().unwrap();
    support::spy::judge(heard.into(), &[])
}
