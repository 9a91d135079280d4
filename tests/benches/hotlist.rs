//! A hot list of a million entries: import, delta, matching, memory, disk.
//!
//! Figures go to `target/bench/summary.json`. How false matches are counted:
//!
//! | figure, of 10,000 reads | what |
//! |---|---|
//! | `hotlist_true_matches_per_10000` | the vehicle's own plate is on the list by chance: one in 176 is, a million of 176 million |
//! | `hotlist_false_matches_per_10000` | it is not, and yet a listed plate is among the texts that the read may be (probability 0.05 and more, look-alikes among them); such a match is looked at by nobody |
//! | `hotlist_false_alerts_per_10000` | the same of reads as sure as the reader's, 92 of 100 right, where the match is likely enough for an alert: an officer is shown a plate that the vehicle does not carry |
//! | `hotlist_false_full_hits_per_10000` | and of those the ones that come as full hits, with a state that does not differ |
//!
//! The first two take reads that are far less sure than the reader's, since these have the most texts to look up and time
//! is measured on them: their truth is what the read says. The last two draw the truth from what the read holds for
//! possible, so that it is wrong as often as it says.

use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use milepost::crypto::{Digest, SigningKey, UnitKey};
use milepost::hotlist::{
    CHUNK_ENTRIES, Config, Delta, Entry, Hotlist, List, Listed, Manifest, Match, MatchKind, Removal,
    StateAgreement, Topic, digest_of_chunks, pack_chunk,
};
use milepost::words::{ALPHABET, ListName, Moment, Plate, Reading, Slot, State, StateReading};

#[path = "support/entries.rs"]
mod entries;
#[path = "support/summary.rs"]
mod summary;

use entries::Numbers;

const ENTRIES: usize = 1_000_000;
const READS: usize = 10_000;
/// Alerts for a wrong plate are rare, so more reads are tried.
const ALERT_READS: usize = 1_000_000;

/// A read as it comes from a passage: fairly sure, each character with a rival.
fn reading(numbers: &mut Numbers, plate: &Plate) -> Reading {
    let slot = |position: usize| {
        let mut logits = [0.0; 37];
        let seen = plate.as_bytes().get(position);
        logits[seen.map_or(36, |seen| ALPHABET.iter().position(|c| c == seen).expect("plates are A-Z0-9"))] =
            9.0;
        logits[numbers.below(36)] += 4.0 + numbers.below(40) as f32 / 10.0;
        Slot::from_logits(&logits)
    };
    Reading::new((0..8).map(slot).collect())
}

/// A read that is right as often as the reader's vote over a passage: 92 of 100 plates of seven characters, most
/// characters surely and one in twelve with a rival that looks like it or not.
fn measured(numbers: &mut Numbers, plate: &Plate) -> Reading {
    let slot = |position: usize| {
        let index = |character: &u8| ALPHABET.iter().position(|c| c == character).expect("plates are A-Z0-9");
        let mut logits = [-12.0f32; 37];
        logits[plate.as_bytes().get(position).map_or(36, index)] = 0.0;
        if position < plate.as_bytes().len() && numbers.below(12) == 0 {
            let rival = numbers.below(36);
            let share = 0.01 + numbers.below(250) as f32 / 1000.0;
            logits[rival] = logits[rival].max((share / (1.0 - share)).ln());
        }
        Slot::from_logits(&logits)
    };
    Reading::new((0..8).map(slot).collect())
}

/// What a plate that was read so really carries: drawn from the reading itself.
fn truth(numbers: &mut Numbers, reading: &Reading) -> Option<Plate> {
    let mut text = String::new();
    for slot in reading.slots() {
        let mut left = numbers.below(1_000_000) as f32 / 1e6;
        let drawn = slot.probabilities().iter().position(|share| {
            left -= share;
            left < 0.0
        });
        match drawn.and_then(|index| ALPHABET.get(index)) {
            Some(&character) => text.push(char::from(character)),
            None => break,
        }
    }
    Plate::parse(&text).ok()
}

/// Reads that would raise an alert for a plate that the vehicle does not carry; and of those the full hits.
fn false_alerts(hotlist: &Hotlist, numbers: &mut Numbers) -> (usize, usize) {
    let alert = milepost::alert::Config::default();
    let (mut alerts, mut full) = (0, 0);
    for _ in 0..ALERT_READS {
        let plate = numbers.plate();
        let reading = measured(numbers, &plate);
        let truth = truth(numbers, &reading);
        let mut state = [0.0; 52];
        state[numbers.below(51)] = 9.0;
        let matches = hotlist.matches(&reading, &StateReading::from_logits(&state), Timestamp::now());
        let wrong = matches.iter().filter(|m| truth.is_none_or(|truth| m.entry.plate != Listed::from(truth)));
        let wrong: Vec<_> = wrong.filter(|m| m.probability >= alert.possible_from).collect();
        alerts += usize::from(!wrong.is_empty());
        let is_full = |m: &&Match| {
            m.kind == MatchKind::Exact
                && m.probability >= alert.full_from
                && m.state != StateAgreement::Differs
        };
        full += usize::from(wrong.into_iter().any(|m| is_full(&m)));
    }
    (alerts, full)
}

fn main() {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let (key, list) = (SigningKey::generate(), ListName::parse("state").expect("a list's name"));
    let mut numbers = Numbers(42);
    let mut listed = Vec::with_capacity(1000);
    let manifest = publish(scratch.path(), &list, &mut numbers, &mut listed);

    let unit_key = UnitKey::generate();
    let folder = scratch.path().join("unit");
    let config = Config {
        lists: vec![List { name: list.clone(), keys: vec![key.verifying_key()] }],
        ..Config::default()
    };
    let (hotlist, mut updates) = Hotlist::open(&folder, &unit_key, &config).expect("an empty folder opens");
    let now = || Moment { uptime: Duration::ZERO, wall: Timestamp::now() };

    forget_peak();
    let topic = Topic::Manifest(list.clone()).to_string();
    updates.on_message(&topic, &manifest.sign(&[&key]), now());
    let started = Instant::now();
    for index in 0..manifest.chunks.len() as u32 {
        let chunk = std::fs::read(scratch.path().join(index.to_string())).expect("the chunk was written");
        let topic = Topic::Chunk { list: list.clone(), version: 1, index }.to_string();
        updates.on_message(&topic, &chunk, now());
    }
    let import = started.elapsed();
    assert_eq!(hotlist.summary(now().wall)[0].entries, ENTRIES as u64, "the list is in force");
    let rss = peak_mb();
    let disk = size(&folder) as f64 / 1e6;

    let delta = Delta {
        list: list.clone(),
        base: 1,
        version: 2,
        issued: Timestamp::now(),
        expires: None,
        count: ENTRIES as u64,
        remove: listed[..500].iter().map(Removal::of).collect(),
        add: (0..500).map(|_| numbers.entry()).collect(),
    };
    let (topic, payload) = (Topic::Delta { list: list.clone(), version: 2 }.to_string(), delta.sign(&[&key]));
    let started = Instant::now();
    updates.on_message(&topic, &payload, now());
    let delta_time = started.elapsed();
    assert_eq!(hotlist.summary(now().wall)[0].version, Some(2), "the delta is in force");

    drop((hotlist, updates));
    let started = Instant::now();
    let (hotlist, _updates) = Hotlist::open(&folder, &unit_key, &config).expect("it opens again");
    let reopen = started.elapsed();

    let mut state = [0.0; 52];
    state[State::Ma as usize] = 9.0;
    let state = StateReading::from_logits(&state);
    let mut times = Vec::with_capacity(READS);
    let mut found = 0;
    let mut on_any_list = 0;
    for _ in 0..READS {
        let plate = numbers.plate();
        let reading = reading(&mut numbers, &plate);
        let wall = Timestamp::now();
        let started = Instant::now();
        let matches = hotlist.matches(&reading, &state, wall);
        times.push(started.elapsed());
        // Plates are drawn from the same 176 million as the listed ones, so some are truly listed.
        let truly = matches.iter().any(|m| m.entry.plate == Listed::from(plate));
        on_any_list += usize::from(truly);
        found += usize::from(!truly && !matches.is_empty());
    }
    times.sort();
    let (alerts, full_hits) = false_alerts(&hotlist, &mut numbers);
    let of_10000 = |count: usize| count as f64 * 10_000.0 / ALERT_READS as f64;
    let mut hit_times: Vec<Duration> = listed[500..]
        .iter()
        .map(|entry| {
            let Listed::Plate(plate) = entry.plate else { unreachable!("only plates were drawn") };
            let reading = reading(&mut numbers, &plate);
            let started = Instant::now();
            let matches = hotlist.matches(&reading, &state, Timestamp::now());
            let took = started.elapsed();
            assert!(!matches.is_empty(), "a listed plate matches");
            took
        })
        .collect();
    hit_times.sort();
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    let p99 = |times: &[Duration]| micros(times[times.len() * 99 / 100]);

    report(&[
        ("hotlist_import_1m_s", import.as_secs_f64()),
        ("hotlist_delta_1000_ms", delta_time.as_secs_f64() * 1e3),
        ("hotlist_reopen_1m_s", reopen.as_secs_f64()),
        ("hotlist_match_p50_us", micros(times[times.len() / 2])),
        ("hotlist_match_p99_us", p99(&times)),
        ("hotlist_match_listed_p99_us", p99(&hit_times)),
        ("hotlist_rss_1m_mb", rss),
        ("hotlist_disk_1m_mb", disk),
        ("hotlist_false_matches_per_10000", found as f64),
        ("hotlist_false_alerts_per_10000", of_10000(alerts)),
        ("hotlist_false_full_hits_per_10000", of_10000(full_hits)),
        ("hotlist_true_matches_per_10000", on_any_list as f64),
    ]);
}

/// Writes the chunks to files, so that they do not count as the unit's memory; keeps a sample of entries.
fn publish(folder: &Path, list: &ListName, numbers: &mut Numbers, sample: &mut Vec<Entry>) -> Manifest {
    let chunks: Vec<Digest> = (0..ENTRIES / CHUNK_ENTRIES)
        .map(|index| {
            let entries: Vec<Entry> = (0..CHUNK_ENTRIES).map(|_| numbers.entry()).collect();
            sample.extend(entries.iter().take(10).cloned());
            let chunk = pack_chunk(&entries);
            std::fs::write(folder.join(index.to_string()), &chunk).expect("the temporary folder has room");
            Digest::of(&chunk)
        })
        .collect();
    Manifest {
        list: list.clone(),
        version: 1,
        base: None,
        issued: Timestamp::now(),
        expires: None,
        count: ENTRIES as u64,
        digest: digest_of_chunks(&chunks),
        chunks,
    }
}

/// Lets the kernel count the peak of resident memory anew.
fn forget_peak() {
    std::fs::write("/proc/self/clear_refs", "5").expect("Linux lets a process reset its own peak");
}

fn peak_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux shows a process its status");
    let line = status.lines().find(|line| line.starts_with("VmHWM")).expect("the status has a peak");
    let kilobytes: f64 = line.split_whitespace().nth(1).and_then(|kb| kb.parse().ok()).expect("in kB");
    kilobytes / 1e3
}

fn size(folder: &Path) -> u64 {
    let items =
        std::fs::read_dir(folder).expect("the folder exists").map(|item| item.expect("readable").path());
    items.map(|path| if path.is_dir() { size(&path) } else { path.metadata().expect("exists").len() }).sum()
}

fn report(figures: &[(&str, f64)]) {
    let rounded = |value: f64| (value * 1000.0).round() / 1000.0;
    summary::add(figures.iter().map(|(name, value)| ((*name).to_owned(), rounded(*value).into())).collect());
}
