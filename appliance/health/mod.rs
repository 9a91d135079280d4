//! Can this unit be trusted now? Alignment, picture, lists, device, links; the service state and its reasons.
//!
//! Owns the checks, what they mean for service, and the report. Must not know how reads are made or
//! delivered: it is handed frames and facts.

mod alignment;
mod background;
mod camera;
mod canary;
mod coach;
mod config;
mod displacement;
mod facts;
mod frozen;
mod geometry;
mod grid;
mod image;
mod metrics;
mod projection;
mod reason;
mod references;
mod registration;
mod report;
#[cfg(test)]
mod scenes;
mod service;
mod similarity;
mod smear;
mod view;
mod yields;

pub use camera::{CameraView, CameraWatch};
pub use canary::{Canary, CanaryReport, Stage, TestPlate, Timing, Whereabouts, place};
pub use coach::{Check, Coaching, Lamp, Measure, WIDTH_MOVING_PX, WIDTH_STANDING_PX};
pub use config::Config;
pub use displacement::{Displacement, Limits, MOVED, VIEW_ANGLE_ASSUMED_DEG};
pub use facts::Facts;
pub use geometry::{Lane, LaneShift, Lanes};
pub use metrics::metrics;
pub use reason::{Reason, Severity};
pub use references::{Light, Reference, References};
pub use report::{
    AimVerified, AnswerReport, BrokerReport, CameraReport, HealthReport, LaneReads, PlaceReport,
    RecordReport, ServiceReport,
};
pub use service::{Change, Damage, Finding, Kept, ReturnRefused, Service, ServiceState, Standing};
pub use smear::PlateBlur;
pub use view::ViewMeasure;
pub use yields::{Learned, Passed, UNSURE_BELOW, Yield, YieldReport, YieldWatch};

/// A check that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum HealthError {
    #[error("a picture could not be examined: {0}")]
    Picture(#[from] opencv::Error),
}
