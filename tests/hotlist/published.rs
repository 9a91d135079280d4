//! From the department's export to a unit, by the command that people use and over a real broker.

use std::path::Path;
use std::time::Duration;

use clap::Parser;
use milepost::commands;
use milepost::crypto::SigningKey;
use milepost::delivery::tls::client_config;
use milepost::hotlist::Effect;

use crate::{Unit, at, support};

/// `milepost hotlist ...`
#[derive(clap::Parser)]
struct Program {
    #[command(subcommand)]
    command: commands::hotlist::Command,
}

fn milepost_hotlist(arguments: &[&str]) -> anyhow::Result<()> {
    commands::hotlist::run(Program::try_parse_from(["hotlist"].iter().chain(arguments))?.command)
}

/// Takes everything that the broker has for a unit's lists until the list is at `version`.
fn follow(unit: &mut Unit, broker: &milepost::delivery::Broker, filters: &[String], version: u64) {
    let tls = client_config(&broker.authority, &broker.certificate, &broker.key).unwrap();
    let mut options = rumqttc::MqttOptions::new("north", "localhost", broker.port.get());
    options
        .set_keep_alive(Duration::from_secs(1))
        .set_max_packet_size(2 << 20, 2 << 20)
        .set_transport(rumqttc::Transport::tls_with_config(tls.into()));
    let (client, mut connection) = rumqttc::Client::new(options, 100);
    for filter in filters {
        client.subscribe(filter, rumqttc::QoS::AtLeastOnce).unwrap();
    }
    let started = std::time::Instant::now();
    while unit.version() != Some(version) {
        assert!(started.elapsed() < Duration::from_secs(30), "version {version} never came");
        let effects = match connection.recv().unwrap().unwrap() {
            rumqttc::Event::Incoming(rumqttc::Incoming::Publish(message)) => {
                unit.updates.on_message(&message.topic, &message.payload, at(started.elapsed().as_secs()))
            }
            _ => unit.updates.on_time(at(started.elapsed().as_secs())),
        };
        for effect in effects {
            match effect {
                Effect::Subscribe(filter) => client.subscribe(filter, rumqttc::QoS::AtLeastOnce).unwrap(),
                Effect::Unsubscribe(filter) => client.unsubscribe(filter).unwrap(),
                Effect::Installed(_) => {}
                Effect::Refused { why, .. } => panic!("{why}"),
            }
        }
    }
    client.disconnect().unwrap();
}

#[test]
fn from_the_departments_export_to_the_unit_over_a_real_broker() {
    let broker = support::Mosquitto::start();
    let publisher = broker.client("publisher");
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let export: String = (0..25_000).map(|number| format!("P{number:05};MA\n")).collect();
    std::fs::write(path("first.csv"), format!("plate;state\n{export}")).unwrap();
    std::fs::write(path("second.csv"), format!("{}NEW1;NH\n", export.replace("P00001;MA\n", ""))).unwrap();
    std::fs::write(path("passphrase"), "correct horse battery staple\n").unwrap();
    milepost_hotlist(&["keygen", "--out", &path("key.pem"), "--passphrase-file", &path("passphrase")])
        .unwrap();
    for list in ["first", "second"] {
        milepost_hotlist(&["import", &path(&format!("{list}.csv")), "--out", &path(list)]).unwrap();
    }
    let publish = |edition: &str| {
        let port = format!("localhost:{}", publisher.port);
        let [ca, cert, key] = [&publisher.authority, &publisher.certificate, &publisher.key]
            .map(|file| file.display().to_string());
        milepost_hotlist(&[
            "publish",
            &path(edition),
            "--broker",
            &port,
            "--ca",
            &ca,
            "--cert",
            &cert,
            "--key",
            &key,
        ])
    };
    let sign = |file: &str, version: &str, more: &[&str]| {
        let edition = path(&format!("edition-{version}"));
        let (file, key, passphrase) = (path(file), path("key.pem"), path("passphrase"));
        let basic = [
            "sign",
            &file,
            "--list",
            "state-stolen",
            "--key",
            &key,
            "--out",
            &edition,
            "--version",
            version,
            "--issued",
            "2026-06-01T06:00:00Z",
            "--passphrase-file",
            &passphrase,
        ];
        milepost_hotlist(&[&basic[..], more].concat()).unwrap();
    };

    let key = SigningKey::unlock(Path::new(&path("key.pem")), "correct horse battery staple").unwrap();
    let north = broker.client("north");
    let mut unit = Unit::trusting(&key);
    sign("first", "1", &[]);
    publish("edition-1").unwrap();
    let filters = unit.updates.subscriptions();
    follow(&mut unit, &north, &filters, 1);
    assert!(unit.finds("P00001") && !unit.finds("NEW1"));

    sign("second", "2", &["--previous", &path("first"), "--previous-version", "1"]);
    let public = key.verifying_key().to_string();
    milepost_hotlist(&["inspect", &path("edition-2"), "--key", &public]).unwrap();
    let stranger = SigningKey::generate().verifying_key().to_string();
    assert!(milepost_hotlist(&["inspect", &path("edition-2"), "--key", &stranger]).is_err());
    publish("edition-2").unwrap();
    let filters = unit.updates.subscriptions();
    follow(&mut unit, &north, &filters, 2);
    assert!(!unit.finds("P00001") && unit.finds("NEW1"));
    assert!(unit.hotlist.summary(at(0).wall)[0].refusals == 0);

    // A unit that subscribes to everything gets the new snapshot in the broker's order.
    let mut other = Unit::trusting(&key);
    follow(&mut other, &north, &["milepost/v1/lists/state-stolen/#".to_owned()], 2);
    assert!(!other.finds("P00001") && other.finds("NEW1"));
}
