//! One vehicle, followed through frames.

use std::sync::Arc;
use std::time::Duration;

use super::kinship::{contradict, kinship, likeness};
use super::lanes::LaneCount;
use super::vote::{Vote, quality};
use super::{Direction, DrawnLane, Read};
use crate::capture::Frame;
use crate::vision::{Corners, Sighting};
use crate::words::{Moment, Probability, Reading, RecordId};

/// How far a plate may move between frames, in its own widths: a still one jitters by this much, and
/// a vehicle crossing at 35 mph moves its plate by 50 widths a second, of which prediction covers most.
const REACH: f32 = 0.6;
const REACH_PER_S: f32 = 15.0;
const REACH_MAX: f32 = 3.0;

/// A plate's width may change by this factor within a passage's window; more is another vehicle.
const WIDTH_RATIO_MAX: f32 = 2.0;

/// Share of the newest movement in the estimate of the speed.
const NEWEST: f32 = 0.5;

/// A wholly new scene is kept only for a look that is better by this factor: each costs a copy.
const BETTER: f32 = 1.1;

/// Two passages that may be one vehicle's are one from this likeness on.
const SAME_VEHICLE: f32 = 0.6;

/// How many texts of a read are worth looking up, and how likely each must be.
const CANDIDATES_MAX: usize = 10;
const CANDIDATE_FLOOR: f64 = 0.002;

pub(super) struct Track {
    pub id: RecordId,
    pub stage: Stage,
    pub first: Moment,
    pub last: Moment,
    pub sightings: u32,
    pub vote: Vote,
    lanes: LaneCount,
    motion: Motion,
    trend: Trend,
    best: Best,
}

/// What has been told of a vehicle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Untold,
    /// Told when it went out of sight after so many sightings; its vote was not sure.
    ToldDoubtful(u32),
    ToldEarly,
    /// Its final read is out, or it is a vehicle whose read was told under another id.
    Done,
}

/// Where the plate is, how large, and how it moves, in pixels and pixels per second.
struct Motion {
    centre: (f32, f32),
    velocity: (f32, f32),
    width: f32,
}

/// The plate's width and place when the passage began and now, each smoothed over a few sightings.
struct Trend {
    first_width: f32,
    first_centre: (f32, f32),
    width: f32,
}

/// The sighting that shows most.
struct Best {
    quality: f32,
    corners: Corners,
    width_px: f32,
    sharpness: f32,
    scene: Frame,
}

impl Stage {
    /// Whether nothing sure has been told.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Untold | Self::ToldDoubtful(_))
    }
}

impl Track {
    /// `scene` is the frame of the sighting, detached; `lane` the one that it shows the plate in.
    pub fn begin(sighting: Sighting, taken: Moment, lane: Option<Arc<DrawnLane>>, scene: Frame) -> Self {
        let mut lanes = LaneCount::default();
        lanes.add(lane);
        let centre = sighting.corners.centre();
        let width = sighting.width_px;
        Self {
            id: RecordId::new(),
            stage: Stage::Untold,
            first: taken,
            last: taken,
            sightings: 1,
            lanes,
            motion: Motion { centre, velocity: (0.0, 0.0), width },
            trend: Trend { first_width: width, first_centre: centre, width },
            best: Best::of(&sighting, scene),
            vote: Vote::new(sighting),
        }
    }

    /// How well a sighting at `taken` continues this track; None if it shows another vehicle.
    pub fn kinship(&self, sighting: &Sighting, taken: &Moment) -> Option<f32> {
        let silent = taken.since(&self.last);
        let width = self.motion.width.max(sighting.width_px);
        if width > WIDTH_RATIO_MAX * self.motion.width.min(sighting.width_px) {
            return None;
        }
        let expected = self.motion.expected(silent);
        let centre = sighting.corners.centre();
        let distance = (centre.0 - expected.0).hypot(centre.1 - expected.1) / width;
        let reach = (REACH + REACH_PER_S * silent.as_secs_f32()).min(REACH_MAX);
        kinship(self.vote.reading(), &sighting.reading, distance, reach)
    }

    /// `scene` gives the sighting's frame, detached; it is asked for only if it is worth keeping.
    pub fn go_on(
        &mut self,
        sighting: Sighting,
        taken: Moment,
        lane: Option<Arc<DrawnLane>>,
        scene: impl FnOnce() -> Frame,
    ) {
        self.lanes.add(lane);
        self.motion.go_on(&sighting, taken.since(&self.last));
        self.trend.go_on(&sighting, self.sightings);
        self.last = taken;
        self.sightings += 1;
        if quality(&sighting) > BETTER * self.best.quality {
            self.best = Best::of(&sighting, scene());
        }
        self.vote.add(sighting);
    }

    /// How sure the vote is of its best text.
    pub fn confidence(&self) -> Probability {
        self.vote.reading().best().map_or(Probability::NEVER, |best| best.probability)
    }

    /// Whether a vehicle seen at another time, with this reading, was the same one.
    pub fn is_same_vehicle(&self, first: &Moment, last: &Moment, reading: &Reading) -> bool {
        let at_once = *first <= self.last && self.first <= *last;
        !at_once
            && !contradict(self.vote.reading(), reading)
            && likeness(self.vote.reading(), reading) >= SAME_VEHICLE
    }

    /// None if nothing at all can be read.
    pub fn read(&self) -> Option<Read> {
        let reading = self.vote.reading().clone();
        let candidates = reading.candidates(CANDIDATES_MAX, Probability::clamped(CANDIDATE_FLOOR));
        (!candidates.is_empty()).then(|| Read {
            id: self.id,
            camera: self.best.scene.camera.clone(),
            started: self.first.wall,
            ended: self.last.wall,
            last_seen: self.last,
            state: self.vote.state().clone(),
            candidates,
            sightings: self.sightings,
            direction: self.trend.direction(self.sightings, self.motion.centre),
            lane: self.lanes.most(),
            corners: self.best.corners,
            width_px: self.best.width_px,
            sharpness: self.best.sharpness,
            scene: self.best.scene.clone(),
            reading,
        })
    }
}

impl Motion {
    fn expected(&self, after: Duration) -> (f32, f32) {
        let seconds = after.as_secs_f32();
        (self.centre.0 + self.velocity.0 * seconds, self.centre.1 + self.velocity.1 * seconds)
    }

    fn go_on(&mut self, sighting: &Sighting, after: Duration) {
        let centre = sighting.corners.centre();
        let seconds = after.as_secs_f32();
        if seconds > 0.0 {
            let smooth = |old: f32, from: f32, to: f32| old + NEWEST * ((to - from) / seconds - old);
            self.velocity = (
                smooth(self.velocity.0, self.centre.0, centre.0),
                smooth(self.velocity.1, self.centre.1, centre.1),
            );
        }
        self.centre = centre;
        self.width = sighting.width_px;
    }
}

impl Trend {
    /// Sightings whose mean is the first width.
    const FIRST: u32 = 3;

    fn go_on(&mut self, sighting: &Sighting, before: u32) {
        if before < Self::FIRST {
            self.first_width += (sighting.width_px - self.first_width) / (before + 1) as f32;
        }
        self.width += (sighting.width_px - self.width) / Self::FIRST as f32;
    }

    fn direction(&self, sightings: u32, centre: (f32, f32)) -> Direction {
        let growth = self.width / self.first_width;
        let moved = (centre.0 - self.first_centre.0).hypot(centre.1 - self.first_centre.1);
        if sightings <= Self::FIRST {
            Direction::Unknown
        } else if growth > 1.12 {
            Direction::Approaching
        } else if growth < 1.0 / 1.12 {
            Direction::Receding
        } else if moved < self.width / 2.0 {
            Direction::Standing
        } else {
            // It crossed the picture at an even distance.
            Direction::Unknown
        }
    }
}

impl Best {
    fn of(sighting: &Sighting, scene: Frame) -> Self {
        Self {
            quality: quality(sighting),
            corners: sighting.corners,
            width_px: sighting.width_px,
            sharpness: sighting.sharpness,
            scene,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::words::{ALPHABET, Slot, StateReading};

    /// A reading of `text` in which each character is `lead` ahead of every other, in log-odds.
    pub fn reading(text: &str, lead: f32) -> Reading {
        let slot = |character: Option<&u8>| {
            let mut logits = [0.0; 37];
            let index = character.and_then(|c| ALPHABET.iter().position(|other| other == c));
            logits[index.unwrap_or(36)] = lead;
            Slot::from_logits(&logits)
        };
        Reading::new((0..9).map(|position| slot(text.as_bytes().get(position))).collect())
    }

    pub fn sighting(text: &str, lead: f32, centre: (f32, f32), width: f32) -> Sighting {
        let corners = Corners::of_picture(1, 1)
            .map(|(x, y)| (centre.0 + (x - 0.5) * width, centre.1 + (y - 0.5) * width / 2.0));
        Sighting {
            corners,
            reading: reading(text, lead),
            state: StateReading::from_logits(&[0.0; 52]),
            found: Probability::CERTAIN,
            width_px: width,
            sharpness: 300.0,
        }
    }
}
