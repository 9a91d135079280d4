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

/// From this share of a picture's width on, a plate is what the picture is of: somebody cut it out.
const FILLS: f32 = 0.6;

/// Up to this width a picture of a plate's proportions may be a plate that was cut out, in pixels.
const CUT_OUT_WIDTH_MAX: usize = 512;

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
        self.search(&mat::over(luma)?)
    }

    /// As [`Vision::look`], for a picture of which nobody has said whether it shows a street or nothing but
    /// a plate.
    ///
    /// A plate that fills the picture settles it. In a small picture of a plate's proportions both are tried,
    /// and the surer reading stays.
    pub fn look_at_photograph(&mut self, luma: Plane<'_>) -> Result<Vec<Sighting>, VisionError> {
        let picture = mat::over(luma)?;
        let whole = Found::whole(luma);
        let found = self.localiser.look_closer(&picture, &whole)?;
        let fills = found.is_some_and(|found| found.corners.width_px() >= FILLS * luma.width as f32);
        let has_its_shape = luma.width <= CUT_OUT_WIDTH_MAX && whole.corners.is_plate_like();
        if !(fills || has_its_shape) {
            return self.search(&picture);
        }
        let cut_out = self.read_cut_out(&picture, &whole, found.as_ref().filter(|_| fills))?;
        let seen = if fills { Vec::new() } else { self.search(&picture)? };
        let surest = seen.iter().map(confidence).fold(0.0, f64::max);
        match cut_out {
            Some(plate) if fills || self.gate.admits(&plate) && confidence(&plate) >= surest => {
                Ok(vec![plate])
            }
            _ => Ok(seen),
        }
    }

    fn search(&mut self, picture: &View<'_>) -> Result<Vec<Sighting>, VisionError> {
        let mut sightings = Vec::new();
        for first in self.localiser.find(picture)? {
            let Some(found) = self.localiser.look_closer(picture, &first)? else { continue };
            let sighting = self.read_well(picture, &found, &first)?;
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
        Ok(both(sighting, self.reader.read(picture, other)?))
    }

    /// Reads a picture that is one plate cut out with little around it; none if nothing can be read.
    pub fn read_crop(&mut self, luma: Plane<'_>) -> Result<Option<Sighting>, VisionError> {
        let picture = mat::over(luma)?;
        let whole = Found::whole(luma);
        let found = self.localiser.look_closer(&picture, &whole)?;
        self.read_cut_out(&picture, &whole, found.as_ref())
    }

    /// Reads a plate that fills its picture, by the picture's border and by the corners that were `found` in it.
    fn read_cut_out(
        &mut self,
        picture: &View<'_>,
        whole: &Found,
        found: Option<&Found>,
    ) -> Result<Option<Sighting>, VisionError> {
        let by_border = self.reader.read(picture, whole)?;
        let sighting = match found {
            Some(found) => both(self.reader.read(picture, found)?, by_border),
            None => by_border,
        };
        Ok(sighting.reading.best().map(|_| sighting))
    }
}

/// What two cuts of one plate say: together where they agree, else the surer of them, for one of two outlines
/// may be wrong.
fn both(first: Sighting, second: Sighting) -> Sighting {
    let reading = Reading::combine(&[&first.reading, &second.reading], &[0.5; 2]);
    let state = StateReading::combine(&[&first.state, &second.state], &[0.5; 2]);
    let surer = if confidence(&second) > confidence(&first) { second } else { first };
    let together = reading.best().map_or(0.0, |best| best.probability.value());
    let reading = if together >= confidence(&surer) { reading } else { surer.reading };
    Sighting { reading, state, ..surer }
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
