use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::Form;
use axum::response::Response;
use serde::Deserialize;

use super::Frame;
use crate::console::accounts::{AccountView, OneTimeCode, Role, RosterView, Standing};
use crate::console::answer::{Failure, page, see};
use crate::console::gate::Visit;
use crate::console::reception::Reception;
use crate::console::unit::Act;

#[derive(Template)]
#[template(path = "accounts.html", config = "appliance/console/askama.toml")]
struct Page {
    frame: Frame,
    /// Of those accounts that come from the department.
    roster: Option<RosterView>,
    accounts: Vec<AccountView>,
    roles: &'static str,
    /// Shown this once, to the administrator who hands it on.
    fresh: Option<Fresh>,
}

pub struct Fresh {
    pub name: String,
    pub code: OneTimeCode,
}

pub async fn show(
    Extension(reception): Extension<Arc<Reception>>,
    Extension(visit): Extension<Visit>,
) -> Result<Response, Failure> {
    show_with(&reception, visit, None).await
}

#[derive(Deserialize)]
pub struct Invitation {
    name: String,
    role: Role,
}

pub async fn invite(
    Extension(reception): Extension<Arc<Reception>>,
    Extension(visit): Extension<Visit>,
    Form(form): Form<Invitation>,
) -> Result<Response, Failure> {
    let fresh = add(&reception, &visit, form).await?;
    show_with(&reception, visit, Some(fresh)).await
}

pub async fn add(reception: &Arc<Reception>, visit: &Visit, asked: Invitation) -> Result<Fresh, Failure> {
    let now = reception.clock.now().wall;
    let (name, role) = (asked.name.trim().to_owned(), asked.role);
    let invited = name.clone();
    let code = reception.accounts(move |accounts| accounts.invite(&invited, role, now)).await??;
    tell(reception, visit, format!("invited {name} as {role}")).await?;
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
    Extension(reception): Extension<Arc<Reception>>,
    Extension(visit): Extension<Visit>,
    Form(form): Form<Change>,
) -> Result<Response, Failure> {
    match alter(&reception, &visit, form).await? {
        Some(fresh) => show_with(&reception, visit, Some(fresh)).await,
        None => Ok(see("/accounts")),
    }
}

/// The new code, where the change makes one.
pub async fn alter(
    reception: &Arc<Reception>,
    visit: &Visit,
    asked: Change,
) -> Result<Option<Fresh>, Failure> {
    let changed = reception.accounts(move |accounts| {
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
        reception.sessions().end_all_of(&name);
    }
    tell(reception, visit, format!("{did} {name}")).await?;
    Ok(code.map(|code| Fresh { name: name.to_string(), code }))
}

async fn show_with(
    reception: &Arc<Reception>,
    visit: Visit,
    fresh: Option<Fresh>,
) -> Result<Response, Failure> {
    let frame = Frame::at(reception, visit, "Accounts").await?;
    let now = frame.now;
    let told = reception.accounts(move |accounts| (accounts.roster().cloned(), accounts.list(now)));
    let (roster, accounts) = told.await?;
    page(&Page { frame, roster, accounts, roles: reception.place.roles(), fresh })
}

async fn tell(reception: &Reception, visit: &Visit, what: String) -> Result<(), Failure> {
    reception.audit(&visit.person, visit.from, Act::ChangedAccount { what }).await
}
