//! Whoever holds an exported log can tell whether anybody touched it, with the program and its help alone.

use std::path::Path;
use std::sync::Arc;

use milepost::audit::{Audit, Event, Who};
use milepost::system::{RealDisk, SystemClock};

use crate::program::{milepost, milepost_ok, said};

/// A unit's state directory with a log of this many entries.
fn unit(folder: &Path, entries: usize) {
    let open = Audit::open(&folder.join("state/audit"), Arc::new(RealDisk), Arc::new(SystemClock::new()));
    let (audit, _) = open.unwrap();
    for number in 0..entries {
        audit.append(Who::Unit, Event::Maintenance { what: format!("window cleaned, {number}") }).unwrap();
    }
}

/// The verdict on these lines, and whether it was a good one.
fn verdict(lines: &[String], options: &[&str], folder: &Path) -> (bool, String) {
    std::fs::write(folder.join("log.jsonl"), lines.concat()).unwrap();
    let output = milepost(&[&["audit", "verify", "log.jsonl"], options].concat(), folder);
    (output.status.success(), said(&output))
}

#[test]
fn a_log_edited_by_hand_shows_where_and_how() {
    let folder = tempfile::tempdir().unwrap();
    unit(folder.path(), 9);
    let told =
        milepost_ok(&["audit", "export", "--state-dir", "state", "--out", "whole.jsonl"], folder.path());
    assert!(told.contains("9 entries") && told.contains("milepost audit verify whole.jsonl"), "{told}");
    let whole = std::fs::read_to_string(folder.path().join("whole.jsonl")).unwrap();
    let lines: Vec<String> = whole.split_inclusive('\n').map(str::to_owned).collect();
    let (is_whole, told) = verdict(&lines, &["--copy", "whole.jsonl"], folder.path());
    assert!(is_whole && told.contains("is whole: 9 entries"), "{told}");

    let edited = |edit: &dyn Fn(&mut Vec<String>)| {
        let mut edited = lines.clone();
        edit(&mut edited);
        verdict(&edited, &["--copy", "whole.jsonl"], folder.path())
    };
    type Edit<'a> = (&'a str, &'a dyn Fn(&mut Vec<String>));
    let edits: [Edit<'_>; 7] = [
        ("line 3: its hash does not fit its text", &|log| log[2] = log[2].replace("cleaned", "broken!")),
        ("line 5: it has number 6 where 5 belongs", &|log| drop(log.remove(4))),
        ("line 2: it has number 3 where 2 belongs", &|log| log.swap(1, 2)),
        ("line 8: it has number 7 where 8 belongs", &|log| log.insert(7, log[6].clone())),
        ("line 1: it has number 3 where 1 belongs", &|log| drop(log.drain(..2))),
        ("without the expected head", &|log| log.truncate(7)),
        ("line 4: this is not a log entry", &|log| log[3] = "lunch\n".to_owned()),
    ];
    for (expected, edit) in edits {
        let (is_whole, told) = edited(edit);
        assert!(!is_whole && told.contains(expected), "{expected:?} is missing: {told}");
    }
    // What nobody else knows of cannot be missed, and the verdict says so.
    let (is_whole, told) = verdict(&lines[..7], &[], folder.path());
    assert!(is_whole && told.contains("would not show without --head or --copy"), "{told}");
}

#[test]
fn the_export_never_replaces_a_file_and_says_what_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    unit(folder.path(), 1);
    std::fs::write(folder.path().join("taken.jsonl"), "mine").unwrap();
    let output =
        milepost(&["audit", "export", "--state-dir", "state", "--out", "taken.jsonl"], folder.path());
    assert!(
        !output.status.success() && said(&output).contains("taken.jsonl cannot be made"),
        "{}",
        said(&output)
    );
    let output = milepost(&["audit", "export", "--state-dir", "nowhere"], folder.path());
    assert!(!output.status.success() && said(&output).contains("nowhere/audit"), "{}", said(&output));
    let output = milepost(&["audit", "collect", ".", "--unit", "north-7"], folder.path());
    assert!(
        !output.status.success() && said(&output).contains("no audit log of north-7"),
        "{}",
        said(&output)
    );
}
