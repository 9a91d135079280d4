//! The localiser's maps to plate outlines: arithmetic only.

use super::corners::Corners;

/// Pixels of the network's input for each cell of its maps.
pub(super) const CELL_PX: usize = 4;

/// The network gives corner offsets in units of this many input pixels.
const OFFSET_UNIT_PX: f32 = 16.0;

/// More plates than this in one frame are not a road; the surest are kept, so that time stays bounded.
const PLATES_MAX: usize = 24;

/// Two outlines that share more than this of the smaller are one plate.
const SHARED_MAX: f32 = 0.4;

/// The maps of one look: `heat` is `height * width` logits, `offsets` eight such planes.
pub(super) struct Maps<'a> {
    pub heat: &'a [f32],
    pub offsets: &'a [f32],
    pub width: usize,
    pub height: usize,
}

/// One plate in pixels of the network's input.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Peak {
    pub logit: f32,
    pub corners: Corners,
}

/// Every plate whose logit is at least `floor`, surest first, each once.
pub(super) fn peaks(maps: &Maps<'_>, floor: f32) -> Vec<Peak> {
    let mut found: Vec<Peak> = (0..maps.height)
        .flat_map(|y| (0..maps.width).map(move |x| (x, y)))
        .filter(|&(x, y)| maps.heat[y * maps.width + x] >= floor && maps.is_highest_around(x, y))
        .map(|(x, y)| maps.peak_at(x, y))
        .filter(|peak| peak.corners.is_plate_like())
        .collect();
    found.sort_by(|a, b| b.logit.total_cmp(&a.logit));
    let mut kept: Vec<Peak> = Vec::new();
    for peak in found {
        if kept.len() == PLATES_MAX {
            break;
        }
        if kept.iter().all(|surer| surer.corners.overlap(&peak.corners) < SHARED_MAX) {
            kept.push(peak);
        }
    }
    kept
}

impl Maps<'_> {
    fn is_highest_around(&self, x: usize, y: usize) -> bool {
        let here = self.heat[y * self.width + x];
        let rows = y.saturating_sub(1)..=(y + 1).min(self.height - 1);
        rows.into_iter().all(|other_y| {
            let from = other_y * self.width + x.saturating_sub(1);
            let to = other_y * self.width + (x + 1).min(self.width - 1);
            self.heat[from..=to].iter().all(|&other| other <= here)
        })
    }

    fn peak_at(&self, x: usize, y: usize) -> Peak {
        let cell = y * self.width + x;
        let plane = self.width * self.height;
        let middle = |index: usize| (index as f32 + 0.5) * CELL_PX as f32;
        let corner = |number: usize| {
            let offset = |axis: usize| self.offsets[(2 * number + axis) * plane + cell] * OFFSET_UNIT_PX;
            (middle(x) + offset(0), middle(y) + offset(1))
        };
        Peak { logit: self.heat[cell], corners: Corners([0, 1, 2, 3].map(corner)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDTH: usize = 20;
    const HEIGHT: usize = 10;

    /// Maps on which each named cell shows a plate of 32x16 input pixels with the given logit.
    fn maps(plates: &[(usize, usize, f32)]) -> (Vec<f32>, Vec<f32>) {
        let mut heat = vec![-9.0; WIDTH * HEIGHT];
        let mut offsets = vec![0.0; 8 * WIDTH * HEIGHT];
        for &(x, y, logit) in plates {
            heat[y * WIDTH + x] = logit;
            for (plane, offset) in [-1.0, -0.5, 1.0, -0.5, 1.0, 0.5, -1.0, 0.5].into_iter().enumerate() {
                offsets[plane * WIDTH * HEIGHT + y * WIDTH + x] = offset;
            }
        }
        (heat, offsets)
    }

    fn found(plates: &[(usize, usize, f32)]) -> Vec<Peak> {
        let (heat, offsets) = maps(plates);
        peaks(&Maps { heat: &heat, offsets: &offsets, width: WIDTH, height: HEIGHT }, 0.0)
    }

    #[test]
    fn a_peak_becomes_an_outline_around_its_cell() {
        let [peak] = found(&[(5, 4, 2.0)])[..] else { panic!("one plate was shown") };
        assert_eq!(peak.logit, 2.0);
        assert_eq!(peak.corners.0, [(6.0, 10.0), (38.0, 10.0), (38.0, 26.0), (6.0, 26.0)]);
    }

    #[test]
    fn one_plate_with_two_peaks_is_found_once_at_the_surer() {
        let peaks = found(&[(5, 4, 1.0), (7, 4, 3.0)]);
        assert_eq!(peaks.iter().map(|peak| peak.logit).collect::<Vec<_>>(), [3.0]);
    }

    #[test]
    fn two_plates_side_by_side_are_two_surest_first() {
        let peaks = found(&[(4, 4, 1.0), (13, 4, 3.0)]);
        assert_eq!(peaks.iter().map(|peak| peak.logit).collect::<Vec<_>>(), [3.0, 1.0]);
    }

    #[test]
    fn a_peak_at_the_border_and_nothing_below_the_floor() {
        assert_eq!(found(&[(19, 9, 1.0), (0, 0, -0.1)]).len(), 1);
    }

    #[test]
    fn an_even_map_of_any_value_does_no_harm() {
        for value in [f32::NAN, f32::INFINITY, 50.0] {
            let heat = vec![value; WIDTH * HEIGHT];
            let offsets = vec![value; 8 * WIDTH * HEIGHT];
            let even = Maps { heat: &heat, offsets: &offsets, width: WIDTH, height: HEIGHT };
            assert_eq!(peaks(&even, 0.0), []);
        }
    }
}
