//! A unit before it is one: the local port of a box without identity and configuration, which offers to enrol it, to set its
//! clock where no server keeps that, and nothing else.
//!
//! Owns what is asked and shown there, and the judging of what people hand in. Has no camera, list, record or broker, so nothing
//! here can pretend to be in service. Accounts, log and the port's certificate are those that the unit goes on with.
//!
//! ```text
//! person ─► what is handed in ─► judged, shown, taken ─► laid down sealed ─► installed by who may ─► the program starts as a unit
//! ```
//!
//! The files that make a unit are root's, so under systemd this ends the program, and milepost-enrolment.service installs what
//! was handed in before the next one starts. Elsewhere the program installs it by itself.

mod newcomer;
mod own;
mod pages;
mod plan;
mod routes;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use tokio::sync::watch;
use tracing::warn;

use crate::audit::{Audit, AuditError, Event, Who};
use crate::config::{self, ConfigError};
use crate::console::certificate::{CertificateError, Identity};
use crate::console::metrics::MetricsToken;
use crate::console::port::Port;
use crate::console::reception::Reception;
use crate::console::{self, OneTimeCode, label};
use crate::enroll::Enrolment;
use crate::system::{Clock, RealDisk};
use crate::unit::saved::{Saved, SavedError};
use crate::unit::{integrity, opening};
use newcomer::Newcomer;

pub use own::{Own, OwnError};
pub use routes::table as routes;

/// `unenrolled.toml`: what a unit goes by until it has a configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    #[serde(default)]
    pub unit: Unit,
    #[serde(default)]
    pub console: console::Config,
}

/// Section `[unit]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Unit {
    /// Where accounts and log are kept, before and after. Default `/var/lib/milepost`.
    pub state_dir: PathBuf,
}

impl Default for Unit {
    fn default() -> Self {
        Self { state_dir: PathBuf::from("/var/lib/milepost") }
    }
}

impl Config {
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(file)
            .map_err(|source| ConfigError::Read { file: file.to_owned(), source })?;
        Ok(config::parse(&text, file)?)
    }
}

/// Why there is no console to enrol the unit at.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the state directory {path} cannot be made: {source}")]
    StateDir { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Saved(#[from] SavedError),
    #[error(transparent)]
    Audit(#[from] AuditError),
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    #[error("the accounts cannot be read, so nobody could sign in")]
    Accounts,
}

/// The console of a unit that is not enrolled, while it runs.
pub struct Unenrolled {
    port: Port,
    first_code: Option<OneTimeCode>,
    handed_in: watch::Receiver<bool>,
    audit: Arc<Audit>,
}

impl Unenrolled {
    /// Must be called within a tokio runtime.
    pub fn start(config: &Config, own: Own, clock: Arc<dyn Clock>) -> Result<Self, StartError> {
        let state_dir = config.unit.state_dir.as_path();
        crate::unit::make_private(state_dir)
            .map_err(|source| StartError::StateDir { path: state_dir.into(), source })?;
        let saved = Saved::new(state_dir, &own.seal);
        let (audit, found_log) = Audit::open(&state_dir.join("audit"), Arc::new(RealDisk), clock.clone())?;
        let audit = Arc::new(audit);
        let (ran_before, now) = (found_log.entries > 0, clock.now().wall);
        let (lock, console) = (config.console.lock(), console::folder(state_dir));
        let (accounts, _) = integrity::accounts(&saved, &own.seal, lock, ran_before, &audit, now);
        let (accounts, first_code) = accounts.ok_or(StartError::Accounts)?;
        // What it finds damaged, the unit finds as well, and is out of service for it.
        integrity::service(&saved, ran_before)?;
        opening::begin(&audit, &saved, None);

        let listen = config.console.listen.socket();
        let identity = Identity::load_or_make(&console, "milepost", listen.ip())?;
        let (told, handed_in) = watch::channel(false);
        let newcomer = Arc::new(Newcomer::new(own, state_dir, listen, audit.clone(), clock.clone(), told));
        let reception = Arc::new(Reception::new(
            newcomer.clone(),
            clock,
            accounts,
            &console,
            identity.fingerprint.clone(),
            MetricsToken::default(),
        ));
        let port = Port::open(listen, identity, routes::router(&reception, newcomer));
        match &first_code {
            Some(code) => {
                label::write(&console, newcomer::NAME, &port.address().to_string(), port.fingerprint(), code)
            }
            None => label::remove(&console),
        }
        Ok(Self { port, first_code, handed_in, audit })
    }

    /// Where it listens; tells the port where the configuration said 0.
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// The code that makes the first administrator, once.
    pub fn take_first_code(&mut self) -> Option<OneTimeCode> {
        self.first_code.take()
    }

    /// Waits until something lies there to be installed.
    pub async fn handed_in(&mut self) {
        // Fails only where the sender is gone, which lives as long as the port.
        self.handed_in.wait_for(|handed_in| *handed_in).await.ok();
    }

    /// Lets open answers end, for two seconds, then stops.
    pub async fn stop(self) {
        self.port.close().await;
        self.audit.note(Who::Unit, Event::Stopped);
    }
}

/// Forgets what was handed in before the unit was enrolled: it has been installed.
pub fn forget(state_dir: &Path) {
    if let Err(error) = Enrolment::forget(state_dir) {
        warn!(%error, "what was handed in to enrol the unit is still laid down");
    }
}
