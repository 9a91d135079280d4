use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Subcommand};
use jiff::Timestamp;

use crate::delivery::tls::CertificateFacts;
use crate::enroll::{self, Keys};
use crate::words::UnitId;

/// Give this unit its identity: a key that never leaves it, and a certificate over it.
#[derive(Debug, Args)]
pub struct EnrollArgs {
    #[command(subcommand)]
    step: Step,
}

#[derive(Debug, Subcommand)]
enum Step {
    /// Make the unit's key and the certificate request that the authority is to sign.
    Request {
        /// The unit's name: 1 to 64 of a-z, 0-9, '-' and '_'.
        unit: UnitId,
        /// Where the unit's keys and certificates lie.
        #[arg(long, default_value = "/etc/milepost")]
        folder: PathBuf,
    },
    /// Check what the authority signed, and install it.
    Install {
        /// The unit's name.
        unit: UnitId,
        /// The signed certificate, with the certificates between it and the authority if there are any (PEM).
        certificate: PathBuf,
        /// The authority that signed it and the broker's certificate (PEM).
        #[arg(long)]
        authority: PathBuf,
        /// Where the unit's keys and certificates lie.
        #[arg(long, default_value = "/etc/milepost")]
        folder: PathBuf,
    },
    /// Show the installed certificate.
    Show {
        /// Where the unit's keys and certificates lie.
        #[arg(long, default_value = "/etc/milepost")]
        folder: PathBuf,
    },
}

pub fn run(args: EnrollArgs) -> anyhow::Result<()> {
    match args.step {
        Step::Request { unit, folder } => {
            std::fs::create_dir_all(&folder)
                .with_context(|| format!("the folder {} cannot be made", folder.display()))?;
            let keys = Keys::of_this_machine(&folder);
            let request = enroll::request(&keys, &unit)?;
            println!("{}", request.display());
            println!("Let the department's authority sign it for the name {unit}, then install the result:");
            println!("  milepost enroll install {unit} SIGNED.pem --authority AUTHORITY.pem");
        }
        Step::Install { unit, certificate, authority, folder } => {
            let keys = Keys::of_this_machine(&folder);
            let installed = enroll::install(&keys, &unit, &certificate, &authority, Timestamp::now())?;
            println!("installed {} and {}", installed.certificate.display(), installed.authority.display());
            show(&installed.facts);
        }
        Step::Show { folder } => show(&CertificateFacts::load(&folder.join("unit.pem"))?),
    }
    Ok(())
}

fn show(facts: &CertificateFacts) {
    println!("unit         {}", facts.common_name.as_deref().unwrap_or("(no name)"));
    println!("signed by    {}", facts.issuer);
    println!("valid        {} to {}", facts.not_before, facts.not_after);
    println!("fingerprint  {}", facts.fingerprint);
}
