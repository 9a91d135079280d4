use super::*;

pub(super) const LOCK: Duration = Duration::from_secs(30 * 60);
pub(super) const PASSWORD: &str = "four lanes, wet road";

fn at(minutes: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + minutes * 60).unwrap()
}

/// Accounts with one administrator, Jo Hill, in a folder of their own.
pub(super) fn with_administrator() -> (tempfile::TempDir, Accounts) {
    let folder = tempfile::tempdir().unwrap();
    let (mut accounts, code) = Accounts::open(folder.path(), LOCK).unwrap();
    let proof = accounts.set_up(&code.unwrap().to_string(), "Jo Hill", PASSWORD, at(0)).unwrap();
    assert!(matches!(proof, Proof::Accepted(_)));
    (folder, accounts)
}

pub(super) fn accepted(proof: &Proof) -> bool {
    matches!(proof, Proof::Accepted(_))
}

#[test]
fn the_first_code_makes_one_administrator_and_is_worth_nothing_after() {
    let folder = tempfile::tempdir().unwrap();
    let (mut accounts, code) = Accounts::open(folder.path(), LOCK).unwrap();
    let code = code.unwrap().to_string();
    assert!(accounts.first_boot());

    assert!(!accepted(&accounts.set_up("0000-0000-0000-0000", "Jo Hill", PASSWORD, at(0)).unwrap()));
    assert!(matches!(
        accounts.set_up(&code, "Jo Hill", "short", at(0)),
        Err(AccountsError::Weak(WeakPassword::Short))
    ));
    assert!(accepted(&accounts.set_up(&code, "Jo Hill", PASSWORD, at(0)).unwrap()));
    assert!(!accepted(&accounts.set_up(&code, "Eve", PASSWORD, at(0)).unwrap()));
    assert!(!accounts.first_boot());

    let file = std::fs::read_to_string(folder.path().join("accounts.json")).unwrap();
    assert!(!file.contains(&code) && !file.contains(PASSWORD));
}

#[test]
fn a_restart_keeps_accounts_and_prints_no_second_code() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, _) = with_administrator();
    let (mut again, code) = Accounts::open(folder.path(), LOCK).unwrap();
    assert!(code.is_none());
    assert!(accepted(&again.sign_in("jo hill ", PASSWORD, at(1)).unwrap()));
    let mode = std::fs::metadata(folder.path().join("accounts.json")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_code_that_nobody_used_is_replaced_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let (_, missed) = Accounts::open(folder.path(), LOCK).unwrap();
    let (mut accounts, code) = Accounts::open(folder.path(), LOCK).unwrap();
    let set_up = |accounts: &mut Accounts, code: Option<OneTimeCode>| {
        accepted(&accounts.set_up(&code.unwrap().to_string(), "Jo Hill", PASSWORD, at(0)).unwrap())
    };
    assert!(!set_up(&mut accounts, missed));
    assert!(set_up(&mut accounts, code));
}

#[test]
fn five_failures_lock_until_the_time_has_passed() {
    let (folder, mut accounts) = with_administrator();
    for attempt in 1..=5 {
        let proof = accounts.sign_in("Jo Hill", "wrong", at(1)).unwrap();
        let Proof::Refused { now_locked, .. } = proof else { panic!("accepted a wrong password") };
        assert_eq!(now_locked, attempt == 5);
    }
    // Neither the right password nor a restart opens it early.
    let (mut accounts, _) = Accounts::open(folder.path(), LOCK).unwrap();
    assert!(!accepted(&accounts.sign_in("Jo Hill", PASSWORD, at(30)).unwrap()));
    assert!(accepted(&accounts.sign_in("Jo Hill", PASSWORD, at(31)).unwrap()));
}

#[test]
fn an_administrator_releases_a_lock() {
    let (_folder, mut accounts) = with_administrator();
    let code = accounts.invite("Sam Poe", Role::Officer, at(0)).unwrap().to_string();
    assert!(accepted(&accounts.set_up(&code, "Sam Poe", PASSWORD, at(0)).unwrap()));
    for _ in 0..5 {
        accounts.sign_in("Sam Poe", "wrong", at(1)).unwrap();
    }
    assert!(matches!(accounts.list(at(1))[1].standing, Standing::Locked { .. }));
    accounts.release("Sam Poe").unwrap();
    assert!(accepted(&accounts.sign_in("Sam Poe", PASSWORD, at(1)).unwrap()));
}

#[test]
fn failures_count_only_in_a_row() {
    let (_folder, mut accounts) = with_administrator();
    for _ in 0..3 {
        for _ in 0..4 {
            accounts.sign_in("Jo Hill", "wrong", at(1)).unwrap();
        }
        assert!(accepted(&accounts.sign_in("Jo Hill", PASSWORD, at(1)).unwrap()));
    }
}

#[test]
fn an_invitation_is_used_once_and_is_no_password() {
    let (_folder, mut accounts) = with_administrator();
    let code = accounts.invite("Sam Poe", Role::Technician, at(0)).unwrap().to_string();
    assert!(matches!(accounts.invite("sam poe", Role::Officer, at(0)), Err(AccountsError::Taken(_))));
    assert!(!accepted(&accounts.sign_in("Sam Poe", &code, at(0)).unwrap()));
    assert!(!accepted(&accounts.sign_in("Sam Poe", "", at(0)).unwrap()));
    assert!(accepted(&accounts.set_up(&code, "Sam Poe", PASSWORD, at(0)).unwrap()));
    assert!(!accepted(&accounts.set_up(&code, "Sam Poe", "another password 1", at(0)).unwrap()));
    assert!(accepted(&accounts.sign_in("Sam Poe", PASSWORD, at(0)).unwrap()));
}

#[test]
fn each_recovery_code_sets_a_password_once_and_opens_no_lock() {
    let (folder, mut accounts) = with_administrator();
    let name = PersonName::parse("Jo Hill").unwrap();
    let (proof, none) = accounts.renew_recovery(&name, "wrong", at(0)).unwrap();
    assert!(!accepted(&proof) && none.is_empty());
    let (_, old) = accounts.renew_recovery(&name, PASSWORD, at(0)).unwrap();
    let (_, codes) = accounts.renew_recovery(&name, PASSWORD, at(0)).unwrap();
    assert_eq!(codes.len(), RECOVERY_CODES);
    let file = std::fs::read_to_string(folder.path().join("accounts.json")).unwrap();
    assert!(!file.contains(&codes[0].to_string()));

    let recover = |accounts: &mut Accounts, code: &OneTimeCode, minutes| {
        accepted(&accounts.set_up(&code.to_string(), "jo hill", "another password 1", at(minutes)).unwrap())
    };
    assert!(!recover(&mut accounts, &old[0], 0), "the former ones are void");
    assert!(recover(&mut accounts, &codes[0], 0));
    assert!(!recover(&mut accounts, &codes[0], 0), "a code works once");
    assert!(!accepted(&accounts.sign_in("Jo Hill", PASSWORD, at(0)).unwrap()));
    assert!(accepted(&accounts.sign_in("Jo Hill", "another password 1", at(0)).unwrap()));
    assert_eq!(accounts.list(at(0))[0].recovery, RECOVERY_CODES - 1);

    for _ in 0..5 {
        accounts.sign_in("Jo Hill", "wrong", at(1)).unwrap();
    }
    assert!(!recover(&mut accounts, &codes[1], 2));
    assert!(recover(&mut accounts, &codes[1], 40));
}

#[test]
fn a_disabled_account_is_refused_and_the_last_administrator_stays() {
    let (_folder, mut accounts) = with_administrator();
    let code = accounts.invite("Sam Poe", Role::Administrator, at(0)).unwrap().to_string();
    // Invited is not yet able to sign in.
    assert!(matches!(accounts.disable("Jo Hill"), Err(AccountsError::LastAdministrator(_))));
    accounts.set_up(&code, "Sam Poe", PASSWORD, at(0)).unwrap();
    accounts.disable("Jo Hill").unwrap();
    assert!(!accepted(&accounts.sign_in("Jo Hill", PASSWORD, at(0)).unwrap()));
    assert!(matches!(accounts.reset("Sam Poe"), Err(AccountsError::LastAdministrator(_))));
    accounts.enable("Jo Hill").unwrap();
    assert!(accepted(&accounts.sign_in("Jo Hill", PASSWORD, at(0)).unwrap()));
}

#[test]
fn a_damaged_file_is_an_error_and_no_first_boot() {
    let (folder, _) = with_administrator();
    std::fs::write(folder.path().join("accounts.json"), b"").unwrap();
    assert!(matches!(Accounts::open(folder.path(), LOCK), Err(AccountsError::Damaged { .. })));
}

#[test]
fn on_a_disk_that_takes_no_writes_people_sign_in_and_nothing_changes() {
    let (folder, accounts) = with_administrator();
    drop(accounts);
    let path = folder.path().join("accounts.json");
    let before = std::fs::read(&path).unwrap();
    // Root may write anywhere; a folder in the place of the temporary file stops even root.
    let blocked = folder.path().join("accounts.json.new");
    std::fs::create_dir(&blocked).unwrap();
    let (mut accounts, code) = Accounts::open(folder.path(), LOCK).unwrap();
    assert!(code.is_none());
    assert!(matches!(accounts.invite("Eve Roe", Role::Officer, at(0)), Err(AccountsError::Write { .. })));
    assert_eq!(accounts.list(at(0)).len(), 1);
    assert!(accepted(&accounts.sign_in("Jo Hill", PASSWORD, at(0)).unwrap()));
    for _ in 0..FAILURES_MAX {
        assert!(!accepted(&accounts.sign_in("Jo Hill", "four lanes", at(0)).unwrap()));
    }
    assert!(!accepted(&accounts.sign_in("Jo Hill", PASSWORD, at(1)).unwrap()), "it locks all the same");
    assert_eq!(std::fs::read(&path).unwrap(), before);
    std::fs::remove_dir(&blocked).unwrap();
    assert!(accepted(&accounts.sign_in("Jo Hill", PASSWORD, at(31)).unwrap()));
    accounts.invite("Eve Roe", Role::Officer, at(31)).unwrap();
}

#[test]
fn a_unit_that_nobody_has_used_gives_its_code_on_a_full_disk_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let blocked = folder.path().join("accounts.json.new");
    std::fs::create_dir(&blocked).unwrap();
    let (mut accounts, code) = Accounts::open(folder.path(), LOCK).unwrap();
    let code = code.unwrap().to_string();
    let refused = accounts.set_up(&code, "Jo Hill", PASSWORD, at(0));
    assert!(matches!(refused, Err(AccountsError::Write { .. })), "an account must outlive a restart");
    std::fs::remove_dir(&blocked).unwrap();
    assert!(accepted(&accounts.set_up(&code, "Jo Hill", PASSWORD, at(0)).unwrap()));
}

/// A person of the roster, and their code.
fn member(name: &str, role: Role) -> (Member, String) {
    let code = OneTimeCode::generate();
    let name = PersonName::parse(name).unwrap();
    (Member { name, role, secret: GivenSecret::of(&code), disabled: false }, code.to_string())
}

fn roster(members: &[&Member]) -> Roster {
    let view = RosterView {
        roster: crate::words::RosterName::parse("patrol").unwrap(),
        version: 1,
        issued: at(0),
        expires: None,
        signed_by: Vec::new(),
        rests: None,
    };
    Roster { view, members: members.iter().map(|member| (*member).clone()).collect() }
}

fn names(taken: &RosterTaken) -> Vec<(RosterChange, &str)> {
    taken.changes.iter().map(|(change, name)| (*change, name.as_str())).collect()
}

fn signed_out(taken: &RosterTaken) -> Vec<&str> {
    taken.signed_out.iter().map(PersonName::as_str).collect()
}

#[test]
fn the_departments_code_signs_in_and_its_word_ends_it() {
    let (folder, mut accounts) = with_administrator();
    let (mut sam, code) = member("Sam Poe", Role::Officer);
    let taken = accounts.take_roster(Some(roster(&[&sam])), at(0));
    assert_eq!((names(&taken), signed_out(&taken)), (vec![(RosterChange::Added, "Sam Poe")], vec![]));
    // As it is typed on a telephone; and never by the hash, which others can read.
    let typed = code.to_lowercase().replace('-', "");
    let Proof::Accepted(person) = accounts.sign_in("sam poe", &typed, at(1)).unwrap() else {
        panic!("refused")
    };
    assert!(person.role == Role::Officer && accounts.admits(&person, at(1)));
    let hash = String::from(sam.secret.clone());
    assert!(!accepted(&accounts.sign_in("Sam Poe", &hash, at(1)).unwrap()));
    assert!(!std::fs::read_to_string(folder.path().join("accounts.json")).unwrap().contains(&code));

    sam.role = Role::Technician;
    let taken = accounts.take_roster(Some(roster(&[&sam])), at(2));
    assert_eq!(
        (names(&taken), signed_out(&taken)),
        (vec![(RosterChange::NewRole, "Sam Poe")], vec!["Sam Poe"])
    );
    assert!(!accounts.admits(&person, at(2)), "who signed in as an officer must do so anew");
    sam.disabled = true;
    let taken = accounts.take_roster(Some(roster(&[&sam])), at(3));
    assert_eq!(
        (names(&taken), signed_out(&taken)),
        (vec![(RosterChange::Disabled, "Sam Poe")], vec!["Sam Poe"])
    );
    assert!(!accepted(&accounts.sign_in("Sam Poe", &code, at(3)).unwrap()));
    sam.disabled = false;
    assert_eq!(
        names(&accounts.take_roster(Some(roster(&[&sam])), at(4))),
        [(RosterChange::Enabled, "Sam Poe")]
    );
    assert!(accepted(&accounts.sign_in("Sam Poe", &code, at(4)).unwrap()));
    // An empty roster takes away what the department gave, and nothing else.
    let taken = accounts.take_roster(Some(roster(&[])), at(5));
    assert_eq!(
        (names(&taken), signed_out(&taken)),
        (vec![(RosterChange::Removed, "Sam Poe")], vec!["Sam Poe"])
    );
    assert!(!accepted(&accounts.sign_in("Sam Poe", &code, at(5)).unwrap()));
    assert!(accepted(&accounts.sign_in("Jo Hill", PASSWORD, at(5)).unwrap()));
}

#[test]
fn a_renewed_roster_leaves_locks_and_own_passwords_and_a_new_secret_does_not() {
    let (folder, mut accounts) = with_administrator();
    let ((sam, first), (eve, eves)) = (member("Sam Poe", Role::Officer), member("Eve Roe", Role::Officer));
    accounts.take_roster(Some(roster(&[&sam, &eve])), at(0));
    // The department's code is good for setting a password as well.
    assert!(accepted(&accounts.set_up(&first, "Sam Poe", PASSWORD, at(0)).unwrap()));
    assert!(!accepted(&accounts.sign_in("Sam Poe", &first, at(0)).unwrap()), "a password was set here");
    accounts.renew_recovery(&sam.name, PASSWORD, at(0)).unwrap();
    for _ in 0..FAILURES_MAX {
        accounts.sign_in("Eve Roe", "wrong", at(1)).unwrap();
    }
    drop(accounts);
    let (mut accounts, _) = Accounts::open(folder.path(), LOCK).unwrap();
    assert!(!accepted(&accounts.sign_in("Sam Poe", PASSWORD, at(1)).unwrap()), "no roster is told of yet");
    let taken = accounts.take_roster(Some(roster(&[&sam, &eve])), at(2));
    assert_eq!(taken, RosterTaken::default());
    assert!(accepted(&accounts.sign_in("Sam Poe", PASSWORD, at(2)).unwrap()));
    assert!(!accepted(&accounts.sign_in("Eve Roe", &eves, at(2)).unwrap()), "locked");
    accounts.release("Eve Roe").unwrap();
    assert!(accepted(&accounts.sign_in("Eve Roe", &eves, at(2)).unwrap()), "what people here may do");
    for refused in
        [accounts.disable("Eve Roe"), accounts.enable("Eve Roe"), accounts.reset("Eve Roe").map(|_| ())]
    {
        assert!(matches!(refused, Err(AccountsError::FromDepartment(_))), "{refused:?}");
    }

    let (renewed, second) = member("Sam Poe", Role::Officer);
    let taken = accounts.take_roster(Some(roster(&[&renewed, &eve])), at(3));
    assert_eq!(
        (names(&taken), signed_out(&taken)),
        (vec![(RosterChange::NewSecret, "Sam Poe")], vec!["Sam Poe"])
    );
    for (secret, works) in [(PASSWORD, false), (first.as_str(), false), (second.as_str(), true)] {
        assert_eq!(accepted(&accounts.sign_in("Sam Poe", secret, at(3)).unwrap()), works);
    }
    assert_eq!(accounts.list(at(3)).iter().map(|account| account.recovery).sum::<usize>(), 0);
}

#[test]
fn a_roster_that_does_not_count_lets_nobody_of_it_in() {
    let (_folder, mut accounts) = with_administrator();
    let (sam, code) = member("Sam Poe", Role::Administrator);
    let mut over = roster(&[&sam]);
    accounts.take_roster(Some(over.clone()), at(0));
    let Proof::Accepted(person) = accounts.sign_in("Sam Poe", &code, at(0)).unwrap() else {
        panic!("refused")
    };
    over.view.rests = Some("It was good until noon.".to_owned());
    let taken = accounts.take_roster(Some(over), at(1));
    assert_eq!((names(&taken), signed_out(&taken)), (vec![], vec!["Sam Poe"]));
    assert!(!accounts.admits(&person, at(1)));
    assert!(!accepted(&accounts.sign_in("Sam Poe", &code, at(1)).unwrap()));
    assert_eq!(accounts.list(at(1))[1].standing, Standing::Resting);
    assert!(accepted(&accounts.sign_in("Jo Hill", PASSWORD, at(1)).unwrap()));
}

#[test]
fn the_roster_takes_a_name_over_for_good_but_never_the_last_administrators() {
    let (_folder, mut accounts) = with_administrator();
    let code = accounts.invite("Sam Poe", Role::Officer, at(0)).unwrap().to_string();
    accounts.set_up(&code, "Sam Poe", PASSWORD, at(0)).unwrap();
    let ((mut jo, jos), (sam, sams)) = (member("jo hill", Role::Officer), member("SAM POE", Role::Officer));
    jo.disabled = true;
    let taken = accounts.take_roster(Some(roster(&[&jo, &sam])), at(1));
    let clashes = [(RosterChange::LocalKept, "Jo Hill"), (RosterChange::LocalDisabled, "Sam Poe")];
    assert_eq!(names(&taken)[2..], clashes);
    assert_eq!(signed_out(&taken), ["Sam Poe"]);
    assert!(
        accepted(&accounts.sign_in("Jo Hill", PASSWORD, at(1)).unwrap()),
        "no roster locks everybody out"
    );
    assert!(!accepted(&accounts.sign_in("jo hill", &jos, at(1)).unwrap()));
    assert!(!accepted(&accounts.sign_in("Sam Poe", PASSWORD, at(1)).unwrap()));
    assert!(accepted(&accounts.sign_in("Sam Poe", &sams, at(1)).unwrap()));
    assert!(matches!(
        accounts.invite("sam poe", Role::Officer, at(1)),
        Err(AccountsError::FromDepartment(_))
    ));
    assert!(matches!(accounts.disable("Jo Hill"), Err(AccountsError::LastAdministrator(_))));
    assert_eq!(accounts.list(at(1))[2].standing, Standing::Superseded);

    // Who is gone from the roster is not let in again by what was made here, unless somebody here says so.
    accounts.take_roster(Some(roster(&[&jo])), at(2));
    assert!(!accepted(&accounts.sign_in("Sam Poe", PASSWORD, at(2)).unwrap()));
    accounts.enable("Sam Poe").unwrap();
    assert!(accepted(&accounts.sign_in("Sam Poe", PASSWORD, at(2)).unwrap()));

    // With another administrator made here the department's word counts.
    let code = accounts.invite("Ada Moss", Role::Administrator, at(3)).unwrap().to_string();
    accounts.set_up(&code, "Ada Moss", PASSWORD, at(3)).unwrap();
    let taken = accounts.take_roster(Some(roster(&[&jo])), at(4));
    assert_eq!(names(&taken), [(RosterChange::LocalDisabled, "Jo Hill")]);
    assert!(!accepted(&accounts.sign_in("Jo Hill", PASSWORD, at(4)).unwrap()));
}

#[test]
fn a_unit_with_people_from_the_department_alone_still_makes_its_own_administrator() {
    let folder = tempfile::tempdir().unwrap();
    let (mut accounts, code) = Accounts::open(folder.path(), LOCK).unwrap();
    let (sam, sams) = member("Sam Poe", Role::Administrator);
    accounts.take_roster(Some(roster(&[&sam])), at(0));
    assert!(accounts.first_boot() && !accounts.is_empty());
    assert!(accepted(&accounts.sign_in("Sam Poe", &sams, at(0)).unwrap()));
    let code = code.unwrap().to_string();
    let taken = accounts.set_up(&code, "Sam Poe", PASSWORD, at(0));
    assert!(matches!(taken, Err(AccountsError::FromDepartment(_))), "{taken:?}");
    assert!(accepted(&accounts.set_up(&code, "Jo Hill", PASSWORD, at(0)).unwrap()));
    assert!(!accounts.first_boot());
}
