//! Rendered traffic: cars with readable plates on a drawn road, without camera, file, font or GPU.
//!
//! For the demo and for tests that need a camera whose truth is known. The same plates and seed give the
//! same pictures.

mod canvas;
mod car;
pub(crate) mod chance;
mod plate;
mod road;
mod view;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Deserialize;

use self::canvas::Canvas;
use self::car::Car;
use self::chance::Chance;
use self::plate::PlatePicture;
use self::view::View;
use super::feed::{Feed, Heard};
use super::frame::OwnedPlanes;
use crate::words::{Plate, PlateError, State};

pub const WIDTH: usize = 1280;
pub const HEIGHT: usize = 720;
pub const FPS: u32 = 20;

/// Where cars come into the picture.
const FAR_M: f32 = 34.0;
/// About 27 km/h: a plate grows from 60 to 220 pixels in 1.3 s, 26 pictures.
const SPEED_M_S: f32 = 7.5;
/// From one car to the next.
const HEADWAY_S: f64 = 2.4;

/// What one rendered car carries; written as `"ABC123"` or `"ABC123;ma"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct ScenePlate {
    pub plate: Plate,
    pub state: State,
}

/// Why a text is no plate for a scene.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScenePlateError {
    #[error("{0:?} is not the postal code of a US state or DC")]
    State(String),
    #[error(transparent)]
    Plate(#[from] PlateError),
}

impl TryFrom<String> for ScenePlate {
    type Error = ScenePlateError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let (plate, state) = text.split_once(';').unwrap_or((&text, State::Ma.code()));
        let state = State::from_code(state.trim()).ok_or_else(|| ScenePlateError::State(state.to_owned()))?;
        Ok(Self { plate: Plate::parse(plate)?, state })
    }
}

/// A plate drawn by itself, for whoever lays one into another picture.
pub struct DrawnPlate(PlatePicture);

impl DrawnPlate {
    /// As it looks in full daylight.
    pub fn new(plate: &ScenePlate) -> Self {
        Self(PlatePicture::draw(plate, 1.0))
    }

    /// The grey at a place of the plate, both 0 to 1 from its top left, when it is seen `width_px` wide.
    pub fn luma(&self, x: f32, y: f32, width_px: f32) -> f32 {
        self.0.at(x, y, width_px).y
    }
}

/// The rendered camera: `WIDTH` x `HEIGHT` in 4:2:0 at `FPS`.
pub(super) struct SceneFeed {
    traffic: Traffic,
    started: Instant,
    next: u64,
}

impl SceneFeed {
    pub fn new(plates: &[ScenePlate]) -> Self {
        Self { traffic: Traffic::new(plates, 1), started: Instant::now(), next: 0 }
    }
}

impl Feed for SceneFeed {
    fn next(&mut self, patience: Duration) -> Heard {
        let due = Duration::from_secs_f64(self.next as f64 / f64::from(FPS));
        let wait = due.saturating_sub(self.started.elapsed());
        std::thread::sleep(wait.min(patience));
        if wait > patience {
            return Heard::Nothing;
        }
        let planes = self.traffic.picture(self.next);
        // A machine that cannot keep up skips pictures, as a camera's viewer would.
        let now = (self.started.elapsed().as_secs_f64() * f64::from(FPS)) as u64;
        self.next = now.max(self.next) + 1;
        Heard::Picture(Arc::new(planes))
    }
}

/// An endless row of cars that drive up to the camera and under it.
pub struct Traffic {
    view: View,
    road: Canvas,
    noise: Vec<i8>,
    seed: u64,
    plates: Vec<ScenePlate>,
    /// The cars on the road, first the one in front, each with its number.
    cars: VecDeque<(u64, Car)>,
}

impl Traffic {
    /// The cars carry `plates` in turn, for ever; without any, invented ones.
    pub fn new(plates: &[ScenePlate], seed: u64) -> Self {
        let plates = if plates.is_empty() { invented_plates(50, seed) } else { plates.to_vec() };
        let view = View::over_the_road(WIDTH, HEIGHT);
        let mut chance = Chance::seeded(seed);
        // The sum of four even values is close enough to a sensor's bell curve.
        let noise = (0..WIDTH * 8)
            .map(|_| (0..4).map(|_| chance.between(-2.2, 2.2)).sum::<f32>().round() as i8)
            .collect();
        Self { road: road::draw(&view), view, noise, seed, plates, cars: VecDeque::new() }
    }

    /// The picture at `index` / [`FPS`] seconds. Pictures must be asked for in rising order to be cheap.
    pub fn picture(&mut self, index: u64) -> OwnedPlanes {
        let seconds = index as f64 / f64::from(FPS);
        self.drive_on(seconds);
        let mut canvas = self.road.clone();
        for (number, car) in self.cars.iter().rev() {
            car.draw(&mut canvas, &self.view, distance(*number, seconds));
        }
        canvas.add_noise(&self.noise, &mut Chance::seeded(self.seed ^ index));
        canvas.into_planes()
    }

    /// Cars that are through go, cars that are due come.
    fn drive_on(&mut self, seconds: f64) {
        let newest = (seconds / HEADWAY_S) as u64;
        let on_the_road = |number: &u64| distance(*number, seconds) > -car::LENGTH_M;
        self.cars.retain(|(number, _)| on_the_road(number) && *number <= newest);
        let first_missing = self.cars.back().map_or(newest.saturating_sub(4), |(number, _)| number + 1);
        for number in (first_missing..=newest).filter(on_the_road) {
            let plate = self.plates[(number % self.plates.len() as u64) as usize];
            let mut chance = Chance::seeded(self.seed.wrapping_add(number));
            self.cars.push_back((number, Car::new(&plate, road::LANE_X, &mut chance)));
        }
    }
}

/// How far away the front of a car is.
fn distance(number: u64, seconds: f64) -> f32 {
    // In double precision first: a scene may run for weeks.
    let driven = seconds - number as f64 * HEADWAY_S;
    FAR_M - SPEED_M_S * driven as f32
}

/// Plates of no one in particular, in the usual patterns of a few states.
pub fn invented_plates(count: usize, seed: u64) -> Vec<ScenePlate> {
    // Without I, O and Q, as most states issue them.
    const LETTERS: &[u8] = b"ABCDEFGHJKLMNPRSTUVWXYZ";
    const PATTERNS: [(State, &str); 6] = [
        (State::Ma, "9AAA99"),
        (State::Ma, "9AA999"),
        (State::Ny, "AAA9999"),
        (State::Ct, "AA99999"),
        (State::Nh, "9999999"),
        (State::Ca, "9AAA999"),
    ];
    let mut chance = Chance::seeded(seed);
    (0..count)
        .map(|_| {
            let (state, pattern) = *chance.pick(&PATTERNS);
            let text: String = pattern
                .bytes()
                .map(|kind| if kind == b'9' { b'0' + chance.below(10) as u8 } else { *chance.pick(LETTERS) })
                .map(char::from)
                .collect();
            ScenePlate { plate: Plate::parse(&text).expect("patterns make plates"), state }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::Planes;

    #[test]
    fn the_same_seed_gives_the_same_pictures() {
        let (mut one, mut other) = (Traffic::new(&[], 7), Traffic::new(&[], 7));
        one.picture(99);
        let (first, second) = (one.picture(100), other.picture(100));
        assert!((0..HEIGHT).all(|y| first.luma().row(y) == second.luma().row(y)));
        assert_eq!(invented_plates(20, 7), invented_plates(20, 7));
    }

    #[test]
    fn cars_carry_the_plates_in_turn_and_leave() {
        let plates = invented_plates(2, 3);
        let mut traffic = Traffic::new(&plates, 3);
        for second in 0..60 {
            traffic.picture(second * u64::from(FPS));
            assert!((1..=4).contains(&traffic.cars.len()), "{} cars at {second} s", traffic.cars.len());
        }
    }

    #[test]
    fn a_plate_is_written_with_or_without_its_state() {
        let parse = |text: &str| ScenePlate::try_from(text.to_owned());
        assert_eq!(parse("abc 123;ca").unwrap().state, State::Ca);
        assert_eq!(parse("ABC123").unwrap().state, State::Ma);
        assert_eq!(parse("ABC123;zz"), Err(ScenePlateError::State("zz".into())));
        assert_eq!(parse(";ma"), Err(ScenePlateError::Plate(PlateError::Empty)));
    }
}
