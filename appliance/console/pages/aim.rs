use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;

use super::Frame;
use crate::console::answer::{Failure, page};
use crate::console::desk::Desk;
use crate::console::gate::Visit;
use crate::console::unit::{LivePicture, Overview, PlateInPicture};

/// A plate narrower than this cannot be read surely even at rest (Milestone's and Intel's guides).
pub const WIDTH_STANDING_PX: f32 = 130.0;
/// Moving traffic smears characters, so it needs more.
pub const WIDTH_MOVING_PX: f32 = 215.0;
/// Past this roll readers fail (Axxon's and Paxton's guides).
const ROLL_MAX_DEGREES: f32 = 10.0;

#[derive(Template)]
#[template(path = "aim.html", config = "appliance/console/askama.toml")]
struct Page {
    frame: Frame,
    overview: Overview,
}

pub async fn show(
    State(desk): State<Arc<Desk>>,
    Extension(visit): Extension<Visit>,
) -> Result<Response, Failure> {
    let (frame, overview) = Frame::new(&desk, visit, "Aim").await?;
    page(&Page { frame, overview })
}

/// What to do with the camera, judged by the widest plate in the picture: the coach's one sentence.
///
/// In ASCII, because it travels in a header.
pub fn advice(picture: &LivePicture) -> String {
    let widest = picture.plates.iter().max_by(|a, b| a.width_px.total_cmp(&b.width_px));
    let Some(plate) = widest else {
        return "No plate is found. Have a car stand where plates shall be read.".to_owned();
    };
    let width = plate.width_px;
    let roll = roll_degrees(plate);
    if width < WIDTH_STANDING_PX {
        format!(
            "Zoom in or move closer: the plate is {width:.0} px wide and should be at least \
             {WIDTH_STANDING_PX:.0} px, {WIDTH_MOVING_PX:.0} px for moving traffic."
        )
    } else if roll.abs() > ROLL_MAX_DEGREES {
        let way = if roll > 0.0 { "clockwise" } else { "counter-clockwise" };
        format!("Turn the camera {way}: the plate leans by {:.0} degrees.", roll.abs())
    } else if touches_edge(plate, picture) {
        "Move the picture: the plate touches its edge.".to_owned()
    } else if width < WIDTH_MOVING_PX {
        format!(
            "Good for standing traffic ({width:.0} px). For moving traffic zoom in to {WIDTH_MOVING_PX:.0} px."
        )
    } else {
        format!("Good: the plate is {width:.0} px wide and level.")
    }
}

/// How far the plate leans clockwise in the picture. A plate that leans clockwise is straightened by
/// turning the camera clockwise too.
fn roll_degrees(plate: &PlateInPicture) -> f32 {
    let [left, right, ..] = plate.corners;
    (right.1 - left.1).atan2(right.0 - left.0).to_degrees()
}

fn touches_edge(plate: &PlateInPicture, picture: &LivePicture) -> bool {
    let (width, height) = (picture.width as f32, picture.height as f32);
    let margin = width / 100.0;
    plate
        .corners
        .iter()
        .any(|&(x, y)| !(margin..=width - margin).contains(&x) || !(margin..=height - margin).contains(&y))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Probability;

    fn picture(x: f32, width: f32, rise: f32) -> LivePicture {
        let corners = [(x, 300.0), (x + width, 300.0 + rise), (x + width, 350.0 + rise), (x, 350.0)];
        let plate = PlateInPicture {
            corners,
            text: None,
            confidence: Probability::CERTAIN,
            state: None,
            width_px: width,
        };
        LivePicture { jpeg: Arc::from([]), width: 1280, height: 720, plates: vec![plate] }
    }

    #[test]
    fn the_coach_names_what_to_turn_and_how_far() {
        let says = |x, width, rise| advice(&picture(x, width, rise));
        assert!(says(500.0, 90.0, 0.0).starts_with("Zoom in or move closer: the plate is 90 px"));
        assert!(says(500.0, 150.0, 0.0).starts_with("Good for standing traffic"));
        assert!(says(500.0, 240.0, 0.0).starts_with("Good: "));
        assert!(says(500.0, 240.0, 80.0).starts_with("Turn the camera clockwise: the plate leans by 18"));
        assert!(says(500.0, 240.0, -80.0).starts_with("Turn the camera counter-clockwise"));
        assert!(says(2.0, 240.0, 0.0).starts_with("Move the picture"));
        assert!(advice(&LivePicture { plates: vec![], ..picture(0.0, 1.0, 0.0) }).starts_with("No plate"));
    }
}
