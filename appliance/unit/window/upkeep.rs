//! Service, maintenance, and where the unit stands.

use jiff::Timestamp;
use serde::Serialize;
use tracing::warn;

use super::Window;
use crate::audit::{Event, Who};
use crate::console::{
    AuditEntry, AuditFilter, Deployed, Deployment, Refused, ServiceChange, Subject, Upkeep, Work, logbook,
};
use crate::delivery::tls::Credentials;
use crate::enroll::Statement;
use crate::words::{PersonName, UnitId, sentence};

/// Years of maintenance.
const STATEMENT_ENTRIES: usize = 10_000;

/// What a statement of the unit says.
#[derive(Serialize)]
struct Told<'a> {
    unit: &'a UnitId,
    at: Timestamp,
    asked_by: &'a PersonName,
    deployment: Option<Deployed>,
    logbook: Vec<AuditEntry>,
}

impl Upkeep for Window {
    fn change_service(&self, to: ServiceChange, reason: &str, by: &PersonName) -> Result<(), Refused> {
        match to {
            ServiceChange::OutOfService => {
                self.duty.take_out(by, reason);
                Ok(())
            }
            ServiceChange::Return => {
                self.duty.return_to_service(by, reason).map_err(|error| Refused(sentence(error)))
            }
        }
    }

    fn note_work(&self, work: Work, done_by: &str, note: &str, by: &PersonName) -> Result<(), Refused> {
        if work == Work::Aimed {
            self.verify_aims(by)?;
        }
        let done_by = if done_by.is_empty() { String::new() } else { format!(" by {done_by}") };
        let note = if note.is_empty() { String::new() } else { format!(": {note}") };
        let what = format!("{}{done_by}{note}", work.words());
        self.audit.note(Who::Person(by.clone()), Event::Maintenance { what });
        Ok(())
    }

    fn deployment(&self) -> Option<Deployed> {
        self.saved.deployment().unwrap_or_else(|error| {
            warn!(%error, "the deployment is not known");
            None
        })
    }

    fn deploy(&self, deployment: Deployment, by: &PersonName) -> Result<(), Refused> {
        let deployed = Deployed { deployment, by: by.clone(), at: self.clock.now().wall };
        self.saved.keep_deployment(&deployed).map_err(|error| Refused(sentence(error)))?;
        let Deployment { site, purpose, authority, approval, from, until } = deployed.deployment;
        let event = Event::Deployed { site, purpose, authority, approval, from, until };
        self.audit.note(Who::Person(by.clone()), event);
        Ok(())
    }

    fn logbook(&self, limit: usize) -> Vec<AuditEntry> {
        let filter = AuditFilter { subject: Some(Subject::Maintenance), ..AuditFilter::default() };
        logbook::search(&self.audit, &filter, limit)
    }

    fn statement(&self, by: &PersonName) -> Result<Vec<u8>, Refused> {
        let told = Told {
            unit: &self.unit,
            at: self.clock.now().wall,
            asked_by: by,
            deployment: self.deployment(),
            logbook: self.logbook(STATEMENT_ENTRIES),
        };
        let text = serde_json::to_string(&told).expect("a statement is plain data with string keys");
        let identity = self.renewal.in_use.identity().map_err(|error| Refused(sentence(error)))?;
        let signed = Statement::sign(text, &identity).map_err(|error| Refused(sentence(error)))?;
        Ok(signed.to_json())
    }
}
