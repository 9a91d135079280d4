use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tracing::warn;

use super::AccountsError;
use super::role::Role;
use super::secret::{GivenSecret, Hash};
use crate::crypto::{Digest, SealKey, UnitKey};
use crate::system::{remove_durably, write_durably};
use crate::words::PersonName;

/// Where the accounts lie: sealed with the unit's key, or at a dashboard, which has none, open to its owner.
pub struct Shelf {
    folder: PathBuf,
    seal: Option<SealKey>,
}

const CONTEXT: &[u8] = b"accounts 1";

impl Shelf {
    pub fn sealed(folder: &Path, key: &UnitKey) -> Self {
        Self { folder: folder.to_owned(), seal: Some(key.derive("accounts")) }
    }

    pub fn plain(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), seal: None }
    }

    fn path(&self) -> PathBuf {
        self.folder.join(if self.seal.is_some() { "accounts" } else { "accounts.json" })
    }

    /// None where there is no file.
    pub fn load(&self) -> Result<Option<Book>, AccountsError> {
        let path = self.path();
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(AccountsError::Read { path, source }),
        };
        let book = match &self.seal {
            Some(seal) => seal.open_json(CONTEXT, &bytes),
            None => serde_json::from_slice(&bytes).ok(),
        };
        book.map(Some).ok_or(AccountsError::Damaged { path })
    }

    pub fn save(&self, book: &Book) -> Result<(), AccountsError> {
        let path = self.path();
        let json = serde_json::to_vec_pretty(book).expect("a book is plain data with string keys");
        let bytes = self.seal.as_ref().map_or_else(|| json.clone(), |seal| seal.seal(CONTEXT, &json));
        write_durably(&path, &bytes).map_err(|source| AccountsError::Write { path, source })
    }

    /// Moves away what does not open, for whoever wants to look into it.
    pub fn set_aside(&self) {
        let path = self.path();
        if let Err(error) = std::fs::rename(&path, path.with_extension("damaged")) {
            warn!(%error, "the damaged accounts stay where they are");
        }
    }

    /// Removes the file that stood in the place of this one before accounts were sealed.
    pub fn forget_open(&self) {
        if let Err(error) = remove_durably(&Self::plain(&self.folder).path()) {
            warn!(%error, "accounts still lie open in accounts.json");
        }
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn seal(&self) -> Option<&SealKey> {
        self.seal.as_ref()
    }
}

/// Who may sign in. Replaced whole at each change, and never begun anew when it is damaged or gone: that must not become a
/// first boot.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Book {
    /// Of the one-time code that makes an administrator; gone once used.
    pub first_code: Option<Hash>,
    pub accounts: Vec<Account>,
    /// Those before were lost: no first start makes a code.
    #[serde(default)]
    pub lost: bool,
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
