use std::sync::Arc;

use jiff::Timestamp;

use crate::capture::scene::{FPS, HEIGHT, ScenePlate, Traffic, WIDTH, invented_plates};
use crate::capture::{Frame, OwnedPlanes};
use crate::crypto::Digest;
use crate::hotlist::{Category, Entry, ListVersion, Listed, Match, MatchKind, StateAgreement};
use crate::passage::{Direction, Read};
use crate::vision::{self, Sighting, Vision, VisionError, jpeg};
use crate::words::{CameraId, Moment, Probability, RecordId};

/// A vehicle that passes simulated units: rendered once, found and read once by the product's own networks, so that what
/// is sent of it has the shape and the doubts of a real read.
pub struct Vehicle {
    pub plate: ScenePlate,
    pub crop: Picture,
    pub scene: Picture,
    read: Read,
}

/// A JPEG that many records share.
#[derive(Clone)]
pub struct Picture {
    pub jpeg: Arc<[u8]>,
    pub sha256: Digest,
}

/// Why there are no vehicles.
#[derive(Debug, thiserror::Error)]
pub enum VehicleError {
    #[error(transparent)]
    Vision(#[from] VisionError),
    #[error("none of {0} rendered vehicles could be read")]
    NoneRead(usize),
}

/// Seconds after its coming into view at which a vehicle is looked at: its plate is then about 140 pixels wide.
const LOOKED_AT_S: f64 = 3.75;
/// Seconds from one vehicle to the next in rendered traffic.
const APART_S: f64 = 2.4;

/// Renders and reads so many vehicles; the few that cannot be read are left out.
pub fn vehicles(count: usize, seed: u64) -> Result<Vec<Vehicle>, VehicleError> {
    let plates = invented_plates(count, seed);
    let mut traffic = Traffic::new(&plates, seed);
    let mut vision = Vision::load(&vision::Config::default())?;
    let mut vehicles = Vec::with_capacity(count);
    for (number, plate) in plates.into_iter().enumerate() {
        let seconds = number as f64 * APART_S + LOOKED_AT_S;
        let planes = Arc::new(traffic.picture((seconds * f64::from(FPS)) as u64));
        let frame = Frame::new(camera(), nowhen(), 0, planes);
        let nearest = vision.look(frame.luma())?.into_iter().max_by(|a, b| a.width_px.total_cmp(&b.width_px));
        vehicles
            .extend(nearest.map(|sighting| Vehicle::seen(plate, &frame, sighting)).transpose()?.flatten());
    }
    if vehicles.is_empty() { Err(VehicleError::NoneRead(count)) } else { Ok(vehicles) }
}

/// The one camera of every unit.
pub fn camera() -> CameraId {
    CameraId::parse("lane-1").expect("a constant name")
}

pub const PICTURE_SIZE: (u32, u32) = (WIDTH as u32, HEIGHT as u32);

fn nowhen() -> Moment {
    Moment { uptime: Default::default(), wall: Timestamp::UNIX_EPOCH }
}

impl Vehicle {
    /// None where no text is likely.
    fn seen(plate: ScenePlate, frame: &Frame, sighting: Sighting) -> Result<Option<Self>, VisionError> {
        let candidates = sighting.reading.candidates(10, Probability::clamped(0.002));
        if candidates.is_empty() {
            return Ok(None);
        }
        let crop = Picture::of(jpeg::plate(frame, &sighting.corners)?);
        let scene = Picture::of(jpeg::scene(frame)?);
        // Its pictures are made; a full frame would be kept for nothing.
        let nothing = Frame::new(camera(), nowhen(), 0, Arc::new(OwnedPlanes::grey(vec![0], 1, 1)));
        let read = Read {
            id: RecordId::new(),
            camera: camera(),
            started: Timestamp::UNIX_EPOCH,
            ended: Timestamp::UNIX_EPOCH,
            last_seen: nowhen(),
            reading: sighting.reading,
            state: sighting.state,
            candidates,
            sightings: 14,
            direction: Direction::Approaching,
            lane: None,
            corners: sighting.corners,
            width_px: sighting.width_px,
            sharpness: sighting.sharpness,
            scene: nothing,
        };
        Ok(Some(Self { plate, crop, scene, read }))
    }

    /// Its passage just now.
    pub fn passes(&self, now: Moment) -> Read {
        let started = now.wall - jiff::SignedDuration::from_millis(900);
        Read { id: RecordId::new(), started, ended: now.wall, last_seen: now, ..self.read.clone() }
    }

    /// What a list that has this vehicle would give for its read.
    pub fn matched(&self, category: Category, case: u64, list: ListVersion) -> Match {
        let ScenePlate { plate, state } = self.plate;
        let entry = Entry {
            state: Some(state),
            reason: "simulated".parse().unwrap_or_default(),
            authority: "Simulated Department".parse().unwrap_or_default(),
            case: format!("SIM-{case:08}").parse().unwrap_or_default(),
            ..Entry::new(Listed::from(plate), category)
        };
        let best = self.read.candidates.first().map_or(plate, |best| best.plate);
        Match {
            kind: if best == plate { MatchKind::Exact } else { MatchKind::LookAlike },
            probability: self.read.reading.probability_of(&plate),
            read_as: plate,
            state: StateAgreement::of(entry.state, &self.read.state),
            state_probability: Some(self.read.state.probability_of(state)),
            entry,
            list,
        }
    }
}

impl Picture {
    fn of(jpeg: Vec<u8>) -> Self {
        Self { sha256: Digest::of(&jpeg), jpeg: jpeg.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::ListName;

    #[test]
    fn vehicles_are_read_as_what_they_carry_and_match_their_listing() {
        let vehicles = vehicles(4, 7).unwrap();
        assert!(vehicles.len() >= 3, "{} of 4 could be read", vehicles.len());
        let list =
            ListVersion { list: ListName::parse("demo").unwrap(), version: 1, issued: Timestamp::UNIX_EPOCH };
        let right = |vehicle: &&Vehicle| vehicle.read.candidates[0].plate == vehicle.plate.plate;
        assert!(vehicles.iter().filter(right).count() >= 3);
        let matched = vehicles[0].matched(Category::Stolen, 7, list);
        assert_eq!(matched.entry.plate, Listed::from(vehicles[0].plate.plate));
        assert!(vehicles.iter().all(|vehicle| vehicle.crop.jpeg.starts_with(&[0xff, 0xd8])));
        let crops: Vec<_> = vehicles.iter().map(|vehicle| vehicle.crop.sha256).collect();
        assert!(crops[0] != crops[1], "each has pictures of its own");
    }
}
