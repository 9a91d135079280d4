//! `milepost hotlist`: the department's side of hot lists, from its export to the broker.
//!
//! Owns the list file (one entry as JSON a line), the edition folder, and talking to people about both.
//! Must not know how a unit stores or matches a list.

mod edition;
mod import;
mod list_file;
mod publish;

use std::path::PathBuf;

use anyhow::Context;

use crate::crypto::{SigningKey, VerifyingKey};
use crate::hotlist::Entry;

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Make a key that signs lists, and print what units need to trust it
    Keygen(Keygen),
    /// Turn an export (CSV with , ; or tab, or fixed columns) into a list file
    Import(import::Import),
    /// Say what changed between two list files
    Diff(Diff),
    /// Make a signed edition (a folder) from a list file
    Sign(edition::Sign),
    /// Send an edition to the broker, where units fetch it
    Publish(publish::Publish),
    /// Check an edition or a list file, and say what is in it
    Inspect(edition::Inspect),
}

#[derive(Debug, clap::Args)]
pub struct Keygen {
    /// Where to write the private key; only you will be able to read it
    #[arg(long, short, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Debug, clap::Args)]
pub struct Diff {
    /// The list file that is in force
    old: PathBuf,
    /// The list file that is to follow
    new: PathBuf,
}

/// Runs one of the subcommands; the error says what a person can do.
pub fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Keygen(keygen) => keygen.run(),
        Command::Import(import) => import.run(),
        Command::Diff(diff) => diff.run(),
        Command::Sign(sign) => sign.run(),
        Command::Publish(publish) => publish.run(),
        Command::Inspect(inspect) => inspect.run(),
    }
}

impl Keygen {
    fn run(self) -> anyhow::Result<()> {
        let key = SigningKey::generate();
        key.save(&self.out)?;
        let public: VerifyingKey = key.verifying_key();
        println!("Private key: {} (keep it; only its owner can read it)", self.out.display());
        println!("Key id:      {}", public.id());
        println!("Units trust it for a list by these lines in milepost.toml:\n");
        println!("[[hotlist.lists]]\nname = \"state-stolen\"\nkeys = [\"{public}\"]");
        Ok(())
    }
}

impl Diff {
    fn run(self) -> anyhow::Result<()> {
        let (old, new) = (list_file::read(&self.old)?, list_file::read(&self.new)?);
        let changes = edition::changes(&old, &new);
        for (sign, entries) in [("-", &changes.gone), ("+", &changes.added)] {
            for entry in entries {
                println!("{sign} {}", line(entry));
            }
        }
        println!(
            "{} gone, {} added, {} unchanged",
            changes.gone.len(),
            changes.added.len(),
            changes.unchanged
        );
        Ok(())
    }
}

fn line(entry: &Entry) -> String {
    let state = entry.state.map_or_else(|| "any".to_owned(), |state| state.to_string());
    format!("{:10} {state:4} {:24} {}", entry.plate, entry.category, entry.case)
}

/// Loads the keys that sign.
fn signing_keys(paths: &[PathBuf]) -> anyhow::Result<Vec<SigningKey>> {
    paths.iter().map(|path| SigningKey::load(path).with_context(|| "the signing key is of no use")).collect()
}
