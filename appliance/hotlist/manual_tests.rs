use super::*;
use crate::crypto::{KeyId, SigningKey};
use crate::hotlist::Category;

const DAY: SignedDuration = SignedDuration::from_hours(24);

fn now() -> Timestamp {
    "2026-06-01T12:00:00Z".parse().unwrap()
}

fn person(name: &str) -> Author {
    Author::signed_in(PersonName::parse(name).unwrap())
}

fn entry(plate: &str) -> Entry {
    let reason = Text::parse("seen near the bank").unwrap();
    Entry { reason, ..Entry::new(Listed::parse(plate).unwrap(), Category::Bolo) }
}

struct Rig {
    folder: tempfile::TempDir,
    key: UnitKey,
    manual: Manual,
}

impl Rig {
    fn new() -> Self {
        let (folder, key) = (tempfile::tempdir().unwrap(), UnitKey::generate());
        let manual = open(folder.path(), &key).unwrap();
        Self { folder, key, manual }
    }

    fn restart(&mut self) {
        self.manual = open(self.folder.path(), &self.key).unwrap();
    }

    fn add(&mut self, plate: &str, by: &str) -> RecordId {
        let id = RecordId::new();
        self.manual.request(id, Request::Add { entry: entry(plate) }, &person(by), now()).unwrap();
        id
    }

    fn added(&mut self, plate: &str) -> RecordId {
        let id = self.add(plate, "Ann Lee");
        self.manual.approve(id, &person("Bo Hill"), now()).unwrap();
        id
    }

    fn finds(&self, plate: &str) -> bool {
        !self.manual.find(&Plate::parse(plate).unwrap()).unwrap().is_empty()
    }

    fn state(&self, id: RecordId, at: Timestamp) -> ManualState {
        self.manual.entries[&id].state(at)
    }
}

fn open(folder: &Path, key: &UnitKey) -> Result<Manual, StoreError> {
    Manual::open(folder, key, SignedDuration::from_hours(4))
}

#[test]
fn matches_only_once_a_second_person_approved_and_survives_a_restart() {
    let mut rig = Rig::new();
    let id = rig.add("ABC123", "Ann Lee");
    assert!(!rig.finds("ABC123"));
    let same = rig.manual.approve(id, &person("ann  LEE"), now());
    assert!(matches!(same, Err(ManualError::SamePerson(_))));
    assert_eq!(rig.state(id, now()), ManualState::Pending);
    rig.restart();
    rig.manual.approve(id, &person("Bo Hill"), now()).unwrap();
    let again = rig.manual.approve(id, &person("Cy"), now());
    assert!(matches!(again, Err(ManualError::AlreadyApproved(_))));
    rig.restart();
    assert!(rig.finds("ABC123"));
    let shown = &rig.manual.list()[0];
    assert_eq!((shown.requested.by.as_str(), shown.state(now())), ("Ann Lee", ManualState::InForce));
    assert_eq!(shown.state(now() + DAY), ManualState::Expired);
    assert!(open(rig.folder.path(), &UnitKey::generate()).is_err(), "sealed with the unit's key");
}

#[test]
fn one_key_under_two_names_is_one_person() {
    let mut rig = Rig::new();
    let key: Option<KeyId> = Some(SigningKey::generate().verifying_key().id());
    let [ann, bo] = ["Ann", "Bo"].map(|name| Author { key: key.clone(), ..person(name) });
    let id = RecordId::new();
    rig.manual.request(id, Request::Add { entry: entry("ABC123") }, &ann, now()).unwrap();
    assert!(matches!(rig.manual.approve(id, &bo, now()), Err(ManualError::SamePerson(_))));
}

#[test]
fn a_request_that_comes_twice_is_taken_once_and_its_id_serves_nothing_else() {
    let mut rig = Rig::new();
    let id = rig.add("ABC123", "Ann");
    let mut again =
        |plate, by| rig.manual.request(id, Request::Add { entry: entry(plate) }, &person(by), now());
    assert_eq!(again("ABC123", "Ann").unwrap(), None);
    assert!(matches!(again("XYZ999", "Ann"), Err(ManualError::OtherContent)));
    assert!(matches!(again("ABC123", "Bo"), Err(ManualError::OtherContent)));
}

#[test]
fn a_change_takes_effect_once_a_second_person_approved() {
    let mut rig = Rig::new();
    let old = rig.added("ABC123");
    let new = RecordId::new();
    let change = Request::Change { of: old, entry: entry("ABC124") };
    rig.manual.request(new, change, &person("Ann Lee"), now()).unwrap();
    assert!(rig.finds("ABC123") && !rig.finds("ABC124"));
    assert!(matches!(rig.manual.approve(new, &person("Ann Lee"), now()), Err(ManualError::SamePerson(_))));
    rig.manual.approve(new, &person("Bo Hill"), now()).unwrap();
    rig.restart();
    assert!(!rig.finds("ABC123") && rig.finds("ABC124"));
    assert_eq!(rig.state(old, now()), ManualState::Replaced);
    let late = Request::Change { of: old, entry: entry("ABC125") };
    let late = rig.manual.request(RecordId::new(), late, &person("Ann"), now());
    assert!(matches!(late, Err(ManualError::NotInForce)));
}

#[test]
fn a_removal_needs_a_reason_and_a_second_person() {
    let mut rig = Rig::new();
    let id = rig.added("ABC123");
    let ask = |rig: &mut Rig, reason: &str| {
        let asked = RecordId::new();
        let request = Request::Remove { of: id, reason: Text::parse(reason).unwrap() };
        rig.manual.request(asked, request, &person("Cy Roe"), now()).map(|_| asked)
    };
    assert!(matches!(ask(&mut rig, ""), Err(ManualError::NoReason)));
    let declined = ask(&mut rig, "recovered").unwrap();
    assert!(matches!(ask(&mut rig, "recovered"), Err(ManualError::RemovalAsked(_))));
    rig.manual.decline(declined, &person("Bo"), now()).unwrap();
    let asked = ask(&mut rig, "recovered").unwrap();
    assert!(matches!(rig.manual.approve(asked, &person("Cy Roe"), now()), Err(ManualError::SamePerson(_))));
    assert!(rig.finds("ABC123"), "it matches until the removal is approved");
    let change = rig.manual.approve(asked, &person("Ann Lee"), now()).unwrap();
    assert!(matches!(change.what, ManualStep::RemovalApproved { .. }));
    rig.restart();
    assert!(!rig.finds("ABC123"));
    assert_eq!(rig.state(id, now()), ManualState::Removed);
    let kept = &rig.manual.entries[&id];
    let names = [&kept.requested, kept.approved.as_ref().unwrap(), &kept.ended.as_ref().unwrap().act];
    assert_eq!(names.map(|act| act.by.as_str()), ["Ann Lee", "Bo Hill", "Ann Lee"]);
}

#[test]
fn a_declined_request_cannot_be_approved() {
    let mut rig = Rig::new();
    let id = rig.add("ABC123", "Ann");
    rig.manual.decline(id, &person("Ann"), now()).unwrap();
    assert!(matches!(rig.manual.approve(id, &person("Bo"), now()), Err(ManualError::Unknown)));
    assert_eq!(rig.state(id, now()), ManualState::Declined);
}

#[test]
fn reminds_once_before_the_end_and_tells_of_the_end_once() {
    let mut rig = Rig::new();
    rig.added("ABC123");
    rig.add("PENDING", "Ann");
    let due = |rig: &mut Rig, at| {
        let due = rig.manual.due(at).unwrap();
        due.into_iter().map(|change| change.what).collect::<Vec<_>>()
    };
    assert_eq!(due(&mut rig, now() + DAY - SignedDuration::from_hours(5)), []);
    let near = now() + DAY - SignedDuration::from_hours(4);
    assert_eq!(rig.manual.summary(near).expiring, 1);
    assert_eq!(due(&mut rig, near), [ManualStep::ExpiresSoon]);
    rig.restart();
    assert_eq!(due(&mut rig, near), []);
    assert_eq!(due(&mut rig, now() + DAY), [ManualStep::Expired]);
    assert_eq!(due(&mut rig, now() + DAY), []);
    assert_eq!(rig.manual.summary(now() + DAY), ManualSummary::default());
    assert_eq!(rig.manual.list().len(), 2);
    assert_eq!(due(&mut rig, now() + DAY + KEPT), []);
    rig.restart();
    assert_eq!(rig.manual.list(), []);
}

#[test]
fn needs_a_reason_and_a_sensible_end() {
    let mut rig = Rig::new();
    let mut request =
        |entry| rig.manual.request(RecordId::new(), Request::Add { entry }, &person("Ann"), now());
    let bare = Entry::new(Listed::parse("ABC123").unwrap(), Category::Bolo);
    assert!(matches!(request(bare), Err(ManualError::NoReason)));
    let over = Entry { until: Some(now()), ..entry("ABC123") };
    assert!(matches!(request(over), Err(ManualError::ExpiresInThePast(_))));
    let endless = Entry { until: Some(Timestamp::MAX), ..entry("ABC123") };
    assert!(matches!(request(endless), Err(ManualError::TooLong { .. })));
    let id = rig.add("ABC123", "Ann");
    let late = rig.manual.approve(id, &person("Bo"), now() + DAY + SignedDuration::from_hours(1));
    assert!(matches!(late, Err(ManualError::Expired(_))));
    assert!(matches!(rig.manual.approve(RecordId::new(), &person("Bo"), now()), Err(ManualError::Unknown)));
}
