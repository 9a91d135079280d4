//! Cameras to frames.
//!
//! Owns the GStreamer pipelines, the choice of decoder, reconnecting, and the state of each camera's link.
//! Must not know what is in a picture.
//!
//! One thread for each camera ([`Capture`]) does what [`link`] decides; pictures come from a feed (RTSP,
//! V4L2, a recording, a folder, the rendered [`scene`]) and go on through a [`Latest`], newest first.
//! [`Clip`] reads a recording picture by picture instead.

mod camera;
mod config;
mod decoder;
mod fault;
mod feed;
mod folder;
mod frame;
mod latest;
mod link;
mod mapped;
mod pipeline;
mod recording;
mod rtsp;
pub mod scene;
mod source;
mod v4l2;

pub use camera::{Capture, StartError};
pub use config::{Config, PasswordFrom, TlsTrust, Transport, ViewAngle};
pub use frame::{Chroma, Frame, OwnedPlanes, Plane, Planes};
pub use latest::Latest;
pub use link::{LinkFault, LinkState, LinkStatus, Stream};
pub use recording::{Clip, ClipError};
pub use source::{RtspUrl, Secret, Source, SourceError};
