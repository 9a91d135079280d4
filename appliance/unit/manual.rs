//! What becomes of manual entries: told to the audit log, and to the department with plate and reason.

use std::sync::Arc;

use tracing::error;

use crate::audit::{Audit, Event, Who};
use crate::hotlist::{ManualChange, ManualStep};
use crate::record::{Kind, NewRecord, Records};
use crate::words::Moment;

/// Where it is told.
#[derive(Clone)]
pub struct Ledger {
    pub audit: Arc<Audit>,
    pub records: Arc<Records>,
}

impl Ledger {
    pub fn note(&self, who: Who, change: &ManualChange, at: Moment) {
        let body = serde_json::to_vec(change).expect("a manual entry is plain data with string keys");
        let record = NewRecord { hit: true, ..NewRecord::of(Kind::ManualEntry, at, body) };
        if let Err(error) = self.records.store(record) {
            error!(%error, "what became of a manual entry could not be stored");
        }
        self.audit.note(who, event(change));
    }
}

fn event(change: &ManualChange) -> Event {
    let (manual, entry, until) = (&change.entry, change.entry.id, change.entry.expires());
    let replaces = manual.replaces;
    match &change.what {
        ManualStep::Requested | ManualStep::ChangeRequested => {
            Event::ManualEntryRequested { entry, replaces }
        }
        ManualStep::RemovalRequested => Event::ManualRemovalRequested { entry },
        ManualStep::Approved { requested_by } => {
            Event::ManualEntryApproved { entry, requested_by: requested_by.clone(), replaces }
        }
        ManualStep::RemovalApproved { requested_by } => {
            Event::ManualEntryRemoved { entry, requested_by: requested_by.clone() }
        }
        ManualStep::Declined { requested_by } => {
            Event::ManualEntryDeclined { entry, requested_by: requested_by.clone() }
        }
        ManualStep::RemovalDeclined => Event::ManualRemovalDeclined { entry },
        ManualStep::ExpiresSoon => Event::ManualEntryExpiresSoon { entry, until },
        ManualStep::Expired => Event::ManualEntryExpired { entry, until },
    }
}
