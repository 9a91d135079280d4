use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Deserialize;

use super::tool;

/// What systemd-networkd says of an interface.
#[derive(Debug, Default, PartialEq)]
pub struct Told {
    /// The file that it goes by; None where it leaves the interface alone.
    pub file: Option<String>,
    /// Addresses that a server gave.
    pub leased: Vec<IpAddr>,
}

/// By the name of the interface; empty where it cannot be asked.
pub fn told() -> BTreeMap<String, Told> {
    tool(&["networkctl", "--json=short", "list"]).map(|json| taken_apart(&json)).unwrap_or_default()
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listing {
    interfaces: Vec<Described>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Described {
    name: String,
    administrative_state: Option<String>,
    network_file: Option<String>,
    #[serde(default)]
    addresses: Vec<DescribedAddress>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DescribedAddress {
    /// Four or sixteen bytes.
    address: Vec<u8>,
    config_source: Option<String>,
}

fn taken_apart(json: &str) -> BTreeMap<String, Told> {
    let listing = serde_json::from_str::<Listing>(json).map(|listing| listing.interfaces).unwrap_or_default();
    let told = listing.into_iter().map(|described| {
        let managed = described.administrative_state.as_deref() != Some("unmanaged");
        let leased = described.addresses.iter().filter(|held| {
            held.config_source
                .as_deref()
                .is_some_and(|source| source.starts_with("DHCP") || source == "NDisc")
        });
        let file = described.network_file.filter(|_| managed);
        (described.name, Told { file, leased: leased.filter_map(|held| ip(&held.address)).collect() })
    });
    told.collect()
}

fn ip(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As systemd 252 printed it, shortened.
    const PRINTED: &str = r#"{"Interfaces":[
        {"Index":1,"Name":"lo","Type":"loopback","AdministrativeState":"unmanaged","OnlineState":null,
         "Addresses":[{"Family":2,"Address":[127,0,0,1],"PrefixLength":8,"ConfigSource":"foreign"}]},
        {"Index":2,"Name":"host0","Kind":"veth","AdministrativeState":"configured",
         "NetworkFile":"/etc/systemd/network/50-host0.network",
         "Addresses":[{"Family":2,"Address":[192,168,200,1],"PrefixLength":24,"ConfigSource":"static"},
                      {"Family":2,"Address":[10,0,0,7],"PrefixLength":24,"ConfigSource":"DHCPv4"}]}],
        "RoutingPolicyRules":[]}"#;

    #[test]
    fn the_file_in_force_and_what_was_leased_are_told() {
        let told = taken_apart(PRINTED);
        assert_eq!(told["lo"], Told::default());
        assert_eq!(told["host0"].file.as_deref(), Some("/etc/systemd/network/50-host0.network"));
        assert_eq!(told["host0"].leased, ["10.0.0.7".parse::<IpAddr>().unwrap()]);
        assert!(taken_apart("Interfaces: none").is_empty());
    }
}
