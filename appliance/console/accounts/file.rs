use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use tracing::warn;

use super::AccountsError;
use super::book::Book;
use crate::crypto::{SealKey, UnitKey};
use crate::system::{remove_durably, write_durably};

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
