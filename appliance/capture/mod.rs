//! Cameras to frames.
//!
//! Owns the GStreamer pipelines, the choice of decoder, reconnecting, and the state of each camera's link.
//! Must not know what is in a picture.

mod frame;

pub use frame::{Chroma, Frame, OwnedPlanes, Plane, Planes};
