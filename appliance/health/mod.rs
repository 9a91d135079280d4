//! Can this unit be trusted now? Alignment, picture, lists, device, links; the service state and its reasons.
//!
//! Owns the checks, what they mean for service, and the report. Must not know how reads are made or
//! delivered: it is handed frames and facts.

mod alignment;
mod camera;
mod reason;
mod report;
mod service;
mod view;

pub use alignment::{AlignmentWatch, Reference, Shift};
pub use camera::{CameraView, CameraWatch};
pub use reason::{Reason, Severity};
pub use report::{
    AimVerified, BrokerReport, CameraReport, Config, Facts, HealthReport, PlaceReport, RecordReport,
    ServiceReport,
};
pub use service::{Change, Damage, Finding, Kept, ReturnRefused, Service, ServiceState, Standing};
pub use view::{Look, ViewMeasure, ViewWatch};

/// A check that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum HealthError {
    #[error("a picture could not be examined: {0}")]
    Picture(#[from] opencv::Error),
}
