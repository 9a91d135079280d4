//! Its configuration and network.

use super::*;

impl Setup for Twin {
    fn configuration(&self) -> Configuration {
        Configuration {
            text: Some("[unit]\nid = \"barrel-7\"\n".into()),
            former: Some("[unit]\nid = \"barrel-7\" # before\n".into()),
            trial_until: self.trial_until(),
            clock: "kept by a time service".into(),
            certificate: Ok(certificate()),
        }
    }

    fn trial_until(&self) -> Option<Timestamp> {
        lock(&self.trial).as_ref().map(|_| before(-110))
    }

    fn try_configuration(&self, text: &str, _by: &PersonName) -> Result<String, Refused> {
        if !text.starts_with("[unit]\n") {
            return Err(Refused("Line 1 is no configuration.".into()));
        }
        *lock(&self.trial) = Some(text.to_owned());
        Ok("10.1.1.1:8443".into())
    }

    fn decide_trial(&self, keep: bool, by: &PersonName) -> Result<(), Refused> {
        lock(&self.work).push(format!("{by}: keeps {keep}"));
        lock(&self.trial).take().map(|_| ()).ok_or(Refused("No trial.".into()))
    }

    fn network(&self) -> NetworkView {
        let free = self.clock_free.load(Ordering::Relaxed);
        let trial = lock(&self.network_trial).as_ref().map(ToString::to_string);
        NetworkView {
            interfaces: interfaces(),
            name_servers: vec!["10.20.0.1".parse().unwrap()],
            resolver: true,
            time: TimeFacts {
                status: if free { ClockStatus::Free } else { ClockStatus::Synchronised },
                error_ms: (!free).then_some(14.2),
                service: Some(TimeService::Timesyncd),
                servers: vec!["time.county.example".into(), "10.20.0.1".into()],
                asked: Some("10.20.0.1".into()),
                earliest: None,
            },
            time_changed: false,
            time_fixed: None,
            clock_fixed: (!free).then(|| "A time server keeps this unit's clock.".into()),
            fixed: None,
            trial: trial.map(|what| NetworkTrial { what, until: before(-110) }),
        }
    }

    fn network_trial_until(&self) -> Option<Timestamp> {
        lock(&self.network_trial).as_ref().map(|_| before(-110))
    }

    fn try_network(&self, change: Change, by: &PersonName) -> Result<(), Refused> {
        lock(&self.work).push(format!("{by}: tries {change}"));
        *lock(&self.network_trial) = Some(change);
        Ok(())
    }

    fn decide_network(&self, keep: bool, by: &PersonName) -> Result<(), Refused> {
        lock(&self.work).push(format!("{by}: keeps {keep}"));
        lock(&self.network_trial).take().map(|_| ()).ok_or(Refused("No trial.".into()))
    }

    fn look_at_time(&self, to: Timestamp) -> Result<ClockChange, Refused> {
        if !self.clock_free.load(Ordering::Relaxed) {
            return Err(Refused("A time server keeps this unit's clock.".into()));
        }
        let ended =
            format!("The unit's certificate ended on {}: after that no broker takes it.", before(-86_400));
        let doubts = Vec::from_iter((to > before(-86_400)).then_some(ended));
        Ok(ClockChange { from: NOW, to, doubts, follows: vec!["The hot list state is stale by it.".into()] })
    }

    fn set_time(&self, to: Timestamp, sure: bool, by: &PersonName) -> Result<(), Refused> {
        if let Some(doubt) = self.look_at_time(to)?.doubts.pop().filter(|_| !sure) {
            return Err(Refused(doubt));
        }
        lock(&self.work).push(format!("{by}: sets the clock to {to}"));
        Ok(())
    }
}

pub(super) fn interfaces() -> Vec<InterfaceView> {
    let held = |address: &str, by_dhcp| HostAddress { address: address.parse().unwrap(), by_dhcp };
    let interface = |name: &str, kind, addresses, manager| Interface {
        name: name.to_owned(),
        kind,
        link: true,
        speed_mbit: Some(1000),
        hardware_address: Some("02:00:5e:10:00:2f".into()),
        addresses,
        gateways: Vec::new(),
        manager: Some(manager),
        file: None,
        joined: false,
    };
    let view = |facts, console, broker| InterfaceView { facts, console, broker, changed: None, fixed: None };
    let port = vec![held("192.168.200.1/24", false), held("192.168.77.5/24", false)];
    let port = interface("eth0", InterfaceKind::Wired, port, NetworkManager::Networkd);
    let trunk = vec![held("10.20.0.47/16", true), held("fe80::5eff:fe10:2f/64", false)];
    let trunk = interface("eth1", InterfaceKind::Wired, trunk, NetworkManager::Networkd);
    let mobile = interface("wwan0", InterfaceKind::Mobile, Vec::new(), NetworkManager::NetworkManager);
    vec![
        InterfaceView {
            changed: Some(Addressing { by: By::Dhcp, beside: Some("192.168.200.1/24".parse().unwrap()) }),
            ..view(port, true, false)
        },
        view(Interface { gateways: vec!["10.20.0.1".parse().unwrap()], ..trunk }, false, true),
        InterfaceView {
            fixed: Some("NetworkManager looks after it: change it there.".into()),
            ..view(Interface { link: false, speed_mbit: None, ..mobile }, false, false)
        },
    ]
}
