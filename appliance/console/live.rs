//! What an open page waits for: the next picture of a camera, the next alert.
//!
//! Both are long polls. The browser asks, the answer comes when there is something new, and it asks again:
//! no queue can build up behind a slow phone, and what is shown is always the newest.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use super::answer::Failure;
use super::desk::Desk;
use super::unit::{LivePicture, PlateInPicture};
use crate::alert::Alert;
use crate::health::{Check, Lamp, WIDTH_STANDING_PX};
use crate::hotlist::Level;
use crate::words::{CameraId, LaneName, Plate, RecordId};

/// A camera that gives no picture for this long is stalled.
const PICTURE_WAIT: Duration = Duration::from_secs(3);
/// Below the half minute after which middleboxes and phones drop a silent connection.
const NEWS_WAIT: Duration = Duration::from_secs(25);

/// Who missed more than this looks at the list.
const NEWS_MAX: usize = 20;

/// Rides beside the JPEG as a header, so that boxes never belong to another picture than the one they lie on.
#[derive(Serialize)]
struct Beside<'a> {
    width: u32,
    height: u32,
    plates: Vec<Outline<'a>>,
    /// What to do with the camera, in ASCII, because it travels in a header.
    advice: &'a str,
    checks: Vec<Lit>,
}

/// One measure of the widest plate, with its lamp.
#[derive(Serialize)]
struct Lit {
    what: &'static str,
    value: f32,
    unit: &'static str,
    lamp: Lamp,
}

#[derive(Serialize)]
struct Outline<'a> {
    corners: [(f32, f32); 4],
    text: Option<&'a Plate>,
    confidence: f64,
    state: Option<String>,
    width_px: u32,
    wide_enough: bool,
    lane: Option<&'a LaneName>,
}

/// A header holds no more; a scene with more plates than this is no place to aim.
const OUTLINES_MAX: usize = 24;

pub async fn picture(
    State(desk): State<Arc<Desk>>,
    Path(camera): Path<CameraId>,
) -> Result<Response, Failure> {
    let mut pictures = desk.unit.live(&camera).ok_or(Failure::NotFound)?;
    // What is there already may be minutes old.
    pictures.mark_unchanged();
    let stalled = || Failure::Unavailable(format!("The camera {camera} has given no picture for 3 seconds."));
    timeout(PICTURE_WAIT, pictures.changed()).await.map_err(|_| stalled())?.map_err(|_| stalled())?;
    let picture = pictures.borrow_and_update().clone().ok_or_else(stalled)?;

    let beside = serde_json::to_string(&beside(&picture)).expect("outlines are plain data");
    let headers =
        [(CONTENT_TYPE, "image/jpeg".to_owned()), (HeaderName::from_static("milepost-picture"), beside)];
    Ok((headers, Bytes::from_owner(picture.jpeg.clone())).into_response())
}

#[derive(Deserialize)]
pub struct After {
    after: Option<RecordId>,
}

/// What was raised since, for a page that calls for attention.
#[derive(Serialize)]
struct News {
    newest: RecordId,
    /// All of them, newest first: a low alert right behind a critical one must not hide it.
    alerts: Vec<Headline>,
}

#[derive(Serialize)]
struct Headline {
    id: RecordId,
    level: Level,
    text: Plate,
    /// "Lane 2, going away"; empty where nothing is known.
    course: String,
}

/// The alerts since `after` once there are any; no content if none comes in time.
pub async fn news(
    State(desk): State<Arc<Desk>>,
    Query(After { after }): Query<After>,
) -> Result<Response, Failure> {
    let mut newest = desk.unit.newest_alert();
    let raised = timeout(NEWS_WAIT, newest.wait_for(|newest| newest.is_some() && *newest != after)).await;
    let Some(newest) = raised.ok().and_then(Result::ok).and_then(|newest| *newest) else {
        return Ok(StatusCode::NO_CONTENT.into_response());
    };
    let alerts = desk.ask(|unit| unit.alerts(NEWS_MAX)).await?;
    let since = alerts.into_iter().map(|view| view.alert).take_while(|alert| Some(alert.id) != after);
    let headline = |alert: Alert| Headline {
        id: alert.id,
        level: alert.level,
        text: alert.text,
        course: alert.course.to_string(),
    };
    Ok(Json(News { newest, alerts: since.map(headline).collect() }).into_response())
}

fn beside(picture: &LivePicture) -> Beside<'_> {
    Beside {
        width: picture.width,
        height: picture.height,
        plates: picture.plates.iter().take(OUTLINES_MAX).map(outline).collect(),
        advice: &picture.coaching.advice,
        checks: picture.coaching.checks.iter().map(lit).collect(),
    }
}

fn lit(check: &Check) -> Lit {
    let value = (check.value * 10.0).round() / 10.0;
    Lit { what: check.what.words(), value, unit: check.what.unit(), lamp: check.lamp }
}

fn outline(plate: &PlateInPicture) -> Outline<'_> {
    let tenths = |value: f32| (value * 10.0).round() / 10.0;
    Outline {
        corners: plate.corners.map(|(x, y)| (tenths(x), tenths(y))),
        text: plate.text.as_ref(),
        confidence: (plate.confidence.value() * 1000.0).round() / 1000.0,
        state: plate.state.map(|state| state.to_string()),
        width_px: plate.width_px.round() as u32,
        wide_enough: plate.width_px >= WIDTH_STANDING_PX,
        lane: plate.lane.as_ref(),
    }
}
