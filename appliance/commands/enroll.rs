use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};
use jiff::{SignedDuration, Timestamp};

use super::hotlist::keys::{self, Passphrase};
use crate::config::Config;
use crate::crypto::VerifyingKey;
use crate::delivery::tls::{CertificateFacts, Credentials};
use crate::enroll::{self, Bundle, InUse, Keys, Origin};
use crate::words::UnitId;

/// Give this unit its identity: a key that never leaves it, and a certificate over it.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, arg_required_else_help = true)]
pub struct EnrollArgs {
    /// Take certificate, authority and configuration from one signed file that the department packed for this unit.
    #[arg(long, value_name = "FILE", required = true)]
    bundle: Option<PathBuf>,
    /// Whose bundles to take: a public key, as `milepost hotlist keygen` prints it. Default: those in
    /// /usr/share/milepost/fleet.keys, which an image brings.
    #[arg(long, value_name = "KEY", value_parser = VerifyingKey::parse)]
    signed_by: Vec<VerifyingKey>,
    /// Where the unit's keys and certificates lie.
    #[arg(long, default_value = "/etc/milepost")]
    folder: PathBuf,
    #[command(subcommand)]
    step: Option<Step>,
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
    /// For the department: pack all that a unit needs into one signed file, from its signed certificate and a milepost.toml that
    /// serves the whole fleet.
    Pack(Pack),
    /// Show the installed certificate.
    Show {
        /// Where the unit's keys and certificates lie.
        #[arg(long, default_value = "/etc/milepost")]
        folder: PathBuf,
    },
}

#[derive(Debug, Args)]
struct Pack {
    /// The unit's name.
    unit: UnitId,
    /// What the authority signed for the unit's request (PEM).
    #[arg(long, value_name = "FILE")]
    certificate: PathBuf,
    /// The authority that signed it and the broker's certificate (PEM).
    #[arg(long, value_name = "FILE")]
    authority: PathBuf,
    /// A milepost.toml for the fleet: broker, lists, receivers, policy. Its unit id is replaced by the unit's.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Your private key, which units know.
    #[arg(long, value_name = "FILE")]
    sign_key: PathBuf,
    #[command(flatten)]
    passphrase: Passphrase,
    /// Days for which the bundle can be used.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: u32,
    /// The file to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

impl Pack {
    fn run(self) -> anyhow::Result<()> {
        let text = |path: &PathBuf| {
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
        };
        let key = keys::open(&self.sign_key, &self.passphrase)?;
        let pems = [text(&self.certificate)?, text(&self.authority)?];
        let issued = Timestamp::now();
        let expires = issued + SignedDuration::from_hours(24 * i64::from(self.days));
        let bundle = Bundle::new(self.unit, pems, &text(&self.config)?, [issued, expires])?;
        std::fs::write(&self.out, bundle.sign(&key))
            .with_context(|| format!("cannot write {}", self.out.display()))?;
        println!("{} can be used until {expires:.0}; the unit takes it by", self.out.display());
        println!("  milepost enroll --bundle {} --signed-by {}", self.out.display(), key.verifying_key());
        Ok(())
    }
}

pub fn run(args: EnrollArgs) -> anyhow::Result<()> {
    let Some(step) = args.step else {
        let bundle = args.bundle.context("give --bundle FILE, or one of the steps")?;
        let trusted = match args.signed_by.is_empty() {
            true => enroll::trusted_by(Path::new(enroll::FLEET_KEYS))?,
            false => args.signed_by,
        };
        let installed =
            enroll::apply(&Keys::of_this_machine(&args.folder), &bundle, &trusted, Timestamp::now())?;
        println!("installed {} and milepost.toml", installed.certificate.display());
        show(&installed.facts);
        return Ok(());
    };
    match step {
        Step::Pack(pack) => pack.run()?,
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
            println!(
                "It counts from the unit's next start on, whatever was put in at its console or by command before."
            );
        }
        Step::Show { folder } => {
            show(&CertificateFacts::load(&folder.join("unit.pem"))?);
            changed_since(&folder)?;
        }
    }
    Ok(())
}

/// What the unit shows instead of what is installed, if somebody changed it at the console or by command.
fn changed_since(folder: &Path) -> anyhow::Result<()> {
    let file = folder.join("milepost.toml");
    let Ok(config) = Config::load(&file) else { return Ok(()) };
    let changed = config.unit.state_dir.join("identity");
    if !changed.exists() {
        return Ok(());
    }
    let key = Keys::of_this_machine(folder).unit_key().context("the unit key cannot be read")?;
    let Some(key) = key else {
        println!("\nAnother one was put in since; it can be shown with the unit key alone.");
        return Ok(());
    };
    let in_use = InUse::open(&config.unit.state_dir, &key, config.unit.id, &config.delivery.broker)?;
    if let Origin::Changed { by, at } = in_use.origin() {
        println!("\nThe unit shows another one, put in by {by} on {at:.0}, until another is installed here:");
        show(&in_use.identity()?.certificate.facts()?);
    }
    Ok(())
}

fn show(facts: &CertificateFacts) {
    println!("unit         {}", facts.common_name.as_deref().unwrap_or("(no name)"));
    println!("signed by    {}", facts.issuer);
    println!("valid        {} to {}", facts.not_before, facts.not_after);
    println!("fingerprint  {}", facts.fingerprint);
}
