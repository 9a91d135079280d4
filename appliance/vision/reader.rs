use opencv::core::{BORDER_REPLICATE, CV_8UC1, CV_16S, Mat, Point2f, Scalar, Size};
use opencv::imgproc::{self, INTER_AREA, INTER_LINEAR};

use super::corners::Corners;
use super::localiser::Found;
use super::mat::View;
use super::network::{self, Network};
use super::{Sighting, VisionError};
use crate::words::{Reading, Slot, StateReading};

/// What the network sees.
const WIDTH_PX: i32 = 160;
const HEIGHT_PX: i32 = 64;

/// The corners come to lie this share of the width and height inside the border, so that slightly
/// wrong ones still show every character.
const INSET_ACROSS: f32 = 0.08;
const INSET_DOWN: f32 = 0.12;

/// Plates are cut out at up to this many times the network's size and then averaged down, because a
/// warp samples points and would let thin strokes of a large plate vanish.
const OVERSAMPLING_MAX: i32 = 6;

const SLOTS: i32 = 8;
const CHARACTERS: usize = 37;
const STATES: usize = 52;

/// Reads plates from the full picture by their corners.
pub(super) struct Reader {
    network: Network,
    oversampled: Mat,
    plate: Mat,
    laplacian: Mat,
}

impl Reader {
    pub fn load() -> Result<Self, VisionError> {
        let onnx = include_bytes!("../models/reader.onnx");
        let network = Network::load("reader", onnx, ["characters", "state"])?;
        let mut reader = Self {
            network,
            oversampled: Mat::default(),
            plate: Mat::new_rows_cols_with_default(HEIGHT_PX, WIDTH_PX, CV_8UC1, Scalar::all(0.0))?,
            laplacian: Mat::default(),
        };
        reader.recognise()?;
        Ok(reader)
    }

    pub fn read(&mut self, picture: &View<'_>, found: &Found) -> Result<Sighting, VisionError> {
        self.rectify(picture, &found.corners)?;
        let (reading, state) = self.recognise()?;
        Ok(Sighting {
            corners: found.corners,
            reading,
            state,
            found: found.probability,
            width_px: found.corners.width_px(),
            sharpness: self.sharpness()?,
        })
    }

    /// Fills `plate`.
    fn rectify(&mut self, picture: &View<'_>, corners: &Corners) -> Result<(), VisionError> {
        let inner_width = WIDTH_PX as f32 * (1.0 - 2.0 * INSET_ACROSS);
        let oversampling = ((corners.width_px() / inner_width).round() as i32).clamp(1, OVERSAMPLING_MAX);
        if oversampling == 1 {
            return warp(picture, corners, 1, &mut self.plate);
        }
        warp(picture, corners, oversampling, &mut self.oversampled)?;
        let size = Size::new(WIDTH_PX, HEIGHT_PX);
        Ok(imgproc::resize(&self.oversampled, &mut self.plate, size, 0.0, 0.0, INTER_AREA)?)
    }

    /// Runs the network on `plate`.
    fn recognise(&mut self) -> Result<(Reading, StateReading), VisionError> {
        let [characters, state] = self.network.run(&self.plate)?;
        self.network.expect_shape(&characters, &[1, SLOTS, CHARACTERS as i32])?;
        self.network.expect_shape(&state, &[1, STATES as i32])?;
        let (slots, _) = network::values(&characters)?.as_chunks::<CHARACTERS>();
        let state = network::values(&state)?.first_chunk::<STATES>().expect("its shape is checked above");
        Ok((Reading::new(slots.iter().map(Slot::from_logits).collect()), StateReading::from_logits(state)))
    }

    fn sharpness(&mut self) -> Result<f32, VisionError> {
        imgproc::laplacian_def(&self.plate, &mut self.laplacian, CV_16S)?;
        let (mut mean, mut deviation) = (Scalar::default(), Scalar::default());
        opencv::core::mean_std_dev_def(&self.laplacian, &mut mean, &mut deviation)?;
        Ok((deviation[0] * deviation[0]) as f32)
    }
}

/// Cuts the plate with these corners out of the picture, at `scale` times the network's size.
fn warp(picture: &View<'_>, corners: &Corners, scale: i32, plate: &mut Mat) -> Result<(), VisionError> {
    let size = Size::new(WIDTH_PX * scale, HEIGHT_PX * scale);
    let (width, height) = (size.width as f32, size.height as f32);
    let inset = Corners::of_picture(1, 1).map(|(x, y)| {
        let inside = |position: f32, inset: f32| inset + position * (1.0 - 2.0 * inset);
        (width * inside(x, INSET_ACROSS), height * inside(y, INSET_DOWN))
    });
    let transform = imgproc::get_perspective_transform_slice_def(points(corners), points(&inset))?;
    Ok(imgproc::warp_perspective(
        picture,
        plate,
        &transform,
        size,
        INTER_LINEAR,
        BORDER_REPLICATE,
        Scalar::default(),
    )?)
}

/// OpenCV counts from the middle of the first pixel.
fn points(corners: &Corners) -> [Point2f; 4] {
    corners.0.map(|(x, y)| Point2f::new(x - 0.5, y - 0.5))
}
