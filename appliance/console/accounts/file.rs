use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::AccountsError;
use super::role::Role;
use super::secret::Hash;
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
}

/// What the person proves to be themselves with.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Secret {
    /// Invited: this code sets the password.
    Code(Hash),
    Password(Hash),
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

    /// People type their names in any case, phones most of all.
    pub fn find(&self, name: &str) -> Option<usize> {
        let name = name.trim().to_lowercase();
        self.accounts.iter().position(|account| account.name.as_str().to_lowercase() == name)
    }
}
