use jiff::Timestamp;
use serde::Serialize;

use super::super::device::{ClockStatus, clock};
use super::{active, tool};

/// How the unit's clock stands, and who keeps it.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct TimeFacts {
    pub status: ClockStatus,
    /// By how much it may be wrong at most, in milliseconds; None while nobody keeps it.
    pub error_ms: Option<f64>,
    pub service: Option<TimeService>,
    /// Those that systemd-timesyncd would ask, in this order.
    pub servers: Vec<String>,
    /// The one that it asks now.
    pub asked: Option<String>,
    /// When this program was made, as its file says: it cannot be earlier.
    pub earliest: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TimeService {
    Timesyncd,
    Chrony,
    Ntpsec,
    Ntpd,
    OpenNtpd,
}

/// Under the names that Debian and OpenEmbedded give their units.
const SERVICES: [(&str, TimeService); 7] = [
    ("systemd-timesyncd.service", TimeService::Timesyncd),
    ("chrony.service", TimeService::Chrony),
    ("chronyd.service", TimeService::Chrony),
    ("ntpsec.service", TimeService::Ntpsec),
    ("ntp.service", TimeService::Ntpd),
    ("ntpd.service", TimeService::Ntpd),
    ("openntpd.service", TimeService::OpenNtpd),
];

/// Asks kernel and systemd.
pub fn time_facts() -> TimeFacts {
    let clock = clock::look();
    let active = active(&SERVICES.map(|(unit, _)| unit));
    let service = SERVICES.iter().zip(active).find(|(_, runs)| *runs).map(|((_, service), _)| *service);
    let said = match service {
        Some(TimeService::Timesyncd) => tool(&["timedatectl", "show-timesync"]).unwrap_or_default(),
        _ => String::new(),
    };
    let (servers, asked) = servers(&said);
    let earliest = made();
    TimeFacts { status: clock.status, error_ms: clock.error_ms, service, servers, asked, earliest }
}

/// Packages and images date a file by the commit that it was made from, or earlier, never by the machine that it lies on.
fn made() -> Option<Timestamp> {
    let written = std::env::current_exe().and_then(std::fs::metadata).and_then(|facts| facts.modified());
    written.ok().and_then(|written| Timestamp::try_from(written).ok())
}

/// The units of systemd under which services run that keep or would set the clock.
pub fn running_time_services() -> Vec<&'static str> {
    let active = active(&SERVICES.map(|(unit, _)| unit));
    SERVICES.iter().zip(active).filter(|(_, runs)| *runs).map(|((unit, _), _)| *unit).collect()
}

/// Those of the system count where there are any, and those of the interfaces besides; the fallback where there are neither
/// (timesyncd.conf(5)).
fn servers(said: &str) -> (Vec<String>, Option<String>) {
    let named = |name: &str| {
        let value = said.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        value.unwrap_or_default().split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    let configured: Vec<String> =
        ["RuntimeNTPServers", "SystemNTPServers", "LinkNTPServers"].into_iter().flat_map(named).collect();
    let servers = if configured.is_empty() { named("FallbackNTPServers") } else { configured };
    (servers, named("ServerName").pop())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_that_count_are_told() {
        let said = "SystemNTPServers=time.example.org 192.0.2.1\nLinkNTPServers=10.0.0.1\n\
                    FallbackNTPServers=0.pool.example\nServerName=192.0.2.1\nServerAddress=192.0.2.1\n";
        let (told, asked) = servers(said);
        assert_eq!(told, ["time.example.org", "192.0.2.1", "10.0.0.1"]);
        assert_eq!(asked.as_deref(), Some("192.0.2.1"));
        assert_eq!(servers("FallbackNTPServers=0.pool.example\n"), (vec!["0.pool.example".to_owned()], None));
    }
}
