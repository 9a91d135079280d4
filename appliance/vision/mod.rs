//! Pictures to sightings: where plates are, what they say, which state issued them.
//!
//! Owns the two networks, the geometry between them, and everything OpenCV. Must not know cameras,
//! earlier frames, or what a plate is wanted for.

mod config;
mod corners;
mod cut;
mod gate;
pub mod jpeg;
mod localiser;
mod mat;
mod motion;
mod network;
mod peaks;
mod picture;
mod reader;

use crate::capture::Plane;
use crate::words::{Probability, Reading, StateReading};

pub use config::Config;
pub use corners::Corners;
pub use motion::MotionGate;
pub use network::VisionError;
pub use picture::{Picture, PictureError};

use gate::Gate;
use localiser::{Found, Localiser};
use mat::View;
use reader::Reader;

/// From this confidence on, a second cut of the same plate is not worth its time.
const NO_DOUBT: f64 = 0.95;

/// One plate seen in one frame.
#[derive(Debug, Clone)]
pub struct Sighting {
    pub corners: Corners,
    pub reading: Reading,
    pub state: StateReading,
    /// How sure the localiser is that this is a plate.
    pub found: Probability,
    /// Mean length of the plate's upper and lower edge, in pixels of the full frame.
    pub width_px: f32,
    /// Variance of the Laplacian of the rectified plate; higher is sharper.
    pub sharpness: f32,
}

/// The two networks, ready to look. One for each thread: a look reuses the buffers of the last.
pub struct Vision {
    localiser: Localiser,
    reader: Reader,
    gate: Gate,
}

impl Vision {
    /// Unpacks the networks that are part of the program and checks that they are the ones this code
    /// was written for.
    pub fn load(config: &Config) -> Result<Self, VisionError> {
        network::use_one_thread()?;
        Ok(Self { localiser: Localiser::load(config)?, reader: Reader::load()?, gate: Gate::new(config) })
    }

    /// Finds and reads every plate of a frame, surest first. The frame is read where it lies.
    pub fn look(&mut self, luma: Plane<'_>) -> Result<Vec<Sighting>, VisionError> {
        let picture = mat::over(luma)?;
        let mut sightings = Vec::new();
        for first in self.localiser.find(&picture)? {
            let Some(found) = self.localiser.look_closer(&picture, &first)? else { continue };
            let sighting = self.read_well(&picture, &found, &first)?;
            if self.gate.admits(&sighting) {
                sightings.push(sighting);
            }
        }
        Ok(sightings)
    }

    /// Reads the plate by its better corners, and where that leaves doubt, by the others as well: two cuts
    /// of one plate rarely share a mistake.
    fn read_well(
        &mut self,
        picture: &View<'_>,
        found: &Found,
        other: &Found,
    ) -> Result<Sighting, VisionError> {
        let sighting = self.reader.read(picture, found)?;
        if confidence(&sighting) >= NO_DOUBT {
            return Ok(sighting);
        }
        let second = self.reader.read(picture, other)?;
        Ok(Sighting {
            reading: Reading::combine(&[&sighting.reading, &second.reading], &[0.5; 2]),
            state: StateReading::combine(&[&sighting.state, &second.state], &[0.5; 2]),
            ..sighting
        })
    }

    /// Reads a picture that is one plate cut out with little around it; none if nothing can be read.
    pub fn read_crop(&mut self, luma: Plane<'_>) -> Result<Option<Sighting>, VisionError> {
        let picture = mat::over(luma)?;
        let corners = Corners::of_picture(luma.width, luma.height);
        let whole = Found { corners, probability: Probability::CERTAIN };
        let mut surest = self.reader.read(&picture, &whole)?;
        if let Some(found) = self.localiser.look_closer(&picture, &whole)? {
            let closer = self.reader.read(&picture, &found)?;
            if confidence(&closer) > confidence(&surest) {
                surest = closer;
            }
        }
        Ok(surest.reading.best().map(|_| surest))
    }
}

/// How sure the reader is of its best text.
fn confidence(sighting: &Sighting) -> f64 {
    sighting.reading.best().map_or(0.0, |best| best.probability.value())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vision_can_move_to_the_thread_that_uses_it() {
        fn is_send<T: Send>(_: &T) {}
        is_send(&Vision::load(&Config::default()).unwrap());
    }

    #[test]
    fn an_even_grey_picture_shows_no_plate() {
        let mut vision = Vision::load(&Config::default()).unwrap();
        let grey = vec![128; 320 * 200];
        let plane = Plane { data: &grey, width: 320, height: 200, stride: 320 };
        assert!(vision.look(plane).unwrap().is_empty());
    }
}
