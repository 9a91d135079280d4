//! One trained network inside OpenCV's `dnn`.

use opencv::core::{CV_32F, Mat, MatTraitConst, MatTraitConstManual, Scalar, Size, Vector};
use opencv::dnn::{self, Net, NetTrait};

/// Why a picture could not be looked at, or the networks not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum VisionError {
    /// The program's own networks are not what its code expects: the program was built wrongly.
    #[error("the built-in network `{network}` does not fit this program: {why}")]
    Network { network: &'static str, why: String },
    #[error("a picture of {width}x{height} pixels cannot be looked at: each side must be 1 to 32767")]
    Size { width: usize, height: usize },
    #[error("OpenCV failed: {0}")]
    OpenCv(#[from] opencv::Error),
}

/// A look runs on its caller's thread alone: cameras share the cores by having a thread each, and a
/// unit's load stays predictable. OpenCV keeps this setting for the whole program.
pub(super) fn use_one_thread() -> Result<(), VisionError> {
    Ok(opencv::core::set_num_threads(1)?)
}

/// A network with one input and two outputs, and the buffers that its runs reuse.
pub(super) struct Network {
    name: &'static str,
    net: Net,
    blob: Mat,
    output_names: Vector<String>,
    outputs: Vector<Mat>,
}

impl Network {
    /// `onnx` is the model as trained; `outputs` are its outputs' names in the order in which
    /// [`Network::run`] returns them.
    pub fn load(name: &'static str, onnx: &[u8], outputs: [&str; 2]) -> Result<Self, VisionError> {
        let net = dnn::read_net_from_onnx_buffer(&Vector::from_slice(onnx))
            .map_err(|error| VisionError::Network { network: name, why: error.message })?;
        Ok(Self {
            name,
            net,
            blob: Mat::default(),
            output_names: outputs.into_iter().collect(),
            outputs: Vector::new(),
        })
    }

    /// Runs the network on an 8-bit grey picture, as values from 0 to 1.
    pub fn run(&mut self, picture: &Mat) -> Result<[Mat; 2], VisionError> {
        const UNCHANGED: Size = Size { width: 0, height: 0 };
        let mean = Scalar::all(0.0);
        dnn::blob_from_image_to(picture, &mut self.blob, 1.0 / 255.0, UNCHANGED, mean, false, false, CV_32F)?;
        self.net.set_input(&self.blob, "", 1.0, mean)?;
        self.net.forward(&mut self.outputs, &self.output_names)?;
        // A Mat is a counted handle: no values are copied here.
        Ok([self.outputs.get(0)?, self.outputs.get(1)?])
    }

    /// An error naming the network unless an output has the dimensions that the code expects.
    pub fn expect_shape(&self, output: &Mat, expected: &[i32]) -> Result<(), VisionError> {
        let actual = output.mat_size();
        if actual[..] == *expected {
            return Ok(());
        }
        let why = format!("an output has dimensions {:?} instead of {expected:?}", &actual[..]);
        Err(VisionError::Network { network: self.name, why })
    }
}

/// An output's values in row-major order.
pub(super) fn values(output: &Mat) -> Result<&[f32], VisionError> {
    Ok(output.data_typed::<f32>()?)
}
