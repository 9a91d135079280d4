//! The lanes that a person drew over a camera's picture, and in which of them a vehicle passed.
//!
//! Unlike the lanes that `health` learns from plates to judge the aim by, these have names, and go with every read.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::capture::Plane;
use crate::words::LaneName;

/// One camera sees no more lanes than that.
pub const LANES_MAX: usize = 8;

/// Points of an outline: a triangle at least; more than this nobody draws with a finger.
pub const OUTLINE: std::ops::RangeInclusive<usize> = 3..=12;

/// A lane covers at least this share of the picture: at 1280x720 some 30 by 30 pixels.
const AREA_MIN: f32 = 0.001;

/// Outlines are kept to a ten-thousandth of the picture, which is finer than a pixel of a finger's tap.
const GRID: f32 = 10_000.0;

/// A point of the picture: from its left and its top, each from 0 to 1, so that another resolution keeps it.
pub type Point = (f32, f32);

/// Which way traffic in a lane goes, as the camera sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Travel {
    Towards,
    Away,
}

/// An area of the picture with the name of the lane that it shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Drawing")]
pub struct DrawnLane {
    name: LaneName,
    /// None where nobody has said.
    travel: Option<Travel>,
    /// Closed: the last point is joined to the first.
    outline: Vec<Point>,
}

/// A lane as it comes from outside.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Drawing {
    name: LaneName,
    #[serde(default)]
    travel: Option<Travel>,
    outline: Vec<Point>,
}

/// Why a drawing is none, as a sentence without its end. Points and edges are counted from 1.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LaneError {
    #[error("there are {0} lanes; a camera has room for {LANES_MAX}")]
    TooMany(usize),
    #[error("two lanes are called {0}; give each a name of its own")]
    SameName(LaneName),
    #[error("lane {lane} has {points} points; an outline needs {} to {}", OUTLINE.start(), OUTLINE.end())]
    Points { lane: LaneName, points: usize },
    #[error("point {point} of lane {lane} lies outside the picture; both its numbers must be from 0 to 1")]
    Outside { lane: LaneName, point: usize },
    #[error("point {point} of lane {lane} stands twice; take one of them away")]
    Twice { lane: LaneName, point: usize },
    #[error("the outline of lane {lane} crosses itself: behind point {first} and behind point {second}")]
    Crossed { lane: LaneName, first: usize, second: usize },
    #[error("lane {0} is too small for the middle of a plate to pass in it; draw it larger")]
    TooSmall(LaneName),
}

impl DrawnLane {
    pub fn new(name: LaneName, travel: Option<Travel>, outline: Vec<Point>) -> Result<Self, LaneError> {
        if !OUTLINE.contains(&outline.len()) {
            return Err(LaneError::Points { lane: name, points: outline.len() });
        }
        let inside = |(x, y): &Point| (0.0..=1.0).contains(x) && (0.0..=1.0).contains(y);
        if let Some(point) = outline.iter().position(|place| !inside(place)) {
            return Err(LaneError::Outside { lane: name, point: point + 1 });
        }
        let grid = |value: f32| (value * GRID).round() / GRID;
        let outline: Vec<Point> = outline.into_iter().map(|(x, y)| (grid(x), grid(y))).collect();
        let again = |point: &usize| outline[..*point].contains(&outline[*point]);
        if let Some(point) = (1..outline.len()).find(again) {
            return Err(LaneError::Twice { lane: name, point: point + 1 });
        }
        if let Some((first, second)) = crossing(&outline) {
            return Err(LaneError::Crossed { lane: name, first: first + 1, second: second + 1 });
        }
        if area(&outline) < AREA_MIN {
            return Err(LaneError::TooSmall(name));
        }
        Ok(Self { name, travel, outline })
    }

    pub fn name(&self) -> &LaneName {
        &self.name
    }

    pub fn travel(&self) -> Option<Travel> {
        self.travel
    }

    pub fn outline(&self) -> &[Point] {
        &self.outline
    }

    /// By the parity of edges to the right of the place.
    fn contains(&self, (x, y): Point) -> bool {
        let right_of = |((ax, ay), (bx, by)): (Point, Point)| {
            (ay > y) != (by > y) && x < ax + (y - ay) / (by - ay) * (bx - ax)
        };
        edges(&self.outline).filter(|edge| right_of(*edge)).count() % 2 == 1
    }
}

impl TryFrom<Drawing> for DrawnLane {
    type Error = LaneError;

    fn try_from(drawing: Drawing) -> Result<Self, LaneError> {
        Self::new(drawing.name, drawing.travel, drawing.outline)
    }
}

/// All lanes of one camera; none, where nobody drew any.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<DrawnLane>", into = "Vec<DrawnLane>")]
pub struct DrawnLanes(Vec<Arc<DrawnLane>>);

impl DrawnLanes {
    pub fn new(lanes: Vec<DrawnLane>) -> Result<Self, LaneError> {
        if lanes.len() > LANES_MAX {
            return Err(LaneError::TooMany(lanes.len()));
        }
        let again =
            |(index, lane): &(usize, &DrawnLane)| lanes[..*index].iter().any(|other| other.name == lane.name);
        if let Some((_, lane)) = lanes.iter().enumerate().find(again) {
            return Err(LaneError::SameName(lane.name.clone()));
        }
        Ok(Self(lanes.into_iter().map(Arc::new).collect()))
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = &DrawnLane> {
        self.0.iter().map(Arc::as_ref)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The lane that a place lies in; where two overlap, the first.
    pub fn at(&self, place: Point) -> Option<&Arc<DrawnLane>> {
        self.0.iter().find(|lane| lane.contains(place))
    }

    /// The same for a pixel of this picture.
    pub fn at_pixel(&self, (x, y): (f32, f32), picture: Plane<'_>) -> Option<&Arc<DrawnLane>> {
        self.at((x / picture.width as f32, y / picture.height as f32))
    }
}

impl TryFrom<Vec<DrawnLane>> for DrawnLanes {
    type Error = LaneError;

    fn try_from(lanes: Vec<DrawnLane>) -> Result<Self, LaneError> {
        Self::new(lanes)
    }
}

impl From<DrawnLanes> for Vec<DrawnLane> {
    fn from(lanes: DrawnLanes) -> Self {
        lanes.iter().cloned().collect()
    }
}

/// "1 (towards), left", for people.
impl std::fmt::Display for DrawnLanes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let told = |lane: &DrawnLane| match lane.travel {
            Some(Travel::Towards) => format!("{} (towards)", lane.name),
            Some(Travel::Away) => format!("{} (away)", lane.name),
            None => lane.name.to_string(),
        };
        f.write_str(&self.iter().map(told).collect::<Vec<_>>().join(", "))
    }
}

/// In which lanes, or in none, a vehicle's plate was seen, and how often.
#[derive(Default)]
pub(super) struct LaneCount(Vec<(Option<Arc<DrawnLane>>, u32)>);

impl LaneCount {
    pub fn add(&mut self, lane: Option<Arc<DrawnLane>>) {
        let name = |lane: &Option<Arc<DrawnLane>>| lane.as_ref().map(|lane| lane.name.clone());
        match self.0.iter_mut().find(|(known, _)| name(known) == name(&lane)) {
            Some((_, times)) => *times += 1,
            None => self.0.push((lane, 1)),
        }
    }

    /// Where it was seen most; a lane rather than none where both were as often.
    pub fn most(&self) -> Option<Arc<DrawnLane>> {
        let most = self.0.iter().max_by_key(|(lane, times)| (*times, lane.is_some()));
        most.and_then(|(lane, _)| lane.clone())
    }
}

fn edges(outline: &[Point]) -> impl Iterator<Item = (Point, Point)> {
    outline.iter().copied().zip(outline.iter().copied().cycle().skip(1))
}

/// By the shoelace formula.
fn area(outline: &[Point]) -> f32 {
    let twice: f32 = edges(outline).map(|((ax, ay), (bx, by))| ax * by - bx * ay).sum();
    twice.abs() / 2.0
}

/// Two edges that meet where they should not, by the index of their first points.
fn crossing(outline: &[Point]) -> Option<(usize, usize)> {
    let edges: Vec<(Point, Point)> = edges(outline).collect();
    let last = edges.len() - 1;
    (0..edges.len()).flat_map(|first| (first + 1..=last).map(move |second| (first, second))).find(
        |&(first, second)| {
            let (a, b) = (edges[first], edges[second]);
            match (first, second) {
                _ if second == first + 1 => folds_back(a.0, a.1, b.1),
                (0, _) if second == last => folds_back(b.0, b.1, a.1),
                _ => meet(a, b),
            }
        },
    )
}

/// Positive where `c` lies to the right of the way from `a` to `b`, in a picture; in hundredths of a millionth, whole,
/// so that points on one line are known as such.
fn side(a: Point, b: Point, c: Point) -> i64 {
    let whole = |(x, y): Point| ((x * GRID).round() as i64, (y * GRID).round() as i64);
    let ((ax, ay), (bx, by), (cx, cy)) = (whole(a), whole(b), whole(c));
    (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
}

/// Whether the way from `a` over `b` to `c` returns on itself.
fn folds_back(a: Point, b: Point, c: Point) -> bool {
    let forward = (b.0 - a.0) * (c.0 - b.0) + (b.1 - a.1) * (c.1 - b.1);
    side(a, b, c) == 0 && forward < 0.0
}

/// Whether two edges have a point in common.
fn meet((a, b): (Point, Point), (c, d): (Point, Point)) -> bool {
    let (a_side, b_side) = (side(c, d, a).signum(), side(c, d, b).signum());
    let (c_side, d_side) = (side(a, b, c).signum(), side(a, b, d).signum());
    let lies_on = |(x, y): Point, (ax, ay): Point, (bx, by): Point| {
        (ax.min(bx)..=ax.max(bx)).contains(&x) && (ay.min(by)..=ay.max(by)).contains(&y)
    };
    (a_side * b_side < 0 && c_side * d_side < 0)
        || (a_side == 0 && lies_on(a, c, d))
        || (b_side == 0 && lies_on(b, c, d))
        || (c_side == 0 && lies_on(c, a, b))
        || (d_side == 0 && lies_on(d, a, b))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lane(name: &str, outline: &[Point]) -> Result<DrawnLane, LaneError> {
        DrawnLane::new(LaneName::parse(name).unwrap(), None, outline.to_vec())
    }

    fn box_of(name: &str, left: f32, right: f32) -> DrawnLane {
        lane(name, &[(left, 0.1), (right, 0.1), (right, 0.9), (left, 0.9)]).unwrap()
    }

    #[test]
    fn a_mistake_in_a_drawing_is_a_sentence_that_says_where() {
        let says = |outline: &[Point]| lane("exit 2", outline).unwrap_err().to_string();
        assert_eq!(says(&[(0.1, 0.1), (0.9, 0.9)]), "lane exit 2 has 2 points; an outline needs 3 to 12");
        assert!(
            says(&[(0.1, 0.1), (1.2, 0.1), (0.5, 0.9)]).starts_with("point 2 of lane exit 2 lies outside")
        );
        assert!(says(&[(0.1, 0.1), (0.9, 0.1), (0.5, f32::NAN)]).starts_with("point 3 of lane exit 2 lies"));
        assert!(says(&[(0.1, 0.1), (0.9, 0.1), (0.1, 0.10001)]).contains("stands twice"));
        assert!(says(&[(0.1, 0.1), (0.9, 0.1), (0.5, 0.101)]).contains("too small"));
        let hourglass = says(&[(0.1, 0.1), (0.9, 0.9), (0.9, 0.2), (0.1, 0.9)]);
        assert!(hourglass.ends_with("crosses itself: behind point 1 and behind point 3"), "{hourglass}");
        let thorn = says(&[(0.1, 0.1), (0.5, 0.1), (0.5, 0.9), (0.5, 0.5)]);
        assert!(thorn.contains("crosses itself"), "{thorn}");
        let nine = (0..9).map(|number| box_of(&number.to_string(), 0.1, 0.9)).collect();
        assert_eq!(DrawnLanes::new(nine), Err(LaneError::TooMany(9)));
        let twins = vec![box_of("1", 0.1, 0.4), box_of("2", 0.4, 0.6), box_of("1", 0.6, 0.9)];
        assert!(DrawnLanes::new(twins).unwrap_err().to_string().starts_with("two lanes are called 1"));
    }

    #[test]
    fn what_comes_as_json_is_judged_as_what_is_drawn() {
        let good = r#"[{"name":"1","travel":"away","outline":[[0.1,0.1],[0.9,0.1],[0.5,0.9]]},
            {"name":"left","outline":[[0.0,0.0],[1,0.0],[1,1],[0,1]]}]"#;
        let lanes: DrawnLanes = serde_json::from_str(good).unwrap();
        assert_eq!(lanes.iter().map(DrawnLane::travel).collect::<Vec<_>>(), [Some(Travel::Away), None]);
        let again: DrawnLanes = serde_json::from_str(&serde_json::to_string(&lanes).unwrap()).unwrap();
        assert_eq!(again, lanes);
        let crossed = r#"[{"name":"1","outline":[[0.1,0.1],[0.9,0.9],[0.9,0.2],[0.1,0.9]]}]"#;
        let error = serde_json::from_str::<DrawnLanes>(crossed).unwrap_err().to_string();
        assert!(error.contains("the outline of lane 1 crosses itself"), "{error}");
    }

    #[test]
    fn a_place_is_in_one_lane_or_in_none() {
        let lanes = DrawnLanes::new(vec![box_of("1", 0.1, 0.5), box_of("2", 0.4, 0.8)]).unwrap();
        let at = |x, y| lanes.at((x, y)).map(|lane| lane.name().to_string());
        assert_eq!(at(0.2, 0.5).as_deref(), Some("1"));
        assert_eq!(at(0.45, 0.5).as_deref(), Some("1"), "of two that overlap the first");
        assert_eq!(at(0.7, 0.5).as_deref(), Some("2"));
        assert_eq!(at(0.9, 0.5), None);
        assert_eq!(at(0.2, 0.95), None);
    }

    #[test]
    fn a_vehicle_passed_where_it_was_seen_most() {
        let lanes = DrawnLanes::new(vec![box_of("1", 0.1, 0.5), box_of("2", 0.5, 0.9)]).unwrap();
        let most = |xs: &[f32]| {
            let mut passed = LaneCount::default();
            xs.iter().for_each(|x| passed.add(lanes.at((*x, 0.5)).cloned()));
            passed.most().map(|lane| lane.name().to_string())
        };
        assert_eq!(most(&[0.45, 0.52, 0.55]).as_deref(), Some("2"));
        assert_eq!(most(&[0.95, 0.95, 0.85]), None, "on the shoulder");
        assert_eq!(most(&[0.95, 0.85]).as_deref(), Some("2"));
        assert_eq!(most(&[]), None);
    }

    proptest! {
        /// Points sorted around a middle never cross; a swap of two neighbours of a strictly convex outline always does.
        #[test]
        fn a_convex_outline_is_taken_and_a_swapped_one_is_not(
            points in 4usize..=12,
            swapped in 0usize..12,
            (x, y) in (0.4f32..0.6, 0.4f32..0.6),
        ) {
            let place = |index: usize| {
                let angle = index as f32 / points as f32 * std::f32::consts::TAU;
                (x + 0.35 * angle.cos(), y + 0.35 * angle.sin())
            };
            let mut outline: Vec<Point> = (0..points).map(place).collect();
            let drawn = lane("1", &outline).unwrap();
            prop_assert!(drawn.contains((x, y)));
            prop_assert!(!drawn.contains((x + 0.37, y)));
            outline.swap(swapped % points, (swapped + 1) % points);
            let crossed = matches!(lane("1", &outline), Err(LaneError::Crossed { .. }));
            prop_assert!(crossed);
        }
    }
}
