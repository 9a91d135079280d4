use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;
use crate::console::Role;
use crate::crypto::{Letter, LetterError, SealedFileError, SigningKey};
use crate::hotlist::Text;

fn now() -> Timestamp {
    "2026-06-01T12:00:00Z".parse().unwrap()
}

fn minutes(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

fn north() -> UnitId {
    UnitId::parse("north-7").unwrap()
}

/// A unit with one technician, one officer, and its storage.
struct Post {
    folder: tempfile::TempDir,
    key: UnitKey,
    technician: SigningKey,
    officer: SigningKey,
}

impl Post {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            key: UnitKey::generate(),
            technician: SigningKey::generate(),
            officer: SigningKey::generate(),
        }
    }

    fn start(&self) -> Commands {
        let person = |name: &str, key: &SigningKey, role| Commander {
            name: PersonName::parse(name).unwrap(),
            key: key.verifying_key(),
            role,
        };
        let people = vec![
            person("Ann Lee", &self.technician, Role::Technician),
            person("Bo Hill", &self.officer, Role::Officer),
        ];
        Commands::open(self.folder.path(), &self.key, north(), &Config { people }).unwrap()
    }
}

fn command(act: Act) -> Command {
    Command::new(north(), act, Text::parse("window broken").unwrap(), now(), minutes(15))
}

fn judge(commands: &mut Commands, payload: &[u8], at: Timestamp) -> Judgement {
    commands.judge(payload, at, ClockStatus::Synchronised)
}

fn is_taken(judgement: &Judgement) -> bool {
    matches!(judgement, Judgement::CarryOut { .. })
}

#[test]
fn a_command_is_its_signers_and_acts_once() {
    let post = Post::new();
    let mut commands = post.start();
    let sent = command(Act::TakeOut {}).sign(&post.technician);
    let Judgement::CarryOut { command, by } = judge(&mut commands, &sent, now()) else { panic!("refused") };
    assert_eq!(by.as_str(), "Ann Lee");

    // Cut off here, nobody knows whether it was carried out; it is not begun again.
    let mut restarted = post.start();
    let Judgement::Again(result) = judge(&mut restarted, &sent, now()) else { panic!("acted twice") };
    assert!(result.said.contains("cut off"), "{}", result.said);

    let result = CommandResult::of(&command, &by, Outcome::Done, "The unit is out of service.", now());
    commands.done(&command, &result).unwrap();
    for mut commands in [commands, post.start()] {
        let Judgement::Again(again) = judge(&mut commands, &sent, now()) else { panic!("acted twice") };
        assert_eq!(again, result);
    }
}

#[test]
fn what_is_left_open_over_a_restart_is_found_again_and_does_not_act_twice() {
    let post = Post::new();
    let mut commands = post.start();
    let sent = command(Act::VerifyAim { camera: None });
    let payload = sent.sign(&post.technician);
    let Judgement::CarryOut { command, by } = judge(&mut commands, &payload, now()) else {
        panic!("refused")
    };
    let order = OverRestart { command, by, configuration: crate::crypto::Digest::of(b"before") };
    commands.leave_open(order.clone()).unwrap();
    let mut restarted = post.start();
    assert_eq!(restarted.left_open(), std::slice::from_ref(&order));
    assert!(matches!(judge(&mut restarted, &payload, now()), Judgement::Again(_)));
    let result = CommandResult::of(&order.command, &order.by, Outcome::Done, "It works.", now());
    restarted.done(&order.command, &result).unwrap();
    let mut again = post.start();
    assert!(again.left_open().is_empty());
    let Judgement::Again(told) = judge(&mut again, &payload, now()) else { panic!("acted twice") };
    assert_eq!(told, result);

    // Whoever goes back must be who changes the configuration at the console.
    let back = self::command(Act::RollBackConfiguration {});
    let refused = judge(&mut again, &back.sign(&post.technician), now());
    assert!(
        matches!(refused, Judgement::Refused { why: CommandRefusal::NotAllowed { .. }, .. }),
        "{refused:?}"
    );
}

#[test]
fn strangers_other_units_other_times_and_other_roles_are_refused() {
    use CommandRefusal as Why;
    let post = Post::new();
    let mut commands = post.start();
    let mut refused = |payload: &[u8], at| match judge(&mut commands, payload, at) {
        Judgement::Refused { why, answer } => (why, answer.is_some()),
        other => panic!("{other:?}"),
    };
    let take_out = command(Act::TakeOut {});
    let sent = take_out.sign(&post.technician);
    assert!(matches!(
        refused(&take_out.sign(&SigningKey::generate()), now()),
        (Why::Letter(LetterError::Signature(_)), false)
    ));
    let forged = String::from_utf8(sent.clone()).unwrap().replace("window broken", "window cracked");
    assert!(matches!(refused(forged.as_bytes(), now()), (Why::Letter(LetterError::Signature(_)), false)));
    let elsewhere = Command { unit: UnitId::parse("south-1").unwrap(), ..take_out.clone() };
    assert!(matches!(
        refused(&elsewhere.sign(&post.technician), now()),
        (Why::Letter(LetterError::OtherUnit(_)), false)
    ));
    let silent = Command { reason: Text::default(), ..take_out.clone() };
    assert!(matches!(refused(&silent.sign(&post.technician), now()), (Why::NoReason, false)));
    assert!(matches!(refused(&vec![b'{'; 66_000], now()), (Why::Letter(LetterError::TooLong { .. }), false)));

    // Its signer is known, and is told.
    assert!(matches!(refused(&take_out.sign(&post.officer), now()), (Why::NotAllowed { .. }, true)));
    assert!(matches!(refused(&sent, now() + minutes(15)), (Why::Letter(LetterError::Late(_)), true)));
    assert!(matches!(
        refused(&sent, now() - minutes(61)),
        (Why::Letter(LetterError::FromTheFuture(_)), true)
    ));
    let lasting = Command { expires: now() + SignedDuration::from_hours(25), ..take_out };
    assert!(matches!(
        refused(&lasting.sign(&post.technician), now()),
        (Why::Letter(LetterError::GoodForTooLong(_)), true)
    ));

    let snapshot = command(Act::SendSnapshot { camera: None }).sign(&post.officer);
    assert!(
        is_taken(&judge(&mut commands, &snapshot, now())),
        "an officer sees that picture at the console, too"
    );
    assert!(is_taken(&judge(&mut commands, &sent, now())), "the refusals left it as it was");
}

#[test]
fn restored_storage_and_a_clock_set_back_open_no_door() {
    let post = Post::new();
    let old = tempfile::tempdir().unwrap();
    let mut commands = post.start();
    let first = command(Act::TakeOut {}).sign(&post.technician);
    assert!(is_taken(&judge(&mut commands, &first, now())));
    std::fs::copy(post.folder.path().join("commands"), old.path().join("commands")).unwrap();
    let second = command(Act::Return {}).sign(&post.technician);
    assert!(is_taken(&judge(&mut commands, &second, now())));
    let kept = commands.for_the_broker();

    std::fs::copy(old.path().join("commands"), post.folder.path().join("commands")).unwrap();
    let mut restored = post.start();
    assert!(restored.recall(&kept).unwrap());
    assert!(matches!(judge(&mut restored, &second, now()), Judgement::Again(_)));
    assert!(!restored.recall(&UnitKey::generate().derive("commands").seal(b"", b"{}")).unwrap());

    // An hour later both are over and forgotten, and a third is taken; then the clock is set back.
    let later = now() + minutes(60);
    let third = Command { issued: later, expires: later + minutes(15), ..command(Act::TakeOut {}) };
    assert!(is_taken(&judge(&mut restored, &third.sign(&post.technician), later)));
    for sent in [&first, &second] {
        let back = judge(&mut restored, sent, now());
        assert!(
            matches!(back, Judgement::Refused { why: CommandRefusal::Letter(LetterError::Late(_)), .. }),
            "{back:?}"
        );
    }
}

#[test]
fn a_clock_that_nobody_keeps_is_as_late_as_the_last_command() {
    let post = Post::new();
    let mut commands = post.start();
    let mut at = |command: &Command, clock_says| {
        commands.judge(&command.sign(&post.technician), clock_says, ClockStatus::Free)
    };
    let behind = now() - minutes(50);
    assert!(is_taken(&at(&command(Act::TakeOut {}), behind)));
    let held_back =
        Command { issued: now() - minutes(40), expires: now() - minutes(25), ..command(Act::Return {}) };
    assert!(matches!(
        at(&held_back, behind),
        Judgement::Refused { why: CommandRefusal::Letter(LetterError::Late(_)), .. }
    ));
}

#[test]
fn a_damaged_memory_is_told() {
    let post = Post::new();
    std::fs::write(post.folder.path().join("commands"), b"{}").unwrap();
    let opened = Commands::open(post.folder.path(), &post.key, north(), &Config::default());
    assert!(matches!(opened, Err(SealedFileError::Damaged { .. })));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut commands = Post::new().start();
        let refused = matches!(judge(&mut commands, &bytes, now()), Judgement::Refused { answer: None, .. });
        prop_assert!(refused);
        prop_assert!(!commands.recall(&bytes).unwrap());
    }
}
