//! `config/messages.md`, "What may change within version 1", as our own parsers follow it.

use std::fmt::Debug;

use jiff::Timestamp;
use milepost::alert::Answer;
use milepost::command::{Command, CommandResult};
use milepost::crypto::{SignatureError, Signed, SigningKey};
use milepost::delivery::{Event, Presence, Receipt};
use milepost::health::HealthReport;
use milepost::hotlist::{Delta, Manifest, ManualMessage, Refusal, parse_line};
use milepost::receive::Receiver;
use milepost::system::SystemClock;
use milepost::words::{ListName, UnitId};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::python;
use crate::support::{Mosquitto, eventually, files};

/// The first example of a message in `config/asyncapi.yaml`.
fn example(message: &str) -> Value {
    serde_json::from_str(&python("document.py", &["tests/support", "example", message])).unwrap()
}

/// What a signed message says, with a field that nobody knows yet.
fn extended(message: &str) -> Value {
    let mut payload: Value = serde_json::from_str(example(message)["payload"].as_str().unwrap()).unwrap();
    payload["later"] = json!("added by a newer version");
    payload
}

/// Adds a field to every object; but where the keys are values themselves.
fn extend_deeply(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields
                .iter_mut()
                .filter(|(name, _)| *name != "lost_by_reason")
                .for_each(|(_, field)| extend_deeply(field));
            fields.insert("later".into(), json!(1));
        }
        Value::Array(items) => items.iter_mut().for_each(extend_deeply),
        _ => {}
    }
}

#[test]
fn a_unit_refuses_an_order_that_it_does_not_know_to_the_last_field() {
    fn refuses<T: DeserializeOwned + Debug>(message: &str, purpose: &str) {
        let key = SigningKey::generate();
        let payload = Signed::new(purpose, &extended(message), &[&key]).to_json();
        let refused = Signed::verify::<T>(&payload, purpose, &[key.verifying_key()]).unwrap_err();
        assert!(
            matches!(&refused, SignatureError::Payload(why) if why.to_string().contains("later")),
            "{message}: {refused}"
        );
    }
    refuses::<Command>("command", "command");
    refuses::<Answer>("answer", "answer");
    refuses::<ManualMessage>("manualMessage", "manual entry");
    refuses::<Manifest>("manifest", "hotlist manifest");

    let (key, list) = (SigningKey::generate(), ListName::parse("state-stolen").unwrap());
    let delta = extended("delta");
    let version = delta["version"].as_u64().unwrap();
    let payload = Signed::new("hotlist delta", &delta, &[&key]).to_json();
    let refused =
        Delta::open(&payload, &list, version, &[key.verifying_key()], Timestamp::now()).unwrap_err();
    assert!(matches!(refused, Refusal::Signature(SignatureError::Payload(_))), "{refused}");
    assert!(parse_line(br#"{"plate":"ABC123","category":"stolen","later":1}"#).is_err());
    assert!(parse_line(br#"{"plate":"ABC123","category":"later"}"#).is_err());
    assert!(parse_line(br#"{"plate":"ABC123","category":"stolen"}"#).is_ok());
}

#[test]
fn a_unit_takes_from_a_receipt_what_it_knows() {
    let key = SigningKey::generate();
    let mut receipt = extended("receipt");
    extend_deeply(&mut receipt);
    let payload = Signed::new("receipt", &receipt, &[&key]).to_json();
    let unit = UnitId::parse("north-7").unwrap();
    assert_eq!(Receipt::verify(&payload, &unit, &[key.verifying_key()]).unwrap().len(), 1);
}

#[test]
fn what_a_newer_unit_adds_is_ignored() {
    fn ignores<T: DeserializeOwned + Serialize + Debug>(mut told: Value) {
        let known: T = serde_json::from_value(told.clone()).unwrap();
        extend_deeply(&mut told);
        let extended: T = serde_json::from_value(told).unwrap();
        assert_eq!(serde_json::to_value(extended).unwrap(), serde_json::to_value(known).unwrap());
    }
    ignores::<Presence>(example("presence"));
    ignores::<CommandResult>(example("commandResult"));
    ignores::<HealthReport>(example("health"));
    let mut event = example("alert");
    extend_deeply(&mut event);
    assert_eq!(Event::parse(event.to_string().as_bytes()).unwrap().len(), 1);
}

/// An event of a type that is new to the receiver, from a unit that is newer than it.
#[test]
fn the_receiver_stores_and_receipts_what_it_does_not_know() {
    let (mut broker, folder) = (Mosquitto::start(), tempfile::tempdir().unwrap());
    broker.excuse("milepost/v1/units/north-7/events");
    let config = broker.receiver(&folder.path().join("vault"), SigningKey::generate());
    let (_receiver, _news) = Receiver::start(config, std::sync::Arc::new(SystemClock::new())).unwrap();
    let mut event = example("healthChange");
    event["type"] = json!("milepost.later.v1");
    extend_deeply(&mut event);
    let topic = "milepost/v1/units/north-7/events";
    eventually("it is stored", || {
        // The receiver may not have subscribed yet; a record that comes twice is stored once.
        broker.publish("north-7", topic, event.to_string().as_bytes());
        files(&folder.path().join("vault"))
            .iter()
            .any(|file| std::fs::read_to_string(file).is_ok_and(|text| text.contains("milepost.later.v1")))
    });
}
