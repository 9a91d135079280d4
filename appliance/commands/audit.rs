//! `milepost audit`: checks what a unit exported.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand};
use jiff::Timestamp;

use crate::audit::{Summary, VerifyError, verify};
use crate::crypto::Digest;
use crate::enroll::Statement;

/// Check what a unit exported: its audit log, its logbook
#[derive(Debug, Args)]
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
}

#[derive(Debug, Args)]
struct VerifyArgs {
    /// The exported log (JSON lines); - reads standard input
    file: PathBuf,
    /// A hash that must be in the log, from a purge certificate or an earlier check: shows a cut-off end
    #[arg(long, value_name = "HASH")]
    head: Option<Digest>,
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
        let args = match self.command {
            AuditCommand::Verify(args) => args,
            AuditCommand::Statement(args) => return statement(&args),
        };
        let log: Box<dyn BufRead> = if args.file.as_os_str() == "-" {
            Box::new(std::io::stdin().lock())
        } else {
            let file = File::open(&args.file)
                .with_context(|| format!("{} cannot be opened", args.file.display()))?;
            Box::new(BufReader::new(file))
        };
        judge(log, &args, &mut std::io::stdout().lock())
    }
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

fn judge(log: impl BufRead, args: &VerifyArgs, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let name = args.file.display();
    match verify(log, args.after, args.head) {
        Ok(summary) => {
            writeln!(out, "{name} is whole: {}.", sentence(&summary, args.head.is_some()))?;
            Ok(ExitCode::SUCCESS)
        }
        Err(VerifyError::Broken(broken)) => {
            writeln!(out, "{name} is broken at {broken}.")?;
            Ok(ExitCode::FAILURE)
        }
        Err(error @ VerifyError::Read(_)) => Err(error).with_context(|| format!("checking {name}")),
    }
}

fn sentence(summary: &Summary, head_known: bool) -> String {
    let (Some(first), Some(last), Some(head)) = (summary.first, summary.last, summary.head) else {
        return "it has no entries".to_owned();
    };
    let end = if head_known {
        "and it holds the expected head"
    } else {
        "a cut-off end would not show without --head"
    };
    format!(
        "{} entries from {first} to {last}, the last is number {} with hash {}; {end}",
        summary.entries, head.number, head.hash
    )
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::audit::{Chain, Event, Who};

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        audit: AuditArgs,
    }

    fn say(log: &str, options: &[&str]) -> (ExitCode, String) {
        let program = Program::parse_from(["audit", "verify", "log"].iter().chain(options));
        let AuditCommand::Verify(args) = program.audit.command else { panic!("another command") };
        let mut out = Vec::new();
        let code = judge(log.as_bytes(), &args, &mut out).unwrap();
        (code, String::from_utf8(out).unwrap())
    }

    #[test]
    fn says_in_a_sentence_what_it_found() {
        let (line, chain) =
            Chain::start().write(jiff::Timestamp::UNIX_EPOCH, true, &Who::Unit, &Event::Stopped);
        let head = chain.head().unwrap().hash.to_string();
        let (code, text) = say(&line, &["--head", &head]);
        assert_eq!(code, ExitCode::SUCCESS);
        assert!(text.starts_with("log is whole: 1 entries from 1970-01-01T00:00:00Z"), "{text}");

        let (code, text) = say(&line.replace("stopped", "started"), &[]);
        assert_eq!(code, ExitCode::FAILURE);
        assert_eq!(text, "log is broken at line 1: its hash does not fit its text: the line was changed.\n");
    }
}
