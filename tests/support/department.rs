//! The department's side: a real receiver that stores and answers, and what it has heard and stored.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use milepost::crypto::{Digest, SigningKey, VerifyingKey};
use milepost::receive::{News, NewsKind, Receiver};
use milepost::system::SystemClock;
use serde_json::Value;

use crate::support::{Mosquitto, files};

/// A receiver at work. What it stored is read from its files, so that only what is durable counts.
pub struct Department {
    folder: PathBuf,
    pub key: VerifyingKey,
    /// The file of the key that signs.
    pub keys: PathBuf,
    reports: Arc<Mutex<Reports>>,
    _receiver: Receiver,
}

/// The newest reports of the one unit.
#[derive(Default)]
struct Reports {
    presence: Value,
    health: Value,
}

impl Department {
    pub fn open(broker: &Mosquitto, folder: &Path) -> Self {
        let keys = folder.with_extension("key");
        SigningKey::generate().save(&keys).unwrap();
        let key = SigningKey::load(&keys).unwrap();
        let verifying = key.verifying_key();
        let (receiver, mut news) =
            Receiver::start(broker.receiver(folder, key), Arc::new(SystemClock::new())).unwrap();
        let reports = Arc::new(Mutex::new(Reports::default()));
        let heard = Arc::clone(&reports);
        std::thread::spawn(move || {
            while let Some(News { kind, .. }) = news.blocking_recv() {
                match kind {
                    NewsKind::Status(presence) => heard.lock().unwrap().presence = presence,
                    NewsKind::Health(health) => heard.lock().unwrap().health = health,
                    _ => {}
                }
            }
        });
        Self { folder: folder.into(), key: verifying, keys, reports, _receiver: receiver }
    }

    pub fn presence(&self) -> Value {
        self.reports.lock().unwrap().presence.clone()
    }

    pub fn health(&self) -> Value {
        self.reports.lock().unwrap().health.clone()
    }

    /// Whether the newest health report shows this service state, and every one of these reasons.
    pub fn sees(&self, state: &str, reasons: &[&str]) -> bool {
        let health = self.health();
        let given: BTreeSet<&str> = health["service"]["reasons"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|standing| standing["reason"].as_str())
            .collect();
        health["service"]["state"] == state && reasons.iter().all(|reason| given.contains(reason))
    }

    /// Every stored event of a book (`alerts`, `reads`, `events`), in the order in which it came.
    pub fn events(&self, book: &str) -> Vec<Value> {
        let mut events = Vec::new();
        for path in files(&self.folder) {
            if path.file_name().is_some_and(|name| name.to_str() == Some(&format!("{book}.jsonl"))) {
                let text = std::fs::read_to_string(path).unwrap();
                // The last line may be in the middle of being written.
                let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
                events.extend(whole.lines().map(|line| {
                    let mut line: Value = serde_json::from_str(line).unwrap();
                    line["event"].take()
                }));
            }
        }
        events
    }

    /// How many pictures these events name that are not stored with the digest that the event gives.
    pub fn missing_pictures(&self, events: &[Value]) -> usize {
        let pictures = self.pictures();
        let named = events.iter().flat_map(|event| event["data"]["pictures"].as_array().unwrap());
        let is_stored = |picture: &Value| {
            let digest = pictures.get(picture["id"].as_str().unwrap());
            digest.is_some_and(|digest| picture["sha256"] == digest.to_string())
        };
        named.filter(|picture| !is_stored(picture)).count()
    }

    /// The ids of all records that units have certified to be purged.
    pub fn purged(&self) -> BTreeSet<String> {
        let certificates = self.events("events");
        let purged = certificates.iter().filter_map(|event| event["data"]["records"].as_array()).flatten();
        purged.map(|record| record["id"].as_str().unwrap().to_owned()).collect()
    }

    fn pictures(&self) -> BTreeMap<String, Digest> {
        let pictures =
            files(&self.folder).into_iter().filter(|path| path.extension().is_some_and(|end| end == "jpg"));
        pictures
            .map(|path| {
                let id = path.file_stem().unwrap().to_str().unwrap().to_owned();
                (id, Digest::of(&std::fs::read(path).unwrap()))
            })
            .collect()
    }
}
