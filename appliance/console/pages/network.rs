use std::net::IpAddr;
use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Form, State};
use axum::response::Response;
use serde::Deserialize;

use super::configuration::Decision;
use super::{Frame, clock};
use crate::console::answer::{Failure, page, see};
use crate::console::desk::Desk;
use crate::console::gate::Visit;
use crate::console::unit::{InterfaceView, NetworkView};
use crate::network::{Addressing, By, Change, MalformedChange, Typed};
use crate::system::ClockStatus;
use crate::system::network::{InterfaceKind, TimeService};
use crate::words::PersonName;

#[derive(Template)]
#[template(path = "network.html", config = "appliance/console/askama.toml")]
struct Page {
    frame: Frame,
    network: NetworkView,
}

pub async fn show(
    State(desk): State<Arc<Desk>>,
    Extension(visit): Extension<Visit>,
) -> Result<Response, Failure> {
    let (frame, _) = Frame::new(&desk, visit, "Network").await?;
    let network = desk.ask(|unit| unit.network()).await?;
    page(&Page { frame, network })
}

#[derive(Deserialize)]
pub struct InterfaceForm {
    interface: String,
    addressing: AddressingKind,
    #[serde(default)]
    address: String,
    #[serde(default)]
    gateway: String,
    /// Several stand between spaces or commas.
    #[serde(default)]
    name_servers: String,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
enum AddressingKind {
    System,
    Dhcp,
    Static,
}

impl InterfaceForm {
    fn change(&self) -> Result<Change, MalformedChange> {
        let typed = match self.addressing {
            AddressingKind::System => Typed::System,
            AddressingKind::Dhcp => Typed::Dhcp,
            AddressingKind::Static => {
                Typed::Static { address: &self.address, gateway: &self.gateway, dns: &self.name_servers }
            }
        };
        Change::of_interface(&self.interface, typed)
    }
}

pub async fn change_interface(
    State(desk): State<Arc<Desk>>,
    Extension(visit): Extension<Visit>,
    Form(form): Form<InterfaceForm>,
) -> Result<Response, Failure> {
    propose(&desk, form.change(), visit.person.name).await
}

#[derive(Deserialize)]
pub struct TimeForm {
    /// Several stand between spaces or commas; none: the system's own.
    servers: String,
}

pub async fn change_time_servers(
    State(desk): State<Arc<Desk>>,
    Extension(visit): Extension<Visit>,
    Form(form): Form<TimeForm>,
) -> Result<Response, Failure> {
    propose(&desk, Change::of_time_servers(&form.servers), visit.person.name).await
}

async fn propose(
    desk: &Desk,
    change: Result<Change, MalformedChange>,
    by: PersonName,
) -> Result<Response, Failure> {
    let change = change.map_err(|error| Failure::Refused(format!("{error}.")))?;
    desk.ask(move |unit| unit.try_network(change, &by)).await??;
    Ok(see("/network"))
}

pub async fn decide(
    State(desk): State<Arc<Desk>>,
    Extension(visit): Extension<Visit>,
    Form(form): Form<Decision>,
) -> Result<Response, Failure> {
    desk.ask(move |unit| unit.decide_network(form.keeps(), &visit.person.name)).await??;
    Ok(see("/network"))
}

impl InterfaceView {
    fn kind(&self) -> &'static str {
        match self.facts.kind {
            InterfaceKind::Wired => "Wired",
            InterfaceKind::Wireless => "Wireless",
            InterfaceKind::Mobile => "Mobile network",
            InterfaceKind::Other => "Of another kind",
        }
    }

    fn link(&self) -> String {
        match (self.facts.link, self.facts.speed_mbit) {
            (true, Some(mbit)) => format!("Link, {mbit} Mbit/s"),
            (true, None) => "Link".to_owned(),
            (false, _) => "No link".to_owned(),
        }
    }

    fn by_dhcp(&self) -> bool {
        match &self.changed {
            Some(changed) => changed.by == By::Dhcp,
            None => self.facts.addresses.iter().any(|held| held.by_dhcp),
        }
    }

    /// The address that a form begins with: the one that was given, not the one that was left for the console.
    fn address(&self) -> String {
        let beside = self.changed.as_ref().and_then(|changed| changed.beside);
        let held = self.facts.addresses.iter().map(|held| held.address);
        let mut routable = held.filter(|address| match address {
            ipnet::IpNet::V4(_) => true,
            ipnet::IpNet::V6(v6) => !v6.addr().is_unicast_link_local(),
        });
        routable
            .find(|address| Some(*address) != beside)
            .map(|address| address.to_string())
            .unwrap_or_default()
    }
}

fn listed(addresses: &[IpAddr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

impl NetworkView {
    fn clock(&self) -> (&'static str, &'static str) {
        match self.time.status {
            ClockStatus::Synchronised => ("good", "Synchronised"),
            ClockStatus::Free => ("fair", "Not synchronised"),
            ClockStatus::Unknown => ("fair", "Not known"),
        }
    }

    fn clock_detail(&self) -> String {
        match (self.time.status, self.time.error_ms) {
            (ClockStatus::Synchronised, Some(ms)) => format!("off by {ms:.0} ms at most"),
            (ClockStatus::Synchronised, None) => String::new(),
            (ClockStatus::Free, _) => "records say so".to_owned(),
            (ClockStatus::Unknown, _) => "the system does not tell".to_owned(),
        }
    }

    fn time_service(&self) -> &'static str {
        match self.time.service {
            Some(TimeService::Timesyncd) => "systemd-timesyncd",
            Some(TimeService::Chrony) => "chrony",
            Some(TimeService::Ntpsec) => "NTPsec",
            Some(TimeService::Ntpd) => "ntpd",
            Some(TimeService::OpenNtpd) => "OpenNTPD",
            None => "nobody",
        }
    }

    /// What a form for this interface begins with: the way out brings the name servers.
    fn name_servers_by(&self, interface: &InterfaceView) -> String {
        match &interface.changed {
            Some(Addressing { by: By::Static(given), .. }) => listed(&given.dns),
            _ if interface.facts.gateways.is_empty() => String::new(),
            _ => listed(&self.name_servers),
        }
    }
}
