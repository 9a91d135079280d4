use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// Servers of a kind that a person may name.
const SERVERS_MOST: usize = 4;

/// Why what was typed is no change. A sentence without its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MalformedChange {
    #[error("{0:?} is not the name of an interface")]
    Interface(String),
    #[error("{0:?} is not an address with the length of its network's prefix, such as 192.168.1.20/24")]
    Address(String),
    #[error("the {what} {text:?} is not an address, such as 192.168.1.1")]
    Ip { what: &'static str, text: String },
    #[error("{0:?} is neither an address nor the name of a host")]
    TimeServer(String),
    #[error("at most {SERVERS_MOST} servers can be named")]
    TooMany,
}

/// As the kernel allows them, less what systemd-networkd reads as a pattern.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct InterfaceName(String);

impl InterfaceName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for InterfaceName {
    type Error = MalformedChange;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let named = (1..16).contains(&text.len()) && text.bytes().all(fits) && !text.starts_with('.');
        if named { Ok(Self(text)) } else { Err(MalformedChange::Interface(text)) }
    }
}

impl From<InterfaceName> for String {
    fn from(name: InterfaceName) -> Self {
        name.0
    }
}

impl fmt::Display for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A server of time: an address, or a name for the resolver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeServer(String);

impl TryFrom<String> for TimeServer {
    type Error = MalformedChange;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let label = |label: &str| {
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
            (1..64).contains(&label.len()) && label.bytes().all(fits) && !label.starts_with('-')
        };
        let host = text.len() < 254 && text.split('.').all(label);
        if host || text.parse::<IpAddr>().is_ok() {
            Ok(Self(text))
        } else {
            Err(MalformedChange::TimeServer(text))
        }
    }
}

impl From<TimeServer> for String {
    fn from(server: TimeServer) -> Self {
        server.0
    }
}

impl fmt::Display for TimeServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How an interface comes by its addresses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Addressing {
    pub by: By,
    /// The console's address, which the interface has besides: whoever changes it must not be locked out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beside: Option<IpNet>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum By {
    Dhcp,
    Static(Static),
}

impl Addressing {
    /// The addresses that the interface has by it whatever the network says.
    pub fn given(&self) -> impl Iterator<Item = IpAddr> {
        let given = match &self.by {
            By::Dhcp => None,
            By::Static(given) => Some(given.address),
        };
        given.into_iter().chain(self.beside).map(|address| address.addr())
    }
}

/// An address that a person gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Static {
    pub address: IpNet,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<IpAddr>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dns: Vec<IpAddr>,
}

/// One thing that a person changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Change {
    Interface {
        name: InterfaceName,
        /// None: as the system's own files say.
        addressing: Option<Addressing>,
    },
    /// None: those of the system.
    TimeServers { servers: Vec<TimeServer> },
}

/// A change of an interface as a person types it.
#[derive(Debug, Clone, Copy)]
pub enum Typed<'a> {
    System,
    Dhcp,
    Static { address: &'a str, gateway: &'a str, dns: &'a str },
}

impl Change {
    pub fn of_interface(name: &str, typed: Typed) -> Result<Self, MalformedChange> {
        let by = match typed {
            Typed::System => None,
            Typed::Dhcp => Some(By::Dhcp),
            Typed::Static { address, gateway, dns } => {
                let network = address.trim().parse::<IpNet>();
                let gateway = Some(gateway.trim()).filter(|text| !text.is_empty());
                Some(By::Static(Static {
                    address: network.map_err(|_| MalformedChange::Address(address.to_owned()))?,
                    gateway: gateway.map(|text| ip("gateway", text)).transpose()?,
                    dns: several(dns, |text| ip("name server", text))?,
                }))
            }
        };
        let addressing = by.map(|by| Addressing { by, beside: None });
        Ok(Self::Interface { name: InterfaceName::try_from(name.to_owned())?, addressing })
    }

    pub fn of_time_servers(typed: &str) -> Result<Self, MalformedChange> {
        Ok(Self::TimeServers { servers: several(typed, |text| TimeServer::try_from(text.to_owned()))? })
    }

    /// The same with an address that the interface has besides, unless the change gives it that one anyway.
    pub fn beside(self, console: IpNet) -> Self {
        match self {
            Self::Interface { name, addressing: Some(Addressing { by, .. }) } => {
                let given = matches!(&by, By::Static(given) if given.address.addr() == console.addr());
                Self::Interface {
                    name,
                    addressing: Some(Addressing { by, beside: (!given).then_some(console) }),
                }
            }
            other => other,
        }
    }
}

fn ip(what: &'static str, text: &str) -> Result<IpAddr, MalformedChange> {
    text.parse().map_err(|_| MalformedChange::Ip { what, text: text.to_owned() })
}

/// Words between spaces or commas.
fn several<T>(
    typed: &str,
    parse: impl Fn(&str) -> Result<T, MalformedChange>,
) -> Result<Vec<T>, MalformedChange> {
    let words = typed.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty());
    let several = words.map(parse).collect::<Result<Vec<_>, _>>()?;
    if several.len() > SERVERS_MOST { Err(MalformedChange::TooMany) } else { Ok(several) }
}

/// Said of an interface or of the time servers, as in "host0: 10.77.0.5/24, gateway 10.77.0.1".
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interface { name, addressing: None } => write!(f, "{name}: as the system's own files say"),
            Self::Interface { name, addressing: Some(addressing) } => write!(f, "{name}: {addressing}"),
            Self::TimeServers { servers } if servers.is_empty() => {
                f.write_str("time servers: the system's own")
            }
            Self::TimeServers { servers } => write!(f, "time servers: {}", listed(servers)),
        }
    }
}

impl fmt::Display for Addressing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.by {
            By::Dhcp => f.write_str("DHCP")?,
            By::Static(Static { address, gateway, dns }) => {
                write!(f, "{address}")?;
                gateway.map_or(Ok(()), |gateway| write!(f, ", gateway {gateway}"))?;
                if !dns.is_empty() {
                    write!(f, ", name servers {}", listed(dns))?;
                }
            }
        }
        self.beside.map_or(Ok(()), |beside| write!(f, ", and {beside} for the console"))
    }
}

fn listed(things: &[impl fmt::Display]) -> String {
    things.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// All that was changed and is not as the system's own files say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Wanted {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub time_servers: Vec<TimeServer>,
    pub interface: BTreeMap<InterfaceName, Addressing>,
}

impl Wanted {
    pub fn with(&self, change: &Change) -> Self {
        let mut wanted = self.clone();
        match change.clone() {
            Change::Interface { name, addressing: None } => {
                wanted.interface.remove(&name);
            }
            Change::Interface { name, addressing: Some(addressing) } => {
                wanted.interface.insert(name, addressing);
            }
            Change::TimeServers { servers } => wanted.time_servers = servers,
        }
        wanted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_becomes_a_change_or_a_sentence() {
        let typed =
            Typed::Static { address: " 10.77.0.5/24 ", gateway: "10.77.0.1", dns: "10.77.0.1, 9.9.9.9" };
        let change = Change::of_interface("host0", typed).unwrap();
        assert_eq!(
            change.to_string(),
            "host0: 10.77.0.5/24, gateway 10.77.0.1, name servers 10.77.0.1 9.9.9.9"
        );
        let refused = |address, gateway, dns| {
            Change::of_interface("eth0", Typed::Static { address, gateway, dns }).unwrap_err().to_string()
        };
        assert!(refused("10.77.0.5", "", "").contains("192.168.1.20/24"));
        assert!(refused("10.77.0.5/33", "", "").contains("10.77.0.5/33"));
        assert!(refused("10.77.0.5/24", "router", "").contains("gateway \"router\""));
        assert!(refused("10.77.0.5/24", "", "1.1.1.1 1.1.1.1 1.1.1.1 1.1.1.1 1.1.1.1").contains("at most 4"));
        for name in ["", "eth0\n[Network]", "eth*", "a name", "longer-than-fifteen", "..", "../x"] {
            assert!(Change::of_interface(name, Typed::Dhcp).is_err(), "{name:?}");
        }
        assert!(Change::of_time_servers("time.example.org 192.0.2.1 2001:db8::1").is_ok());
        for server in ["-x.org", "a..b", "time.org\u{7}", "time=1", "%h"] {
            assert!(Change::of_time_servers(server).is_err(), "{server:?}");
        }
    }

    #[test]
    fn the_console_keeps_its_address_unless_it_is_given_anyway() {
        let console: IpNet = "192.168.200.1/24".parse().unwrap();
        let beside = |address| {
            let typed = Typed::Static { address, gateway: "", dns: "" };
            Change::of_interface("eth0", typed).unwrap().beside(console).to_string()
        };
        assert_eq!(beside("10.0.0.5/24"), "eth0: 10.0.0.5/24, and 192.168.200.1/24 for the console");
        assert_eq!(beside("192.168.200.1/16"), "eth0: 192.168.200.1/16");
    }

    #[test]
    fn what_is_kept_is_written_so_that_it_is_read_again() {
        let typed = Typed::Static { address: "10.77.0.5/24", gateway: "", dns: "10.77.0.1" };
        let changes = [
            Change::of_interface("eth0", typed).unwrap().beside("192.168.200.1/24".parse().unwrap()),
            Change::of_interface("eth1", Typed::Dhcp).unwrap(),
            Change::of_time_servers("time.example.org").unwrap(),
        ];
        let wanted = changes.iter().fold(Wanted::default(), |wanted, change| wanted.with(change));
        let text = toml::to_string(&wanted).unwrap();
        assert_eq!(toml::from_str::<Wanted>(&text).unwrap(), wanted, "{text}");
        let system = ["eth0", "eth1"].map(|name| Change::of_interface(name, Typed::System).unwrap());
        let none = Change::of_time_servers("").unwrap();
        let back = system.iter().chain([&none]).fold(wanted, |wanted, change| wanted.with(change));
        assert_eq!(back, Wanted::default());
    }
}
