use super::canvas::{Canvas, Colour, grey};
use super::chance::grain;
use super::view::View;

/// The middle of the lane that the camera looks at, in metres from the camera's pole.
pub(super) const LANE_X: f32 = -0.55;
const HALF_LANE: f32 = 1.75;

/// The empty road; drawn once, since nothing of it moves.
pub(super) fn draw(view: &View) -> Canvas {
    let mut canvas = Canvas::new(view.width, view.height);
    for y in 0..view.height {
        for x in 0..view.width {
            let look = |dx: f32, dy: f32| match view.ground((x as f32 + dx, y as f32 + dy)) {
                Some((across, along)) => surface(across, along),
                None => grey(170.0),
            };
            let colour = look(0.25, 0.3).mixed(look(0.75, 0.7), 0.5);
            canvas.set(x, y, colour, 1.0);
        }
    }
    canvas
}

fn surface(x: f32, z: f32) -> Colour {
    let speckle = |scale: f32| grain((x * scale).floor() as i32, (z * scale).floor() as i32);
    let from_middle = x - LANE_X;
    let worn = speckle(25.0);
    let edge_line = (from_middle - HALF_LANE).abs() < 0.06;
    let dashes = (from_middle + HALF_LANE).abs() < 0.06 && z.rem_euclid(9.0) < 3.2;
    if (edge_line || dashes) && worn > -0.8 {
        return grey(192.0 + 10.0 * speckle(60.0));
    }
    if from_middle > HALF_LANE + 0.7 {
        return Colour::rgb(84.0, 100.0, 58.0).lit(1.0 + 0.22 * speckle(14.0) + 0.12 * speckle(50.0));
    }
    // Tyres darken and polish the lane where they run.
    let track = (from_middle.abs() - 0.75).abs();
    let polish = 8.0 * (1.0 - track / 0.3).max(0.0);
    grey(104.0 - polish + 7.0 * speckle(60.0) + 4.0 * speckle(9.0))
}
