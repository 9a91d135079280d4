//! Simulated weeks of a road, with weather, holidays, closures and what can go wrong with a camera.

use super::learned::{Hour, Slot};
use super::*;

/// A road's week and its chance.
struct Road {
    state: u64,
    /// Vehicles an hour at the busiest time.
    busy: f32,
    /// How the present day is: traffic and the reader's trouble, 1 as usual.
    day: f32,
    rain: bool,
}

impl Road {
    fn new(seed: u64, busy: f32) -> Self {
        Self { state: seed, busy, day: 1.0, rain: false }
    }

    fn chance(&mut self) -> f32 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.state;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((value ^ (value >> 31)) >> 40) as f32 / (1u64 << 24) as f32
    }

    /// About normal, of deviation 1.
    fn normal(&mut self) -> f32 {
        (0..12).map(|_| self.chance()).sum::<f32>() - 6.0
    }

    fn count(&mut self, mean: f32) -> u32 {
        (mean + mean.sqrt() * self.normal()).round().max(0.0) as u32
    }

    fn new_day(&mut self) {
        self.day = (0.09 * self.normal()).exp();
        self.rain = self.chance() < 0.15;
    }

    /// What a sound camera counts in an hour, `factor` of the usual traffic on the road.
    fn hour(&mut self, hour: usize, factor: f32) -> Passed {
        let (day, of_day) = (hour / 24 % 7, hour % 24);
        if of_day == 0 {
            self.new_day();
        }
        const SHAPE: [f32; 24] = [
            0.05, 0.03, 0.02, 0.02, 0.05, 0.18, 0.45, 0.9, 1.0, 0.75, 0.6, 0.6, 0.65, 0.62, 0.65, 0.8, 0.95,
            1.0, 0.8, 0.55, 0.4, 0.3, 0.18, 0.1,
        ];
        const WEEKEND: [f32; 24] = [
            0.12, 0.08, 0.06, 0.04, 0.04, 0.06, 0.12, 0.2, 0.32, 0.48, 0.6, 0.66, 0.68, 0.66, 0.62, 0.6,
            0.58, 0.55, 0.5, 0.42, 0.35, 0.28, 0.22, 0.16,
        ];
        let shape = if day < 5 { SHAPE[of_day] } else { WEEKEND[of_day] };
        let rain = if self.rain { 1.0 } else { 0.0 };
        let vehicles =
            self.busy * shape * factor * self.day * (1.0 - 0.12 * rain) * (0.04 * self.normal()).exp();
        let seen = self.count(vehicles);
        let unread = self.count(seen as f32 * (0.03 + 0.02 * rain)).min(seen);
        let reads = seen - unread;
        let unsure = self.count(reads as f32 * (0.07 + 0.05 * rain)).min(reads);
        // A vehicle moves a tenth of the picture for a second and a half; trees and rain move on their own.
        let stir = 0.15 * seen as f32 * (0.06 * self.normal()).exp() + 2.0 + 5.0 * rain * self.chance();
        Passed { reads, unsure, unread, stir }
    }
}

/// Counted from a Monday on.
fn hour_at(hour: usize, passed: Passed) -> Hour {
    let monday: Timestamp = "2026-06-01T00:00:00Z".parse().unwrap();
    let start = monday + Duration::from_secs(3600 * hour as u64);
    Hour { start, slot: Slot::try_from((hour % WEEK) as u8).unwrap(), passed }
}

/// Lets the watch count one hour after the other, as `passes` says; gives the reasons of each hour.
fn watched(
    watch: &mut YieldWatch,
    hours: std::ops::Range<usize>,
    mut passes: impl FnMut(usize) -> Passed,
) -> Vec<Vec<Reason>> {
    let camera = CameraId::parse("lane-1").unwrap();
    let count = |hour: usize| {
        watch.close(hour_at(hour, passes(hour)));
        watch.findings(&camera).into_iter().map(|finding| finding.reason).collect()
    };
    hours.map(count).collect()
}

const WEEK: usize = 168;

fn learned(road: &mut Road, weeks: usize) -> YieldWatch {
    let mut learned = Learned::default();
    (0..weeks * WEEK).for_each(|hour| learned.take(hour_at(hour, road.hour(hour, 1.0))));
    YieldWatch::new(Some(learned), TimeZone::UTC)
}

/// Eight roads, a third of a year each: weather, a holiday every other week, a closed road every fourth, for up to two days.
#[test]
fn weather_holidays_and_closed_roads_are_no_fault_of_the_camera() {
    let (mut alarms, mut notes) = (Vec::new(), 0);
    for seed in 0..8 {
        let mut road = Road::new(seed, [400.0, 1200.0, 40.0, 8.0][seed as usize % 4]);
        let mut watch = YieldWatch::new(None, TimeZone::UTC);
        let (mut holiday, mut closed) = (usize::MAX, 0..0);
        let found = watched(&mut watch, 0..17 * WEEK, |hour| {
            if hour % (2 * WEEK) == 0 {
                holiday = hour / 24 + (road.chance() * 14.0) as usize;
            }
            if hour % (4 * WEEK) == 0 {
                let from = hour + (road.chance() * 600.0) as usize;
                closed = from..from + 6 + (road.chance() * 42.0) as usize;
            }
            let factor = if closed.contains(&hour) {
                0.0
            } else if hour / 24 == holiday {
                0.45
            } else {
                1.0
            };
            road.hour(hour, factor)
        });
        for (hour, reasons) in found.iter().enumerate() {
            notes += usize::from(
                reasons.contains(&Reason::NothingPasses) && !found[hour - 1].contains(&Reason::NothingPasses),
            );
            let before = hour.checked_sub(1).map(|before| &found[before]);
            for reason in reasons.iter().filter(|reason| **reason != Reason::NothingPasses) {
                if before.is_none_or(|before| !before.contains(reason)) {
                    alarms.push((seed, hour, *reason));
                }
            }
        }
    }
    assert!(alarms.is_empty(), "{} alarms in 2.6 years of cameras: {alarms:?}", alarms.len());
    assert!(notes <= 30, "an empty road is told once a closure that lasts for a day: {notes}");
}

/// Hours from a fault at `hour` until this reason stands; none within a day and a half.
fn until_seen(
    seed: u64,
    busy: f32,
    hour: usize,
    reason: Reason,
    fault: impl Fn(Passed) -> Passed,
) -> Option<usize> {
    let mut road = Road::new(seed, busy);
    let mut watch = learned(&mut road, 8);
    let from = 8 * WEEK + hour;
    watched(&mut watch, 8 * WEEK..from, |hour| road.hour(hour, 1.0));
    let found = watched(&mut watch, from..from + 36, |hour| fault(road.hour(hour, 1.0)));
    found.iter().position(|reasons| reasons.contains(&reason)).map(|hours| hours + 1)
}

fn scaled(count: u32, by: f32) -> u32 {
    (count as f32 * by).round() as u32
}

/// A fogged lens: half of the plates are not found at all, of the rest a third is unsure, and less stands out as moving.
fn fogged(passed: Passed) -> Passed {
    let reads = scaled(passed.reads, 0.5);
    Passed { reads, unsure: reads / 3, unread: passed.unread + reads / 4, stir: passed.stir * 0.85 }
}

#[test]
fn a_fogged_lens_and_a_turned_camera_are_seen_within_hours() {
    // The reads of two lanes of three are gone, and what moves is still seen.
    let turned = |passed: Passed| Passed { reads: scaled(passed.reads, 0.35), ..passed };
    let blind = |passed: Passed| Passed { reads: 0, unsure: 0, unread: 0, stir: passed.stir * 0.5 };
    for seed in 0..8 {
        // A weekday's early morning to noon.
        let hour = 24 + 6 + seed as usize % 6;
        for busy in [1200.0, 300.0] {
            let seen = until_seen(seed, busy, hour, Reason::ReadsUnsure, fogged);
            assert!(seen.is_some_and(|hours| hours <= 6), "unsure, seed {seed}, {busy} an hour: {seen:?}");
            let seen = until_seen(seed, busy, hour, Reason::PlatesUnread, fogged);
            assert!(seen.is_some_and(|hours| hours <= 6), "unread, seed {seed}, {busy} an hour: {seen:?}");
            let seen = until_seen(seed, busy, hour, Reason::YieldLow, turned);
            assert!(seen.is_some_and(|hours| hours <= 12), "turned, seed {seed}, {busy} an hour: {seen:?}");
            let seen = until_seen(seed, busy, hour, Reason::YieldLow, blind);
            assert!(seen.is_some_and(|hours| hours <= 12), "blind, seed {seed}, {busy} an hour: {seen:?}");
        }
        let seen = until_seen(seed, 1200.0, hour, Reason::YieldLow, fogged);
        assert!(seen.is_some_and(|hours| hours <= 30), "fogged, seed {seed}: {seen:?}");
        // Where hardly anything passes, only that hardly anything is read can be seen.
        let nearly_blind = |passed: Passed| Passed { reads: scaled(passed.reads, 0.1), ..passed };
        let seen = until_seen(seed, 30.0, hour, Reason::YieldLow, nearly_blind);
        assert!(seen.is_some_and(|hours| hours <= 30), "a quiet road, seed {seed}: {seen:?}");
    }
}

#[test]
fn a_day_without_plates_or_movement_is_told_as_that() {
    let still = |_| Passed { stir: 2.0, ..Passed::default() };
    for seed in 0..3 {
        let seen = until_seen(seed, 300.0, 30, Reason::NothingPasses, still);
        assert!(seen.is_some_and(|hours| hours <= 26), "{seen:?}");
        assert_eq!(until_seen(seed, 300.0, 30, Reason::YieldLow, still), None);
    }
}

#[test]
fn a_fault_stands_until_it_is_mended_and_over_a_restart() {
    let mut road = Road::new(5, 600.0);
    let mut watch = learned(&mut road, 6);
    let from = 6 * WEEK + 8;
    watched(&mut watch, 6 * WEEK..from, |hour| road.hour(hour, 1.0));
    let found = watched(&mut watch, from..from + 10, |hour| fogged(road.hour(hour, 1.0)));
    assert!(found[9].contains(&Reason::YieldLow));
    let kept = serde_json::to_vec(watch.learned()).unwrap();
    assert!(kept.len() < 100_000, "{} bytes", kept.len());
    let mut watch = YieldWatch::new(Some(serde_json::from_slice(&kept).unwrap()), TimeZone::UTC);
    let camera = CameraId::parse("lane-1").unwrap();
    assert!(watch.findings(&camera).iter().any(|finding| finding.reason == Reason::YieldLow));
    let found = watched(&mut watch, from + 10..from + 20, |hour| road.hour(hour, 1.0));
    assert_eq!(found[9], [], "mended");
}

#[test]
fn a_road_that_has_changed_for_good_is_the_new_usual_after_some_weeks() {
    let mut road = Road::new(7, 600.0);
    let mut watch = learned(&mut road, 8);
    // A lane was taken away from the camera's view: fewer reads, as much movement.
    let changed = |passed: Passed| Passed { reads: scaled(passed.reads, 0.5), ..passed };
    let found = watched(&mut watch, 8 * WEEK..16 * WEEK, |hour| changed(road.hour(hour, 1.0)));
    assert!(found[18].contains(&Reason::YieldLow));
    assert!(found[7 * WEEK..].iter().all(Vec::is_empty));
}

#[test]
fn what_is_unusual_is_told_with_its_usual_range() {
    let mut road = Road::new(3, 600.0);
    let mut watch = learned(&mut road, 8);
    let from = 8 * WEEK + 24 + 6;
    watched(&mut watch, 8 * WEEK..from, |hour| road.hour(hour, 1.0));
    watched(&mut watch, from..from + 3, |hour| fogged(road.hour(hour, 1.0)));
    let camera = CameraId::parse("lane-1").unwrap();
    let finding = watch.findings(&camera).remove(0);
    assert_eq!(finding.reason, Reason::YieldLow);
    assert!(finding.detail.contains(" reads in the last 3 hours, usually "), "{}", finding.detail);
    assert!(finding.detail.ends_with(" on Tuesdays from 6:00 to 9:00"), "{}", finding.detail);
    let report = watch.report();
    let (low, high) = report.usual_reads.unwrap();
    assert!(low > report.reads && high > low, "{report:?}");
    assert_eq!(
        report.words,
        format!("read {} from 8:00 to 9:00; usually {low} to {high} on Tuesdays", report.reads)
    );
}
