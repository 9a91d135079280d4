//! The console for programs: the same answers and the same flows in JSON under `/api/v1`.
//!
//! A tool signs in as a person does and shows the token it got; the gate, the roles and the log are the pages' own.
//! What the addresses take and give stands in `config/openapi.yaml`, which the unit serves itself.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, Form, Path, Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::accounts::{Person, Proof, Role};
use super::answer::Failure;
use super::desk::Desk;
use super::gate::{Visit, bearer};
use super::pages::alerts::SHOWN as ALERTS_SHOWN;
use super::pages::audit::{SHOWN as ENTRIES_SHOWN, Wanted};
use super::pages::clock::TimeAsked;
use super::pages::maintenance::{LOGBOOK_SHOWN, ServiceForm, WorkForm};
use super::pages::network::{InterfaceForm, TimeForm};
use super::pages::records as store;
use super::pages::records::ReasonForm;
use super::pages::{
    accounts as people, aim, bundle, certificates as identity, configuration as settings,
    deployment as place, entrance, lists as hot_lists, maintenance as upkeep, network as wiring,
};
use super::reception::Reception;
use super::unit::{Act, BundleSent, Deployment, EntryRequest, Verification};
use crate::enroll::Offer;
use crate::passage::DrawnLanes;
use crate::words::{CameraId, RecordId};

type Asked = State<Arc<Desk>>;
type By = Extension<Visit>;
type Answer = Result<Response, Failure>;

fn told(value: impl Serialize) -> Answer {
    Ok(Json(value).into_response())
}

/// What a page answers with a redirect, a program is told in a status.
fn done(_: Response) -> Response {
    StatusCode::NO_CONTENT.into_response()
}

pub async fn document() -> Response {
    ([(CONTENT_TYPE, "application/yaml")], include_str!("../../config/openapi.yaml")).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    name: String,
    password: String,
}

pub async fn sign_in(
    Extension(reception): Extension<Arc<Reception>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Json(shown): Json<Credentials>,
) -> Answer {
    let now = reception.clock.now().wall;
    let proof =
        reception.accounts(move |accounts| accounts.sign_in(&shown.name, &shown.password, now)).await??;
    match proof {
        Proof::Accepted(person) => begin_session(&reception, person, peer, Act::SignedIn).await,
        Proof::Refused { account, now_locked } => {
            entrance::tell_refusal(&reception, account, now_locked, peer.ip()).await?;
            Err(Failure::SignInFirst)
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FirstPassword {
    code: String,
    name: String,
    password: String,
}

pub async fn set_up(
    Extension(reception): Extension<Arc<Reception>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Json(asked): Json<FirstPassword>,
) -> Answer {
    let redeemed = entrance::redeem(&reception, asked.code, asked.name, asked.password, peer.ip()).await?;
    let person = redeemed.map_err(Failure::Refused)?;
    begin_session(&reception, person, peer, Act::AccountSetUp).await
}

async fn begin_session(reception: &Reception, person: Person, peer: SocketAddr, act: Act) -> Answer {
    let Some(token) = reception.begin_session(&person).await? else {
        entrance::tell_refusal(reception, Some(person.name), false, peer.ip()).await?;
        return Err(Failure::SignInFirst);
    };
    reception.audit(&person, peer.ip(), act).await?;
    let told_of = json!({ "name": person.name, "role": person.role });
    told(json!({ "token": token, "person": told_of }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewPassword {
    old: String,
    password: String,
}

pub async fn change_password(
    Extension(reception): Extension<Arc<Reception>>,
    Extension(visit): By,
    Json(asked): Json<NewPassword>,
) -> Answer {
    entrance::renew_password(&reception, &visit, asked.old, asked.password).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnPassword {
    password: String,
}

pub async fn renew_recovery(
    Extension(reception): Extension<Arc<Reception>>,
    Extension(visit): By,
    Json(asked): Json<OwnPassword>,
) -> Answer {
    let codes = entrance::renew_codes(&reception, &visit, asked.password).await?;
    told(json!({ "codes": codes.iter().map(ToString::to_string).collect::<Vec<_>>() }))
}

pub async fn sign_out(
    Extension(reception): Extension<Arc<Reception>>,
    Extension(visit): By,
    headers: HeaderMap,
) -> Answer {
    reception.audit(&visit.person, visit.from, Act::SignedOut).await?;
    reception.sessions().end(bearer(&headers).unwrap_or_default());
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub async fn overview(State(desk): Asked) -> Answer {
    told(desk.ask(|unit| json!({ "unit": unit.name(), "overview": unit.overview() })).await?)
}

pub async fn cameras(State(desk): Asked) -> Answer {
    told(desk.ask(|unit| unit.aims()).await?)
}

pub async fn verify_aim(desk: Asked, by: By, camera: Path<CameraId>) -> Answer {
    aim::verify(desk, by, camera).await.map(done)
}

/// What is told here can be given back: no lanes where nobody drew any.
pub async fn lanes(State(desk): Asked, Path(camera): Path<CameraId>) -> Answer {
    let aims = desk.ask(|unit| unit.aims()).await?;
    let aim = aims.into_iter().find(|aim| aim.camera == camera).ok_or(Failure::NotFound)?;
    told(aim.drawn.map(|drawn| drawn.lanes).unwrap_or_default())
}

pub async fn draw_lanes(
    State(desk): Asked,
    Extension(visit): By,
    Path(camera): Path<CameraId>,
    Json(lanes): Json<DrawnLanes>,
) -> Answer {
    aim::draw(&desk, camera, lanes, visit.person.name).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub async fn alerts(State(desk): Asked) -> Answer {
    told(desk.ask(|unit| unit.alerts(ALERTS_SHOWN)).await?)
}

pub async fn alert(State(desk): Asked, Path(id): Path<RecordId>) -> Answer {
    told(desk.ask(move |unit| unit.alert(id)).await?.ok_or(Failure::NotFound)?)
}

pub async fn verify(
    State(desk): Asked,
    Extension(visit): By,
    Path(id): Path<RecordId>,
    Json(what): Json<Verification>,
) -> Answer {
    let by = visit.person.name;
    let put_down = desk.ask(move |unit| {
        unit.alert(id).ok_or(Failure::NotFound)?;
        Ok::<_, Failure>(unit.verify_alert(id, what, &by)?)
    });
    put_down.await??;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub async fn lists(State(desk): Asked) -> Answer {
    told(desk.ask(|unit| unit.lists()).await?)
}

pub async fn request_entry(
    State(desk): Asked,
    Extension(visit): By,
    Json(entry): Json<EntryRequest>,
) -> Answer {
    desk.ask(move |unit| unit.request_entry(entry, &visit.person.name)).await??;
    Ok(StatusCode::NO_CONTENT.into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    reason: String,
}

pub async fn remove_entry(desk: Asked, by: By, id: Path<RecordId>, Json(asked): Json<Reason>) -> Answer {
    let form = hot_lists::RemovalForm { reason: asked.reason };
    hot_lists::remove(desk, by, id, Form(form)).await.map(done)
}

pub async fn approve(desk: Asked, by: By, id: Path<RecordId>) -> Answer {
    hot_lists::approve(desk, by, id).await.map(done)
}

pub async fn decline(desk: Asked, by: By, id: Path<RecordId>) -> Answer {
    hot_lists::decline(desk, by, id).await.map(done)
}

pub async fn check_lists(desk: Asked, by: By) -> Answer {
    hot_lists::check(desk, by).await.map(done)
}

/// A technician is not told which alerts are stored.
pub async fn records(State(desk): Asked, Extension(visit): By) -> Answer {
    let mut records = desk.ask(|unit| unit.records()).await?;
    if visit.person.role == Role::Technician {
        records.alerts.clear();
    }
    told(records)
}

pub async fn look(
    State(desk): Asked,
    Extension(visit): By,
    Path(record): Path<RecordId>,
    Json(asked): Json<ReasonForm>,
) -> Answer {
    told(store::look(&desk, &visit, record, &asked.reason).await?)
}

pub async fn logbook(State(desk): Asked) -> Answer {
    told(desk.ask(|unit| unit.logbook(LOGBOOK_SHOWN)).await?)
}

pub async fn change_service(desk: Asked, by: By, Json(asked): Json<ServiceForm>) -> Answer {
    upkeep::service(desk, by, Form(asked)).await.map(done)
}

pub async fn note_work(desk: Asked, by: By, Json(asked): Json<WorkForm>) -> Answer {
    upkeep::work(desk, by, Form(asked)).await.map(done)
}

pub async fn deployment(State(desk): Asked) -> Answer {
    told(desk.ask(|unit| unit.deployment()).await?.ok_or(Failure::NotFound)?)
}

pub async fn deploy(desk: Asked, by: By, Json(asked): Json<Deployment>) -> Answer {
    place::deploy(desk, by, Form(asked)).await.map(done)
}

pub async fn network(State(desk): Asked) -> Answer {
    told(desk.ask(|unit| unit.network()).await?)
}

pub async fn change_interface(desk: Asked, by: By, Json(asked): Json<InterfaceForm>) -> Answer {
    wiring::change_interface(desk, by, Form(asked)).await.map(done)
}

pub async fn change_time_servers(desk: Asked, by: By, Json(asked): Json<TimeForm>) -> Answer {
    wiring::change_time_servers(desk, by, Form(asked)).await.map(done)
}

pub async fn decide_network(desk: Asked, by: By, Json(asked): Json<settings::Decision>) -> Answer {
    wiring::decide(desk, by, Form(asked)).await.map(done)
}

pub async fn look_at_time(State(desk): Asked, Json(asked): Json<TimeAsked>) -> Answer {
    told(desk.ask(move |unit| unit.look_at_time(asked.to)).await??)
}

pub async fn set_time(
    State(desk): Asked,
    Extension(visit): By,
    Json(TimeAsked { to, sure }): Json<TimeAsked>,
) -> Answer {
    desk.ask(move |unit| unit.set_time(to, sure, &visit.person.name)).await??;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub async fn accounts(State(desk): Asked) -> Answer {
    let now = desk.clock.now().wall;
    told(desk.accounts(move |accounts| accounts.list(now)).await?)
}

pub async fn invite(
    State(desk): Asked,
    Extension(visit): By,
    Json(asked): Json<people::Invitation>,
) -> Answer {
    let fresh = people::add(&desk, &visit, asked).await?;
    told(json!({ "name": fresh.name, "code": fresh.code.to_string() }))
}

pub async fn change_account(
    State(desk): Asked,
    Extension(visit): By,
    Json(asked): Json<people::Change>,
) -> Answer {
    match people::alter(&desk, &visit, asked).await? {
        Some(fresh) => told(json!({ "name": fresh.name, "code": fresh.code.to_string() })),
        None => Ok(StatusCode::NO_CONTENT.into_response()),
    }
}

pub async fn audit(State(desk): Asked, Query(wanted): Query<Wanted>) -> Answer {
    let filter = wanted.filter()?;
    told(desk.ask(move |unit| unit.audit_entries(&filter, ENTRIES_SHOWN)).await?)
}

pub async fn certificates(State(desk): Asked) -> Answer {
    told(desk.ask(|unit| unit.certificates()).await?)
}

pub async fn request_certificate(State(desk): Asked, Extension(visit): By) -> Answer {
    let made = desk.ask(move |unit| {
        unit.request_certificate(&visit.person.name)?;
        Ok::<_, Failure>(unit.certificates().requested)
    });
    told(made.await??.ok_or(Failure::NotFound)?)
}

pub async fn withdraw_request(desk: Asked, by: By) -> Answer {
    identity::withdraw(desk, by).await.map(done)
}

pub async fn install_certificate(desk: Asked, by: By, Json(offer): Json<Offer>) -> Answer {
    identity::install(desk, by, offer).await.map(done)
}

pub async fn look_into_bundle(State(desk): Asked, Json(sent): Json<BundleSent>) -> Answer {
    told(desk.ask(move |unit| unit.look_into_bundle(&sent)).await??)
}

pub async fn take_bundle(desk: Asked, by: By, Json(sent): Json<BundleSent>) -> Answer {
    bundle::take(desk, by, Form(sent)).await.map(done)
}

pub async fn configuration(State(desk): Asked) -> Answer {
    let now = desk.ask(|unit| unit.configuration()).await?;
    told(json!({ "text": now.text, "trial_until": now.trial_until, "clock": now.clock }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proposal {
    text: String,
}

pub async fn try_configuration(
    State(desk): Asked,
    Extension(visit): By,
    Json(asked): Json<Proposal>,
) -> Answer {
    let console = desk.ask(move |unit| unit.try_configuration(&asked.text, &visit.person.name)).await??;
    told(json!({ "console": console }))
}

pub async fn decide_trial(desk: Asked, by: By, Json(asked): Json<settings::Decision>) -> Answer {
    settings::decide(desk, by, Form(asked)).await.map(done)
}
