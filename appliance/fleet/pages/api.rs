//! The dashboard for programs: the same filter and the same facts in JSON under `/api/v1`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::Serialize;

use crate::console::answer::Failure;
use crate::delivery::Presence;
use crate::fleet::board::Board;
use crate::fleet::report::{Report, Spot};
use crate::fleet::unit::{Condition, Silence, Unit};
use crate::fleet::wanted::Asked;
use crate::words::{UnitId, UnitKind};

#[derive(Serialize)]
struct Units<'a> {
    at: Timestamp,
    units: Vec<Brief<'a>>,
}

/// One unit in a line.
#[derive(Serialize)]
struct Brief<'a> {
    unit: &'a UnitId,
    state: Condition,
    since: Option<Timestamp>,
    silence: Option<Silence>,
    reasons: Vec<String>,
    connected: Option<bool>,
    heard: Option<Timestamp>,
    kind: Option<UnitKind>,
    list_age_s: Option<u64>,
    waiting: Option<u64>,
    last_read: Option<Timestamp>,
    certificate_days_left: Option<i64>,
    false_hit_rate: Option<f64>,
    position: Option<Spot>,
}

/// Every unit that fits, in the wanted order; pages are for people.
pub async fn units(State(board): State<Arc<Board>>, Query(asked): Query<Asked>) -> Result<Response, Failure> {
    let wanted = asked.understood()?;
    let at = board.clock.now().wall;
    let found = wanted.among(&board.roster(), at);
    let units = found.all.iter().map(|unit| brief(unit, at)).collect();
    Ok(Json(Units { at, units }).into_response())
}

#[derive(Serialize)]
struct Whole<'a> {
    #[serde(flatten)]
    brief: Brief<'a>,
    why: Vec<String>,
    link: Option<&'a Presence>,
    /// As far as the dashboard shows it.
    report: Option<&'a Report>,
}

pub async fn unit(State(board): State<Arc<Board>>, Path(id): Path<UnitId>) -> Result<Response, Failure> {
    let unit = board.roster().get(&id).cloned().ok_or(Failure::NotFound)?;
    let whole = Whole {
        brief: brief(&unit, board.clock.now().wall),
        why: unit.why(),
        link: unit.link.as_ref().map(|link| &link.presence),
        report: unit.report.as_ref(),
    };
    Ok(Json(whole).into_response())
}

fn brief(unit: &Unit, now: Timestamp) -> Brief<'_> {
    let report = unit.report.as_ref();
    Brief {
        unit: &unit.id,
        state: unit.judged.condition,
        since: unit.judged.since,
        silence: unit.judged.silence,
        reasons: unit.reasons().map(|reason| reason.token()).collect(),
        connected: unit.is_connected(),
        heard: unit.heard,
        kind: report.map(|report| report.place.kind),
        list_age_s: report.and_then(|report| report.list_age_s(now)),
        waiting: report.map(|report| report.records.waiting),
        last_read: report.and_then(|report| report.last_read),
        certificate_days_left: report.and_then(|report| report.broker.certificate_days_left),
        false_hit_rate: report.and_then(|report| report.answers.false_hit_rate),
        position: report.and_then(|report| report.place.position),
    }
}
