//! `milepost run`: the appliance.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tracing::info;

use crate::config::Config;
use crate::crypto::{Module, UnitKey};
use crate::delivery::tls;
use crate::system::{ServiceManager, log};
use crate::unit::Unit;

/// Run the appliance: what systemd starts
///
/// Reads the configured cameras, matches hot lists, delivers alerts and evidence, reports health and serves
/// the console, until it is told to stop (SIGTERM or Ctrl-C).
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The unit's configuration; config/milepost.toml of the source explains every field
    #[arg(long, short, default_value = "/etc/milepost/milepost.toml", value_name = "FILE")]
    config: PathBuf,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let config = Config::load(&args.config)?;
    let where_logged = log::start("info");
    let key = unit_key(&config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let unit_name = config.unit.id.clone();
        let mut unit = Unit::start(config, &key)?;
        let cryptography = Module::running(&tls::provider())?;
        info!(unit = %unit_name, version = env!("CARGO_PKG_VERSION"), %cryptography, where_logged, "started");
        if let Some(console) = unit.console()
            && let Some(code) = console.take_first_code()
        {
            // The one line of the journal that holds a secret, which is worthless once used.
            info!(%code, address = %console.address(), "sign in to the console with this one-time code");
        }
        let manager = ServiceManager::from_environment();
        manager.ready();
        until_told_to_stop().await?;
        info!("stopping");
        manager.stopping();
        unit.stop().await;
        Ok(ExitCode::SUCCESS)
    })
}

/// The key that seals everything at rest: the configured file, or the systemd credential `seal-key`.
pub fn unit_key(config: &Config) -> anyhow::Result<UnitKey> {
    if let Some(file) = &config.unit.key_file {
        return Ok(UnitKey::load(file)?);
    }
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").context(
        "there is no unit key. systemd lends it to its services alone (`systemctl start milepost-check` checks the \
         unit with it); without systemd, set [unit] key_file to the seal.key that `milepost enroll request` makes",
    )?;
    Ok(UnitKey::load(&Path::new(&credentials).join("seal-key"))?)
}

pub(super) async fn until_told_to_stop() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        result = tokio::signal::ctrl_c() => result,
        _ = terminate.recv() => Ok(()),
    }
}
