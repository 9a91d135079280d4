//! The local port: sign-in, pages, and the live view for aiming.
//!
//! Owns accounts, sessions and everything HTTP. Must not know how any room works: it asks the unit through
//! [`Unit`], and tells it of every access. HTTPS only, TLS 1.3 only, on one address only.
//!
//! A request goes through one [gate] by the rule of its row in one [table](routes::table). Pages are rendered
//! here and work without a script; the script adds what is live.
//!
//! The way in (accounts, sessions, throttle, gate, certificate, the frame around pages) knows no unit, but a
//! [place](reception::Place): the department's dashboard stands behind the same one.

mod accounts;
mod admission;
pub(crate) mod answer;
pub(crate) mod api;
pub(crate) mod certificate;
mod desk;
pub(crate) mod gate;
pub(crate) mod label;
mod live;
pub(crate) mod logbook;
mod looks;
pub(crate) mod metrics;
pub(crate) mod pages;
pub(crate) mod port;
pub(crate) mod reception;
pub(crate) mod routes;
mod sessions;
mod throttle;
mod unit;

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tracing::warn;

use crate::system::Clock;
use certificate::Identity;
use desk::{Desk, Roadside};
use metrics::MetricsToken;
use port::Port;
use reception::Reception;

pub use accounts::{
    Accounts, AccountsError, AccountsFound, FAILURES_MAX, GivenSecret, Member, OneTimeCode, OpenedAccounts,
    Past, Recovery, RecoveryError, Role, Roster, RosterChange, RosterTaken, RosterView,
};
pub use admission::Admission;
pub use certificate::CertificateError;
pub use routes::{Allowed, Kind, Route, Rule, table as routes};
pub use unit::{
    Access, Act, AimPicture, AimView, Aiming, AlertView, Alerting, Attempt, AttemptState, AuditEntry,
    AuditFilter, BundleSent, BundleView, ByWhom, CameraView, CertificateView, Certificates, ClockChange,
    Configuration, Counted, Deployed, Deployment, Drawn, EntryRequest, FieldChange, Identifying,
    InterfaceView, Link, Listing, Lists, ListsChecked, LivePicture, Logging, ManualView, NetworkTrial,
    NetworkView, Overview, PictureKind, PlateInPicture, Purge, Records, ReferenceView, Refused, RequestView,
    Service, ServiceChange, ServiceState, Setup, Stock, StoredAlert, Storing, Subject, Unit, Upkeep, Verdict,
    Verification, Verified, Work,
};

/// `[console]` in `milepost.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Address and port of the configuration port. Default `127.0.0.1:8443`, which only the unit itself
    /// reaches; set it to the address of the interface that technicians plug into.
    pub listen: ListenAddress,
    /// Minutes for which an account is locked after five refusals in a row, unless an administrator releases
    /// it. Default 30; longer where many people come near the port.
    pub lock_min: NonZeroU32,
    /// A file with the token that a monitoring system shows at `/metrics` (`Authorization: Bearer ...`), at least 20
    /// characters. A name without a folder is first looked for among the service's systemd credentials. Default
    /// none: then only who is signed in sees them.
    pub metrics_token: MetricsToken,
    /// Seconds within which somebody must keep a configuration or a change of the network that is on trial, or the unit
    /// returns to the old one. Default 120.
    pub confirm_s: NonZeroU32,
}

impl Config {
    /// How long an account stays locked.
    pub fn lock(&self) -> Duration {
        Duration::from_secs(60 * u64::from(self.lock_min.get()))
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: ListenAddress(SocketAddr::from(([127, 0, 0, 1], 8443))),
            lock_min: NonZeroU32::new(30).expect("30 is not zero"),
            metrics_token: MetricsToken::default(),
            confirm_s: NonZeroU32::new(120).expect("120 is not zero"),
        }
    }
}

/// One address of one interface: never all of them, or the console would answer on the mobile network too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct ListenAddress(SocketAddr);

impl ListenAddress {
    pub fn socket(self) -> SocketAddr {
        self.0
    }
}

impl TryFrom<String> for ListenAddress {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let wrong = |_| format!("{text:?} is not an address with a port, such as 192.168.200.1:8443");
        let address: SocketAddr = text.parse().map_err(wrong)?;
        if address.ip().is_unspecified() {
            let ip: IpAddr = address.ip();
            return Err(format!(
                "{ip} would open the console on every network: give the address of the configuration port"
            ));
        }
        Ok(Self(address))
    }
}

/// Where a unit with this state folder keeps its accounts and the console's certificate.
pub fn folder(state_dir: &Path) -> PathBuf {
    state_dir.join("console")
}

/// The console while it runs.
pub struct Console {
    port: Port,
    first_code: Option<OneTimeCode>,
    admission: Admission,
}

impl Console {
    /// Opens the certificate in `folder` (made if need be) and serves from a task of its own, for people who come in by these
    /// accounts, which lie in the same folder, or with this code. Fails only without a certificate; the unit reads on without
    /// its console.
    ///
    /// Must be called within a tokio runtime.
    pub fn start(
        config: &Config,
        folder: &Path,
        (accounts, first_code): (Accounts, Option<OneTimeCode>),
        unit: Arc<dyn Unit>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, CertificateError> {
        // On a full disk what is kept in it is not kept; who does the keeping says so.
        std::fs::create_dir_all(folder).unwrap_or_else(|error| warn!(%error, "the console has no folder"));
        let listen = config.listen.socket();
        let name = unit.name();
        let identity = Identity::load_or_make(folder, name.as_str(), listen.ip())?;
        let reception = Arc::new(Reception::new(
            Arc::new(Roadside(unit.clone())),
            clock,
            accounts,
            folder,
            identity.fingerprint.clone(),
            config.metrics_token.clone(),
        ));
        let admission = Admission::new(reception.clone());
        let desk = Arc::new(Desk::new(unit, reception.clone()));
        let port = Port::open(listen, identity, routes::router(routes::table(), &reception, desk));
        match &first_code {
            Some(code) => {
                label::write(folder, name.as_str(), &port.address().to_string(), port.fingerprint(), code)
            }
            None => label::remove(folder),
        }
        Ok(Self { port, first_code, admission })
    }

    /// Where it listens; tells the port where the configuration said 0.
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// SHA-256 of the certificate, to be compared at the first visit.
    pub fn fingerprint(&self) -> &str {
        self.port.fingerprint()
    }

    /// The code that makes the first administrator: there once, at first boot, to be printed and forgotten.
    pub fn take_first_code(&mut self) -> Option<OneTimeCode> {
        self.first_code.take()
    }

    /// For whoever hears from the department who may sign in.
    pub fn admission(&self) -> Admission {
        self.admission.clone()
    }

    /// Lets open answers end, for two seconds, then stops.
    pub async fn stop(self) {
        self.port.close().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_console_listens_on_one_address_only() {
        let config: Config = toml::from_str("listen = \"192.168.200.1:8443\"").unwrap();
        assert_eq!(config.listen.socket().port(), 8443);
        for (toml, says) in [
            ("listen = \"0.0.0.0:8443\"", "every network"),
            ("listen = \"[::]:8443\"", "every network"),
            ("listen = \"8443\"", "not an address"),
            ("lock_min = 0", "nonzero"),
            ("colour = \"red\"", "unknown field"),
        ] {
            let error = toml::from_str::<Config>(toml).unwrap_err().to_string();
            assert!(error.contains(says), "{toml}: {error}");
        }
    }
}
