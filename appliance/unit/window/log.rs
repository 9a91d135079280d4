//! The log of who did what.

use super::Window;
use crate::console::{Access, Act, AuditEntry, AuditFilter, Logging, logbook};
use crate::words::RecordId;

impl Logging for Window {
    fn audit_entries(&self, filter: &AuditFilter, limit: usize) -> Vec<AuditEntry> {
        logbook::search(&self.audit, filter, limit)
    }

    fn audit_lines(&self, after: u64, limit: usize) -> Vec<String> {
        logbook::lines(&self.audit, after, limit)
    }

    fn audit(&self, access: Access) {
        let shown = shown_alert(&access);
        let (who, event) = logbook::entry(access, shown);
        self.audit.note(who, event);
    }
}

/// The alert that a page showed.
fn shown_alert(access: &Access) -> Option<RecordId> {
    match &access.act {
        Act::Looked { path } => path.strip_prefix("/alerts/")?.split('/').next()?.parse().ok(),
        _ => None,
    }
}
