//! `milepost receive`: the department's side, and what its records officer does with what was received.

mod answer;
mod export;
mod keep;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use clap::{Args, Subcommand};

use crate::crypto::SigningKey;
use crate::delivery::Broker;
use crate::delivery::tls::{self, CertificateFacts};
use crate::receive::{Config, Keep, Ledger, Receiver};
use crate::system::{Clock, SystemClock};

/// Receive and store what units send, and answer with signed receipts; preserve, expire, export it
///
/// Without a command it receives: stores events as JSON lines and pictures as files, by day and unit, and destroys
/// what was kept long enough and is not preserved. A unit purges a record only for a receipt of a key that it
/// trusts: enter the key printed at start under `receivers` in [delivery].
///
/// The commands work on the folder also while a receiver runs on it. Each is noted in the folder's own log, which
/// anybody can check: cat received/ledger/log/*.jsonl | milepost audit verify -
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct ReceiveArgs {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: RunArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    Preserve(keep::Preserve),
    Holds(keep::Holds),
    Release(keep::Release),
    Expire(keep::Expire),
    Export(export::Export),
    Answer(answer::Answer),
}

#[derive(Debug, Args)]
struct RunArgs {
    #[command(flatten)]
    broker: BrokerArgs,
    #[command(flatten)]
    folder: Folder,
    /// Days for which records are kept after they were received, unless they are preserved.
    #[arg(long, value_name = "DAYS", default_value_t = Keep::default())]
    keep_days: Keep,
}

/// The broker, and who the receiver is to it and to the units.
#[derive(Debug, Args)]
struct BrokerArgs {
    /// Host name of the broker, as it stands in its certificate.
    #[arg(long, default_value = "localhost")]
    host: String,
    /// Port of the broker.
    #[arg(long, default_value_t = Broker::default().port)]
    port: std::num::NonZeroU16,
    /// PEM file of the authority that signed the broker's certificate.
    #[arg(long, default_value = "authority.pem")]
    authority: PathBuf,
    /// PEM file of the receiver's certificate.
    #[arg(long, default_value = "receiver.pem")]
    certificate: PathBuf,
    /// PEM file of the private key to it.
    #[arg(long, default_value = "receiver.key")]
    key: PathBuf,
    /// Ed25519 key that signs receipts (PEM); made when it is not there.
    #[arg(long, default_value = "receipts.key")]
    signing_key: PathBuf,
}

#[derive(Debug, Args)]
struct Folder {
    /// Where records are stored.
    #[arg(long, default_value = "received")]
    folder: PathBuf,
}

impl BrokerArgs {
    /// The receiver's name to the broker, and how it connects.
    fn open(self) -> anyhow::Result<(String, Broker)> {
        let facts = CertificateFacts::load(&tls::locate(&self.certificate))?;
        let name = facts.common_name.context("the receiver's certificate has no common name")?;
        let broker = Broker {
            host: self.host,
            port: self.port,
            authority: self.authority,
            certificate: self.certificate,
            key: self.key,
            ..Broker::default()
        };
        Ok((name, broker))
    }
}

impl Folder {
    fn open(&self) -> anyhow::Result<(Ledger, Arc<dyn Clock>)> {
        Ok((Ledger::open(&self.folder)?, Arc::new(SystemClock::new())))
    }
}

pub fn run(args: ReceiveArgs) -> anyhow::Result<()> {
    crate::system::log::start("warn");
    match args.command {
        None => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(receive(args.run))
        }
        Some(Command::Preserve(preserve)) => preserve.run(),
        Some(Command::Holds(holds)) => holds.run(),
        Some(Command::Release(release)) => release.run(),
        Some(Command::Expire(expire)) => expire.run(),
        Some(Command::Export(export)) => export.run(),
        Some(Command::Answer(answer)) => answer.run(),
    }
}

async fn receive(args: RunArgs) -> anyhow::Result<()> {
    let key = signing_key(&args.broker.signing_key)?;
    let (name, broker) = args.broker.open()?;
    let folder = args.folder.folder;
    println!("receipts are signed by {}", key.verifying_key());
    println!("storing under {} for {} days; Ctrl-C ends", folder.display(), args.keep_days);
    let config = Config { broker, name, folder, key, keep: args.keep_days };
    let (receiver, mut news) = Receiver::start(config, Arc::new(SystemClock::new()))?;
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    loop {
        tokio::select! {
            Some(news) = news.recv() => {
                // A closed pipe is no reason to stop receiving.
                let _ = writeln!(std::io::stdout(), "{news}");
            }
            _ = tokio::signal::ctrl_c() => break,
            _ = terminate.recv() => break,
            else => break,
        }
    }
    tokio::task::spawn_blocking(|| receiver.stop()).await?;
    Ok(())
}

fn signing_key(path: &Path) -> anyhow::Result<SigningKey> {
    if path.exists() {
        return Ok(SigningKey::load(path)?);
    }
    let key = SigningKey::generate();
    key.save(path)?;
    Ok(key)
}
