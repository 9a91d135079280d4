//! What is wrong with a picture: judged cell by cell against the reference, in ratios that light leaves alone.

use jiff::Timestamp;
use opencv::core::{self, Mat};
use opencv::prelude::*;

use super::alignment::{AlignmentWatch, Matched};
use super::grid::{self, Cell, Texture};
use super::references::{Light, Reference};
use super::view::{ViewMeasure, ViewWatch};
use super::{HealthError, Reason};

/// Below this standard deviation of luma a picture shows nothing; the emptiest asphalt has several times it.
pub(super) const NOTHING_TO_SEE: f32 = 5.0;

/// Mean luma under which an empty picture is night rather than a cover.
pub(super) const NIGHT: f32 = 25.0;

/// Mean luma over which an empty picture is burnt out rather than covered.
const GLARE: f32 = 235.0;

/// A cell of a reference with less energy (squared luma steps a pixel) shows nothing to miss.
const DETAILED: f32 = 0.15;

/// Variance of the field below which a cell's pattern may be noise.
const DISTINCT: f32 = 0.004;

/// From this correlation with the reference on a cell is recognised.
const LIKE: f32 = 0.3;

/// Below this share of what most cells reach a cell shows something else.
const UNLIKE: f32 = 0.4;

/// Share of the fine detail, against the coarse, that is left when the lens is out of focus: a defocus of 2 px in a 1280 px
/// frame leaves 0.59 to 0.84 over many scenes, one of 3 px 0.44 to 0.77, rain, night and strong compression 0.97 and more.
const FOCUS_LEFT: f32 = 0.85;

/// The same for one cell behind a drop, against what most cells have left.
const DROP_LEFT: f32 = 0.7;
const ELSEWHERE_LEFT: f32 = 0.9;

/// Share of the detailed cells behind drops or dirt that is worth a cleaning.
const DIRTY: f32 = 0.05;

/// Share of the contrast that haze leaves at most; shade, rain and night leave two thirds and more.
const HAZE_LEFT: f32 = 0.4;

/// Share of the contrast that is left behind a cover that light shines through.
const COVER_LEFT: f32 = 0.12;

/// Share of the detailed cells that are lost when 40 per cent of the view is covered, wherever it is: 0.24 and more.
const PARTLY_COVERED: f32 = 0.2;

/// Share of newly burnt out cells from which the light blinds.
const BLINDED: f32 = 0.15;

/// A cell in which so much of the contrast is gone is bare.
const BARE: f32 = 0.25;

/// Share of the light, in the cells that are recognised, that is enough to miss the others by.
const LIGHT_ENOUGH: f32 = 0.4;

/// What a person calls one thing wrong with the picture.
pub(super) type Fault = (Reason, String);

/// Everything that the picture is judged by.
pub(super) struct Evidence<'a> {
    pub measure: ViewMeasure,
    pub view: &'a ViewWatch,
    pub alignment: &'a AlignmentWatch,
    /// Cells in which a vehicle stands now: not a cover.
    pub vehicles: &'a [bool],
    /// The newest look.
    pub look: &'a Mat,
    pub now: Timestamp,
    /// Whether a dark picture was bright less than half a minute before: no night falls so fast.
    pub dark_suddenly: bool,
    /// Whether the scene lies where it did: else cells show their neighbours.
    pub aim_holds: bool,
}

impl Evidence<'_> {
    /// What is wrong, judged without a reference where there is none.
    pub fn faults(&self) -> Result<Vec<Fault>, HealthError> {
        let measure = self.measure;
        if measure.contrast < NOTHING_TO_SEE {
            return Ok(self.emptiness().into_iter().collect());
        }
        let mut faults = Vec::new();
        let Some(reference) = self.reference() else {
            if measure.blinded > 2.0 * BLINDED {
                faults.push(blinded(measure.blinded));
            }
            return Ok(faults);
        };
        let then = &reference.texture;
        let now = &self.view.texture;
        if then.cells() != now.cells() {
            return Ok(faults);
        }
        let matched = self.alignment.present().and_then(|present| present.matched.as_ref());
        let burnt = self.newly_burnt(then);
        if burnt >= BLINDED {
            faults.push(blinded(burnt));
        }
        let detailed: Vec<usize> = (0..then.cells()).filter(|cell| then.coarse[*cell] >= DETAILED).collect();
        let contrast_left = |cell: &usize| now.contrast(*cell) / then.contrast(*cell).max(f32::EPSILON);
        let left = median(detailed.iter().map(contrast_left).collect());
        let same_light = measure.light == reference.light;
        match left {
            Some(left) if same_light && matched.is_none() && left < COVER_LEFT => {
                faults.push((Reason::ViewCovered, format!("{:.0} % of the contrast is left", left * 100.0)));
                return Ok(faults);
            }
            Some(left) if same_light && left < HAZE_LEFT => {
                faults.push((Reason::ViewFogged, format!("{:.0} % of the contrast is left", left * 100.0)));
            }
            _ => {}
        }
        if reference.light == Light::InfraRed && self.lamp_is_dead(reference, left) {
            faults.push((Reason::LampDead, format!("brightness {:.0}", measure.brightness)));
        }
        faults.extend(self.defocus(then, &detailed, matched));
        if let Some(matched) = matched.filter(|_| self.aim_holds) {
            // In the dark a cell may be bare for want of light.
            if recognised_light(matched).is_some_and(|left| left >= LIGHT_ENOUGH) {
                faults.extend(self.cover(matched)?);
            }
            faults.extend(self.dirt(matched).filter(|_| faults.is_empty()));
        }
        Ok(faults)
    }

    /// What an empty picture means; nothing, where plates are read out of the dark at this hour.
    fn emptiness(&self) -> Option<Fault> {
        let ViewMeasure { brightness, contrast, .. } = self.measure;
        let detail = format!("brightness {brightness:.0}, contrast {contrast:.1}");
        let lit = |reference: &Reference| reference.texture.coarse.iter().any(|energy| *energy >= DETAILED);
        let references = self.alignment.references();
        let reason = match brightness {
            dark if dark < NIGHT => {
                if references.is_some_and(|all| all.is_dark_at(self.now)) {
                    return None;
                }
                if self.dark_suddenly {
                    return Some((Reason::ViewCovered, detail));
                }
                let lamp = references.is_some_and(|all| all.in_light(Light::InfraRed).any(lit));
                if lamp { Reason::LampDead } else { Reason::ViewDark }
            }
            bright if bright > GLARE => Reason::ViewBlinded,
            _ => Reason::ViewCovered,
        };
        Some((reason, detail))
    }

    /// The reference that the view was recognised by, else one in the same light, else the person's.
    fn reference(&self) -> Option<&Reference> {
        let references = self.alignment.references()?;
        let matched = self.alignment.present().and_then(|present| present.matched.as_ref());
        let recognised = matched.and_then(|matched| references.views().get(matched.view));
        recognised
            .or_else(|| references.in_light(self.measure.light).last())
            .or_else(|| references.views().first())
    }

    fn newly_burnt(&self, then: &Texture) -> f32 {
        let burnt =
            self.view.burnt.iter().zip(&then.light).filter(|(now, then)| **now > 0.5 && **then < 200.0);
        burnt.count() as f32 / then.cells() as f32
    }

    /// The lamp lit the road when the reference was taken, and what it showed is gone.
    fn lamp_is_dead(&self, reference: &Reference, contrast_left: Option<f32>) -> bool {
        let then = mean(&reference.texture.light);
        self.measure.brightness < 0.4 * then && contrast_left.is_some_and(|left| left < HAZE_LEFT)
    }

    /// Defocus takes the fine detail of every cell.
    fn defocus(&self, then: &Texture, detailed: &[usize], matched: Option<&Matched>) -> Option<Fault> {
        let now = &self.view.texture;
        let comparable = |cell: &&usize| {
            // What a sharp lens would show in this light, against the noise.
            let expected = then.fine[**cell] * now.coarse[**cell] / then.coarse[**cell];
            expected > 2.0 * self.noise()
                && matched.is_none_or(|matched| matched.cells[**cell].likeness > LIKE)
        };
        let left: Vec<f32> = detailed
            .iter()
            .filter(comparable)
            .map(|cell| now.sharpness(*cell) / then.sharpness(*cell).max(f32::EPSILON))
            .collect();
        let left = median(left).filter(|left| *left < FOCUS_LEFT)?;
        Some((Reason::OutOfFocus, format!("{:.0} % of the finest detail is left", left * left * 100.0)))
    }

    /// A drop takes the fine detail of a few cells, while the others stay sharp.
    fn dirt(&self, matched: &Matched) -> Option<Fault> {
        let recognised: Vec<f32> = self
            .distinct(matched)
            .filter(|(_, cell)| cell.likeness > LIKE)
            .map(|(_, cell)| cell.sharpness_left)
            .collect();
        // Less: the lens is out of focus, or wind shakes the pole.
        let usual = median(recognised.clone()).filter(|usual| *usual >= ELSEWHERE_LEFT)?;
        let blurred = recognised.iter().filter(|left| **left < DROP_LEFT * usual).count() as f32;
        let share = blurred / recognised.len() as f32;
        let detail = format!("{:.0} % of the view is blurred", share * 100.0);
        (share >= DIRTY).then_some((Reason::WindowDirty, detail))
    }

    /// A cell is covered if it no longer shows what it should, and is bare, or stays as it is: traffic does neither.
    fn cover(&self, matched: &Matched) -> Result<Option<Fault>, HealthError> {
        let still = self.still()?;
        let mut usual: Vec<f32> = self.distinct(matched).map(|(_, cell)| cell.likeness).collect();
        usual.sort_by(f32::total_cmp);
        let Some(usual) = usual.get(usual.len() * 7 / 10).copied() else { return Ok(None) };
        let (mut seen, mut covered) = (0, Vec::new());
        for (index, cell) in self.distinct(matched) {
            seen += 1;
            let stays = cell.contrast_left < BARE || still.get(index).copied().unwrap_or(false);
            let excused = self.view.burnt[index] > 0.5 || self.vehicles.get(index).copied().unwrap_or(false);
            if cell.likeness < UNLIKE * usual && stays && !excused {
                covered.push(index);
            }
        }
        let share = covered.len() as f32 / seen.max(1) as f32;
        let columns = (self.look.cols() / grid::CELL).max(1) as usize;
        Ok((share >= PARTLY_COVERED).then(|| {
            let side = side(&covered, columns, matched.cells.len() / columns);
            (Reason::ViewPartlyCovered, format!("{:.0} % of the view, {side}", share * 100.0))
        }))
    }

    /// Cells that can be recognised even in this noise.
    fn distinct<'a>(&self, matched: &'a Matched) -> impl Iterator<Item = (usize, &'a Cell)> + use<'a> {
        let noise = self.noise();
        let distinct = move |cell: &Cell| {
            let is_clear = cell.detail >= DETAILED && cell.distinctness >= DISTINCT;
            cell.is_street && is_clear && cell.fine_detail > noise
        };
        matched.cells.iter().enumerate().filter(move |(_, cell)| distinct(cell))
    }

    /// Where noise is as strong as the detail, what is left of it is a guess.
    fn noise(&self) -> f32 {
        self.measure.noise.powi(2)
    }

    /// Cells that look as they did eight seconds ago.
    fn still(&self) -> Result<Vec<bool>, HealthError> {
        let Some(before) = self.alignment.before() else { return Ok(Vec::new()) };
        let mut difference = Mat::default();
        core::absdiff(before, self.look, &mut difference)?;
        let changes = grid::cells(&difference, self.look)?.into_iter();
        // Noise changes a cell, and so does wind, by as much as its edges are steep.
        let quiet = |fine: &f32| 2.0 + 2.0 * self.measure.noise + fine.sqrt();
        Ok(changes.zip(&self.view.texture.fine).map(|(change, fine)| change < quiet(fine)).collect())
    }
}

/// What is left of the light where the scene is recognised, whatever covers the rest.
fn recognised_light(matched: &Matched) -> Option<f32> {
    let recognised = matched.cells.iter().filter(|cell| cell.likeness > LIKE && cell.detail >= DETAILED);
    median(recognised.map(|cell| cell.light_left).collect())
}

fn blinded(share: f32) -> Fault {
    (Reason::ViewBlinded, format!("{:.0} % of the view is burnt out", share * 100.0))
}

/// Where in the picture most of these cells lie.
fn side(cells: &[usize], columns: usize, rows: usize) -> &'static str {
    let count = cells.len().max(1) as f32;
    let x = cells.iter().map(|cell| cell % columns).sum::<usize>() as f32 / count / columns as f32 - 0.47;
    let y = cells.iter().map(|cell| cell / columns).sum::<usize>() as f32 / count / rows.max(1) as f32 - 0.44;
    match () {
        () if x.abs().max(y.abs()) < 0.12 => "in the middle",
        () if x.abs() >= y.abs() && x < 0.0 => "on the left",
        () if x.abs() >= y.abs() => "on the right",
        () if y < 0.0 => "above",
        () => "below",
    }
}

fn mean(values: &[f32]) -> f32 {
    values.iter().sum::<f32>() / values.len().max(1) as f32
}

fn median(mut values: Vec<f32>) -> Option<f32> {
    values.sort_by(f32::total_cmp);
    values.get(values.len() / 2).copied()
}
