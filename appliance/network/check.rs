use std::net::IpAddr;

use ipnet::IpNet;

use super::{Addressing, By, Change, InterfaceName, Static};
use crate::system::network::{Interface, NetworkFacts, NetworkManager, TimeFacts, TimeService};

/// Why a change is not even tried. A sentence without its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Objection {
    #[error("this unit has no interface {0}")]
    NoInterface(InterfaceName),
    #[error("systemd-networkd does not look after {0}, so it cannot be changed here")]
    NotOurs(InterfaceName),
    #[error("{0} carries VLANs or is part of a bridge or bond: it is changed where that is set up")]
    Joined(InterfaceName),
    #[error("{0} is no address that a unit can have in its network")]
    NoHost(IpNet),
    #[error("the gateway {gateway} is not in the network {network}")]
    GatewayOutside { gateway: IpAddr, network: IpNet },
    #[error("the gateway is the unit's own address")]
    GatewayItself,
    #[error("{0} is no name server")]
    NoServer(IpAddr),
    #[error("systemd-resolved does not run, so name servers are set in the system's /etc/resolv.conf")]
    NoResolver,
    #[error(
        "{address} and {other} of {interface} are in one network, so the unit would not know which way to send"
    )]
    Overlaps { address: IpNet, other: IpNet, interface: String },
    #[error("{0} has not the address {1}, which it was to keep")]
    NotHeld(InterfaceName, IpNet),
    #[error("systemd-timesyncd does not keep this unit's clock, so its servers cannot be changed here")]
    NotTimesyncd,
}

/// Whether a change can be tried on a unit that stands so.
pub fn check(change: &Change, network: &NetworkFacts, time: &TimeFacts) -> Result<(), Objection> {
    match change {
        Change::TimeServers { .. } if time.service != Some(TimeService::Timesyncd) => {
            Err(Objection::NotTimesyncd)
        }
        Change::TimeServers { .. } => Ok(()),
        Change::Interface { name, addressing } => {
            let interface = network.interfaces.iter().find(|interface| interface.name == name.as_str());
            let interface = interface.ok_or_else(|| Objection::NoInterface(name.clone()))?;
            if interface.joined {
                return Err(Objection::Joined(name.clone()));
            }
            if interface.manager != Some(NetworkManager::Networkd) {
                return Err(Objection::NotOurs(name.clone()));
            }
            match addressing {
                Some(addressing) => check_addressing(addressing, name, interface, network),
                None => Ok(()),
            }
        }
    }
}

fn check_addressing(
    addressing: &Addressing,
    name: &InterfaceName,
    interface: &Interface,
    network: &NetworkFacts,
) -> Result<(), Objection> {
    if let Some(beside) = addressing.beside
        && interface.has(beside.addr()) != Some(beside)
    {
        return Err(Objection::NotHeld(name.clone(), beside));
    }
    let By::Static(Static { address, gateway, dns }) = &addressing.by else { return Ok(()) };
    if !is_host(address) {
        return Err(Objection::NoHost(*address));
    }
    if let Some(gateway) = *gateway {
        if gateway == address.addr() {
            return Err(Objection::GatewayItself);
        }
        if !address.contains(&gateway) {
            return Err(Objection::GatewayOutside { gateway, network: address.trunc() });
        }
    }
    if let Some(server) = dns.iter().find(|server| server.is_unspecified() || server.is_multicast()) {
        return Err(Objection::NoServer(*server));
    }
    if !dns.is_empty() && !network.resolver {
        return Err(Objection::NoResolver);
    }
    let others = network.interfaces.iter().filter(|other| other.name != interface.name);
    for other in others {
        let overlaps = |held: &IpNet| address.contains(held) || held.contains(address);
        if let Some(held) = other.addresses.iter().map(|held| held.address).find(overlaps) {
            return Err(Objection::Overlaps {
                address: *address,
                other: held,
                interface: other.name.clone(),
            });
        }
    }
    Ok(())
}

/// Neither a network nor its broadcast, and no address that is never routed to one unit.
fn is_host(address: &IpNet) -> bool {
    let never = match address.addr() {
        IpAddr::V4(v4) => v4.is_unspecified() || v4.is_loopback() || v4.is_multicast() || v4.is_broadcast(),
        IpAddr::V6(v6) => v6.is_unspecified() || v6.is_loopback() || v6.is_multicast(),
    };
    // The two ends of a line, RFC 3021.
    let line = address.prefix_len() + 1 >= address.max_prefix_len();
    let ends = [address.network(), address.broadcast()];
    !never && address.prefix_len() > 0 && (line || !ends.contains(&address.addr()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Typed;
    use crate::system::network::{HostAddress, InterfaceKind};

    fn interface(name: &str, address: &str, manager: NetworkManager) -> Interface {
        Interface {
            name: name.to_owned(),
            kind: InterfaceKind::Wired,
            link: true,
            speed_mbit: None,
            hardware_address: None,
            addresses: vec![HostAddress { address: address.parse().unwrap(), by_dhcp: false }],
            gateways: Vec::new(),
            manager: Some(manager),
            file: None,
            joined: name == "trunk0",
        }
    }

    fn facts() -> NetworkFacts {
        NetworkFacts {
            interfaces: vec![
                interface("eth0", "192.168.200.1/24", NetworkManager::Networkd),
                interface("eth1", "10.1.0.7/16", NetworkManager::Networkd),
                interface("eth2", "10.9.0.7/16", NetworkManager::NetworkManager),
                interface("trunk0", "10.8.0.7/16", NetworkManager::Networkd),
            ],
            name_servers: Vec::new(),
            resolver: false,
        }
    }

    fn objection(name: &str, typed: Typed) -> Option<String> {
        let change = Change::of_interface(name, typed).unwrap();
        check(&change, &facts(), &TimeFacts::default()).err().map(|objection| objection.to_string())
    }

    #[test]
    fn only_what_can_work_is_tried() {
        let fixed = |address, gateway, dns| objection("eth0", Typed::Static { address, gateway, dns });
        assert_eq!(fixed("192.168.77.5/24", "192.168.77.1", ""), None);
        assert_eq!(fixed("192.168.200.9/24", "", ""), None, "its own network is no other's");
        assert_eq!(fixed("2001:db8::5/64", "2001:db8::1", ""), None);
        assert_eq!(fixed("192.0.2.0/31", "192.0.2.1", ""), None);
        for (address, gateway, dns, says) in [
            ("192.168.77.5/24", "192.168.78.1", "", "is not in the network 192.168.77.0/24"),
            ("192.168.77.5/24", "2001:db8::1", "", "is not in the network"),
            ("192.168.77.5/24", "192.168.77.5", "", "own address"),
            ("192.168.77.0/24", "", "", "no address that a unit can have"),
            ("192.168.77.255/24", "", "", "no address that a unit can have"),
            ("127.0.0.2/8", "", "", "no address that a unit can have"),
            ("224.0.0.5/8", "", "", "no address that a unit can have"),
            ("10.2.0.5/0", "", "", "no address that a unit can have"),
            ("10.1.3.5/24", "", "", "10.1.0.7/16 of eth1 are in one network"),
            ("192.168.77.5/24", "", "9.9.9.9", "systemd-resolved does not run"),
            ("192.168.77.5/24", "", "0.0.0.0", "no name server"),
        ] {
            let said = fixed(address, gateway, dns).unwrap_or_default();
            assert!(said.contains(says), "{address} by {gateway}: {said:?}");
        }
        for (name, says) in [("eth7", "no interface"), ("eth2", "does not look after"), ("trunk0", "VLANs")] {
            assert!(objection(name, Typed::Dhcp).unwrap().contains(says), "{name}");
        }
        assert_eq!(objection("eth1", Typed::System), None);
    }

    #[test]
    fn only_an_address_that_the_interface_has_is_kept_for_the_console() {
        let beside = |console: &str| {
            let change = Change::of_interface("eth0", Typed::Dhcp).unwrap().beside(console.parse().unwrap());
            check(&change, &facts(), &TimeFacts::default()).is_ok()
        };
        assert!(beside("192.168.200.1/24"));
        assert!(!beside("192.168.200.1/8") && !beside("192.168.200.2/24"));
    }

    #[test]
    fn time_servers_are_those_of_timesyncd() {
        let change = Change::of_time_servers("time.example.org").unwrap();
        let kept_by = |service| check(&change, &facts(), &TimeFacts { service, ..TimeFacts::default() });
        assert_eq!(kept_by(Some(TimeService::Timesyncd)), Ok(()));
        assert_eq!(kept_by(Some(TimeService::Chrony)), Err(Objection::NotTimesyncd));
        assert_eq!(kept_by(None), Err(Objection::NotTimesyncd));
    }
}
