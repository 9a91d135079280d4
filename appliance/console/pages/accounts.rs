use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Form, State};
use axum::response::Response;
use serde::Deserialize;

use super::Frame;
use crate::console::accounts::{AccountView, OneTimeCode, Role, Standing};
use crate::console::answer::{Failure, page, see};
use crate::console::desk::Desk;
use crate::console::gate::Visit;
use crate::console::unit::Act;

#[derive(Template)]
#[template(path = "accounts.html", config = "appliance/console/askama.toml")]
struct Page {
    frame: Frame,
    accounts: Vec<AccountView>,
    /// Shown this once, to the administrator who hands it on.
    fresh: Option<Fresh>,
}

pub struct Fresh {
    pub name: String,
    pub code: OneTimeCode,
}

pub async fn show(
    State(desk): State<Arc<Desk>>,
    Extension(visit): Extension<Visit>,
) -> Result<Response, Failure> {
    show_with(&desk, visit, None).await
}

#[derive(Deserialize)]
pub struct Invitation {
    name: String,
    role: Role,
}

pub async fn invite(
    State(desk): State<Arc<Desk>>,
    Extension(visit): Extension<Visit>,
    Form(form): Form<Invitation>,
) -> Result<Response, Failure> {
    let fresh = add(&desk, &visit, form).await?;
    show_with(&desk, visit, Some(fresh)).await
}

pub async fn add(desk: &Arc<Desk>, visit: &Visit, asked: Invitation) -> Result<Fresh, Failure> {
    let now = desk.clock.now().wall;
    let (name, role) = (asked.name.trim().to_owned(), asked.role);
    let invited = name.clone();
    let code = desk.accounts(move |accounts| accounts.invite(&invited, role, now)).await??;
    tell(desk, visit, format!("invited {name} as {role}")).await?;
    Ok(Fresh { name, code })
}

#[derive(Deserialize)]
pub struct Change {
    name: String,
    change: What,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum What {
    Release,
    Reset,
    Disable,
    Enable,
}

pub async fn change(
    State(desk): State<Arc<Desk>>,
    Extension(visit): Extension<Visit>,
    Form(form): Form<Change>,
) -> Result<Response, Failure> {
    match alter(&desk, &visit, form).await? {
        Some(fresh) => show_with(&desk, visit, Some(fresh)).await,
        None => Ok(see("/accounts")),
    }
}

/// The new code, where the change makes one.
pub async fn alter(desk: &Arc<Desk>, visit: &Visit, asked: Change) -> Result<Option<Fresh>, Failure> {
    let changed = desk.accounts(move |accounts| {
        let name = accounts.find(&asked.name)?;
        let code = match asked.change {
            What::Release => accounts.release(name.as_str()).map(|()| None),
            What::Reset => accounts.reset(name.as_str()).map(Some),
            What::Disable => accounts.disable(name.as_str()).map(|()| None),
            What::Enable => accounts.enable(name.as_str()).map(|()| None),
        };
        code.map(|code| (name, code))
    });
    let (name, code) = changed.await??;
    let did = match asked.change {
        What::Release => "released the lock of",
        What::Reset => "gave a new one-time code to",
        What::Disable => "disabled the account of",
        What::Enable => "enabled the account of",
    };
    if matches!(asked.change, What::Reset | What::Disable) {
        desk.sessions().end_all_of(&name);
    }
    tell(desk, visit, format!("{did} {name}")).await?;
    Ok(code.map(|code| Fresh { name: name.to_string(), code }))
}

async fn show_with(desk: &Arc<Desk>, visit: Visit, fresh: Option<Fresh>) -> Result<Response, Failure> {
    let (frame, _) = Frame::new(desk, visit, "Accounts").await?;
    let now = frame.now;
    let accounts = desk.accounts(move |accounts| accounts.list(now)).await?;
    page(&Page { frame, accounts, fresh })
}

async fn tell(desk: &Desk, visit: &Visit, what: String) -> Result<(), Failure> {
    desk.audit(&visit.person, visit.from, Act::ChangedAccount { what }).await
}
