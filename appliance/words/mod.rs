//! The field's own words as types, shared by every room.
//!
//! Owns what a plate, a state, a probability, a reading and a point in time *are*. Must not know
//! any room, nor OpenCV, GStreamer, MQTT or a store: what decides builds and tests with these alone.

mod name;
mod place;
mod plate;
mod probability;
mod reading;
mod sentence;
mod state;
mod time;

pub use name::{CameraId, LaneName, ListName, NameError, PersonName, RecordId, RosterName, UnitId, UnitKind};
pub use place::{Place, Position, PositionSource};
pub use plate::{Plate, PlateError};
pub use probability::Probability;
pub use reading::{ALPHABET, Candidate, Reading, SLOTS_MAX, Slot, StateReading};
pub use sentence::{json_mistake, sentence};
pub use state::State;
pub use time::Moment;
