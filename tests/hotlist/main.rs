//! A list is taken whole or not at all, by those who may sign it, and never backwards.

mod editions;
mod manual;
mod published;
mod storage;
#[path = "../support/mod.rs"]
mod support;

use std::time::Duration;

use jiff::Timestamp;
use milepost::crypto::{Digest, SigningKey, UnitKey};
use milepost::hotlist::{
    Category, Config, Delta, Effect, Entry, Hotlist, List, Listed, Manifest, MatchKind, Refusal, Removal,
    Text, Topic, Updates, digest_of_chunks, pack_chunk,
};
use milepost::words::{ALPHABET, ListName, Moment, Plate, Reading, Slot, State, StateReading};

fn list() -> ListName {
    ListName::parse("state-stolen").unwrap()
}

fn issued() -> Timestamp {
    "2026-06-01T06:00:00Z".parse().unwrap()
}

fn at(seconds: u64) -> Moment {
    let passed = Duration::from_secs(seconds);
    Moment { uptime: passed, wall: "2026-06-01T12:00:00Z".parse::<Timestamp>().unwrap() + passed }
}

fn entry(plate: &str) -> Entry {
    let case = Text::parse(&format!("case of {plate}")).unwrap();
    Entry { state: Some(State::Ma), case, ..Entry::new(Listed::parse(plate).unwrap(), Category::Stolen) }
}

/// Entries `P0000` to `P{count - 1}`.
fn entries(count: usize) -> Vec<Entry> {
    (0..count).map(|number| entry(&format!("P{number:04}"))).collect()
}

/// A topic and what travels under it.
type Message = (String, Vec<u8>);

/// What a department publishes, the manifest first.
fn snapshot(key: &SigningKey, version: u64, base: Option<u64>, entries: &[Entry]) -> Vec<Message> {
    let chunks: Vec<Vec<u8>> = entries.chunks(100).map(pack_chunk).collect();
    let digests: Vec<Digest> = chunks.iter().map(|chunk| Digest::of(chunk)).collect();
    let manifest = Manifest {
        list: list(),
        version,
        base,
        issued: issued(),
        expires: None,
        count: entries.len() as u64,
        digest: digest_of_chunks(&digests),
        chunks: digests,
    };
    let first = (Topic::Manifest(list()).to_string(), manifest.sign(&[key]));
    let rest = chunks
        .into_iter()
        .zip(0..)
        .map(|(chunk, index)| (Topic::Chunk { list: list(), version, index }.to_string(), chunk));
    std::iter::once(first).chain(rest).collect()
}

fn delta(key: &SigningKey, base: u64, count: u64, remove: &[Entry], add: &[Entry]) -> Message {
    let version = base + 1;
    let delta = Delta {
        list: list(),
        base,
        version,
        issued: issued(),
        expires: None,
        count,
        remove: remove.iter().map(Removal::of).collect(),
        add: add.to_vec(),
    };
    (Topic::Delta { list: list(), version }.to_string(), delta.sign(&[key]))
}

/// A unit with its folder, restarted at will.
struct Unit {
    folder: tempfile::TempDir,
    key: UnitKey,
    config: Config,
    hotlist: Hotlist,
    updates: Updates,
}

impl Unit {
    fn trusting(key: &SigningKey) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let lists = vec![List { name: list(), keys: vec![key.verifying_key()] }];
        let config = Config { lists, ..Config::default() };
        let unit_key = UnitKey::generate();
        let (hotlist, updates) = Hotlist::open(folder.path(), &unit_key, &config).unwrap();
        Self { folder, key: unit_key, config, hotlist, updates }
    }

    fn restarted(self) -> Self {
        let Self { folder, key, config, hotlist, updates } = self;
        drop((hotlist, updates));
        let (hotlist, updates) = Hotlist::open(folder.path(), &key, &config).unwrap();
        Self { folder, key, config, hotlist, updates }
    }

    fn hears(&mut self, (topic, payload): &Message) -> Vec<Effect> {
        self.updates.on_message(topic, payload, at(0))
    }

    fn hears_all<'a>(&mut self, messages: impl IntoIterator<Item = &'a Message>) -> Vec<Effect> {
        messages.into_iter().flat_map(|message| self.hears(message)).collect()
    }

    fn version(&self) -> Option<u64> {
        self.hotlist.summary(at(0).wall)[0].version
    }

    fn finds(&self, plate: &str) -> bool {
        let matches = self.hotlist.matches(&reading(plate), &unknown_state(), at(0).wall);
        let listed = Listed::from(Plate::parse(plate).unwrap());
        matches.iter().any(|m| m.entry.plate == listed && m.kind == MatchKind::Exact)
    }

    fn why_refused(&self) -> String {
        self.hotlist.summary(at(0).wall)[0].last_refusal.clone().expect("something was refused").why
    }
}

fn reading(text: &str) -> Reading {
    let slot = |position: usize| {
        let mut logits = [0.0; 37];
        let seen = text.as_bytes().get(position);
        logits[seen.map_or(36, |seen| ALPHABET.iter().position(|c| c == seen).unwrap())] = 12.0;
        Slot::from_logits(&logits)
    };
    Reading::new((0..8).map(slot).collect())
}

fn unknown_state() -> StateReading {
    let mut logits = [0.0; 52];
    logits[51] = 9.0;
    StateReading::from_logits(&logits)
}

fn refusals(effects: &[Effect]) -> Vec<&Refusal> {
    let mut refusals = Vec::new();
    for effect in effects {
        if let Effect::Refused { why, .. } = effect {
            refusals.push(why);
        }
    }
    refusals
}
