use std::collections::VecDeque;

use opencv::core::{self, CV_32F, Mat, Size};
use opencv::imgproc::{self, INTER_AREA};
use opencv::prelude::*;
use serde::{Deserialize, Serialize};

use super::HealthError;

/// Side of a cell, in pixels of a look: some twelfth of its height.
pub(super) const CELL: i32 = 40;

/// How much coarser the second look at the same edges is.
const COARSER: i32 = 4;

/// What a white noise of variance one adds to the energy of Sobel's gradient, both directions together.
const NOISE_ENERGY: f32 = 0.375;

/// What each cell of a look shows, row after row: the strength of its edges, fine and coarse, and its light.
///
/// Light changes both energies alike. What takes the fine and leaves the coarse is blur; what takes both is haze,
/// darkness or a cover.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Texture {
    /// Mean squared gradient, in luma steps a pixel: at a look's own resolution, less the sensor's noise.
    pub fine: Vec<f32>,
    /// The same at a quarter of the resolution.
    pub coarse: Vec<f32>,
    /// Mean luma.
    pub light: Vec<f32>,
}

impl Texture {
    /// `noise` is the variance of the sensor's noise in `look`.
    pub fn of(look: &Mat, noise: f32) -> Result<Self, HealthError> {
        let mut quarter = Mat::default();
        let size = Size::new((look.cols() / COARSER).max(1), (look.rows() / COARSER).max(1));
        imgproc::resize(look, &mut quarter, size, 0.0, 0.0, INTER_AREA)?;
        let floor = NOISE_ENERGY * noise;
        let fine = cells(&gradient_energy(look, 1)?, look)?;
        Ok(Self {
            fine: fine.into_iter().map(|energy| (energy - floor).max(0.0)).collect(),
            coarse: cells(&gradient_energy(&quarter, COARSER)?, look)?,
            light: cells(look, look)?,
        })
    }

    /// The middle of several looks, cell by cell and number by number: a car that passes within half of them leaves nothing
    /// behind, where an average would tell of its strong edges long after it has gone from faint gravel.
    pub fn middle(looks: &VecDeque<Self>) -> Self {
        let middle = |of: fn(&Self) -> &Vec<f32>| {
            let cells = looks.back().map_or(0, Self::cells);
            let at = |cell: usize| {
                let mut values: Vec<f32> = looks.iter().map(|look| of(look)[cell]).collect();
                values.sort_by(f32::total_cmp);
                values[values.len() / 2]
            };
            (0..cells).map(at).collect()
        };
        Self {
            fine: middle(|look| &look.fine),
            coarse: middle(|look| &look.coarse),
            light: middle(|look| &look.light),
        }
    }

    pub fn cells(&self) -> usize {
        self.light.len()
    }

    /// How much of its coarse detail a cell also has finely; falls with blur alone.
    pub fn sharpness(&self, cell: usize) -> f32 {
        (self.fine[cell] / self.coarse[cell].max(f32::EPSILON)).sqrt()
    }

    /// As [`Texture::sharpness`], of the whole picture.
    pub fn overall_sharpness(&self) -> f32 {
        let (fine, coarse): (f32, f32) = (self.fine.iter().sum(), self.coarse.iter().sum());
        (fine / coarse.max(f32::EPSILON)).sqrt()
    }

    /// Strength of its edges against its light, which a brighter or darker day leaves as it is.
    pub fn contrast(&self, cell: usize) -> f32 {
        self.coarse[cell].sqrt() / (self.light[cell] + 4.0)
    }
}

/// Squared gradient, in luma steps for each pixel of a look of which `picture`'s pixels are `pitch` wide.
fn gradient_energy(picture: &Mat, pitch: impl Into<f64>) -> Result<Mat, HealthError> {
    let scale = 1.0 / (8.0 * pitch.into());
    let (mut across, mut down) = (Mat::default(), Mat::default());
    imgproc::sobel(picture, &mut across, CV_32F, 1, 0, 3, scale, 0.0, core::BORDER_DEFAULT)?;
    imgproc::sobel(picture, &mut down, CV_32F, 0, 1, 3, scale, 0.0, core::BORDER_DEFAULT)?;
    let (mut across_energy, mut energy) = (Mat::default(), Mat::default());
    core::multiply_def(&across, &across, &mut across_energy)?;
    core::multiply_def(&down, &down, &mut energy)?;
    let mut sum = Mat::default();
    core::add_def(&across_energy, &energy, &mut sum)?;
    Ok(sum)
}

/// The mean of each cell of a picture that shows what `look` shows, at any resolution.
pub(super) fn cells(picture: &Mat, look: &Mat) -> Result<Vec<f32>, HealthError> {
    let mut means = Mat::default();
    let size = Size::new((look.cols() / CELL).max(1), (look.rows() / CELL).max(1));
    imgproc::resize(picture, &mut means, size, 0.0, 0.0, INTER_AREA)?;
    let mut numbers = Mat::default();
    means.convert_to(&mut numbers, CV_32F, 1.0, 0.0)?;
    Ok(numbers.data_typed::<f32>()?.to_vec())
}

/// One cell of a reference and what lies there now, both brought to the same place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Cell {
    /// Whether it showed the street then, and not a vehicle.
    pub is_street: bool,
    /// Energy of its coarse edges then.
    pub detail: f32,
    /// Of its fine ones.
    pub fine_detail: f32,
    /// How distinct its pattern was, whatever the light: the variance of the field.
    pub distinctness: f32,
    /// Correlation of the fields, -1 to 1.
    pub likeness: f32,
    /// What is left of the contrast, and of the fine detail against the coarse.
    pub contrast_left: f32,
    pub sharpness_left: f32,
    /// What is left of its light.
    pub light_left: f32,
}

pub(super) fn compared(
    field_then: &Mat,
    then: &Texture,
    field_now: &Mat,
    now: &Texture,
) -> Result<Vec<Cell>, HealthError> {
    let product = |a: &Mat, b: &Mat| -> Result<Vec<f32>, HealthError> {
        let mut product = Mat::default();
        core::multiply_def(a, b, &mut product)?;
        cells(&product, a)
    };
    let (mean_then, mean_now) = (cells(field_then, field_then)?, cells(field_now, field_now)?);
    let (then_then, now_now) = (product(field_then, field_then)?, product(field_now, field_now)?);
    let both = product(field_then, field_now)?;
    let compare = |cell: usize| {
        let shared = both[cell] - mean_then[cell] * mean_now[cell];
        let distinctness = then_then[cell] - mean_then[cell].powi(2);
        let own = distinctness * (now_now[cell] - mean_now[cell].powi(2));
        Cell {
            is_street: true,
            detail: then.coarse[cell],
            fine_detail: then.fine[cell],
            distinctness,
            likeness: if own > 1e-9 { shared / own.sqrt() } else { 0.0 },
            contrast_left: now.contrast(cell) / then.contrast(cell).max(f32::EPSILON),
            light_left: (now.light[cell] + 1.0) / (then.light[cell] + 1.0),
            sharpness_left: now.sharpness(cell) / then.sharpness(cell).max(f32::EPSILON),
        }
    };
    Ok((0..both.len()).map(compare).collect())
}
