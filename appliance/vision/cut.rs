use opencv::core::{BORDER_REPLICATE, Mat, Point2f, Scalar, Size};
use opencv::imgproc::{self, INTER_AREA, INTER_LINEAR};

use super::VisionError;
use super::corners::Corners;
use super::mat::View;

/// A warp samples points and would let thin strokes of a large plate vanish, so what is larger than
/// its target is cut out at up to this many times the target's size and averaged down.
const OVERSAMPLING_MAX: i32 = 6;

/// Cuts quadrilaterals out of pictures, upright and at a given size.
#[derive(Default)]
pub(super) struct Cutter {
    oversampled: Mat,
}

/// Where the quadrilateral comes to lie in what is cut out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target {
    pub size: Size,
    /// How much of the surroundings shows at the left and right, and above and below, as shares of the size.
    pub inset: (f32, f32),
}

impl Cutter {
    /// Fills `out`. Outside of the picture its border goes on.
    pub fn cut(
        &mut self,
        picture: &View<'_>,
        corners: &Corners,
        target: Target,
        out: &mut Mat,
    ) -> Result<(), VisionError> {
        let inner_width = target.size.width as f32 * (1.0 - 2.0 * target.inset.0);
        let oversampling = ((corners.width_px() / inner_width).round() as i32).clamp(1, OVERSAMPLING_MAX);
        if oversampling == 1 {
            return warp(picture, corners, target, out);
        }
        let size = Size::new(target.size.width * oversampling, target.size.height * oversampling);
        warp(picture, corners, Target { size, ..target }, &mut self.oversampled)?;
        Ok(imgproc::resize(&self.oversampled, out, target.size, 0.0, 0.0, INTER_AREA)?)
    }
}

impl Target {
    /// The quadrilateral's corners in what is cut out.
    pub fn corners(&self) -> Corners {
        let (width, height) = (self.size.width as f32, self.size.height as f32);
        let inside = |position: f32, inset: f32| inset + position * (1.0 - 2.0 * inset);
        Corners::of_picture(1, 1)
            .map(|(x, y)| (width * inside(x, self.inset.0), height * inside(y, self.inset.1)))
    }
}

fn warp(picture: &View<'_>, corners: &Corners, target: Target, out: &mut Mat) -> Result<(), VisionError> {
    let transform = imgproc::get_perspective_transform_slice_def(points(corners), points(&target.corners()))?;
    let (size, no_colour) = (target.size, Scalar::default());
    Ok(imgproc::warp_perspective(picture, out, &transform, size, INTER_LINEAR, BORDER_REPLICATE, no_colour)?)
}

/// OpenCV counts from the middle of the first pixel.
fn points(corners: &Corners) -> [Point2f; 4] {
    corners.0.map(|(x, y)| Point2f::new(x - 0.5, y - 0.5))
}

#[cfg(test)]
mod tests {
    use opencv::core::MatTraitConst;

    use super::super::mat;
    use super::*;
    use crate::capture::Plane;

    /// Each quarter of the plate has a grey of its own, whatever its size in the picture.
    #[test]
    fn a_plate_comes_out_upright_at_any_size() {
        for scale in [1usize, 3, 8] {
            let (width, height) = (64 * scale, 32 * scale);
            let grey = |x: usize, y: usize| 60 * (1 + x / (width / 2) + 2 * (y / (height / 2))) as u8;
            // Turned by a quarter: the plate's left edge is the picture's upper one.
            let data: Vec<u8> = (0..width)
                .flat_map(|x| (0..height).map(move |y| (x, height - 1 - y)))
                .map(|(x, y)| grey(x, y))
                .collect();
            let plane = Plane { data: &data, width: height, height: width, stride: height };
            let (right, bottom) = (height as f32, width as f32);
            let corners = Corners([(right, 0.0), (right, bottom), (0.0, bottom), (0.0, 0.0)]);
            let target = Target { size: Size::new(100, 60), inset: (0.1, 0.1) };
            let mut out = Mat::default();
            Cutter::default().cut(&mat::over(plane).unwrap(), &corners, target, &mut out).unwrap();
            let at = |x: i32, y: i32| *out.at_2d::<u8>(y, x).unwrap();
            assert_eq!(
                [at(20, 15), at(80, 15), at(20, 45), at(80, 45)],
                [60, 120, 180, 240],
                "scale {scale}"
            );
            assert_eq!([at(1, 1), at(98, 58)], [60, 240], "the border goes on");
        }
    }
}
