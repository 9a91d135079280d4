//! Holds: what must not expire, for which case, and who said so.
//!
//! A hold protects what it names and what fits it and comes later. Placing one is durable before it is noted in
//! the log, releasing one is noted before it is done: what a power cut leaves between the two protects too
//! much, never too little, and saying it again puts it right.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::book::{self, Book};
use super::ledger::{Entered, Ledger, VaultError};
use super::selection::{Meant, Selection};
use crate::audit::{Event, Who};
use crate::hotlist::Text;
use crate::system::{Clock, Disk, RealDisk, remove_durably, write_durably};
use crate::words::{PersonName, RecordId};

/// One file in `ledger/holds`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    pub id: RecordId,
    pub case: Text<100>,
    pub by: PersonName,
    pub why: Text<200>,
    pub at: Timestamp,
    pub selection: Selection,
}

/// Who does something to received records, and why: it stands in the log.
#[derive(Debug, Clone)]
pub struct Deed {
    pub by: PersonName,
    pub why: Text<200>,
}

/// How much a hold, an export or an expiry concerns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Amount {
    pub events: u64,
    pub pictures: u64,
}

impl std::fmt::Display for Amount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let plural = |count: u64| if count == 1 { "" } else { "s" };
        let Self { events, pictures } = self;
        write!(f, "{events} record{} and {pictures} picture{}", plural(*events), plural(*pictures))
    }
}

/// Preserves what is selected for a case; gives the hold and how much of it is here already.
pub fn preserve(
    ledger: &Ledger,
    clock: &Arc<dyn Clock>,
    case: Text<100>,
    deed: Deed,
    selection: Selection,
) -> Result<(Hold, Amount), VaultError> {
    selection.check()?;
    if selection.is_everything() {
        return Err(VaultError::HoldsEverything);
    }
    let Deed { by, why } = deed;
    let hold = Hold { id: RecordId::new(), case, by, why, at: clock.now().wall, selection };
    let folder = ledger.place("holds");
    let entered = ledger.enter()?;
    RealDisk.create_folder(&folder).map_err(VaultError::disk(&folder))?;
    let (path, json) = (path_of(ledger, hold.id), serde_json::to_vec_pretty(&hold));
    let json = json.expect("a hold is plain data with string keys");
    write_durably(&path, &json).map_err(VaultError::disk(&path))?;
    drop(entered);
    // It protects from here on, so that nobody has to wait for the counting.
    let amount = amount(ledger, &hold.selection)?;
    let event = Event::RecordsPreserved {
        hold: hold.id,
        case: hold.case.as_str().to_owned(),
        reason: hold.why.as_str().to_owned(),
        records: amount.events + amount.pictures,
    };
    ledger.note(&ledger.enter()?, clock, Who::Person(hold.by.clone()), event)?;
    Ok((hold, amount))
}

/// Ends a hold. What no other hold protects expires in its time, which may be at once.
pub fn release(
    ledger: &Ledger,
    clock: &Arc<dyn Clock>,
    id: RecordId,
    deed: Deed,
) -> Result<Hold, VaultError> {
    let entered = ledger.enter()?;
    let hold = holds(ledger)?.into_iter().find(|hold| hold.id == id).ok_or(VaultError::NoHold(id))?;
    let case = hold.case.as_str().to_owned();
    let event = Event::HoldReleased { hold: id, case, reason: deed.why.as_str().to_owned() };
    ledger.note(&entered, clock, Who::Person(deed.by), event)?;
    let path = path_of(ledger, id);
    remove_durably(&path).map_err(VaultError::disk(&path))?;
    Ok(hold)
}

/// All holds in force, oldest first.
///
/// # Errors
/// Where one cannot be read: what it protects is then not known, and nothing may expire.
pub fn holds(ledger: &Ledger) -> Result<Vec<Hold>, VaultError> {
    let folder = ledger.place("holds");
    let entries = match fs::read_dir(&folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(VaultError::disk(&folder))?,
    };
    let mut holds = Vec::new();
    for entry in entries {
        let path = entry.map_err(VaultError::disk(&folder))?.path();
        if path.extension().is_some_and(|end| end == "json") {
            let json = fs::read(&path).map_err(VaultError::disk(&path))?;
            let hold: Hold = serde_json::from_slice(&json)
                .map_err(|why| VaultError::DamagedHold { path: path.clone(), why: why.to_string() })?;
            holds.push(hold);
        }
    }
    holds.sort_by_key(|hold| hold.id);
    Ok(holds)
}

/// How much is here of what is selected.
fn amount(ledger: &Ledger, selection: &Selection) -> Result<Amount, VaultError> {
    let days: Vec<_> = ledger.days()?.into_iter().filter(|day| selection.reaches(day)).collect();
    let meant = Meant::of(&[selection], &days)?;
    let mut amount = Amount::default();
    for day in &days {
        for book in Book::ALL {
            let path = day.folder.join(book.file_name());
            let mut seen = std::collections::HashSet::new();
            let each = |_: &[u8], line: Option<book::StoredLine>| {
                let fits =
                    line.is_some_and(|line| meant.has_event(line.event.id) && seen.insert(line.event.id));
                amount.events += u64::from(fits);
            };
            book::read(&path, each).map_err(VaultError::disk(&path))?;
        }
        amount.pictures += day.pictures()?.iter().filter(|(id, _)| meant.has_picture(*id)).count() as u64;
    }
    Ok(amount)
}

fn path_of(ledger: &Ledger, id: RecordId) -> PathBuf {
    ledger.place("holds").join(format!("{id}.json"))
}

/// The selections of all holds, for whoever is in.
pub(super) fn protected(ledger: &Ledger, _in: &Entered) -> Result<Vec<Selection>, VaultError> {
    Ok(holds(ledger)?.into_iter().map(|hold| hold.selection).collect())
}
