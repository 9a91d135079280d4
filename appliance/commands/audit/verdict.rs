use std::io::{BufRead, Write};
use std::process::ExitCode;

use anyhow::Context;

use crate::audit::{Summary, VerifyError, verify};
use crate::crypto::Digest;

/// Checks a log and says in a sentence what it found.
pub fn judge(
    log: impl BufRead,
    name: &str,
    after: Option<Digest>,
    head: Option<Digest>,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    match verify(log, after, head) {
        Ok(summary) => {
            writeln!(out, "{name} is whole: {}.", sentence(&summary, head.is_some()))?;
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
        "an end that was cut off would not show without --head or --copy"
    };
    format!(
        "{} entries from {first} to {last}, the last is number {} with hash {}; {end}",
        summary.entries, head.number, head.hash
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{Chain, Event, Who};

    fn say(log: &str, head: Option<Digest>) -> (ExitCode, String) {
        let mut out = Vec::new();
        let code = judge(log.as_bytes(), "log", None, head, &mut out).unwrap();
        (code, String::from_utf8(out).unwrap())
    }

    #[test]
    fn says_in_a_sentence_what_it_found() {
        let (line, chain) =
            Chain::start().write(jiff::Timestamp::UNIX_EPOCH, true, &Who::Unit, &Event::Stopped);
        let (code, text) = say(&line, Some(chain.head().unwrap().hash));
        assert_eq!(code, ExitCode::SUCCESS);
        assert!(text.starts_with("log is whole: 1 entries from 1970-01-01T00:00:00Z"), "{text}");

        let (code, text) = say(&line.replace("stopped", "started"), None);
        assert_eq!(code, ExitCode::FAILURE);
        assert_eq!(text, "log is broken at line 1: its hash does not fit its text: the line was changed.\n");
    }
}
