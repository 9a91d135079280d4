//! Pictures to sightings: where plates are, what they say, which state issued them.
//!
//! Owns the two networks, the geometry between them, and everything OpenCV. Must not know cameras,
//! earlier frames, or what a plate is wanted for.

use crate::words::{Probability, Reading, StateReading};

/// A plate's outline in pixels of the full frame, clockwise from the plate's own top left.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Corners(pub [(f32, f32); 4]);

/// One plate seen in one frame.
#[derive(Debug, Clone)]
pub struct Sighting {
    pub corners: Corners,
    pub reading: Reading,
    pub state: StateReading,
    /// How sure the localiser is that this is a plate.
    pub found: Probability,
    /// Mean length of the plate's upper and lower edge, in pixels of the full frame.
    pub width_px: f32,
    /// Variance of the Laplacian of the rectified plate; higher is sharper.
    pub sharpness: f32,
}
