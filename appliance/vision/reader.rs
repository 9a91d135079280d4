use opencv::core::{CV_8UC1, CV_16S, Mat, Scalar, Size};
use opencv::imgproc;

use super::cut::{Cutter, Target};
use super::localiser::Found;
use super::mat::View;
use super::network::{self, Network};
use super::{Sighting, VisionError};
use crate::words::{Reading, Slot, StateReading};

/// What the network sees: the plate, inset so that slightly wrong corners still show every character.
const PLATE: Target = Target { size: Size { width: 160, height: 64 }, inset: (0.08, 0.12) };

const SLOTS: i32 = 8;
const CHARACTERS: usize = 37;
const STATES: usize = 52;

/// Reads plates from the full picture by their corners.
pub(super) struct Reader {
    network: Network,
    cutter: Cutter,
    plate: Mat,
    laplacian: Mat,
}

impl Reader {
    pub fn load() -> Result<Self, VisionError> {
        let onnx = include_bytes!("../models/reader.onnx");
        let network = Network::load("reader", onnx, ["characters", "state"])?;
        let mut reader = Self {
            network,
            cutter: Cutter::default(),
            plate: Mat::new_size_with_default(PLATE.size, CV_8UC1, Scalar::all(0.0))?,
            laplacian: Mat::default(),
        };
        reader.recognise()?;
        Ok(reader)
    }

    pub fn read(&mut self, picture: &View<'_>, found: &Found) -> Result<Sighting, VisionError> {
        self.cutter.cut(picture, &found.corners, PLATE, &mut self.plate)?;
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
