//! What lies on the disk: sealed, damaged, restored, and left by a process that was killed.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use milepost::crypto::{SigningKey, UnitKey};
use milepost::hotlist::{Config, Effect, Entry, Freshness, Hotlist, List, Refusal};

use crate::{Unit, at, delta, entries, entry, list, reading, refusals, snapshot, unknown_state};

#[test]
fn nothing_at_rest_names_a_listed_plate() {
    let key = SigningKey::generate();
    let mut unit = Unit::trusting(&key);
    unit.hears_all(&snapshot(&key, 7, None, &entries(2000)));
    unit.hears(&delta(&key, 7, 2001, &[], &[entry("SECRET99")]));
    let half = snapshot(&key, 9, None, &entries(5000));
    unit.hears_all(&half[..half.len() - 1]);
    let mut searched = 0;
    search(unit.folder.path(), &mut |bytes| {
        searched += bytes.len();
        for text in ["SECRET99", "P0001", "P1999", "case of", "stolen", "\"plate\"", "state-stolen"] {
            let found = bytes.windows(text.len()).any(|window| window == text.as_bytes());
            assert!(!found, "{text} stands readable on the disk");
        }
    });
    assert!(searched > 100_000, "only {searched} bytes were searched");
}

fn search(folder: &Path, look: &mut impl FnMut(&[u8])) {
    for item in std::fs::read_dir(folder).unwrap() {
        let path = item.unwrap().path();
        if path.is_dir() {
            search(&path, look);
        } else {
            look(path.as_os_str().as_encoded_bytes());
            look(&std::fs::read(&path).unwrap());
        }
    }
}

#[test]
fn a_damaged_edition_is_had_again_but_never_an_older_one() {
    let key = SigningKey::generate();
    let mut unit = Unit::trusting(&key);
    let messages = snapshot(&key, 7, None, &entries(300));
    unit.hears_all(&messages);
    let Unit { folder, key: unit_key, config, hotlist, updates } = unit;
    drop((hotlist, updates));
    let mut damaged = 0;
    for item in std::fs::read_dir(folder.path().join("editions")).unwrap() {
        let db = item.unwrap().path().join("db");
        let bytes = std::fs::read(&db).unwrap();
        std::fs::write(&db, vec![0x55; bytes.len()]).unwrap();
        damaged += 1;
    }
    assert_eq!(damaged, 1);
    let (hotlist, updates) = Hotlist::open(folder.path(), &unit_key, &config).unwrap();
    let mut unit = Unit { folder, key: unit_key, config, hotlist, updates };
    assert_eq!(unit.version(), None);
    assert!(unit.why_refused().contains("version 7 was lost"), "{}", unit.why_refused());
    unit.hears_all(&snapshot(&key, 6, None, &entries(300)));
    assert_eq!(unit.version(), None, "an older version stays refused");
    unit.hears_all(&messages);
    assert_eq!(unit.version(), Some(7));
    assert!(unit.finds("P0001"));
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for item in std::fs::read_dir(from).unwrap() {
        let path = item.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}

#[test]
fn storage_that_was_restored_takes_nothing_older_than_the_unit_once_held() {
    let key = SigningKey::generate();
    let mut unit = Unit::trusting(&key);
    unit.hears_all(&snapshot(&key, 1, None, &entries(10)));
    let mut unit = unit.restarted();
    let backup = tempfile::tempdir().unwrap();
    copy(unit.folder.path(), backup.path());
    unit.hears_all(&snapshot(&key, 2, None, &entries(20)));
    unit.hears_all(&snapshot(&key, 3, None, &entries(30)));
    let memory = unit.updates.memory();

    drop((unit.hotlist, unit.updates));
    let open = |folder: &Path| Hotlist::open(folder, &unit.key, &unit.config).unwrap();
    let (hotlist, updates) = open(backup.path());
    let mut unit =
        Unit { folder: backup, key: unit.key.clone(), config: unit.config.clone(), hotlist, updates };
    assert_eq!(unit.version(), Some(1));
    let mut forged = memory.clone();
    forged[20] ^= 1;
    assert!(matches!(refusals(&unit.updates.remember(&forged, at(0)))[..], [Refusal::Memory]));
    // A broker that kept the session hands out what it queued before it hands out the memory.
    let queued = snapshot(&key, 2, None, &entries(20));
    unit.hears(&queued[0]);
    let told = unit.updates.remember(&memory, at(0));
    unit.hears_all(&queued[1..]);
    assert_eq!(unit.version(), Some(1), "an older list that was on its way is dropped");
    assert!(matches!(refusals(&told)[..], [Refusal::Restored { held: Some(1), seen: 3 }]));
    assert!(unit.updates.remember(&memory, at(0)).is_empty(), "told once");
    let step = delta(&key, 1, 11, &[], &[entry("NEW1")]);
    for messages in [snapshot(&key, 2, None, &entries(20)), vec![step]] {
        unit.hears_all(&messages);
        assert_eq!(unit.version(), Some(1));
    }
    assert!(unit.why_refused().contains("older than version 3"), "{}", unit.why_refused());
    let mut unit = unit.restarted();
    assert!(unit.finds("P0009"), "it goes on matching with what it has");
    assert_eq!(unit.hotlist.summary(at(0).wall)[0].freshness, Freshness::Stale);
    unit.hears_all(&snapshot(&key, 3, None, &entries(30)));
    assert_eq!(unit.version(), Some(3));
    assert_eq!(unit.hotlist.summary(at(0).wall)[0].freshness, Freshness::Fresh);
}

const CHILD: &str = "MILEPOST_TEST_LIST_FOLDER";

/// Not a test of its own: the process that the next one kills. Lists with an even version hold `EVEN`, others
/// `ODD`; every third step is a delta. It says which version is in force.
#[test]
fn child_that_takes_one_edition_after_another() {
    let Some(folder) = std::env::var_os(CHILD) else { return };
    let folder = Path::new(&folder);
    let (key, unit_key, config) = child_parts(folder);
    let (hotlist, mut updates) = Hotlist::open(folder, &unit_key, &config).unwrap();
    let mut version = hotlist.summary(at(0).wall)[0].version.unwrap_or(0);
    println!("at {version}");
    loop {
        let messages = if version % 3 == 1 {
            vec![delta(&key, version, 501, &[marker(version)], &[marker(version + 1)])]
        } else {
            let mut listed = entries(500);
            listed.push(marker(version + 1));
            snapshot(&key, version + 1, None, &listed)
        };
        version += 1;
        for (topic, payload) in messages {
            for effect in updates.on_message(&topic, &payload, at(0)) {
                assert!(!matches!(effect, Effect::Refused { .. }), "{effect:?}");
            }
        }
        assert_eq!(hotlist.summary(at(0).wall)[0].version, Some(version));
        println!("at {version}");
    }
}

fn marker(version: u64) -> Entry {
    entry(if version.is_multiple_of(2) { "EVEN" } else { "ODD" })
}

fn child_parts(folder: &Path) -> (SigningKey, UnitKey, Config) {
    let key = SigningKey::load(&folder.join("../key.pem")).unwrap();
    let unit_key = UnitKey::load(&folder.join("../unit.key")).unwrap();
    let lists = vec![List { name: list(), keys: vec![key.verifying_key()] }];
    (key, unit_key, Config { lists, ..Config::default() })
}

#[test]
fn a_process_killed_at_any_instant_leaves_one_list_or_the_next_whole() {
    let root = tempfile::tempdir().unwrap();
    SigningKey::generate().save(&root.path().join("key.pem")).unwrap();
    std::fs::write(root.path().join("unit.key"), UnitKey::generate().as_bytes()).unwrap();
    let folder = root.path().join("lists");
    std::fs::create_dir(&folder).unwrap();
    let mut told = 0;
    // `make kill-test` asks for a thousand.
    let rounds = std::env::var("MILEPOST_KILLS").map_or(20, |rounds| rounds.parse().expect("a number"));
    for _ in 0..rounds {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture", "storage::child_that_takes_one_edition_after_another"])
            .env(CHILD, &folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let versions =
            |line: String| line.strip_prefix("at ").and_then(|version| version.parse::<u64>().ok());
        // At work for certain, then killed somewhere within the next few editions.
        told =
            lines.by_ref().map_while(Result::ok).find_map(versions).expect("the child says where it begins");
        let [a, b] = milepost::crypto::random::<2>();
        std::thread::sleep(Duration::from_micros(u64::from(a) * 2500 + u64::from(b) * 10));
        child.kill().unwrap();
        child.wait().unwrap();
        told = lines.map_while(Result::ok).filter_map(versions).last().unwrap_or(told);

        let (_, unit_key, config) = child_parts(&folder);
        let (hotlist, _updates) = Hotlist::open(&folder, &unit_key, &config).unwrap();
        let summary = hotlist.summary(at(0).wall).remove(0);
        assert_eq!(summary.last_refusal, None);
        let held = summary.version.unwrap_or(0);
        assert!(held == told || held == told + 1, "told {told}, holds {held}");
        let finds = |plate: &str| !hotlist.matches(&reading(plate), &unknown_state(), at(0).wall).is_empty();
        assert_eq!(
            (finds("EVEN"), finds("ODD")),
            (held > 0 && held % 2 == 0, held % 2 == 1),
            "version {held}"
        );
        assert!(held == 0 || (finds("P0000") && finds("P0499")));
    }
    assert!(told > 4, "only {told} editions in {rounds} rounds");
    println!("killed {rounds} times in {told} editions: each time the old list or the new one, whole");
}
