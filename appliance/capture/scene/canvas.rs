use super::chance::Chance;
use crate::capture::OwnedPlanes;

/// A colour as luma and chroma, each 0 to 255.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Colour {
    pub y: f32,
    pub u: f32,
    pub v: f32,
}

pub(super) const fn grey(y: f32) -> Colour {
    Colour { y, u: 128.0, v: 128.0 }
}

impl Colour {
    /// BT.601, full range.
    pub const fn rgb(r: f32, g: f32, b: f32) -> Self {
        Self {
            y: 0.299 * r + 0.587 * g + 0.114 * b,
            u: 128.0 - 0.169 * r - 0.331 * g + 0.5 * b,
            v: 128.0 + 0.5 * r - 0.419 * g - 0.081 * b,
        }
    }

    /// Brighter or darker in the same hue.
    pub fn lit(self, by: f32) -> Self {
        let hue = by.min(1.0);
        Self {
            y: (self.y * by).min(255.0),
            u: 128.0 + (self.u - 128.0) * hue,
            v: 128.0 + (self.v - 128.0) * hue,
        }
    }

    pub fn mixed(self, other: Self, share: f32) -> Self {
        let mix = |a: f32, b: f32| a + (b - a) * share;
        Self { y: mix(self.y, other.y), u: mix(self.u, other.u), v: mix(self.v, other.v) }
    }
}

/// How a polygon is filled: from one colour at its top to another at its foot, more or less opaque.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paint {
    pub top: Colour,
    pub foot: Colour,
    pub opacity: f32,
}

impl Paint {
    pub fn flat(colour: Colour) -> Self {
        Self { top: colour, foot: colour, opacity: 1.0 }
    }

    pub fn graded(top: Colour, foot: Colour) -> Self {
        Self { top, foot, opacity: 1.0 }
    }
}

/// A picture being drawn, in 4:2:0.
#[derive(Clone)]
pub(super) struct Canvas {
    planes: [Samples; 3],
}

#[derive(Clone)]
struct Samples {
    data: Vec<u8>,
    width: usize,
    height: usize,
}

impl Canvas {
    pub fn new(width: usize, height: usize) -> Self {
        let plane = |width: usize, height: usize| Samples { data: vec![128; width * height], width, height };
        let chroma = plane(width.div_ceil(2), height.div_ceil(2));
        Self { planes: [plane(width, height), chroma.clone(), chroma] }
    }

    /// Sets one pixel, and the chroma that it shares with its neighbours. Outside the picture: nothing.
    pub fn set(&mut self, x: usize, y: usize, colour: Colour, opacity: f32) {
        let [luma, u, v] = &mut self.planes;
        luma.blend(x, y, colour.y, opacity);
        if x.is_multiple_of(2) && y.is_multiple_of(2) {
            u.blend(x / 2, y / 2, colour.u, opacity);
            v.blend(x / 2, y / 2, colour.v, opacity);
        }
    }

    /// Fills a convex polygon with smooth edges.
    pub fn fill(&mut self, outline: &[(f32, f32)], paint: Paint) {
        if outline.len() < 3 {
            return;
        }
        let [luma, u, v] = &mut self.planes;
        luma.fill(outline, paint.top.y, paint.foot.y, paint.opacity);
        let half: Vec<_> = outline.iter().map(|(x, y)| (x / 2.0, y / 2.0)).collect();
        u.fill(&half, paint.top.u, paint.foot.u, paint.opacity);
        v.fill(&half, paint.top.v, paint.foot.v, paint.opacity);
    }

    /// Adds the noise of a sensor to the luma: `noise` is a stock of samples, longer than a row.
    pub fn add_noise(&mut self, noise: &[i8], chance: &mut Chance) {
        let luma = &mut self.planes[0];
        for row in luma.data.chunks_exact_mut(luma.width) {
            let from = chance.below(noise.len() - row.len());
            for (sample, noise) in row.iter_mut().zip(&noise[from..]) {
                *sample = sample.saturating_add_signed(*noise);
            }
        }
    }

    pub fn into_planes(self) -> OwnedPlanes {
        let [luma, u, v] = self.planes;
        OwnedPlanes::colour(luma.data, u.data, v.data, luma.width, luma.height)
    }
}

impl Samples {
    fn blend(&mut self, x: usize, y: usize, value: f32, opacity: f32) {
        if x < self.width && y < self.height {
            let sample = &mut self.data[y * self.width + x];
            *sample = blended(*sample, value, opacity);
        }
    }

    fn fill(&mut self, outline: &[(f32, f32)], top: f32, foot: f32, opacity: f32) {
        let (first, last) = bounds(outline.iter().map(|point| point.1));
        let rows = first.max(0.0) as usize..(last.ceil().max(0.0) as usize).min(self.height);
        for y in rows {
            let spans = SUB_ROWS.map(|offset| span(outline, y as f32 + offset, self.width as f32));
            let share = ((y as f32 - first) / (last - first).max(1.0)).clamp(0.0, 1.0);
            let value = top + (foot - top) * share;
            let row = &mut self.data[y * self.width..(y + 1) * self.width];
            fill_row(row, &spans, value, opacity);
        }
    }
}

/// Four samples for each row make edges smooth; along a row coverage is exact.
const SUB_ROWS: [f32; 4] = [0.125, 0.375, 0.625, 0.875];

/// Where a convex outline is cut by the line at `y`, within 0 to `width`; empty spans are (0, 0).
fn span(outline: &[(f32, f32)], y: f32, width: f32) -> (f32, f32) {
    let (mut left, mut right) = (f32::INFINITY, f32::NEG_INFINITY);
    for (index, &(x1, y1)) in outline.iter().enumerate() {
        let (x0, y0) = outline[(index + outline.len() - 1) % outline.len()];
        if (y0 <= y) != (y1 <= y) {
            let x = x0 + (x1 - x0) * (y - y0) / (y1 - y0);
            left = left.min(x);
            right = right.max(x);
        }
    }
    if left < right { (left.clamp(0.0, width), right.clamp(0.0, width)) } else { (0.0, 0.0) }
}

fn fill_row(row: &mut [u8], spans: &[(f32, f32); 4], value: f32, opacity: f32) {
    let (outer_left, inner_left) = bounds(spans.iter().map(|span| span.0));
    let (inner_right, outer_right) = bounds(spans.iter().map(|span| span.1));
    let (begin, end) = (outer_left as usize, (outer_right.ceil() as usize).min(row.len()));
    let solid = (inner_left.ceil() as usize).min(end)..inner_right as usize;
    let solid = if solid.start < solid.end { solid } else { end..end };
    for x in (begin..solid.start).chain(solid.end..end) {
        let covered: f32 =
            spans.iter().map(|(left, right)| (right.min(x as f32 + 1.0) - left.max(x as f32)).max(0.0)).sum();
        row[x] = blended(row[x], value, opacity * covered / spans.len() as f32);
    }
    if opacity >= 1.0 {
        row[solid].fill(value as u8);
    } else {
        row[solid].iter_mut().for_each(|sample| *sample = blended(*sample, value, opacity));
    }
}

fn blended(sample: u8, value: f32, opacity: f32) -> u8 {
    (f32::from(sample) + (value - f32::from(sample)) * opacity + 0.5) as u8
}

fn bounds(values: impl Iterator<Item = f32>) -> (f32, f32) {
    values.fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::Planes;

    #[test]
    fn a_polygon_covers_its_area_with_smooth_edges() {
        let mut canvas = Canvas::new(32, 32);
        canvas.fill(&[(4.5, 4.0), (20.0, 4.0), (20.0, 12.0), (4.5, 12.0)], Paint::flat(grey(228.0)));
        let planes = canvas.into_planes();
        assert_eq!(planes.luma().row(8)[3..7], [128, 178, 228, 228]);
        assert_eq!(planes.luma().row(8)[19..21], [228, 128]);
        assert_eq!((planes.luma().row(3)[10], planes.luma().row(12)[10]), (128, 128));
    }

    #[test]
    fn what_lies_outside_the_picture_is_cut_off() {
        let mut canvas = Canvas::new(16, 8);
        canvas.fill(&[(-50.0, -50.0), (90.0, -50.0), (90.0, 90.0), (-50.0, 90.0)], Paint::flat(grey(10.0)));
        canvas.set(99, 99, grey(200.0), 1.0);
        let planes = canvas.into_planes();
        assert!((0..8).all(|y| planes.luma().row(y).iter().all(|sample| *sample == 10)));
    }
}
