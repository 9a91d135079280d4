//! Simulated traffic: whatever vehicles do, each gives one read.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;

use super::track::tests::sighting;
use super::{Config, Direction, Passages, Read, Verdict};
use crate::capture::{Frame, OwnedPlanes};
use crate::vision::Sighting;
use crate::words::{CameraId, Moment};

const FRAMES_PER_S: u32 = 15;

/// A vehicle's plate at each time (seconds): centre and width, or nothing where it is out of sight.
type Path<'a> = &'a dyn Fn(f32) -> Option<(f32, f32, f32)>;

fn frame(seconds: f32) -> Frame {
    let uptime = Duration::from_secs_f32(seconds);
    let taken = Moment { uptime, wall: Timestamp::UNIX_EPOCH + uptime };
    let planes = Arc::new(OwnedPlanes::grey(vec![0; 16], 4, 4));
    Frame::new(CameraId::parse("lane-1").unwrap(), taken, (seconds * 1000.0) as u64, planes)
}

/// Lets the vehicles drive for `seconds`; `look` makes of text, place and time what the camera sees.
fn drive_seen(
    seconds: u32,
    vehicles: &[(&str, Path<'_>)],
    mut look: impl FnMut(&str, (f32, f32), f32, u32) -> Option<Sighting>,
) -> (Vec<Verdict>, Passages) {
    let mut passages = Passages::new(Config::default());
    let mut verdicts = Vec::new();
    for number in 0..seconds * FRAMES_PER_S {
        let now = number as f32 / FRAMES_PER_S as f32;
        let sightings = vehicles
            .iter()
            .filter_map(|(text, path)| path(now).map(|place| (text, place)))
            .filter_map(|(text, (x, y, width))| look(text, (x, y), width, number))
            .collect();
        verdicts.extend(passages.see(&frame(now), sightings));
    }
    verdicts.extend(passages.finish());
    (verdicts, passages)
}

fn drive(seconds: u32, vehicles: &[(&str, Path<'_>)]) -> Vec<Verdict> {
    drive_seen(seconds, vehicles, |text, centre, width, _| Some(sighting(text, 7.0, centre, width))).0
}

fn finals(verdicts: &[Verdict]) -> Vec<&Read> {
    verdicts.iter().filter(|verdict| matches!(verdict, Verdict::Final(_))).map(Verdict::read).collect()
}

/// The texts of the final reads, sorted.
fn texts(verdicts: &[Verdict]) -> Vec<String> {
    let mut texts: Vec<_> =
        finals(verdicts).iter().map(|read| read.candidates[0].plate.to_string()).collect();
    texts.sort();
    texts
}

/// Drives up from `start` seconds on, for three seconds.
fn drives_up(start: f32, lane: f32) -> impl Fn(f32) -> Option<(f32, f32, f32)> {
    move |now| {
        let along = (now - start) / 3.0;
        (0.0..1.0).contains(&along).then_some((lane, 150.0 + 500.0 * along, 60.0 + 80.0 * along))
    }
}

#[test]
fn a_vehicle_is_told_early_and_finally_under_one_id() {
    let verdicts = drive(8, &[("ABC123", &drives_up(0.5, 300.0))]);
    let [Verdict::Early(early), Verdict::Final(last)] = &verdicts[..] else { panic!("early, then final") };
    assert_eq!(early.id, last.id);
    assert!(early.ended.duration_since(early.started).as_secs_f64() < 0.3, "told while it was in view");
    assert_eq!(last.direction, Direction::Approaching);
    assert_eq!(last.sightings, 3 * FRAMES_PER_S);
    assert!(last.width_px > 125.0, "the largest look goes along");
}

#[test]
fn one_that_leaves_before_its_vote_is_sure_is_told_at_once_and_finally_under_one_id() {
    let mut passages = Passages::new(Config::default());
    let seen = |passages: &mut Passages, seconds: f32| {
        passages.see(&frame(seconds), vec![sighting("ABC123", 7.0, (300.0, 300.0), 80.0)])
    };
    // Two frames are too few to be sure by.
    assert!(seen(&mut passages, 1.0).is_empty() && seen(&mut passages, 1.07).is_empty());
    let mut tick = |seconds: f32| passages.tick(frame(seconds).taken);
    assert!(tick(1.15).is_empty(), "it may only flicker");
    let early = tick(1.2);
    let [Verdict::Early(early)] = &early[..] else { panic!("early, out of sight for 130 ms") };
    assert!(tick(1.3).is_empty(), "once, as long as nothing more is seen");
    let last = tick(3.2);
    let [Verdict::Final(last)] = &last[..] else { panic!("and finally") };
    assert_eq!((early.id, early.sightings), (last.id, last.sightings));
}

#[test]
fn two_side_by_side_give_one_read_each() {
    let (left, right) = (drives_up(0.5, 300.0), drives_up(0.6, 700.0));
    assert_eq!(texts(&drive(8, &[("ABC123", &left), ("XYZ987", &right)])), ["ABC123", "XYZ987"]);
}

#[test]
fn one_hidden_behind_another_gives_one_read_each() {
    // A truck crosses in front of a standing car and hides it for more than a second.
    let car = |now: f32| (!(2.0..3.5).contains(&now)).then_some((600.0, 300.0, 80.0));
    let truck = |now: f32| (2.0..3.5).contains(&now).then_some((500.0 + 150.0 * (now - 2.0), 310.0, 90.0));
    assert_eq!(texts(&drive(8, &[("ABC123", &car), ("TRK4567", &truck)])), ["ABC123", "TRK4567"]);
}

#[test]
fn one_that_stands_for_minutes_gives_one_read_before_it_leaves() {
    let stands = |_: f32| Some((600.0, 300.0, 80.0));
    let (verdicts, passages) = drive_seen(300, &[("ABC123", &stands)], |text, centre, width, number| {
        // A standing vehicle is looked at once a second.
        number.is_multiple_of(FRAMES_PER_S).then(|| sighting(text, 7.0, centre, width))
    });
    assert_eq!(texts(&verdicts), ["ABC123"]);
    let read = finals(&verdicts)[0];
    assert!(read.last_seen.uptime < Duration::from_secs(125));
    assert_eq!(read.direction, Direction::Standing);
    assert_eq!(passages.counts().reads, 1);
}

#[test]
fn one_that_reverses_gives_one_read() {
    let reverses = |now: f32| {
        let along = 1.0 - (now - 3.0).abs() / 3.0;
        (along >= 0.0).then_some((300.0, 150.0 + 500.0 * along, 60.0 + 80.0 * along))
    };
    assert_eq!(texts(&drive(9, &[("ABC123", &reverses)])), ["ABC123"]);
}

#[test]
fn one_that_comes_back_at_once_is_not_read_again_and_much_later_it_is() {
    let comes_back = |pause: f32| {
        move |now: f32| {
            let up = drives_up(0.0, 300.0);
            up(now).or_else(|| up(now - 3.0 - pause))
        }
    };
    assert_eq!(texts(&drive(12, &[("ABC123", &comes_back(4.0))])), ["ABC123"]);
    assert_eq!(texts(&drive(40, &[("ABC123", &comes_back(30.0))])), ["ABC123", "ABC123"]);
}

#[test]
fn a_fleet_in_a_row_gives_a_read_for_each() {
    let (first, second) = (drives_up(0.0, 300.0), drives_up(3.2, 300.0));
    let verdicts = drive(10, &[("ABC1234", &first), ("ABC1235", &second)]);
    assert_eq!(texts(&verdicts), ["ABC1234", "ABC1235"]);
}

#[test]
fn unreadable_at_a_distance_and_clear_up_close_is_one_vehicle() {
    let path = drives_up(0.0, 300.0);
    let (verdicts, _) = drive_seen(8, &[("ABC123", &path)], |text, centre, width, number| {
        let (text, lead) = if width < 90.0 { ("88C12", 2.0) } else { (text, 7.0) };
        // And seen only now and then while it is far.
        (width >= 90.0 || number.is_multiple_of(3)).then(|| sighting(text, lead, centre, width))
    });
    assert_eq!(texts(&verdicts), ["ABC123"]);
}

#[test]
fn one_blink_of_something_is_no_read() {
    let blink = |now: f32| (now == 1.0).then_some((300.0, 300.0, 60.0));
    let (verdicts, passages) =
        drive_seen(5, &[("C00D", &blink)], |text, centre, width, _| Some(sighting(text, 5.0, centre, width)));
    assert!(verdicts.is_empty());
    assert_eq!(passages.counts().unreadable, 1);
}

proptest! {
    /// Four misread characters in ten sightings, jitter and dropped frames: still one read, and right.
    #[test]
    fn noise_is_outvoted(seed in any::<u64>()) {
        let path = drives_up(0.3, 400.0);
        let mut noise = seed | 1;
        let mut random = move |below: u64| {
            // Xorshift (Marsaglia 2003).
            noise ^= noise << 13;
            noise ^= noise >> 7;
            noise ^= noise << 17;
            noise % below
        };
        let (verdicts, _) = drive_seen(8, &[("ABC1234", &path)], |text, (x, y), width, _| {
            if random(5) == 0 {
                return None;
            }
            let mut seen = text.to_owned().into_bytes();
            if random(10) < 4 {
                let position = random(seen.len() as u64) as usize;
                seen[position] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[random(36) as usize];
            }
            let jitter = |value: f32, by: u64| value + by as f32 - 4.0;
            let centre = (jitter(x, random(9)), jitter(y, random(9)));
            let lead = 4.0 + random(4) as f32;
            Some(sighting(std::str::from_utf8(&seen).expect("ASCII"), lead, centre, width))
        });
        prop_assert_eq!(texts(&verdicts), ["ABC1234"]);
    }
}
