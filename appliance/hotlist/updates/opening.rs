//! What a start makes of the lists on the disk: an edition that is whole comes into force; one that is not is dropped, told,
//! and had again from the broker; what no line of the ledger names goes.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;

use super::{Tracked, Updates};
use crate::crypto::UnitKey;
use crate::hotlist::config::Config;
use crate::hotlist::edition::{Blocks, Edition, ListKeys};
use crate::hotlist::in_force::{Hotlist, RefusalNote};
use crate::hotlist::ledger::Ledger;
use crate::hotlist::manual::Manual;
use crate::hotlist::progress::Progress;
use crate::hotlist::refusal::StoreError;
use crate::system::catch;
use crate::words::ListName;

impl Hotlist {
    /// Opens the lists under `folder`; creates it if it is not there. An edition that turns out damaged is
    /// dropped, told in the summary, and had again from the broker.
    ///
    /// # Errors
    /// If the folder cannot be used, or its ledger or manual entries are damaged or of another unit key.
    pub fn open(folder: &Path, key: &UnitKey, config: &Config) -> Result<(Hotlist, Updates), StoreError> {
        let editions = folder.join("editions");
        std::fs::create_dir_all(&editions).map_err(StoreError::file(&editions))?;
        let mut updates = Updates {
            ledger: Ledger::open(folder, key)?,
            hotlist: Hotlist::new(
                ListKeys::new(key),
                config.clone(),
                Manual::open(folder, key, config.remind_before())?,
            ),
            memory: key.derive("hot list memory"),
            lists: BTreeMap::new(),
            editions,
        };
        for list in &config.lists {
            let progress = updates.load(&list.name, config.catch_up_wait())?;
            updates.lists.insert(list.name.clone(), Tracked::new(list.keys.clone(), progress));
        }
        // Neither is needed to match, and a disk that is full or read-only refuses both.
        if let Err(error) = updates.forget_unconfigured().and_then(|()| updates.remove_left_overs()) {
            tracing::warn!(%error, "what is left of older lists stays on the disk");
        }
        Ok((updates.hotlist.clone(), updates))
    }
}

impl Updates {
    /// Puts the edition that the ledger names in force, if it is whole.
    fn load(&mut self, list: &ListName, catch_up_wait: Duration) -> Result<Progress, StoreError> {
        let line = self.ledger.line(list);
        let Some(current) = line.current else {
            return Ok(Progress::new(None, line.highest, 0, catch_up_wait));
        };
        let load = |blocks: Blocks| {
            Edition::load(blocks, self.hotlist.keys(), current.blocks, current.version, current.count)
        };
        let open = |blocks: Result<Blocks, StoreError>| {
            catch(|| blocks.and_then(load))
                .unwrap_or_else(|_| Err(StoreError::Damaged(format!("the edition {}", current.edition))))
        };
        let mut loaded = open(Blocks::open(&self.editions, &current.edition));
        if loaded.as_ref().is_err_and(StoreError::is_refusal_to_write) {
            tracing::warn!(%list, "the disk takes no writes: the list is read from a copy in memory");
            loaded = open(Blocks::open_copy(&self.editions, &current.edition));
        }
        match loaded {
            Ok(edition) => {
                self.put_in_force(list, &current, edition);
                Ok(Progress::new(Some(current.version), line.highest, current.manifest, catch_up_wait))
            }
            Err(error) => {
                tracing::error!(%list, version = current.version, %error, "the list must be had again");
                // A disk that is full or read-only keeps it named; the next start tries it again.
                if let Err(error) = self.ledger.withdraw(list) {
                    tracing::warn!(%list, %error, "the lost list cannot be withdrawn");
                }
                let why = format!("version {} was lost: {error}", current.version);
                self.note(list, |note| {
                    note.last_refusal = Some(RefusalNote { at: Timestamp::now(), why });
                });
                Ok(Progress::new(None, line.highest, 0, catch_up_wait))
            }
        }
    }

    fn forget_unconfigured(&mut self) -> Result<(), StoreError> {
        let forgotten: Vec<ListName> =
            self.ledger.lists().filter(|list| !self.lists.contains_key(list)).cloned().collect();
        for list in forgotten {
            if self.ledger.line(&list).current.is_some() {
                self.ledger.withdraw(&list)?;
            }
        }
        Ok(())
    }

    /// Removes what no line of the ledger names: cut-off imports, editions that were replaced.
    fn remove_left_overs(&self) -> Result<(), StoreError> {
        let named: Vec<String> = self
            .ledger
            .lists()
            .filter_map(|list| self.ledger.line(list).current)
            .map(|current| current.edition)
            .collect();
        for item in std::fs::read_dir(&self.editions).map_err(StoreError::file(&self.editions))? {
            let path = item.map_err(StoreError::file(&self.editions))?.path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if named.contains(&name) {
                continue;
            }
            let removed =
                if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
            removed.map_err(StoreError::file(&path))?;
        }
        Ok(())
    }
}
