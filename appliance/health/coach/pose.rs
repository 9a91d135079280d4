use crate::vision::Corners;

/// From which direction the camera sees a plate, in degrees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pose {
    /// How far above (or below) the plate the camera is, and how far aside, seen from the plate. Without sign: at the
    /// focal lengths that read plates the outline hardly tells from which side it is seen.
    pub vertical: f32,
    pub side: f32,
    /// How far the plate leans clockwise in the picture.
    pub roll: f32,
    /// From the picture's middle to the plate: positive to the right, and down.
    pub pan: f32,
    pub tilt: f32,
}

/// A US plate is 12 by 6 inches.
const PROPORTION: f64 = 2.0;

impl Pose {
    /// None for an outline that shows no plate's front. `picture` is the frame's width and height in pixels, of which
    /// the width spans `view_angle_deg`.
    ///
    /// The plate is seen as by a scaled parallel projection along its own line of sight: the larger singular value
    /// of that projection is its scale, and what each of the plate's axes lacks of it is foreshortening. The perspective
    /// within a plate's outline would tell more, and is drowned by half a pixel of error in a corner.
    pub fn of(corners: &Corners, picture: (f32, f32), view_angle_deg: f32) -> Option<Self> {
        let focal = f64::from(picture.0) / 2.0 / (f64::from(view_angle_deg).to_radians() / 2.0).tan();
        let ray = |(x, y): (f32, f32)| {
            let (x, y) = (f64::from(x - picture.0 / 2.0) / focal, f64::from(y - picture.1 / 2.0) / focal);
            [x, y, 1.0]
        };
        let forward = unit(ray(corners.centre()));
        let right = unit([forward[2], 0.0, -forward[0]]);
        let down = cross(forward, right);
        let seen = corners.0.map(|corner| {
            let ray = ray(corner);
            (dot(ray, right) / dot(ray, forward), dot(ray, down) / dot(ray, forward))
        });
        let between = |a: (f64, f64), b: (f64, f64), c: (f64, f64), d: (f64, f64)| {
            ((b.0 - a.0 + d.0 - c.0) / 2.0, (b.1 - a.1 + d.1 - c.1) / 2.0)
        };
        let [top_left, top_right, bottom_right, bottom_left] = seen;
        let across = between(top_left, top_right, bottom_left, bottom_right);
        let fall = between(top_left, bottom_left, top_right, bottom_right);
        let fall = (fall.0 * PROPORTION, fall.1 * PROPORTION);

        let (a, b) = (across.0 * across.0 + across.1 * across.1, fall.0 * fall.0 + fall.1 * fall.1);
        let shared = across.0 * fall.0 + across.1 * fall.1;
        let scale = (a + b + ((a - b).powi(2) + 4.0 * shared * shared).sqrt()) / 2.0;
        let facing = (across.0 * fall.1 - across.1 * fall.0) / scale;
        let lacking = |length: f64| (1.0 - length / scale).max(0.0).sqrt();
        let degrees = |radians: f64| radians.to_degrees() as f32;
        (facing > 0.0).then(|| Self {
            vertical: degrees(lacking(b).asin()),
            side: degrees(lacking(a).atan2(facing)),
            roll: degrees(across.1.atan2(across.0)),
            pan: degrees(forward[0].atan2(forward[2])),
            tilt: degrees(forward[1].atan2(forward[2])),
        })
    }
}

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn cross(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

fn unit(a: [f64; 3]) -> [f64; 3] {
    let length = dot(a, a).sqrt();
    a.map(|value| value / length)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PICTURE: (f32, f32) = (1280.0, 720.0);

    /// A plate `width` pixels wide at `at`, as a pinhole camera with a lens of `lens` degrees sees it from `vertical`
    /// degrees above and `side` degrees aside, turned about its axis by `roll`.
    fn seen(at: (f32, f32), width: f64, lens: f64, [vertical, side, roll]: [f64; 3]) -> Corners {
        let focal = 640.0 / (lens.to_radians() / 2.0).tan();
        let (dx, dy) = (f64::from(at.0 - 640.0) / focal, f64::from(at.1 - 360.0) / focal);
        let sight = unit([dx, dy, 1.0]);
        let right = unit([sight[2], 0.0, -sight[0]]);
        let down = cross(sight, right);
        let ((sv, cv), (ss, cs)) = (vertical.to_radians().sin_cos(), side.to_radians().sin_cos());
        let (sr, cr) = roll.to_radians().sin_cos();
        // Of the plate's axes in the camera's, which looks along the line of sight.
        let turned = |[x, y, z]: [f64; 3]| {
            let (x, z) = (x * cs + z * ss, z * cs - x * ss);
            let (y, z) = (y * cv - z * sv, z * cv + y * sv);
            [x * cr - y * sr, x * sr + y * cr, z]
        };
        let distance = 12.0 * focal / width;
        Corners([(-6.0, -3.0), (6.0, -3.0), (6.0, 3.0), (-6.0, 3.0)].map(|(x, y)| {
            let [x, y, z] = turned([x, y, 0.0]);
            let place: [f64; 3] =
                std::array::from_fn(|i| x * right[i] + y * down[i] + (distance + z) * sight[i]);
            let pixel = |along: f64, middle: f64| (middle + focal * along / place[2]) as f32;
            (pixel(place[0], 640.0), pixel(place[1], 360.0))
        }))
    }

    #[test]
    fn the_angles_of_a_known_camera_come_back_within_a_degree() {
        let places = [(640.0, 360.0), (200.0, 600.0), (1100.0, 150.0)];
        for (lens, at) in [12.0, 30.0, 60.0].into_iter().flat_map(|lens| places.map(|at| (lens, at))) {
            for vertical in [0.0, 10.0, 18.0, 30.0, 40.0] {
                for side in [0.0, 5.0, 20.0, 35.0] {
                    let corners = seen(at, 150.0, lens, [vertical, side, 0.0]);
                    let pose = Pose::of(&corners, PICTURE, lens as f32).unwrap();
                    let errors = ((pose.vertical - vertical as f32).abs(), (pose.side - side as f32).abs());
                    assert!(
                        errors.0 < 1.0 && errors.1 < 1.0,
                        "lens of {lens} at {at:?}: {vertical} above, {side} aside as {pose:?}"
                    );
                }
            }
        }
    }

    /// A corner that is wrong by a pixel moves the angles that count, those past their limits, by less than this.
    #[test]
    fn a_pixel_of_error_in_each_corner_costs_less_than_seven_degrees() {
        let mut worst = 0.0f32;
        for wrong in 0..256u32 {
            let off = |corner: u32, axis: u32| if wrong >> (2 * corner + axis) & 1 == 1 { 0.7 } else { -0.7 };
            for (vertical, side) in [(30.0, 0.0), (18.0, 0.0), (0.0, 25.0)] {
                let mut corners = seen((500.0, 400.0), 150.0, 30.0, [vertical, side, 0.0]);
                for (corner, point) in (0..).zip(&mut corners.0) {
                    *point = (point.0 + off(corner, 0), point.1 + off(corner, 1));
                }
                let pose = Pose::of(&corners, PICTURE, 30.0).unwrap();
                let (told, true_one) = if side > 0.0 { (pose.side, side) } else { (pose.vertical, vertical) };
                worst = worst.max((told - true_one as f32).abs());
            }
        }
        assert!(worst < 7.0, "{worst} degrees");
    }

    #[test]
    fn roll_pan_and_tilt_are_told_with_their_direction() {
        let pose = Pose::of(&seen((640.0, 360.0), 150.0, 30.0, [10.0, 0.0, 8.0]), PICTURE, 30.0).unwrap();
        assert!((pose.roll - 8.0).abs() < 0.2, "{pose:?}");
        let focal = 640.0 / 15.0f32.to_radians().tan();
        let (right, up) = (focal * 3.0f32.to_radians().tan(), focal * 2.0f32.to_radians().tan());
        let corners = seen((640.0 + right, 360.0 - up), 150.0, 30.0, [10.0, 0.0, 0.0]);
        let pose = Pose::of(&corners, PICTURE, 30.0).unwrap();
        assert!((pose.pan - 3.0).abs() < 0.1 && (pose.tilt + 2.0).abs() < 0.1, "{pose:?}");
    }

    #[test]
    fn a_mirrored_outline_is_no_plate() {
        let mirrored = Corners([(200.0, 100.0), (100.0, 100.0), (100.0, 150.0), (200.0, 150.0)]);
        assert_eq!(Pose::of(&mirrored, PICTURE, 30.0), None);
    }
}
