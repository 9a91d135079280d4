//! Manual entries by signed message, and by the clock.

use std::time::Duration;

use milepost::crypto::{Letter, SigningKey, UnitKey};
use milepost::hotlist::{
    Config, Entry, Hotlist, ManualAct, ManualMessage, ManualStep, May, Request, Signatory, Text,
};
use milepost::system::{Clock, ManualClock};
use milepost::words::{PersonName, UnitId};

use crate::{entry, issued, reading, unknown_state};

fn person(name: &str) -> (SigningKey, Signatory) {
    let key = SigningKey::generate();
    let signatory =
        Signatory { name: PersonName::parse(name).unwrap(), key: key.verifying_key(), may: May::Both };
    (key, signatory)
}

/// A unit that knows these people, and has no list.
fn unit_of(people: &[&Signatory]) -> (tempfile::TempDir, Hotlist) {
    let folder = tempfile::tempdir().unwrap();
    let config = Config { people: people.iter().map(|&known| known.clone()).collect(), ..Config::default() };
    let (hotlist, _) = Hotlist::open(folder.path(), &UnitKey::generate(), &config).unwrap();
    (folder, hotlist)
}

#[test]
fn a_message_about_a_manual_entry_that_is_sent_again_does_nothing() {
    let ((ann, known_ann), (bo, known_bo)) = (person("Ann Lee"), person("Bo Hill"));
    let (_folder, hotlist) = unit_of(&[&known_ann, &known_bo]);
    let north = UnitId::parse("north").unwrap();
    let say = |act| ManualMessage::new(north.clone(), act, issued());
    let hear = |message: &[u8]| hotlist.manual_message(message, &north, issued());
    let wanted = Entry { reason: Text::parse("seen near the bank").unwrap(), ..entry("ABC123") };

    let request = say(ManualAct::Request(Request::Add { entry: wanted }));
    let asked = request.sign(&ann);
    assert!(hear(&asked).unwrap().is_some());
    assert!(hear(&asked).unwrap().is_none(), "the same request once more");
    let approval = say(ManualAct::Approve(request.id)).sign(&bo);
    assert!(hear(&approval).unwrap().is_some());
    let again = hear(&approval).unwrap_err();
    assert!(again.to_string().contains("approved this already"), "{again}");
    assert!(hear(&asked).unwrap().is_none());

    let removal =
        say(ManualAct::Request(Request::Remove { of: request.id, reason: Text::parse("found").unwrap() }));
    hear(&removal.sign(&ann)).unwrap();
    hear(&say(ManualAct::Approve(removal.id)).sign(&bo)).unwrap();
    assert!(hear(&asked).unwrap().is_none());
    hear(&approval).unwrap_err();
    assert_eq!(hotlist.manual_summary(issued()).in_force, 0, "what was taken out is not brought back");
}

/// A unit without network time: its clock is set a year ahead by mistake, somebody acts by it, and it is set right again.
#[test]
fn a_slip_of_the_hand_that_set_the_clock_ends_no_manual_entry_also_after_a_restart() {
    let ((ann, known_ann), (bo, known_bo)) = (person("Ann Lee"), person("Bo Hill"));
    let (folder, key) = (tempfile::tempdir().unwrap(), UnitKey::generate());
    let config = Config { people: vec![known_ann, known_bo], ..Config::default() };
    let open = || Hotlist::open(folder.path(), &key, &config).unwrap().0;
    let hotlist = open();
    let north = UnitId::parse("north").unwrap();
    let clock = ManualClock::at(issued());
    let add = |hotlist: &Hotlist, plate: &str| {
        let now = clock.now().wall;
        let wanted = Entry { reason: Text::parse("seen near the bank").unwrap(), ..entry(plate) };
        let request =
            ManualMessage::new(north.clone(), ManualAct::Request(Request::Add { entry: wanted }), now);
        hotlist.manual_message(&request.sign(&ann), &north, now).unwrap();
        let approval = ManualMessage::new(north.clone(), ManualAct::Approve(request.id), now);
        hotlist.manual_message(&approval.sign(&bo), &north, now).unwrap();
    };
    let set = |hotlist: &Hotlist, to: &str| {
        let from = clock.now().wall;
        clock.step_wall(to.parse().unwrap());
        hotlist.clock_was_set(from, clock.now()).unwrap();
        hotlist.tell_time(clock.now(), false);
    };
    let matches = |hotlist: &Hotlist, plate: &str| {
        hotlist.tell_time(clock.now(), false);
        let now = clock.now().wall;
        hotlist.manual_due(now).unwrap();
        hotlist.matches(&reading(plate), &unknown_state(), now).len()
    };

    hotlist.tell_time(clock.now(), false);
    add(&hotlist, "ABC123");
    let right = issued().to_string();
    set(&hotlist, "2031-01-01T00:00:00Z");
    add(&hotlist, "DEF456");
    assert_eq!(matches(&hotlist, "ABC123"), 1);
    set(&hotlist, &right);
    add(&hotlist, "GHI789");
    for plate in ["ABC123", "GHI789"] {
        assert_eq!(matches(&hotlist, plate), 1, "{plate}");
    }
    drop(hotlist);
    let hotlist = open();
    for plate in ["ABC123", "GHI789"] {
        assert_eq!(matches(&hotlist, plate), 1, "{plate} after a restart");
    }
    clock.advance(Duration::from_secs(7 * 24 * 3600));
    assert_eq!((matches(&hotlist, "ABC123"), matches(&hotlist, "GHI789")), (0, 0), "a week has passed");
}

#[test]
fn a_clock_that_jumps_ends_no_manual_entry_and_one_that_is_kept_ends_it() {
    let ((ann, known_ann), (bo, known_bo)) = (person("Ann Lee"), person("Bo Hill"));
    let (_folder, hotlist) = unit_of(&[&known_ann, &known_bo]);
    let north = UnitId::parse("north").unwrap();
    let clock = ManualClock::at(issued());
    let wanted = Entry { reason: Text::parse("seen near the bank").unwrap(), ..entry("ABC123") };
    let request =
        ManualMessage::new(north.clone(), ManualAct::Request(Request::Add { entry: wanted }), issued());
    hotlist.manual_message(&request.sign(&ann), &north, issued()).unwrap();
    let approval = ManualMessage::new(north.clone(), ManualAct::Approve(request.id), issued());
    hotlist.manual_message(&approval.sign(&bo), &north, issued()).unwrap();
    let matches = || {
        let now = clock.now().wall;
        let due = hotlist.manual_due(now).unwrap().iter().any(|change| change.what == ManualStep::Expired);
        let found = hotlist.matches(&reading("ABC123"), &unknown_state(), now);
        (found.len(), hotlist.manual_summary(now).in_force, due)
    };

    hotlist.tell_time(clock.now(), true);
    assert_eq!(matches(), (1, 1, false));
    for jump in ["2031-01-01T00:00:00Z", "1999-01-01T00:00:00Z"] {
        clock.step_wall(jump.parse().unwrap());
        hotlist.tell_time(clock.now(), false);
        assert_eq!(matches(), (1, 1, false), "{jump}");
    }
    clock.advance(Duration::from_secs(6 * 24 * 3600));
    hotlist.tell_time(clock.now(), false);
    assert_eq!(matches(), (1, 1, false));
    clock.advance(Duration::from_secs(24 * 3600));
    hotlist.tell_time(clock.now(), false);
    assert_eq!(matches(), (0, 0, true), "a week has passed, whatever the wall clock says");
}
