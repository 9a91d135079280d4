//! What a camera's picture is like, once a second, on a reduced frame.

use std::collections::VecDeque;

use opencv::boxed_ref::BoxedRef;
use opencv::core::{self, CV_8UC1, Mat, Scalar, Size, ToInputArray};
use opencv::imgproc;
use opencv::prelude::*;

use super::HealthError;
use super::frozen::{Change, FreezeWatch};
use super::grid::{self, Texture};
use super::references::{Light, colour};
use crate::capture::{Frame, Plane};

/// Frames are reduced to about this width before anything is measured: what a defocused lens loses is still there,
/// and the sensor's noise is halved.
const LOOK_WIDTH: i32 = 640;

/// Samples at least so bright are burnt out.
const BURNT: f64 = 250.0;

/// Looks of which the quietest tells the sensor's noise.
const QUIET_WITHIN: usize = 20;

/// Mean luma of a cell that is neither black nor burnt out, where noise would be cut off.
const EXPOSED: std::ops::RangeInclusive<f32> = 8.0..=230.0;

/// Looks of which the middle one tells what a cell shows. Odd.
const TEXTURES: usize = 9;

/// Weight of a new look in how much of a cell is burnt out: headlights that pass are gone from it in a few seconds.
const FADE: f32 = 0.25;

/// The numbers of one look at a picture.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ViewMeasure {
    /// Mean luma, 0-255.
    pub brightness: f32,
    /// Standard deviation of luma.
    pub contrast: f32,
    /// How much of its coarse detail the picture also has finely, over all its cells; falls with blur, not with light.
    pub sharpness: f32,
    /// Share of luma samples at 250 or above.
    pub blinded: f32,
    /// Standard deviation of the sensor's noise in the reduced picture, in luma steps.
    pub noise: f32,
    pub light: Light,
    /// Whether this picture repeats the one before. A live sensor's noise never does.
    pub same_as_before: bool,
}

/// A frame reduced for measuring.
pub(super) struct Look {
    pub picture: Mat,
    /// Leads from its pixels to the frame's.
    pub factor: f64,
}

/// Measures one camera's pictures.
#[derive(Default)]
pub(super) struct ViewWatch {
    before: Option<Mat>,
    freeze: FreezeWatch,
    /// Of the last looks: the most that the sensor's noise can have been, as a variance.
    noises: VecDeque<f32>,
    textures: VecDeque<Texture>,
    pub texture: Texture,
    /// Share of burnt out samples by cell.
    pub burnt: Vec<f32>,
}

impl ViewWatch {
    pub fn look(&mut self, frame: &Frame) -> Result<(Look, ViewMeasure), HealthError> {
        let luma = mat_of(&frame.luma())?;
        let look = reduced(&luma)?;
        if self.before.as_ref().is_some_and(|before| before.size().ok() != look.picture.size().ok()) {
            *self = Self::default();
        }
        let (mut mean, mut deviation) = (Mat::default(), Mat::default());
        core::mean_std_dev(&look.picture, &mut mean, &mut deviation, &core::no_array())?;
        let brightness = *mean.at::<f64>(0)? as f32;
        let light = Light::of(brightness, frame.chroma().map(colour));
        let mut change = Change::Changed;
        if let Some(before) = &self.before {
            let mut difference = Mat::default();
            core::absdiff(before, &look.picture, &mut difference)?;
            change = self.freeze.take(before, &look.picture, &difference, light)?;
            self.note_noise(&look.picture, &difference)?;
        }
        let noise = self.noises.iter().copied().min_by(f32::total_cmp).unwrap_or(0.0);
        if self.textures.len() == TEXTURES {
            self.textures.pop_front();
        }
        self.textures.push_back(Texture::of(&look.picture, noise)?);
        self.texture = Texture::middle(&self.textures);
        let mut bright = Mat::default();
        core::compare(&look.picture, &Scalar::all(BURNT), &mut bright, core::CMP_GE)?;
        let burnt = grid::cells(&bright, &look.picture)?.into_iter().map(|mean| mean / 255.0);
        if self.burnt.len() == self.texture.cells() {
            self.burnt.iter_mut().zip(burnt).for_each(|(old, new)| *old += FADE * (new - *old));
        } else {
            self.burnt = burnt.collect();
        }

        let measure = ViewMeasure {
            brightness,
            contrast: *deviation.at::<f64>(0)? as f32,
            sharpness: self.texture.overall_sharpness(),
            blinded: core::count_non_zero(&bright)? as f32 / look.picture.total() as f32,
            noise: noise.sqrt(),
            light,
            same_as_before: change == Change::Repeated,
        };
        self.before = Some(look.picture.try_clone()?);
        Ok((look, measure))
    }

    /// Whether the stream shows one picture for ever.
    pub fn is_frozen(&self) -> bool {
        self.freeze.is_frozen()
    }

    /// Wind moves fine gravel as much as noise does, but not at every look, nor what is flat; the sensor's noise is always there
    /// and everywhere.
    fn note_noise(&mut self, picture: &Mat, difference: &Mat) -> Result<(), HealthError> {
        let mut squared = Mat::default();
        core::multiply(difference, difference, &mut squared, 0.5, core::CV_32F)?;
        let by_time = quietest_tenth(&squared, picture)?;
        let by_place = quietest_tenth(&roughness(picture)?, picture)?;
        if self.noises.len() == QUIET_WITHIN {
            self.noises.pop_front();
        }
        self.noises.extend(by_time.into_iter().chain(by_place).min_by(f32::total_cmp));
        Ok(())
    }
}

/// The variance of noise that would make each sample as rough as it is: flat asphalt is as smooth in the wind as in the
/// calm (Immerkær, Fast Noise Variance Estimation, 1996).
fn roughness(picture: &Mat) -> Result<Mat, HealthError> {
    let curvature = Mat::from_slice(&[1.0f32, -2.0, 1.0])?;
    let mut rough = Mat::default();
    imgproc::sep_filter_2d_def(picture, &mut rough, core::CV_16S, &curvature, &curvature)?;
    let mut squared = Mat::default();
    core::multiply(&rough, &rough, &mut squared, 1.0 / 36.0, core::CV_32F)?;
    Ok(squared)
}

/// What a tenth of the cells of `look` stay below, of those that are neither black nor burnt out.
fn quietest_tenth(variances: &Mat, look: &Mat) -> Result<Option<f32>, HealthError> {
    let cells = grid::cells(variances, look)?.into_iter().zip(grid::cells(look, look)?);
    let mut variances: Vec<f32> =
        cells.filter(|(_, light)| EXPOSED.contains(light)).map(|(variance, _)| variance).collect();
    variances.sort_by(f32::total_cmp);
    Ok(variances.get(variances.len() / 10).copied())
}

/// A header over the plane's samples, without a copy.
fn mat_of<'a>(plane: &Plane<'a>) -> Result<BoxedRef<'a, Mat>, HealthError> {
    let (width, height) = (plane.width as i32, plane.height as i32);
    let needed = plane.stride * (plane.height - 1) + plane.width;
    assert!(plane.stride >= plane.width && plane.data.len() >= needed, "a plane holds all its rows");
    // SAFETY: the assertion above says that every row lies within `data`, which outlives the header by 'a;
    // OpenCV is only ever asked to read from it.
    let mat = unsafe {
        Mat::new_rows_cols_with_data_unsafe(
            height,
            width,
            CV_8UC1,
            plane.data.as_ptr().cast_mut().cast(),
            plane.stride,
        )?
    };
    Ok(mat.into())
}

fn reduced(frame: &(impl MatTraitConst + ToInputArray)) -> Result<Look, HealthError> {
    // Whole-number reduction: OpenCV averages whole blocks there, several times as fast as odd sizes.
    let factor = ((frame.cols() + LOOK_WIDTH / 2) / LOOK_WIDTH).max(1);
    let size = Size::new((frame.cols() / factor).max(1), (frame.rows() / factor).max(1));
    let mut picture = Mat::default();
    imgproc::resize(frame, &mut picture, size, 0.0, 0.0, imgproc::INTER_AREA)?;
    Ok(Look { picture, factor: f64::from(factor) })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use jiff::Timestamp;

    use super::*;
    use crate::capture::OwnedPlanes;
    use crate::words::{CameraId, Moment};

    fn frame(luma: Vec<u8>, width: usize) -> Frame {
        let height = luma.len() / width;
        let taken = Moment { uptime: Duration::ZERO, wall: Timestamp::UNIX_EPOCH };
        let planes = Arc::new(OwnedPlanes::grey(luma, width, height));
        Frame::new(CameraId::parse("lane-1").unwrap(), taken, 0, planes)
    }

    fn checkers(amplitude: u8) -> Frame {
        let sample = |i| if (i % 640 / 16 + i / 640 / 16) % 2 == 0 { 60 } else { 60 + amplitude };
        frame((0..640 * 360).map(sample).collect(), 640)
    }

    #[test]
    fn measures_light_contrast_and_repetition() {
        let mut watch = ViewWatch::default();
        let (_, first) = watch.look(&checkers(100)).unwrap();
        assert!((first.brightness - 110.0).abs() < 2.0, "{first:?}");
        assert!((first.contrast - 50.0).abs() < 5.0, "{first:?}");
        assert!(!first.same_as_before);
        let (_, again) = watch.look(&checkers(100)).unwrap();
        assert!(again.same_as_before);
        let (_, fainter) = ViewWatch::default().look(&checkers(20)).unwrap();
        assert!((fainter.sharpness / first.sharpness - 1.0).abs() < 0.05, "light is not focus: {fainter:?}");
    }

    #[test]
    fn a_grey_wall_has_no_contrast() {
        let (_, measure) = ViewWatch::default().look(&frame(vec![90; 1280 * 720], 1280)).unwrap();
        assert_eq!((measure.contrast, measure.blinded), (0.0, 0.0));
    }
}
