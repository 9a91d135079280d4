//! What a camera's picture is like, once a second, on a reduced frame.

use opencv::boxed_ref::BoxedRef;
use opencv::core::{self, CV_8UC1, Mat, Scalar, Size, ToInputArray};
use opencv::imgproc;
use opencv::prelude::*;

use super::HealthError;
use crate::capture::Plane;

/// Frames are reduced to this width before anything is measured: enough for edges a few pixels wide in a
/// 1280 px frame, and cheap.
const LOOK_WIDTH: usize = 320;

/// The numbers of one look at a picture.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct ViewMeasure {
    /// Mean luma, 0-255.
    pub brightness: f32,
    /// Standard deviation of luma.
    pub contrast: f32,
    /// Variance of the Laplacian of the frame at half its size, in squared luma steps: finer than the reduced
    /// look, because focus is lost there first.
    pub sharpness: f32,
    /// Share of luma samples at 250 or above.
    pub blinded: f32,
    /// Whether this picture equals the one before, sample for sample. A live sensor's noise never repeats.
    pub same_as_before: bool,
}

/// A reduced frame, and the factor that leads from its pixels to the frame's.
pub struct Look {
    pub(super) picture: Mat,
    pub(super) scale: f64,
}

/// Measures one camera's pictures.
#[derive(Default)]
pub struct ViewWatch {
    before: Option<Mat>,
}

impl ViewWatch {
    pub fn look(&mut self, luma: Plane<'_>) -> Result<(Look, ViewMeasure), HealthError> {
        let frame = mat_of(&luma)?;
        let look = reduced(&frame)?;

        let (mut mean, mut deviation) = (Mat::default(), Mat::default());
        core::mean_std_dev(&look.picture, &mut mean, &mut deviation, &core::no_array())?;
        let mut bright = Mat::default();
        core::compare(&look.picture, &Scalar::all(250.0), &mut bright, core::CMP_GE)?;

        let measure = ViewMeasure {
            brightness: *mean.at::<f64>(0)? as f32,
            contrast: *deviation.at::<f64>(0)? as f32,
            sharpness: sharpness(&frame)?,
            blinded: core::count_non_zero(&bright)? as f32 / look.picture.total() as f32,
            same_as_before: self.repeats(&look.picture)?,
        };
        self.before = Some(look.picture.try_clone()?);
        Ok((look, measure))
    }

    fn repeats(&self, picture: &Mat) -> Result<bool, HealthError> {
        let Some(before) = self.before.as_ref().filter(|before| before.size().ok() == picture.size().ok())
        else {
            return Ok(false);
        };
        Ok(core::norm2(before, picture, core::NORM_INF, &core::no_array())? == 0.0)
    }
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
    let factor = (frame.cols() / LOOK_WIDTH as i32).max(1);
    let size = Size::new((frame.cols() / factor).max(1), (frame.rows() / factor).max(1));
    let mut picture = Mat::default();
    imgproc::resize(frame, &mut picture, size, 0.0, 0.0, imgproc::INTER_AREA)?;
    Ok(Look { picture, scale: f64::from(factor) })
}

fn sharpness(frame: &impl ToInputArray) -> Result<f32, HealthError> {
    let mut half = Mat::default();
    imgproc::resize(frame, &mut half, Size::default(), 0.5, 0.5, imgproc::INTER_AREA)?;
    let mut edges = Mat::default();
    imgproc::laplacian(&half, &mut edges, core::CV_16S, 3, 1.0, 0.0, core::BORDER_DEFAULT)?;
    let (mut mean, mut deviation) = (Mat::default(), Mat::default());
    core::mean_std_dev(&edges, &mut mean, &mut deviation, &core::no_array())?;
    Ok(deviation.at::<f64>(0)?.powi(2) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plane(data: &[u8], width: usize) -> Plane<'_> {
        Plane { data, width, height: data.len() / width, stride: width }
    }

    fn checkers(amplitude: u8) -> Vec<u8> {
        (0..640 * 360)
            .map(|i| if (i % 640 / 16 + i / 640 / 16) % 2 == 0 { 60 } else { 60 + amplitude })
            .collect()
    }

    #[test]
    fn measures_light_contrast_and_repetition() {
        let mut watch = ViewWatch::default();
        let (_, first) = watch.look(plane(&checkers(100), 640)).unwrap();
        assert!((first.brightness - 110.0).abs() < 2.0, "{first:?}");
        assert!((first.contrast - 50.0).abs() < 5.0, "{first:?}");
        assert!(!first.same_as_before);
        let (_, again) = watch.look(plane(&checkers(100), 640)).unwrap();
        assert!(again.same_as_before);
        let (_, fainter) = watch.look(plane(&checkers(20), 640)).unwrap();
        assert!(!fainter.same_as_before && fainter.sharpness < first.sharpness / 4.0);
    }

    #[test]
    fn a_grey_wall_has_no_contrast() {
        let (_, measure) = ViewWatch::default().look(plane(&[90; 1280 * 720], 1280)).unwrap();
        assert_eq!((measure.contrast, measure.sharpness, measure.blinded), (0.0, 0.0, 0.0));
    }
}
