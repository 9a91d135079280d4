//! The aim coach: what a plate in the live picture says of how the camera is mounted, against the numbers that plates
//! are read by, and what to turn and how far.
//!
//! Owns the measures of one plate, their lamps, and the sentence. [`pose`] takes the angles from the plate's outline,
//! [`strokes`] the size of its characters from the picture within it.

mod pose;
mod strokes;

use serde::{Deserialize, Serialize};

use self::pose::Pose;
use self::strokes::Strokes;
use super::VIEW_ANGLE_ASSUMED_DEG;
use super::smear::PlateBlur;
use crate::capture::Plane;
use crate::vision::Corners;

/// A US plate narrower than this cannot be read surely even at rest, and moving traffic needs more (Milestone's and
/// Intel's guides), in pixels.
pub const WIDTH_STANDING_PX: f32 = 130.0;
pub const WIDTH_MOVING_PX: f32 = 215.0;

/// What zooming in aims at: a little more than is needed.
const WIDTH_AIM_PX: [f32; 2] = [140.0, 225.0];

/// Characters less tall than this are not read (Axxon's guide), in pixels.
const CHARACTER_HEIGHT_PX: f32 = 15.0;
/// Thinner strokes vanish between pixels (Milestone's guide).
const STROKE_PX: f32 = 2.7;

/// Best is 18 degrees from above, at most 30 (Axxon, Paxton).
const VERTICAL_DEG: [f32; 2] = [24.0, 30.0];
/// Best is 5 to 10 degrees from aside, at most 20 to 30 (Axxon, Paxton).
const SIDE_DEG: [f32; 2] = [20.0, 30.0];
/// At most 10 degrees (Axxon, Paxton).
const ROLL_DEG: [f32; 2] = [5.0, 10.0];

/// Characters smeared by half a stroke lose a third of their contrast; by a whole one neighbours run together.
const SMEAR_OF_STROKE: [f32; 2] = [0.5, 1.0];
/// A stroke as a share of a character's height, where it cannot be measured.
const STROKE_OF_HEIGHT: f32 = 0.18;

/// A plate whose middle is further from the picture's than this share of it is soon out of it.
const OFF_CENTRE: f32 = 0.32;

/// How good a measure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lamp {
    Green,
    /// Enough where nothing else is against it; for a plate's width: for standing traffic.
    Amber,
    Red,
}

/// What is measured of a plate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Measure {
    PlateWidth,
    CharacterHeight,
    StrokeWidth,
    VerticalAngle,
    SideAngle,
    Roll,
    ExposureBlur,
}

impl Measure {
    pub fn words(self) -> &'static str {
        match self {
            Self::PlateWidth => "Plate width",
            Self::CharacterHeight => "Character height",
            Self::StrokeWidth => "Stroke width",
            Self::VerticalAngle => "Vertical angle",
            Self::SideAngle => "Side angle",
            Self::Roll => "Roll",
            Self::ExposureBlur => "Exposure blur",
        }
    }

    /// "px" or "degrees".
    pub fn unit(self) -> &'static str {
        match self {
            Self::VerticalAngle | Self::SideAngle | Self::Roll => "degrees",
            _ => "px",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Check {
    pub what: Measure,
    pub value: f32,
    pub lamp: Lamp,
}

/// What the coach says of one picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Coaching {
    /// Of the widest plate; empty where there is none. What cannot be measured is left out.
    pub checks: Vec<Check>,
    /// One sentence or two, in ASCII: what to do next.
    pub advice: String,
}

impl Coaching {
    /// Judges the widest of the `plates` in a picture. `view_angle_deg` is what the picture's width spans, None where
    /// nobody has said; then a usual lens is assumed, and the sentence says so wherever it matters.
    pub fn of(luma: Plane<'_>, view_angle_deg: Option<f32>, plates: &[Corners]) -> Self {
        let widest = plates.iter().max_by(|a, b| a.width_px().total_cmp(&b.width_px()));
        let picture = (luma.width as f32, luma.height as f32);
        let lens = view_angle_deg.unwrap_or(VIEW_ANGLE_ASSUMED_DEG);
        let seen = widest.and_then(|plate| Some((plate, Pose::of(plate, picture, lens)?)));
        let Some((plate, pose)) = seen else {
            let advice = "No plate is found. Have a car stand where plates shall be read.".to_owned();
            return Self { checks: Vec::new(), advice };
        };
        let looked = Looked {
            width: plate.width_px(),
            pose,
            strokes: Strokes::of(luma, plate),
            blur: PlateBlur::of(luma, plate),
            off_centre: off_centre(plate, picture),
            assumed: view_angle_deg.is_none().then_some(lens),
        };
        let checks = looked.checks();
        let advice = looked.advice(&checks);
        Self { checks, advice }
    }
}

/// Everything that was found of one plate.
struct Looked {
    width: f32,
    pose: Pose,
    strokes: Option<Strokes>,
    blur: Option<PlateBlur>,
    /// Whether the plate lies far from the picture's middle, across and down.
    off_centre: (bool, bool),
    /// The lens, where it was not told.
    assumed: Option<f32>,
}

impl Looked {
    fn checks(&self) -> Vec<Check> {
        let at_least = |value: f32, [red, amber]: [f32; 2]| match value {
            _ if value < red => Lamp::Red,
            _ if value < amber => Lamp::Amber,
            _ => Lamp::Green,
        };
        let at_most = |value: f32, [green, amber]: [f32; 2]| match value {
            _ if value <= green => Lamp::Green,
            _ if value <= amber => Lamp::Amber,
            _ => Lamp::Red,
        };
        let check = |what, value, lamp| Check { what, value, lamp };
        // A fifth more than is needed at the least is good.
        let enough = |value, least: f32| at_least(value, [least, least * 1.2]);
        let mut checks = vec![check(
            Measure::PlateWidth,
            self.width,
            at_least(self.width, [WIDTH_STANDING_PX, WIDTH_MOVING_PX]),
        )];
        if let Some(Strokes { height_px, stroke_px }) = self.strokes {
            let height = enough(height_px, CHARACTER_HEIGHT_PX);
            checks.push(check(Measure::CharacterHeight, height_px, height));
            checks.push(check(Measure::StrokeWidth, stroke_px, enough(stroke_px, STROKE_PX)));
        }
        let Pose { vertical, side, roll, .. } = self.pose;
        checks.push(check(Measure::VerticalAngle, vertical, at_most(vertical, VERTICAL_DEG)));
        checks.push(check(Measure::SideAngle, side, at_most(side, SIDE_DEG)));
        checks.push(check(Measure::Roll, roll, at_most(roll.abs(), ROLL_DEG)));
        if let Some(blur) = self.blur {
            let stroke = match self.strokes {
                Some(strokes) => strokes.stroke_px,
                None => blur.character_height_px * STROKE_OF_HEIGHT,
            };
            let lamp = at_most(blur.smear_px() / stroke.max(1.0), SMEAR_OF_STROKE);
            checks.push(check(Measure::ExposureBlur, blur.smear_px(), lamp));
        }
        checks
    }

    fn advice(&self, checks: &[Check]) -> String {
        let is_red = |what| checks.iter().any(|check| check.what == what && check.lamp == Lamp::Red);
        let [standing, moving] = WIDTH_AIM_PX;
        let mut steps = self.turns();
        if is_red(Measure::PlateWidth) {
            steps.push(format!("zoom in to {standing:.0} px (the plate is {:.0} px wide)", self.width));
        } else if is_red(Measure::CharacterHeight) || is_red(Measure::StrokeWidth) {
            let least = |value: f32, least: f32| least * 1.2 / value.max(0.1);
            let by = self.strokes.map_or(1.0, |strokes| {
                least(strokes.height_px, CHARACTER_HEIGHT_PX).max(least(strokes.stroke_px, STROKE_PX))
            });
            steps.push(format!("zoom in to {:.0} px: the characters are too small", self.width * by));
        }
        if is_red(Measure::Roll) {
            let way = if self.pose.roll > 0.0 { "clockwise" } else { "counter-clockwise" };
            steps.push(format!(
                "turn the camera {way} about its axis by about {:.0} degrees, so that the plate is level",
                self.pose.roll.abs()
            ));
        }
        if is_red(Measure::VerticalAngle) {
            steps.push(format!(
                "mount the camera lower or read plates further away: it sees them from {:.0} degrees above",
                self.pose.vertical
            ));
        }
        if is_red(Measure::SideAngle) {
            steps.push(format!(
                "move the camera closer to the lane or read plates further away: it sees them from {:.0} degrees aside",
                self.pose.side
            ));
        }
        if is_red(Measure::ExposureBlur) {
            let smear = self.blur.map_or(0.0, |blur| blur.smear_px());
            steps.push(format!(
                "shorten the exposure (1/1000 s for 80 km/h): characters are smeared over {smear:.0} px"
            ));
        }
        match steps.is_empty() {
            false => self.sentence(&steps),
            true if self.width < WIDTH_MOVING_PX => format!(
                "Good for standing traffic ({:.0} px). For moving traffic zoom in to {moving:.0} px.",
                self.width
            ),
            true => format!("Good: the plate is {:.0} px wide and well seen.", self.width),
        }
    }

    /// The two most needed steps; who has taken them looks again.
    fn sentence(&self, steps: &[String]) -> String {
        let steps = steps[..steps.len().min(2)].join(", ");
        let (first, rest) = steps.split_at(1);
        let turns =
            steps.starts_with("turn left") || steps.starts_with("turn right") || steps.starts_with("tilt");
        let assumed = match self.assumed.filter(|_| turns) {
            Some(lens) => {
                format!(" The lens is taken for {lens:.0} degrees wide: tell the unit if it is another.")
            }
            None => String::new(),
        };
        format!("{}{rest}.{assumed}", first.to_ascii_uppercase())
    }

    /// What brings a plate from the picture's edge to its middle. Whoever turns the camera left sees it move right.
    fn turns(&self) -> Vec<String> {
        let turn = |degrees: f32, [less, more]: [&str; 2]| {
            format!("{} about {:.0} degrees", if degrees < 0.0 { less } else { more }, degrees.abs().max(1.0))
        };
        let across = self.off_centre.0.then(|| turn(self.pose.pan, ["turn left", "turn right"]));
        let down = self.off_centre.1.then(|| turn(self.pose.tilt, ["tilt up", "tilt down"]));
        across.into_iter().chain(down).collect()
    }
}

fn off_centre(plate: &Corners, picture: (f32, f32)) -> (bool, bool) {
    let centre = plate.centre();
    let (left, top, right, bottom) = plate.bounds();
    let margin = picture.0 / 100.0;
    let is_off = |at: f32, low: f32, high: f32, side: f32| {
        (at / side - 0.5).abs() > OFF_CENTRE || low < margin || high > side - margin
    };
    (is_off(centre.0, left, right, picture.0), is_off(centre.1, top, bottom, picture.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of an even grey picture with a plate of this outline.
    fn coached(x: f32, y: f32, width: f32, height: f32, rise: f32) -> Coaching {
        let grey = vec![120; 1280 * 720];
        let luma = Plane { data: &grey, width: 1280, height: 720, stride: 1280 };
        let corners = [(x, y), (x + width, y + rise), (x + width, y + height + rise), (x, y + height)];
        Coaching::of(
            luma,
            None,
            &[Corners([(3.0, 3.0), (43.0, 3.0), (43.0, 23.0), (3.0, 23.0)]), Corners(corners)],
        )
    }

    fn lamp(coaching: &Coaching, what: Measure) -> Lamp {
        coaching.checks.iter().find(|check| check.what == what).unwrap().lamp
    }

    #[test]
    fn the_sentence_says_what_to_turn_and_how_far() {
        let says = |x, y, width, rise| coached(x, y, width, width * 0.48, rise).advice;
        assert_eq!(says(595.0, 330.0, 90.0, 0.0), "Zoom in to 140 px (the plate is 90 px wide).");
        let said = says(150.0, 330.0, 92.0, 0.0);
        let expected = "Turn left about 11 degrees, zoom in to 140 px (the plate is 92 px wide). \
                        The lens is taken for 30 degrees wide: tell the unit if it is another.";
        assert_eq!(said, expected);
        assert!(says(1100.0, 330.0, 150.0, 0.0).starts_with("Turn right about 13 degrees"));
        assert!(says(560.0, 600.0, 150.0, 0.0).starts_with("Tilt down about 7 degrees"));
        assert!(says(560.0, 300.0, 150.0, 0.0).starts_with("Good for standing traffic (150 px)"));
        assert!(says(520.0, 300.0, 240.0, 0.0).starts_with("Good: the plate is 240 px wide"));
        assert!(
            says(520.0, 300.0, 240.0, 60.0)
                .starts_with("Turn the camera clockwise about its axis by about 14")
        );
        assert!(says(520.0, 300.0, 240.0, -60.0).starts_with("Turn the camera counter-clockwise"));
        assert!(coached(520.0, 300.0, 240.0, 90.0, 0.0).advice.starts_with("Mount the camera lower"));
        assert!(
            coached(520.0, 300.0, 200.0, 130.0, 0.0).advice.starts_with("Move the camera closer to the lane")
        );
        let grey = [0; 64];
        let luma = Plane { data: &grey, width: 8, height: 8, stride: 8 };
        assert!(Coaching::of(luma, None, &[]).advice.starts_with("No plate is found."));
    }

    #[test]
    fn each_lamp_follows_the_fields_numbers() {
        use {Lamp::*, Measure::*};
        for (width, expected) in [(129.0, Red), (131.0, Amber), (214.0, Amber), (216.0, Green)] {
            assert_eq!(lamp(&coached(500.0, 300.0, width, width / 2.0, 0.0), PlateWidth), expected);
        }
        let from_above = |degrees: f32| coached(500.0, 300.0, 220.0, 110.0 * degrees.to_radians().cos(), 0.0);
        for (degrees, expected) in [(18.0, Green), (27.0, Amber), (33.0, Red)] {
            assert_eq!(lamp(&from_above(degrees), VerticalAngle), expected, "{degrees}");
        }
        let from_aside = |degrees: f32| coached(500.0, 300.0, 220.0 * degrees.to_radians().cos(), 110.0, 0.0);
        for (degrees, expected) in [(15.0, Green), (25.0, Amber), (33.0, Red)] {
            assert_eq!(lamp(&from_aside(degrees), SideAngle), expected, "{degrees}");
        }
        for (rise, expected) in [(10.0, Green), (25.0, Amber), (-60.0, Red)] {
            assert_eq!(lamp(&coached(500.0, 300.0, 220.0, 108.0, rise), Roll), expected, "{rise}");
        }
    }

    /// Plates of real scenes, as the unit itself finds them. Nobody measured how those cameras stood, but most of them
    /// read well, so few can be past the limits, and what is measured must be what plates are like.
    #[test]
    fn real_plates_measure_like_plates() {
        let folder = std::env::var("MILEPOST_DATASETS").unwrap_or_else(|_| "../shared/datasets".to_owned());
        let images = std::path::Path::new(&folder).join("us-scenes/images");
        let mut paths: Vec<_> = std::fs::read_dir(images).unwrap().map(|file| file.unwrap().path()).collect();
        paths.sort();
        let mut vision = crate::vision::Vision::load(&Default::default()).unwrap();
        let mut coached = Vec::new();
        for path in paths.iter().step_by(4) {
            let picture = crate::vision::Picture::decode(&std::fs::read(path).unwrap()).unwrap();
            let seen = vision.look(picture.luma()).unwrap();
            let plates: Vec<Corners> = seen.iter().map(|sighting| sighting.corners).collect();
            coached.push(Coaching::of(picture.luma(), None, &plates));
        }
        let plates = coached.iter().filter(|coaching| !coaching.checks.is_empty()).count();
        assert!(plates >= 20, "the datasets are missing: put them there or point MILEPOST_DATASETS at them");
        let values = |what| {
            let checks = coached.iter().flat_map(|coaching| &coaching.checks);
            checks.filter(|check| check.what == what).collect::<Vec<_>>()
        };
        assert!(
            values(Measure::CharacterHeight).len() * 4 >= plates * 3,
            "characters are seen on three of four"
        );
        for what in [Measure::VerticalAngle, Measure::SideAngle, Measure::Roll] {
            let red = values(what).iter().filter(|check| check.lamp == Lamp::Red).count();
            assert!(red * 5 <= plates, "{what:?}: {red} of {plates} red");
        }
        assert!(coached.iter().all(|coaching| coaching.advice.is_ascii()), "it travels in a header");
    }
}
