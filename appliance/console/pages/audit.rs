use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::body::Body;
use axum::extract::Query;
use axum::response::Response;
use futures_util::stream;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::Deserialize;

use super::Frame;
use crate::console::answer::{Failure, file, page};
use crate::console::gate::Visit;
use crate::console::reception::Reception;
use crate::console::unit::{Act, AuditEntry, AuditFilter, Subject};

/// As many as a person reads; a filter finds older ones.
pub const SHOWN: usize = 500;
/// Lines of an export that are in memory at once.
const BLOCK: usize = 5000;

#[derive(Template)]
#[template(path = "audit.html", config = "appliance/console/askama.toml")]
struct Page {
    frame: Frame,
    entries: Vec<AuditEntry>,
    wanted: Wanted,
}

/// A filter as a page or a department's tool states it.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Wanted {
    who: String,
    what: String,
    /// One of [`Subject`]'s names; empty for all.
    subject: String,
    /// The first day and the last, by the unit's own calendar; empty for no bound.
    from: String,
    until: String,
}

impl Wanted {
    fn is_about(&self, subject: &Subject) -> bool {
        self.subject == subject.token()
    }

    pub fn filter(&self) -> Result<AuditFilter, Failure> {
        let subject = Subject::ALL.into_iter().find(|subject| subject.token() == self.subject);
        if subject.is_none() && !self.subject.is_empty() {
            return Err(Failure::Refused(format!("{:?} is not what entries are sorted by.", self.subject)));
        }
        let until = day(&self.until)?.and_then(|day| day.checked_add(1.day()).ok());
        Ok(AuditFilter {
            who: self.who.trim().to_owned(),
            what: self.what.trim().to_owned(),
            subject,
            from: day(&self.from)?.and_then(begins),
            until: until.and_then(begins),
        })
    }
}

fn day(typed: &str) -> Result<Option<Date>, Failure> {
    let no = |_| Failure::Refused(format!("{typed:?} is not a date such as 2026-11-25."));
    Some(typed).filter(|typed| !typed.is_empty()).map(|typed| typed.parse().map_err(no)).transpose()
}

fn begins(day: Date) -> Option<Timestamp> {
    day.to_zoned_datetime(TimeZone::system()).ok().map(|midnight| midnight.timestamp())
}

pub async fn show(
    Extension(reception): Extension<Arc<Reception>>,
    Extension(visit): Extension<Visit>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Failure> {
    let frame = Frame::at(&reception, visit, "Audit").await?;
    let filter = wanted.filter()?;
    let entries = reception.ask(move |place| place.audit_entries(&filter, SHOWN)).await?;
    page(&Page { frame, entries, wanted })
}

/// The whole log as it stands, for `milepost audit verify`; read block by block, since it grows for years.
pub async fn export(
    Extension(reception): Extension<Arc<Reception>>,
    Extension(visit): Extension<Visit>,
) -> Result<Response, Failure> {
    let what = "the audit log".to_owned();
    reception.audit(&visit.person, visit.from, Act::Exported { what }).await?;
    let plain = |letter: char| if letter.is_ascii_alphanumeric() || letter == '_' { letter } else { '-' };
    let place: String = reception.place.name().chars().map(plain).collect();
    let name = format!("audit-{place}.jsonl");
    let blocks = stream::try_unfold((reception, 0), |(reception, after)| async move {
        let lines = reception.ask(move |place| place.audit_lines(after, BLOCK)).await;
        let lines = lines.map_err(|_| std::io::Error::other("the audit log cannot be read"))?;
        let next = after + lines.len() as u64;
        let block = lines.into_iter().map(|line| line + "\n").collect::<String>();
        Ok::<_, std::io::Error>((next > after).then_some((block, (reception, next))))
    });
    Ok(file(&name, "application/jsonl", Body::from_stream(blocks)))
}
