//! Is everything that the unit wrote still as it wrote it? Asked at each start; what is not takes the unit out of
//! service until a person has judged it.

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::Timestamp;
use tracing::{error, warn};

use super::duty::Duty;
use super::saved::{KeptState, Saved, SavedError};
use crate::audit::{Audit, Event, Who};
use crate::command::{self, Commands};
use crate::config::Config;
use crate::console::{self, Accounts, AccountsFound, OneTimeCode, Past};
use crate::crypto::{SealedFileError, UnitKey};
use crate::enroll::InUse;
use crate::health::{Damage, Kept, Reason};
use crate::hotlist::{self, Hotlist, StoreError, Updates};
use crate::roster::{self, Rosters};
use crate::words::UnitId;

/// The service state from before the start. `ran_before`: the audit log has entries, so there must be one.
pub fn service(saved: &Saved, ran_before: bool) -> Result<(Kept, Option<Damage>), SavedError> {
    let damage = |detail: &str| Some(Damage { reason: Reason::StateDamaged, detail: detail.to_owned() });
    let service = match saved.service() {
        // A disk that reads nothing there must not return the unit to service, nor keep it from saying so.
        Err(error @ SavedError::Read { .. }) => return Ok((Kept::default(), damage(&error.to_string()))),
        service => service?,
    };
    Ok(match service {
        KeptState::Whole(kept) => {
            if saved.past_of_accounts(ran_before) == Past::Open {
                saved.keep_service(&kept)?;
            }
            (kept, None)
        }
        KeptState::Absent if ran_before => (Kept::default(), damage("the file is gone")),
        KeptState::Absent => {
            // Before the first entry of the log, so that from then on its absence means something.
            if let Err(error) = saved.keep_service(&Kept::default()) {
                error!(%error, "the service state will not outlive a restart");
            }
            (Kept::default(), None)
        }
        KeptState::Damaged => (Kept::default(), damage("it does not open; kept as service.damaged")),
    })
}

/// The console's accounts, with the code for whoever comes first; none where they cannot be read. To be called before
/// [`service`] and before the first entry of the log: from then on their absence means something.
pub fn accounts(
    saved: &Saved,
    key: &UnitKey,
    lock: Duration,
    ran_before: bool,
    audit: &Audit,
    now: Timestamp,
) -> (Option<(Accounts, Option<OneTimeCode>)>, Option<Damage>) {
    let folder = console::folder(saved.folder());
    // On a full disk what is kept in it is not kept; who does the keeping says so.
    std::fs::create_dir_all(&folder).unwrap_or_else(|error| warn!(%error, "the console has no folder"));
    let opened = match Accounts::of_unit(&folder, key, lock, saved.past_of_accounts(ran_before), now) {
        Ok(opened) => opened,
        Err(error) => {
            warn!(%error, "the unit works without its console");
            return (None, None);
        }
    };
    let mut damage = None;
    for found in opened.found {
        let (who, what) = match found {
            AccountsFound::Lost(why) => {
                let detail = format!("the console's accounts {why}");
                error!(detail, "`milepost recover`, as root, gives a one-time code");
                damage = Some(Damage { reason: Reason::StateDamaged, detail });
                continue;
            }
            AccountsFound::Sealed => {
                (Who::Unit, "seals the console's accounts, which lay open on the disk before".to_owned())
            }
            AccountsFound::Recovered { by, reason } => {
                let what =
                    format!("made a one-time code for an administrator, as root on the unit: {reason}");
                (Who::Person(by), what)
            }
        };
        audit.note(who, Event::ConfigurationChanged { what });
    }
    (Some((opened.accounts, opened.first_code)), damage)
}

/// The hot lists; a store that does not open is set aside, and the lists are had again from the broker, which also
/// knows the highest version of each.
pub fn lists(
    folder: &Path,
    key: &UnitKey,
    config: &hotlist::Config,
) -> Result<(Hotlist, Updates, Option<Damage>), StoreError> {
    let what = match Hotlist::open(folder, key, config) {
        Ok((hotlist, updates)) => return Ok((hotlist, updates, None)),
        Err(StoreError::Damaged(what)) => what,
        Err(error) => return Err(error),
    };
    let aside = folder.with_extension("damaged");
    warn!(what, aside = %aside.display(), "the stored hot lists are damaged; they begin anew");
    // Of several broken stores the last one is kept.
    let _ = std::fs::remove_dir_all(&aside);
    std::fs::rename(folder, &aside).map_err(StoreError::file(folder))?;
    let (hotlist, updates) = Hotlist::open(folder, key, config)?;
    let detail = format!("{what}; kept as {}", aside.display());
    Ok((hotlist, updates, Some(Damage { reason: Reason::ListsDamaged, detail })))
}

/// The memory of commands; one that does not open is set aside, and the broker's copy takes its place.
pub fn commands(
    folder: &Path,
    key: &UnitKey,
    unit: &UnitId,
    config: &command::Config,
) -> Result<(Commands, Option<Damage>), SealedFileError> {
    open_or_begin_anew("the memory of commands", || Commands::open(folder, key, unit.clone(), config))
}

/// The roster that is held; one that does not open is set aside, and comes again from the broker, which also knows its
/// version.
pub fn rosters(
    folder: &Path,
    key: &UnitKey,
    config: Option<&roster::Config>,
) -> Result<(Rosters, Option<Damage>), SealedFileError> {
    open_or_begin_anew("the roster", || Rosters::open(folder, key, config))
}

/// The identity; of what was changed, a file that does not open is set aside, and the installed one counts.
pub fn identity(
    folder: &Path,
    key: &UnitKey,
    config: &Config,
) -> Result<(InUse, Option<Damage>), SealedFileError> {
    let broker = &config.delivery.broker;
    open_or_begin_anew("the changed identity", || InUse::open(folder, key, config.unit.id.clone(), broker))
}

fn open_or_begin_anew<T>(
    what: &str,
    open: impl Fn() -> Result<T, SealedFileError>,
) -> Result<(T, Option<Damage>), SealedFileError> {
    let mut kept_as = Vec::new();
    let opened = loop {
        let path = match open() {
            Err(SealedFileError::Damaged { path }) => path,
            opened => break opened?,
        };
        let aside = path.with_extension("damaged");
        std::fs::rename(&path, &aside).map_err(|source| SealedFileError::Write { path, source })?;
        kept_as.push(aside.display().to_string());
    };
    let detail = || format!("{what} does not open; kept as {}", kept_as.join(" and "));
    let damage = (!kept_as.is_empty()).then(|| Damage { reason: Reason::StateDamaged, detail: detail() });
    Ok((opened, damage))
}

/// Follows the whole audit log beside the start: a year of it takes a second.
pub fn check_audit(audit: Arc<Audit>, duty: Arc<Duty>) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("integrity".into()).spawn(move || match audit.check() {
        Ok(broken) => {
            let Some((first, more)) = broken.split_first() else { return };
            let detail = match more.last() {
                None => first.to_string(),
                Some(last) => format!("{first}; {} more, the last in line {}", more.len(), last.line),
            };
            duty.damaged(Damage { reason: Reason::AuditDamaged, detail });
        }
        Err(error) => error!(%error, "the audit log could not be checked"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_state_that_the_disk_does_not_give_back_takes_the_unit_out_and_does_not_stop_it() {
        let folder = tempfile::tempdir().unwrap();
        let saved = Saved::new(folder.path(), &UnitKey::generate());
        // Reading a folder as a file fails as a worn card does.
        std::fs::create_dir(folder.path().join("service")).unwrap();
        let (kept, damage) = service(&saved, true).unwrap();
        assert_eq!((kept, damage.unwrap().reason), (Kept::default(), Reason::StateDamaged));
    }
}
