//! How the unit stands in its network and in time: interfaces, addresses, routes, and which services look after them.
//!
//! Addresses and routes are the kernel's word. Who gave them, and by which file, is asked of systemd by its own tools, whose
//! output is meant for programs (`networkctl --json`, `timedatectl show-timesync`).

mod interfaces;
mod networkd;
mod routes;
mod time;

use std::net::{IpAddr, UdpSocket};
use std::process::Command;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

pub use interfaces::{HostAddress, Interface, InterfaceKind, NetworkFacts, NetworkManager, network_facts};
pub use time::{TimeFacts, TimeService, running_time_services, time_facts};

/// Seconds within which a tool of the system answers, or is taken not to.
const PATIENCE_S: &str = "5";

/// Since the machine started, whatever its clock was set to meanwhile.
pub fn uptime() -> Duration {
    let since = clock_gettime(ClockId::Boottime);
    Duration::new(since.tv_sec.unsigned_abs(), since.tv_nsec.try_into().unwrap_or(0))
}

/// Runs a tool of the system; what it printed, or what went wrong.
pub fn tool(words: &[&str]) -> Result<String, String> {
    let said = Command::new("timeout").arg(PATIENCE_S).args(words).output();
    let said = said.map_err(|error| format!("{} did not start: {error}", words.join(" ")))?;
    if said.status.success() {
        return Ok(String::from_utf8_lossy(&said.stdout).into_owned());
    }
    let why = String::from_utf8_lossy(&said.stderr).trim().replace('\n', "; ");
    Err(format!("{} failed ({}): {why}", words.join(" "), said.status))
}

/// Which of these units of systemd are active.
pub fn active(units: &[&str]) -> Vec<bool> {
    let asked = Command::new("timeout").args([PATIENCE_S, "systemctl", "is-active"]).args(units).output();
    let said = asked.map(|said| String::from_utf8_lossy(&said.stdout).into_owned()).unwrap_or_default();
    let mut lines = said.lines();
    units.iter().map(|_| lines.next() == Some("active")).collect()
}

/// The unit's own address on the way to a host; nothing is sent.
pub fn source_towards(host: &str, port: u16) -> Option<IpAddr> {
    let from = |local: &str| {
        let socket = UdpSocket::bind(local).ok()?;
        socket.connect((host, port)).ok()?;
        socket.local_addr().ok().map(|address| address.ip())
    };
    from("0.0.0.0:0").or_else(|| from("[::]:0"))
}
