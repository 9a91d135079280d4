use opencv::core::Mat;
use serde::{Deserialize, Serialize};

/// In pixels: to the right and down.
pub(super) type Point = (f64, f64);

/// Where something was, and where it is now.
pub(super) type Pair = (Point, Point);

/// A turn about the origin, a scale and a shift: `p -> (re + i im) p + (x + i y)` in the plane of complex numbers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Similarity {
    pub re: f64,
    pub im: f64,
    pub x: f64,
    pub y: f64,
}

impl Similarity {
    pub const IDENTITY: Self = Self { re: 1.0, im: 0.0, x: 0.0, y: 0.0 };

    pub fn scale(&self) -> f64 {
        self.re.hypot(self.im)
    }

    /// Positive: clockwise in the picture, whose y points down.
    pub fn turned_deg(&self) -> f64 {
        self.im.atan2(self.re).to_degrees()
    }

    pub fn apply(&self, (x, y): Point) -> Point {
        (self.re * x - self.im * y + self.x, self.im * x + self.re * y + self.y)
    }

    /// First `first`, then this.
    pub fn after(&self, first: &Self) -> Self {
        let (x, y) = self.apply((first.x, first.y));
        Self {
            re: self.re * first.re - self.im * first.im,
            im: self.im * first.re + self.re * first.im,
            x,
            y,
        }
    }

    pub fn inverse(&self) -> Self {
        let norm = self.re * self.re + self.im * self.im;
        let turn = Self { re: self.re / norm, im: -self.im / norm, x: 0.0, y: 0.0 };
        let (x, y) = turn.apply((self.x, self.y));
        Self { x: -x, y: -y, ..turn }
    }

    /// How far a point is moved.
    pub fn shift_at(&self, (x, y): Point) -> Point {
        let moved = self.apply((x, y));
        (moved.0 - x, moved.1 - y)
    }

    /// The same for pictures `factor` times as large.
    pub fn enlarged(&self, factor: f64) -> Self {
        // Pixels are squares: the middle of the first one does not stay at zero.
        let half = (factor - 1.0) / 2.0;
        let centred = |own: f64, turned: f64| factor * own + half - turned;
        Self {
            x: centred(self.x, half * (self.re - self.im)),
            y: centred(self.y, half * (self.re + self.im)),
            ..*self
        }
    }

    pub fn matrix(&self) -> Result<Mat, opencv::Error> {
        Mat::from_slice_2d(&[[self.re, -self.im, self.x], [self.im, self.re, self.y]])
    }

    /// The least squares fit of `from -> to`.
    pub fn fitted(pairs: &[Pair]) -> Self {
        let count = pairs.len() as f64;
        let sum = pairs.iter().fold([0.0; 4], |sum, (from, to)| {
            [sum[0] + from.0, sum[1] + from.1, sum[2] + to.0, sum[3] + to.1]
        });
        let [from_x, from_y, to_x, to_y] = sum.map(|sum| sum / count);
        let (mut re, mut im, mut spread) = (0.0, 0.0, 0.0);
        for (from, to) in pairs {
            let (px, py, qx, qy) = (from.0 - from_x, from.1 - from_y, to.0 - to_x, to.1 - to_y);
            re += px * qx + py * qy;
            im += px * qy - py * qx;
            spread += px * px + py * py;
        }
        if spread <= f64::EPSILON {
            return Self { x: to_x - from_x, y: to_y - from_y, ..Self::IDENTITY };
        }
        let turn = Self { re: re / spread, im: im / spread, x: 0.0, y: 0.0 };
        let (x, y) = turn.apply((from_x, from_y));
        Self { x: to_x - x, y: to_y - y, ..turn }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn similarities_go_forth_and_back() {
        let there = Similarity { re: 0.98, im: 0.1, x: 12.0, y: -7.0 };
        let (x, y) = there.inverse().after(&there).apply((31.0, 77.0));
        assert!((x - 31.0).abs() < 1e-9 && (y - 77.0).abs() < 1e-9);
        let points = [(0.0, 0.0), (100.0, 10.0), (50.0, 80.0)];
        let fitted = Similarity::fitted(&points.map(|point| (point, there.apply(point))));
        assert!((fitted.re - there.re).abs() < 1e-9 && (fitted.y - there.y).abs() < 1e-9, "{fitted:?}");
    }
}
