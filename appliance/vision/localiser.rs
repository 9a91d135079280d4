use opencv::core::{CV_8UC1, Mat, MatTraitConst, Rect, Scalar, Size, ToInputArray, ToOutputArray};
use opencv::imgproc::{self, INTER_AREA};

use super::corners::Corners;
use super::cut::{Cutter, Target};
use super::mat::View;
use super::network::{self, Network};
use super::peaks::{self, CELL_PX, Maps, Peak};
use super::{Config, VisionError};
use crate::capture::Plane;
use crate::words::Probability;

/// The longer side of the picture that the network sees, in pixels: what it was trained at.
const SIDE_PX: i32 = 640;

/// A whole-number reduction is taken as it is if its longer side is at most this; above it a second,
/// fractional step follows. Whole-number reductions cost a quarter of fractional ones.
const SIDE_WHOLE_PX: i32 = 720;

/// The network halves its input five times.
const MULTIPLE_PX: i32 = 32;

/// What a closer look sees: a place in the full picture, brought to one size.
const CLOSE: Target = Target { size: Size { width: 192, height: 128 }, inset: (0.0, 0.0) };

/// How wide that place is, in plate widths: the plate then has a size at which the network is at its best.
const CLOSE_WIDTHS: f32 = 2.0;

/// From this overlap on, a closer look shows the plate that it was meant for.
const SAME_PLATE: f32 = 0.5;

/// One plate as the localiser sees it, in pixels of the full picture.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    pub corners: Corners,
    pub probability: Probability,
}

impl Found {
    /// A picture that is nothing but a plate.
    pub fn whole(picture: Plane<'_>) -> Self {
        let corners = Corners::of_picture(picture.width, picture.height);
        Self { corners, probability: Probability::CERTAIN }
    }
}

/// Finds plates on a reduced picture.
pub(super) struct Localiser {
    network: Network,
    /// The same network again: OpenCV lays out a network anew for each size of input.
    close: Network,
    cutter: Cutter,
    close_input: Mat,
    floor_logit: f32,
    halfway: Mat,
    /// The reduced picture, black below and right of it up to a size that the network takes.
    input: Mat,
    /// The size of the reduced picture inside `input`.
    content: Size,
}

impl Localiser {
    pub fn load(config: &Config) -> Result<Self, VisionError> {
        let onnx = include_bytes!("../models/localiser.onnx");
        let network = || Network::load("localiser", onnx, ["heat", "corners"]);
        let floor = config.found_floor.value();
        let mut localiser = Self {
            network: network()?,
            close: network()?,
            cutter: Cutter::default(),
            close_input: Mat::default(),
            floor_logit: (floor / (1.0 - floor)).ln() as f32,
            halfway: Mat::default(),
            input: Mat::default(),
            content: Size::default(),
        };
        let black = Mat::new_rows_cols_with_default(72, 128, CV_8UC1, Scalar::all(0.0))?;
        localiser.find(&black.into())?;
        Ok(localiser)
    }

    /// Every plate of an 8-bit grey picture, surest first.
    pub fn find(&mut self, picture: &View<'_>) -> Result<Vec<Found>, VisionError> {
        let (across, down) = self.reduce(picture)?;
        let peaks = search(&mut self.network, &self.input, self.floor_logit)?;
        Ok(peaks.iter().map(|peak| found(peak, |(x, y)| (x * across, y * down))).collect())
    }

    /// Looks once more at the place of a plate, in the full picture; none if it is no plate after all.
    pub fn look_closer(&mut self, picture: &View<'_>, first: &Found) -> Result<Option<Found>, VisionError> {
        let (centre, width) = (first.corners.centre(), first.corners.width_px() * CLOSE_WIDTHS);
        let scale = width / CLOSE.size.width as f32;
        let (left, top) = (centre.0 - width / 2.0, centre.1 - scale * CLOSE.size.height as f32 / 2.0);
        let full = |(x, y): (f32, f32)| (left + x * scale, top + y * scale);
        let place = CLOSE.corners().map(full);
        self.cutter.cut(picture, &place, CLOSE, &mut self.close_input)?;
        let peaks = search(&mut self.close, &self.close_input, self.floor_logit)?;
        let seen = peaks.iter().map(|peak| found(peak, full));
        Ok(seen.into_iter().find(|seen| seen.corners.overlap(&first.corners) > SAME_PLATE))
    }

    /// Fills `input` and returns how many pixels of the picture one pixel of it spans, across and down.
    fn reduce(&mut self, picture: &View<'_>) -> Result<(f32, f32), VisionError> {
        let full = picture.size()?;
        let plan = Reduction::of(full);
        self.prepare_input(plan.reduced)?;
        let mut content = Mat::roi_mut(&mut self.input, area(plan.reduced))?;
        let even = Mat::roi(picture, area(plan.even))?;
        if plan.whole == plan.reduced {
            shrink(&even, &mut content, plan.reduced)?;
        } else {
            shrink(&even, &mut self.halfway, plan.whole)?;
            shrink(&self.halfway, &mut content, plan.reduced)?;
        }
        let span = |even: i32, reduced: i32| even as f32 / reduced as f32;
        Ok((span(plan.even.width, plan.reduced.width), span(plan.even.height, plan.reduced.height)))
    }

    /// Makes `input` large enough for `content` and black outside it; does nothing from the second
    /// frame of a camera on.
    fn prepare_input(&mut self, content: Size) -> Result<(), VisionError> {
        if self.content != content {
            let padded = |side: i32| (side + MULTIPLE_PX - 1) / MULTIPLE_PX * MULTIPLE_PX;
            let (rows, columns) = (padded(content.height), padded(content.width));
            self.input = Mat::new_rows_cols_with_default(rows, columns, CV_8UC1, Scalar::all(0.0))?;
            self.content = content;
        }
        Ok(())
    }
}

/// Every plate that the network sees in its input, surest first.
fn search(network: &mut Network, input: &Mat, floor_logit: f32) -> Result<Vec<Peak>, VisionError> {
    let [heat, offsets] = network.run(input)?;
    let (rows, columns) = (input.rows() / CELL_PX as i32, input.cols() / CELL_PX as i32);
    network.expect_shape(&heat, &[1, 1, rows, columns])?;
    network.expect_shape(&offsets, &[1, 8, rows, columns])?;
    let maps = Maps {
        heat: network::values(&heat)?,
        offsets: network::values(&offsets)?,
        width: columns as usize,
        height: rows as usize,
    };
    Ok(peaks::peaks(&maps, floor_logit))
}

fn found(peak: &Peak, to_picture: impl FnMut((f32, f32)) -> (f32, f32)) -> Found {
    Found {
        corners: peak.corners.map(to_picture),
        probability: Probability::clamped(1.0 / (1.0 + f64::from(-peak.logit).exp())),
    }
}

/// How a picture becomes small: the part of it that divides evenly, that part reduced by a whole
/// number, and the size that the network sees.
#[derive(Debug, PartialEq)]
struct Reduction {
    even: Size,
    whole: Size,
    reduced: Size,
}

impl Reduction {
    fn of(full: Size) -> Self {
        let factor = (full.width.max(full.height) / SIDE_PX).max(1);
        // Up to `factor - 1` pixels fall away at the right and lower border; a side shorter than the
        // factor is squeezed into one.
        let reduce = |side: i32| (side / factor).max(1);
        let even = |side: i32| (reduce(side) * factor).min(side);
        let whole = Size::new(reduce(full.width), reduce(full.height));
        let longer = whole.width.max(whole.height);
        let fit = |side: i32| ((side * SIDE_PX + longer / 2) / longer).max(1);
        let reduced =
            if longer > SIDE_WHOLE_PX { Size::new(fit(whole.width), fit(whole.height)) } else { whole };
        Self { even: Size::new(even(full.width), even(full.height)), whole, reduced }
    }
}

fn area(size: Size) -> Rect {
    Rect::new(0, 0, size.width, size.height)
}

/// By averaging, so that thin strokes do not vanish between samples.
fn shrink(from: &impl ToInputArray, to: &mut impl ToOutputArray, size: Size) -> Result<(), VisionError> {
    Ok(imgproc::resize(from, to, size, 0.0, 0.0, INTER_AREA)?)
}

#[cfg(test)]
mod tests {
    use super::super::mat;
    use super::*;

    fn reduction(width: i32, height: i32) -> [(i32, i32); 3] {
        let Reduction { even, whole, reduced } = Reduction::of(Size::new(width, height));
        [even, whole, reduced].map(|size| (size.width, size.height))
    }

    #[test]
    fn camera_formats_are_reduced_by_whole_numbers() {
        assert_eq!(reduction(1280, 720), [(1280, 720), (640, 360), (640, 360)]);
        assert_eq!(reduction(1920, 1080), [(1920, 1080), (640, 360), (640, 360)]);
        assert_eq!(reduction(3840, 2160), [(3840, 2160), (640, 360), (640, 360)]);
        assert_eq!(reduction(4032, 3024), [(4032, 3024), (672, 504), (672, 504)]);
    }

    #[test]
    fn other_formats_take_a_second_step() {
        assert_eq!(reduction(1600, 1201), [(1600, 1200), (800, 600), (640, 480)]);
        assert_eq!(reduction(768, 1024), [(768, 1024), (768, 1024), (480, 640)]);
    }

    #[test]
    fn tiny_and_extreme_pictures_stay_pictures() {
        assert_eq!(reduction(1, 1), [(1, 1); 3]);
        assert_eq!(reduction(300, 150), [(300, 150); 3]);
        assert_eq!(reduction(32_000, 3), [(32_000, 3), (640, 1), (640, 1)]);
    }

    #[test]
    fn a_picture_of_any_shape_can_be_searched() {
        let mut localiser = Localiser::load(&Config::default()).unwrap();
        for (width, height) in [(1280, 720), (3, 700), (1, 1), (1919, 1077), (90, 45)] {
            let noise: Vec<u8> = (0..width * height).map(|index| (index * 7919 % 251) as u8).collect();
            let plane = Plane { data: &noise, width, height, stride: width };
            localiser.find(&mat::over(plane).unwrap()).unwrap();
        }
    }
}
