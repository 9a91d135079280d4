//! A frame and what was found in it, as the console shows it.

use std::sync::Arc;

use crate::capture::Frame;
use crate::console::{LivePicture, PlateInPicture};
use crate::health::Coaching;
use crate::passage::DrawnLanes;
use crate::vision::{Corners, Sighting, VisionError, jpeg};
use crate::words::{LaneName, Probability};

pub fn picture(
    frame: &Frame,
    sightings: &[Sighting],
    lanes: &DrawnLanes,
    view_angle_deg: Option<f32>,
) -> Result<LivePicture, VisionError> {
    let luma = frame.luma();
    let corners: Vec<Corners> = sightings.iter().map(|sighting| sighting.corners).collect();
    let jpeg = jpeg::scene(frame)?;
    let plate = |sighting: &Sighting| {
        let lane = lanes.at_pixel(sighting.corners.centre(), luma);
        plate(sighting, lane.map(|lane| lane.name().clone()))
    };
    Ok(LivePicture {
        jpeg: Arc::from(jpeg),
        width: luma.width as u32,
        height: luma.height as u32,
        plates: sightings.iter().map(plate).collect(),
        coaching: Coaching::of(luma, view_angle_deg, &corners),
    })
}

fn plate(sighting: &Sighting, lane: Option<LaneName>) -> PlateInPicture {
    let best = sighting.reading.best();
    PlateInPicture {
        corners: sighting.corners.0,
        text: best.map(|candidate| candidate.plate),
        confidence: best.map_or(Probability::NEVER, |candidate| candidate.probability),
        state: sighting.state.best().map(|(state, _)| state),
        width_px: sighting.width_px,
        lane,
    }
}
