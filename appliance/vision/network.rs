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

#[cfg(test)]
mod tests {
    use aws_lc_rs::digest;

    use super::*;

    /// What ONNX Runtime makes of the same networks and the same picture, kept by
    /// tests/fixtures/networks/record.py.
    const RECORDED: &str = include_str!("../../tests/fixtures/networks/recorded.json");

    /// As `pattern` in record.py.
    fn pattern(height: usize, width: usize) -> Vec<u8> {
        let value = |x: usize, y: usize| ((x * 7 + y * 13 + (x * y) % 31 * 5) % 256) as u8;
        (0..height).flat_map(|y| (0..width).map(move |x| value(x, y))).collect()
    }

    fn assert_agrees(name: &'static str, onnx: &[u8], size: (usize, usize), outputs: [(&str, usize); 2]) {
        let recorded: serde_json::Value = serde_json::from_str(RECORDED).unwrap();
        let digest: String =
            digest::digest(&digest::SHA256, onnx).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            recorded[name]["sha256"], digest,
            "{name} was trained anew: run python tests/fixtures/networks/record.py"
        );
        let data = pattern(size.0, size.1);
        let picture = Mat::new_rows_cols_with_data(size.0 as i32, size.1 as i32, &data).unwrap();
        let mut network = Network::load(name, onnx, outputs.map(|(output, _)| output)).unwrap();
        let actual = network.run(&picture.clone_pointee()).unwrap();
        for ((output, every), actual) in outputs.into_iter().zip(actual) {
            let expected = recorded[name]["outputs"][output].as_array().unwrap();
            let actual = values(&actual).unwrap();
            assert_eq!(expected.len(), actual.len().div_ceil(every), "{output}");
            for (expected, actual) in expected.iter().zip(actual.iter().step_by(every)) {
                let expected = expected.as_f64().unwrap();
                let difference = (expected - f64::from(*actual)).abs();
                assert!(difference < 1e-3 * expected.abs().max(1.0), "{output}: {expected} and {actual}");
            }
        }
    }

    #[test]
    fn both_engines_agree_on_the_localiser() {
        let onnx = include_bytes!("../models/localiser.onnx");
        assert_agrees("localiser", onnx, (64, 96), [("heat", 1), ("corners", 8)]);
    }

    #[test]
    fn both_engines_agree_on_the_reader() {
        let onnx = include_bytes!("../models/reader.onnx");
        assert_agrees("reader", onnx, (64, 160), [("characters", 1), ("state", 1)]);
    }

    #[test]
    fn a_network_of_another_shape_is_refused_by_name() {
        let onnx = include_bytes!("../models/reader.onnx");
        let mut network = Network::load("reader", onnx, ["characters", "state"]).unwrap();
        let data = pattern(64, 160);
        let picture = Mat::new_rows_cols_with_data(64, 160, &data).unwrap();
        let [characters, _] = network.run(&picture.clone_pointee()).unwrap();
        let refusal = network.expect_shape(&characters, &[1, 7, 37]).unwrap_err().to_string();
        assert!(refusal.contains("`reader`") && refusal.contains("[1, 7, 37]"), "{refusal}");
        assert!(Network::load("reader", b"no model", ["a", "b"]).is_err());
    }
}
