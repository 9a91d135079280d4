//! Facts about the device and its host: time, network, place, storage, power, heat, memory, motion; systemd, and where logs go.
//!
//! Owns the calls to the operating system. Must not judge: what a fact means for service is health's.

mod caught;
mod clock;
mod device;
mod disk;
mod files;
pub mod log;
mod memory;
pub mod network;
mod open_files;
mod position;
mod service_manager;
mod simulated_disk;

pub use caught::{catch, is_caught};
pub use clock::{Clock, ManualClock, SystemClock};
pub use device::{
    ClockStatus, Device, DeviceFacts, Gravity, Motion, PowerFacts, Reserve, StorageFacts, clock_status,
};
pub use disk::{Disk, RealDisk, is_held};
pub use files::{at_once, remove_durably, write_durably};
pub use memory::give_back_freed_memory;
pub use open_files::open_files;
pub use position::{Config as PositionConfig, Fix, Gps};
pub use service_manager::ServiceManager;
pub use simulated_disk::SimulatedDisk;
