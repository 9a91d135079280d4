//! All vehicles in one camera's view.

use std::cell::OnceCell;

use super::track::{Stage, Track};
use super::{Config, DrawnLanes, Read, Verdict};
use crate::capture::Frame;
use crate::vision::Sighting;
use crate::words::{Moment, Reading};

/// One sighting alone must be this sure to be a read: noise does not look like a plate twice, but
/// it may once.
const LONE_FLOOR: f64 = 0.8;

/// Follows the vehicles of one camera.
pub struct Passages {
    config: Config,
    lanes: DrawnLanes,
    tracks: Vec<Track>,
    told: Vec<Told>,
    counts: Counts,
}

/// What became of the vehicles, since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Final reads.
    pub reads: u64,
    /// Vehicles whose plate was seen and could not be read.
    pub unreadable: u64,
    /// Vehicles that came back into view within the recall time; their read was told already.
    pub returned: u64,
}

/// A vehicle whose final read is out and that may come back into view.
struct Told {
    first: Moment,
    last: Moment,
    reading: Reading,
}

impl Passages {
    pub fn new(config: Config) -> Self {
        Self {
            config,
            lanes: DrawnLanes::default(),
            tracks: Vec::new(),
            told: Vec::new(),
            counts: Counts::default(),
        }
    }

    /// From now on vehicles pass in these lanes.
    pub fn draw(&mut self, lanes: DrawnLanes) {
        self.lanes = lanes;
    }

    /// Takes what one frame showed, possibly nothing.
    pub fn see(&mut self, frame: &Frame, sightings: Vec<Sighting>) -> Vec<Verdict> {
        let detached = OnceCell::new();
        let scene = || detached.get_or_init(|| frame.detached()).clone();
        let continued = self.assign(&sightings, &frame.taken);
        for (sighting, track) in sightings.into_iter().zip(continued) {
            let lane = self.lanes.at_pixel(sighting.corners.centre(), frame.luma()).cloned();
            match track {
                Some(track) => self.tracks[track].go_on(sighting, frame.taken, lane, scene),
                None => self.tracks.push(Track::begin(sighting, frame.taken, lane, scene())),
            }
        }
        let mut verdicts = self.tell_early(&frame.taken);
        verdicts.extend(self.tick(frame.taken));
        verdicts
    }

    /// Closes the passages of vehicles that are out of sight; call it a few times a second, frames or not.
    pub fn tick(&mut self, now: Moment) -> Vec<Verdict> {
        let (window, standing, recall) = (self.config.window(), self.config.standing(), self.config.recall());
        self.told.retain(|told| now.since(&told.last) <= recall);
        let has_left = |track: &Track| now.since(&track.last) > window;
        let left: Vec<Track> = self.tracks.extract_if(.., |track| has_left(track)).collect();
        let mut verdicts = self.close_all(left);
        verdicts.extend(self.tell_doubtful(&now));
        let stands_long =
            |track: &Track| track.stage != Stage::Done && track.last.since(&track.first) > standing;
        while let Some(index) = self.tracks.iter().position(stands_long) {
            let mut track = self.tracks.swap_remove(index);
            verdicts.extend(self.close(&track));
            track.stage = Stage::Done;
            self.tracks.push(track);
        }
        verdicts
    }

    /// Closes every passage: the clip has ended, or the unit stops.
    pub fn finish(&mut self) -> Vec<Verdict> {
        let tracks = std::mem::take(&mut self.tracks);
        self.close_all(tracks)
    }

    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// For each sighting the index of the track that it continues, if any; each track is given once,
    /// the best fitting pairs first.
    fn assign(&self, sightings: &[Sighting], taken: &Moment) -> Vec<Option<usize>> {
        let mut pairs: Vec<(f32, usize, usize)> = Vec::new();
        for (seen, sighting) in sightings.iter().enumerate() {
            for (known, track) in self.tracks.iter().enumerate() {
                pairs.extend(track.kinship(sighting, taken).map(|score| (score, seen, known)));
            }
        }
        pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut continued = vec![None; sightings.len()];
        for (_, seen, known) in pairs {
            if continued[seen].is_none() && !continued.contains(&Some(known)) {
                continued[seen] = Some(known);
            }
        }
        continued
    }

    /// The reads that have become sure with this frame.
    fn tell_early(&mut self, taken: &Moment) -> Vec<Verdict> {
        let mut verdicts = Vec::new();
        for index in 0..self.tracks.len() {
            let track = &self.tracks[index];
            let is_sure = track.stage.is_open()
                && track.last == *taken
                && track.sightings >= self.config.sure_sightings.get()
                && track.confidence() >= self.config.sure;
            if !is_sure {
                continue;
            }
            if self.was_told(track) {
                self.counts.returned += 1;
                self.tracks[index].stage = Stage::Done;
            } else if let Some(read) = track.read() {
                self.tracks[index].stage = Stage::ToldEarly;
                verdicts.push(Verdict::Early(read));
            }
        }
        verdicts
    }

    /// The reads of vehicles that went out of sight before their vote was sure: an alert must not wait to see
    /// whether they come back.
    fn tell_doubtful(&mut self, now: &Moment) -> Vec<Verdict> {
        let mut verdicts = Vec::new();
        for index in 0..self.tracks.len() {
            let track = &self.tracks[index];
            let has_news = match track.stage {
                Stage::Untold => true,
                Stage::ToldDoubtful(sightings) => track.sightings > sightings,
                Stage::ToldEarly | Stage::Done => false,
            };
            let is_unseen = now.since(&track.last) > self.config.unseen();
            if has_news && is_unseen && self.is_readable(track) && !self.was_told(track) {
                verdicts.extend(track.read().map(Verdict::Early));
                self.tracks[index].stage = Stage::ToldDoubtful(track.sightings);
            }
        }
        verdicts
    }

    /// The surest first, so that what could hardly be read of a vehicle never stands in for it.
    fn close_all(&mut self, mut tracks: Vec<Track>) -> Vec<Verdict> {
        tracks.sort_by(|a, b| b.confidence().value().total_cmp(&a.confidence().value()));
        tracks.iter().filter_map(|track| self.close(track)).collect()
    }

    /// What is to be told of a vehicle that is no longer in `tracks`.
    fn close(&mut self, track: &Track) -> Option<Verdict> {
        match track.stage {
            Stage::Done => {
                // Still the vehicle whose read is out: it may come back once more.
                self.remember(track);
                None
            }
            Stage::ToldEarly => track.read().map(|read| self.tell_final(track, read)),
            Stage::Untold | Stage::ToldDoubtful(_) if self.was_told(track) => {
                self.counts.returned += 1;
                self.remember(track);
                None
            }
            Stage::Untold | Stage::ToldDoubtful(_) => {
                match track.read().filter(|_| self.is_readable(track)) {
                    Some(read) => Some(self.tell_final(track, read)),
                    None => {
                        self.counts.unreadable += 1;
                        None
                    }
                }
            }
        }
    }

    fn tell_final(&mut self, track: &Track, read: Read) -> Verdict {
        self.counts.reads += 1;
        self.remember(track);
        Verdict::Final(read)
    }

    fn remember(&mut self, track: &Track) {
        let reading = track.vote.reading().clone();
        self.told.push(Told { first: track.first, last: track.last, reading });
    }

    /// Whether this vehicle's read was told already, by a passage that has ended or by one that lost
    /// sight of it and has not ended yet.
    fn was_told(&self, track: &Track) -> bool {
        let ended =
            self.told.iter().any(|told| track.is_same_vehicle(&told.first, &told.last, &told.reading));
        let open = self.tracks.iter().filter(|other| other.id != track.id && !other.stage.is_open());
        ended
            || open
                .into_iter()
                .any(|other| track.is_same_vehicle(&other.first, &other.last, other.vote.reading()))
    }

    fn is_readable(&self, track: &Track) -> bool {
        let floor = self.config.read_floor.value();
        let floor = if track.sightings == 1 { floor.max(LONE_FLOOR) } else { floor };
        track.confidence().value() >= floor
    }
}
