use super::*;

const LOCK: Duration = Duration::from_secs(30 * 60);
const PASSWORD: &str = "four lanes, wet road";

fn at(minutes: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + minutes * 60).unwrap()
}

/// Accounts with one administrator, Jo Hill, in a folder of their own.
fn with_administrator() -> (tempfile::TempDir, Accounts) {
    let folder = tempfile::tempdir().unwrap();
    let (mut accounts, code) = Accounts::open(folder.path(), LOCK).unwrap();
    let proof = accounts.set_up(&code.unwrap().to_string(), "Jo Hill", PASSWORD, at(0)).unwrap();
    assert!(matches!(proof, Proof::Accepted(_)));
    (folder, accounts)
}

fn accepted(proof: &Proof) -> bool {
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
