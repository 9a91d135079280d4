//! One listening port with TLS: bound when its address is there, closed in peace.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use axum::Router;
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::{error, info, warn};

use super::certificate::Identity;

/// The address may not be there yet: its interface comes up when a technician plugs in.
const RETRY_MIN: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(15);

/// A port while it is open.
pub struct Port {
    address: SocketAddr,
    fingerprint: String,
    handle: Handle<SocketAddr>,
    stop: watch::Sender<bool>,
    server: JoinHandle<()>,
    /// Whatever keeps the certificate once the disk takes it.
    keeping: Option<JoinHandle<()>>,
}

impl Port {
    /// Serves from a task of its own; must be called within a tokio runtime.
    pub fn open(listen: SocketAddr, identity: Identity, router: Router) -> Self {
        let Identity { tls, fingerprint, unwritten } = identity;
        let keeping = unwritten.map(|certificate| tokio::spawn(certificate.keep_trying()));
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let handle = Handle::new();
        let (stop, mut stopped) = watch::channel(false);
        let first = bind(listen, &fingerprint);
        let address = first.as_ref().map_or(listen, |(_, address)| *address);
        let (serving, told) = (handle.clone(), fingerprint.clone());
        let server = tokio::spawn(async move {
            let listener = tokio::select! {
                listener = until_bound(first, listen, &told) => listener,
                _ = stopped.wait_for(|stop| *stop) => return,
            };
            let served = match axum_server::from_tcp_rustls(listener, RustlsConfig::from_config(tls)) {
                Ok(server) => server.handle(serving).serve(service).await,
                Err(error) => Err(error),
            };
            if let Err(error) = served {
                error!(%error, "the console stopped");
            }
        });
        Self { address, fingerprint, handle, stop, server, keeping }
    }

    /// Where it listens; tells the port where 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// SHA-256 of the certificate.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Lets open answers end, for two seconds, then closes.
    pub async fn close(self) {
        self.stop.send_replace(true);
        if let Some(keeping) = self.keeping {
            keeping.abort();
        }
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
