//! Lays the test plate into a copy of a frame.

use std::sync::Arc;

use super::super::projection::Projection;
use crate::capture::scene::{DrawnPlate, ScenePlate};
use crate::capture::{Frame, OwnedPlanes, Plane};
use crate::vision::Corners;
use crate::words::{Plate, State};

/// Characters that no reader takes for another: what is tested is the unit, not its eye for 8 and B.
const LETTERS: &[u8] = b"ACEFHJKLMNPRTUVWXY";
const DIGITS: &[u8] = b"34679";

/// Usual patterns of plates, in the designs that the plate is drawn in.
const PATTERNS: [(State, &[u8]); 4] =
    [(State::Ma, b"9AAA99"), (State::Ny, b"AAA9999"), (State::Tx, b"AAA9999"), (State::Ct, b"AA99999")];

/// Narrower the plate is never laid, in pixels: what a camera sees smaller it reads by many frames.
const WIDTH_MIN: f32 = 110.0;
/// Wider it is never laid: it is not drawn finer.
const WIDTH_MAX: f32 = 260.0;

/// Where nothing is known of a camera's vehicles: a little wider than the guides ask for at the least (Milestone's and
/// Intel's: 130 px), and leaning a little.
const UNKNOWN_WIDTH: f32 = 140.0;
const LEAN: f32 = 0.03;
/// Places to choose from then, as shares of the picture.
const SOMEWHERE: [(f32, f32); 6] =
    [(0.5, 0.62), (0.25, 0.62), (0.75, 0.62), (0.5, 0.35), (0.25, 0.35), (0.75, 0.35)];

/// Grey of a road by day: there the plate is as bright as it was drawn.
const DAYLIGHT: f32 = 110.0;
/// By night plates throw the lamp's light back, and stay brighter than all around them.
const DARKEST: f32 = 0.5;
const BRIGHTEST: f32 = 1.08;

/// The plate sits on a dark panel, as on a bumper, which shows this much of the plate's width around it: white on
/// a white sky it could not be found, nor could a real one.
const PANEL: f32 = 0.09;
const PANEL_GREY: f32 = 46.0;

/// A plate that nobody carries: chosen anew each time, known to this value alone, written down nowhere.
pub struct TestPlate {
    plate: Plate,
    drawn: DrawnPlate,
}

impl TestPlate {
    /// `chance` is any bytes that nobody can foresee.
    pub fn invented(chance: [u8; 16]) -> Self {
        let pick = |from: &[u8], at: usize| from[usize::from(chance[at]) % from.len()];
        let (state, pattern) = PATTERNS[usize::from(chance[15]) % PATTERNS.len()];
        let text: Vec<u8> = pattern
            .iter()
            .enumerate()
            .map(|(at, kind)| pick(if *kind == b'9' { DIGITS } else { LETTERS }, at))
            .collect();
        let text = String::from_utf8(text).expect("letters and digits are ASCII");
        let plate = Plate::parse(&text).expect("patterns make plates");
        Self { plate, drawn: DrawnPlate::new(&ScenePlate { plate, state }) }
    }

    pub fn text(&self) -> Plate {
        self.plate
    }

    /// A copy of the frame, in grey, with the plate at `place`, as bright as its surroundings make it.
    pub fn laid_into(&self, frame: &Frame, place: &Corners) -> Frame {
        let luma = frame.luma();
        let mut copy: Vec<u8> = (0..luma.height).flat_map(|y| luma.row(y)).copied().collect();
        if let Some(projection) = Projection::onto(place) {
            self.draw(&mut copy, &luma, place, &projection);
        }
        let planes = Arc::new(OwnedPlanes::grey(copy, luma.width, luma.height));
        Frame::new(frame.camera.clone(), frame.taken, frame.sequence, planes)
    }

    fn draw(&self, copy: &mut [u8], luma: &Plane<'_>, place: &Corners, projection: &Projection) {
        let light = (brightness(luma, place) / DAYLIGHT).clamp(DARKEST, BRIGHTEST);
        let (width, height) = (place.width_px(), place.height_px());
        let place_of = projection.back();
        let (left, top, right, bottom) = sized(place, width * (1.0 + 3.0 * PANEL)).bounds();
        let columns = inside(left, right, luma.width);
        for y in inside(top, bottom, luma.height) {
            for x in columns.clone() {
                let (across, down) = place_of(x as f32 + 0.5, y as f32 + 0.5);
                // How far inside the plate, in pixels: a pixel on its edge is covered in part.
                let depth = (across.min(1.0 - across) * width).min(down.min(1.0 - down) * height);
                let on_panel = ((depth + PANEL * width) / 3.0).clamp(0.0, 1.0);
                if on_panel <= 0.0 {
                    continue;
                }
                let on_plate = (depth + 0.5).clamp(0.0, 1.0);
                let drawn = self.drawn.luma(across.clamp(0.0, 1.0), down.clamp(0.0, 1.0), width);
                let grey = PANEL_GREY + (drawn - PANEL_GREY) * on_plate;
                let sample = &mut copy[y * luma.width + x];
                *sample = (f32::from(*sample) + (grey * light - f32::from(*sample)) * on_panel + 0.5) as u8;
            }
        }
    }
}

/// Where to lay a plate: where the last vehicle's was read best (`usual`), in its own perspective, or else somewhere
/// below or above the middle of the picture, and at none of the places where real ones are (`taken`).
pub fn place(size: (usize, usize), usual: Option<&Corners>, taken: &[Corners]) -> Corners {
    let usual = usual.map(|usual| sized(usual, usual.width_px().clamp(WIDTH_MIN, WIDTH_MAX)));
    let somewhere = SOMEWHERE.map(|at| unknown(size, at));
    let mut places = usual.filter(|usual| is_whole(usual, size)).into_iter().chain(somewhere);
    // A plate's width of room, so that neither disturbs the search for the other.
    let is_free = |place: &Corners| {
        let room = sized(place, place.width_px() * 2.0);
        taken.iter().all(|other| room.overlap(other) == 0.0)
    };
    places.find(is_free).unwrap_or(somewhere[0])
}

fn unknown((width, height): (usize, usize), (across, down): (f32, f32)) -> Corners {
    let (width, height) = (width as f32, height as f32);
    let (middle, wide) = ((width * across, height * down), UNKNOWN_WIDTH.min(width * 0.4));
    Corners::of_picture(1, 1).map(|(x, y)| {
        let (x, y) = (x - 0.5, y - 0.5);
        (middle.0 + wide * x, middle.1 + wide * (y * 0.49 + x * LEAN))
    })
}

/// The same outline around the same middle at another width.
fn sized(corners: &Corners, width: f32) -> Corners {
    let (centre, by) = (corners.centre(), width / corners.width_px());
    corners.map(|(x, y)| (centre.0 + (x - centre.0) * by, centre.1 + (y - centre.1) * by))
}

/// Whether the outline is a US plate's, seen from where it can be read, wholly within the picture.
fn is_whole(corners: &Corners, (width, height): (usize, usize)) -> bool {
    let (left, top, right, bottom) = corners.bounds();
    let proportion = corners.width_px() / corners.height_px();
    let margin = corners.width_px() / 4.0;
    corners.is_plate_like()
        && (1.5..=2.6).contains(&proportion)
        && left >= margin
        && top >= margin
        && right <= width as f32 - margin
        && bottom <= height as f32 - margin
}

/// Mean grey of the place and half a plate around it.
fn brightness(luma: &Plane<'_>, place: &Corners) -> f32 {
    let (left, top, right, bottom) = sized(place, place.width_px() * 2.0).bounds();
    let (mut sum, mut count) = (0u64, 0u64);
    for y in inside(top, bottom, luma.height).step_by(3) {
        let columns = inside(left, right, luma.width);
        sum += luma.row(y)[columns].iter().step_by(3).map(|&grey| u64::from(grey)).sum::<u64>();
        count += inside(left, right, luma.width).len().div_ceil(3) as u64;
    }
    sum as f32 / count.max(1) as f32
}

fn inside(low: f32, high: f32, end: usize) -> std::ops::Range<usize> {
    let end = (high.ceil().max(0.0) as usize).min(end);
    (low.max(0.0) as usize).min(end)..end
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::random;
    use crate::vision::{Config, Picture, Vision};
    use crate::words::{CameraId, Moment};

    fn frame(luma: Vec<u8>, width: usize) -> Frame {
        let height = luma.len() / width;
        let taken = Moment { uptime: Default::default(), wall: jiff::Timestamp::UNIX_EPOCH };
        let planes = Arc::new(OwnedPlanes::grey(luma, width, height));
        Frame::new(CameraId::parse("lane-1").unwrap(), taken, 0, planes)
    }

    /// A real scene in this light.
    fn scene(path: &std::path::Path, gain: f32) -> Frame {
        let picture = Picture::decode(&std::fs::read(path).unwrap()).unwrap();
        let luma = picture.luma();
        let lit = |grey: &u8| (f32::from(*grey) * gain).min(255.0) as u8;
        frame((0..luma.height).flat_map(|y| luma.row(y)).map(lit).collect(), luma.width)
    }

    fn reads(vision: &mut Vision, frame: &Frame, place: &Corners) -> Option<Plate> {
        let sightings = vision.look(frame.luma()).unwrap();
        let there = sightings.iter().find(|sighting| sighting.corners.overlap(place) > 0.5)?;
        there.reading.best().map(|best| best.plate)
    }

    /// In the dark, at dusk, by day and in glare, both where nothing is known of the camera and where a real plate
    /// was seen, in that plate's own perspective.
    #[test]
    fn it_is_read_in_every_light_of_real_scenes() {
        let folder = std::env::var("MILEPOST_DATASETS").unwrap_or_else(|_| "../shared/datasets".to_owned());
        let images = std::path::Path::new(&folder).join("us-scenes/images");
        let mut paths: Vec<_> = std::fs::read_dir(images).unwrap().map(|file| file.unwrap().path()).collect();
        paths.sort();
        let mut vision = Vision::load(&Config::default()).unwrap();
        let (mut right, mut wrong) = (0, Vec::new());
        for path in paths.iter().step_by(paths.len().div_ceil(9)) {
            let day = scene(path, 1.0);
            let seen = vision.look(day.luma()).unwrap();
            for usual in [None, seen.first().map(|sighting| &sighting.corners)] {
                for gain in [0.03, 0.4, 1.0, 2.5] {
                    let frame = scene(path, gain);
                    let place = place((frame.luma().width, frame.luma().height), usual, &[]);
                    let plate = TestPlate::invented(random());
                    let read = reads(&mut vision, &plate.laid_into(&frame, &place), &place);
                    if read == Some(plate.text()) {
                        right += 1;
                    } else {
                        wrong.push(format!("{} x {gain}: {} as {read:?}", path.display(), plate.text()));
                    }
                }
            }
        }
        assert!(
            right >= 60,
            "{right} scenes are missing: put the datasets there or point MILEPOST_DATASETS at them"
        );
        // Three looks are taken at each, and two must be lost in a row before anybody hears of it.
        assert!(wrong.len() * 50 <= right, "{right} right, and wrong:\n{}", wrong.join("\n"));
    }

    #[test]
    fn it_keeps_away_from_real_plates_and_within_the_picture() {
        let usual = |x: f32, y: f32, width: f32| {
            Corners::of_picture(1, 1).map(|(across, down)| (x + across * width, y + down * width / 2.0))
        };
        let size = (1280, 720);
        let there = place(size, Some(&usual(300.0, 300.0, 150.0)), &[]);
        assert_eq!(there, usual(300.0, 300.0, 150.0), "where a vehicle was read");
        assert!(place(size, Some(&usual(300.0, 300.0, 60.0)), &[]).width_px() >= WIDTH_MIN);
        assert_eq!(place(size, Some(&usual(1200.0, 300.0, 150.0)), &[]), place(size, None, &[]));
        let in_the_way = [usual(560.0, 420.0, 120.0)];
        assert!(place(size, None, &in_the_way).overlap(&in_the_way[0]) == 0.0);
    }

    #[test]
    fn the_frame_itself_stays_as_it_was() {
        let frame = frame(vec![90; 1280 * 720], 1280);
        let place = place((1280, 720), None, &[]);
        let copy = TestPlate::invented([7; 16]).laid_into(&frame, &place);
        assert!(frame.luma().data.iter().all(|grey| *grey == 90));
        let changed = copy.luma().data.iter().filter(|grey| **grey != 90).count() as f32;
        let plate = place.width_px() * place.height_px();
        assert!((plate..1.8 * plate).contains(&changed), "{changed} of {plate}");
    }
}
