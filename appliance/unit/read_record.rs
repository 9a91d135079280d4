//! A read as it is stored and delivered.

use jiff::Timestamp;
use serde::Serialize;

use super::evidence::PictureRef;
use crate::hotlist::{Match, MatchKind, StateAgreement};
use crate::passage::{Course, Read};
use crate::system::ClockStatus;
use crate::words::{CameraId, Candidate, ListName, Position, Probability, RecordId, Slot, State, UnitId};

/// What the department's server learns of a passage. Field names are part of the contract in
/// `config/asyncapi.yaml`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ReadRecord<'a> {
    pub id: RecordId,
    pub unit: &'a UnitId,
    pub camera: &'a CameraId,
    /// When the plate was first seen.
    #[cfg_attr(test, schemars(with = "crate::contract::Time"))]
    pub started: Timestamp,
    /// When it was last seen.
    #[cfg_attr(test, schemars(with = "crate::contract::Time"))]
    pub ended: Timestamp,
    /// The candidates, best first; the first is the raw read.
    pub candidates: &'a [Candidate],
    /// How sure the reader was of each character of the raw read.
    pub characters: Vec<Probability>,
    /// The state of issuance; null where it is unknown.
    pub state: Option<State>,
    /// How sure that is; null where it is unknown.
    pub state_confidence: Option<Probability>,
    #[serde(flatten)]
    pub course: Course,
    /// Looks in which it was found.
    pub sightings: u32,
    /// Of the best sighting, in pixels of its frame, clockwise from the plate's top left.
    pub corners: [(f32, f32); 4],
    /// How wide the plate is there.
    pub width_px: f32,
    /// Where the unit was when it saw the plate last; null where it does not know.
    pub position: Option<Position>,
    pub clock: ClockStatus,
    /// The version of the program whose networks read it.
    pub model: &'static str,
    /// Empty where the plate is not listed.
    pub matches: Vec<MatchRef<'a>>,
    /// Follow as messages of their own, on the topic `pictures`.
    pub pictures: &'a [PictureRef],
}

/// That a read matched, without repeating the list's entry.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct MatchRef<'a> {
    pub list: &'a ListName,
    /// 0 for the list `manual`.
    pub version: u64,
    pub kind: MatchKind,
    pub probability: Probability,
    pub state: StateAgreement,
}

impl<'a> ReadRecord<'a> {
    pub fn of(
        unit: &'a UnitId,
        read: &'a Read,
        matches: &'a [Match],
        pictures: &'a [PictureRef],
        position: Option<Position>,
        clock: ClockStatus,
    ) -> Self {
        let state = read.state.best();
        Self {
            id: read.id,
            unit,
            camera: &read.camera,
            started: read.started,
            ended: read.ended,
            candidates: &read.candidates,
            characters: characters(read),
            state: state.map(|(state, _)| state),
            state_confidence: state.map(|(_, probability)| probability),
            course: read.course(),
            sightings: read.sightings,
            corners: read.corners.0,
            width_px: read.width_px,
            position,
            clock,
            model: env!("CARGO_PKG_VERSION"),
            matches: matches.iter().map(MatchRef::of).collect(),
            pictures,
        }
    }

    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a read is plain data with string keys")
    }
}

impl<'a> MatchRef<'a> {
    fn of(matched: &'a Match) -> Self {
        Self {
            list: &matched.list.list,
            version: matched.list.version,
            kind: matched.kind,
            probability: matched.probability,
            state: matched.state,
        }
    }
}

fn characters(read: &Read) -> Vec<Probability> {
    let Some(best) = read.candidates.first() else { return Vec::new() };
    let slots = read.reading.slots();
    let sure = |(&character, slot): (&u8, &Slot)| {
        Probability::clamped(f64::from(slot.probability_of(Some(character))))
    };
    best.plate.as_bytes().iter().zip(slots).map(sure).collect()
}
