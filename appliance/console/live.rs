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
use super::pages::aim;
use super::unit::{LivePicture, PlateInPicture};
use crate::words::{CameraId, Plate, RecordId};

/// A camera that gives no picture for this long is stalled.
const PICTURE_WAIT: Duration = Duration::from_secs(3);
/// Below the half minute after which middleboxes and phones drop a silent connection.
const NEWS_WAIT: Duration = Duration::from_secs(25);

/// Rides beside the JPEG as a header, so that boxes never belong to another picture than the one they lie on.
#[derive(Serialize)]
struct Beside<'a> {
    width: u32,
    height: u32,
    plates: Vec<Outline<'a>>,
    advice: String,
}

#[derive(Serialize)]
struct Outline<'a> {
    corners: [(f32, f32); 4],
    text: Option<&'a Plate>,
    confidence: f64,
    state: Option<String>,
    width_px: u32,
    wide_enough: bool,
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

/// The newest alert once it is another than `after`; no content if none comes in time.
pub async fn news(State(desk): State<Arc<Desk>>, Query(after): Query<After>) -> Response {
    let mut news = desk.unit.alert_news();
    let other = |id: RecordId| after.after != Some(id);
    let fresh = timeout(NEWS_WAIT, news.wait_for(|news| news.as_ref().is_some_and(|news| other(news.id))));
    let fresh = fresh.await.ok().and_then(Result::ok).and_then(|news| news.clone());
    fresh.map_or(StatusCode::NO_CONTENT.into_response(), |news| Json(news).into_response())
}

fn beside(picture: &LivePicture) -> Beside<'_> {
    Beside {
        width: picture.width,
        height: picture.height,
        plates: picture.plates.iter().take(OUTLINES_MAX).map(outline).collect(),
        advice: aim::advice(picture),
    }
}

fn outline(plate: &PlateInPicture) -> Outline<'_> {
    let tenths = |value: f32| (value * 10.0).round() / 10.0;
    Outline {
        corners: plate.corners.map(|(x, y)| (tenths(x), tenths(y))),
        text: plate.text.as_ref(),
        confidence: (plate.confidence.value() * 1000.0).round() / 1000.0,
        state: plate.state.map(|state| state.to_string()),
        width_px: plate.width_px.round() as u32,
        wide_enough: plate.width_px >= aim::WIDTH_STANDING_PX,
    }
}
