//! Can this unit be trusted now? Alignment, picture, lists, device, links; the service state and its reasons.
//!
//! Owns the checks, what they mean for service, and the report. Must not know how reads are made or
//! delivered: it is handed frames and facts.

mod reason;
mod service;

pub use reason::{Reason, Severity};
pub use service::{Change, Finding, ReturnRefused, Service, ServiceState, Standing};
