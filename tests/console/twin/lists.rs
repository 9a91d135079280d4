//! Its lists and manual entries.

use super::*;

impl Listing for Twin {
    fn lists(&self) -> Lists {
        let view = |manual: ManualEntry| ManualView { state: manual.state(NOW), expires_soon: false, manual };
        let manual = lock(&self.manual).iter().cloned().map(view).collect();
        Lists { lists: self.overview().lists, manual, checked: lock(&self.checked).clone() }
    }

    fn request_entry(&self, entry: EntryRequest, by: &PersonName) -> Result<(), Refused> {
        if entry.reason.is_empty() {
            return Err(Refused("A manual entry needs a reason.".into()));
        }
        let mut asked = manual(by.as_str(), &entry.plate);
        asked.entry.reason = Text::parse(&entry.reason).unwrap();
        asked.replaces = entry.replaces;
        lock(&self.manual).insert(0, asked);
        Ok(())
    }

    fn request_removal(&self, of: RecordId, reason: &str, by: &PersonName) -> Result<(), Refused> {
        let mut manual = lock(&self.manual);
        let entry = manual.iter_mut().find(|entry| entry.id == of).ok_or(Refused("gone".into()))?;
        let reason = Text::parse(reason).unwrap();
        entry.removal = Some(ManualRemoval { id: RecordId::new(), reason, requested: act(by) });
        Ok(())
    }

    fn approve_request(&self, id: RecordId, by: &PersonName) -> Result<(), Refused> {
        let mut manual = lock(&self.manual);
        for entry in manual.iter_mut() {
            if entry.id == id {
                entry.approved = Some(act(by));
            }
            if entry.removal.as_ref().is_some_and(|removal| removal.id == id) {
                entry.ended = Some(Ended { how: End::Removed, act: act(by) });
            }
        }
        Ok(())
    }

    fn decline_request(&self, id: RecordId, by: &PersonName) -> Result<(), Refused> {
        let mut manual = lock(&self.manual);
        let entry = manual.iter_mut().find(|entry| entry.id == id).ok_or(Refused("gone".into()))?;
        entry.ended = Some(Ended { how: End::Declined, act: act(by) });
        Ok(())
    }

    fn check_lists(&self, by: &PersonName) -> Result<(), Refused> {
        *lock(&self.checked) = Some(ListsChecked { by: by.clone(), at: NOW, current: true });
        Ok(())
    }
}

pub(super) fn manual(by: &str, plate: &str) -> ManualEntry {
    let entry = Entry {
        state: Some(State::Nh),
        reason: Text::parse("Left the scene at Route 9").unwrap(),
        until: Some(before(-9 * 3600)),
        ..Entry::new(Listed::parse(plate).unwrap(), Category::Bolo)
    };
    ManualEntry {
        id: RecordId::new(),
        entry,
        replaces: None,
        requested: Act { by: PersonName::parse(by).unwrap(), key: None, at: before(600) },
        approved: None,
        removal: None,
        ended: None,
        told: Told::Nothing,
    }
}

pub(super) fn active(plate: &str) -> ManualEntry {
    let approved = Some(act(&PersonName::parse("Sam Ortiz").unwrap()));
    ManualEntry { approved, ..manual("Lee Ray", plate) }
}

/// In force, and asked to be taken out.
pub(super) fn leaving(plate: &str) -> ManualEntry {
    let requested = act(&PersonName::parse("Kim Doe").unwrap());
    let reason = Text::parse("Found in Concord").unwrap();
    ManualEntry { removal: Some(ManualRemoval { id: RecordId::new(), reason, requested }), ..active(plate) }
}

pub(super) fn act(by: &PersonName) -> Act {
    Act { by: by.clone(), key: None, at: NOW }
}
