use std::net::IpAddr;

use jiff::Timestamp;
use serde::Serialize;

use crate::network::Addressing;
use crate::system::network::{Interface, TimeFacts};

/// How the unit stands in its network and in time, and what of it can be changed here.
#[derive(Debug, Clone, Serialize)]
pub struct NetworkView {
    pub interfaces: Vec<InterfaceView>,
    pub name_servers: Vec<IpAddr>,
    /// Whether an interface can bring name servers of its own.
    pub resolver: bool,
    pub time: TimeFacts,
    /// Whether the time servers were set here.
    pub time_changed: bool,
    /// Why time servers cannot be changed here, as a sentence; None where they can.
    pub time_fixed: Option<String>,
    /// Why the clock cannot be set by hand here, as a sentence; None where it can.
    pub clock_fixed: Option<String>,
    /// Why nothing at all can be changed here.
    pub fixed: Option<String>,
    pub trial: Option<NetworkTrial>,
}

#[derive(Debug, Clone, Serialize)]
pub struct InterfaceView {
    #[serde(flatten)]
    pub facts: Interface,
    /// It has the console's address.
    pub console: bool,
    /// The way to the broker leads over it.
    pub broker: bool,
    /// As it was set here.
    pub changed: Option<Addressing>,
    /// Why it cannot be changed here, as a sentence; None where it can.
    pub fixed: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct NetworkTrial {
    pub what: String,
    /// When it ends unless a person keeps it.
    pub until: Timestamp,
}

/// What it would mean to set the unit's clock, of which nothing is done yet.
#[derive(Debug, Clone, Serialize)]
pub struct ClockChange {
    /// What the clock shows.
    pub from: Timestamp,
    pub to: Timestamp,
    /// What speaks against that time, as sentences: somebody has to be sure of it.
    pub doubts: Vec<String>,
    /// What comes of it, as sentences.
    pub follows: Vec<String>,
}
