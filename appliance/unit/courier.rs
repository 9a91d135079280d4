//! The audit log's way to the server: new entries become records that are delivered like any other.

use std::sync::Arc;
use std::time::Duration;

use tracing::{error, warn};

use crate::audit::Audit;
use crate::record::{Counter, Kind, NewRecord, Records};
use crate::words::Moment;

/// Long enough to make batches, short enough that a stolen unit takes little with it.
const EVERY: Duration = Duration::from_secs(60);

/// Entries in one batch.
const BATCH: usize = 500;

/// Takes what the audit log has gained to the store of records.
///
/// The place reached is kept with the records: written after the batch, so that a power cut between the two
/// sends entries twice, and never none. Their numbers make a second delivery harmless.
pub struct Courier {
    audit: Arc<Audit>,
    records: Arc<Records>,
    last: Option<Moment>,
}

impl Courier {
    pub fn new(audit: Arc<Audit>, records: Arc<Records>) -> Self {
        Self { audit, records, last: None }
    }

    /// To be called about once a second.
    pub fn tick(&mut self, now: Moment) {
        if self.last.is_none_or(|last| now.since(&last) >= EVERY) {
            self.last = Some(now);
            // What a full disk had refused goes out even if nothing new happens.
            if let Err(error) = self.audit.retry() {
                warn!(%error, "entries of the audit log wait in memory");
            }
            if let Err(error) = self.carry(now) {
                error!(error, "the audit log could not be taken to the server");
            }
        }
    }

    fn carry(&self, now: Moment) -> Result<(), String> {
        let sentence = |error: &dyn std::fmt::Display| error.to_string();
        let stored = self.records.counter(Counter::AuditStored);
        let lines = self.audit.after(stored, BATCH).map_err(|error| sentence(&error))?;
        if lines.is_empty() {
            return Ok(());
        }
        let count = lines.len() as u64;
        let record = NewRecord::of(Kind::Audit, now, format!("[{}]", lines.join(",")).into_bytes());
        self.records.store(record).map_err(|error| sentence(&error))?;
        let reached = self.records.set_counter(Counter::AuditStored, stored + count);
        reached.map_err(|error| sentence(&error))
    }
}
