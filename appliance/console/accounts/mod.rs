//! Who may sign in at the console, and with what.
//!
//! Owns accounts, their secrets and locks, and the file that holds them, sealed at a unit. Must not know sessions or pages.
//! Every change is on disk before it counts, but for two that must also work on a disk that takes no writes: signing in,
//! whose refusals then count in memory, and the one-time code of a unit that nobody has used yet.

mod administration;
mod book;
mod clock;
mod department;
mod file;
mod opening;
mod recovery;
mod role;
mod secret;

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use tracing::warn;

use crate::crypto::Digest;
use crate::words::{Moment, NameError, PersonName};
use book::{Account, Book, Secret, is_same};
use file::Shelf;

pub use administration::AccountView;
pub use book::{FAILURES_MAX, Standing};
pub use department::{Member, Roster, RosterChange, RosterTaken, RosterView};
pub use opening::{AccountsFound, OpenedAccounts, Past};
pub use recovery::{Recovery, RecoveryError};
pub use role::Role;
pub use secret::{GivenSecret, OneTimeCode, PASSWORD_MAX, PASSWORD_MIN, WeakPassword};
use secret::{Hash, check_password};

/// As many as fit on a card in a wallet.
pub const RECOVERY_CODES: usize = 8;

/// Why accounts could not be read, changed or used.
#[derive(Debug, thiserror::Error)]
pub enum AccountsError {
    #[error("the accounts {path} cannot be read: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("the accounts {path} cannot be written: {source}")]
    Write { path: PathBuf, source: std::io::Error },
    #[error(
        "the accounts {path} are damaged; put a backup in place, or remove the file to start with a new one-time code"
    )]
    Damaged { path: PathBuf },
    #[error("{0}")]
    Name(#[from] NameError),
    #[error("there is an account with the name {0} already")]
    Taken(PersonName),
    #[error("no account has the name {0:?}")]
    Nobody(String),
    #[error("the account of {0} comes from the department, which alone changes it")]
    FromDepartment(PersonName),
    #[error("{0} is the last administrator made here who can sign in")]
    LastAdministrator(PersonName),
    #[error("{0}")]
    Weak(#[from] WeakPassword),
}

/// What came of showing a name and a secret.
#[derive(Debug, PartialEq, Eq)]
pub enum Proof {
    Accepted(Person),
    /// Says no more to the one who asked: not whether the name exists, nor whether it is locked.
    Refused {
        /// For the audit log alone.
        account: Option<PersonName>,
        now_locked: bool,
    },
}

/// Somebody who has proved who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    pub name: PersonName,
    pub role: Role,
}

pub struct Accounts {
    shelf: Shelf,
    book: Book,
    /// Of the department's accounts; told anew at each start.
    roster: Option<RosterView>,
    lock: Duration,
    /// Stands in for the secret of a name that nobody has, so that a refusal takes as long.
    decoy: Hash,
    /// When [`follow`](Accounts::follow) was last told the time.
    told: Option<Moment>,
}

impl Accounts {
    /// Opens those of a place without a key in `folder`, or begins them. Until somebody has used it, a one-time code for
    /// the first administrator comes along, a new one each time: who missed the last one starts the place anew. `lock` is how
    /// long an account stays locked.
    pub fn open(folder: &Path, lock: Duration) -> Result<(Self, Option<OneTimeCode>), AccountsError> {
        let shelf = Shelf::plain(folder);
        let book = shelf.load()?.unwrap_or_default();
        let mut accounts = Self::of(shelf, book, lock);
        let code = accounts.welcome();
        Ok((accounts, code))
    }

    fn of(shelf: Shelf, book: Book, lock: Duration) -> Self {
        Self { shelf, book, roster: None, lock, decoy: OneTimeCode::generate().hash(), told: None }
    }

    /// The one-time code for whoever comes first, where nobody came yet.
    fn welcome(&mut self) -> Option<OneTimeCode> {
        (self.first_boot() && !self.book.lost).then(|| {
            let code = OneTimeCode::generate();
            self.note(|book| book.first_code = Some(code.hash()));
            code
        })
    }

    /// Whether the unit waits for its first administrator, who is made here whatever the department gives.
    pub fn first_boot(&self) -> bool {
        self.book.accounts.iter().all(|account| account.given.is_some())
    }

    /// Whether there is anybody who could sign in.
    pub fn is_empty(&self) -> bool {
        self.book.accounts.is_empty()
    }

    /// Whether those that were made here were lost, and nobody has been let in anew since.
    pub fn are_lost(&self) -> bool {
        self.book.lost && self.first_boot()
    }

    pub fn sign_in(&mut self, name: &str, password: &str, now: Timestamp) -> Result<Proof, AccountsError> {
        self.prove(name, now, false, |secret| match secret {
            Secret::Password(hash) => (hash.clone(), password.to_owned()),
            Secret::Given(hash) => (hash.clone(), OneTimeCode::canonical(password)),
            // An invited person has no password; the code is worth nothing here.
            Secret::Code(hash) => (hash.clone(), String::new()),
        })
    }

    /// Sets the password of an invited account, or with a recovery code that of who forgot it, or makes the first
    /// administrator.
    pub fn set_up(
        &mut self,
        code: &str,
        name: &str,
        password: &str,
        now: Timestamp,
    ) -> Result<Proof, AccountsError> {
        let name = PersonName::parse(name)?;
        check_password(password, name.as_str())?;
        let code = OneTimeCode::canonical(code);
        if self.book.first_code.as_ref().is_some_and(|first| first.fits(&code)) {
            self.is_made_here(name.as_str())?;
            let password = Secret::Password(Hash::of(password));
            let account = Account::new(name.clone(), Role::Administrator, password, now);
            self.change(|book| {
                book.first_code = None;
                book.lost = false;
                // Whoever had the machine in hand may take up again an account that was theirs.
                let same = |other: &Account| is_same(other.name.as_str(), name.as_str());
                book.accounts.retain(|other| other.given.is_some() || !same(other));
                book.accounts.push(account);
            })?;
            return Ok(Proof::Accepted(Person { name, role: Role::Administrator }));
        }
        let spare = Digest::of(code.as_bytes());
        let has_spare = self.book.find(name.as_str()).map(|index| &self.book.accounts[index].recovery);
        let has_spare = has_spare.is_some_and(|codes| codes.contains(&spare));
        let proof = self.prove(name.as_str(), now, has_spare, |secret| match secret {
            Secret::Code(hash) | Secret::Given(hash) => (hash.clone(), code.clone()),
            Secret::Password(hash) => (hash.clone(), String::new()),
        })?;
        if let Proof::Accepted(person) = &proof {
            let hash = Hash::of(password);
            self.change_account(person.name.as_str(), |account| {
                account.secret = Secret::Password(hash);
                account.recovery.retain(|code| *code != spare);
            })?;
        }
        Ok(proof)
    }

    /// New recovery codes for who shows the password, each of which sets another one once; the former are void.
    pub fn renew_recovery(
        &mut self,
        name: &PersonName,
        password: &str,
        now: Timestamp,
    ) -> Result<(Proof, Vec<OneTimeCode>), AccountsError> {
        let proof = self.sign_in(name.as_str(), password, now)?;
        if !matches!(proof, Proof::Accepted(_)) {
            return Ok((proof, Vec::new()));
        }
        let codes: Vec<OneTimeCode> = (0..RECOVERY_CODES).map(|_| OneTimeCode::generate()).collect();
        let digests = codes.iter().map(OneTimeCode::digest).collect();
        self.change_account(name.as_str(), |account| account.recovery = digests)?;
        Ok((proof, codes))
    }

    /// The old password is asked for again, so that a telephone left open loses no account.
    pub fn change_password(
        &mut self,
        name: &PersonName,
        old: &str,
        new: &str,
        now: Timestamp,
    ) -> Result<Proof, AccountsError> {
        check_password(new, name.as_str())?;
        let proof = self.sign_in(name.as_str(), old, now)?;
        if matches!(proof, Proof::Accepted(_)) {
            let hash = Hash::of(new);
            self.change_account(name.as_str(), |account| account.secret = Secret::Password(hash))?;
        }
        Ok(proof)
    }

    /// One path for every outcome: one hash is computed and the file is written once, whether the name
    /// exists, is locked, or neither, so that neither words nor time tell a stranger which names there are.
    fn prove(
        &mut self,
        name: &str,
        now: Timestamp,
        otherwise_proved: bool,
        expected: impl FnOnce(&Secret) -> (Hash, String),
    ) -> Result<Proof, AccountsError> {
        let found = self.book.find(name);
        let (hash, shown) = match found {
            Some(index) => expected(&self.book.accounts[index].secret),
            None => (self.decoy.clone(), String::new()),
        };
        let fits = hash.fits(&shown) | otherwise_proved;
        let lock = self.lock;
        let standing = found.map(|index| self.standing(index, now));
        let proof = self.note(|book| {
            let Some((account, standing)) = found.map(|index| &mut book.accounts[index]).zip(standing) else {
                return Proof::Refused { account: None, now_locked: false };
            };
            let refused = |now_locked, name| Proof::Refused { account: Some(name), now_locked };
            match standing {
                Standing::Disabled | Standing::Locked { .. } | Standing::Resting | Standing::Superseded => {
                    refused(false, account.name.clone())
                }
                Standing::Active | Standing::Invited if fits => {
                    account.release();
                    Proof::Accepted(Person { name: account.name.clone(), role: account.role })
                }
                Standing::Active | Standing::Invited => {
                    refused(account.count_failure(now, lock), account.name.clone())
                }
            }
        });
        Ok(proof)
    }

    fn change_account<T>(
        &mut self,
        name: &str,
        change: impl FnOnce(&mut Account) -> T,
    ) -> Result<T, AccountsError> {
        let index = self.book.find(name).ok_or_else(|| AccountsError::Nobody(name.to_owned()))?;
        self.change(|book| change(&mut book.accounts[index]))
    }

    /// In memory at least, where the disk takes no writes; it goes to the disk with the next change that this takes.
    fn note<T>(&mut self, change: impl FnOnce(&mut Book) -> T) -> T {
        let result = change(&mut self.book);
        if let Err(error) = self.shelf.save(&self.book) {
            warn!(%error, "accounts cannot be changed now; people can sign in, and refusals count until a restart");
        }
        result
    }

    /// On disk first, then in memory.
    fn change<T>(&mut self, change: impl FnOnce(&mut Book) -> T) -> Result<T, AccountsError> {
        let mut next = self.book.clone();
        let result = change(&mut next);
        self.shelf.save(&next)?;
        self.book = next;
        Ok(result)
    }
}

#[cfg(test)]
mod tests;
