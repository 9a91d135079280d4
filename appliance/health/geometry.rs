//! Where plates pass through the picture, lane by lane, learned within the verified aim.
//!
//! Works where the picture shows nothing else: plates shine in the dark. A plate's place alone would not do, for
//! vehicles are read nearer or farther away. But all plates are equally wide, so that on a straight lane both
//! coordinates of a plate are linear in its width in the picture: what a turned camera shifts is that line.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::vision::Sighting;
use crate::words::Moment;

/// Vehicles after which a camera knows its lanes.
const LEARNED_AFTER: usize = 100;

/// The last vehicles, of which the middle one speaks; fewer than half of them say nothing.
const JUDGED: usize = 16;

/// A sighting read with less confidence may be no plate.
const CONFIDENT: f64 = 0.5;

/// A plate that has moved by less of its width since the last look is a standing one, and tells nothing new.
const MOVED_ON: f32 = 0.25;

/// Time without a plate, in seconds, after which the next one is another vehicle's.
const NEXT_VEHICLE_S: f32 = 1.0;

/// Lanes lie some ten plate widths apart; vehicles within one keep within two.
const LANE_GAP: f32 = 3.0;

/// A lane has at least this share of the vehicles.
const LANE_SHARE: usize = 10;

/// Keeps a slope from being made of noise where all plates are read at one width, in squared pixels a sighting.
const SLOPE_PRIOR: f32 = 25.0;

/// Height of the characters on a plate of 6 by 12 inches: 2.75 inches.
const CHARACTER_SHARE: f32 = 2.75 / 6.0;

/// One plate in one frame.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Spot {
    x: f32,
    y: f32,
    width: f32,
    character_height: f32,
    /// Of its upper and lower edge; positive: the right end lower.
    angle_deg: f32,
}

impl Spot {
    fn of(sighting: &Sighting) -> Self {
        let (x, y) = sighting.corners.centre();
        let [top_left, top_right, bottom_right, bottom_left] = sighting.corners.0;
        let (across, down) = (
            top_right.0 - top_left.0 + bottom_right.0 - bottom_left.0,
            top_right.1 - top_left.1 + bottom_right.1 - bottom_left.1,
        );
        Self {
            x,
            y,
            width: sighting.width_px,
            character_height: sighting.corners.height_px() * CHARACTER_SHARE,
            angle_deg: down.atan2(across).to_degrees(),
        }
    }
}

/// A lane as its vehicles' plates show it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Lane {
    /// Vehicles that it was learned from.
    pub vehicles: u32,
    /// The usual plate: its middle, its width and its characters' height in pixels, its angle.
    pub x_px: f32,
    pub y_px: f32,
    pub width_px: f32,
    pub character_height_px: f32,
    pub angle_deg: f32,
    /// How far the middle moves for each pixel that a plate is wider.
    x_slope: f32,
    y_slope: f32,
}

impl Lane {
    /// Where plates pass, from far to near: their middles at widths from well under to well over the usual.
    pub fn line(&self) -> [(f32, f32); 2] {
        [0.6, 1.6].map(|share| {
            let wider = (share - 1.0) * self.width_px;
            (self.x_px + self.x_slope * wider, self.y_px + self.y_slope * wider)
        })
    }

    fn residual(&self, spot: &Spot) -> (f32, f32) {
        let wider = spot.width - self.width_px;
        (spot.x - self.x_px - self.x_slope * wider, spot.y - self.y_px - self.y_slope * wider)
    }
}

/// How vehicles pass now against how they used to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LaneShift {
    /// In pixels of the frame: to the right and down.
    pub x_px: f32,
    /// Down.
    pub y_px: f32,
    /// Positive: plates are turned clockwise.
    pub angle_deg: f32,
    /// How wide plates are against then.
    pub width_ratio: f32,
    /// How many of the last ones this was measured on.
    pub vehicles: u32,
    /// How sure the shift is, in pixels: half of the vehicles' scatter over the root of their number.
    pub error_px: f32,
}

impl LaneShift {
    /// Whether it is more than the scatter of vehicles and more than a camera may move.
    pub fn exceeds(&self, turn_px: f32, roll_deg: f32) -> bool {
        let length = self.x_px.hypot(self.y_px);
        length > turn_px.max(4.0 * self.error_px) || self.angle_deg.abs() > 3.0 * roll_deg
    }
}

/// "cars now pass 40 px lower and 12 px farther to the left, their plates turned 3° clockwise"
impl std::fmt::Display for LaneShift {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let down = if self.y_px > 0.0 { "lower" } else { "higher" };
        let across = if self.x_px > 0.0 { "right" } else { "left" };
        let (x, y) = (self.x_px.abs().round(), self.y_px.abs().round());
        match (x >= 5.0, y >= 5.0) {
            (false, _) => write!(f, "cars now pass {y} px {down}")?,
            (true, false) => write!(f, "cars now pass {x} px farther to the {across}")?,
            (true, true) => write!(f, "cars now pass {y} px {down} and {x} px farther to the {across}")?,
        }
        if self.angle_deg.abs() >= 1.0 {
            let turn = if self.angle_deg > 0.0 { "clockwise" } else { "anticlockwise" };
            write!(f, ", their plates turned {:.0}° {turn}", self.angle_deg.abs())?;
        }
        let percent = (self.width_ratio - 1.0) * 100.0;
        if percent.abs() >= 5.0 {
            let size = if percent > 0.0 { "wider" } else { "narrower" };
            write!(f, ", their plates {:.0} % {size}", percent.abs())?;
        }
        Ok(())
    }
}

/// What was learned of a camera's lanes, and is kept with its references.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Lanes {
    /// Vehicles so far, each with its sightings; emptied when the lanes are known.
    vehicles: Vec<Vec<Spot>>,
    lanes: Vec<Lane>,
}

impl Lanes {
    /// Empty until enough vehicles have passed.
    pub fn known(&self) -> &[Lane] {
        &self.lanes
    }

    fn is_known(&self) -> bool {
        !self.lanes.is_empty()
    }

    fn learn(&mut self, vehicle: Vec<Spot>) {
        self.vehicles.push(vehicle);
        if self.vehicles.len() >= LEARNED_AFTER {
            self.lanes = lanes(std::mem::take(&mut self.vehicles));
        }
    }

    /// The lane that a vehicle drives in, with the middle of its sightings' distances from it.
    fn residual(&self, vehicle: &[Spot]) -> Option<(&Lane, f32, f32)> {
        self.lanes
            .iter()
            .map(|lane| {
                let (x, y): (Vec<f32>, Vec<f32>) = vehicle.iter().map(|spot| lane.residual(spot)).unzip();
                (lane, median(x), median(y))
            })
            .min_by(|a, b| a.1.abs().total_cmp(&b.1.abs()))
    }
}

/// Learns lanes and judges the vehicles that come after.
#[derive(Default)]
pub(super) struct GeometryWatch {
    passing: Vec<Spot>,
    last_seen: Option<Moment>,
    judged: VecDeque<Judged>,
}

struct Judged {
    x: f32,
    y: f32,
    angle: f32,
    width_ratio: f32,
}

impl GeometryWatch {
    /// Takes in what one frame shows. `aim_holds`: whether the picture says that the camera has not moved, so that lanes
    /// may be learned. True when something was learned.
    pub fn see(&mut self, sightings: &[Sighting], now: Moment, lanes: &mut Lanes, aim_holds: bool) -> bool {
        let mut learned = false;
        let surely = |sighting: &&Sighting| {
            sighting.reading.best().is_some_and(|best| best.probability.value() >= CONFIDENT)
        };
        for spot in sightings.iter().filter(surely).map(Spot::of) {
            learned |= self.take(spot, now, lanes, aim_holds);
        }
        let gone = |last: Moment| now.since(&last).as_secs_f32() > NEXT_VEHICLE_S;
        if self.last_seen.is_some_and(gone) {
            learned |= self.passed(lanes, aim_holds);
        }
        learned
    }

    /// None while too few vehicles have passed, or no lanes are known.
    pub fn shift(&self) -> Option<LaneShift> {
        let count = self.judged.len();
        if count * 2 < JUDGED {
            return None;
        }
        let of = |value: fn(&Judged) -> f32| self.judged.iter().map(value).collect::<Vec<f32>>();
        let (x_px, y_px) = (median(of(|judged| judged.x)), median(of(|judged| judged.y)));
        let scatter =
            median(self.judged.iter().map(|judged| (judged.x - x_px).hypot(judged.y - y_px)).collect());
        Some(LaneShift {
            x_px,
            y_px,
            angle_deg: median(of(|judged| judged.angle)),
            width_ratio: median(of(|judged| judged.width_ratio)),
            vehicles: count as u32,
            error_px: scatter / (count as f32).sqrt(),
        })
    }

    /// What was judged before a new verification counts no longer.
    pub fn forget(&mut self) {
        *self = Self::default();
    }

    fn take(&mut self, spot: Spot, now: Moment, lanes: &mut Lanes, aim_holds: bool) -> bool {
        let mut learned = false;
        if let Some(last) = self.passing.last().copied() {
            let step = (spot.x - last.x).hypot(spot.y - last.y) / spot.width.max(1.0);
            if step < MOVED_ON {
                self.last_seen = Some(now);
                return false;
            }
            if step > LANE_GAP {
                learned = self.passed(lanes, aim_holds);
            }
        }
        self.passing.push(spot);
        self.last_seen = Some(now);
        learned
    }

    /// A vehicle has left.
    fn passed(&mut self, lanes: &mut Lanes, aim_holds: bool) -> bool {
        self.last_seen = None;
        let vehicle = std::mem::take(&mut self.passing);
        if vehicle.is_empty() {
            return false;
        }
        let Some((lane, x, y)) = lanes.residual(&vehicle) else {
            if aim_holds && !lanes.is_known() {
                lanes.learn(vehicle);
            }
            return aim_holds;
        };
        let angle = median(vehicle.iter().map(|spot| spot.angle_deg).collect()) - lane.angle_deg;
        let width_ratio = median(vehicle.iter().map(|spot| spot.width).collect()) / lane.width_px;
        if self.judged.len() == JUDGED {
            self.judged.pop_front();
        }
        self.judged.push_back(Judged { x, y, angle, width_ratio });
        false
    }
}

/// Sorts vehicles into lanes by where they pass, and draws each lane's line.
fn lanes(vehicles: Vec<Vec<Spot>>) -> Vec<Lane> {
    let count = vehicles.len();
    let mut placed: Vec<(f32, Vec<Spot>)> = vehicles
        .into_iter()
        .map(|spots| (median(spots.iter().map(|spot| spot.x).collect()), spots))
        .collect();
    placed.sort_by(|a, b| a.0.total_cmp(&b.0));
    let width = median(placed.iter().flat_map(|(_, spots)| spots).map(|spot| spot.width).collect());
    let mut groups: Vec<Vec<Vec<Spot>>> = Vec::new();
    let mut before = f32::NEG_INFINITY;
    for (x, spots) in placed {
        match groups.last_mut().filter(|_| x - before < LANE_GAP * width) {
            Some(group) => group.push(spots),
            None => groups.push(vec![spots]),
        }
        before = x;
    }
    groups.retain(|group| group.len() * LANE_SHARE >= count);
    groups.iter().map(|group| lane(group)).collect()
}

fn lane(vehicles: &[Vec<Spot>]) -> Lane {
    let spots: Vec<Spot> = vehicles.iter().flatten().copied().collect();
    let of = |value: fn(&Spot) -> f32| median(spots.iter().map(value).collect());
    let (x, y, width) = (of(|spot| spot.x), of(|spot| spot.y), of(|spot| spot.width));
    let (mut x_slope, mut y_slope, mut spread) = (0.0, 0.0, SLOPE_PRIOR * spots.len() as f32);
    for spot in &spots {
        let wider = spot.width - width;
        x_slope += wider * (spot.x - x);
        y_slope += wider * (spot.y - y);
        spread += wider * wider;
    }
    let (x_slope, y_slope) = (x_slope / spread, y_slope / spread);
    let line = Lane {
        vehicles: vehicles.len() as u32,
        x_px: x,
        y_px: y,
        width_px: width,
        character_height_px: of(|spot| spot.character_height),
        angle_deg: of(|spot| spot.angle_deg),
        x_slope,
        y_slope,
    };
    // The middle of the vehicles, not of the sightings, lies on the line: slow ones are seen more often.
    let rests = |part: fn((f32, f32)) -> f32| {
        let vehicle =
            |spots: &Vec<Spot>| median(spots.iter().map(|spot| part(line.residual(spot))).collect());
        median(vehicles.iter().map(vehicle).collect())
    };
    Lane { x_px: x + rests(|rest| rest.0), y_px: y + rests(|rest| rest.1), ..line }
}

/// Zero of nothing.
fn median(mut values: Vec<f32>) -> f32 {
    values.sort_by(f32::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
#[path = "geometry_tests.rs"]
mod tests;
