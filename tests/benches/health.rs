//! How well a unit knows that its camera was displaced or sees no more, how often it is wrong, and what that costs.
//!
//! Real photographs of streets stand for what the camera sees: every second one of `us-scenes` and `scenes-br`, sorted by
//! name; the constants of `health` were chosen by looking at the others. One look a second, as in the product, with
//! sensor noise, wind and cars that pass or wait, once the aim is verified on an empty street. What counts as seen is what the service state machine raises, with its
//! minimum durations, not what a check finds for a moment.
//!
//! - Errors of shift, rotation and scale are the 95th percentile over poses within 2.5° of pan and tilt, 3° of roll and 7 % of
//!   scale, in changed light, rain, night and strong compression; they are taken where the unit tells a displacement,
//!   which `alignment_measured` says the share of.
//! - `alignment_moved_seen`: a turn of 2° in any direction, or 5 % of zoom, raised within 2 minutes.
//!   `alignment_covered_seen`: 40 % covered, defocused by 3 px, or frozen (also encoded anew every ten seconds), raised
//!   within 60 seconds. The same within 30 and 10 seconds under names of their own.
//! - A simulated day is 24 hours of which every second is looked at for half a minute in a light of its own (sun's height, shadows that
//!   move, haze, rain, a night under lamps or infra-red), on every fourth day strongly compressed, on others windy. A
//!   false alarm is any reason about the picture that is raised, but for those that the simulation does: the dark
//!   and the haze. Time that is not looked at raises nothing, so this counts alarms that light and traffic would
//!   raise, scaled to 30 days.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use milepost::capture::Frame;
use milepost::health::{CameraWatch, Displacement, Kept, Reason, Service};
use milepost::words::{CameraId, PersonName};
use opencv::core::Mat;
use opencv::prelude::*;
use street::{Air, Harm, Pose, Street};

#[path = "../support/datasets.rs"]
mod datasets;
#[path = "support/street.rs"]
mod street;
#[path = "support/summary.rs"]
mod summary;

/// Seconds within which a move, and any other harm, must be seen, and should be.
const MOVE_WITHIN: (u64, u64) = (120, 30);
const HARM_WITHIN: (u64, u64) = (60, 10);

/// 2° at a lens of 30° and 1280 px.
const TURN_PX: f64 = 83.4;

const DAYS: u64 = 30;
const LOOKS_AN_HOUR: u64 = 30;

fn main() {
    let photographs = street::photographs(&datasets::folder());
    let every = |step: usize| photographs.iter().step_by(step);
    let cars = street::cars(&photographs);
    let mut figures = BTreeMap::new();
    let mut bench = Bench { cars, figures: &mut figures };
    let mut errors = Errors::default();
    if asked("faults") {
        let (mut moved, mut harmed) = (Vec::new(), Vec::new());
        for (seed, photograph) in every(stride()).enumerate() {
            bench.poses(photograph, seed as u64, &mut errors);
            bench.moves(photograph, seed as u64, &mut moved);
            bench.harms(photograph, seed as u64, &mut harmed);
        }
        errors.tell(bench.figures);
        tell_seen(bench.figures, "alignment_moved_seen", &moved, MOVE_WITHIN);
        tell_seen(bench.figures, "alignment_covered_seen", &harmed, HARM_WITHIN);
    }
    if asked("days") {
        bench.days(&photographs);
    }
    if asked("cost") {
        bench.cost(&photographs[0]);
    }
    let figures = figures.into_iter().map(|(name, value)| (name, rounded(value).into())).collect();
    summary::add(figures);
}

/// Every so many photographs are looked at; `MILEPOST_BENCH_EVERY` asks for all (1) or for a glance (12).
fn stride() -> usize {
    std::env::var("MILEPOST_BENCH_EVERY").ok().and_then(|step| step.parse().ok()).unwrap_or(3)
}

/// Whether this part is to be run: `MILEPOST_BENCH_PART` asks for one of them alone, `faults`, `days` or `cost`.
fn asked(part: &str) -> bool {
    std::env::var("MILEPOST_BENCH_PART").map_or(true, |only| only == part)
}

struct Bench<'a> {
    cars: Arc<Vec<Mat>>,
    figures: &'a mut BTreeMap<String, f64>,
}

/// A unit with one camera.
struct Unit {
    street: Street,
    watch: CameraWatch,
    service: Service,
}

impl Unit {
    fn raised(&self) -> Vec<(Reason, String)> {
        let standing = self.service.standing().into_iter();
        standing.map(|standing| (standing.reason, standing.detail)).collect()
    }
}

/// When a harm was raised, in seconds after it began; None if not in time.
type Seen = Option<u64>;

impl Bench<'_> {
    fn unit(&mut self, photograph: &Path, seed: u64) -> Unit {
        let street = Street::over(photograph, self.cars.clone(), seed);
        let watch = CameraWatch::new(CameraId::parse("lane-1").expect("a plain name"), None, None);
        let service = Service::new(Kept::default(), street.now());
        let mut unit = Unit { street, watch, service };
        self.look(&mut unit, 15, |_| false);
        let by = PersonName::parse("Dana Ruiz").expect("a plain name");
        let verified = unit.watch.verify_aim(by, unit.street.now()).expect("the picture is sound");
        assert!(verified.is_some(), "the view has settled");
        unit.service = Service::new(Kept::default(), unit.street.now());
        unit.street.traffic = 6.0;
        unit
    }

    /// Looks once a second until `enough`, and says after how many seconds that was.
    fn look(&mut self, unit: &mut Unit, seconds: u64, mut enough: impl FnMut(&Unit) -> bool) -> Seen {
        for second in 1..=seconds {
            let frame = unit.street.frame();
            unit.watch.see(&frame).expect("the picture is sound");
            unit.service.observe(unit.watch.findings(true), frame.taken);
            if enough(unit) {
                return Some(second);
            }
        }
        None
    }

    /// Poses in all kinds of light.
    fn poses(&mut self, photograph: &Path, seed: u64, errors: &mut Errors) {
        let mut unit = self.unit(photograph, seed);
        for air in [
            Air { gain: unit.street.chance.between(0.6, 1.3), shadows: 2, ..Air::default() },
            Air { gain: 0.25, gamma: 1.4, noise: 5.0, ..Air::default() },
            Air { gain: 0.8, veil: 25.0, rain: true, ..Air::default() },
            Air { quality: Some(20), ..Air::default() },
        ] {
            let chance = &mut unit.street.chance;
            let pose = Pose {
                x: chance.between(-100.0, 100.0),
                y: chance.between(-100.0, 100.0),
                turned_deg: chance.between(-3.0, 3.0),
                scale: chance.between(0.93, 1.07),
            };
            unit.street.look_from(pose, air, Harm::None);
            self.look(&mut unit, 20, |_| false);
            errors.take(unit.watch.view().displacement, pose);
        }
    }

    /// One turn and one change of zoom, each from the verified aim.
    fn moves(&mut self, photograph: &Path, seed: u64, moved: &mut Vec<Seen>) {
        for zoom in [false, true] {
            let mut unit = self.unit(photograph, 1000 + 2 * seed + u64::from(zoom));
            let chance = &mut unit.street.chance;
            let (sin, cos) = chance.between(0.0, std::f64::consts::TAU).sin_cos();
            let pose = match zoom {
                false => Pose { x: TURN_PX * cos, y: TURN_PX * sin, ..Pose::default() },
                true if chance.unit() < 0.5 => Pose { scale: 0.95, ..Pose::default() },
                true => Pose { scale: 1.05, ..Pose::default() },
            };
            let air = Air { gain: chance.between(0.5, 1.2), shadows: 1, ..Air::default() };
            unit.street.look_from(Pose::default(), air, Harm::None);
            self.look(&mut unit, 12, |_| false);
            unit.street.look_from(pose, air, Harm::None);
            let seen = self.look(&mut unit, MOVE_WITHIN.0, |unit| {
                unit.raised().iter().any(|(reason, _)| *reason == Reason::CameraMoved)
            });
            tell_missed(seen, photograph, || format!("{pose:?} {:?} {:?}", unit.watch.view(), unit.raised()));
            moved.push(seen);
        }
    }

    fn harms(&mut self, photograph: &Path, seed: u64, harmed: &mut Vec<Seen>) {
        for (number, harm) in [Harm::Covered, Harm::Defocused(3.0)].into_iter().enumerate() {
            let mut unit = self.unit(photograph, 2000 + 2 * seed + number as u64);
            let gain = unit.street.chance.between(0.7, 1.2);
            unit.street.look_from(Pose::default(), Air { gain, ..Air::default() }, harm);
            let expected: &[Reason] = match harm {
                Harm::Defocused(_) => &[Reason::OutOfFocus],
                _ => &[Reason::ViewPartlyCovered, Reason::ViewCovered],
            };
            let seen = self.look(&mut unit, HARM_WITHIN.0, |unit| {
                unit.raised().iter().any(|(reason, _)| expected.contains(reason))
            });
            tell_missed(seen, photograph, || format!("{expected:?} {:?}", unit.watch.view()));
            harmed.push(seen);
        }
        let seen = self.freeze(photograph, 3000 + seed);
        tell_missed(seen, photograph, || "frozen".to_owned());
        harmed.push(seen);
    }

    /// The stream shows one picture for ever, which its encoder sends anew every ten seconds, a little different.
    fn freeze(&mut self, photograph: &Path, seed: u64) -> Seen {
        let mut unit = self.unit(photograph, seed);
        let still = unit.street.frame();
        let still = Mat::new_rows_cols_with_bytes::<u8>(street::HEIGHT, street::WIDTH, still.luma().data)
            .expect("a frame is a picture");
        for second in 1..=HARM_WITHIN.0 {
            unit.street.second += 1;
            let quality = 80 + (second / 10 % 3) as i32;
            let picture = street::encoded(&still, quality).expect("it can be encoded");
            let luma = picture.data_bytes().expect("it lies in one piece").to_vec();
            let frame = unit.street.frame_of(luma);
            unit.watch.see(&frame).expect("the picture is sound");
            unit.service.observe(unit.watch.findings(true), frame.taken);
            if unit.raised().iter().any(|(reason, _)| *reason == Reason::PictureFrozen) {
                return Some(second);
            }
        }
        None
    }

    /// Simulated days over many streets, two days each.
    fn days(&mut self, photographs: &[PathBuf]) {
        let days = if stride() > 6 { DAYS / 6 } else { DAYS };
        let mut alarms = 0;
        for day in (0..days).step_by(2) {
            let photograph = &photographs[day as usize * photographs.len() / days as usize];
            let mut unit = self.unit(photograph, 4000 + day);
            for hour in (0..48).step_by(2) {
                alarms += self.hour(&mut unit, day, hour, photograph);
            }
        }
        let scaled = f64::from(alarms) * DAYS as f64 / days as f64;
        self.figures.insert("alignment_false_alarms_per_30_days".into(), scaled);
        self.figures.insert("alignment_simulated_days".into(), days as f64);
    }

    /// Processor seconds for each second of an undisturbed camera.
    fn cost(&mut self, photograph: &Path) {
        const SECONDS: u64 = 400;
        let mut unit = self.unit(photograph, 5000);
        let frames: Vec<Frame> = (0..12).map(|_| unit.street.frame()).collect();
        let before = cpu_seconds();
        for (second, frame) in (0..SECONDS).zip(frames.iter().cycle()) {
            let mut frame = frame.clone();
            frame.taken.uptime += Duration::from_secs(second);
            unit.watch.see(&frame).expect("the picture is sound");
        }
        self.figures.insert("health_cpu_share".into(), (cpu_seconds() - before) / SECONDS as f64);
    }

    fn hour(&mut self, unit: &mut Unit, day: u64, hour: u64, photograph: &Path) -> u32 {
        let air = air(&mut unit.street.chance, day + hour / 24, hour % 24);
        unit.street.traffic = if matches!(hour % 24, 7..=9 | 16..=18) { 15.0 } else { 4.0 };
        unit.street.skip(7200 - LOOKS_AN_HOUR);
        unit.service.observe(Vec::new(), unit.street.now());
        unit.street.look_from(Pose::default(), air, Harm::None);
        let before = unit.raised();
        let mut raised = Vec::new();
        self.look(unit, LOOKS_AN_HOUR, |unit| {
            for (reason, detail) in unit.raised() {
                let simulated = matches!(reason, Reason::ViewDark | Reason::LampDead | Reason::ViewFogged);
                let is_new = before.iter().all(|(old, _)| *old != reason);
                if is_new && !simulated && raised.iter().all(|(old, _)| *old != reason) {
                    raised.push((reason, detail));
                }
            }
            false
        });
        for (reason, detail) in &raised {
            println!("false alarm, day {day}, hour {hour}, {}: {reason:?} {detail}", photograph.display());
        }
        raised.len() as u32
    }
}

/// What the air is like at an hour of a day.
fn air(chance: &mut street::Chance, day: u64, hour: u64) -> Air {
    // The sun's height, from -1 at midnight to 1 at noon.
    let sun = -(hour as f64 / 24.0 * std::f64::consts::TAU).cos();
    let quality = (day % 4 == 3).then_some(30);
    let wind = if day % 5 == 2 { 8.0 } else { 1.0 };
    let jitter = chance.between(0.9, 1.1);
    match sun {
        // Every other night is one under an infra-red lamp, which brings the street up flat.
        night if night < -0.25 && day.is_multiple_of(2) => {
            Air { gain: 0.45 * jitter, gamma: 0.8, veil: 8.0, noise: 4.0, quality, wind, ..Air::default() }
        }
        night if night < -0.25 => {
            Air { gain: 0.2 * jitter, gamma: 1.3, noise: 5.0, quality, wind, ..Air::default() }
        }
        dusk if dusk < 0.25 => {
            let gain = (0.35 + dusk) * jitter;
            Air { gain: gain.max(0.15), gamma: 1.1, noise: 3.0, quality, wind, ..Air::default() }
        }
        day_light => Air {
            gain: (0.6 + 0.5 * day_light) * jitter,
            gamma: chance.between(0.85, 1.15),
            veil: if day % 7 == 4 { 30.0 } else { 0.0 },
            shadows: if day.is_multiple_of(3) { 3 } else { 1 },
            rain: day % 6 == 5,
            noise: 2.0,
            quality,
            wind,
        },
    }
}

/// Absolute errors over all poses.
#[derive(Default)]
struct Errors {
    poses: usize,
    shift: Vec<f64>,
    turn: Vec<f64>,
    scale: Vec<f64>,
}

impl Errors {
    fn take(&mut self, measured: Option<Displacement>, pose: Pose) {
        self.poses += 1;
        let Some(measured) = measured else { return };
        self.shift.push((f64::from(measured.x_px) - pose.x).hypot(f64::from(measured.y_px) - pose.y));
        self.turn.push((f64::from(measured.roll_deg) + pose.turned_deg).abs());
        self.scale.push((f64::from(measured.scale) / pose.scale - 1.0).abs());
    }

    fn tell(mut self, figures: &mut BTreeMap<String, f64>) {
        let measured = self.shift.len() as f64 / self.poses as f64;
        figures.insert("alignment_measured".into(), measured);
        for (name, errors) in [
            ("alignment_shift_error_px", &mut self.shift),
            ("alignment_rotation_error_deg", &mut self.turn),
            ("alignment_scale_error", &mut self.scale),
        ] {
            errors.sort_by(f64::total_cmp);
            figures.insert(name.into(), errors[errors.len() * 95 / 100]);
            figures.insert(format!("{name}_median"), errors[errors.len() / 2]);
        }
    }
}

fn tell_seen(figures: &mut BTreeMap<String, f64>, name: &str, seen: &[Seen], within: (u64, u64)) {
    let share = |seconds: u64| {
        let in_time = seen.iter().filter(|seen| seen.is_some_and(|second| second <= seconds)).count();
        in_time as f64 / seen.len() as f64
    };
    figures.insert(name.to_owned(), share(within.0));
    figures.insert(format!("{name}_in_{}_s", within.1), share(within.1));
    let mut times: Vec<u64> = seen.iter().flatten().copied().collect();
    times.sort_unstable();
    figures.insert(format!("{name}_after_s_median"), times[times.len() / 2] as f64);
}

fn tell_missed(seen: Seen, photograph: &Path, what: impl Fn() -> String) {
    if seen.is_none() {
        println!("missed, {}: {}", photograph.display(), what());
    }
}

/// Of this thread so far.
fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/stat").expect("Linux tells of each thread");
    let after_name = text.rsplit(')').next().expect("its name stands in brackets");
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks = |field: usize| fields[field].parse::<f64>().expect("the kernel counts in numbers");
    // User and system time, in hundredths of a second.
    (ticks(11) + ticks(12)) / 100.0
}

fn rounded(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}
