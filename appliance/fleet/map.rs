//! Where units are, as a drawing of our own: no tile, and so no word to any other host of where anybody looks.
//!
//! Units that would overlap share one mark, which leads to a closer look at them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::report::Spot;
use super::unit::{Condition, Unit};
use super::wanted::Area;

/// Of the drawing, in its own units.
pub const WIDTH: f64 = 1000.0;
pub const HEIGHT: f64 = 460.0;
/// Units within one cell share a mark.
const CELL: f64 = 26.0;
const MARGIN: f64 = 30.0;
/// The width of a mark's rim.
pub const RIM: f64 = 5.0;
const LEAST_SHARE: f64 = 10.0;
/// A degree of latitude (WGS 84, mean).
const DEGREE_M: f64 = 111_132.0;
/// A closer look shows at least so much, in degrees: about two hundred metres.
const LEAST_DEG: f64 = 0.002;

pub struct Map {
    pub marks: Vec<Mark>,
    pub meridians: Vec<Line>,
    pub parallels: Vec<Line>,
    pub scale: Scale,
    /// Units with a known position.
    pub shown: u64,
}

/// One unit, or several that are near each other.
pub struct Mark {
    pub x: f64,
    pub y: f64,
    pub radius: f64,
    pub count: usize,
    /// The worst among them.
    pub condition: Condition,
    /// How many of them are neither in service nor degraded.
    pub down: usize,
    pub degraded: usize,
    pub leads_to: LeadsTo,
}

impl Mark {
    /// The class that colours what is left of it beside its shares.
    pub fn class(&self) -> &'static str {
        match (self.count - self.down, self.count - self.down - self.degraded) {
            (0, _) => "bad",
            (_, 0) => "fair",
            _ => "good",
        }
    }

    /// Parts of the rim for those that are down and those that are degraded, each with its class, where it begins and how far
    /// it goes, in hundredths of the rim. None so small that it is not seen.
    pub fn shares(&self) -> Vec<(&'static str, f64, f64)> {
        let share = |number: usize| match number {
            0 => 0.0,
            _ => (100.0 * number as f64 / self.count as f64).max(LEAST_SHARE),
        };
        let (down, degraded) = (share(self.down), share(self.degraded));
        let shares = [("bad", 0.0, down), ("fair", down, degraded.min(100.0 - down))];
        shares.into_iter().filter(|(class, _, share)| *share > 0.0 && *class != self.class()).collect()
    }

    /// The rim's middle.
    pub fn rim(&self) -> f64 {
        self.radius - RIM / 2.0
    }
}

pub enum LeadsTo {
    Unit(Arc<Unit>),
    Area(Area),
}

pub struct Line {
    /// Across or down the drawing.
    pub at: f64,
    pub label: String,
}

pub struct Scale {
    pub width: f64,
    pub label: String,
}

impl Map {
    /// Of these units, within `area` where one is given. None where no position is known.
    pub fn of(units: &[Arc<Unit>], area: Option<Area>) -> Option<Self> {
        let placed: Vec<Placed> = units.iter().filter_map(|unit| Some((unit, spot(unit)?))).collect();
        let view = View::over(area.or_else(|| around(placed.iter().map(|(_, spot)| *spot)))?);
        let mut cells: BTreeMap<(i64, i64), Vec<Placed>> = BTreeMap::new();
        for (unit, spot) in &placed {
            let (x, y) = view.place(*spot);
            cells.entry(((y / CELL) as i64, (x / CELL) as i64)).or_default().push((unit, *spot));
        }
        // The worst are drawn last, over the others.
        let mut marks: Vec<Mark> = cells.into_values().map(|units| mark(&units, &view)).collect();
        marks.sort_by_key(|mark| std::cmp::Reverse(mark.condition));
        let shown = placed.len() as u64;
        (shown > 0).then(|| Self {
            marks,
            meridians: view.meridians(),
            parallels: view.parallels(),
            scale: view.scale(),
            shown,
        })
    }
}

/// A unit, and where it is.
type Placed<'a> = (&'a Arc<Unit>, Spot);

fn spot(unit: &Unit) -> Option<Spot> {
    unit.report.as_ref()?.place.position
}

fn mark(units: &[Placed], view: &View) -> Mark {
    let places: Vec<(f64, f64)> = units.iter().map(|(_, spot)| view.place(*spot)).collect();
    let count = units.len();
    let mean = |of: fn(&(f64, f64)) -> f64| places.iter().map(of).sum::<f64>() / count as f64;
    let condition = units.iter().map(|(unit, _)| unit.judged.condition).min();
    let working = |condition| matches!(condition, Condition::InService | Condition::Degraded);
    let leads_to = match units {
        [(unit, _)] => LeadsTo::Unit((*unit).clone()),
        _ => LeadsTo::Area(
            around(units.iter().map(|(_, spot)| *spot)).expect("a mark stands for at least one unit"),
        ),
    };
    Mark {
        x: mean(|place| place.0),
        y: mean(|place| place.1),
        // Grows with the number, within the cell.
        radius: (if count > 1 { 9.0 + (count as f64).sqrt() } else { 6.0 }).min(CELL / 2.0 + 2.0),
        count,
        condition: condition.unwrap_or(Condition::Silent),
        down: units.iter().filter(|(unit, _)| !working(unit.judged.condition)).count(),
        degraded: units.iter().filter(|(unit, _)| unit.judged.condition == Condition::Degraded).count(),
        leads_to,
    }
}

/// The smallest area that holds them, with some room about it.
fn around(spots: impl Iterator<Item = Spot>) -> Option<Area> {
    let mut area: Option<Area> = None;
    for Spot { latitude, longitude, .. } in spots {
        let known =
            area.unwrap_or(Area { south: latitude, west: longitude, north: latitude, east: longitude });
        area = Some(Area {
            south: known.south.min(latitude),
            west: known.west.min(longitude),
            north: known.north.max(latitude),
            east: known.east.max(longitude),
        });
    }
    area.map(|area| {
        let room = |low: f64, high: f64| (0.05 * (high - low)).max((LEAST_DEG - (high - low)).max(0.0) / 2.0);
        let (up, aside) = (room(area.south, area.north), room(area.west, area.east));
        Area {
            south: area.south - up,
            west: area.west - aside,
            north: area.north + up,
            east: area.east + aside,
        }
    })
}

/// From degrees to the drawing: equidistant, true to scale at the middle latitude.
struct View {
    middle: (f64, f64),
    /// Of the drawing's units, for a degree of longitude and one of latitude.
    per_degree: (f64, f64),
}

impl View {
    fn over(area: Area) -> Self {
        let middle = ((area.south + area.north) / 2.0, (area.west + area.east) / 2.0);
        // Near a pole a degree of longitude vanishes.
        let narrow = middle.0.to_radians().cos().max(0.05);
        let (wide, high) = ((area.east - area.west) * narrow, area.north - area.south);
        let scale = ((WIDTH - 2.0 * MARGIN) / wide.max(1e-6)).min((HEIGHT - 2.0 * MARGIN) / high.max(1e-6));
        Self { middle, per_degree: (scale * narrow, scale) }
    }

    fn place(&self, spot: Spot) -> (f64, f64) {
        (self.x(spot.longitude), self.y(spot.latitude))
    }

    fn x(&self, longitude: f64) -> f64 {
        WIDTH / 2.0 + (longitude - self.middle.1) * self.per_degree.0
    }

    fn y(&self, latitude: f64) -> f64 {
        HEIGHT / 2.0 - (latitude - self.middle.0) * self.per_degree.1
    }

    fn meridians(&self) -> Vec<Line> {
        let half = WIDTH / 2.0 / self.per_degree.0;
        let name = |degrees: f64, step: f64| named(degrees, step, ["E", "W"]);
        lines(self.middle.1 - half, self.middle.1 + half, 130.0 / self.per_degree.0, name, |at| self.x(at))
    }

    fn parallels(&self) -> Vec<Line> {
        let half = HEIGHT / 2.0 / self.per_degree.1;
        let name = |degrees: f64, step: f64| named(degrees, step, ["N", "S"]);
        lines(self.middle.0 - half, self.middle.0 + half, 110.0 / self.per_degree.1, name, |at| self.y(at))
    }

    fn scale(&self) -> Scale {
        let metre = self.per_degree.1 / DEGREE_M;
        let metres = round_step(160.0 / metre);
        let label = if metres >= 1000.0 { format!("{} km", metres / 1000.0) } else { format!("{metres} m") };
        Scale { width: metres * metre, label }
    }
}

/// The graticule's lines between two values, at least `apart` from each other.
fn lines(
    from: f64,
    to: f64,
    apart: f64,
    name: impl Fn(f64, f64) -> String,
    place: impl Fn(f64) -> f64,
) -> Vec<Line> {
    let step = round_step(apart);
    let (first, last) = ((from / step).ceil() as i64, (to / step).floor() as i64);
    // Some ten fit; a broken step draws no thousands.
    let values = (first..=last).take(40).map(|count| count as f64 * step);
    values.map(|value| Line { at: place(value), label: name(value, step) }).collect()
}

/// 1, 2 or 5 times a power of ten, not under `least`.
fn round_step(least: f64) -> f64 {
    let power = 10f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0, 10.0].map(|times| times * power).into_iter().find(|step| *step >= least).unwrap_or(power)
}

fn named(degrees: f64, step: f64, sides: [&str; 2]) -> String {
    let digits = (-step.log10()).ceil().max(0.0) as usize;
    let side = sides[usize::from(degrees < 0.0)];
    format!("{:.digits$}°{side}", degrees.abs())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;

    use super::super::report::tests::sent;
    use super::super::roster::Roster;
    use super::*;

    fn units(places: &[(f64, f64)]) -> Vec<Arc<Unit>> {
        let now = Timestamp::UNIX_EPOCH;
        let mut roster = Roster::new(1000, now);
        roster.connected(now);
        for (number, (latitude, longitude)) in places.iter().enumerate() {
            let name = format!("unit-{number:04}");
            let mut report = sent(&name, now);
            report["place"]["position"] = json!({ "latitude": latitude, "longitude": longitude });
            let topic = format!("milepost/v1/units/{name}/health");
            roster.hear(&topic, report.to_string().as_bytes(), false, now);
        }
        roster.units().cloned().collect()
    }

    #[test]
    fn all_marks_lie_within_the_drawing_and_north_is_up() {
        let map =
            Map::of(&units(&[(42.0, -71.0), (43.0, -73.0), (41.5, -70.0), (41.5, -70.0)]), None).unwrap();
        assert_eq!((map.shown, map.marks.iter().map(|mark| mark.count).sum::<usize>()), (4, 4));
        assert!(
            map.marks.iter().all(|mark| (0.0..WIDTH).contains(&mark.x) && (0.0..HEIGHT).contains(&mark.y))
        );
        let top = map.marks.iter().min_by(|one, other| one.y.total_cmp(&other.y)).unwrap();
        assert!(matches!(&top.leads_to, LeadsTo::Unit(unit) if unit.id.as_str() == "unit-0001"));
        assert!(map.meridians.len() > 2 && map.parallels.len() > 2);
        assert!(map.meridians.iter().any(|line| line.label == "71°W"), "{}", map.meridians[0].label);
    }

    #[test]
    fn neighbours_share_a_mark_and_a_closer_look_parts_them() {
        let all = units(&[(42.0, -71.0), (42.001, -71.001), (45.0, -71.0)]);
        let map = Map::of(&all, None).unwrap();
        let shared = map.marks.iter().find(|mark| mark.count == 2).expect("two units share a mark");
        let LeadsTo::Area(area) = &shared.leads_to else { panic!("two units lead to an area") };
        let close: Vec<_> = all.into_iter().filter(|unit| area.holds(spot(unit).unwrap())).collect();
        let closer = Map::of(&close, Some(*area)).unwrap();
        assert_eq!(closer.marks.iter().map(|mark| mark.count).collect::<Vec<_>>(), [1, 1]);
        assert_eq!(closer.scale.label, "100 m");
    }

    #[test]
    fn a_mark_of_many_shows_how_many_of_them_are_down() {
        let mark = |count, down, degraded| Mark {
            x: 0.0,
            y: 0.0,
            radius: 10.0,
            count,
            condition: Condition::OutOfService,
            down,
            degraded,
            leads_to: LeadsTo::Area(Area { south: 0.0, west: 0.0, north: 1.0, east: 1.0 }),
        };
        assert_eq!((mark(40, 10, 0).class(), mark(40, 10, 0).shares()), ("good", vec![("bad", 0.0, 25.0)]));
        let both = vec![("bad", 0.0, 10.0), ("fair", 10.0, 50.0)];
        assert_eq!(mark(40, 1, 20).shares(), both, "one of forty is seen as well");
        assert_eq!((mark(4, 4, 0).class(), mark(4, 4, 0).shares()), ("bad", vec![]));
        assert_eq!((mark(1, 0, 1).class(), mark(1, 0, 1).shares()), ("fair", vec![]));
    }

    #[test]
    fn one_unit_alone_and_both_ends_of_the_world_are_drawn() {
        let one = Map::of(&units(&[(42.0, -71.0)]), None).unwrap();
        assert!((one.marks[0].x - WIDTH / 2.0).abs() < 1.0);
        let poles = Map::of(&units(&[(90.0, 180.0), (-90.0, -180.0), (0.0, 0.0)]), None).unwrap();
        assert_eq!(poles.marks.len(), 3);
        assert!(Map::of(&units(&[]), None).is_none());
    }
}
