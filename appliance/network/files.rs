use std::fmt::Write;
use std::path::{Path, PathBuf};

use super::{By, InterfaceName, Static, Wanted};

const NETWORKS: &str = "/run/systemd/network";
const TIME: &str = "/run/systemd/timesyncd.conf.d/50-milepost.conf";
/// Of the files that fit an interface systemd-networkd takes the first by name, whichever folder it lies in. Systems' own begin
/// with 10 and more (systemd.network(5)).
const PREFIX: &str = "05-milepost-";
const HEAD: &str =
    "# Set at Milepost's console. Made anew at every start from /etc/milepost/network/kept.toml.\n";

/// A file as it has to lie there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    pub path: PathBuf,
    /// None: it must not be there.
    pub text: Option<String>,
}

/// Where systemd-networkd reads what was changed of an interface.
pub fn network_file(name: &InterfaceName) -> PathBuf {
    Path::new(NETWORKS).join(format!("{PREFIX}{name}.network"))
}

/// What has to lie where for this to be so. `there` are the files of the folder of networks, of which those that an earlier
/// change left go.
pub fn files(wanted: &Wanted, there: &[PathBuf]) -> Vec<File> {
    let networks = wanted.interface.iter().map(|(name, addressing)| {
        let mut text = format!("{HEAD}[Match]\nName={name}\n\n[Network]\n");
        let mut line = |key: &str, value: &dyn std::fmt::Display| {
            writeln!(text, "{key}={value}").expect("a string takes all");
        };
        match &addressing.by {
            By::Dhcp => line("DHCP", &"yes"),
            By::Static(Static { address, gateway, dns }) => {
                line("DHCP", &"no");
                line("Address", address);
                gateway.iter().for_each(|gateway| line("Gateway", gateway));
                dns.iter().for_each(|server| line("DNS", server));
            }
        }
        addressing.beside.iter().for_each(|beside| line("Address", beside));
        File { path: network_file(name), text: Some(text) }
    });
    let mut files: Vec<File> = networks.collect();
    let ours =
        |path: &&PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PREFIX));
    let left = there.iter().filter(ours).filter(|path| files.iter().all(|file| file.path != **path));
    let left: Vec<File> = left.map(|path| File { path: path.clone(), text: None }).collect();
    files.extend(left);
    // Without the empty line the servers would be added to the system's.
    let servers: Vec<String> = wanted.time_servers.iter().map(ToString::to_string).collect();
    let text = (!servers.is_empty()).then(|| format!("{HEAD}[Time]\nNTP=\nNTP={}\n", servers.join(" ")));
    files.push(File { path: TIME.into(), text });
    files
}

impl File {
    /// Whether systemd-timesyncd reads it, and not systemd-networkd.
    pub fn is_of_time(&self) -> bool {
        self.path == Path::new(TIME)
    }
}

/// The folder of the networks.
pub fn folder() -> &'static Path {
    Path::new(NETWORKS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{Change, Typed};

    #[test]
    fn what_was_changed_is_written_and_what_was_changed_before_goes() {
        let typed = Typed::Static { address: "10.77.0.5/24", gateway: "10.77.0.1", dns: "10.77.0.1" };
        let changes = [
            Change::of_interface("eth0", typed).unwrap().beside("192.168.200.1/24".parse().unwrap()),
            Change::of_interface("eth1", Typed::Dhcp).unwrap(),
            Change::of_time_servers("time.example.org 192.0.2.1").unwrap(),
        ];
        let wanted = changes.iter().fold(Wanted::default(), |wanted, change| wanted.with(change));
        let there = ["10-eth0.network", "05-milepost-eth1.network", "05-milepost-eth9.network"];
        let told = files(&wanted, &there.map(|name| folder().join(name)));
        let text = |index: usize| told[index].text.as_deref().unwrap_or("-").replace(HEAD, "");
        assert_eq!(told.len(), 4);
        assert_eq!(
            text(0),
            "[Match]\nName=eth0\n\n[Network]\nDHCP=no\nAddress=10.77.0.5/24\nGateway=10.77.0.1\nDNS=10.77.0.1\n\
             Address=192.168.200.1/24\n"
        );
        assert_eq!(text(1), "[Match]\nName=eth1\n\n[Network]\nDHCP=yes\n");
        assert!(told[2].path.ends_with("05-milepost-eth9.network") && told[2].text.is_none());
        assert_eq!(text(3), "[Time]\nNTP=\nNTP=time.example.org 192.0.2.1\n");
        assert!(files(&Wanted::default(), &[]).iter().all(|file| file.text.is_none()));
    }
}
