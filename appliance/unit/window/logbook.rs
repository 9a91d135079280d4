//! What the audit log tells of purges.

use std::collections::HashSet;

use serde::Deserialize;

use crate::audit::Audit;
use crate::console::Purge;
use crate::console::logbook::{BLOCK, Line, backwards};
use crate::record::{Kind, Records};
use crate::words::RecordId;

/// The latest purges by their decisions in the log, newest first: certificates themselves are gone from the unit
/// once the server has them.
pub fn purges(audit: &Audit, records: &Records, limit: usize) -> Vec<Purge> {
    #[derive(Deserialize)]
    struct Decided {
        certificate: RecordId,
        reason: String,
        policy: String,
        records: u64,
        sha256: String,
    }
    let held: HashSet<RecordId> = records.held_of(Kind::Certificate, false, usize::MAX).into_iter().collect();
    let purge = |line: Line| {
        let is_purge = line.what["event"] == "purge-decided";
        let decided: Decided = is_purge.then(|| serde_json::from_value(line.what).ok())??;
        Some(Purge {
            certificate: decided.certificate,
            at: line.at,
            reason: decided.reason,
            policy: decided.policy,
            records: decided.records,
            sha256: decided.sha256,
            waiting: held.contains(&decided.certificate),
        })
    };
    // A unit that is idle decides no purge for long: so far back and no further.
    backwards(audit).take(4 * BLOCK as usize).filter_map(purge).take(limit).collect()
}
