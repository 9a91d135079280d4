/// A point of the world in metres: x to the right, y up from the road, z along the road away from the camera.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    pub x: f32,
    pub y: f32,
    pub z: f32,
}

pub(super) const fn point(x: f32, y: f32, z: f32) -> Point {
    Point { x, y, z }
}

/// A pinhole camera on a pole beside the lane, looking down at it.
pub(super) struct View {
    pub width: usize,
    pub height: usize,
    /// In pixels.
    focal: f32,
    eye: Point,
    /// Right, down and forward of the camera, in the world.
    axes: [Point; 3],
}

/// Nothing nearer than this is drawn.
const NEAR: f32 = 0.5;

impl View {
    pub fn over_the_road(width: usize, height: usize) -> Self {
        // At 1280 pixels a plate is 60 px wide at 13 m and 220 px at 3.6 m, seen from 5 to 18 degrees above.
        let focal = 2600.0 * width as f32 / 1280.0;
        let (pitch, yaw, roll) = (11.0f32.to_radians(), (-4.5f32).to_radians(), 1.2f32.to_radians());
        let forward = point(yaw.sin() * pitch.cos(), -pitch.sin(), yaw.cos() * pitch.cos());
        let level_right = point(yaw.cos(), 0.0, -yaw.sin());
        let level_down = cross(forward, level_right).scaled(-1.0);
        let right = level_right.scaled(roll.cos()).plus(level_down.scaled(roll.sin()));
        let down = level_down.scaled(roll.cos()).plus(level_right.scaled(-roll.sin()));
        Self { width, height, focal, eye: point(0.0, 1.65, 0.0), axes: [right, down, forward] }
    }

    /// A polygon of the world as one of the picture, cut off where it comes too near; may be empty.
    pub fn outline(&self, corners: &[Point]) -> Vec<(f32, f32)> {
        let seen: Vec<Point> = corners.iter().map(|corner| self.turned(*corner)).collect();
        let mut outline = Vec::with_capacity(seen.len() + 1);
        for (index, here) in seen.iter().enumerate() {
            let before = seen[(index + seen.len() - 1) % seen.len()];
            if (before.z < NEAR) != (here.z < NEAR) {
                let share = (NEAR - before.z) / (here.z - before.z);
                outline.push(self.projected(before.plus(here.plus(before.scaled(-1.0)).scaled(share))));
            }
            if here.z >= NEAR {
                outline.push(self.projected(*here));
            }
        }
        outline
    }

    /// Where the ray of a pixel meets the plane across the road at `z`, as x and y; none behind the camera.
    pub fn across(&self, pixel: (f32, f32), z: f32) -> Option<(f32, f32)> {
        let ray = self.ray(pixel);
        let distance = (z - self.eye.z) / ray.z;
        (distance > 0.0).then_some((self.eye.x + ray.x * distance, self.eye.y + ray.y * distance))
    }

    /// Where the ray of a pixel meets the road, as x and z; none above the horizon.
    pub fn ground(&self, pixel: (f32, f32)) -> Option<(f32, f32)> {
        let ray = self.ray(pixel);
        let distance = -self.eye.y / ray.y;
        (ray.y < 0.0).then_some((self.eye.x + ray.x * distance, self.eye.z + ray.z * distance))
    }

    fn ray(&self, (px, py): (f32, f32)) -> Point {
        let [right, down, forward] = self.axes;
        let x = (px - self.width as f32 / 2.0) / self.focal;
        let y = (py - self.height as f32 / 2.0) / self.focal;
        forward.plus(right.scaled(x)).plus(down.scaled(y))
    }

    fn turned(&self, world: Point) -> Point {
        let from_eye = world.plus(self.eye.scaled(-1.0));
        let [right, down, forward] = self.axes;
        point(dot(from_eye, right), dot(from_eye, down), dot(from_eye, forward))
    }

    fn projected(&self, seen: Point) -> (f32, f32) {
        let scale = self.focal / seen.z;
        (self.width as f32 / 2.0 + seen.x * scale, self.height as f32 / 2.0 + seen.y * scale)
    }
}

impl Point {
    fn plus(self, other: Point) -> Point {
        point(self.x + other.x, self.y + other.y, self.z + other.z)
    }

    fn scaled(self, by: f32) -> Point {
        point(self.x * by, self.y * by, self.z * by)
    }
}

fn dot(a: Point, b: Point) -> f32 {
    a.x * b.x + a.y * b.y + a.z * b.z
}

fn cross(a: Point, b: Point) -> Point {
    point(a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rays_and_projection_agree() {
        let view = View::over_the_road(1280, 720);
        let corners = [point(-0.5, 0.45, 6.0), point(0.3, 0.45, 6.0), point(0.3, 0.2, 6.0)];
        for (corner, pixel) in corners.iter().zip(view.outline(&corners)) {
            let (x, y) = view.across(pixel, 6.0).unwrap();
            assert!((x - corner.x).abs() < 1e-3 && (y - corner.y).abs() < 1e-3, "{x} {y}");
        }
    }

    #[test]
    fn what_is_behind_the_camera_is_cut_off() {
        let view = View::over_the_road(1280, 720);
        let behind = [point(0.0, 0.0, -3.0), point(1.0, 0.0, -3.0), point(1.0, 1.0, -2.0)];
        assert!(view.outline(&behind).is_empty());
        let through =
            [point(-1.0, 0.0, -3.0), point(1.0, 0.0, -3.0), point(1.0, 0.0, 9.0), point(-1.0, 0.0, 9.0)];
        assert_eq!(view.outline(&through).len(), 4);
    }
}
