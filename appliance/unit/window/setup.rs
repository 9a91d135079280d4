//! Configuration and network, which are tried before they are kept; and the clock.

use std::sync::Arc;

use jiff::Timestamp;

use super::Window;
use super::settings::Settings;
use crate::audit::{Event, Who};
use crate::console::{CertificateView, ClockChange, Configuration, NetworkView, Refused, Setup};
use crate::crypto::Digest;
use crate::delivery::tls::Credentials;
use crate::network::Change;
use crate::system::{ClockStatus, clock_status};
use crate::words::{PersonName, sentence};

impl Setup for Window {
    fn configuration(&self) -> Configuration {
        let facts = self.renewal.in_use.identity().and_then(|identity| identity.certificate.facts());
        let clock = match clock_status() {
            ClockStatus::Synchronised => "kept by a time service",
            ClockStatus::Free => "no time service keeps it: records say so",
            ClockStatus::Unknown => "the system does not tell whether it is kept",
        };
        Configuration {
            text: self.settings.as_ref().map(|settings| settings.text().to_owned()),
            former: self.settings.as_ref().and_then(|settings| settings.former()).map(str::to_owned),
            trial_until: self.trial_until(),
            clock: clock.to_owned(),
            certificate: facts.map(CertificateView::from).map_err(sentence),
        }
    }

    fn trial_until(&self) -> Option<Timestamp> {
        self.settings.as_ref()?.until(self.clock.now().wall)
    }

    fn try_configuration(&self, text: &str, by: &PersonName) -> Result<String, Refused> {
        if self.network_trial_until().is_some() {
            return Err(Refused("Keep or take back the network that is on trial first.".to_owned()));
        }
        let address = self.settings()?.propose(text)?;
        let digest = Digest::of(text.as_bytes());
        let what = format!("tries another configuration (SHA-256 {digest})");
        self.audit.note(Who::Person(by.clone()), Event::ConfigurationChanged { what });
        Ok(address)
    }

    fn decide_trial(&self, keep: bool, by: &PersonName) -> Result<(), Refused> {
        let settings = self.settings()?;
        let what = if keep { "keeps the configuration" } else { "returns to the old configuration" };
        if keep {
            settings.keep()?
        } else {
            settings.leave()?
        }
        self.audit.note(Who::Person(by.clone()), Event::ConfigurationChanged { what: what.to_owned() });
        Ok(())
    }

    fn network(&self) -> NetworkView {
        self.network.view(self.broker_link().up, self.clock.now().wall)
    }

    fn network_trial_until(&self) -> Option<Timestamp> {
        self.network.until(self.clock.now().wall)
    }

    fn try_network(&self, change: Change, by: &PersonName) -> Result<(), Refused> {
        if self.trial_until().is_some() {
            return Err(Refused("Keep or leave the configuration that is on trial first.".to_owned()));
        }
        self.network.propose(change, by)
    }

    fn decide_network(&self, keep: bool, by: &PersonName) -> Result<(), Refused> {
        self.network.decide(keep, by)
    }

    fn look_at_time(&self, to: Timestamp) -> Result<ClockChange, Refused> {
        Window::look_at_time(self, to)
    }

    fn set_time(&self, to: Timestamp, sure: bool, by: &PersonName) -> Result<(), Refused> {
        Window::set_time(self, to, sure, by)
    }
}

impl Window {
    pub(super) fn settings(&self) -> Result<&Arc<Settings>, Refused> {
        let none = || Refused("This unit was not started from a file that can be changed here.".to_owned());
        self.settings.as_ref().ok_or_else(none)
    }
}
