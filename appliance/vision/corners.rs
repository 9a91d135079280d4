/// A plate's outline in pixels of the full frame, clockwise from the plate's own top left.
///
/// Coordinates count from the frame's outer top left corner: a frame spans `0..width` and its first pixel's
/// middle is at 0.5.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Corners(pub [(f32, f32); 4]);

impl Corners {
    /// The picture's own border, for a picture that is nothing but a plate.
    pub fn of_picture(width: usize, height: usize) -> Self {
        let (width, height) = (width as f32, height as f32);
        Self([(0.0, 0.0), (width, 0.0), (width, height), (0.0, height)])
    }

    pub fn centre(&self) -> (f32, f32) {
        let (x, y) = self.0.iter().fold((0.0, 0.0), |sum, point| (sum.0 + point.0, sum.1 + point.1));
        (x / 4.0, y / 4.0)
    }

    /// Mean length of the upper and the lower edge.
    pub fn width_px(&self) -> f32 {
        let [top_left, top_right, bottom_right, bottom_left] = self.0;
        (distance(top_left, top_right) + distance(bottom_left, bottom_right)) / 2.0
    }

    /// Mean length of the left and the right edge.
    pub fn height_px(&self) -> f32 {
        let [top_left, top_right, bottom_right, bottom_left] = self.0;
        (distance(top_left, bottom_left) + distance(top_right, bottom_right)) / 2.0
    }

    /// The same outline in other units.
    pub fn map(&self, change: impl FnMut((f32, f32)) -> (f32, f32)) -> Self {
        Self(self.0.map(change))
    }

    /// The upright rectangle around the outline: left, top, right, bottom.
    pub fn bounds(&self) -> (f32, f32, f32, f32) {
        let start = (f32::INFINITY, f32::INFINITY, f32::NEG_INFINITY, f32::NEG_INFINITY);
        self.0.iter().fold(start, |(left, top, right, bottom), &(x, y)| {
            (left.min(x), top.min(y), right.max(x), bottom.max(y))
        })
    }

    /// Whether the outline turns clockwise at every corner and has the proportions of a plate seen
    /// from the road: from a motorcycle's tall one to a European one seen from above.
    pub fn is_plate_like(&self) -> bool {
        let turns_clockwise = (0..4).all(|corner| {
            let [a, b, c] = [0, 1, 2].map(|step| self.0[(corner + step) % 4]);
            (b.0 - a.0) * (c.1 - b.1) - (b.1 - a.1) * (c.0 - b.0) > 0.0
        });
        let proportion = self.width_px() / self.height_px();
        turns_clockwise && (0.7..=9.0).contains(&proportion)
    }

    /// Shared area of the two upright bounds, as a share of the smaller.
    pub fn overlap(&self, other: &Self) -> f32 {
        let (left, top, right, bottom) = self.bounds();
        let (other_left, other_top, other_right, other_bottom) = other.bounds();
        let shared = (right.min(other_right) - left.max(other_left)).max(0.0)
            * (bottom.min(other_bottom) - top.max(other_top)).max(0.0);
        let smaller =
            ((right - left) * (bottom - top)).min((other_right - other_left) * (other_bottom - other_top));
        if smaller > 0.0 { shared / smaller } else { 0.0 }
    }
}

fn distance(a: (f32, f32), b: (f32, f32)) -> f32 {
    (a.0 - b.0).hypot(a.1 - b.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tilted_plate_is_plate_like_and_a_twisted_outline_is_not() {
        assert!(Corners([(10.0, 10.0), (70.0, 40.0), (60.0, 70.0), (0.0, 40.0)]).is_plate_like());
        let mirrored = Corners([(60.0, 0.0), (0.0, 0.0), (0.0, 30.0), (60.0, 30.0)]);
        assert!(!mirrored.is_plate_like());
        let crossed = Corners([(0.0, 0.0), (60.0, 0.0), (0.0, 30.0), (60.0, 30.0)]);
        assert!(!crossed.is_plate_like());
        assert!(!Corners([(5.0, 5.0); 4]).is_plate_like());
        assert!(!Corners([(f32::NAN, 0.0), (60.0, 0.0), (60.0, 30.0), (0.0, 30.0)]).is_plate_like());
    }

    #[test]
    fn overlap_is_a_share_of_the_smaller() {
        let large = Corners::of_picture(100, 50);
        let inside = large.map(|(x, y)| (x / 2.0 + 10.0, y / 2.0 + 10.0));
        let aside = large.map(|(x, y)| (x + 200.0, y));
        assert_eq!(large.overlap(&inside), 1.0);
        assert_eq!(large.overlap(&aside), 0.0);
    }
}
