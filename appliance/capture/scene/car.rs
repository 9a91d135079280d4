use super::ScenePlate;
use super::canvas::{Canvas, Colour, Paint, grey};
use super::chance::Chance;
use super::plate::{self, PlatePicture};
use super::view::{Point, View, point};

/// From bumper to bumper.
pub(super) const LENGTH_M: f32 = 4.4;

const PAINTS: [Colour; 6] = [
    Colour::rgb(206.0, 208.0, 210.0),
    Colour::rgb(140.0, 144.0, 150.0),
    Colour::rgb(52.0, 54.0, 58.0),
    Colour::rgb(40.0, 60.0, 112.0),
    Colour::rgb(132.0, 30.0, 34.0),
    Colour::rgb(72.0, 98.0, 84.0),
];

/// One car with the looks it keeps for its whole drive.
pub(super) struct Car {
    body: Colour,
    /// Where its middle runs.
    lane_x: f32,
    /// How high its bumper stands over that of a low car.
    lift: f32,
    plate: PlatePicture,
}

impl Car {
    pub fn new(plate: &ScenePlate, lane_x: f32, chance: &mut Chance) -> Self {
        Self {
            body: *chance.pick(&PAINTS),
            lane_x: lane_x + chance.between(-0.2, 0.2),
            lift: chance.between(0.0, 0.12),
            plate: PlatePicture::draw(plate, chance.between(0.82, 1.0)),
        }
    }

    /// Draws the car with its front at `z`, what is behind first.
    pub fn draw(&self, canvas: &mut Canvas, view: &View, z: f32) {
        let body = self.body;
        let mut quad = |corners: [Point; 4], paint: Paint| {
            let at = |corner: Point| point(self.lane_x + corner.x, corner.y + self.lift, z + corner.z);
            canvas.fill(&view.outline(&corners.map(at)), paint);
        };
        let shadow = |opacity| Paint { opacity, ..Paint::flat(grey(26.0)) };
        let ground = -self.lift;
        quad(floor(1.10, ground, -0.35, LENGTH_M + 0.2), shadow(0.25));
        quad(floor(0.95, ground, -0.12, LENGTH_M), shadow(0.55));
        for side in [-1.0, 1.0] {
            let wheel = |x: f32, y: f32| point(side * x, y - self.lift, 0.25);
            quad(
                [wheel(0.64, 0.3), wheel(0.86, 0.3), wheel(0.86, 0.0), wheel(0.64, 0.0)],
                Paint::flat(grey(22.0)),
            );
        }
        // Roof, sides, windscreen, bonnet, front.
        quad(between((0.58, 1.44, 3.1), (0.60, 1.42, 1.75)), Paint::flat(body.lit(1.12)));
        for side in [-1.0, 1.0] {
            let flank = |x: f32, y: f32, z: f32| point(side * x, y, z);
            quad(
                [
                    flank(0.86, 0.84, 0.2),
                    flank(0.86, 0.90, 4.2),
                    flank(0.90, 0.24, 4.2),
                    flank(0.90, 0.24, 0.1),
                ],
                Paint::graded(body.lit(0.85), body.lit(0.5)),
            );
            quad(
                [
                    flank(0.80, 0.96, 1.1),
                    flank(0.61, 1.40, 1.8),
                    flank(0.60, 1.40, 3.1),
                    flank(0.82, 0.92, 3.8),
                ],
                Paint::flat(grey(44.0)),
            );
        }
        let glass = Paint::graded(Colour::rgb(92.0, 104.0, 116.0), Colour::rgb(30.0, 36.0, 42.0));
        quad(between((0.60, 1.42, 1.75), (0.76, 0.96, 1.05)), glass);
        quad(between((0.80, 0.97, 1.08), (0.87, 0.81, 0.0)), Paint::graded(body.lit(0.98), body.lit(1.15)));
        quad(front(0.87, 0.82, 0.52), Paint::graded(body.lit(1.0), body.lit(0.86)));
        quad(front(0.89, 0.53, 0.20), Paint::graded(body.lit(0.84), body.lit(0.58)));
        // Grille and its bars, lower intake.
        quad(front(0.44, 0.74, 0.60), Paint::flat(grey(30.0)));
        for bar in [0.63, 0.67, 0.71] {
            quad(front(0.43, bar + 0.008, bar - 0.004), Paint::flat(grey(118.0)));
        }
        quad(front(0.62, 0.31, 0.23), Paint::flat(grey(24.0)));
        for side in [-1.0, 1.0] {
            let lamp = |from: f32, to: f32, top: f32, foot: f32| {
                let at = |x: f32, y: f32| point(side * x, y, -0.01);
                [at(from, top), at(to, top + 0.02), at(to, foot), at(from, foot)]
            };
            quad(lamp(0.50, 0.82, 0.73, 0.61), Paint::flat(grey(70.0)));
            quad(lamp(0.52, 0.80, 0.72, 0.62), Paint::graded(grey(238.0), grey(172.0)));
            quad(lamp(0.68, 0.80, 0.36, 0.30), Paint::flat(grey(150.0)));
        }
        self.draw_plate(canvas, view, z - 0.03);
    }

    fn draw_plate(&self, canvas: &mut Canvas, view: &View, z: f32) {
        let (left, top) = (self.lane_x - plate::WIDTH_M / 2.0, 0.50 + self.lift);
        let corner = |x: f32, y: f32| point(left + x * plate::WIDTH_M, top - y * plate::HEIGHT_M, z);
        let outline = view.outline(&[corner(0.0, 0.0), corner(1.0, 0.0), corner(1.0, 1.0), corner(0.0, 1.0)]);
        if outline.len() != 4 {
            return;
        }
        let width_px = outline[1].0 - outline[0].0;
        let range = |values: [f32; 4], end: usize| {
            let low = values.iter().copied().fold(f32::INFINITY, f32::min).max(0.0);
            let high = values.iter().copied().fold(0.0, f32::max).ceil();
            low as usize..(high as usize).min(end)
        };
        let corners: [(f32, f32); 4] = [outline[0], outline[1], outline[2], outline[3]];
        for py in range(corners.map(|corner| corner.1), view.height) {
            for px in range(corners.map(|corner| corner.0), view.width) {
                let Some((x, y)) = view.across((px as f32 + 0.5, py as f32 + 0.5), z) else { continue };
                let (x, y) = ((x - left) / plate::WIDTH_M, (top - y) / plate::HEIGHT_M);
                // How far inside the plate, in pixels: a pixel on its edge is covered in part.
                let inside = (x.min(1.0 - x) * width_px).min(y.min(1.0 - y) * width_px / 2.0);
                let covered = (inside + 0.5).clamp(0.0, 1.0);
                if covered > 0.0 {
                    canvas.set(px, py, self.plate.at(x, y, width_px), covered);
                }
            }
        }
    }
}

/// A rectangle on the ground.
fn floor(half: f32, y: f32, from: f32, to: f32) -> [Point; 4] {
    [point(-half, y, from), point(half, y, from), point(half, y, to), point(-half, y, to)]
}

/// A panel between two edges across the car, each given as half width, height and depth.
fn between(upper: (f32, f32, f32), lower: (f32, f32, f32)) -> [Point; 4] {
    let edge = |(half, y, z): (f32, f32, f32)| (point(-half, y, z), point(half, y, z));
    let ((a, b), (d, c)) = (edge(upper), edge(lower));
    [a, b, c, d]
}

/// A panel of the front.
fn front(half: f32, top: f32, foot: f32) -> [Point; 4] {
    between((half, top, 0.0), (half, foot, 0.0))
}
