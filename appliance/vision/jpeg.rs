//! Frames and plates as JPEG, for evidence and for the local page.
//!
//! The luma goes into the file as the reader saw it, without any stretching of its range: the picture
//! is evidence of what was read.

use opencv::core::{Mat, Rect, Scalar, Size, Vector};
use opencv::imgcodecs::{self, IMWRITE_JPEG_QUALITY};
use opencv::imgproc::{self, COLOR_YCrCb2BGR, INTER_LINEAR};
use opencv::prelude::VectorToVec;

use super::mat::{self, View};
use super::{Corners, VisionError};
use crate::capture::{Chroma, Frame};

/// A 1280x720 scene takes about 200 kB, and a plate of 60 pixels stays readable.
const QUALITY: i32 = 88;

/// How much of the vehicle a plate's picture shows around the plate, in plate widths.
const MARGIN: f32 = 0.25;

/// The whole frame.
pub fn scene(frame: &Frame) -> Result<Vec<u8>, VisionError> {
    let luma = frame.luma();
    encode(frame, Rect::new(0, 0, luma.width as i32, luma.height as i32))
}

/// The plate with these corners and a little around it.
pub fn plate(frame: &Frame, corners: &Corners) -> Result<Vec<u8>, VisionError> {
    let luma = frame.luma();
    let margin = corners.width_px() * MARGIN;
    let (left, top, right, bottom) = corners.bounds();
    let span = |from: f32, to: f32, side: usize| {
        // Colour has half the resolution: an even start keeps it in register.
        let from = ((from - margin).max(0.0) as i32 & !1).min((side as i32 - 1) & !1);
        let to = ((to + margin).ceil() as i32).clamp(from + 1, side as i32);
        (from, to - from)
    };
    let (x, width) = span(left, right, luma.width);
    let (y, height) = span(top, bottom, luma.height);
    encode(frame, Rect::new(x, y, width, height))
}

fn encode(frame: &Frame, area: Rect) -> Result<Vec<u8>, VisionError> {
    let luma = mat::over(frame.luma())?;
    let luma = Mat::roi(&luma, area)?;
    let quality = Vector::from_slice(&[IMWRITE_JPEG_QUALITY, QUALITY]);
    let mut file = Vector::new();
    match frame.chroma() {
        None => imgcodecs::imencode(".jpg", &luma, &mut file, &quality)?,
        Some(chroma) => imgcodecs::imencode(".jpg", &colour(&luma, chroma, area)?, &mut file, &quality)?,
    };
    Ok(file.to_vec())
}

fn colour(luma: &View<'_>, chroma: Chroma<'_>, area: Rect) -> Result<Mat, VisionError> {
    let half = Rect::new(area.x / 2, area.y / 2, (area.width + 1) / 2, (area.height + 1) / 2);
    let size = Size::new(area.width, area.height);
    let enlarged = |plane: View<'_>| -> Result<Mat, VisionError> {
        let mut large = Mat::default();
        imgproc::resize(&Mat::roi(&plane, half)?, &mut large, size, 0.0, 0.0, INTER_LINEAR)?;
        Ok(large)
    };
    let mut planes = Vector::<Mat>::new();
    planes.push(luma.clone_pointee());
    match chroma {
        Chroma::Separate { u, v } => {
            planes.push(enlarged(mat::over(u)?)?);
            planes.push(enlarged(mat::over(v)?)?);
        }
        Chroma::Interleaved(pairs) => planes.push(enlarged(mat::over_pairs(pairs)?)?),
    }
    let mut merged = Vector::<Mat>::new();
    merged.push(Mat::new_size_with_default(size, opencv::core::CV_8UC3, Scalar::default())?);
    // Y, U, V to OpenCV's order Y, Cr, Cb.
    opencv::core::mix_channels(&planes, &mut merged, &[0, 0, 2, 1, 1, 2])?;
    let mut bgr = Mat::default();
    imgproc::cvt_color_def(&merged.get(0)?, &mut bgr, COLOR_YCrCb2BGR)?;
    Ok(bgr)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::Timestamp;
    use opencv::core::{MatTraitConst, Vec3b};
    use opencv::imgcodecs::{IMREAD_COLOR, imdecode};

    use super::*;
    use crate::capture::{OwnedPlanes, Plane, Planes};
    use crate::words::{CameraId, Moment};

    const WIDTH: usize = 61;
    const HEIGHT: usize = 35;

    fn frame(planes: Arc<dyn Planes>) -> Frame {
        let taken = Moment { uptime: Default::default(), wall: Timestamp::UNIX_EPOCH };
        Frame::new(CameraId::parse("lane-1").unwrap(), taken, 1, planes)
    }

    /// A red frame of odd dimensions (BT.601, full range).
    fn red() -> Frame {
        let quarter = WIDTH.div_ceil(2) * HEIGHT.div_ceil(2);
        let luma = vec![76; WIDTH * HEIGHT];
        frame(Arc::new(OwnedPlanes::colour(luma, vec![85; quarter], vec![255; quarter], WIDTH, HEIGHT)))
    }

    /// The same in NV12, as hardware decoders give it.
    struct Nv12 {
        luma: Vec<u8>,
        pairs: Vec<u8>,
    }

    impl Planes for Nv12 {
        fn luma(&self) -> Plane<'_> {
            Plane { data: &self.luma, width: WIDTH, height: HEIGHT, stride: WIDTH }
        }

        fn chroma(&self) -> Option<Chroma<'_>> {
            let (width, height) = (2 * WIDTH.div_ceil(2), HEIGHT.div_ceil(2));
            Some(Chroma::Interleaved(Plane { data: &self.pairs, width, height, stride: width }))
        }
    }

    fn decoded(file: &[u8]) -> Mat {
        imdecode(&Mat::from_slice(file).unwrap(), IMREAD_COLOR).unwrap()
    }

    fn assert_red(picture: &Mat) {
        let middle = picture.at_2d::<Vec3b>(picture.rows() / 2, picture.cols() / 2).unwrap();
        assert!(middle[0] < 12 && middle[1] < 12 && middle[2] > 243, "blue, green, red: {middle:?}");
    }

    #[test]
    fn a_red_scene_stays_red_in_both_layouts_of_colour() {
        let picture = decoded(&scene(&red()).unwrap());
        assert_eq!((picture.cols(), picture.rows()), (WIDTH as i32, HEIGHT as i32));
        assert_red(&picture);
        let pairs = [85, 255].repeat(WIDTH.div_ceil(2) * HEIGHT.div_ceil(2));
        let nv12 = frame(Arc::new(Nv12 { luma: vec![76; WIDTH * HEIGHT], pairs }));
        assert_red(&decoded(&scene(&nv12).unwrap()));
    }

    #[test]
    fn a_plate_is_cut_out_with_a_margin_that_ends_at_the_border() {
        let corners = Corners([(41.0, 20.0), (71.0, 20.0), (71.0, 33.0), (41.0, 33.0)]);
        let picture = decoded(&plate(&red(), &corners).unwrap());
        assert_eq!((picture.cols(), picture.rows()), (61 - 32, 35 - 12));
        assert_red(&picture);
    }

    #[test]
    fn corners_outside_the_frame_still_give_a_picture() {
        let outside = Corners::of_picture(20, 10).map(|(x, y)| (x + 500.0, y - 500.0));
        assert!(!plate(&red(), &outside).unwrap().is_empty());
    }

    #[test]
    fn an_infra_red_frame_is_grey() {
        let grey = frame(Arc::new(OwnedPlanes::grey(vec![99; WIDTH * HEIGHT], WIDTH, HEIGHT)));
        let picture = decoded(&scene(&grey).unwrap());
        assert_eq!(*picture.at_2d::<Vec3b>(3, 3).unwrap(), Vec3b::from([99, 99, 99]));
    }
}
