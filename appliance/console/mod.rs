//! The local port: sign-in, pages, and the live view for aiming.
//!
//! Owns accounts, sessions and everything HTTP. Must not know how any room works: it asks the unit through
//! [`Unit`], and tells it of every access. HTTPS only, TLS 1.3 only, on one address only.
//!
//! A request goes through one [gate] by the rule of its row in one [table](routes::table). Pages are rendered
//! here and work without a script; the script adds what is live.

mod accounts;
mod answer;
mod api;
mod certificate;
mod desk;
mod gate;
mod label;
mod live;
mod looks;
mod metrics;
mod pages;
mod routes;
mod sessions;
mod throttle;
mod unit;

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use serde::Deserialize;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::{error, info, warn};

use crate::system::Clock;
use certificate::Identity;
use desk::Desk;
use metrics::MetricsToken;

pub use accounts::{Accounts, AccountsError, FAILURES_MAX, OneTimeCode, Role};
pub use certificate::CertificateError;
pub use routes::{Allowed, Kind, Route, Rule, table as routes};
pub use unit::{
    Access, Act, AimPicture, AimView, AlertView, AuditEntry, AuditFilter, CameraView, CertificateView,
    Configuration, Counted, Deployed, Deployment, EntryRequest, Link, Lists, ListsChecked, LivePicture,
    ManualView, Overview, PictureKind, PlateInPicture, Purge, Records, ReferenceView, Refused, Service,
    ServiceChange, ServiceState, Stock, StoredAlert, Subject, Unit, Verdict, Verification, Verified, Work,
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
    /// Seconds within which somebody must keep a configuration that is on trial, or the unit returns to the old one.
    /// Default 120.
    pub confirm_s: NonZeroU32,
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

/// Why the console does not run. The unit reads on without it.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    #[error("the console's folder {path} cannot be made: {source}")]
    Folder { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Accounts(#[from] AccountsError),
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

/// The console while it runs.
pub struct Console {
    address: SocketAddr,
    fingerprint: String,
    first_code: Option<OneTimeCode>,
    handle: Handle<SocketAddr>,
    stop: watch::Sender<bool>,
    server: JoinHandle<()>,
}

/// The address may not be there yet: its interface comes up when a technician plugs in.
const RETRY_MIN: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(15);

impl Console {
    /// Opens accounts and certificate in `folder` (made if need be) and serves from a task of its own.
    ///
    /// Must be called within a tokio runtime.
    pub fn start(
        config: &Config,
        folder: &Path,
        unit: Arc<dyn Unit>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ConsoleError> {
        let made = std::fs::create_dir_all(folder);
        made.map_err(|source| ConsoleError::Folder { path: folder.into(), source })?;
        let listen = config.listen.socket();
        let identity = Identity::load_or_make(folder, &unit.name(), listen.ip())?;
        let lock = Duration::from_secs(60 * u64::from(config.lock_min.get()));
        let (accounts, first_code) = Accounts::open(folder, lock)?;

        let tls = RustlsConfig::from_config(identity.tls);
        let handle = Handle::new();
        let name = unit.name();
        let desk = Arc::new(Desk::new(
            unit,
            clock,
            accounts,
            folder,
            identity.fingerprint.clone(),
            config.metrics_token.clone(),
        ));
        let service = routes::router(desk).into_make_service_with_connect_info::<SocketAddr>();
        let (stop, mut stopped) = watch::channel(false);
        let first = bind(listen, &identity.fingerprint);
        let address = first.as_ref().map_or(listen, |(_, address)| *address);
        match &first_code {
            Some(code) => label::write(folder, &name, &address.to_string(), &identity.fingerprint, code),
            None => label::remove(folder),
        }
        let fingerprint = identity.fingerprint.clone();
        let serving = handle.clone();
        let server = tokio::spawn(async move {
            let listener = tokio::select! {
                listener = until_bound(first, listen, &fingerprint) => listener,
                _ = stopped.wait_for(|stop| *stop) => return,
            };
            let served = match axum_server::from_tcp_rustls(listener, tls) {
                Ok(server) => server.handle(serving).serve(service).await,
                Err(error) => Err(error),
            };
            if let Err(error) = served {
                error!(%error, "the console stopped");
            }
        });
        Ok(Self { address, fingerprint: identity.fingerprint, first_code, handle, stop, server })
    }

    /// Where it listens; tells the port where the configuration said 0.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// SHA-256 of the certificate, to be compared at the first visit.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The code that makes the first administrator: there once, at first boot, to be printed and forgotten.
    pub fn take_first_code(&mut self) -> Option<OneTimeCode> {
        self.first_code.take()
    }

    /// Lets open answers end, for two seconds, then stops.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        self.handle.graceful_shutdown(Some(Duration::from_secs(2)));
        // Fails only where the server's task panicked, which the runtime has reported.
        self.server.await.ok();
    }
}

/// Listens, or says once why it cannot.
fn bind(listen: SocketAddr, fingerprint: &str) -> Option<(TcpListener, SocketAddr)> {
    match try_bind(listen) {
        Ok((listener, address)) => {
            info!(%address, fingerprint, "the console listens");
            Some((listener, address))
        }
        Err(error) => {
            warn!(address = %listen, %error, "the console cannot listen there yet; it is tried again and again");
            None
        }
    }
}

fn try_bind(listen: SocketAddr) -> std::io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(listen)?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

async fn until_bound(
    first: Option<(TcpListener, SocketAddr)>,
    listen: SocketAddr,
    fingerprint: &str,
) -> TcpListener {
    if let Some((listener, _)) = first {
        return listener;
    }
    let mut rest = RETRY_MIN;
    loop {
        tokio::time::sleep(rest).await;
        rest = (rest * 2).min(RETRY_MAX);
        if let Ok((listener, address)) = try_bind(listen) {
            info!(%address, fingerprint, "the console listens");
            return listener;
        }
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
