use std::io;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tracing::warn;

use super::file::Shelf;
use super::secret::{Hash, OneTimeCode};
use crate::crypto::UnitKey;
use crate::system::{remove_durably, write_durably};
use crate::words::PersonName;

const FILE: &str = "recovery";
const CONTEXT: &[u8] = b"recovery 1";
/// Long enough to restart a unit; a copy that was kept is worth nothing later.
const COUNTS: SignedDuration = SignedDuration::from_hours(24);

/// A one-time code for an administrator that was made with the unit's key, by who has the machine in hand: the way back for
/// people who forgot everything, and for a unit that lost its accounts. Laid beside them, it counts from the next start on.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recovery {
    pub(super) code: Hash,
    /// Who says that it is needed, for the audit log.
    pub(super) by: PersonName,
    pub(super) reason: String,
    at: Timestamp,
}

/// Why no code was made.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    #[error("{path} cannot be written: {source}")]
    Write { path: PathBuf, source: io::Error },
}

impl Recovery {
    /// Lays one into the folder of the accounts; gives the code, which is written nowhere.
    pub fn lay(
        folder: &Path,
        key: &UnitKey,
        by: &PersonName,
        reason: &str,
        at: Timestamp,
    ) -> Result<OneTimeCode, RecoveryError> {
        let code = OneTimeCode::generate();
        let recovery = Self { code: code.hash(), by: by.clone(), reason: reason.to_owned(), at };
        let json = serde_json::to_vec(&recovery).expect("a recovery is plain data");
        let path = folder.join(FILE);
        let shelf = Shelf::sealed(folder, key);
        let sealed = shelf.seal().expect("it was made with a key").seal(CONTEXT, &json);
        match write_durably(&path, &sealed) {
            Ok(()) => Ok(code),
            Err(source) => Err(RecoveryError::Write { path, source }),
        }
    }

    /// The one that lies there and counts. One that does not is told of and removed.
    pub(super) fn take(shelf: &Shelf, now: Timestamp) -> Option<Self> {
        let sealed = match std::fs::read(shelf.folder().join(FILE)) {
            Ok(sealed) => sealed,
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    warn!(%error, "a code that was made at the machine cannot be read");
                }
                return None;
            }
        };
        let recovery: Option<Self> = shelf.seal().and_then(|seal| seal.open_json(CONTEXT, &sealed));
        let counts = |recovery: &Self| now.duration_since(recovery.at).abs() <= COUNTS;
        let recovery = recovery.filter(counts);
        if recovery.is_none() {
            warn!(
                "a code that was made at the machine does not count: it is not of this unit, or older than a day"
            );
            Self::forget(shelf);
        }
        recovery
    }

    pub(super) fn forget(shelf: &Shelf) {
        if let Err(error) = remove_durably(&shelf.folder().join(FILE)) {
            warn!(%error, "a code that was made at the machine stays where it was laid");
        }
    }
}
