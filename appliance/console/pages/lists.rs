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
use crate::console::unit::{EntryRequest, EntryStage, Lists, Unit};
use crate::hotlist::Category;
use crate::words::{RecordId, State as Issuer};

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
    hours: u32,
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
            hours: self.hours,
        })
    }
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

pub async fn approve(
    State(desk): State<Arc<Desk>>,
    Extension(visit): Extension<Visit>,
    Path(id): Path<RecordId>,
) -> Result<Response, Failure> {
    let by = visit.person.name;
    // The unit refuses this too; here it cannot even be asked.
    let own = move |unit: &dyn Unit| {
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
