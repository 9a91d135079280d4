//! A frame and what was found in it, as the console shows it.

use std::sync::Arc;

use crate::capture::Frame;
use crate::console::{LivePicture, PlateInPicture};
use crate::vision::{Sighting, VisionError, jpeg};
use crate::words::Probability;

pub fn picture(frame: &Frame, sightings: &[Sighting]) -> Result<LivePicture, VisionError> {
    let luma = frame.luma();
    let jpeg = jpeg::scene(frame)?;
    Ok(LivePicture {
        jpeg: Arc::from(jpeg),
        width: luma.width as u32,
        height: luma.height as u32,
        plates: sightings.iter().map(plate).collect(),
    })
}

fn plate(sighting: &Sighting) -> PlateInPicture {
    let best = sighting.reading.best();
    PlateInPicture {
        corners: sighting.corners.0,
        text: best.map(|candidate| candidate.plate),
        confidence: best.map_or(Probability::NEVER, |candidate| candidate.probability),
        state: sighting.state.best().map(|(state, _)| state),
        width_px: sighting.width_px,
    }
}
