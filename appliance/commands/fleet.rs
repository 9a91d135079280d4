//! `milepost fleet`: the remote health dashboard.

use std::net::SocketAddr;
use std::num::{NonZeroU16, NonZeroU32};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Args;

use crate::delivery::Broker;
use crate::delivery::tls::{self, CertificateFacts};
use crate::fleet::{Config, Fleet};
use crate::system::SystemClock;

/// Watch over thousands of units: state, reasons, lists, backlog, certificates, on one page (for the department)
///
/// Hears the health reports and connections of all units at the broker and shows them on an HTTPS port: counts by
/// state, the worst first, a map, and one page for each unit. A unit that is silent for longer than its interval says so.
/// It only reads: nothing can be changed through it. Prometheus finds the fleet at /metrics, and series of each unit
/// at /metrics/units.
///
/// The first start prints a one-time code that makes the first administrator, who invites the others. Who looked at
/// which unit is kept in a hash-chained log: cat fleet/log/*.jsonl | milepost audit verify -
///
/// A unit that was retired goes when what the broker keeps of it is cleared, by whoever may write there:
/// mosquitto_pub -r -n -t milepost/v1/units/NAME/status, and the same for /health.
#[derive(Debug, Args)]
pub struct FleetArgs {
    /// Host name of the broker, as it stands in its certificate.
    #[arg(long, default_value = "localhost")]
    host: String,
    /// Port of the broker.
    #[arg(long, default_value_t = Broker::default().port)]
    port: NonZeroU16,
    /// PEM file of the authority that signed the broker's certificate.
    #[arg(long, default_value = "authority.pem")]
    authority: PathBuf,
    /// PEM file of the dashboard's certificate; its common name, "dashboard" in the example, is whom the broker's access
    /// list lets read.
    #[arg(long, default_value = "dashboard.pem")]
    certificate: PathBuf,
    /// PEM file of the private key to it.
    #[arg(long, default_value = "dashboard.key")]
    key: PathBuf,
    /// Address and port of the pages. Give the address of one interface, or 0.0.0.0:8444 for all.
    #[arg(long, default_value = "127.0.0.1:8444")]
    listen: SocketAddr,
    /// Where accounts, access log and the pages' certificate are kept. The certificate is made at the first start; to show
    /// your own, put certificate and key into certificate.pem there.
    #[arg(long, default_value = "fleet")]
    folder: PathBuf,
    /// What stands on top of the pages.
    #[arg(long, default_value = "Fleet")]
    name: String,
    /// A file with the token, at least 20 characters, that opens /metrics to Prometheus (Authorization: Bearer ...).
    /// Without it only who is signed in sees the metrics.
    #[arg(long)]
    metrics_token: Option<PathBuf>,
    /// Minutes for which an account is locked after five refusals in a row.
    #[arg(long, default_value = "30")]
    lock_min: NonZeroU32,
    /// Units of which something is kept, about 2 kB each; of more the page says so.
    #[arg(long, default_value = "20000")]
    units_max: NonZeroU32,
}

pub fn run(args: FleetArgs) -> anyhow::Result<()> {
    crate::system::give_back_freed_memory();
    crate::system::log::start("info");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(watch(args))
}

async fn watch(args: FleetArgs) -> anyhow::Result<()> {
    let facts = CertificateFacts::load(&tls::locate(&args.certificate))?;
    let name = facts.common_name.context("the dashboard's certificate has no common name")?;
    let broker = Broker {
        host: args.host,
        port: args.port,
        authority: args.authority,
        certificate: args.certificate,
        key: args.key,
        // Units wait for a broker for a minute; people who look at a dashboard do not.
        retry_max_s: 5.try_into().expect("5 is not zero"),
        ..Broker::default()
    };
    let config = Config {
        broker,
        name,
        title: args.name,
        folder: args.folder,
        listen: args.listen,
        lock: Duration::from_secs(60 * u64::from(args.lock_min.get())),
        metrics_token: args.metrics_token,
        units_max: args.units_max.get() as usize,
    };
    let mut fleet = Fleet::start(config, Arc::new(SystemClock::new()))?;
    println!("dashboard     https://{}", fleet.address());
    println!("certificate   SHA-256 {}", fleet.fingerprint());
    if let Some(code) = fleet.take_first_code() {
        println!("one-time code {code}   makes the first administrator, at /set-up");
    }
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminate.recv() => {}
    }
    fleet.stop().await;
    Ok(())
}
