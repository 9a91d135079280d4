//! `milepost audit`: takes the log out of a unit or of what the department received, and checks it; checks a unit's logbook.

mod copies;
mod verdict;

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand};
use jiff::Timestamp;

use crate::audit;
use crate::crypto::Digest;
use crate::enroll::Statement;
use crate::words::UnitId;

/// Take out the log of accesses and decisions, and check that nobody touched it
///
/// To compare what a unit holds with what the department received:
///
///   milepost audit export --state-dir /var/lib/milepost --out unit.jsonl       (on the unit)
///   milepost audit collect received --unit north-7 --out department.jsonl      (at the department)
///   milepost audit verify unit.jsonl --copy department.jsonl
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct AuditArgs {
    #[command(subcommand)]
    command: AuditCommand,
}

#[derive(Debug, Subcommand)]
enum AuditCommand {
    /// Find any line that was changed, removed, moved or doubled; exits 0 if the log is whole, else 1
    Verify(VerifyArgs),
    /// Check the logbook of maintenance and deployment that a unit signed, and print what it says
    Statement(StatementArgs),
    /// Write a unit's whole log into one file; the unit may be running
    Export {
        /// The unit's state_dir
        #[arg(long, default_value = "/var/lib/milepost", value_name = "FOLDER")]
        state_dir: PathBuf,
        /// The file to write; - is standard output
        #[arg(long, default_value = "-", value_name = "FILE")]
        out: PathBuf,
    },
    /// Write what `milepost receive` has stored of a unit's log into one file
    Collect {
        /// The folder of `milepost receive`
        received: PathBuf,
        /// Whose log
        #[arg(long)]
        unit: UnitId,
        /// The file to write; - is standard output
        #[arg(long, default_value = "-", value_name = "FILE")]
        out: PathBuf,
    },
}

#[derive(Debug, Args)]
struct VerifyArgs {
    /// The exported log (JSON lines); - reads standard input
    file: PathBuf,
    /// A hash that must be in the log, from a purge certificate or an earlier check: shows a cut-off end
    #[arg(long, value_name = "HASH", conflicts_with = "copy")]
    head: Option<Digest>,
    /// Another copy of the same log: its last line must be in this one, which shows an end that was cut off or written anew
    #[arg(long, value_name = "FILE")]
    copy: Option<PathBuf>,
    /// The hash before the first line, for a part that does not begin with entry 1
    #[arg(long, value_name = "HASH")]
    after: Option<Digest>,
}

#[derive(Debug, Args)]
struct StatementArgs {
    /// The exported file
    file: PathBuf,
    /// The authority that signs the units' certificates (PEM)
    #[arg(long)]
    authority: PathBuf,
}

impl AuditArgs {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            AuditCommand::Verify(args) => verify(&args),
            AuditCommand::Statement(args) => statement(&args),
            AuditCommand::Export { state_dir, out } => {
                let folder = state_dir.join("audit");
                to(&out, |out| Ok(audit::export(&folder, out)?))
            }
            AuditCommand::Collect { received, unit, out } => {
                let lines = copies::collect(&received, &unit)?;
                anyhow::ensure!(!lines.is_empty(), "{} holds no audit log of {unit}", received.display());
                to(&out, |out| {
                    lines.iter().try_for_each(|line| writeln!(out, "{line}"))?;
                    Ok(lines.len() as u64)
                })
            }
        }
    }
}

fn verify(args: &VerifyArgs) -> anyhow::Result<ExitCode> {
    let head = match &args.copy {
        Some(copy) => {
            Some(copies::last_hash(open(copy)?).with_context(|| format!("reading {}", copy.display()))?)
        }
        None => args.head,
    };
    let name = args.file.display().to_string();
    verdict::judge(open(&args.file)?, &name, args.after, head, &mut std::io::stdout().lock())
}

fn statement(args: &StatementArgs) -> anyhow::Result<ExitCode> {
    let name = args.file.display();
    let json = std::fs::read(&args.file).with_context(|| format!("{name} cannot be opened"))?;
    let opened = Statement::open(&json, &args.authority, Timestamp::now());
    let (unit, statement) = opened.with_context(|| format!("{name} is not to be believed"))?;
    let statement: serde_json::Value =
        serde_json::from_str(&statement).context("what was signed is no JSON")?;
    eprintln!("{name} was signed by {unit}.");
    writeln!(std::io::stdout().lock(), "{statement:#}")?;
    Ok(ExitCode::SUCCESS)
}

fn open(path: &Path) -> anyhow::Result<Box<dyn BufRead>> {
    if path.as_os_str() == "-" {
        return Ok(Box::new(std::io::stdin().lock()));
    }
    let file = File::open(path).with_context(|| format!("{} cannot be opened", path.display()))?;
    Ok(Box::new(BufReader::new(file)))
}

/// Writes to a new file or to standard output, and says how many entries.
fn to(path: &Path, write: impl FnOnce(&mut dyn Write) -> anyhow::Result<u64>) -> anyhow::Result<ExitCode> {
    if path.as_os_str() == "-" {
        write(&mut std::io::stdout().lock())?;
        return Ok(ExitCode::SUCCESS);
    }
    let file = File::create_new(path).with_context(|| format!("{} cannot be made", path.display()))?;
    let mut file = BufWriter::new(file);
    let entries = write(&mut file)?;
    file.into_inner()?.sync_all()?;
    println!("{entries} entries in {}; check them with: milepost audit verify {0}", path.display());
    Ok(ExitCode::SUCCESS)
}
