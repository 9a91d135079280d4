use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::super::device::Tree;

/// The gateways of the default routes, each with its interface.
pub fn default_gateways(tree: &Tree) -> Vec<(String, IpAddr)> {
    let v4 = tree.text("proc/self/net/route").unwrap_or_default();
    let v6 = tree.text("proc/self/net/ipv6_route").unwrap_or_default();
    let mut gateways: Vec<_> =
        v4.lines().filter_map(gateway_v4).chain(v6.lines().filter_map(gateway_v6)).collect();
    // The kernel keeps one route for each table and metric.
    gateways.sort();
    gateways.dedup();
    gateways
}

/// `eth0  00000000  0101A8C0  0003  0  0  0  00000000 ...`: name, destination, gateway, with the bytes in the order of the
/// machine, and the mask in the eighth place.
fn gateway_v4(line: &str) -> Option<(String, IpAddr)> {
    let columns: Vec<&str> = line.split_whitespace().collect();
    let (name, destination, gateway, mask) =
        (columns.first()?, columns.get(1)?, columns.get(2)?, columns.get(7)?);
    let gateway = u32::from_str_radix(gateway, 16).ok().filter(|gateway| *gateway != 0)?;
    let everywhere = *destination == "00000000" && *mask == "00000000";
    everywhere.then(|| ((*name).to_owned(), Ipv4Addr::from(gateway.to_ne_bytes()).into()))
}

/// Destination with its prefix, source with its prefix, next hop, four numbers, name.
fn gateway_v6(line: &str) -> Option<(String, IpAddr)> {
    let columns: Vec<&str> = line.split_whitespace().collect();
    let (destination, prefix, hop, name) =
        (columns.first()?, columns.get(1)?, columns.get(4)?, columns.get(9)?);
    let hop = u128::from_str_radix(hop, 16).ok().filter(|hop| *hop != 0)?;
    let everywhere = *prefix == "00" && destination.bytes().all(|digit| digit == b'0');
    everywhere.then(|| ((*name).to_owned(), Ipv6Addr::from(hop).into()))
}

/// Those that systemd-resolved asks where it runs, since the file of the system then names only itself.
pub fn name_servers(tree: &Tree) -> Vec<IpAddr> {
    let files = ["run/systemd/resolve/resolv.conf", "etc/resolv.conf"];
    let text = files.iter().find_map(|file| tree.text(file)).unwrap_or_default();
    let server = |line: &str| line.strip_prefix("nameserver")?.trim().parse().ok();
    text.lines().filter_map(server).collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::device::fixture;
    use super::*;

    #[test]
    fn the_way_out_is_found_for_both_families() {
        let v4 = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
                  eth0\t00000000\tFEC8A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
                  eth0\t00C8A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n";
        let zero = "0".repeat(32);
        let v6 = format!(
            "{zero} 00 {zero} 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003 wwan0\n\
             {zero} 00 {zero} 00 {zero} ffffffff 00000001 00000000 00200200       lo\n"
        );
        let root = fixture(&[
            ("proc/self/net/route", v4),
            ("proc/self/net/ipv6_route", &v6),
            ("etc/resolv.conf", "# made by hand\nnameserver 192.168.200.254\nsearch example.org\n"),
        ]);
        let tree = Tree::new(root.path());
        let due = [("eth0", "192.168.200.254"), ("wwan0", "fe80::1")];
        assert_eq!(
            default_gateways(&tree),
            due.map(|(name, gateway)| (name.to_owned(), gateway.parse().unwrap()))
        );
        assert_eq!(name_servers(&tree), ["192.168.200.254".parse::<IpAddr>().unwrap()]);
    }
}
