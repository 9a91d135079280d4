//! Does the camera still look where it was aimed?
//!
//! Edges that stay for many seconds are the scene; edges that pass are traffic. The lasting edges of now
//! are compared with those of the reference view by phase correlation (Kuglin and Hines, 1975), which
//! ignores brightness and tells the shift with the share of the scene that agrees on it.

use jiff::Timestamp;
use opencv::core::{self, CV_32F, CV_32FC1, Mat, Point2d, Size};
use opencv::imgproc;
use opencv::prelude::*;
use serde::{Deserialize, Serialize};

use super::HealthError;
use super::view::Look;
use crate::words::PersonName;

/// Weight of a new look in the lasting edges: at one look a second a passing car is gone from them in a
/// few seconds, and a turned camera is seen whole within ten.
const FADE: f64 = 0.15;

/// Looks before the lasting edges mean anything.
const SETTLED: u32 = 10;

/// A gradient above this many luma steps is an edge, however strong: sun and lamps change strength, not place.
const EDGE: f64 = 40.0;

/// The view that a person verified.
#[derive(Clone, Serialize, Deserialize)]
pub struct Reference {
    pub by: PersonName,
    pub at: Timestamp,
    /// Sharpness of the picture then, against which focus is judged.
    pub sharpness: f32,
    width: i32,
    height: i32,
    /// Lasting edges, 0-255.
    #[serde(with = "base64_bytes")]
    edges: Vec<u8>,
}

/// How the view lies against the reference.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Shift {
    /// In pixels of the full frame; positive: the scene moved right / down in the picture.
    pub x: f32,
    pub y: f32,
    /// Share of the scene's edges that agree on this shift, 0-1. Near 0: the views have nothing in common.
    pub agreement: f32,
}

impl Shift {
    pub fn length(&self) -> f32 {
        self.x.hypot(self.y)
    }
}

/// Follows one camera's lasting edges.
#[derive(Default)]
pub struct AlignmentWatch {
    lasting: Option<Mat>,
    looks: u32,
    scale: f64,
    sharpness: f32,
}

impl AlignmentWatch {
    /// Takes in one look, about once a second.
    pub fn look(&mut self, look: &Look, sharpness: f32) -> Result<(), HealthError> {
        let edges = edges(&look.picture)?;
        if self.lasting.as_ref().is_some_and(|lasting| lasting.size().ok() != edges.size().ok()) {
            *self = Self::default();
        }
        self.scale = look.scale;
        self.sharpness = sharpness;
        self.looks = self.looks.saturating_add(1);
        match &mut self.lasting {
            // The first looks weigh alike, so that a car in the very first does not linger.
            Some(lasting) => {
                let weight = FADE.max(1.0 / f64::from(self.looks));
                imgproc::accumulate_weighted(&edges, lasting, weight, &core::no_array())?;
            }
            none => *none = Some(edges),
        }
        Ok(())
    }

    /// The present view as a reference; none until the view has settled.
    pub fn capture(&self, by: PersonName, at: Timestamp) -> Result<Option<Reference>, HealthError> {
        let Some(lasting) = self.settled() else { return Ok(None) };
        let mut bytes = Mat::default();
        lasting.convert_to(&mut bytes, core::CV_8U, 255.0, 0.0)?;
        Ok(Some(Reference {
            by,
            at,
            sharpness: self.sharpness,
            width: bytes.cols(),
            height: bytes.rows(),
            edges: bytes.data_bytes()?.to_vec(),
        }))
    }

    /// How the present view lies against `reference`; none until the view has settled, or where the
    /// reference was taken at another resolution.
    pub fn against(&self, reference: &Reference) -> Result<Option<Shift>, HealthError> {
        let Some(lasting) = self.settled() else { return Ok(None) };
        if (lasting.cols(), lasting.rows()) != (reference.width, reference.height)
            || reference.edges.len() != lasting.total()
        {
            return Ok(None);
        }
        let stored =
            Mat::new_rows_cols_with_bytes::<u8>(reference.height, reference.width, &reference.edges)?;
        let mut then = Mat::default();
        stored.convert_to(&mut then, CV_32F, 1.0 / 255.0, 0.0)?;
        let mut window = Mat::default();
        imgproc::create_hanning_window(&mut window, Size::new(reference.width, reference.height), CV_32F)?;
        let mut agreement = 0.0f64;
        let Point2d { x, y } = imgproc::phase_correlate(&then, lasting, &window, Some(&mut agreement))?;
        Ok(Some(Shift {
            x: (x * self.scale) as f32,
            y: (y * self.scale) as f32,
            agreement: agreement.clamp(0.0, 1.0) as f32,
        }))
    }

    fn settled(&self) -> Option<&Mat> {
        self.lasting.as_ref().filter(|_| self.looks >= SETTLED)
    }
}

/// Gradient magnitude, cut off at [`EDGE`] and scaled to 0-1.
fn edges(picture: &Mat) -> Result<Mat, HealthError> {
    let mut smooth = Mat::default();
    imgproc::gaussian_blur_def(picture, &mut smooth, Size::new(3, 3), 0.8)?;
    let (mut across, mut down) = (Mat::default(), Mat::default());
    imgproc::sobel_def(&smooth, &mut across, CV_32F, 1, 0)?;
    imgproc::sobel_def(&smooth, &mut down, CV_32F, 0, 1)?;
    let mut magnitude = Mat::default();
    core::magnitude(&across, &down, &mut magnitude)?;
    // Sobel's 3x3 kernel sums to 4 steps of gradient.
    let scale = 1.0 / (4.0 * EDGE);
    let mut scaled = Mat::default();
    magnitude.convert_to(&mut scaled, CV_32FC1, scale, 0.0)?;
    let mut cut = Mat::default();
    imgproc::threshold(&scaled, &mut cut, 1.0, 1.0, imgproc::THRESH_TRUNC)?;
    Ok(cut)
}

mod base64_bytes {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD as BASE64;
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64.encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        BASE64.decode(String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use opencv::imgcodecs;

    use super::super::view::ViewWatch;
    use super::*;
    use crate::capture::Plane;

    /// A camera over a real scene: shows a 1280x720 part of it that can be moved, with sensor noise.
    struct Camera {
        scene: Mat,
        random: u32,
    }

    impl Camera {
        fn over(name: &str) -> Self {
            let folder =
                std::env::var("MILEPOST_DATASETS").unwrap_or_else(|_| "../shared/datasets".to_owned());
            let path = format!("{folder}/us-scenes/images/{name}");
            let scene = imgcodecs::imread(&path, imgcodecs::IMREAD_GRAYSCALE).unwrap();
            assert!(
                !scene.empty(),
                "{path} is missing: put the datasets there or point MILEPOST_DATASETS at them"
            );
            // A margin on all sides, to move into.
            let mut wide = Mat::default();
            imgproc::resize(&scene, &mut wide, Size::new(1480, 920), 0.0, 0.0, imgproc::INTER_LINEAR)
                .unwrap();
            Self { scene: wide, random: 1 }
        }

        fn frame(&mut self, x: i32, y: i32, gain: f32) -> Vec<u8> {
            let part = core::Rect::new(100 + x, 100 + y, 1280, 720);
            let part = Mat::roi(&self.scene, part).unwrap().try_clone().unwrap();
            let lit = part.data_bytes().unwrap().iter().map(|&luma| {
                self.random = self.random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let noise = (self.random >> 29) as f32 - 3.5;
                (f32::from(luma) * gain + noise).clamp(0.0, 255.0) as u8
            });
            lit.collect()
        }
    }

    fn look_on(watch: &mut AlignmentWatch, camera: &mut Camera, x: i32, y: i32, gain: f32) {
        for _ in 0..30 {
            let frame = camera.frame(x, y, gain);
            let plane = Plane { data: &frame, width: 1280, height: 720, stride: 1280 };
            let (look, measure) = ViewWatch::default().look(plane).unwrap();
            watch.look(&look, measure.sharpness).unwrap();
        }
    }

    #[test]
    fn a_shift_is_measured_to_three_pixels_also_in_other_light() {
        for name in ["wts-lg-000021.jpg", "car3.jpg", "21d8c31d-3deb-494b-9c63-c0223306fd82.jpg"] {
            let mut camera = Camera::over(name);
            let mut watch = AlignmentWatch::default();
            look_on(&mut watch, &mut camera, 0, 0, 1.0);
            let by = PersonName::parse("Dana Ruiz").unwrap();
            let reference = watch.capture(by, Timestamp::UNIX_EPOCH).unwrap().unwrap();
            for (x, y, gain) in [(0, 0, 0.7), (-12, 5, 1.0), (40, -20, 0.8), (85, 0, 1.1)] {
                look_on(&mut watch, &mut camera, x, y, gain);
                let shift = watch.against(&reference).unwrap().unwrap();
                // The camera turned right: the scene moves left.
                let error = (shift.x + x as f32).hypot(shift.y + y as f32);
                assert!(error <= 3.0, "{name} moved by {x},{y}: {shift:?}");
            }
        }
    }

    #[test]
    fn another_view_agrees_on_no_shift() {
        let mut watch = AlignmentWatch::default();
        look_on(&mut watch, &mut Camera::over("wts-lg-000021.jpg"), 0, 0, 1.0);
        let by = PersonName::parse("Dana Ruiz").unwrap();
        let reference = watch.capture(by, Timestamp::UNIX_EPOCH).unwrap().unwrap();
        let same = watch.against(&reference).unwrap().unwrap();
        look_on(&mut watch, &mut Camera::over("wts-lg-000050.jpg"), 0, 0, 1.0);
        let other = watch.against(&reference).unwrap().unwrap();
        assert!(same.agreement > 0.3 && other.agreement < 0.1, "same {same:?}, other {other:?}");
    }

    #[test]
    fn nothing_is_said_before_the_view_settles() {
        let watch = AlignmentWatch::default();
        assert!(watch.capture(PersonName::parse("x").unwrap(), Timestamp::UNIX_EPOCH).unwrap().is_none());
    }
}
