//! A unit's accounts at its start: as they were kept, sealed from now on, or lost.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use tracing::warn;

use super::book::Book;
use super::file::Shelf;
use super::recovery::Recovery;
use super::secret::OneTimeCode;
use super::{Accounts, AccountsError};
use crate::crypto::UnitKey;
use crate::words::PersonName;

/// What the unit's other files tell of its accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Past {
    /// It never started before: there are none yet.
    None,
    /// It last ran with a version that left them open.
    Open,
    /// It has sealed accounts.
    Sealed,
}

/// What a start found of the accounts, beyond that they are as they were kept.
#[derive(Debug, PartialEq, Eq)]
pub enum AccountsFound {
    /// They lay open, and are sealed from now on.
    Sealed,
    /// There must have been some, and these do not open or are gone.
    Lost(&'static str),
    /// Somebody with the unit's key made a code for an administrator.
    Recovered { by: PersonName, reason: String },
}

/// A unit's accounts after a start.
pub struct OpenedAccounts {
    pub accounts: Accounts,
    /// For whoever comes first, where nobody came yet.
    pub first_code: Option<OneTimeCode>,
    pub found: Vec<AccountsFound>,
}

impl Accounts {
    /// Opens those of a unit in `folder`, sealed with its key, or begins them at its first start.
    ///
    /// Who takes the file away, or puts an old or another one in its place, makes no first start of it: the unit then has no
    /// accounts of its own and gives no code, until somebody with its key [makes one](Recovery).
    pub fn of_unit(
        folder: &Path,
        key: &UnitKey,
        lock: Duration,
        past: Past,
        now: Timestamp,
    ) -> Result<OpenedAccounts, AccountsError> {
        let shelf = Shelf::sealed(folder, key);
        let mut found = Vec::new();
        let mut lost = |why| {
            found.push(AccountsFound::Lost(why));
            Book { lost: true, ..Book::default() }
        };
        let book = match shelf.load() {
            Ok(Some(book)) => book,
            Ok(None) => match past {
                Past::None => Book::default(),
                Past::Open => Shelf::plain(folder).load().ok().flatten().unwrap_or_else(|| lost("are gone")),
                Past::Sealed => lost("are gone"),
            },
            Err(AccountsError::Damaged { .. }) => {
                shelf.set_aside();
                lost("do not open")
            }
            Err(error) => return Err(error),
        };
        if past == Past::Open && !book.lost {
            found.push(AccountsFound::Sealed);
        }
        let mut accounts = Self::of(shelf, book, lock);
        let first_code = match Recovery::take(&accounts.shelf, now) {
            Some(Recovery { code, by, reason, .. }) => {
                found.push(AccountsFound::Recovered { by, reason });
                accounts.change(|book| book.first_code = Some(code))?;
                Recovery::forget(&accounts.shelf);
                None
            }
            None => accounts.welcome(),
        };
        if !found.is_empty()
            && let Err(error) = accounts.shelf.save(&accounts.book)
        {
            warn!(%error, "what was found of the accounts is found again at the next start");
        } else {
            accounts.shelf.forget_open();
        }
        Ok(OpenedAccounts { accounts, first_code, found })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::Role;
    use crate::console::accounts::Proof;

    const LOCK: Duration = Duration::from_secs(30 * 60);
    const PASSWORD: &str = "four lanes, wet road";
    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    struct Bench {
        folder: tempfile::TempDir,
        key: UnitKey,
    }

    impl Bench {
        fn new() -> Self {
            Self { folder: tempfile::tempdir().unwrap(), key: UnitKey::generate() }
        }

        fn open(&self, past: Past) -> OpenedAccounts {
            Accounts::of_unit(self.folder.path(), &self.key, LOCK, past, NOW).unwrap()
        }

        fn file(&self, name: &str) -> std::path::PathBuf {
            self.folder.path().join(name)
        }

        /// With an administrator, Jo Hill.
        fn peopled() -> Self {
            let bench = Self::new();
            let OpenedAccounts { mut accounts, first_code, .. } = bench.open(Past::None);
            enter(&mut accounts, &first_code.unwrap().to_string());
            bench
        }
    }

    fn enter(accounts: &mut Accounts, code: &str) {
        assert!(matches!(accounts.set_up(code, "Jo Hill", PASSWORD, NOW), Ok(Proof::Accepted(_))));
    }

    fn signs_in(accounts: &mut Accounts) -> bool {
        matches!(accounts.sign_in("Jo Hill", PASSWORD, NOW), Ok(Proof::Accepted(_)))
    }

    #[test]
    fn nothing_of_them_can_be_read_on_the_disk() {
        let bench = Bench::peopled();
        let bytes = std::fs::read(bench.file("accounts")).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(
            !text.contains("Jo Hill") && !text.contains("argon2") && !bench.file("accounts.json").exists()
        );
        let mut again = bench.open(Past::Sealed);
        assert!(again.found.is_empty() && again.first_code.is_none() && signs_in(&mut again.accounts));
    }

    #[test]
    fn who_takes_them_away_or_puts_others_in_their_place_gets_no_code() {
        for (what, why) in [("gone", "are gone"), ("torn", "do not open"), ("another unit's", "do not open")]
        {
            let bench = Bench::peopled();
            match what {
                "gone" => std::fs::remove_file(bench.file("accounts")).unwrap(),
                "torn" => std::fs::write(bench.file("accounts"), b"{}").unwrap(),
                _ => drop(std::fs::copy(Bench::peopled().file("accounts"), bench.file("accounts")).unwrap()),
            }
            // As they lay open once, with an account of the thief's.
            let (mut thiefs, code) = Accounts::open(bench.folder.path(), LOCK).unwrap();
            enter(&mut thiefs, &code.unwrap().to_string());
            let mut opened = bench.open(Past::Sealed);
            assert_eq!(opened.found, [AccountsFound::Lost(why)], "{what}");
            assert!(
                opened.first_code.is_none() && opened.accounts.are_lost() && !signs_in(&mut opened.accounts)
            );
            let mut again = bench.open(Past::Sealed);
            assert!(
                again.first_code.is_none() && again.accounts.are_lost() && !signs_in(&mut again.accounts)
            );
        }
    }

    #[test]
    fn those_that_lay_open_are_sealed_once_with_the_people_in_them() {
        let bench = Bench::new();
        let (mut open, code) = Accounts::open(bench.folder.path(), LOCK).unwrap();
        enter(&mut open, &code.unwrap().to_string());
        let mut opened = bench.open(Past::Open);
        assert_eq!(opened.found, [AccountsFound::Sealed]);
        assert!(signs_in(&mut opened.accounts) && !bench.file("accounts.json").exists());
        assert!(signs_in(&mut bench.open(Past::Sealed).accounts));
    }

    #[test]
    fn a_code_from_the_machine_lets_in_again_who_forgot_everything() {
        let bench = Bench::peopled();
        let by = PersonName::parse("Tess Grant").unwrap();
        let recover = |at| Recovery::lay(bench.folder.path(), &bench.key, &by, "forgot it all", at).unwrap();
        let day = jiff::SignedDuration::from_hours(25);
        recover(NOW - day);
        let old = bench.open(Past::Sealed);
        assert!(old.found.is_empty(), "a code of yesterday is worth nothing");

        let code = recover(NOW).to_string();
        let mut opened = bench.open(Past::Sealed);
        assert!(
            matches!(&opened.found[..], [AccountsFound::Recovered { reason, .. }] if reason == "forgot it all")
        );
        assert!(signs_in(&mut opened.accounts), "whoever knows a password still comes in");
        let mut later = bench.open(Past::Sealed);
        assert!(later.found.is_empty(), "it is told once");
        // The own name may be taken up again.
        let set_up = later.accounts.set_up(&code, "jo hill", "another road, wet lanes", NOW).unwrap();
        assert!(matches!(set_up, Proof::Accepted(person) if person.role == Role::Administrator));
        assert!(!signs_in(&mut later.accounts) && later.accounts.list(NOW).len() == 1);

        std::fs::remove_file(bench.file("accounts")).unwrap();
        let code = recover(NOW).to_string();
        let mut lost = bench.open(Past::Sealed);
        assert_eq!(lost.found.len(), 2);
        enter(&mut lost.accounts, &code);
        assert!(!lost.accounts.are_lost());
    }

    #[test]
    fn the_departments_administrator_makes_the_next_where_all_were_lost() {
        let bench = Bench::peopled();
        std::fs::remove_file(bench.file("accounts")).unwrap();
        let mut accounts = bench.open(Past::Sealed).accounts;
        assert!(accounts.are_lost());
        let code = accounts.invite("Ada Moss", Role::Administrator, NOW).unwrap().to_string();
        accounts.set_up(&code, "Ada Moss", PASSWORD, NOW).unwrap();
        let again = bench.open(Past::Sealed);
        assert!(!again.accounts.are_lost() && again.first_code.is_none() && again.found.is_empty());
    }
}
