//! The unit's addresses, time servers and clock as people change them at the console: what may be asked, what the system is
//! told for it, and what becomes of it.
//!
//! The service may change nothing of its system. It lays down a [`Request`], which `milepost apply-network`, root without
//! capabilities, takes apart as it would a stranger's: nothing of it is copied, everything is parsed, checked against the
//! interfaces that there are, and written anew. A change is on trial first: what is tried lies under `/run` alone, so a power
//! cut ends it, and so does the end of the program that watches over it. What a person kept lies in [`KEPT`] and is laid under
//! `/run` again at every start, before systemd-networkd reads it; so a system whose own files cannot be written can be
//! changed as well.
//!
//! The clock is set at once and stays so: there is no trial of it, as nobody is locked out by it.
//!
//! This room decides and does no I/O. How interfaces and clock stand is `system`'s to find out.

mod addressing;
mod check;
mod clock;
mod files;
mod keeper;
mod request;

pub use addressing::{
    Addressing, By, Change, InterfaceName, MalformedChange, Static, TimeServer, Typed, Wanted,
};
pub use check::{Objection, check};
pub use clock::{ClockObjection, Reading, check_clock, check_clock_free};
pub use files::{File, files, folder, network_file};
pub use keeper::{Keeper, Step};
pub use request::{Ask, End, Ended, OnTrial, Request, RequestError, Status};

/// What was kept, on storage that outlives a restart. Only root writes it.
pub const KEPT: &str = "/etc/milepost/network/kept.toml";

/// Where the service lays its requests, within the folder that systemd makes for it under `/run`: none outlives the service.
pub const REQUEST: &str = "network-request.json";

/// What root answers.
pub const STATUS: &str = "/run/milepost-network/status.json";
