//! The remote health dashboard: what thousands of units say of themselves, on one page.
//!
//! Owns what is known of each unit, who is silent, and the pages that show it. Reads only: it writes no topic, and
//! nothing that it shows can be changed through it. Must not know how a unit judges itself, nor how people sign
//! in: that way in is the console's.
//!
//! ```text
//! broker ─► listening ─► roster (report, link, silence of each unit) ─► pages, changes, metrics ─► console's gate
//! ```
//!
//! [`roster`] decides without I/O; of a report it keeps what is shown, some kilobyte a unit. [`listening`] is the thin
//! task around the broker. A page holds fifty units of however many there are, and asks for what changed in those.

mod board;
mod listening;
mod map;
mod metrics;
mod pages;
mod report;
mod roster;
mod routes;
mod unit;
mod wanted;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::audit::{Audit, AuditError};
use crate::console::certificate::{CertificateError, Identity};
use crate::console::metrics::MetricsToken;
use crate::console::port::Port;
use crate::console::reception::Reception;
use crate::console::{Accounts, AccountsError, OneTimeCode};
use crate::delivery::Broker;
use crate::system::{Clock, RealDisk};
use board::{Board, Department};

/// What a dashboard needs.
pub struct Config {
    pub broker: Broker,
    /// Its name to the broker: its certificate's common name.
    pub name: String,
    /// What stands on top of its pages.
    pub title: String,
    /// Where accounts, certificate and access log are kept.
    pub folder: PathBuf,
    pub listen: SocketAddr,
    /// How long an account stays locked after five refusals.
    pub lock: Duration,
    /// A file with the token that opens `/metrics` without an account.
    pub metrics_token: Option<PathBuf>,
    /// Units of which something is kept; what more there are is counted.
    pub units_max: usize,
}

/// Why the dashboard could not start.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    #[error("the dashboard's folder {path} cannot be made: {source}")]
    Folder { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Accounts(#[from] AccountsError),
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    #[error(transparent)]
    Log(#[from] AuditError),
}

/// A running dashboard.
pub struct Fleet {
    port: Port,
    first_code: Option<OneTimeCode>,
    stop: watch::Sender<bool>,
    listening: JoinHandle<()>,
}

impl Fleet {
    /// Opens accounts, certificate and log, serves, and listens to the broker, each in a task of its own.
    ///
    /// Must be called within a tokio runtime.
    pub fn start(config: Config, clock: Arc<dyn Clock>) -> Result<Self, FleetError> {
        let folder: &Path = &config.folder;
        let made = std::fs::create_dir_all(folder);
        made.map_err(|source| FleetError::Folder { path: folder.into(), source })?;
        let identity = Identity::load_or_make(folder, &config.name, config.listen.ip())?;
        let (accounts, first_code) = Accounts::open(folder, config.lock)?;
        let (audit, _) = Audit::open(&folder.join("log"), Arc::new(RealDisk), clock.clone())?;
        let board = Arc::new(Board::new(config.units_max, clock.clone()));
        let reception = Arc::new(Reception::new(
            Arc::new(Department { title: config.title, board: board.clone(), audit }),
            clock,
            accounts,
            folder,
            identity.fingerprint.clone(),
            MetricsToken::in_file(config.metrics_token),
        ));
        let (stop, stopped) = watch::channel(false);
        let listening = tokio::spawn(listening::listen(config.broker, config.name, board.clone(), stopped));
        let port = Port::open(config.listen, identity, routes::router(&reception, board));
        Ok(Self { port, first_code, stop, listening })
    }

    /// Where it listens; tells the port where 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// SHA-256 of the certificate, to be compared at the first visit.
    pub fn fingerprint(&self) -> &str {
        self.port.fingerprint()
    }

    /// The code that makes the first administrator: there once, until somebody has used it.
    pub fn take_first_code(&mut self) -> Option<OneTimeCode> {
        self.first_code.take()
    }

    /// Lets open answers end, for two seconds, then stops.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        self.port.close().await;
        // Fails only where the task panicked, which the runtime has reported.
        self.listening.await.ok();
    }
}
