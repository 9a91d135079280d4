//! `milepost recover`: the way back for people who forgot everything, and for a unit that lost its accounts.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use jiff::Timestamp;

use super::run::unit_key;
use crate::config::Config;
use crate::console::{self, Recovery};
use crate::enroll::Keys;
use crate::unenrolled;
use crate::words::PersonName;

/// Let somebody in again who forgot everything: a one-time code for an administrator (on the unit itself, as root)
///
/// Only who has the unit's key in hand can make one, which is root on the unit. The code counts from the unit's next start on,
/// for a day, and makes one administrator at the console's "I have a one-time code"; it may be one who has an account. All
/// other accounts stay as they are. The audit log has the name and the reason.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Who asks for it
    #[arg(long, value_parser = PersonName::parse)]
    by: PersonName,
    /// Why it is needed, for the audit log
    #[arg(long)]
    reason: String,
    /// The unit's configuration
    #[arg(long, short, default_value = "/etc/milepost/milepost.toml", value_name = "FILE")]
    config: PathBuf,
    /// What a unit goes by that is not enrolled yet
    #[arg(long, default_value = "/usr/share/milepost/unenrolled.toml", value_name = "FILE")]
    unenrolled: PathBuf,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    ensure!(!args.reason.trim().is_empty(), "give a --reason: it stands in the audit log");
    let config = args.config.exists().then(|| Config::load(&args.config)).transpose()?;
    let key = match &config {
        Some(config) if config.unit.key_file.is_some() => unit_key(config)?,
        // Lent to the service alone; root has it decrypted.
        _ => Keys::of_this_machine(args.config.parent().unwrap_or(Path::new(".")))
            .unit_key()
            .context("the unit key cannot be read")?
            .context("there is no unit key: the unit makes it at its first start")?,
    };
    let state_dir = match config {
        Some(config) => config.unit.state_dir,
        None => unenrolled::Config::load(&args.unenrolled)?.unit.state_dir,
    };
    let folder = console::folder(&state_dir);
    become_owner_of(&folder)?;
    let code = Recovery::lay(&folder, &key, &args.by, args.reason.trim(), Timestamp::now())?;
    println!("one-time code   {code}");
    println!("It counts from the unit's next start on (systemctl restart milepost), for a day.");
    Ok(())
}

/// The service reads what is laid there, and owns the folder: root writes in it as nobody else, so that it follows no link to where
/// only root may write.
fn become_owner_of(folder: &Path) -> anyhow::Result<()> {
    let owner = std::fs::metadata(folder)
        .with_context(|| format!("{} cannot be read: has the unit ever started?", folder.display()))?;
    // SAFETY: both take a number and return one; no other thread runs yet.
    let became = unsafe { libc::setegid(owner.gid()) == 0 && libc::seteuid(owner.uid()) == 0 };
    ensure!(became, "this must be run as root, or as the owner of {}", folder.display());
    Ok(())
}
