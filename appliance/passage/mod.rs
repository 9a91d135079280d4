//! Sightings to reads: one read for each vehicle passage.
//!
//! Owns the following of plates through frames, the vote over their sightings, and the lanes that they pass in. Must not know how a
//! plate was found, nor what becomes of a read.
//!
//! A vehicle's read is told twice under one id: *early*, as soon as its vote is sure or its plate is out of sight, so
//! that an alert need not wait for the vehicle to leave; and *final*, when it has left for good, which is the read
//! to keep.

mod config;
mod course;
mod kinship;
#[cfg(test)]
mod lane_simulation;
mod lanes;
mod passages;
#[cfg(test)]
mod simulation;
mod track;
mod vote;

use std::sync::Arc;

use jiff::Timestamp;

use crate::capture::Frame;
use crate::vision::Corners;
use crate::words::{CameraId, Candidate, Moment, Reading, RecordId, StateReading};

pub use config::Config;
pub use course::{Course, Direction};
pub use lanes::{DrawnLane, DrawnLanes, LANES_MAX, LaneError, OUTLINE, Point, Travel};
pub use passages::{Counts, Passages};

/// What is known of a vehicle that passes.
#[derive(Clone)]
pub enum Verdict {
    /// Decide about alerts now: the vote is sure while the vehicle may still be in view (once for each vehicle, and
    /// its final read follows); or it is not, and the plate went out of sight (again each time it comes back into
    /// sight before that; a vehicle whose read was told under another id gets no final read).
    Early(Read),
    /// The vehicle has left, or has stood long enough: the read to keep. Exactly one for each vehicle
    /// that could be read; under its early read's id if there was one, whose text it may correct.
    Final(Read),
}

impl Verdict {
    pub fn read(&self) -> &Read {
        match self {
            Self::Early(read) | Self::Final(read) => read,
        }
    }
}

/// What one vehicle's passage showed.
#[derive(Clone)]
pub struct Read {
    pub id: RecordId,
    pub camera: CameraId,
    pub started: Timestamp,
    pub ended: Timestamp,
    /// The last frame that showed the plate: from here the alert's latency counts.
    pub last_seen: Moment,
    /// The vote of all sightings.
    pub reading: Reading,
    pub state: StateReading,
    /// The texts worth looking up, best first; never empty.
    pub candidates: Vec<Candidate>,
    pub sightings: u32,
    pub direction: Direction,
    /// The drawn lane in which the plate's middle was seen most; None outside all lanes.
    pub lane: Option<Arc<DrawnLane>>,
    /// Of the best sighting:
    pub corners: Corners,
    pub width_px: f32,
    pub sharpness: f32,
    /// The frame of the best sighting, detached from the decoder.
    pub scene: Frame,
}

impl Read {
    pub fn course(&self) -> Course {
        Course {
            lane: self.lane.as_ref().map(|lane| lane.name().clone()),
            lane_travel: self.lane.as_ref().and_then(|lane| lane.travel()),
            direction: self.direction,
        }
    }
}
