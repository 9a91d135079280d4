//! What the receiver keeps besides records: holds, its own log, and lists of what left.
//!
//! ```text
//! {folder}/ledger/lock              who has it locked may read and write records
//! {folder}/ledger/receiving         locked by the receiver that runs on the folder
//! {folder}/ledger/holds/{id}.json   what must not expire: see `hold.rs`
//! {folder}/ledger/log/*.jsonl       hash-chained as a unit's audit log; `milepost audit verify` checks it
//! {folder}/ledger/exports/{id}.jsonl  ids and digests of what left, one line each
//! ```

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::audit::{Audit, AuditError, Event, Who};
use crate::system::{Clock, RealDisk};
use crate::words::{RecordId, UnitId};

/// Beside the records.
#[derive(Debug, Clone)]
pub struct Ledger {
    folder: PathBuf,
}

/// Nobody else reads or writes records as long as this lives.
pub struct Entered(#[expect(dead_code, reason = "held for its lock")] File);

/// Why something could not be stored, so that it was not receipted and comes again; or why what a person asked of
/// the receiver's folder was not done.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    #[error("{} holds no received records; --folder names the folder that `milepost receive` stores in", .0.display())]
    NoVault(PathBuf),
    #[error("another receiver stores in {} already", .0.display())]
    Receiving(PathBuf),
    #[error("{} cannot be read or written: {source}", path.display())]
    Disk { path: PathBuf, source: io::Error },
    #[error("{} is not a hold: {why}; put it right, or nothing can expire", path.display())]
    DamagedHold { path: PathBuf, why: String },
    #[error("there is no hold {0}: see `milepost receive holds`")]
    NoHold(RecordId),
    #[error("a hold needs to say on what: give a record, a plate, a unit or a time span")]
    HoldsEverything,
    #[error("the time span ends before it begins")]
    Backwards,
    #[error("nothing is stored here that fits: nothing was exported, and nothing written")]
    NothingToExport,
    #[error("{} is there already: an export begins in a new folder", .0.display())]
    ExportExists(PathBuf),
    #[error("not noted in the receiver's log, so not done: {0}")]
    Log(#[from] AuditError),
}

impl VaultError {
    /// For `map_err`.
    pub(super) fn disk(path: &Path) -> impl Fn(io::Error) -> Self + '_ {
        move |source| Self::Disk { path: path.into(), source }
    }
}

impl Ledger {
    /// For a receiver, which begins with an empty folder as well.
    pub fn make(folder: &Path) -> Result<Self, VaultError> {
        let made = fs::create_dir_all(folder.join("ledger")).and_then(|()| folder.canonicalize());
        Ok(Self { folder: made.map_err(VaultError::disk(folder))? })
    }

    /// For everybody else: where no receiver ever stored, there is nothing to keep, to expire or to export.
    pub fn open(folder: &Path) -> Result<Self, VaultError> {
        match folder.join("ledger").is_dir() {
            true => Self::make(folder),
            false => Err(VaultError::NoVault(folder.into())),
        }
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Waits until nobody else is in, for the time that one batch or one day of one unit takes.
    pub fn enter(&self) -> Result<Entered, VaultError> {
        let locked = || -> io::Result<Entered> {
            let file = self.lock_file("lock")?;
            file.lock()?;
            Ok(Entered(file))
        };
        locked().map_err(VaultError::disk(&self.place("lock")))
    }

    pub fn take_for_receiving(&self) -> Result<File, VaultError> {
        let file = self.lock_file("receiving").map_err(VaultError::disk(&self.folder))?;
        file.try_lock().map_err(|_| VaultError::Receiving(self.folder.clone()))?;
        Ok(file)
    }

    /// Durable when it returns. Opened for each entry, so that several programs can write to the log in turn;
    /// `_in` says that it is ours.
    pub fn note(
        &self,
        _in: &Entered,
        clock: &Arc<dyn Clock>,
        who: Who,
        what: Event,
    ) -> Result<(), AuditError> {
        let (log, _) = Audit::open(&self.place("log"), Arc::new(RealDisk), clock.clone())?;
        log.append(who, what).map(drop)
    }

    /// A folder of the ledger.
    pub fn place(&self, name: &str) -> PathBuf {
        self.folder.join("ledger").join(name)
    }

    /// Every unit's days, sorted by unit and day.
    pub fn days(&self) -> Result<Vec<UnitDay>, VaultError> {
        let mut days = Vec::new();
        for day in names(&self.folder)?.into_iter().filter(|name| name != "ledger") {
            for unit in names(&self.folder.join(&day))? {
                let folder = self.folder.join(&day).join(&unit);
                days.extend(UnitId::parse(&unit).map(|unit| UnitDay { unit, day: day.clone(), folder }));
            }
        }
        days.sort();
        Ok(days)
    }

    fn lock_file(&self, name: &str) -> io::Result<File> {
        OpenOptions::new().write(true).create(true).truncate(false).open(self.place(name))
    }
}

/// What a unit sent of one day.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnitDay {
    pub unit: UnitId,
    /// Such as `2026-03-01`, or `undated`: see [`super::Vault`].
    pub day: String,
    pub folder: PathBuf,
}

impl UnitDay {
    pub fn date(&self) -> Option<Date> {
        self.day.parse().ok()
    }

    /// Whether something that belongs to a record of this day may lie in the other: of the same unit, and at most a
    /// day away.
    pub fn is_near(&self, other: &Self) -> bool {
        let days_apart = |(one, other): (Date, Date)| (one - other).get_days().abs();
        let near = self.date().zip(other.date()).is_none_or(|dates| days_apart(dates) <= 1);
        self.unit == other.unit && near
    }

    /// The pictures with their files, sorted.
    pub fn pictures(&self) -> Result<Vec<(RecordId, PathBuf)>, VaultError> {
        let folder = self.folder.join("pictures");
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(VaultError::disk(&folder))?,
        };
        let mut pictures = Vec::new();
        for entry in entries {
            let path = entry.map_err(VaultError::disk(&folder))?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let id = name.strip_suffix(".jpg").and_then(|id| id.parse().ok());
            pictures.extend(id.map(|id| (id, path)));
        }
        pictures.sort();
        Ok(pictures)
    }
}

/// Names of the folders in a folder.
fn names(folder: &Path) -> Result<Vec<String>, VaultError> {
    let list = || -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                names.extend(entry.file_name().into_string());
            }
        }
        Ok(names)
    };
    list().map_err(VaultError::disk(folder))
}

/// The day of ids that carry no time.
pub(super) const UNDATED: &str = "undated";

/// The UTC day in which a record's id was made, such as `2026-03-01`: version 7 UUIDs begin with the time.
pub(super) fn day_of(id: RecordId) -> String {
    let milliseconds = id.as_bytes()[..6].iter().fold(0i64, |sum, byte| sum << 8 | i64::from(*byte));
    match Timestamp::from_millisecond(milliseconds) {
        Ok(time) => TimeZone::UTC.to_datetime(time).date().to_string(),
        // Ids that are no version 7 UUIDs, or from a clock beyond the year 9999.
        Err(_) => UNDATED.into(),
    }
}
