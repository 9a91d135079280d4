use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::{Frame, wording};
use crate::console::answer::{Failure, page, see};
use crate::console::desk::Desk;
use crate::console::gate::Visit;
use crate::console::unit::{AimPicture, AimView, Overview, Unit};
use crate::health::{Light, WIDTH_MOVING_PX, WIDTH_STANDING_PX};
use crate::passage::DrawnLanes;
use crate::words::{CameraId, PersonName};

/// Past this roll readers fail (Axxon's and Paxton's guides).
const ROLL_MAX_DEGREES: f32 = 10.0;

#[derive(Template)]
#[template(path = "aim.html", config = "appliance/console/askama.toml")]
struct Page {
    frame: Frame,
    overview: Overview,
    aims: Vec<AimView>,
}

impl Page {
    fn aim(&self, camera: &CameraId) -> Option<&AimView> {
        self.aims.iter().find(|aim| aim.camera == *camera)
    }

    /// Who may look here may not always vouch.
    fn may_verify(&self) -> bool {
        self.frame.leads_to("/maintenance")
    }
}

pub async fn show(
    State(desk): State<Arc<Desk>>,
    Extension(visit): Extension<Visit>,
) -> Result<Response, Failure> {
    let (frame, overview) = Frame::new(&desk, visit, "Aim").await?;
    let aims = desk.ask(|unit| unit.aims()).await?;
    page(&Page { frame, overview, aims })
}

/// A picture of then or now, to be laid side by side.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Which {
    Now,
    Daylight,
    Dusk,
    InfraRed,
}

pub async fn view(
    State(desk): State<Arc<Desk>>,
    Path((camera, which)): Path<(CameraId, Which)>,
) -> Result<Response, Failure> {
    let which = match which {
        Which::Now => AimPicture::Now,
        Which::Daylight => AimPicture::Then(Light::Daylight),
        Which::Dusk => AimPicture::Then(Light::Dusk),
        Which::InfraRed => AimPicture::Then(Light::InfraRed),
    };
    let jpeg = desk.ask(move |unit| unit.aim_picture(&camera, which)).await?.ok_or(Failure::NotFound)?;
    Ok(([(CONTENT_TYPE, "image/jpeg")], jpeg).into_response())
}

pub async fn verify(
    State(desk): State<Arc<Desk>>,
    Extension(visit): Extension<Visit>,
    Path(camera): Path<CameraId>,
) -> Result<Response, Failure> {
    let verify = move |unit: &dyn Unit| match known(unit, &camera) {
        true => unit.verify_aim(&camera, &visit.person.name).map_err(Failure::from),
        false => Err(Failure::NotFound),
    };
    desk.ask(verify).await??;
    Ok(see("/aim"))
}

/// Puts these in the place of the camera's lanes.
pub async fn draw(
    desk: &Arc<Desk>,
    camera: CameraId,
    lanes: DrawnLanes,
    by: PersonName,
) -> Result<(), Failure> {
    let draw = move |unit: &dyn Unit| match known(unit, &camera) {
        true => unit.draw_lanes(&camera, lanes, &by).map_err(Failure::from),
        false => Err(Failure::NotFound),
    };
    desk.ask(draw).await?
}

fn known(unit: &dyn Unit, camera: &CameraId) -> bool {
    unit.aims().iter().any(|aim| aim.camera == *camera)
}
