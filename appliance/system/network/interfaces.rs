use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;

use ipnet::IpNet;
use serde::Serialize;

use super::super::device::Tree;
use super::{active, networkd, routes};

/// What the unit's interfaces have.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct NetworkFacts {
    pub interfaces: Vec<Interface>,
    /// The name servers that the unit asks, of all interfaces together.
    pub name_servers: Vec<IpAddr>,
    /// Whether name servers that an interface brings are used: systemd-resolved runs.
    pub resolver: bool,
}

/// A network interface, other than the loopback.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Interface {
    pub name: String,
    pub kind: InterfaceKind,
    /// Whether there is a link: a cable with something at its other end, or a network that was joined.
    pub link: bool,
    pub speed_mbit: Option<u32>,
    pub hardware_address: Option<String>,
    pub addresses: Vec<HostAddress>,
    pub gateways: Vec<IpAddr>,
    pub manager: Option<NetworkManager>,
    /// The file that systemd-networkd goes by for it.
    pub file: Option<String>,
    /// It carries VLANs, or is part of a bridge or a bond.
    pub joined: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum InterfaceKind {
    Wired,
    Wireless,
    Mobile,
    Other,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HostAddress {
    pub address: IpNet,
    /// Given by a server of the network, not by a person.
    pub by_dhcp: bool,
}

/// What looks after an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NetworkManager {
    Networkd,
    NetworkManager,
    Ifupdown,
    ConnMan,
}

impl Interface {
    /// Its address in the form of a network, where it has this one.
    pub fn has(&self, address: IpAddr) -> Option<IpNet> {
        self.addresses.iter().map(|held| held.address).find(|held| held.addr() == address)
    }
}

/// Asks kernel and systemd.
pub fn network_facts() -> NetworkFacts {
    let tree = Tree::new(Path::new("/"));
    let [by_networkd, resolver, by_manager, by_connman, by_ifupdown] = active(&[
        "systemd-networkd.service",
        "systemd-resolved.service",
        "NetworkManager.service",
        "connman.service",
        "networking.service",
    ])
    .try_into()
    .unwrap_or([false; 5]);
    let told = if by_networkd { networkd::told() } else { BTreeMap::new() };
    // Where several run, what each leaves alone is not known; the usual one then speaks.
    let others = [
        (by_manager, NetworkManager::NetworkManager),
        (by_connman, NetworkManager::ConnMan),
        (by_ifupdown, NetworkManager::Ifupdown),
    ];
    let other = others.into_iter().find(|(runs, _)| *runs).map(|(_, manager)| manager);
    let addresses = if_addrs::get_if_addrs().unwrap_or_default();
    let gateways = routes::default_gateways(&tree);
    let interfaces = interface_names(&tree).into_iter().map(|name| {
        let told = told.get(&name);
        let held = addresses.iter().filter(|held| held.name == name);
        let address = |held: &if_addrs::Interface| {
            let prefix = match &held.addr {
                if_addrs::IfAddr::V4(v4) => v4.prefixlen,
                if_addrs::IfAddr::V6(v6) => v6.prefixlen,
            };
            let by_dhcp = told.is_some_and(|told| told.leased.contains(&held.ip()));
            IpNet::new(held.ip(), prefix).ok().map(|address| HostAddress { address, by_dhcp })
        };
        let file = told.and_then(|told| told.file.clone());
        let class = format!("sys/class/net/{name}");
        Interface {
            kind: kind(&tree, &class),
            // Reading it is an error while the interface is down.
            link: tree.text(&format!("{class}/carrier")).as_deref() == Some("1"),
            speed_mbit: tree
                .number(&format!("{class}/speed"))
                .filter(|mbit| *mbit > 0.0)
                .map(|mbit| mbit as u32),
            hardware_address: tree.text(&format!("{class}/address")).filter(|text| !text.is_empty()),
            addresses: held.filter_map(address).collect(),
            gateways: gateways.iter().filter(|(on, _)| *on == name).map(|(_, gateway)| *gateway).collect(),
            manager: if file.is_some() { Some(NetworkManager::Networkd) } else { other },
            file,
            joined: tree.path(&format!("{class}/master")).exists()
                || !tree.folders(&class, "upper_").is_empty(),
            name,
        }
    });
    NetworkFacts { interfaces: interfaces.collect(), name_servers: routes::name_servers(&tree), resolver }
}

fn interface_names(tree: &Tree) -> Vec<String> {
    let names = tree.folders("sys/class/net", "").into_iter();
    let names = names.filter_map(|path| path.rsplit('/').next().map(str::to_owned));
    // 772 is ARPHRD_LOOPBACK of the kernel's if_arp.h.
    let looped = |name: &str| tree.number(&format!("sys/class/net/{name}/type")) == Some(772.0);
    names.filter(|name| name != "bonding_masters" && !looped(name)).collect()
}

fn kind(tree: &Tree, class: &str) -> InterfaceKind {
    let event = tree.text(&format!("{class}/uevent")).unwrap_or_default();
    match event.lines().find_map(|line| line.strip_prefix("DEVTYPE=")) {
        Some("wwan") => InterfaceKind::Mobile,
        Some("wlan") => InterfaceKind::Wireless,
        // 1 is ARPHRD_ETHER.
        None if tree.number(&format!("{class}/type")) == Some(1.0) => InterfaceKind::Wired,
        _ => InterfaceKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::device::fixture;
    use super::*;

    #[test]
    fn interfaces_are_told_apart_and_the_loopback_is_none() {
        let root = fixture(&[
            ("sys/class/net/lo/type", "772\n"),
            ("sys/class/net/eth0/type", "1\n"),
            ("sys/class/net/eth0/uevent", "INTERFACE=eth0\nIFINDEX=2\n"),
            ("sys/class/net/wwan0/type", "65534\n"),
            ("sys/class/net/wwan0/uevent", "DEVTYPE=wwan\nINTERFACE=wwan0\n"),
            ("sys/class/net/wlan0/type", "1\n"),
            ("sys/class/net/wlan0/uevent", "DEVTYPE=wlan\n"),
        ]);
        let tree = Tree::new(root.path());
        let kinds: Vec<_> = interface_names(&tree)
            .into_iter()
            .map(|name| (name.clone(), kind(&tree, &format!("sys/class/net/{name}"))))
            .collect();
        let due = [
            ("eth0", InterfaceKind::Wired),
            ("wlan0", InterfaceKind::Wireless),
            ("wwan0", InterfaceKind::Mobile),
        ];
        assert_eq!(kinds, due.map(|(name, kind)| (name.to_owned(), kind)));
    }
}
