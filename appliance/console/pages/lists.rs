use std::str::FromStr;
use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Form, Path, State};
use axum::response::Response;
use serde::Deserialize;

use super::{Frame, wording};
use crate::console::answer::{Failure, page, see};
use crate::console::desk::Desk;
use crate::console::gate::Visit;
use crate::console::unit::{EntryRequest, Lists, Unit};
use crate::hotlist::{Category, Freshness, ManualEntry, ManualState};
use crate::words::{PersonName, RecordId, State as Issuer};

#[derive(Template)]
#[template(path = "lists.html", config = "appliance/console/askama.toml")]
struct Page {
    frame: Frame,
    lists: Lists,
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
    /// A postal code; empty for any state.
    state: String,
    category: Category,
    reason: String,
    authority: String,
    case: String,
    instructions: String,
    /// Empty for the default of the category.
    hours: String,
    /// The entry that is to be changed; empty or absent for a new one.
    #[serde(default)]
    replaces: String,
}

impl EntryForm {
    fn request(self) -> Result<EntryRequest, Failure> {
        let state = Some(self.state.as_str()).filter(|code| !code.is_empty());
        let unknown =
            |code| Failure::Refused(format!("{code:?} is not the postal code of a US state or DC."));
        Ok(EntryRequest {
            plate: self.plate,
            state: state.map(|code| Issuer::from_code(code).ok_or_else(|| unknown(code))).transpose()?,
            category: self.category,
            reason: self.reason,
            authority: self.authority,
            case: self.case,
            instructions: self.instructions,
            hours: optional(&self.hours, "a number of hours")?,
            replaces: optional(&self.replaces, "the id of an entry")?,
        })
    }
}

fn optional<T: FromStr>(typed: &str, what: &str) -> Result<Option<T>, Failure> {
    let no = |_| Failure::Refused(format!("{typed:?} is not {what}."));
    Some(typed).filter(|typed| !typed.is_empty()).map(|typed| typed.parse().map_err(no)).transpose()
}

pub async fn request(
    State(desk): State<Arc<Desk>>,
    Extension(visit): Extension<Visit>,
    Form(form): Form<EntryForm>,
) -> Result<Response, Failure> {
    let entry = form.request()?;
    desk.ask(move |unit| unit.request_entry(entry, &visit.person.name)).await??;
    Ok(see("/lists"))
}

#[derive(Deserialize)]
pub struct RemovalForm {
    pub reason: String,
}

pub async fn remove(
    State(desk): State<Arc<Desk>>,
    Extension(visit): Extension<Visit>,
    Path(id): Path<RecordId>,
    Form(form): Form<RemovalForm>,
) -> Result<Response, Failure> {
    let ask = move |unit: &dyn Unit| match find(unit, |manual| manual.id == id) {
        Some(_) => unit.request_removal(id, &form.reason, &visit.person.name).map_err(Failure::from),
        None => Err(Failure::NotFound),
    };
    desk.ask(ask).await??;
    Ok(see("/lists"))
}

pub async fn approve(
    State(desk): State<Arc<Desk>>,
    Extension(visit): Extension<Visit>,
    Path(id): Path<RecordId>,
) -> Result<Response, Failure> {
    let by = visit.person.name;
    // The unit refuses this too; here it cannot even be asked.
    let own = move |unit: &dyn Unit| match asked_by(unit, id) {
        None => Err(Failure::NotFound),
        Some(person) if person == by => {
            Err(Failure::Refused("Another person than the one who asked must approve.".to_owned()))
        }
        Some(_) => unit.approve_request(id, &by).map_err(Failure::from),
    };
    desk.ask(own).await??;
    Ok(see("/lists"))
}

pub async fn decline(
    State(desk): State<Arc<Desk>>,
    Extension(visit): Extension<Visit>,
    Path(id): Path<RecordId>,
) -> Result<Response, Failure> {
    let by = visit.person.name;
    let decline = move |unit: &dyn Unit| match asked_by(unit, id) {
        None => Err(Failure::NotFound),
        Some(_) => unit.decline_request(id, &by).map_err(Failure::from),
    };
    desk.ask(decline).await??;
    Ok(see("/lists"))
}

pub async fn check(
    State(desk): State<Arc<Desk>>,
    Extension(visit): Extension<Visit>,
) -> Result<Response, Failure> {
    desk.ask(move |unit| unit.check_lists(&visit.person.name)).await??;
    Ok(see("/lists"))
}

/// Who made the request of this id: for an entry or for the removal of one.
fn asked_by(unit: &dyn Unit, id: RecordId) -> Option<PersonName> {
    let removal = |manual: &ManualEntry| manual.removal.as_ref().is_some_and(|removal| removal.id == id);
    match find(unit, removal) {
        Some(manual) => manual.removal.map(|removal| removal.requested.by),
        None => find(unit, |manual| manual.id == id).map(|manual| manual.requested.by),
    }
}

fn find(unit: &dyn Unit, is: impl Fn(&ManualEntry) -> bool) -> Option<ManualEntry> {
    unit.lists().manual.into_iter().map(|view| view.manual).find(is)
}

/// The form that asks for an entry, or for another in an entry's place, with what stands in it before anybody
/// types.
#[derive(Template)]
#[template(path = "entry_form.html", config = "appliance/console/askama.toml")]
struct EntryFields<'a> {
    /// Tells the fields of one form from those of another.
    form: String,
    replaces: Option<RecordId>,
    plate: String,
    state: Option<Issuer>,
    category: Option<Category>,
    reason: String,
    instructions: String,
    authority: String,
    case: String,
    frame: &'a Frame,
}

impl Page {
    fn all_fresh(&self) -> bool {
        self.lists.lists.iter().all(|list| list.freshness == Freshness::Fresh)
    }

    fn new_entry(&self) -> EntryFields<'_> {
        EntryFields {
            form: "new".to_owned(),
            replaces: None,
            plate: String::new(),
            state: None,
            category: None,
            reason: String::new(),
            instructions: String::new(),
            authority: String::new(),
            case: String::new(),
            frame: &self.frame,
        }
    }

    fn change_of(&self, old: &ManualEntry) -> EntryFields<'_> {
        let entry = &old.entry;
        EntryFields {
            form: old.id.to_string(),
            replaces: Some(old.id),
            plate: entry.plate.to_string(),
            state: entry.state,
            category: Some(entry.category),
            reason: entry.reason.to_string(),
            instructions: entry.instructions.to_string(),
            authority: entry.authority.to_string(),
            case: entry.case.to_string(),
            frame: &self.frame,
        }
    }
}
