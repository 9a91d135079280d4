//! `milepost hotlist`: the department's side of hot lists, from its export to the broker.
//!
//! Owns the list file (one entry as JSON a line), the edition folder, and talking to people about both.
//! Must not know how a unit stores or matches a list.

mod edition;
mod import;
pub(super) mod keys;
mod list_file;
mod manual;
pub(super) mod publish;

use std::path::PathBuf;

use crate::hotlist::{Category, Entry};

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Make a key that signs lists or manual entries, and print what units need to trust it
    Keygen(keys::Keygen),
    /// Turn an export (CSV with , ; or tab, or fixed columns) into a list file
    Import(import::Import),
    /// Say what changed between two list files
    Diff(Diff),
    /// Make a signed edition (a folder) from a list file
    Sign(edition::Sign),
    /// Send an edition to the broker, where units fetch it
    Publish(publish::Publish),
    /// Ask for, change, remove or approve a manual entry on units, by signed message
    Manual(manual::Manual),
    /// Check an edition or a list file, and say what is in it
    Inspect(edition::Inspect),
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
        Command::Manual(manual) => manual.run(),
        Command::Inspect(inspect) => inspect.run(),
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

/// `1 entry`, `2 entries`.
fn number(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// How many entries, and of which category.
fn in_words(entries: &[Entry]) -> String {
    let count = |category| entries.iter().filter(|entry| entry.category == category).count();
    let of_each = Category::ALL.into_iter().map(|category| (category, count(category)));
    let of_each =
        of_each.filter(|(_, count)| *count > 0).map(|(category, count)| format!("{count} {category}"));
    let of_each = of_each.collect::<Vec<_>>().join(", ");
    let all = number(entries.len(), "entry", "entries");
    if of_each.is_empty() { all } else { format!("{all} ({of_each})") }
}

fn line(entry: &Entry) -> String {
    let state = entry.state.map_or_else(|| "any".to_owned(), |state| state.to_string());
    format!("{:10} {state:4} {:24} {}", entry.plate, entry.category, entry.case)
}
