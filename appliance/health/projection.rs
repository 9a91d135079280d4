use crate::vision::Corners;

/// How a flat plate lies in the picture: leads from places on the plate, 0 to 1 across and down from its own top
/// left, to pixels of the frame.
///
/// The projective map of the unit square onto four points, after Heckbert, "Fundamentals of Texture Mapping and
/// Image Warping" (1989), section 2.2.
#[derive(Debug, Clone, Copy)]
pub(super) struct Projection([[f64; 3]; 3]);

impl Projection {
    /// None where three of the corners lie on one line.
    pub fn onto(corners: &Corners) -> Option<Self> {
        let [p0, p1, p2, p3] = corners.0.map(|(x, y)| (f64::from(x), f64::from(y)));
        let (right, down) = ((p1.0 - p2.0, p1.1 - p2.1), (p3.0 - p2.0, p3.1 - p2.1));
        let sum = (p0.0 - p1.0 + p2.0 - p3.0, p0.1 - p1.1 + p2.1 - p3.1);
        let area = right.0 * down.1 - down.0 * right.1;
        let (g, h) = ((sum.0 * down.1 - down.0 * sum.1) / area, (right.0 * sum.1 - sum.0 * right.1) / area);
        let rows = [
            [p1.0 - p0.0 + g * p1.0, p3.0 - p0.0 + h * p3.0, p0.0],
            [p1.1 - p0.1 + g * p1.1, p3.1 - p0.1 + h * p3.1, p0.1],
            [g, h, 1.0],
        ];
        (area.abs() > 1.0 && rows.iter().flatten().all(|value| value.is_finite())).then_some(Self(rows))
    }

    /// The pixel of a place on the plate.
    pub fn pixel(&self, across: f32, down: f32) -> (f32, f32) {
        let (x, y) = applied(&self.0, f64::from(across), f64::from(down));
        (x as f32, y as f32)
    }

    /// The map back, from pixels to places on the plate.
    pub fn back(&self) -> impl Fn(f32, f32) -> (f32, f32) + use<> {
        let [[a, b, c], [d, e, f], [g, h, i]] = self.0;
        // The adjugate: a projective map has no scale of its own, so its determinant need not be divided by.
        let back = [
            [e * i - f * h, c * h - b * i, b * f - c * e],
            [f * g - d * i, a * i - c * g, c * d - a * f],
            [d * h - e * g, b * g - a * h, a * e - b * d],
        ];
        move |x, y| {
            let (across, down) = applied(&back, f64::from(x), f64::from(y));
            (across as f32, down as f32)
        }
    }
}

fn applied(rows: &[[f64; 3]; 3], x: f64, y: f64) -> (f64, f64) {
    let [u, v, w] = rows.map(|[a, b, c]| a * x + b * y + c);
    (u / w, v / w)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_and_places_lead_to_each_other() {
        let corners = Corners([(100.0, 50.0), (230.0, 62.0), (226.0, 130.0), (98.0, 110.0)]);
        let projection = Projection::onto(&corners).unwrap();
        let back = projection.back();
        for ((x, y), place) in corners.0.into_iter().zip([(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]) {
            let (across, down) = back(x, y);
            assert!((across - place.0).hypot(down - place.1) < 1e-4, "{across} {down}");
            let pixel = projection.pixel(place.0, place.1);
            assert!((pixel.0 - x).hypot(pixel.1 - y) < 1e-3, "{pixel:?}");
        }
        assert!(Projection::onto(&Corners([(0.0, 0.0), (9.0, 0.0), (18.0, 0.0), (27.0, 0.0)])).is_none());
    }
}
