//! Snapshots and deltas, in whatever order and from whomever they come.

use std::path::Path;
use std::process::Command;

use milepost::crypto::{Digest, SigningKey, VerifyingKey};
use milepost::hotlist::{Effect, List, Manifest, MatchKind, Refusal, Topic, digest_of_chunks, pack_chunk};
use milepost::words::ListName;

use crate::{Unit, at, delta, entries, entry, issued, list, reading, refusals, snapshot, unknown_state};

#[test]
fn chunks_in_any_order_and_doubled_make_a_whole_list_that_survives_a_restart() {
    let key = SigningKey::generate();
    let mut unit = Unit::trusting(&key);
    let messages = snapshot(&key, 7, None, &entries(1000));
    let effects = unit.hears(&messages[0]);
    assert!(matches!(&effects[..], [Effect::Subscribe(filter)] if filter.ends_with("/chunks/7/+")));
    for message in messages[2..].iter().rev() {
        assert!(unit.hears(message).is_empty());
        assert!(unit.hears(message).is_empty(), "a doubled chunk is harmless");
        assert!(!unit.finds("P0123"), "nothing matches before the list is whole");
    }
    let effects = unit.hears(&messages[1]);
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Installed(done) if done.entries == 1000)));
    assert!(unit.finds("P0000") && unit.finds("P0999") && !unit.finds("Q0000"));

    let unit = unit.restarted();
    assert_eq!(unit.version(), Some(7));
    assert!(unit.finds("P0000") && unit.finds("P0999") && !unit.finds("Q0000"));
}

#[test]
fn chunks_before_their_manifest_are_kept_until_it_comes() {
    let key = SigningKey::generate();
    let mut unit = Unit::trusting(&key);
    let messages = snapshot(&key, 7, None, &entries(1000));
    let (early, late) = messages[1..].split_at(6);
    assert!(unit.hears_all(early).is_empty());
    assert!(unit.hears(&messages[0]).is_empty(), "the others are on their way: nothing to ask for");
    unit.hears_all(late);
    assert_eq!(unit.version(), Some(7));

    let messages = snapshot(&key, 8, None, &entries(500));
    unit.hears_all(messages.iter().rev());
    assert_eq!(unit.version(), Some(8));
    assert!(unit.finds("P0499") && !unit.finds("P0500"));
    assert_eq!(unit.hotlist.summary(at(0).wall)[0].refusals, 0);
}

#[test]
fn deltas_follow_in_order_whatever_the_order_of_their_arrival() {
    let key = SigningKey::generate();
    let mut unit = Unit::trusting(&key);
    unit.hears_all(&snapshot(&key, 7, None, &entries(300)));
    let eighth = delta(&key, 7, 300, &[entry("P0001")], &[entry("NEW1")]);
    let ninth = delta(&key, 8, 300, &[entry("NEW1")], &[entry("NEW2")]);
    assert!(refusals(&unit.hears(&ninth)).is_empty());
    assert_eq!(unit.version(), Some(7));
    unit.hears(&eighth);
    assert_eq!(unit.version(), Some(9));
    assert!(unit.finds("NEW2") && !unit.finds("NEW1") && !unit.finds("P0001") && unit.finds("P0002"));
    let mut unit = unit.restarted();
    assert_eq!(unit.version(), Some(9));
    assert!(unit.finds("NEW2") && !unit.finds("NEW1") && !unit.finds("P0001") && unit.finds("P0002"));
    assert!(unit.hears_all([&eighth, &ninth]).is_empty(), "old deltas come at every connect");
}

#[test]
fn a_delta_that_does_not_fit_leaves_no_trace() {
    let key = SigningKey::generate();
    let mut unit = Unit::trusting(&key);
    unit.hears_all(&snapshot(&key, 7, None, &entries(300)));
    unit.hears(&delta(&key, 7, 299, &[entry("P0001"), entry("ABSENT")], &[]));
    assert!(unit.why_refused().contains("not listed"), "{}", unit.why_refused());
    let mut unit = unit.restarted();
    unit.hears(&delta(&key, 7, 299, &[], &[entry("NEW1")]));
    assert!(unit.why_refused().contains("299"), "{}", unit.why_refused());
    assert!(unit.finds("P0001") && !unit.finds("NEW1"));
    let unit = unit.restarted();
    assert!(unit.finds("P0001") && !unit.finds("NEW1"));
    assert_eq!(unit.version(), Some(7));
}

#[test]
fn every_kind_of_bad_message_keeps_the_old_list_and_says_why() {
    let key = SigningKey::generate();
    let stranger = SigningKey::generate();
    let mut unit = Unit::trusting(&key);
    unit.hears_all(&snapshot(&key, 7, None, &entries(300)));
    let topic = Topic::Manifest(list()).to_string();
    let chunk = |version, index| Topic::Chunk { list: list(), version, index }.to_string();
    let good = snapshot(&key, 8, None, &entries(200));
    let mut changed = good[0].1.clone();
    let middle = changed.len() / 3;
    changed[middle] ^= 1;
    let bomb = zstd::bulk::compress(&vec![b' '; 64 << 20], 19).unwrap();
    let announce = |version, count, chunks: Vec<Digest>| Manifest {
        list: list(),
        version,
        base: None,
        issued: issued(),
        expires: None,
        count,
        digest: digest_of_chunks(&chunks),
        chunks,
    };
    let unicode = "{\"plate\":\"\u{0410}BC123\",\"category\":\"stolen\"}\n";
    let nul = "{\"plate\":\"ABC\\u0000\",\"category\":\"stolen\"}\n";
    let long =
        format!("{{\"plate\":\"ABC\",\"category\":\"stolen\",\"reason\":\"{}\"}}\n", "x".repeat(1 << 20));
    let never = "{\"plate\":\"ABC\",\"category\":\"stolen\",\"from\":\"9999-01-01T00:00:00Z\",\"until\":\"1900-01-01T00:00:00Z\"}\n";
    let crowd: String = (0..1000)
        .map(|n| format!("{{\"plate\":\"ABC\",\"category\":\"stolen\",\"case\":\"{n}\"}}\n"))
        .collect();
    let mut version = 100;
    let mut bad_content = |content: &[u8], count| {
        version += 1;
        let packed = zstd::bulk::compress(content, 1).unwrap();
        let manifest = announce(version, count, vec![Digest::of(&packed)]);
        vec![(topic.clone(), manifest.sign(&[&key])), (chunk(version, 0), packed)]
    };
    let cases = [
        ("unicode look-alike", bad_content(unicode.as_bytes(), 1), "line 1"),
        ("NUL", bad_content(nul.as_bytes(), 1), "line 1"),
        ("1 MB of text", bad_content(long.as_bytes(), 1), "longer"),
        ("1900 and 9999", bad_content(never.as_bytes(), 1), "line 1"),
        ("one plate 1,000 times", bad_content(crowd.as_bytes(), 1000), "more than 32 times"),
        ("fewer than announced", bad_content(b"", 1), "hold 0 entries"),
        ("more than announced", bad_content(crowd.as_bytes(), 3), "announces 3"),
        ("stranger", vec![snapshot(&stranger, 8, None, &entries(9)).remove(0)], "no signature is by a key"),
        ("changed", vec![(topic.clone(), changed)], "signature"),
        ("not JSON", vec![(topic.clone(), b"\0\xff{".to_vec())], "envelope"),
        (
            "the same version anew",
            vec![snapshot(&key, 7, None, &entries(9)).remove(0)],
            "two different editions",
        ),
        ("older", vec![snapshot(&key, 6, None, &entries(9)).remove(0)], "older than version 7"),
        (
            "a manifest of 10 GB",
            vec![(topic.clone(), announce(300, 10_000_000_000, vec![]).sign(&[&key]))],
            "more than a list may hold",
        ),
        ("longer than a message", vec![(topic.clone(), vec![b'['; 2 << 20])], "2097152 bytes"),
        (
            "decompression bomb",
            vec![
                (topic.clone(), announce(400, 1, vec![Digest::of(&bomb)]).sign(&[&key])),
                (chunk(400, 0), bomb.clone()),
            ],
            "unpacks to more than",
        ),
        (
            "the bomb again",
            vec![(topic.clone(), announce(400, 1, vec![Digest::of(&bomb)]).sign(&[&key]))],
            "already refused",
        ),
    ];
    for (case, messages, said) in cases {
        unit.hears_all(&messages);
        assert!(unit.why_refused().contains(said), "{case}: {}", unit.why_refused());
        assert!(!unit.why_refused().contains("ABC"), "{case}: a reason names no plate");
        assert_eq!(unit.version(), Some(7), "{case}");
        assert!(unit.finds("P0250"), "{case}");
    }
    for (topic, payload) in [("milepost/v1/lists/other/manifest", b"{}"), ("milepost/v1/lists/x", b"{}")] {
        let effects = unit.updates.on_message(topic, payload, at(0));
        assert!(matches!(&effects[..], [Effect::Refused { .. }]), "{topic}");
    }
}

#[test]
fn swapped_or_foreign_chunks_are_refused_and_the_right_ones_still_taken() {
    let key = SigningKey::generate();
    let mut unit = Unit::trusting(&key);
    let messages = snapshot(&key, 7, None, &entries(300));
    unit.hears(&messages[0]);
    let swapped = (messages[1].0.clone(), messages[2].1.clone());
    assert!(matches!(refusals(&unit.hears(&swapped))[..], [Refusal::Chunk { version: 7, index: 0 }]));
    let cut = (messages[1].0.clone(), messages[1].1[..20].to_vec());
    unit.hears(&cut);
    assert_eq!(unit.hotlist.summary(at(0).wall)[0].refusals, 2);
    unit.hears_all(&messages[1..]);
    assert_eq!(unit.version(), Some(7));
}

#[test]
fn an_empty_list_is_fine() {
    let key = SigningKey::generate();
    let mut unit = Unit::trusting(&key);
    unit.hears_all(&snapshot(&key, 7, None, &entries(10)));
    unit.hears_all(&snapshot(&key, 8, None, &[]));
    assert_eq!(unit.version(), Some(8));
    assert!(!unit.finds("P0001"));
    let mut unit = unit.restarted();
    unit.hears(&delta(&key, 8, 1, &[], &[entry("P0001")]));
    assert!(unit.finds("P0001"));
}

#[test]
fn lists_of_several_authorities_stand_side_by_side_and_none_signs_for_another() {
    let [state, county] = [SigningKey::generate(), SigningKey::generate()];
    let mut unit = Unit::trusting(&state);
    let name = ListName::parse("county").unwrap();
    unit.config.lists.push(List { name: name.clone(), keys: vec![county.verifying_key()] });
    let mut unit = unit.restarted();
    unit.hears_all(&snapshot(&state, 7, None, &entries(10)));
    let of_county = |key: &SigningKey, plate: &str| {
        let chunk = pack_chunk(&[entry(plate)]);
        let digests = vec![Digest::of(&chunk)];
        let manifest = Manifest {
            list: name.clone(),
            version: 1,
            base: None,
            issued: issued(),
            expires: None,
            count: 1,
            digest: digest_of_chunks(&digests),
            chunks: digests,
        };
        let first = (Topic::Manifest(name.clone()).to_string(), manifest.sign(&[key]));
        [first, (Topic::Chunk { list: name.clone(), version: 1, index: 0 }.to_string(), chunk)]
    };
    let foreign = unit.hears_all(&of_county(&state, "FORGED"));
    assert!(matches!(refusals(&foreign)[..], [Refusal::Signature(_)]));
    unit.hears_all(&of_county(&county, "P0001"));
    let unit = unit.restarted();
    let matches = unit.hotlist.matches(&reading("P0001"), &unknown_state(), at(0).wall);
    let exact = matches.iter().filter(|found| found.kind == MatchKind::Exact);
    let lists: std::collections::BTreeSet<&str> = exact.map(|found| found.list.list.as_str()).collect();
    assert_eq!(lists, ["county", "state-stolen"].into());
    assert!(!unit.finds("FORGED"));
}

#[test]
fn a_list_of_another_program_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/contract/stranger.py");
    assert!(Command::new("python3").arg(script).arg("list").arg(folder.path()).status().unwrap().success());
    let key = VerifyingKey::parse(&std::fs::read_to_string(folder.path().join("key")).unwrap()).unwrap();
    let mut unit = Unit::trusting(&SigningKey::generate());
    unit.config.lists[0].keys = vec![key];
    let mut unit = unit.restarted();
    for number in 0..5 {
        let message = std::fs::read(folder.path().join(number.to_string())).unwrap();
        let end = message.iter().position(|&byte| byte == b'\n').unwrap();
        let topic = String::from_utf8(message[..end].to_vec()).unwrap();
        let effects = unit.hears(&(topic, message[end + 1..].to_vec()));
        assert!(refusals(&effects).is_empty(), "{effects:?}");
    }
    assert_eq!(unit.version(), Some(1_790_000_001));
    assert!(unit.finds("P02499") && unit.finds("NEW1") && !unit.finds("P00007"));
}
