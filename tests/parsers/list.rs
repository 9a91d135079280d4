//! Every parser of bytes from outside, with examples to begin from: shared by the test that runs on every change and
//! by the fuzz targets.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use milepost::audit;
use milepost::config::{self, SAMPLE};
use milepost::crypto::{Digest, Signed, SigningKey, UnitKey, VerifyingKey};
use milepost::delivery::{Broker, Receipt};
use milepost::enroll::{self, Authority, InUse, Keys, Offer};
use milepost::hotlist::{
    Category, ChunkError, Delta, Entry, Listed, Manifest, ManualAct, ManualMessage, May, Removal, Request,
    Signatory, Text, Topic, digest_of_chunks, pack_chunk, parse_line, unpack_chunk,
};
use milepost::network;
use milepost::words::{ListName, PersonName, RecordId, UnitId};
use serde_json::value::RawValue;

/// Whether the bytes were taken.
type Takes = dyn Fn(&[u8]) -> bool;

/// A parser, and what it must do with good bytes: take them. With any others it must only not panic.
pub struct Parser {
    pub name: &'static str,
    pub examples: Vec<Vec<u8>>,
    pub takes: Box<Takes>,
}

/// What the parser of a signed message sees of bytes whose signature is good: the hardest liar is a signer.
fn signed(purpose: &str, payload: &[u8], key: &SigningKey) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(payload).ok()?.to_owned();
    Some(Signed::new(purpose, &RawValue::from_string(text).ok()?, &[key]).to_json())
}

/// Gone with whoever holds it.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A unit with an identity, and a renewed certificate for the same key. Its folder must outlive it.
fn enrolled(folder: &Path) -> (InUse, String) {
    let authority = Authority::create("Test Department").unwrap();
    let unit = UnitId::parse("north").unwrap();
    std::fs::write(folder.join("ca.pem"), authority.certificate_pem()).unwrap();
    let request = std::fs::read_to_string(enroll::request(&Keys::files(folder), &unit).unwrap()).unwrap();
    let [first, second] = [(), ()].map(|()| authority.sign(&request, &unit).unwrap());
    std::fs::write(folder.join("first.pem"), first).unwrap();
    let [ca, certificate, key] = ["ca.pem", "first.pem", "unit.key"].map(|name| folder.join(name));
    let broker = Broker { authority: ca, certificate, key, ..Broker::default() };
    (InUse::open(folder, &UnitKey::generate(), unit, &broker).unwrap(), second)
}

pub fn all() -> Vec<Parser> {
    let now: Timestamp = "2026-06-01T12:00:00Z".parse().unwrap();
    let list = ListName::parse("state").unwrap();
    let unit = UnitId::parse("north").unwrap();
    let key = || SigningKey::generate();
    let entry = Entry {
        reason: Text::parse("taken from a driveway").unwrap(),
        until: Some(now),
        ..Entry::new(Listed::parse("ABC123").unwrap(), Category::Stolen)
    };
    let pattern = Entry::new(Listed::parse("?BC*").unwrap(), Category::Bolo);
    let chunk = pack_chunk(&[entry.clone(), pattern.clone()]);
    let manifest = Manifest {
        list: list.clone(),
        version: 7,
        base: Some(6),
        issued: now,
        expires: None,
        count: 2,
        digest: digest_of_chunks(&[Digest::of(&chunk)]),
        chunks: vec![Digest::of(&chunk)],
    };
    let delta = Delta {
        list: list.clone(),
        base: 6,
        version: 7,
        issued: now,
        expires: None,
        count: 2,
        remove: vec![Removal::of(&entry)],
        add: vec![pattern.clone()],
    };
    let manual =
        ManualMessage::new(unit.clone(), ManualAct::Request(Request::Add { entry: entry.clone() }), now);
    let envelope = manifest.sign(&[&key()]);
    let lines = [entry, pattern].map(|entry| serde_json::to_vec(&entry).unwrap());
    let json = |value: &dyn Fn() -> serde_json::Result<Vec<u8>>| vec![value().unwrap()];

    let manifest_key = key();
    let delta_key = key();
    let changes_key = key();
    let manual_key = key();
    let people = vec![Signatory {
        name: PersonName::parse("Ann Lee").unwrap(),
        key: manual_key.verifying_key(),
        may: May::Both,
    }];
    let trusted: Vec<VerifyingKey> = vec![key().verifying_key()];
    let (manifest_list, delta_list, changes_list) = (list.clone(), list.clone(), list);
    let receipt_unit = unit.clone();
    let offer_folder = Folder(std::env::temp_dir().join(format!("milepost-{}", RecordId::new())));
    std::fs::create_dir(&offer_folder.0).unwrap();
    let (offer_unit, offer_certificate) = enrolled(&offer_folder.0);
    vec![
        Parser {
            name: "topic",
            examples: vec![
                b"milepost/v1/lists/state/chunks/7/0".to_vec(),
                b"milepost/v1/units/north/manual-entries".to_vec(),
            ],
            takes: Box::new(|bytes| {
                let text = String::from_utf8_lossy(bytes);
                let (ours, lists) = (milepost::delivery::Topic::parse(&text), Topic::parse(&text));
                if let Some(topic) = &ours {
                    assert_eq!(topic.to_string(), text);
                }
                ours.is_some() || lists.is_some()
            }),
        },
        Parser {
            name: "certificate-offer",
            examples: vec![offer_certificate.clone().into_bytes()],
            takes: Box::new(move |bytes| {
                let _lies_there = &offer_folder;
                let text = String::from_utf8_lossy(bytes).into_owned();
                let of = |certificate: &str, authority: &str| {
                    let offer = Offer { certificate: certificate.into(), authority: authority.into() };
                    offer_unit.judge(&offer, Timestamp::now()).is_ok()
                };
                of("", &text);
                of(&text, "")
            }),
        },
        Parser {
            name: "envelope",
            examples: vec![envelope.clone()],
            takes: Box::new(move |bytes| {
                let opened = Signed::verify::<Manifest>(bytes, "hotlist manifest", &trusted);
                assert!(opened.is_err(), "a stranger's signature");
                bytes == envelope
            }),
        },
        Parser {
            name: "manifest",
            examples: json(&|| serde_json::to_vec(&manifest)),
            takes: Box::new(move |bytes| {
                let Some(message) = signed("hotlist manifest", bytes, &manifest_key) else { return false };
                Manifest::open(&message, &manifest_list, &[manifest_key.verifying_key()], now).is_ok()
            }),
        },
        Parser {
            name: "delta",
            examples: json(&|| serde_json::to_vec(&delta)),
            takes: Box::new(move |bytes| {
                let Some(message) = signed("hotlist delta", bytes, &delta_key) else { return false };
                Delta::open(&message, &delta_list, 7, &[delta_key.verifying_key()], now).is_ok()
            }),
        },
        Parser {
            name: "delta-changes",
            examples: vec![
                serde_json::to_vec(&serde_json::json!({"remove": delta.remove, "add": delta.add})).unwrap(),
            ],
            takes: Box::new(move |bytes| {
                let packed = zstd::bulk::compress(bytes, 1).unwrap();
                let letter = serde_json::json!({"list": "state", "base": 6, "version": 7, "issued": now, "count": 2,
                    "changes": Digest::of(&packed)});
                let envelope = Signed::new("hotlist delta", &letter, &[&changes_key]).to_json();
                let message = [&envelope, b"\n".as_slice(), &packed].concat();
                Delta::open(&message, &changes_list, 7, &[changes_key.verifying_key()], now).is_ok()
            }),
        },
        Parser {
            name: "chunk",
            examples: vec![chunk],
            takes: Box::new(|bytes| unpack_chunk(bytes, |_| Ok::<_, ChunkError>(())).is_ok()),
        },
        Parser {
            name: "entry",
            examples: lines.to_vec(),
            takes: Box::new(|bytes| match parse_line(bytes) {
                Ok(entry) => {
                    let again = serde_json::to_vec(&entry).unwrap();
                    assert_eq!(parse_line(&again).unwrap(), entry);
                    true
                }
                Err(_) => false,
            }),
        },
        Parser {
            name: "manual-message",
            examples: json(&|| serde_json::to_vec(&manual)),
            takes: Box::new(move |bytes| {
                let Some(message) = signed("manual entry", bytes, &manual_key) else { return false };
                ManualMessage::open(&message, &unit, &people, now).is_ok()
            }),
        },
        Parser {
            name: "receipt",
            examples: vec![receipt(&receipt_unit, now)],
            takes: Box::new(move |bytes| {
                let key = SigningKey::generate();
                let Some(message) = signed("receipt", bytes, &key) else { return false };
                Receipt::verify(&message, &receipt_unit, &[key.verifying_key()]).is_ok()
            }),
        },
        Parser {
            name: "configuration",
            examples: vec![SAMPLE.as_bytes().to_vec()],
            takes: Box::new(|bytes| {
                let text = String::from_utf8_lossy(bytes);
                config::parse::<config::Config>(&text, Path::new("milepost.toml")).is_ok()
            }),
        },
        Parser {
            name: "network-request",
            examples: network_requests(),
            takes: Box::new(|bytes| match network::Request::parse(bytes) {
                Ok(request) => {
                    if let network::Ask::Try { change, .. } = &request.ask {
                        only_settings(&network::Wanted::default().with(change));
                    }
                    true
                }
                Err(_) => false,
            }),
        },
        Parser {
            name: "audit-log",
            examples: vec![audit_line(now)],
            takes: Box::new(|bytes| audit::verify(bytes, None, None).is_ok()),
        },
    ]
}

fn network_requests() -> Vec<Vec<u8>> {
    let typed = network::Typed::Static { address: "10.0.0.5/24", gateway: "10.0.0.1", dns: "2001:db8::1" };
    let interface = network::Change::of_interface("eth0", typed).unwrap();
    let changes = [
        interface.beside("192.168.200.1/24".parse().unwrap()),
        network::Change::of_time_servers("time.example.org 192.0.2.1").unwrap(),
    ];
    let tries = changes.map(|change| network::Ask::Try { change, confirm_s: 120 });
    let asks = tries.into_iter().chain([network::Ask::Keep { trial: RecordId::new() }]);
    asks.map(|ask| serde_json::to_vec(&network::Request { id: RecordId::new(), ask }).unwrap()).collect()
}

/// Whatever was asked, root writes the settings that it knows, one on each line, and nowhere else.
fn only_settings(wanted: &network::Wanted) {
    let keys = ["Name=", "DHCP=", "Address=", "Gateway=", "DNS=", "NTP="];
    let heads = ["", "[Match]", "[Network]", "[Time]"];
    for file in network::files(wanted, &[]) {
        let folder = file.path.parent().unwrap();
        assert!(
            [network::folder(), Path::new("/run/systemd/timesyncd.conf.d")].contains(&folder),
            "{file:?}"
        );
        for line in file.text.iter().flat_map(|text| text.lines()).filter(|line| !line.starts_with('#')) {
            let value = keys.iter().find_map(|key| line.strip_prefix(key));
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:/ ".contains(c);
            assert!(heads.contains(&line) || value.is_some_and(|value| value.chars().all(plain)), "{line:?}");
        }
    }
}

fn receipt(unit: &UnitId, at: Timestamp) -> Vec<u8> {
    let record = serde_json::json!({"id": RecordId::new(), "sha256": Digest::of(b"a record")});
    serde_json::to_vec(&serde_json::json!({"unit": unit, "at": at, "records": [record]})).unwrap()
}

fn audit_line(at: Timestamp) -> Vec<u8> {
    let (line, _) = audit::Chain::start().write(at, true, &audit::Who::Unit, &audit::Event::Stopped);
    line.into_bytes()
}
