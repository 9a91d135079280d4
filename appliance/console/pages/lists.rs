use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Form, Path, State};
use axum::response::Response;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::{Frame, wording};
use crate::console::answer::{Failure, page, see};
use crate::console::desk::Desk;
use crate::console::gate::Visit;
use crate::console::unit::{Lists, ManualEntry};
use crate::hotlist::{Category, Entry};
use crate::words::{Plate, RecordId, State as Issuer};

/// A manual entry always runs out; longer ones belong into a list.
const HOURS_MAX: i64 = 7 * 24;
/// Longest text of a manual entry's field.
const TEXT_MAX: usize = 500;

#[derive(Template)]
#[template(path = "lists.html", config = "appliance/console/askama.toml")]
struct Page {
    frame: Frame,
    lists: Lists,
}

/// Where a manual entry is on its way.
#[derive(Debug, PartialEq, Eq)]
enum Stage {
    Pending,
    Active,
    Expired,
}

impl Stage {
    fn of(manual: &ManualEntry, now: &Timestamp) -> Self {
        match (&manual.approved, manual.entry.until) {
            (_, Some(until)) if until <= *now => Self::Expired,
            (None, _) => Self::Pending,
            (Some(_), _) => Self::Active,
        }
    }
}

pub async fn show(
    State(desk): State<Arc<Desk>>,
    Extension(visit): Extension<Visit>,
) -> Result<Response, Failure> {
    let (frame, _) = Frame::new(&desk, visit, "Hot lists").await?;
    let lists = desk.ask(|unit| unit.lists()).await?;
    page(&Page { frame, lists })
}

#[derive(Deserialize)]
pub struct EntryForm {
    plate: String,
    state: String,
    category: Category,
    reason: String,
    authority: String,
    case: String,
    instructions: String,
    hours: i64,
}

impl EntryForm {
    /// The entry, or a sentence for the person who filled the form.
    fn entry(self, now: Timestamp) -> Result<Entry, String> {
        let plate = Plate::parse(&self.plate).map_err(|error| format!("{error}."))?;
        let state = match self.state.as_str() {
            "" => None,
            code => {
                let unknown = || format!("{code:?} is not the postal code of a US state or DC.");
                Some(Issuer::from_code(code).ok_or_else(unknown)?)
            }
        };
        if self.reason.trim().is_empty() {
            return Err("A manual entry needs a reason.".to_owned());
        }
        if !(1..=HOURS_MAX).contains(&self.hours) {
            return Err(format!("A manual entry is valid for 1 to {HOURS_MAX} hours."));
        }
        let texts = [&self.reason, &self.authority, &self.case, &self.instructions];
        if texts.iter().any(|text| text.chars().count() > TEXT_MAX) {
            return Err(format!("A text is too long: at most {TEXT_MAX} characters."));
        }
        let until = now.saturating_add(SignedDuration::from_hours(self.hours));
        Ok(Entry {
            plate,
            state,
            category: self.category,
            reason: self.reason.trim().to_owned(),
            authority: self.authority.trim().to_owned(),
            case: self.case.trim().to_owned(),
            instructions: self.instructions.trim().to_owned(),
            from: Some(now),
            until: Some(until.unwrap_or(Timestamp::MAX)),
        })
    }
}

pub async fn request(
    State(desk): State<Arc<Desk>>,
    Extension(visit): Extension<Visit>,
    Form(form): Form<EntryForm>,
) -> Result<Response, Failure> {
    let entry = form.entry(desk.clock.now().wall).map_err(Failure::Refused)?;
    desk.ask(move |unit| unit.request_entry(entry, &visit.person.name)).await??;
    Ok(see("/lists"))
}

pub async fn approve(
    State(desk): State<Arc<Desk>>,
    Extension(visit): Extension<Visit>,
    Path(id): Path<RecordId>,
) -> Result<Response, Failure> {
    let by = visit.person.name;
    // The unit refuses this too; here it cannot even be asked.
    let own = move |unit: &dyn crate::console::Unit| {
        let manual = unit.lists().manual;
        match manual.iter().find(|manual| manual.id == id) {
            None => Err(Failure::NotFound),
            Some(manual) if manual.requested_by == by => {
                Err(Failure::Refused("Another person than the one who asked must approve.".to_owned()))
            }
            Some(_) => unit.approve_entry(id, &by).map_err(Failure::from),
        }
    };
    desk.ask(own).await??;
    Ok(see("/lists"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(plate: &str, state: &str, reason: &str, hours: i64) -> EntryForm {
        EntryForm {
            plate: plate.into(),
            state: state.into(),
            category: Category::Bolo,
            reason: reason.into(),
            authority: String::new(),
            case: String::new(),
            instructions: String::new(),
            hours,
        }
    }

    #[test]
    fn a_manual_entry_needs_a_plate_a_reason_and_an_end() {
        let now = Timestamp::UNIX_EPOCH;
        let entry = form("abc 123", "ma", " seen at the bank ", 4).entry(now).unwrap();
        assert_eq!((entry.plate.as_str(), entry.state), ("ABC123", Some(Issuer::Ma)));
        assert_eq!(entry.reason, "seen at the bank");
        assert_eq!(entry.until.unwrap().as_second(), 4 * 3600);
        for (wrong, says) in [
            (form("", "ma", "reason", 4), "empty"),
            (form("ABC123", "zz", "reason", 4), "postal code"),
            (form("ABC123", "", "  ", 4), "reason"),
            (form("ABC123", "", "reason", 0), "hours"),
            (form("ABC123", "", "reason", i64::MAX), "hours"),
            (form("ABC123", "", &"x".repeat(501), 4), "too long"),
        ] {
            let sentence = wrong.entry(now).unwrap_err();
            assert!(sentence.contains(says), "{sentence}");
        }
    }
}
