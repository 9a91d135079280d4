//! Facts about the device and its host: time, systemd, storage, temperature, memory, and where logs go.
//!
//! Owns the calls to the operating system. Must not judge: what a fact means for service is health's.

mod clock;
mod device;
mod disk;
mod files;
pub mod log;
mod service_manager;
mod simulated_disk;

pub use clock::{Clock, ManualClock, SystemClock};
pub use device::{ClockStatus, Device, DeviceFacts, clock_status};
pub use disk::{Disk, RealDisk};
pub use files::write_durably;
pub use service_manager::ServiceManager;
pub use simulated_disk::SimulatedDisk;
