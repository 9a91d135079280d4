use jiff::SignedDuration;

use super::*;
use crate::console::{GivenSecret, Member, OneTimeCode, Role};
use crate::crypto::{SealedFileError, SigningKey};
use crate::words::PersonName;

fn now() -> Timestamp {
    "2026-06-01T12:00:00Z".parse().unwrap()
}

fn person(name: &str) -> Member {
    Member {
        name: PersonName::parse(name).unwrap(),
        role: Role::Officer,
        secret: GivenSecret::of(&OneTimeCode::generate()),
        disabled: false,
    }
}

fn roster(version: u64) -> Roster {
    let roster = RosterName::parse("patrol").unwrap();
    let issued = now() + SignedDuration::from_mins(version as i64);
    Roster { roster, version, issued, expires: None, people: vec![person("Ann Lee")] }
}

/// A unit that takes the roster `patrol` by the signatures of Ann and Bo, and its storage.
struct Post {
    folder: tempfile::TempDir,
    key: UnitKey,
    ann: SigningKey,
    bo: SigningKey,
}

impl Post {
    fn new() -> Self {
        let (ann, bo) = (SigningKey::generate(), SigningKey::generate());
        Self { folder: tempfile::tempdir().unwrap(), key: UnitKey::generate(), ann, bo }
    }

    fn config(&self, signatures: u8) -> Config {
        Config {
            name: RosterName::parse("patrol").unwrap(),
            keys: vec![self.ann.verifying_key(), self.bo.verifying_key()],
            signatures: signatures.try_into().unwrap(),
        }
    }

    fn start(&self) -> Rosters {
        Rosters::open(self.folder.path(), &self.key, Some(&self.config(1))).unwrap()
    }
}

fn taken(rosters: &mut Rosters, payload: &[u8]) -> bool {
    matches!(rosters.judge(payload, now()), Ok(Judgement::Taken(None)))
}

fn version(rosters: &Rosters) -> Option<u64> {
    rosters.held().map(|held| held.roster.version)
}

#[test]
fn versions_only_rise_and_a_restart_keeps_them() {
    let post = Post::new();
    let mut rosters = post.start();
    let (second, third) = (roster(2).sign(&[&post.ann]), roster(3).sign(&[&post.bo]));
    assert!(taken(&mut rosters, &second) && taken(&mut rosters, &third));
    for mut rosters in [rosters, post.start()] {
        assert_eq!(version(&rosters), Some(3));
        assert!(matches!(rosters.judge(&third, now()), Ok(Judgement::Known)));
        let older = rosters.judge(&second, now());
        assert!(matches!(older, Err(RosterRefusal::Older { offered: 2, seen: 3 })), "{older:?}");
        let other = rosters.judge(&roster(3).sign(&[&post.ann]), now());
        assert!(matches!(other, Err(RosterRefusal::TwoOfOneVersion(3))), "{other:?}");
        assert_eq!(rosters.in_force(now()).unwrap().view.rests, None);
    }
}

#[test]
fn strangers_changes_and_what_is_no_roster_are_refused_and_change_nothing() {
    use RosterRefusal as Why;
    let post = Post::new();
    let mut rosters = post.start();
    assert!(taken(&mut rosters, &roster(1).sign(&[&post.ann])));
    let mut refused = |payload: &[u8]| rosters.judge(payload, now()).expect_err("refused");
    let stranger = SigningKey::generate();
    assert!(matches!(refused(&roster(2).sign(&[&stranger])), Why::Signature(SignatureError::UnknownKey(_))));
    let forged = String::from_utf8(roster(2).sign(&[&post.ann])).unwrap().replace("officer", "administrator");
    assert!(matches!(refused(forged.as_bytes()), Why::Signature(SignatureError::Wrong(_))));
    let other = Roster { roster: RosterName::parse("county").unwrap(), ..roster(2) };
    assert!(matches!(refused(&other.sign(&[&post.ann])), Why::OtherRoster(_)));
    let over = Roster { issued: now() - SignedDuration::from_hours(2), expires: Some(now()), ..roster(2) };
    assert!(matches!(refused(&over.sign(&[&post.ann])), Why::Expired(_)));
    let twice = Roster { people: vec![person("Ann Lee"), person("ann lee")], ..roster(2) };
    assert!(matches!(refused(&twice.sign(&[&post.ann])), Why::Form(RosterError::Twice(_))));
    assert!(matches!(refused(&vec![b'{'; (1 << 20) + 1]), Why::TooLong(_)));
    assert!(matches!(refused(b""), Why::Signature(_)));
    // A hash that would keep a unit busy for minutes, and a role that there is not.
    for (part, by) in [("m=19456", "m=4194304"), ("officer", "chief")] {
        let json = serde_json::to_string(&roster(2)).unwrap().replace(part, by);
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        let signed = crate::crypto::Signed::new("roster", &value, &[&post.ann]).to_json();
        assert!(matches!(refused(&signed), Why::Signature(SignatureError::Payload(_))));
    }
    assert_eq!(version(&rosters), Some(1));
    assert!(taken(&mut rosters, &roster(2).sign(&[&post.ann])));
}

#[test]
fn where_two_must_sign_one_is_not_enough() {
    let post = Post::new();
    let mut rosters = Rosters::open(post.folder.path(), &post.key, Some(&post.config(2))).unwrap();
    let alone = roster(1).sign(&[&post.ann]);
    let refused = rosters.judge(&alone, now());
    assert!(matches!(refused, Err(RosterRefusal::TooFewSignatures { has: 1, needs: 2 })), "{refused:?}");
    let twice = Roster::countersign(&alone, &post.ann).unwrap();
    assert!(rosters.judge(&twice, now()).is_err(), "one key is one person");
    let both = Roster::countersign(&alone, &post.bo).unwrap();
    assert!(taken(&mut rosters, &both));
    assert_eq!(rosters.in_force(now()).unwrap().view.signed_by.len(), 2);
}

#[test]
fn restored_storage_rests_until_what_is_not_older_has_come() {
    let post = Post::new();
    let mut rosters = post.start();
    let [first, second, third] = [1, 2, 3].map(|version| roster(version).sign(&[&post.ann]));
    assert!(taken(&mut rosters, &first));
    let old = std::fs::read(post.folder.path().join("roster")).unwrap();
    assert!(taken(&mut rosters, &second) && taken(&mut rosters, &third));
    let kept = rosters.for_the_broker();

    std::fs::write(post.folder.path().join("roster"), old).unwrap();
    let mut restored = post.start();
    assert_eq!(restored.in_force(now()).unwrap().view.rests, None, "it cannot know yet");
    assert_eq!((restored.recall(&kept), restored.recall(&kept)), (Some(true), Some(false)));
    assert!(restored.in_force(now()).unwrap().view.rests.unwrap().contains("held version 3"));
    assert!(!restored.report(now()).unwrap().counts);
    assert!(matches!(restored.judge(&second, now()), Err(RosterRefusal::Older { offered: 2, seen: 3 })));
    for mut restored in [restored, post.start()] {
        assert!(taken(&mut restored, &third) || version(&restored) == Some(3));
        assert_eq!(restored.in_force(now()).unwrap().view.rests, None);
    }
    let strange = UnitKey::generate().derive("roster").seal(b"rosters at the broker 1", b"{}");
    assert_eq!(post.start().recall(&strange), None);
}

#[test]
fn an_end_that_is_given_ends_it() {
    let post = Post::new();
    let mut rosters = post.start();
    let expires = now() + SignedDuration::from_hours(1);
    assert!(taken(&mut rosters, &Roster { expires: Some(expires), ..roster(1) }.sign(&[&post.ann])));
    assert_eq!(rosters.in_force(expires - SignedDuration::from_secs(1)).unwrap().view.rests, None);
    let over = rosters.in_force(expires).unwrap();
    assert!(over.view.rests.unwrap().contains("2026-06-01T13:00:00Z") && over.members.len() == 1);
    let report = rosters.report(expires).unwrap();
    assert!(!report.counts && report.rests.unwrap().contains("must sign a new one"), "health hears why");
}

#[test]
fn another_configuration_lets_go_of_what_it_does_not_trust() {
    let post = Post::new();
    assert!(taken(&mut post.start(), &roster(2).sign(&[&post.ann])));
    let only_bo = Config { keys: vec![post.bo.verifying_key()], ..post.config(1) };
    let mut rosters = Rosters::open(post.folder.path(), &post.key, Some(&only_bo)).unwrap();
    assert!(rosters.held().is_none());
    let older = rosters.judge(&roster(1).sign(&[&post.bo]), now());
    assert!(matches!(older, Err(RosterRefusal::Older { offered: 1, seen: 2 })), "the version stays known");
    assert!(Rosters::open(post.folder.path(), &post.key, None).unwrap().report(now()).is_none());
    std::fs::write(post.folder.path().join("roster"), b"{}").unwrap();
    let damaged = Rosters::open(post.folder.path(), &post.key, None);
    assert!(matches!(damaged, Err(SealedFileError::Damaged { .. })));
}
