//! What a start writes into the audit log: that it was, with which configuration, and what it found damaged.

use tracing::{error, warn};

use super::saved::{Saved, SavedError};
use crate::audit::{self, Audit, Event, Who};
use crate::crypto::Digest;
use crate::health::{Damage, Reason};
use crate::record::{self, Counter, Records};

pub fn begin(audit: &Audit, saved: &Saved, configuration: Option<Digest>) {
    audit.note(Who::Unit, Event::Started { version: env!("CARGO_PKG_VERSION").to_owned(), configuration });
    let Some(now) = configuration else { return };
    let before = kept(audit, saved.configuration());
    if before == Some(now) {
        return;
    }
    if let Some(before) = before {
        audit.note(
            Who::Unit,
            Event::ConfigurationChanged { what: format!("the file: SHA-256 {now}, before {before}") },
        );
    }
    if let Err(error) = saved.keep_configuration(&now) {
        warn!(%error, "the next start cannot tell whether the configuration was changed");
    }
}

/// What a file held, if it can be had. One that is damaged is told, and keeps no unit from starting: it is learned, or
/// given, anew.
pub fn kept<T>(audit: &Audit, loaded: Result<Option<T>, SavedError>) -> Option<T> {
    loaded.unwrap_or_else(|error| {
        error!(%error, "what was kept is lost");
        audit.note(Who::Unit, Event::DamageFound { what: error.to_string() });
        None
    })
}

/// That the log is shorter than it was, which its own chain cannot show.
pub fn compare(audit: &Audit, found: &audit::Recovered, records: &Records) -> Option<Damage> {
    let written = records.counter(Counter::AuditStored);
    if found.entries >= written {
        return None;
    }
    error!(held = found.entries, written, "the end of the audit log is gone");
    audit.note(Who::Unit, Event::LogShortened { held: found.entries, written });
    // What comes next goes to the server, under numbers that it has seen before: there it shows.
    if let Err(error) = records.set_counter(Counter::AuditStored, found.entries) {
        warn!(%error, "new entries of the audit log are not sent yet");
    }
    let detail = format!("it ends with entry {}, and {written} were written", found.entries);
    Some(Damage { reason: Reason::AuditDamaged, detail })
}

pub fn tell_damage(audit: &Audit, found: &record::Recovered) {
    let damaged = [
        (found.unreadable, "records could not be opened and are lost"),
        (found.bodies_missing, "records had lost their content and are lost"),
        (
            found.unreadable_files,
            "files with keys of records cannot be read; the records in them are not served",
        ),
    ];
    for (count, what) in damaged.into_iter().filter(|(count, _)| *count > 0) {
        audit.note(Who::Unit, Event::DamageFound { what: format!("{count} {what}") });
    }
    if found.counters_damaged {
        let what = "the counters of the records: entries of this log are sent again".to_owned();
        audit.note(Who::Unit, Event::DamageFound { what });
    }
}
