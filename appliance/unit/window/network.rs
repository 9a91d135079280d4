//! Network and time as they are changed at the console: asked of root, watched while on trial, written down.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::audit::{Audit, Event, Who};
use crate::console::{self, InterfaceView, NetworkTrial, NetworkView, Refused};
use crate::delivery::Broker;
use crate::network::{Ask, Change, End, OnTrial, Request, check, check_clock_free};
use crate::system::network::{
    Interface, NetworkFacts, NetworkManager, TimeFacts, TimeService, network_facts, source_towards,
    time_facts, uptime,
};
use crate::system::write_durably;
use crate::unit::errand::{Errands, status};
use crate::words::{PersonName, RecordId, sentence};

/// How often the end of a trial is looked for.
const WATCH: Duration = Duration::from_millis(500);

/// The change that is on trial, remembered beside what the unit stores, so that its end is written down also by a unit that was
/// not there.
const REMEMBERED: &str = "network-trial.json";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Remembered {
    trial: RecordId,
    what: String,
}

/// The unit's network, which root changes on request.
pub struct Network {
    errands: Errands,
    /// The console's own address, which nobody may take from it.
    console: IpAddr,
    /// Host and port.
    broker: (String, u16),
    confirm_s: u64,
    remembered: PathBuf,
    audit: Arc<Audit>,
}

impl Network {
    pub fn new(console: &console::Config, broker: &Broker, state_dir: &Path, audit: Arc<Audit>) -> Self {
        Self {
            errands: Errands::new(),
            console: console.listen.socket().ip(),
            broker: (broker.host.clone(), broker.port.get()),
            confirm_s: console.confirm_s.get().into(),
            remembered: state_dir.join(REMEMBERED),
            audit,
        }
    }

    /// Writes down how trials end that nobody decided.
    pub fn watch(self: &Arc<Self>, stop: Arc<AtomicBool>) -> std::io::Result<JoinHandle<()>> {
        let network = self.clone();
        let work = move || {
            while !stop.load(Ordering::Relaxed) {
                network.see_end();
                std::thread::sleep(WATCH);
            }
        };
        std::thread::Builder::new().name("network".into()).spawn(work)
    }

    /// The way to the broker is told while it is connected: only then is its name sure to be found quickly.
    pub fn view(&self, connected: bool, now: Timestamp) -> NetworkView {
        let broker = connected.then(|| source_towards(&self.broker.0, self.broker.1)).flatten();
        let NetworkFacts { interfaces, name_servers, resolver } = network_facts();
        let (time, status) = (time_facts(), status());
        let kept = status.as_ref().map(|status| status.kept.clone()).unwrap_or_default();
        let interfaces = interfaces.into_iter().map(|facts| InterfaceView {
            console: facts.has(self.console).is_some(),
            broker: broker.is_some_and(|broker| facts.has(broker).is_some()),
            changed: kept
                .interface
                .iter()
                .find(|(name, _)| name.as_str() == facts.name)
                .map(|(_, how)| how.clone()),
            fixed: why_fixed(&facts),
            facts,
        });
        NetworkView {
            interfaces: interfaces.collect(),
            name_servers,
            resolver,
            time_fixed: why_time_fixed(&time),
            clock_fixed: check_clock_free(&time).err().map(sentence),
            time,
            time_changed: !kept.time_servers.is_empty(),
            fixed: self.errands.none(),
            trial: status.and_then(|status| status.trial).map(|trial| seen(&trial, now)),
        }
    }

    /// When the trial ends by itself; None where nothing is on trial.
    pub fn until(&self, now: Timestamp) -> Option<Timestamp> {
        status()?.trial.map(|trial| seen(&trial, now).until)
    }

    pub fn propose(&self, change: Change, by: &PersonName) -> Result<(), Refused> {
        let (facts, time) = (network_facts(), time_facts());
        let interface = |change: &Change| match change {
            Change::Interface { name, .. } => {
                facts.interfaces.iter().find(|facts| facts.name == name.as_str()).cloned()
            }
            Change::TimeServers { .. } => None,
        };
        let interface = interface(&change);
        let console = interface.as_ref().and_then(|interface| interface.has(self.console));
        let change = match console {
            Some(console) => change.beside(console),
            None => change,
        };
        check(&change, &facts, &time).map_err(|objection| Refused(sentence(objection)))?;
        let before = interface.as_ref().map_or_else(|| time.servers.join(" "), standing);
        let what = format!("{change} (before: {before})");
        let asking = self.errands.asking();
        let trial = RecordId::new();
        self.remember(&Remembered { trial, what: what.clone() })?;
        let asked = self
            .errands
            .ask(&asking, Request { id: trial, ask: Ask::Try { change, confirm_s: self.confirm_s } });
        if asked.is_err() {
            self.forget();
        }
        asked?;
        self.note(Who::Person(by.clone()), format!("tries another network, {what}"));
        Ok(())
    }

    pub fn decide(&self, keep: bool, by: &PersonName) -> Result<(), Refused> {
        let trial = status().and_then(|status| status.trial);
        let trial = trial.ok_or_else(|| Refused("No change of the network is on trial.".to_owned()))?;
        let (id, what) = (trial.id, trial.change);
        let ask = if keep { Ask::Keep { trial: id } } else { Ask::Leave { trial: id } };
        self.errands.ask(&self.errands.asking(), Request { id: RecordId::new(), ask })?;
        let verb = if keep { "keeps the network as changed" } else { "takes back the change of the network" };
        self.note(Who::Person(by.clone()), format!("{verb}, {what}"));
        Ok(())
    }

    pub fn errands(&self) -> &Errands {
        &self.errands
    }

    /// Writes down the end of the trial that is remembered, once it has come.
    fn see_end(&self) {
        // What is being asked has no answer yet.
        let Some(_asking) = self.errands.try_asking() else { return };
        let Some(remembered) = self.remembered() else { return };
        let status = status().unwrap_or_default();
        if status.trial.is_some_and(|trial| trial.id == remembered.trial) {
            return;
        }
        let ended = status.ended.filter(|ended| ended.trial == remembered.trial).map(|ended| ended.how);
        let why = match ended {
            // By a person, who is named where that was decided.
            Some(End::Kept | End::Left) => None,
            Some(End::NobodyKept) => Some("nobody kept it"),
            Some(End::Unwatched) => Some("milepost-network.service ended"),
            None => Some("the machine was started anew"),
        };
        if let Some(why) = why {
            self.note(
                Who::Unit,
                format!("takes back the change of the network, since {why}: {}", remembered.what),
            );
        }
        self.forget();
    }

    fn remembered(&self) -> Option<Remembered> {
        serde_json::from_slice(&fs::read(&self.remembered).ok()?).ok()
    }

    fn remember(&self, trial: &Remembered) -> Result<(), Refused> {
        let json = serde_json::to_vec(trial).expect("a trial is plain data");
        write_durably(&self.remembered, &json)
            .map_err(|error| Refused(format!("The change could not be written down: {error}.")))
    }

    fn forget(&self) {
        if let Err(error) = fs::remove_file(&self.remembered) {
            warn!(%error, "a trial of the network that is over is still remembered");
        }
    }

    fn note(&self, who: Who, what: String) {
        self.audit.note(who, Event::ConfigurationChanged { what });
    }
}

fn seen(trial: &OnTrial, now: Timestamp) -> NetworkTrial {
    let left = Duration::from_secs(trial.until_uptime_s).saturating_sub(uptime());
    NetworkTrial { what: trial.change.to_string(), until: now.saturating_add(left).unwrap_or(Timestamp::MAX) }
}

/// What an interface has, as the log says it.
fn standing(interface: &Interface) -> String {
    let address = |held: &crate::system::network::HostAddress| {
        if held.by_dhcp { format!("{} by DHCP", held.address) } else { held.address.to_string() }
    };
    let addresses = interface.addresses.iter().map(address);
    let gateways = interface.gateways.iter().map(|gateway| format!("gateway {gateway}"));
    let words: Vec<String> = addresses.chain(gateways).collect();
    if words.is_empty() { "no address".to_owned() } else { words.join(", ") }
}

fn why_fixed(interface: &Interface) -> Option<String> {
    let why = match interface.manager {
        _ if interface.joined => {
            "It carries VLANs or is part of a bridge or bond: change it where that is set up."
        }
        Some(NetworkManager::Networkd) => return None,
        Some(NetworkManager::NetworkManager) => {
            "NetworkManager looks after it: change it there, with nmtui or nmcli, as root on the unit."
        }
        Some(NetworkManager::Ifupdown) => {
            "ifupdown looks after it: change it in /etc/network/interfaces, as root on the unit."
        }
        Some(NetworkManager::ConnMan) => {
            "ConnMan looks after it: change it there, with connmanctl, as root on the unit."
        }
        None => "Nothing that Milepost can change looks after it: change it as root on the unit.",
    };
    Some(why.to_owned())
}

fn why_time_fixed(time: &TimeFacts) -> Option<String> {
    let why = match time.service {
        Some(TimeService::Timesyncd) => return None,
        Some(TimeService::Chrony) => {
            "chrony keeps the clock: its servers are named in its own configuration under /etc, as root on the unit."
        }
        Some(TimeService::Ntpsec | TimeService::Ntpd | TimeService::OpenNtpd) => {
            "An NTP service of its own keeps the clock: its servers are named in its configuration under /etc, as root on the unit."
        }
        None => "No time service that Milepost knows runs on this unit: without one its clock drifts.",
    };
    Some(why.to_owned())
}
