//! Facts about the device and its host: time, systemd, storage, temperature, memory.
//!
//! Owns the calls to the operating system. Must not judge: what a fact means for service is health's.

mod clock;
mod disk;
mod simulated_disk;

pub use clock::{Clock, ManualClock, SystemClock};
pub use disk::{Disk, RealDisk};
pub use simulated_disk::SimulatedDisk;
