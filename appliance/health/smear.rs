use std::collections::VecDeque;

use crate::capture::Plane;
use crate::vision::Corners;

/// Height of the characters on a plate of 6 by 12 inches: 2.75 inches.
const CHARACTER_SHARE: f32 = 2.75 / 6.0;

/// Plates of which the middle one speaks; fewer than half of them say nothing.
const JUDGED: usize = 16;

/// A smear of this share of a character's height is as wide as a stroke: neighbours run together.
const STROKE: f32 = 0.2;

/// Blur in both directions, as a share of a character's height, at which strokes lose half of their contrast.
const OUT_OF_FOCUS: f32 = 0.16;

/// No lens and no plate is sharper than this many pixels.
const SHARPEST_PX: f32 = 1.6;

/// Samples that are at least so bright are burnt out; a plate of which most is has lost its thin strokes.
const BURNT: u8 = 250;
const BURNT_SHARE: f32 = 0.5;

/// How sharp one plate's characters are in one frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlateBlur {
    /// Standard deviation, in pixels, of the blur of its steepest edges: along the picture's rows and columns.
    pub across_px: f32,
    pub down_px: f32,
    pub character_height_px: f32,
    /// Share of burnt out samples.
    pub burnt: f32,
}

impl PlateBlur {
    /// None where the plate lies outside the frame or shows no characters.
    ///
    /// An edge of height A, blurred by a Gaussian of deviation b, is nowhere steeper than A / (b √2π).
    pub fn of(luma: Plane<'_>, corners: &Corners) -> Option<Self> {
        let (left, top, right, bottom) = corners.bounds();
        let columns = (left.max(1.0) as usize)..(right.max(0.0) as usize).min(luma.width.saturating_sub(1));
        let rows = (top.max(1.0) as usize)..(bottom.max(0.0) as usize).min(luma.height.saturating_sub(1));
        if columns.len() < 16 || rows.len() < 6 {
            return None;
        }
        let (mut light, mut across, mut down) = ([0u32; 256], [0u32; 256], [0u32; 256]);
        for y in rows.clone() {
            let (above, row, below) = (luma.row(y - 1), luma.row(y), luma.row(y + 1));
            for x in columns.clone() {
                light[usize::from(row[x])] += 1;
                across[usize::from(row[x + 1].abs_diff(row[x - 1]))] += 1;
                down[usize::from(below[x].abs_diff(above[x]))] += 1;
            }
        }
        let height = f32::from(quantile(&light, 0.9)) - f32::from(quantile(&light, 0.1));
        if height < 20.0 {
            return None;
        }
        // Differences span two pixels.
        let blur = |steps: &[u32; 256]| {
            let steepest = f32::from(quantile(steps, 0.97)) / 2.0;
            height / (steepest.max(0.5) * std::f32::consts::TAU.sqrt())
        };
        let burnt: u32 = light[usize::from(BURNT)..].iter().sum();
        Some(Self {
            across_px: blur(&across),
            down_px: blur(&down),
            character_height_px: corners.height_px() * CHARACTER_SHARE,
            burnt: burnt as f32 / (columns.len() * rows.len()) as f32,
        })
    }

    /// Length in pixels of the trail that a plate drew while the shutter was open: what one direction is blurred more than
    /// the other. A trail of length l has the deviation l / √12.
    pub fn smear_px(&self) -> f32 {
        let (less, more) = (self.across_px.min(self.down_px), self.across_px.max(self.down_px));
        ((more * more - less * less) * 12.0).sqrt()
    }

    fn smear(&self) -> f32 {
        self.smear_px() / self.character_height_px.max(1.0)
    }

    /// What both directions share.
    fn focus_px(&self) -> f32 {
        self.across_px.min(self.down_px)
    }
}

/// The value below which this share of the samples lies.
fn quantile(histogram: &[u32; 256], share: f32) -> u8 {
    let wanted = (histogram.iter().sum::<u32>() as f32 * share) as u32;
    let mut counted = 0;
    let value = histogram.iter().position(|count| {
        counted += count;
        counted > wanted
    });
    value.unwrap_or(255) as u8
}

/// The last plates' sharpness.
#[derive(Default)]
pub(super) struct SmearWatch {
    plates: VecDeque<PlateBlur>,
}

impl SmearWatch {
    pub fn see(&mut self, plate: PlateBlur) {
        if self.plates.len() == JUDGED {
            self.plates.pop_front();
        }
        self.plates.push_back(plate);
    }

    pub fn forget(&mut self) {
        self.plates.clear();
    }

    /// What is wrong with the exposure, in words.
    pub fn exposure_fault(&self) -> Option<String> {
        if self.middle(|plate| plate.burnt)? > BURNT_SHARE {
            return Some("plates are burnt out to white".to_owned());
        }
        let smeared = self.middle(PlateBlur::smear)? > STROKE;
        let smear = self.middle(PlateBlur::smear_px)?;
        smeared.then(|| format!("moving plates are smeared over {smear:.0} px"))
    }

    /// The blur of characters in pixels, where they are out of focus.
    pub fn focus_fault(&self) -> Option<f32> {
        let blur = self.middle(PlateBlur::focus_px)?;
        let characters = self.middle(|plate| plate.character_height_px)?;
        (blur > SHARPEST_PX.max(OUT_OF_FOCUS * characters)).then_some(blur)
    }

    fn middle(&self, of: impl Fn(&PlateBlur) -> f32) -> Option<f32> {
        if self.plates.len() * 2 < JUDGED {
            return None;
        }
        let mut values: Vec<f32> = self.plates.iter().map(of).collect();
        values.sort_by(f32::total_cmp);
        Some(values[values.len() / 2])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Strokes of 5 px with gaps of 9, both ways, blurred by a box of these sides, drawn ten times as fine.
    fn plate(across: usize, down: usize) -> PlateBlur {
        let (width, height) = (200usize, 100usize);
        let ink = |x: usize, y: usize| x % 14 < 5 || y % 24 < 5;
        let mut luma = vec![0; width * height];
        for (i, sample) in luma.iter_mut().enumerate() {
            let (x, y) = (i % width, i / width);
            let box_of = (0..across).flat_map(|dx| (0..down).map(move |dy| (x + dx, y + dy)));
            let dark = box_of.filter(|&(x, y)| ink(x, y)).count();
            *sample = 220 - (180 * dark / (across * down)) as u8;
        }
        let plane = Plane { data: &luma, width, height, stride: width };
        PlateBlur::of(plane, &Corners([(10.0, 10.0), (190.0, 10.0), (190.0, 90.0), (10.0, 90.0)])).unwrap()
    }

    fn judged(plate: PlateBlur) -> SmearWatch {
        let mut watch = SmearWatch::default();
        (0..JUDGED).for_each(|_| watch.see(plate));
        watch
    }

    #[test]
    fn a_smear_is_told_from_a_blur_in_both_directions() {
        let sharp = judged(plate(1, 1));
        assert_eq!((sharp.exposure_fault(), sharp.focus_fault()), (None, None), "{:?}", plate(1, 1));
        let smeared = judged(PlateBlur { character_height_px: 15.0, ..plate(1, 5) });
        assert!(smeared.exposure_fault().is_some() && smeared.focus_fault().is_none(), "{:?}", plate(1, 5));
        let blurred = judged(PlateBlur { character_height_px: 12.0, ..plate(5, 5) });
        assert!(blurred.exposure_fault().is_none() && blurred.focus_fault().is_some(), "{:?}", plate(5, 5));
    }

    #[test]
    fn an_empty_or_outlying_plate_says_nothing() {
        let grey = vec![90; 200 * 100];
        let plane = Plane { data: &grey, width: 200, height: 100, stride: 200 };
        assert_eq!(PlateBlur::of(plane, &Corners::of_picture(200, 100)), None);
        assert_eq!(PlateBlur::of(plane, &Corners::of_picture(200, 100).map(|(x, y)| (x + 500.0, y))), None);
    }
}
