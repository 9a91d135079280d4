use crate::alert::Alert;
use crate::health::Change;
use crate::passage::Read;
use crate::words::{CameraId, Plate, Probability, State};

/// What happens on the unit, as it happens, for whoever watches: the console's live alerts, the demo's lines.
#[derive(Debug, Clone)]
pub enum News {
    Read(Glance),
    /// Stored already.
    Alert(Box<Alert>),
    Service(Box<Change>),
}

/// A read in one line.
#[derive(Debug, Clone)]
pub struct Glance {
    pub camera: CameraId,
    pub plate: Plate,
    pub confidence: Probability,
    pub state: Option<State>,
    pub sightings: u32,
    pub width_px: f32,
}

impl Glance {
    /// None for a read without candidates, which passage never makes.
    pub fn of(read: &Read) -> Option<Self> {
        let best = read.candidates.first()?;
        Some(Self {
            camera: read.camera.clone(),
            plate: best.plate,
            confidence: best.probability,
            state: read.state.best().map(|(state, _)| state),
            sightings: read.sightings,
            width_px: read.width_px,
        })
    }
}
