//! A box for programs, such as a bench that enrols a hundred of them.

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};

use super::{Asked, By, Name};
use crate::console::answer::Failure;
use crate::console::reception::blocking;
use crate::unenrolled::plan::Sent;

type Answer = Result<Response, Failure>;

pub async fn document() -> Response {
    ([(CONTENT_TYPE, "application/yaml")], include_str!("../../../config/openapi-unenrolled.yaml"))
        .into_response()
}

pub async fn progress(State(newcomer): Asked) -> Answer {
    Ok(Json(newcomer.progress()).into_response())
}

pub async fn request(State(newcomer): Asked, Extension(visit): By, Json(name): Json<Name>) -> Answer {
    let unit = name.parsed()?;
    Ok(Json(blocking(move || newcomer.request(&unit, &visit.person.name)).await??).into_response())
}

pub async fn look(State(newcomer): Asked, Json(sent): Json<Sent>) -> Answer {
    Ok(Json(blocking(move || newcomer.look(&sent)).await??).into_response())
}

pub async fn take(State(newcomer): Asked, Extension(visit): By, Json(sent): Json<Sent>) -> Answer {
    Ok(Json(blocking(move || newcomer.take(&sent, &visit.person.name)).await??).into_response())
}
