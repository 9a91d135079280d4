//! `milepost apply-enrolment`: what root does for a box that is not enrolled. What may be handed in is
//! [`crate::unenrolled`]'s; this makes keys, and installs.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use tracing::info;

use crate::enroll::{Keys, settle};
use crate::system::log;
use crate::unenrolled::Config;

/// Make a new unit's keys, and install what was handed in at its console: what milepost-enrolment.service starts, as root
///
/// Does nothing to a unit that has its keys and its configuration. Keys are never replaced.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where the unit's configuration lies, or will
    #[arg(long, short, default_value = "/etc/milepost/milepost.toml", value_name = "FILE")]
    config: PathBuf,
    /// What a unit goes by that is not enrolled yet
    #[arg(long, default_value = "/usr/share/milepost/unenrolled.toml", value_name = "FILE")]
    unenrolled: PathBuf,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    log::start("info");
    let state_dir = Config::load(&args.unenrolled)?.unit.state_dir;
    let keys = Keys::of_this_machine(args.config.parent().unwrap_or(Path::new(".")));
    if let Some(installed) = settle(&keys, &args.config, &state_dir, Timestamp::now())? {
        let certificate = installed.certificate.display();
        info!(%certificate, fingerprint = installed.facts.fingerprint, "enrolled, by what was handed in at the console");
    }
    Ok(())
}
