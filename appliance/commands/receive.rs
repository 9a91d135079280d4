use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;

use crate::crypto::SigningKey;
use crate::delivery::Broker;
use crate::delivery::tls::{self, CertificateFacts};
use crate::receive::{Config, Receiver};
use crate::system::SystemClock;

/// Receive and store what units send, and answer with signed receipts.
///
/// Stores events as JSON lines and pictures as files, by day and unit. A unit purges a record only for a
/// receipt of a key that it trusts: enter the key printed at start under `receivers` in [delivery].
#[derive(Debug, Args)]
pub struct ReceiveArgs {
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
    /// Where records are stored.
    #[arg(long, default_value = "received")]
    folder: PathBuf,
}

pub fn run(args: ReceiveArgs) -> anyhow::Result<()> {
    crate::system::log::start("warn");
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(receive(args))
}

async fn receive(args: ReceiveArgs) -> anyhow::Result<()> {
    let facts = CertificateFacts::load(&tls::locate(&args.certificate))?;
    let name = facts.common_name.context("the receiver's certificate has no common name")?;
    let key = signing_key(&args.signing_key)?;
    println!("receipts are signed by {}", key.verifying_key());
    println!("storing under {}; Ctrl-C ends", args.folder.display());
    let broker = Broker {
        host: args.host,
        port: args.port,
        authority: args.authority,
        certificate: args.certificate,
        key: args.key,
        ..Broker::default()
    };
    let config = Config { broker, name, folder: args.folder, key };
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

fn signing_key(path: &std::path::Path) -> anyhow::Result<SigningKey> {
    if path.exists() {
        return Ok(SigningKey::load(path)?);
    }
    let key = SigningKey::generate();
    key.save(path)?;
    Ok(key)
}
