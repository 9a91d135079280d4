use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::{Frame, wording};
use crate::console::answer::{Failure, page, see};
use crate::console::desk::Desk;
use crate::console::gate::Visit;
use crate::console::unit::{AimPicture, AimView, Drawn, Overview, Unit};
use crate::health::{Light, WIDTH_MOVING_PX, WIDTH_STANDING_PX};
use crate::passage::{DrawnLane, DrawnLanes, Point, Travel};
use crate::words::{CameraId, LaneName, PersonName, sentence};

/// What the form offers of [`Travel`]: as it is sent, and in words.
const TRAVELS: [(&str, &str); 3] =
    [("", "not said"), ("towards", "comes towards the camera"), ("away", "goes away from it")];

/// Past this roll readers fail (Axxon's and Paxton's guides).
const ROLL_MAX_DEGREES: f32 = 10.0;

#[derive(Template)]
#[template(path = "aim.html", config = "appliance/console/askama.toml")]
struct Page {
    frame: Frame,
    overview: Overview,
    aims: Vec<AimView>,
    /// What somebody drew and could not be taken.
    refused: Option<RefusedDrawing>,
}

/// So that a mistake costs nobody the rest of the drawing.
struct RefusedDrawing {
    camera: CameraId,
    rows: Vec<LaneRow>,
    sentence: String,
}

/// A lane as it stands in the form.
#[derive(Debug, Clone, Default, PartialEq)]
struct LaneRow {
    name: String,
    travel: String,
    points: String,
}

impl Page {
    fn aim(&self, camera: &CameraId) -> Option<&AimView> {
        self.aims.iter().find(|aim| aim.camera == *camera)
    }

    /// Who may look here may not always vouch.
    fn may_verify(&self) -> bool {
        self.frame.leads_to("/maintenance")
    }

    fn refused(&self, camera: &CameraId) -> Option<&RefusedDrawing> {
        self.refused.as_ref().filter(|refused| refused.camera == *camera)
    }

    fn mistake(&self, camera: &CameraId) -> Option<&str> {
        self.refused(camera).map(|refused| refused.sentence.as_str())
    }

    /// The form's rows, with an empty one behind them for whoever has no script.
    fn rows(&self, aim: &AimView) -> Vec<LaneRow> {
        let mut rows = match (self.refused(&aim.camera), &aim.drawn) {
            (Some(refused), _) => refused.rows.clone(),
            (None, Some(drawn)) => drawn.lanes.iter().map(LaneRow::of).collect(),
            (None, None) => Vec::new(),
        };
        rows.push(LaneRow::default());
        rows
    }

    fn drawn<'a>(&self, aim: &'a AimView) -> Option<&'a Drawn> {
        aim.drawn.as_ref().filter(|drawn| !drawn.lanes.is_empty())
    }

    fn reads(&self, aim: &AimView, lane: Option<&LaneName>) -> u64 {
        aim.reads_by_lane.iter().find(|reads| reads.lane.as_ref() == lane).map_or(0, |reads| reads.reads)
    }
}

pub async fn show(
    State(desk): State<Arc<Desk>>,
    Extension(visit): Extension<Visit>,
) -> Result<Response, Failure> {
    let (frame, overview) = Frame::new(&desk, visit, "Aim").await?;
    let aims = desk.ask(|unit| unit.aims()).await?;
    page(&Page { frame, overview, aims, refused: None })
}

/// The rows of the form in their order: each field stands once for each lane.
pub async fn draw_by_form(
    State(desk): State<Arc<Desk>>,
    Extension(visit): Extension<Visit>,
    Path(camera): Path<CameraId>,
    Form(fields): Form<Vec<(String, String)>>,
) -> Result<Response, Failure> {
    let rows = rows_of(fields);
    let sentence = match lanes_of(&rows) {
        Ok(lanes) => {
            draw(&desk, camera, lanes, visit.person.name).await?;
            return Ok(see("/aim"));
        }
        Err(mistake) => sentence(&mistake),
    };
    let (frame, overview) = Frame::new(&desk, visit, "Aim").await?;
    let aims = desk.ask(|unit| unit.aims()).await?;
    let again = Page { frame, overview, aims, refused: Some(RefusedDrawing { camera, rows, sentence }) };
    Ok((StatusCode::UNPROCESSABLE_ENTITY, page(&again)?).into_response())
}

fn rows_of(fields: Vec<(String, String)>) -> Vec<LaneRow> {
    let mut rows: Vec<LaneRow> = Vec::new();
    for (field, value) in fields {
        let value = value.trim().to_owned();
        match (field.as_str(), rows.last_mut()) {
            ("name", _) => rows.push(LaneRow { name: value, ..LaneRow::default() }),
            ("travel", Some(row)) => row.travel = value,
            ("points", Some(row)) => row.points = value,
            _ => {}
        }
    }
    rows.retain(|row| !(row.name.is_empty() && row.points.is_empty()));
    rows
}

/// The error is a sentence for whoever drew.
fn lanes_of(rows: &[LaneRow]) -> Result<DrawnLanes, String> {
    let lanes = rows.iter().map(LaneRow::lane).collect::<Result<_, _>>()?;
    DrawnLanes::new(lanes).map_err(|error| error.to_string())
}

impl LaneRow {
    fn of(lane: &DrawnLane) -> Self {
        Self {
            name: lane.name().to_string(),
            travel: wording::travel_token(&lane.travel()).to_owned(),
            points: wording::outline(lane.outline()),
        }
    }

    fn lane(&self) -> Result<DrawnLane, String> {
        if self.name.is_empty() {
            return Err("give each lane a name, such as 1, left or exit".to_owned());
        }
        let name = LaneName::parse(&self.name).map_err(|error| error.to_string())?;
        let travel = match self.travel.as_str() {
            "" => None,
            "towards" => Some(Travel::Towards),
            "away" => Some(Travel::Away),
            other => {
                return Err(format!("{other:?} is no way that traffic goes: it comes towards or goes away"));
            }
        };
        let point = |pair: &&str| {
            let (left, top) = pair.split_once(',')?;
            left.parse().ok().zip(top.parse().ok())
        };
        let pairs: Vec<&str> = self.points.split_whitespace().collect();
        let points: Vec<Option<Point>> = pairs.iter().map(point).collect();
        if let Some(index) = points.iter().position(Option::is_none) {
            let (number, typed) = (index + 1, pairs[index]);
            return Err(format!(
                "point {number} of lane {name} is not two numbers: {typed:?}; write it as 0.25,0.9"
            ));
        }
        DrawnLane::new(name, travel, points.into_iter().flatten().collect())
            .map_err(|error| error.to_string())
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(lanes: &[(&str, &str, &str)]) -> Vec<LaneRow> {
        let fields = lanes.iter().flat_map(|(name, travel, points)| {
            [("name", name), ("travel", travel), ("points", points)].map(|(a, b)| (a.into(), (*b).into()))
        });
        rows_of([("csrf".into(), "x".into())].into_iter().chain(fields).collect())
    }

    #[test]
    fn the_form_gives_back_what_it_took_and_says_what_it_cannot_take() {
        let typed =
            rows(&[("1", "away", "0.1,0.9 0.4,0.9 0.4,0.3"), ("", "", ""), ("exit", "", "0,0 1,0 1,1")]);
        let lanes = lanes_of(&typed).unwrap();
        assert_eq!(lanes.to_string(), "1 (away), exit");
        assert_eq!(lanes.iter().map(LaneRow::of).collect::<Vec<_>>(), typed);
        let mistake = |name, travel, points| lanes_of(&rows(&[(name, travel, points)])).unwrap_err();
        assert!(mistake("", "", "0,0 1,0 1,1").starts_with("give each lane a name"));
        assert!(mistake("1", "up", "0,0 1,0 1,1").starts_with("\"up\" is no way"));
        assert!(
            mistake("1", "", "0,0 1,0 one,1").starts_with("point 3 of lane 1 is not two numbers: \"one,1\"")
        );
        assert!(mistake("1", "", "").starts_with("lane 1 has 0 points"));
    }
}
