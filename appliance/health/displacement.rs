use serde::{Deserialize, Serialize};

/// What is taken for the horizontal angle of view where the configuration does not tell it: a usual lens for one lane.
pub const VIEW_ANGLE_ASSUMED_DEG: f32 = 30.0;

/// How a camera's view lies against the one that a person verified.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Displacement {
    /// Where the scene moved in the picture, at its middle, in pixels of the full frame: to the right and down.
    pub x_px: f32,
    /// Down.
    pub y_px: f32,
    /// What the camera turned by to make it so: to the right and down.
    pub pan_deg: f32,
    /// Down.
    pub tilt_deg: f32,
    /// How the camera rolled: clockwise as seen from behind it, so that the scene turned the other way.
    pub roll_deg: f32,
    /// How large the scene is against then; above 1 the camera zoomed in or came nearer.
    pub scale: f32,
    /// Share of the scene's pieces that agree on all this, 0-1.
    pub agreement: f32,
}

/// From here on a camera counts as moved.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub turn_deg: f32,
    pub roll_deg: f32,
    /// As a share: 0.02 is two per cent larger or smaller.
    pub scale: f32,
}

/// Less may be wind, a warm bracket or a lens that was refocused; more reads another part of the lane.
pub const MOVED: Limits = Limits { turn_deg: 0.5, roll_deg: 1.0, scale: 0.025 };

impl Displacement {
    pub(super) fn new(
        (x_px, y_px): (f32, f32),
        scene_turned_deg: f32,
        scale: f32,
        agreement: f32,
        lens: Lens,
    ) -> Self {
        Self {
            x_px,
            y_px,
            // The scene moves against the camera: what is now further left was reached by turning right.
            pan_deg: -lens.degrees(x_px),
            tilt_deg: -lens.degrees(y_px),
            roll_deg: -scene_turned_deg,
            scale,
            agreement,
        }
    }

    pub fn exceeds(&self, limits: Limits) -> bool {
        self.pan_deg.hypot(self.tilt_deg) > limits.turn_deg
            || self.roll_deg.abs() > limits.roll_deg
            || (self.scale - 1.0).abs() > limits.scale
    }
}

/// What a person does about it: "the camera points 43 px (1.0°) to the right and 12 px (0.3°) down, is rolled 1.2°
/// clockwise, and shows the scene 5.0 % larger".
impl std::fmt::Display for Displacement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let across = if self.pan_deg >= 0.0 { "to the right" } else { "to the left" };
        let down = if self.tilt_deg >= 0.0 { "down" } else { "up" };
        write!(
            f,
            "the camera points {:.0} px ({:.1}°) {across} and {:.0} px ({:.1}°) {down}",
            self.x_px.abs(),
            self.pan_deg.abs(),
            self.y_px.abs(),
            self.tilt_deg.abs()
        )?;
        if self.roll_deg.abs() >= 0.2 {
            let turn = if self.roll_deg > 0.0 { "clockwise" } else { "anticlockwise" };
            write!(f, ", is rolled {:.1}° {turn}", self.roll_deg.abs())?;
        }
        let percent = (self.scale - 1.0) * 100.0;
        if percent.abs() >= 0.5 {
            let size = if percent > 0.0 { "larger" } else { "smaller" };
            write!(f, ", and shows the scene {:.1} % {size}", percent.abs())?;
        }
        Ok(())
    }
}

/// A lens without distortion in front of a frame: pixels to degrees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Lens {
    /// Pixels from the frame's middle at which something stands 45° aside.
    focal_px: f32,
}

impl Lens {
    /// `view_angle_deg` is the horizontal angle of view, which `width_px` pixels of the frame show.
    pub fn new(view_angle_deg: f32, width_px: f32) -> Self {
        Self { focal_px: width_px / 2.0 / (view_angle_deg / 2.0).to_radians().tan() }
    }

    pub fn pixels(self, degrees: f32) -> f32 {
        self.focal_px * degrees.to_radians().tan()
    }

    pub fn degrees(self, px: f32) -> f32 {
        (px / self.focal_px).atan().to_degrees()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(x_px: f32, y_px: f32, turned: f32, scale: f32) -> Displacement {
        Displacement::new((x_px, y_px), turned, scale, 0.8, Lens::new(VIEW_ANGLE_ASSUMED_DEG, 1280.0))
    }

    #[test]
    fn two_degrees_at_a_usual_lens_are_85_px() {
        let turned = of(-83.4, 0.0, 0.0, 1.0);
        assert!((turned.pan_deg - 2.0).abs() < 0.01, "{turned:?}");
        assert!(turned.exceeds(MOVED) && !of(-15.0, 10.0, 0.5, 1.01).exceeds(MOVED));
        assert!(of(0.0, 0.0, 1.5, 1.0).exceeds(MOVED) && of(0.0, 0.0, 0.0, 0.95).exceeds(MOVED));
    }

    #[test]
    fn words_say_where_the_camera_points_and_leave_out_what_is_nothing() {
        assert_eq!(
            of(-43.0, -12.0, -1.2, 1.05).to_string(),
            "the camera points 43 px (1.0°) to the right and 12 px (0.3°) down, is rolled 1.2° clockwise, \
             and shows the scene 5.0 % larger"
        );
        assert_eq!(
            of(40.0, 0.0, 0.0, 1.0).to_string(),
            "the camera points 40 px (1.0°) to the left and 0 px (0.0°) down"
        );
    }
}
