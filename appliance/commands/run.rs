//! `milepost run`: the appliance.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;
use tracing::{error, info, warn};

use crate::config::{Config, Source};
use crate::crypto::{Module, UnitKey};
use crate::delivery::tls;
use crate::system::{ServiceManager, SystemClock, log};
use crate::unenrolled::{self, Own, Unenrolled};
use crate::unit::{Again, Settings, Unit};

/// Run the appliance: what systemd starts
///
/// Reads the configured cameras, matches hot lists, delivers alerts and evidence, reports health and serves
/// the console, until it is told to stop (SIGTERM or Ctrl-C).
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The unit's configuration; config/milepost.toml of the source explains every field
    #[arg(long, short, default_value = "/etc/milepost/milepost.toml", value_name = "FILE")]
    config: PathBuf,
    /// What a unit goes by that is not enrolled, so that there is no configuration yet: it then serves a console that takes
    /// one; config/unenrolled.toml of the source explains it
    #[arg(long, value_name = "FILE")]
    unenrolled: Option<PathBuf>,
    /// Try the change that was proposed at the console; the program starts itself so
    #[arg(long, hide = true)]
    trial: bool,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let where_logged = log::start("info");
    // A unit that has its configuration goes by nothing else.
    if let Some(file) = &args.unenrolled
        && !args.config.exists()
        && !become_unit(args, &unenrolled::Config::load(file)?)?
    {
        return Ok(ExitCode::SUCCESS);
    }
    let (source, config) = Source::open(&args.config, args.trial)?;
    if args.unenrolled.is_some() {
        unenrolled::forget(&config.unit.state_dir);
    }
    let key = unit_key(&config)?;
    let on_trial = source.on_trial;
    let settings = Arc::new(Settings::new(source, config.clone()));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let again = runtime.block_on(async {
        let unit_name = config.unit.id.clone();
        let mut unit = match Unit::start_with(config, &key, Some(settings.clone())) {
            Err(error) if on_trial => {
                error!(%error, "the unit does not start with the configuration on trial");
                return Ok(Some(Again::WithoutTrial));
            }
            started => started?,
        };
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
        let again = tokio::select! {
            told = until_told_to_stop() => told.map(|()| None)?,
            again = until_again(&settings) => Some(again),
        };
        info!("stopping");
        if again.is_none() {
            manager.stopping();
        }
        unit.stop().await;
        anyhow::Ok(again)
    })?;
    drop(runtime);
    match again {
        None => Ok(ExitCode::SUCCESS),
        Some(again) => Err(start_anew(args, again)),
    }
}

/// Serves the console of a box that is no unit yet. Whether it is one now, so that this program may go on as the unit; else it ends,
/// and systemd has installed what was handed in before it starts the next.
fn become_unit(args: &Args, config: &unenrolled::Config) -> anyhow::Result<bool> {
    let lent = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    while !args.config.exists() {
        let own = match &lent {
            Some(lent) => Own::lent(lent, &args.config)?,
            None => Own::files(&args.config, config)?,
        };
        // Handed in before the power was cut.
        if args.config.exists() {
            break;
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let handed_in = runtime.block_on(wait_for_enrolment(config, own))?;
        if !handed_in || lent.is_some() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether something was handed in; else the program was told to stop.
async fn wait_for_enrolment(config: &unenrolled::Config, own: Own) -> anyhow::Result<bool> {
    let mut console = Unenrolled::start(config, own, Arc::new(SystemClock::new()))?;
    if let Some(code) = console.take_first_code() {
        info!(%code, address = %console.address(), "sign in to the console with this one-time code");
    }
    let manager = ServiceManager::from_environment();
    manager.ready();
    manager.status(&format!("Not enrolled: not in service. Enrol it at https://{}", console.address()));
    info!("not enrolled: the console waits for what makes a unit of this");
    let feed = async {
        loop {
            manager.alive();
            tokio::time::sleep(manager.watchdog_interval().unwrap_or(Duration::MAX)).await;
        }
    };
    let handed_in = tokio::select! {
        told = until_told_to_stop() => told.map(|()| false)?,
        () = console.handed_in() => true,
        () = feed => unreachable!("it never ends"),
    };
    info!(handed_in, "stopping");
    if !handed_in {
        manager.stopping();
    }
    console.stop().await;
    Ok(handed_in)
}

/// Waits until a person has another configuration tried, or a trial ends unkept.
async fn until_again(settings: &Settings) -> Again {
    let mut again = settings.again();
    loop {
        if let Some(again) = *again.borrow_and_update() {
            return again;
        }
        let left = settings.left();
        if left.is_some_and(|left| left.is_zero()) {
            warn!("nobody kept the configuration on trial: the old one counts again");
            return Again::WithoutTrial;
        }
        // Looked at now and then, because a person may keep it meanwhile.
        let _ = timeout(Duration::from_secs(1), again.changed()).await;
    }
}

/// Puts a fresh program into this process: systemd sees the same service, and nothing of the old one is left. Comes
/// back only where that fails.
fn start_anew(args: &Args, again: Again) -> anyhow::Error {
    ServiceManager::from_environment().alive();
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return anyhow::Error::new(error).context("the program does not find itself"),
    };
    let mut command = Command::new(program);
    command.arg("run").arg("--config").arg(&args.config);
    if let Some(file) = &args.unenrolled {
        command.arg("--unenrolled").arg(file);
    }
    if again == Again::OnTrial {
        command.arg("--trial");
    }
    anyhow::Error::new(command.exec()).context("the program could not start anew")
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
