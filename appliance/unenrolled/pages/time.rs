//! The box's clock, which a person sets where no server keeps it.

use askama::Template;
use axum::extract::{Form, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};

use super::{Asked, By, Door};
use crate::console::answer::{Failure, page, see};
use crate::console::pages::Frame;
use crate::console::pages::clock::{self, ClockForm, Setting, TimeAsked};
use crate::console::reception::blocking;
use crate::unenrolled::newcomer::TimeView;

#[derive(Template)]
#[template(path = "time.html", config = "appliance/unenrolled/askama.toml")]
struct Page {
    frame: Frame,
    time: TimeView,
}

pub async fn show(
    State(newcomer): Asked,
    Extension(reception): Door,
    Extension(visit): By,
) -> Result<Response, Failure> {
    let frame = Frame::at(&reception, visit, "Time").await?;
    let time = blocking(move || newcomer.time()).await?;
    page(&Page { frame, time })
}

pub async fn look(
    State(newcomer): Asked,
    Extension(reception): Door,
    Extension(visit): By,
    Form(form): Form<ClockForm>,
) -> Result<Response, Failure> {
    let to = form.time()?;
    let frame = Frame::at(&reception, visit, "Clock").await?;
    clock::show(frame, blocking(move || newcomer.look_at_time(to)).await??, "/time")
}

pub async fn set(
    State(newcomer): Asked,
    Extension(reception): Door,
    Extension(visit): By,
    Form(setting): Form<Setting>,
) -> Result<Response, Failure> {
    let (to, _) = setting.read(reception.clock.now().wall)?;
    blocking(move || newcomer.set_time(to, &visit.person.name)).await??;
    Ok(see("/time"))
}

pub async fn told(State(newcomer): Asked) -> Result<Response, Failure> {
    Ok(Json(blocking(move || newcomer.time()).await?).into_response())
}

pub async fn look_by_program(
    State(newcomer): Asked,
    Json(asked): Json<TimeAsked>,
) -> Result<Response, Failure> {
    Ok(Json(blocking(move || newcomer.look_at_time(asked.to)).await??).into_response())
}

pub async fn set_by_program(
    State(newcomer): Asked,
    Extension(visit): By,
    Json(asked): Json<TimeAsked>,
) -> Result<Response, Failure> {
    blocking(move || newcomer.set_time(asked.to, &visit.person.name)).await??;
    Ok(StatusCode::NO_CONTENT.into_response())
}
