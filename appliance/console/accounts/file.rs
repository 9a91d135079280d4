use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::AccountsError;
use super::role::Role;
use super::secret::{GivenSecret, Hash};
use crate::crypto::Digest;
use crate::system::write_durably;
use crate::words::PersonName;

/// `accounts.json`: who may sign in. Replaced whole at each change, and never reset when damaged: an empty
/// file must not become a first boot.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Book {
    /// Of the one-time code that makes an administrator; gone once used.
    pub first_code: Option<Hash>,
    pub accounts: Vec<Account>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    pub name: PersonName,
    pub role: Role,
    pub secret: Secret,
    /// Of the recovery codes that are left. A plain digest does: they are 80 random bits, not a person's choice.
    #[serde(default)]
    pub recovery: Vec<Digest>,
    pub made: Timestamp,
    /// Refusals since the last success. Kept on disk, so that pulling the plug gives no new guesses.
    pub failures: u8,
    pub locked_until: Option<Timestamp>,
    pub disabled: bool,
    /// What the department's roster gives; None for an account that was made here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given: Option<GivenSecret>,
}

/// What the person proves to be themselves with.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Secret {
    /// Invited: this code sets the password.
    Code(Hash),
    Password(Hash),
    /// The department's code, which signs in at every unit until the person sets a password here.
    Given(Hash),
}

impl Book {
    /// None where there is no file yet.
    pub fn load(path: &Path) -> Result<Option<Self>, AccountsError> {
        let text = match std::fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(AccountsError::Read { path: path.into(), source }),
        };
        let damaged = |source| AccountsError::Damaged { path: PathBuf::from(path), source };
        serde_json::from_slice(&text).map(Some).map_err(damaged)
    }

    pub fn save(&self, path: &Path) -> Result<(), AccountsError> {
        let text = serde_json::to_vec_pretty(self).expect("a book is plain data with string keys");
        write_durably(path, &text).map_err(|source| AccountsError::Write { path: path.into(), source })
    }

    /// People type their names in any case, phones most of all. Of an account that was made here and the department's
    /// under one name the former counts as long as it is not disabled.
    pub fn find(&self, name: &str) -> Option<usize> {
        let named = |(_, account): &(usize, &Account)| is_same(account.name.as_str(), name);
        let weight = |(_, account): &(usize, &Account)| match account.given {
            None => {
                if account.disabled {
                    0
                } else {
                    2
                }
            }
            Some(_) => 1,
        };
        self.accounts.iter().enumerate().filter(named).max_by_key(weight).map(|(index, _)| index)
    }
}

impl Account {
    pub fn is_able_administrator(&self) -> bool {
        self.role == Role::Administrator && !self.disabled && matches!(self.secret, Secret::Password(_))
    }
}

/// Whether two people would be taken for one.
pub fn is_same(one: &str, other: &str) -> bool {
    one.trim().to_lowercase() == other.trim().to_lowercase()
}
