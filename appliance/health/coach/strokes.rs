use super::super::projection::Projection;
use crate::capture::Plane;
use crate::vision::Corners;

/// The grid on which a plate is looked at, upright: finer than any plate that is read is in the picture.
const GRID: (usize, usize) = (384, 192);

/// Where characters stand on a US plate, as shares of its height and width: the rest is frame, state and motto.
const TALL: (f32, f32) = (0.18, 0.86);
const WIDE: (f32, f32) = (0.05, 0.95);

/// Ink and ground must differ by this many luma steps.
const CONTRAST_MIN: f32 = 25.0;

/// Height of characters that can be one line of a plate, as a share of its height; no state's are outside.
const HEIGHTS: std::ops::RangeInclusive<f32> = 0.26..=0.66;

/// A stroke is no thinner and no thicker than this share of the plate's width.
const STROKES: std::ops::RangeInclusive<f32> = 0.008..=0.075;

/// The size of a plate's characters in the picture, in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Strokes {
    pub height_px: f32,
    pub stroke_px: f32,
}

impl Strokes {
    /// None where no line of characters can be told from the ground.
    pub fn of(luma: Plane<'_>, corners: &Corners) -> Option<Self> {
        let ink = Ink::on(luma, corners)?;
        let rows: Vec<Vec<usize>> = (0..ink.height).map(|row| ink.strokes_in(row)).collect();
        let most = rows.iter().map(Vec::len).max().filter(|most| *most >= 3)?;
        // Every row of a line of text crosses strokes, if fewer where E and T have their bars; between lines there are none.
        let of_text: Vec<bool> = rows.iter().map(|row| row.len() >= (most / 5).max(2)).collect();
        let (from, to) = longest(&of_text);
        let tall = (to - from) as f32 / GRID.1 as f32;
        if !HEIGHTS.contains(&tall) {
            return None;
        }
        let inner = from + (to - from) / 5..to - (to - from) / 5;
        let mut widths: Vec<usize> = rows[inner].iter().flatten().copied().collect();
        widths.sort_unstable();
        // The bars of E and Z are long runs: upright strokes are the shorter half.
        let stroke = *widths.get(widths.len() * 2 / 5)? as f32 / GRID.0 as f32;
        Some(Self { height_px: tall * corners.height_px(), stroke_px: stroke * corners.width_px() })
    }
}

/// The middle of a plate, upright, as ink or ground.
struct Ink {
    samples: Vec<bool>,
    width: usize,
    height: usize,
}

impl Ink {
    fn on(luma: Plane<'_>, corners: &Corners) -> Option<Self> {
        let projection = Projection::onto(corners)?;
        let span =
            |(from, to): (f32, f32), size: usize| (from * size as f32) as usize..(to * size as f32) as usize;
        let (columns, rows) = (span(WIDE, GRID.0), span(TALL, GRID.1));
        let mut greys = Vec::with_capacity(columns.len() * rows.len());
        for row in rows.clone() {
            for column in columns.clone() {
                let place = ((column as f32 + 0.5) / GRID.0 as f32, (row as f32 + 0.5) / GRID.1 as f32);
                greys.push(grey_at(luma, projection.pixel(place.0, place.1))?);
            }
        }
        let (threshold, contrast) = between_ink_and_ground(&greys);
        let dark = greys.iter().filter(|grey| **grey < threshold).count();
        // Light on dark, as Vermont's, or dark on light: the ink is the lesser part.
        let ink_is_dark = dark * 2 < greys.len();
        let samples = greys.iter().map(|grey| (*grey < threshold) == ink_is_dark).collect();
        (contrast >= CONTRAST_MIN).then_some(Self { samples, width: columns.len(), height: rows.len() })
    }

    /// The widths of all runs of ink in a row that can be strokes.
    fn strokes_in(&self, row: usize) -> Vec<usize> {
        let row = &self.samples[row * self.width..(row + 1) * self.width];
        let runs = row.chunk_by(|a, b| a == b).filter(|run| run[0]).map(<[bool]>::len);
        runs.filter(|run| STROKES.contains(&(*run as f32 / GRID.0 as f32))).collect()
    }
}

/// The longest stretch that is true but for gaps of one or two.
fn longest(rows: &[bool]) -> (usize, usize) {
    const GAP: usize = 3;
    let (mut best, mut open): ((usize, usize), Option<(usize, usize)>) = ((0, 0), None);
    for at in (0..rows.len()).filter(|at| rows[*at]) {
        let from = open.filter(|(_, to)| at - to < GAP).map_or(at, |(from, _)| from);
        open = Some((from, at + 1));
        if at + 1 - from > best.1 - best.0 {
            best = (from, at + 1);
        }
    }
    best
}

/// Otsu's threshold ("A Threshold Selection Method from Gray-Level Histograms", 1979), and how far the means on both
/// sides of it are apart.
fn between_ink_and_ground(greys: &[f32]) -> (f32, f32) {
    let mut counts = [0.0f64; 256];
    greys.iter().for_each(|grey| counts[*grey as usize] += 1.0);
    let all = greys.len() as f64;
    let sum: f64 = counts.iter().enumerate().map(|(grey, count)| grey as f64 * count).sum();
    let (mut below, mut sum_below, mut best) = (0.0, 0.0, (0.0, 0.0, 0.0));
    for (grey, count) in counts.iter().enumerate() {
        below += count;
        sum_below += grey as f64 * count;
        if below > 0.0 && below < all {
            let apart = (sum - sum_below) / (all - below) - sum_below / below;
            let spread = below * (all - below) * apart * apart;
            if spread > best.0 {
                best = (spread, grey as f64 + 1.0, apart);
            }
        }
    }
    (best.1 as f32, best.2 as f32)
}

/// Bilinear; None outside of the picture.
fn grey_at(luma: Plane<'_>, (x, y): (f32, f32)) -> Option<f32> {
    let (x, y) = (x - 0.5, y - 0.5);
    if !(x >= 0.0 && y >= 0.0 && x < luma.width as f32 - 1.0 && y < luma.height as f32 - 1.0) {
        return None;
    }
    let (column, row) = (x as usize, y as usize);
    let (dx, dy) = (x - column as f32, y - row as f32);
    let along = |row: &[u8]| f32::from(row[column]) * (1.0 - dx) + f32::from(row[column + 1]) * dx;
    Some(along(luma.row(row)) * (1.0 - dy) + along(luma.row(row + 1)) * dy)
}

#[cfg(test)]
mod tests {
    use super::super::super::canary::TestPlate;
    use super::*;
    use crate::capture::{Frame, OwnedPlanes};
    use crate::words::{CameraId, Moment};

    /// The drawn plate's characters are 0.46 of its height tall and their strokes, by its glyphs, about 0.03 of its width.
    #[test]
    fn characters_and_strokes_of_a_known_plate_are_measured() {
        for (number, width) in [90.0f32, 130.0, 215.0].into_iter().cycle().take(24).enumerate() {
            let corners = Corners::of_picture(1, 1)
                .map(|(x, y)| (300.0 + x * width + y * 6.0, 200.0 + y * width / 2.0 + x * 9.0));
            let taken = Moment { uptime: Default::default(), wall: jiff::Timestamp::UNIX_EPOCH };
            let grey = std::sync::Arc::new(OwnedPlanes::grey(vec![100; 1280 * 720], 1280, 720));
            let street = Frame::new(CameraId::parse("lane-1").unwrap(), taken, 0, grey);
            let frame = TestPlate::invented(std::array::from_fn(|at| (number * 29 + at * 53) as u8))
                .laid_into(&street, &corners);
            let strokes = Strokes::of(frame.luma(), &corners).expect("characters are seen");
            let tall = strokes.height_px / corners.height_px();
            assert!((tall - 0.46).abs() < 0.06, "{number}: {width} px wide: {tall}");
            let thick = strokes.stroke_px / corners.width_px();
            assert!((0.015..0.045).contains(&thick), "{number}: {width} px wide: {thick}");
        }
    }

    #[test]
    fn a_bare_plate_shows_no_strokes() {
        let grey = vec![120; 640 * 360];
        let plane = Plane { data: &grey, width: 640, height: 360, stride: 640 };
        assert_eq!(
            Strokes::of(plane, &Corners([(100.0, 100.0), (250.0, 100.0), (250.0, 175.0), (100.0, 175.0)])),
            None
        );
    }
}
