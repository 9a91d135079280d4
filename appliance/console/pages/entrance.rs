//! In and out: sign-in, first set-up with a one-time code, the own password, sign-out.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{ConnectInfo, Form};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum_extra::extract::cookie::CookieJar;
use serde::Deserialize;

use super::Frame;
use crate::console::accounts::{
    AccountsError, FAILURES_MAX, OneTimeCode, PASSWORD_MAX, PASSWORD_MIN, Person, Proof,
};
use crate::console::answer::{Failure, page, see};
use crate::console::gate::{Visit, session_cookie, sign_out as end_session};
use crate::console::reception::Reception;
use crate::console::unit::Act;
use crate::words::{PersonName, sentence};

#[derive(Template)]
#[template(path = "sign_in.html", config = "appliance/console/askama.toml")]
struct Door {
    place: String,
    fingerprint: String,
    /// Neither here nor from the department.
    nobody_yet: bool,
    /// There were accounts, and they were lost.
    lost: bool,
    refused: bool,
}

#[derive(Template)]
#[template(path = "set_up.html", config = "appliance/console/askama.toml")]
struct SetUp {
    place: String,
    fingerprint: String,
    first_boot: bool,
    name: String,
    trouble: Option<String>,
}

#[derive(Template)]
#[template(path = "password.html", config = "appliance/console/askama.toml")]
struct Password {
    frame: Frame,
}

#[derive(Template)]
#[template(path = "recovery.html", config = "appliance/console/askama.toml")]
struct Recovery {
    frame: Frame,
    left: usize,
    /// Shown this once.
    codes: Vec<OneTimeCode>,
}

pub async fn door(Extension(reception): Extension<Arc<Reception>>) -> Result<Response, Failure> {
    door_with(&reception, false).await
}

#[derive(Deserialize)]
pub struct Credentials {
    name: String,
    password: String,
}

pub async fn sign_in(
    Extension(reception): Extension<Arc<Reception>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    jar: CookieJar,
    Form(form): Form<Credentials>,
) -> Result<Response, Failure> {
    let now = reception.clock.now().wall;
    let proof =
        reception.accounts(move |accounts| accounts.sign_in(&form.name, &form.password, now)).await??;
    match proof {
        Proof::Accepted(person) => let_in(&reception, jar, person, peer.ip(), Act::SignedIn, "/").await,
        Proof::Refused { account, now_locked } => {
            tell_refusal(&reception, account, now_locked, peer.ip()).await?;
            Ok((StatusCode::UNAUTHORIZED, door_with(&reception, true).await?).into_response())
        }
    }
}

pub async fn code(Extension(reception): Extension<Arc<Reception>>) -> Result<Response, Failure> {
    set_up_with(&reception, String::new(), None).await
}

#[derive(Deserialize)]
pub struct FirstPassword {
    code: String,
    name: String,
    password: String,
    again: String,
}

pub async fn set_up(
    Extension(reception): Extension<Arc<Reception>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    jar: CookieJar,
    Form(form): Form<FirstPassword>,
) -> Result<Response, Failure> {
    let name = form.name.clone();
    let redeemed = match form.password == form.again {
        true => redeem(&reception, form.code, form.name, form.password, peer.ip()).await?,
        false => Err("The two passwords differ.".to_owned()),
    };
    match redeemed {
        Ok(person) => let_in(&reception, jar, person, peer.ip(), Act::AccountSetUp, "/recovery").await,
        Err(trouble) => {
            let page = set_up_with(&reception, name, Some(trouble)).await?;
            Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
        }
    }
}

/// Gives whoever holds a one-time code their password; a sentence where it cannot be.
pub async fn redeem(
    reception: &Arc<Reception>,
    code: String,
    name: String,
    password: String,
    from: IpAddr,
) -> Result<Result<Person, String>, Failure> {
    let now = reception.clock.now().wall;
    match reception.accounts(move |accounts| accounts.set_up(&code, &name, &password, now)).await? {
        Ok(Proof::Accepted(person)) => {
            reception.first_boot_is_over().await?;
            Ok(Ok(person))
        }
        Ok(Proof::Refused { account, now_locked }) => {
            tell_refusal(reception, account, now_locked, from).await?;
            Ok(Err("The code and the name do not fit, or the code has been used.".to_owned()))
        }
        Err(error @ (AccountsError::Weak(_) | AccountsError::Name(_))) => Ok(Err(sentence(error))),
        Err(error) => Err(error.into()),
    }
}

pub async fn password(
    Extension(reception): Extension<Arc<Reception>>,
    Extension(visit): Extension<Visit>,
) -> Result<Response, Failure> {
    let frame = Frame::at(&reception, visit, "Password").await?;
    page(&Password { frame })
}

#[derive(Deserialize)]
pub struct NewPassword {
    old: String,
    password: String,
    again: String,
}

pub async fn change_password(
    Extension(reception): Extension<Arc<Reception>>,
    Extension(visit): Extension<Visit>,
    Form(form): Form<NewPassword>,
) -> Result<Response, Failure> {
    if form.password != form.again {
        return Err(Failure::Refused("The two new passwords differ.".to_owned()));
    }
    renew_password(&reception, &visit, form.old, form.password).await?;
    Ok(see("/sign-in"))
}

/// Signs out everywhere: who changes a password may fear that another knows it.
pub async fn renew_password(
    reception: &Arc<Reception>,
    visit: &Visit,
    old: String,
    new: String,
) -> Result<(), Failure> {
    let now = reception.clock.now().wall;
    let name = visit.person.name.clone();
    let changed =
        reception.accounts(move |accounts| accounts.change_password(&name, &old, &new, now)).await??;
    match changed {
        Proof::Accepted(person) => {
            reception.sessions().end_all_of(&person.name);
            let what = "changed the own password".to_owned();
            reception.audit(&person, visit.from, Act::ChangedAccount { what }).await
        }
        Proof::Refused { account, now_locked } => {
            tell_refusal(reception, account, now_locked, visit.from).await?;
            Err(Failure::Refused("The old password is not the right one.".to_owned()))
        }
    }
}

pub async fn recovery(
    Extension(reception): Extension<Arc<Reception>>,
    Extension(visit): Extension<Visit>,
) -> Result<Response, Failure> {
    recovery_with(&reception, visit, Vec::new()).await
}

#[derive(Deserialize)]
pub struct OwnPassword {
    password: String,
}

pub async fn renew_recovery(
    Extension(reception): Extension<Arc<Reception>>,
    Extension(visit): Extension<Visit>,
    Form(form): Form<OwnPassword>,
) -> Result<Response, Failure> {
    let codes = renew_codes(&reception, &visit, form.password).await?;
    recovery_with(&reception, visit, codes).await
}

/// New recovery codes, which are shown this once; those of before are worth nothing any more.
pub async fn renew_codes(
    reception: &Arc<Reception>,
    visit: &Visit,
    password: String,
) -> Result<Vec<OneTimeCode>, Failure> {
    let now = reception.clock.now().wall;
    let name = visit.person.name.clone();
    let renewed =
        reception.accounts(move |accounts| accounts.renew_recovery(&name, &password, now)).await??;
    match renewed {
        (Proof::Accepted(person), codes) => {
            let what = "made new recovery codes".to_owned();
            reception.audit(&person, visit.from, Act::ChangedAccount { what }).await?;
            Ok(codes)
        }
        (Proof::Refused { account, now_locked }, _) => {
            tell_refusal(reception, account, now_locked, visit.from).await?;
            Err(Failure::Refused("The password is not the right one.".to_owned()))
        }
    }
}

async fn recovery_with(
    reception: &Arc<Reception>,
    visit: Visit,
    codes: Vec<OneTimeCode>,
) -> Result<Response, Failure> {
    let frame = Frame::at(reception, visit, "Recovery codes").await?;
    let (name, now) = (frame.person.name.clone(), frame.now);
    let accounts = reception.accounts(move |accounts| accounts.list(now)).await?;
    let left = accounts.iter().find(|account| account.name == name).map_or(0, |account| account.recovery);
    page(&Recovery { frame, left, codes })
}

pub async fn sign_out(
    Extension(reception): Extension<Arc<Reception>>,
    Extension(visit): Extension<Visit>,
    jar: CookieJar,
) -> Result<Response, Failure> {
    reception.audit(&visit.person, visit.from, Act::SignedOut).await?;
    Ok((end_session(&reception, jar), see("/sign-in")).into_response())
}

async fn door_with(reception: &Arc<Reception>, refused: bool) -> Result<Response, Failure> {
    let (nobody_yet, lost) = reception
        .accounts(|accounts| (accounts.is_empty() && !accounts.are_lost(), accounts.are_lost()))
        .await?;
    page(&Door {
        place: reception.place.name(),
        fingerprint: reception.fingerprint.clone(),
        nobody_yet,
        lost,
        refused,
    })
}

async fn set_up_with(
    reception: &Arc<Reception>,
    name: String,
    trouble: Option<String>,
) -> Result<Response, Failure> {
    page(&SetUp {
        place: reception.place.name(),
        fingerprint: reception.fingerprint.clone(),
        first_boot: reception.accounts(|accounts| accounts.first_boot() && !accounts.are_lost()).await?,
        name,
        trouble,
    })
}

async fn let_in(
    reception: &Arc<Reception>,
    jar: CookieJar,
    person: Person,
    from: IpAddr,
    act: Act,
    path: &str,
) -> Result<Response, Failure> {
    let Some(token) = reception.begin_session(&person).await? else {
        tell_refusal(reception, Some(person.name), false, from).await?;
        return Ok((StatusCode::UNAUTHORIZED, door_with(reception, true).await?).into_response());
    };
    reception.audit(&person, from, act).await?;
    // A session that this browser had before ends here.
    let jar = end_session(reception, jar);
    Ok((jar.add(session_cookie(token)), see(path)).into_response())
}

pub async fn tell_refusal(
    reception: &Reception,
    account: Option<PersonName>,
    now_locked: bool,
    from: IpAddr,
) -> Result<(), Failure> {
    let act = if now_locked { Act::AccountLocked } else { Act::SignInRefused };
    reception.audit_stranger(account, from, act).await
}
