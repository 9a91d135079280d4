use std::io::BufRead;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::event::{Event, Who};
use crate::crypto::Digest;

/// What `previous` says in the first entry.
const ANCHOR: Digest = Digest::from_bytes([0; 32]);

const HASH_FIELD: &str = ",\"hash\":\"";

/// A place in the log, as certificates name it: the entry's number and hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Position {
    /// The entry's number.
    pub number: u64,
    pub hash: Digest,
}

/// What the next entry must link to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chain {
    next: u64,
    previous: Digest,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Body<'a> {
    /// From 1, without a gap.
    number: u64,
    /// By the unit's clock.
    #[cfg_attr(test, schemars(with = "crate::contract::Time"))]
    at: Timestamp,
    /// Whether a time service kept that clock.
    clock_trusted: bool,
    who: &'a Who,
    what: &'a Event,
    previous: Digest,
}

/// What every entry has, whatever later versions put into `what`.
#[derive(Deserialize)]
struct Link {
    number: u64,
    at: Timestamp,
    previous: Digest,
    hash: Digest,
}

/// What a whole log holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    pub entries: u64,
    pub first: Option<Timestamp>,
    pub last: Option<Timestamp>,
    pub head: Option<Position>,
}

/// Where the chain is broken, and how it shows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {fault}")]
pub struct Broken {
    pub line: u64,
    pub fault: Fault,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("this is not a log entry ({0})")]
    NotAnEntry(String),
    #[error("its hash does not fit its text: the line was changed")]
    Changed,
    #[error("it has number {found} where {expected} belongs: lines were removed, moved, doubled or put in")]
    Number { expected: u64, found: u64 },
    #[error("it does not follow from the line before: an earlier line was changed or exchanged")]
    Unlinked,
    #[error("the log is empty, so it cannot hold the expected head")]
    Empty,
    #[error("the log ends here without the expected head {0}: its end was cut off or written anew")]
    HeadMissing(Digest),
}

#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    #[error("the log cannot be read: {0}")]
    Read(#[from] std::io::Error),
    #[error(transparent)]
    Broken(#[from] Broken),
}

impl Chain {
    pub fn start() -> Self {
        Self { next: 1, previous: ANCHOR }
    }

    /// Goes on behind a known entry.
    pub fn after(position: Position) -> Self {
        Self { next: position.number + 1, previous: position.hash }
    }

    pub fn head(&self) -> Option<Position> {
        (self.next > 1).then(|| Position { number: self.next - 1, hash: self.previous })
    }

    /// The next entry as a line (without its line feed), and the chain behind it.
    pub fn write(&self, at: Timestamp, clock_trusted: bool, who: &Who, what: &Event) -> (String, Chain) {
        let body = Body { number: self.next, at, clock_trusted, who, what, previous: self.previous };
        let body = serde_json::to_string(&body).expect("entries are plain data with string keys");
        let hashed = body.strip_suffix('}').expect("a struct is written as an object");
        let hash = Digest::of(hashed.as_bytes());
        (format!("{hashed}{HASH_FIELD}{hash}\"}}"), Chain { next: self.next + 1, previous: hash })
    }

    /// Checks one line and steps over it.
    pub fn step(&mut self, line: &[u8]) -> Result<Timestamp, Fault> {
        let link = parse(line)?;
        if link.number != self.next {
            return Err(Fault::Number { expected: self.next, found: link.number });
        }
        if link.previous != self.previous {
            return Err(Fault::Unlinked);
        }
        *self = Chain::after(Position { number: link.number, hash: link.hash });
        Ok(link.at)
    }

    /// The chain that this line belongs to, for a reader who starts in the middle.
    pub fn before(line: &[u8]) -> Result<Self, Fault> {
        let link = parse(line)?;
        Ok(Self { next: link.number, previous: link.previous })
    }
}

fn parse(line: &[u8]) -> Result<Link, Fault> {
    let text = std::str::from_utf8(line).map_err(|_| Fault::NotAnEntry("it is not text".to_owned()))?;
    let link: Link = serde_json::from_str(text).map_err(|error| Fault::NotAnEntry(error.to_string()))?;
    // The text is hashed, so the text must end as written: the last hash field, nothing behind it.
    let (hashed, end) = text.rsplit_once(HASH_FIELD).ok_or(Fault::Changed)?;
    if end != format!("{}\"}}", link.hash) || Digest::of(hashed.as_bytes()) != link.hash {
        return Err(Fault::Changed);
    }
    Ok(link)
}

/// Reads a whole log and finds any line that was changed, removed, moved or doubled.
///
/// `after` allows a log that does not begin with its first entry: the hash before it. `head` is a hash
/// that must stand somewhere in it, so that a cut-off end shows.
pub fn verify(
    mut log: impl BufRead,
    after: Option<Digest>,
    head: Option<Digest>,
) -> Result<Summary, VerifyError> {
    let mut chain = Chain::start();
    let mut summary = Summary { entries: 0, first: None, last: None, head: None };
    let mut head_missing = head;
    let mut line = Vec::new();
    while log.read_until(b'\n', &mut line)? > 0 {
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        let broken = |fault| Broken { line: summary.entries + 1, fault };
        if let (0, Some(previous)) = (summary.entries, after) {
            chain = Chain { previous, ..Chain::before(text).map_err(broken)? };
        }
        let at = chain.step(text).map_err(broken)?;
        summary.entries += 1;
        summary.first.get_or_insert(at);
        summary.last = Some(at);
        if head_missing == Some(chain.previous) {
            head_missing = None;
        }
        line.clear();
    }
    if let Some(head) = head_missing {
        let fault = if summary.entries == 0 { Fault::Empty } else { Fault::HeadMissing(head) };
        return Err(Broken { line: summary.entries, fault }.into());
    }
    summary.head = chain.head().filter(|_| summary.entries > 0);
    Ok(summary)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(entries: u64) -> Vec<String> {
        let mut chain = Chain::start();
        let entry = |_| {
            let what = Event::Maintenance { what: "lens \"cleaned\",\"hash\":\"x".to_owned() };
            let line;
            (line, chain) = chain.write(Timestamp::UNIX_EPOCH, true, &Who::Unit, &what);
            line
        };
        (0..entries).map(entry).collect()
    }

    fn check(lines: &[String], head: Option<Digest>) -> Result<Summary, Broken> {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        verify(text.as_bytes(), None, head).map_err(|error| match error {
            VerifyError::Broken(broken) => broken,
            VerifyError::Read(error) => panic!("a slice is always readable: {error}"),
        })
    }

    fn fault(lines: &[String]) -> (u64, Fault) {
        let broken = check(lines, None).unwrap_err();
        (broken.line, broken.fault)
    }

    #[test]
    fn an_untouched_log_is_whole() {
        let summary = check(&log(5), None).unwrap();
        assert_eq!((summary.entries, summary.head.unwrap().number), (5, 5));
        assert_eq!(check(&[], None).unwrap().entries, 0);
    }

    #[test]
    fn any_changed_byte_shows_in_its_line() {
        let whole = log(3);
        for position in 0..whole[1].len() {
            let mut bytes = whole[1].clone().into_bytes();
            bytes[position] ^= 1;
            let Ok(line) = String::from_utf8(bytes) else { continue };
            let lines = [whole[0].clone(), line, whole[2].clone()];
            assert_eq!(fault(&lines).0, 2, "byte {position}");
        }
    }

    #[test]
    fn a_line_removed_moved_doubled_or_at_the_front_cut_off_shows() {
        let whole = log(4);
        let pick = |order: &[usize]| order.iter().map(|&i| whole[i].clone()).collect::<Vec<_>>();
        assert_eq!(fault(&pick(&[0, 2, 3])), (2, Fault::Number { expected: 2, found: 3 }));
        assert_eq!(fault(&pick(&[0, 2, 1, 3])), (2, Fault::Number { expected: 2, found: 3 }));
        assert_eq!(fault(&pick(&[0, 1, 1, 2])), (3, Fault::Number { expected: 3, found: 2 }));
        assert_eq!(fault(&pick(&[1, 2, 3])), (1, Fault::Number { expected: 1, found: 2 }));
    }

    #[test]
    fn a_line_written_anew_with_a_fitting_hash_shows_in_the_next() {
        let whole = log(3);
        let before = Chain::before(whole[1].as_bytes()).unwrap();
        let (forged, _) = before.write(Timestamp::UNIX_EPOCH, true, &Who::Unit, &Event::Stopped);
        assert_eq!(fault(&[whole[0].clone(), forged, whole[2].clone()]), (3, Fault::Unlinked));
    }

    #[test]
    fn a_cut_off_end_shows_against_a_known_head() {
        let whole = log(3);
        let head = check(&whole, None).unwrap().head.unwrap().hash;
        assert!(check(&whole, Some(head)).is_ok());
        let cut = check(&whole[..2], Some(head)).unwrap_err();
        assert_eq!(cut, Broken { line: 2, fault: Fault::HeadMissing(head) });
        assert_eq!(check(&[], Some(head)).unwrap_err().fault, Fault::Empty);
    }

    #[test]
    fn a_later_part_is_checked_from_the_hash_before_it() {
        let whole = log(4);
        let before = check(&whole[..2], None).unwrap().head.unwrap().hash;
        let rest = format!("{}\n{}\n", whole[2], whole[3]);
        assert_eq!(verify(rest.as_bytes(), Some(before), None).unwrap().entries, 2);
        assert!(verify(rest.as_bytes(), Some(ANCHOR), None).is_err());
    }

    /// The command of the module page, word for word.
    #[test]
    fn anybody_can_check_a_line_with_a_shell() {
        let folder = tempfile::tempdir().unwrap();
        let lines = log(3);
        std::fs::write(folder.path().join("audit.jsonl"), lines.join("\n")).unwrap();
        let command = r#"line=$(sed -n 2p audit.jsonl); printf '%s' "${line%,\"hash\":*}" | sha256sum"#;
        let shell = std::process::Command::new("sh").args(["-c", command]).current_dir(&folder).output();
        let said = String::from_utf8(shell.unwrap().stdout).unwrap();
        assert_eq!(said.get(..64), Some(parse(lines[1].as_bytes()).unwrap().hash.to_string().as_str()));
    }
}
