//! Several frames against one: each scene that judges becomes a clip of its car driving up.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use milepost::capture::{Frame, OwnedPlanes};
use milepost::passage::{Config, Passages, Verdict};
use milepost::vision::Vision;
use milepost::words::{CameraId, Moment, Plate};

use super::pictures::{self, Luma, Truth};
use super::shows;

const FRAMES: usize = 10;
const INTERVAL: Duration = Duration::from_millis(100);
/// How large the car is in the first frame, against the photograph.
const FAR: f32 = 0.55;
/// How far it has come from, as shares of the picture's sides.
const PATH: (f32, f32) = (0.06, 0.12);
/// The longest smear by motion in the photograph's pixels, the strongest noise in grey levels.
const SMEAR: u32 = 5;
const NOISE: u32 = 8;

/// Over all frames of all clips, and over the clips.
#[derive(Default)]
struct Counts {
    frames: u32,
    frames_exact: u32,
    clips: u32,
    best_frame_exact: u32,
    vote_exact: u32,
    reads: u32,
}

#[test]
fn a_vote_over_a_passage_is_right_more_often_than_one_frame() {
    let mut vision = Vision::load(&Default::default()).expect("the networks are part of the program");
    let mut counts = Counts::default();
    for (scene, seed) in pictures::evaluation("us-scenes").iter().zip(1..) {
        let truth = &scene.truths[0];
        let plate = truth.plate.expect("each scene's plate is written down");
        counts.judge(&mut vision, &drive_up(&scene.luma(), truth, seed), plate);
    }
    let share =
        |hits: u32, of: u32| format!("{hits} of {of} ({:.1} %)", 100.0 * f64::from(hits) / f64::from(of));
    println!("one frame, drawn by chance: exact {}", share(counts.frames_exact, counts.frames));
    println!("the surest frame of a clip: exact {}", share(counts.best_frame_exact, counts.clips));
    println!("the vote over a passage:    exact {}", share(counts.vote_exact, counts.clips));
    println!("reads told for {} vehicles: {}", counts.clips, counts.reads);
    let of_one_frame = f64::from(counts.frames_exact) / f64::from(counts.frames);
    let of_the_vote = f64::from(counts.vote_exact) / f64::from(counts.clips);
    assert!(of_the_vote > of_one_frame, "{of_the_vote:.3} by the vote, {of_one_frame:.3} by one frame");
    assert!(counts.reads <= counts.clips + 1, "one read for each vehicle: {}", counts.reads);
}

impl Counts {
    fn judge(&mut self, vision: &mut Vision, clip: &[(Luma, Truth)], plate: Plate) {
        let mut passages = Passages::new(Config::default());
        let (mut verdicts, mut best) = (Vec::new(), None);
        for ((picture, truth), number) in clip.iter().zip(0..) {
            let sightings = vision.look(picture.plane()).expect("a frame can be looked at");
            let seen =
                sightings.iter().find(|sighting| shows(sighting, truth)).and_then(|seen| seen.reading.best());
            self.frames += 1;
            self.frames_exact += u32::from(seen.is_some_and(|seen| seen.plate == plate));
            best = best
                .into_iter()
                .chain(seen)
                .max_by(|a, b| a.probability.value().total_cmp(&b.probability.value()));
            verdicts.extend(passages.see(&frame(picture, number), sightings));
        }
        verdicts.extend(passages.finish());
        let reads = verdicts.iter().filter(|verdict| matches!(verdict, Verdict::Final(_))).map(Verdict::read);
        let texts: Vec<Plate> = reads.filter_map(|read| read.reading.best()).map(|best| best.plate).collect();
        self.clips += 1;
        self.best_frame_exact += u32::from(best.is_some_and(|best| best.plate == plate));
        self.vote_exact += u32::from(texts.contains(&plate));
        self.reads += texts.len() as u32;
    }
}

fn frame(picture: &Luma, number: u32) -> Frame {
    let uptime = INTERVAL * number;
    let taken = Moment { uptime, wall: Timestamp::UNIX_EPOCH + uptime };
    let planes = OwnedPlanes::grey(picture.data.clone(), picture.width, picture.height);
    Frame::new(CameraId::parse("lane-1").expect("it is a name"), taken, number.into(), Arc::new(planes))
}

/// The photograph's frames as if its car had driven up to where it stands, with the plate's place in each.
fn drive_up(photograph: &Luma, truth: &Truth, seed: u32) -> Vec<(Luma, Truth)> {
    let mut chance = Chance(seed);
    (0..FRAMES)
        .map(|number| frame_of(photograph, truth, number as f32 / (FRAMES - 1) as f32, &mut chance))
        .collect()
}

fn frame_of(photograph: &Luma, truth: &Truth, along: f32, chance: &mut Chance) -> (Luma, Truth) {
    let (left, top, right, bottom) = truth.bounds.expect("a scene's plate has its place");
    let (width, height) = (photograph.width as f32, photograph.height as f32);
    let size = FAR + (1.0 - FAR) * along;
    let centre = ((left + right) / 2.0, (top + bottom) / 2.0);
    let place = (centre.0 - PATH.0 * width * (1.0 - along), centre.1 - PATH.1 * height * (1.0 - along));
    let smear = (chance.below(SMEAR + 1) as f32 * size) as usize;
    let light = 0.7 + chance.below(40) as f32 / 100.0;
    let noise = chance.below(NOISE) + 1;
    let mut data = Vec::with_capacity(photograph.data.len());
    for y in 0..photograph.height {
        for x in 0..photograph.width {
            let from = |offset: f32, along: f32, centre: f32| centre + (along + offset) / size;
            let sum: f32 = [-0.25, 0.25]
                .iter()
                .flat_map(|&a| [(a, -0.25), (a, 0.25)])
                .map(|(dx, dy)| {
                    let x = from(dx, x as f32 - place.0, centre.0);
                    sample(photograph, x, from(dy, y as f32 - place.1, centre.1))
                })
                .sum();
            let grain = chance.below(2 * noise + 1) as f32 - noise as f32;
            data.push((sum / 4.0 * light + grain).clamp(0.0, 255.0) as u8);
        }
    }
    for row in data.chunks_mut(photograph.width) {
        let sharp = row.to_vec();
        for (x, value) in row.iter_mut().enumerate() {
            let seen = &sharp[x.saturating_sub(smear)..=x];
            *value = (seen.iter().map(|&value| u32::from(value)).sum::<u32>() / seen.len() as u32) as u8;
        }
    }
    let x = |x: f32| place.0 + (x - centre.0) * size;
    let y = |y: f32| place.1 + (y - centre.1) * size;
    let truth = Truth { bounds: Some((x(left), y(top), x(right), y(bottom))), ..truth.clone() };
    (Luma { data, width: photograph.width, height: photograph.height }, truth)
}

/// Bilinear; beyond the border the border goes on.
fn sample(picture: &Luma, x: f32, y: f32) -> f32 {
    let (x, y) = (x.clamp(0.0, picture.width as f32 - 1.001), y.clamp(0.0, picture.height as f32 - 1.001));
    let (column, row) = (x as usize, y as usize);
    let (right, down) = (x - column as f32, y - row as f32);
    let at = |row: usize, column: usize| f32::from(picture.data[row * picture.width + column]);
    let above = at(row, column) * (1.0 - right) + at(row, column + 1) * right;
    let below = at(row + 1, column) * (1.0 - right) + at(row + 1, column + 1) * right;
    above * (1.0 - down) + below * down
}

/// The same numbers at each run.
struct Chance(u32);

impl Chance {
    fn below(&mut self, end: u32) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 16) % end
    }
}
