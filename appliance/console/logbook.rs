//! The audit log on a page: accesses as entries of it, and its entries as people look through them, in words.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use tracing::error;

use super::unit::{Access, Act, AuditEntry, AuditFilter, Subject};
use crate::audit::{Audit, Event, Who};
use crate::words::RecordId;

/// Lines that are read at once, from the end of the log backwards.
pub const BLOCK: u64 = 5000;

/// An access as the log takes it down; `shown` is the alert that it showed, if it was one.
pub fn entry(access: Access, shown: Option<RecordId>) -> (Who, Event) {
    let from = access.from.to_string();
    let who = access.who.map_or(Who::Stranger, Who::Person);
    let event = match access.act {
        Act::SignedIn => Event::SignedIn { from },
        Act::SignedOut => Event::SignedOut,
        act @ (Act::SignInRefused | Act::AccountLocked) => Event::SignInFailed { from, why: act.to_string() },
        act @ (Act::ChangedAccount { .. } | Act::AccountSetUp) => {
            Event::ConfigurationChanged { what: act.to_string() }
        }
        Act::LookedAt { record, reason } => {
            Event::Accessed { what: "a stored alert".to_owned(), record: Some(record), reason }
        }
        Act::Exported { what } => Event::Disseminated {
            what,
            to: "the console's user".to_owned(),
            records: 0,
            reason: "exported at the console".to_owned(),
            record: None,
            sha256: None,
        },
        act => Event::Accessed { what: act.to_string(), record: shown, reason: String::new() },
    };
    (who, event)
}

/// What every line has; `what` stays open, since later versions may say more.
#[derive(Deserialize)]
pub struct Line {
    number: u64,
    pub at: Timestamp,
    who: Who,
    pub what: serde_json::Value,
}

/// Up to `limit` entries that fit, newest first.
pub fn search(audit: &Audit, filter: &AuditFilter, limit: usize) -> Vec<AuditEntry> {
    let (who, what) = (filter.who.to_lowercase(), filter.what.to_lowercase());
    backwards(audit)
        .filter(|line| filter.from.is_none_or(|from| line.at >= from))
        .filter(|line| filter.until.is_none_or(|until| line.at < until))
        .filter(|line| filter.subject.is_none_or(|subject| subject_of(&line.what) == Some(subject)))
        .map(in_words)
        .filter(|entry| entry.who.to_lowercase().contains(&who) && entry.what.to_lowercase().contains(&what))
        .take(limit)
        .collect()
}

/// Lines as they stand in the log, behind entry `after`; none where it cannot be read.
pub fn lines(audit: &Audit, after: u64, limit: usize) -> Vec<String> {
    audit.after(after, limit).unwrap_or_else(|error| {
        error!(%error, "the audit log could not be read");
        Vec::new()
    })
}

/// From the newest line back.
pub fn backwards(audit: &Audit) -> impl Iterator<Item = Line> {
    let newest = audit.head().map_or(0, |position| position.number);
    let blocks = (0..newest.div_ceil(BLOCK)).map(move |block| newest.saturating_sub((block + 1) * BLOCK));
    let mut behind = newest;
    blocks.flat_map(move |after| {
        let lines = lines(audit, after, (behind - after) as usize);
        behind = after;
        lines.into_iter().rev().filter_map(|line| serde_json::from_str(&line).ok())
    })
}

fn subject_of(what: &serde_json::Value) -> Option<Subject> {
    let event = what["event"].as_str()?;
    Some(match event {
        "accessed" | "disseminated" => Subject::Access,
        "signed-in" | "sign-in-failed" | "signed-out" => Subject::SignIn,
        "purge-decided" | "records-lost" => Subject::Purge,
        "configuration-changed" | "bundle-taken" | "command-refused" => Subject::Configuration,
        _ if event.starts_with("certificate-") => Subject::Configuration,
        "service-state-changed" | "aim-verified" | "lanes-drawn" | "maintenance" | "deployed" => {
            Subject::Maintenance
        }
        "accounts-changed" => Subject::Configuration,
        _ if event.starts_with("roster-") => Subject::Configuration,
        _ if event.starts_with("alert-") => Subject::Alert,
        _ if event.starts_with("list") || event.starts_with("manual-") => Subject::List,
        _ => return None,
    })
}

fn in_words(line: Line) -> AuditEntry {
    let who = match line.who {
        Who::Unit => "the unit".to_owned(),
        Who::Stranger => "somebody who did not sign in".to_owned(),
        Who::Person(person) => person.to_string(),
        Who::Department(key) => format!("the department (key {key})"),
        Who::Receiver => "the department's receiver".to_owned(),
    };
    AuditEntry { number: line.number, at: line.at, who, what: told(&line.what) }
}

/// `{"event":"alert-raised","list":"state",...}` as "alert raised: list state, ...".
fn told(what: &serde_json::Value) -> String {
    let event = what["event"].as_str().unwrap_or("something").replace('-', " ");
    if let (Some(from), Some(to), Some(reason)) =
        (what["from"].as_str(), what["to"].as_str(), what["reason"].as_str())
    {
        return format!("{event} from {from} to {to}: {reason}");
    }
    let fields: BTreeMap<&String, &serde_json::Value> = what.as_object().into_iter().flatten().collect();
    let says = |value: &serde_json::Value| !value.is_null() && value.as_str() != Some("");
    let details = fields.into_iter().filter(|(name, value)| *name != "event" && says(value));
    let details: Vec<String> = details
        .map(|(name, value)| {
            let value = value.as_str().map_or_else(|| value.to_string(), to_the_second);
            format!("{} {value}", name.replace('_', " "))
        })
        .collect();
    if details.is_empty() { event } else { format!("{event}: {}", details.join(", ")) }
}

/// A time as people read it; any other text as it is.
fn to_the_second(text: &str) -> String {
    text.parse::<Timestamp>().map_or_else(|_| text.to_owned(), |at| format!("{at:.0}"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::audit::Event;
    use crate::system::{ManualClock, SimulatedDisk};
    use crate::words::PersonName;

    #[test]
    fn a_change_of_service_reads_as_one() {
        let change = crate::audit::ServiceChange {
            from: "in service".into(),
            to: "degraded".into(),
            reason: "The unit has no hot list.".into(),
        };
        let what = serde_json::to_value(Event::ServiceStateChanged(change)).unwrap();
        assert_eq!(
            told(&what),
            "service state changed from in service to degraded: The unit has no hot list."
        );
    }

    #[test]
    fn a_time_reads_to_the_second_and_a_day_as_it_is() {
        let what = serde_json::json!({
            "event": "roster-taken", "from": "2026-11-25", "issued": "2026-11-25T14:03:09.123456789Z",
        });
        assert_eq!(told(&what), "roster taken: from 2026-11-25, issued 2026-11-25T14:03:09Z");
    }

    #[test]
    fn the_log_is_searched_from_its_end_by_who_what_and_when() {
        let clock = Arc::new(ManualClock::at(Timestamp::from_second(1_790_000_000).unwrap()));
        let disk = Arc::new(SimulatedDisk::default());
        let (audit, _) = Audit::open(Path::new("/audit"), disk, clock.clone()).unwrap();
        let person = |name: &str| Who::Person(PersonName::parse(name).unwrap());
        for number in 0..12 {
            clock.advance(Duration::from_secs(60));
            let name = if number % 3 == 0 { "Ann Lee" } else { "Bo Ray" };
            audit.append(person(name), Event::Maintenance { what: format!("lens {number}") }).unwrap();
            audit.append(person(name), Event::SignedOut).unwrap();
        }
        let whats = |filter: &AuditFilter, limit| {
            search(&audit, filter, limit).into_iter().map(|entry| entry.what).collect::<Vec<_>>()
        };
        let by_ann =
            AuditFilter { who: "ann".into(), subject: Some(Subject::Maintenance), ..AuditFilter::default() };
        assert_eq!(whats(&by_ann, 2), ["maintenance: what lens 9", "maintenance: what lens 6"]);
        let at = |minutes: i64| Some(Timestamp::from_second(1_790_000_000 + 60 * minutes).unwrap());
        let between =
            AuditFilter { what: "LENS".into(), from: at(3), until: at(5), ..AuditFilter::default() };
        assert_eq!(whats(&between, 9), ["maintenance: what lens 3", "maintenance: what lens 2"]);
    }
}
