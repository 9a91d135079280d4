//! Does a camera read as much as is usual at this hour of the week, as surely, and of as many of the plates that it finds?
//!
//! Owns the count of each hour, what was counted in the weeks before ([`Learned`]: numbers alone, no plate and no time of
//! any vehicle), and what of it is unusual. Decides without I/O, on whole hours in which the camera was watched.
//!
//! Traffic itself comes and goes: a holiday, a closed road. So few reads count only where as much moves in the picture as
//! ever. Where neither is left for a whole day, that is told as what it is.

mod learned;
#[cfg(test)]
mod simulation;

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

pub use learned::Learned;

use self::learned::{Hour, Slot, WEEKS_MIN};
use super::{Finding, Reason};
use crate::words::{CameraId, Moment};

/// A read less sure than this is an unsure one: it could not be a full hit.
pub const UNSURE_BELOW: f64 = 0.9;

/// An hour counts if the camera was watched for so much of it.
const WATCHED_MIN: Duration = Duration::from_secs(55 * 60);

/// A gap between two ticks longer than this is time in which nobody looked.
const TICK_MAX: Duration = Duration::from_secs(5);

/// What is judged are so many of the last hours, as few as hold enough to judge by.
const HOURS: std::ops::RangeInclusive<usize> = 3..=learned::RECENT;

/// Fewer than so many usual reads prove nothing by their absence, and fewer plates nothing by how they were read.
const READS_MIN: f32 = 40.0;
const PLATES_MIN: f32 = 60.0;

/// Fewer reads than this share of the usual are few, however even the weeks before were.
const FEW: f32 = 0.7;

/// Where trees and rain move more than the few vehicles do, nothing tells a holiday from a fault but that it leaves more than
/// this share.
const HARDLY_ANY: f32 = 0.15;

/// Under this share of the usual movement the road is empty; so many usual reads a day make that worth a word.
const EMPTY: f32 = 0.2;
const BUSY: f32 = 100.0;

/// A share that rises by so much beyond one and a half of its usual value is unusual, however even the weeks before were:
/// rain alone raises it by less.
const SHARE_MORE: f32 = 0.1;

/// What passed a camera in some time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Passed {
    /// Vehicles that were read.
    pub reads: u32,
    /// Of those, read with less confidence than [`UNSURE_BELOW`].
    pub unsure: u32,
    /// Vehicles whose plate was found and could not be read.
    pub unread: u32,
    /// How much moved: the share of the picture that did, summed over seconds.
    pub stir: f32,
}

impl std::ops::AddAssign for Passed {
    fn add_assign(&mut self, other: Self) {
        self.reads += other.reads;
        self.unsure += other.unsure;
        self.unread += other.unread;
        self.stir += other.stir;
    }
}

/// What the report and the console say of a camera's yield.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct YieldReport {
    /// The last whole hour, in words.
    pub words: String,
    /// When that hour began; none before the first.
    #[cfg_attr(test, schemars(with = "Option<crate::contract::Time>"))]
    pub hour: Option<Timestamp>,
    /// Vehicles that were read in that hour.
    pub reads: u32,
    /// Of them, read with little confidence.
    pub unsure: u32,
    /// Plates that were seen and not read.
    pub unread: u32,
    /// Between which numbers of reads it usually is at this hour of the week; none until that is known.
    pub usual_reads: Option<(u32, u32)>,
}

/// An hour's reads against the usual.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Yield {
    Fewer,
    AsUsual,
    More,
}

impl YieldReport {
    /// None until it is known what is usual at that hour of the week.
    pub fn against_usual(&self) -> Option<Yield> {
        self.usual_reads.map(|(low, high)| match self.reads {
            few if few < low => Yield::Fewer,
            many if many > high => Yield::More,
            _ => Yield::AsUsual,
        })
    }
}

/// Watches one camera's yield.
pub struct YieldWatch {
    zone: TimeZone,
    learned: Learned,
    open: Option<Open>,
    last_tick: Option<Moment>,
    /// What is unusual, as of the last whole hour.
    unusual: Vec<(Reason, String)>,
}

/// The hour that is being counted.
struct Open {
    start: Timestamp,
    slot: Slot,
    watched: Duration,
    passed: Passed,
}

impl YieldWatch {
    /// `learned` is what [`YieldWatch::learned`] gave before the restart; `zone` is where the road's week is counted.
    pub fn new(learned: Option<Learned>, zone: TimeZone) -> Self {
        let learned = learned.unwrap_or_default();
        let unusual = judged(&learned);
        Self { zone, learned, open: None, last_tick: None, unusual }
    }

    /// What must outlive a restart.
    pub fn learned(&self) -> &Learned {
        &self.learned
    }

    /// Takes in what passed since the last tick, about once a second; `watched`: whether the camera gives a picture
    /// that can be read. True when an hour is over, and there is something new to keep.
    pub fn tick(&mut self, passed: Passed, watched: bool, now: Moment) -> bool {
        let since = self.last_tick.map_or(Duration::ZERO, |last| now.since(&last));
        self.last_tick = Some(now);
        let (start, slot) = hour_of(now.wall, &self.zone);
        let is_over = self.open.as_ref().is_some_and(|open| open.start != start);
        let closed = if is_over { self.open.take().filter(|open| open.watched >= WATCHED_MIN) } else { None };
        let open =
            self.open.get_or_insert(Open { start, slot, watched: Duration::ZERO, passed: Passed::default() });
        if watched {
            open.passed += passed;
            open.watched += since.min(TICK_MAX);
        }
        let has_closed = closed.is_some();
        if let Some(Open { start, slot, passed, .. }) = closed {
            self.close(Hour { start, slot, passed });
        }
        has_closed
    }

    fn close(&mut self, hour: Hour) {
        self.learned.take(hour);
        self.unusual = judged(&self.learned);
    }

    pub fn findings(&self, camera: &CameraId) -> Vec<Finding> {
        let finding = |(reason, detail): &(Reason, String)| Finding {
            reason: *reason,
            camera: Some(camera.clone()),
            detail: detail.clone(),
        };
        self.unusual.iter().map(finding).collect()
    }

    pub fn report(&self) -> YieldReport {
        let Some(Hour { start, slot, passed }) = self.learned.last() else {
            return YieldReport {
                words: "no whole hour has been counted yet".to_owned(),
                ..YieldReport::default()
            };
        };
        let weeks = self.learned.weeks(&[*slot]);
        let usual = (weeks.len() >= WEEKS_MIN).then(|| Range::of(weeks.iter().map(|week| week.reads as f32)));
        let words = match &usual {
            Some(usual) => format!("read {} from {slot}; usually {usual} on {}s", passed.reads, slot.day()),
            None => format!(
                "read {} from {slot}; what is usual on {}s is known after {WEEKS_MIN} weeks",
                passed.reads,
                slot.day()
            ),
        };
        YieldReport {
            words,
            hour: Some(*start),
            reads: passed.reads,
            unsure: passed.unsure,
            unread: passed.unread,
            usual_reads: usual.map(|usual| usual.whole()),
        }
    }
}

/// The hour's beginning, and which of the week's it is, where the road is.
fn hour_of(at: Timestamp, zone: &TimeZone) -> (Timestamp, Slot) {
    let local = at.to_zoned_datetime(zone.clone());
    let into = i64::from(local.minute()) * 60 + i64::from(local.second());
    let start = Timestamp::from_second(at.as_second() - into).unwrap_or(at);
    (start, Slot::new(local.weekday(), local.hour() as u8))
}

/// The usual values of something: the middle of the weeks, and how far they are apart.
struct Range {
    middle: f32,
    spread: f32,
}

/// So many spreads from the middle is usual: with the few weeks that are known, one in some thousand is beyond.
const USUAL: f32 = 3.0;

impl Range {
    /// By median and median deviation, so that one odd week of several shifts neither. Vehicles come by chance: no
    /// count is steadier than its square root, nor, with weather and school holidays, than a twelfth.
    fn of(values: impl Iterator<Item = f32>) -> Self {
        let values: Vec<f32> = values.collect();
        let middle = median(values.iter().copied());
        let deviation = 1.4826 * median(values.iter().map(|value| (value - middle).abs()));
        Self { middle, spread: deviation.max(middle.sqrt()).max(middle / 12.0) }
    }

    fn low(&self) -> f32 {
        (self.middle - USUAL * self.spread).max(0.0)
    }

    fn whole(&self) -> (u32, u32) {
        (self.low().round() as u32, (self.middle + USUAL * self.spread).round() as u32)
    }
}

impl std::fmt::Display for Range {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (low, high) = self.whole();
        write!(f, "{low} to {high}")
    }
}

fn median(values: impl Iterator<Item = f32>) -> f32 {
    let mut values: Vec<f32> = values.collect();
    values.sort_by(f32::total_cmp);
    match values.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => values[odd / 2],
        even => (values[even / 2 - 1] + values[even / 2]) / 2.0,
    }
}

/// The last hours, and the same hours of the weeks before.
struct Window {
    hours: Vec<Hour>,
    now: Passed,
    weeks: Vec<Passed>,
}

/// All that is judged by.
struct Judge<'a> {
    learned: &'a Learned,
    /// What moves in an hour though nothing passes, trees, rain and shadows: usually, and at the most.
    background: (f32, f32),
}

impl Judge<'_> {
    /// The last `count` hours that `counts`; none while too few, or too few weeks of them, are known.
    fn window(&self, count: usize, counts: impl Fn(&Hour) -> bool) -> Option<Window> {
        let mut hours: Vec<Hour> = self.learned.recent().filter(|hour| counts(hour)).copied().collect();
        hours.drain(..hours.len().checked_sub(count)?);
        let slots: Vec<Slot> = hours.iter().map(|hour| hour.slot).collect();
        let weeks = self.learned.weeks(&slots);
        let mut now = Passed::default();
        hours.iter().for_each(|hour| now += hour.passed);
        (weeks.len() >= WEEKS_MIN).then_some(Window { hours, now, weeks })
    }

    /// Whether a road with nothing on it would have looked so.
    fn is_empty(&self, hour: &Hour) -> bool {
        hour.passed.reads == 0 && hour.passed.stir <= self.background.1
    }

    /// How much of the usual traffic there is at the least by what moves, 0 to 1; none where what moves by itself hides it.
    fn traffic(&self, window: &Window) -> Option<f32> {
        let hours = window.hours.len() as f32;
        let (usually, most) = (self.background.0 * hours, self.background.1 * hours);
        let usual = median(window.weeks.iter().map(|week| week.stir)) - usually;
        let is_more = window.now.stir > most;
        // Of what may move by itself, the middle.
        let by_itself = (usually + most) / 2.0;
        let traffic = if is_more { ((window.now.stir - by_itself) / usual).clamp(0.0, 1.0) } else { 0.0 };
        (usual > 3.0 * (most - usually)).then_some(traffic)
    }

    fn too_few_reads(&self) -> Option<(Reason, String)> {
        let windows = HOURS.filter_map(|count| self.window(count, |hour| !self.is_empty(hour)));
        let (window, usual) = windows
            .map(|window| {
                let usual = window.usual_reads();
                (window, usual)
            })
            .find(|(_, usual)| usual.middle >= READS_MIN)?;
        let few = match self.traffic(&window) {
            Some(traffic) => usual.low().min(FEW * usual.middle) * traffic,
            None => HARDLY_ANY * usual.middle,
        };
        let detail = || {
            let hours = window.hours.len();
            format!(
                "{} reads in the last {hours} hours, usually {usual} {}",
                window.now.reads,
                window.words()
            )
        };
        ((window.now.reads as f32) < few).then(|| (Reason::YieldLow, detail()))
    }

    fn an_empty_road(&self) -> Option<(Reason, String)> {
        let day = self.window(learned::RECENT, |_| true).filter(|_| self.learned.is_a_day())?;
        let usual = day.usual_reads();
        let moves = self.traffic(&day).unwrap_or(0.0);
        let is_empty = usual.middle >= BUSY && (day.now.reads as f32) < usual.middle / 100.0 && moves < EMPTY;
        let detail =
            || format!("{} reads in the last {} hours, usually {usual}", day.now.reads, learned::RECENT);
        is_empty.then(|| (Reason::NothingPasses, detail()))
    }

    fn a_larger_share(
        &self,
        reason: Reason,
        part: impl Fn(&Passed) -> u32,
        all: impl Fn(&Passed) -> u32,
    ) -> Option<(Reason, String)> {
        let windows = HOURS.filter_map(|count| self.window(count, |_| true));
        let window = windows.into_iter().find(|window| all(&window.now) as f32 >= PLATES_MIN)?;
        let share = |passed: &Passed| part(passed) as f32 / all(passed).max(1) as f32;
        let usual = median(window.weeks.iter().map(share));
        let deviation = 1.4826 * median(window.weeks.iter().map(|week| (share(week) - usual).abs()));
        let most = (usual + USUAL * deviation).max(1.5 * usual + SHARE_MORE).min(1.0);
        let by_chance = (most * (1.0 - most) / all(&window.now) as f32).sqrt();
        let (now, most) = (share(&window.now), most + USUAL * by_chance);
        let detail = || {
            let percent = |share: f32| (share * 100.0).round();
            let (hours, usual) = (window.hours.len(), percent(usual));
            format!("{} % in the last {hours} hours, usually {usual} % {}", percent(now), window.words())
        };
        (now > most).then(|| (reason, detail()))
    }
}

impl Window {
    fn usual_reads(&self) -> Range {
        Range::of(self.weeks.iter().map(|week| week.reads as f32))
    }

    fn words(&self) -> String {
        let (first, last) = (self.hours[0].slot, self.hours[self.hours.len() - 1].slot);
        format!("on {}s from {}:00 to {}:00", first.day(), first.hour(), (last.hour() + 1) % 24)
    }
}

fn judged(learned: &Learned) -> Vec<(Reason, String)> {
    let judge = Judge { learned, background: learned.background() };
    let plates = |passed: &Passed| passed.reads + passed.unread;
    let checks = [
        judge.too_few_reads(),
        judge.an_empty_road(),
        judge.a_larger_share(Reason::ReadsUnsure, |passed| passed.unsure, |passed| passed.reads),
        judge.a_larger_share(Reason::PlatesUnread, |passed| passed.unread, plates),
    ];
    checks.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone() -> TimeZone {
        TimeZone::get("America/New_York").unwrap_or(TimeZone::UTC)
    }

    #[test]
    fn an_hour_counts_if_it_was_watched_and_is_told_in_words() {
        let mut watch = YieldWatch::new(None, TimeZone::UTC);
        // A Tuesday.
        let start: Timestamp = "2026-06-02T07:30:00Z".parse().unwrap();
        let at = |second: u64| {
            let uptime = Duration::from_secs(second);
            Moment { uptime, wall: start + uptime }
        };
        assert_eq!(watch.report().words, "no whole hour has been counted yet");
        let mut closed = Vec::new();
        for second in 0..3 * 3600 {
            let read = Passed { reads: u32::from(second % 30 == 0), ..Passed::default() };
            // The camera is lost for a quarter of the third hour.
            let watched = !(6000..6900).contains(&second);
            if watch.tick(read, watched, at(second)) {
                closed.push(second);
            }
        }
        assert_eq!(closed, [1800 + 3600], "neither the first half hour nor the one that was not watched");
        let report = watch.report();
        let words = "read 120 from 8:00 to 9:00; what is usual on Tuesdays is known after 4 weeks";
        assert_eq!((report.words.as_str(), report.reads), (words, 120));
        assert_eq!(report.hour, Some("2026-06-02T08:00:00Z".parse().unwrap()));
    }

    #[test]
    fn an_hour_is_the_roads_own_also_when_clocks_change() {
        let (start, slot) = hour_of("2026-11-01T05:30:00Z".parse().unwrap(), &zone());
        let (again, same) = hour_of("2026-11-01T06:30:00Z".parse().unwrap(), &zone());
        assert_ne!(start, again, "the hour that comes twice is two hours");
        assert_eq!(slot, same);
    }
}
