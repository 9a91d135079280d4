//! The department's copy of a unit's log: its lines, to the byte, lie in the batches that the unit sent.

use std::collections::BTreeSet;
use std::io::BufRead;
use std::path::Path;

use anyhow::Context;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::crypto::Digest;
use crate::words::UnitId;

/// Every line of the unit's log that was received, by number. One that came twice stands once; two that differ under
/// one number both stand, for the check to find.
pub fn collect(received: &Path, unit: &UnitId) -> anyhow::Result<Vec<String>> {
    let mut lines = BTreeSet::new();
    for day in std::fs::read_dir(received).with_context(|| format!("reading {}", received.display()))? {
        let path = day?.path().join(unit.as_str()).join("events.jsonl");
        let text = match std::fs::read_to_string(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => continue,
            other => other.with_context(|| format!("reading {}", path.display()))?,
        };
        for (number, stored) in (1..).zip(text.lines()) {
            let entries = entries(stored).with_context(|| format!("{}, line {number}", path.display()))?;
            lines.extend(entries);
        }
    }
    Ok(lines.into_iter().map(|(_, line)| line).collect())
}

/// What a receiver's line holds of the log, with the entries' numbers.
fn entries(stored: &str) -> anyhow::Result<Vec<(u64, String)>> {
    #[derive(Deserialize)]
    struct Stored<'a> {
        #[serde(borrow)]
        event: Event<'a>,
    }
    #[derive(Deserialize)]
    struct Event<'a> {
        r#type: String,
        #[serde(borrow)]
        data: &'a RawValue,
    }
    #[derive(Deserialize)]
    struct Numbered {
        number: u64,
    }
    let Stored { event } = serde_json::from_str(stored)?;
    if event.r#type != "milepost.audit.v1" {
        return Ok(Vec::new());
    }
    let entries: Vec<&RawValue> = serde_json::from_str(event.data.get())?;
    let numbered = |entry: &&RawValue| {
        let Numbered { number } = serde_json::from_str(entry.get())?;
        Ok((number, entry.get().to_owned()))
    };
    entries.iter().map(numbered).collect()
}

/// The hash of the last line of a log.
pub fn last_hash(log: impl BufRead) -> anyhow::Result<Digest> {
    #[derive(Deserialize)]
    struct Hashed {
        hash: Digest,
    }
    let last = log.lines().filter(|line| !matches!(line, Ok(line) if line.is_empty())).last();
    let Hashed { hash } = serde_json::from_str(&last.context("it has no entries")??)?;
    Ok(hash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{Chain, Event, Who, verify};

    #[test]
    fn a_collected_log_is_the_units_log_to_the_byte() {
        let folder = tempfile::tempdir().unwrap();
        let unit = UnitId::parse("north-7").unwrap();
        let mut chain = Chain::start();
        let mut log = Vec::new();
        for number in 0..12 {
            let what = Event::Maintenance { what: format!("cleaned: \"{number}\"") };
            let line;
            (line, chain) = chain.write(jiff::Timestamp::UNIX_EPOCH, true, &Who::Unit, &what);
            log.push(line);
        }
        // Entries 4 to 8 were sent twice, and the later day came first.
        for (day, part) in [("2026-03-02", &log[4..12]), ("2026-03-01", &log[..8])] {
            let place = folder.path().join(day).join("north-7");
            std::fs::create_dir_all(&place).unwrap();
            let audit =
                format!("{{\"event\":{{\"type\":\"milepost.audit.v1\",\"data\":[{}]}}}}", part.join(","));
            let other = "{\"event\":{\"type\":\"milepost.purge-certificate.v1\",\"data\":{\"number\":1}}}";
            std::fs::write(place.join("events.jsonl"), format!("{other}\n{audit}\n")).unwrap();
        }
        let collected = collect(folder.path(), &unit).unwrap();
        assert_eq!(collected, log);
        let text = collected.join("\n");
        assert_eq!(last_hash(text.as_bytes()).unwrap(), chain.head().unwrap().hash);
        verify(text.as_bytes(), None, chain.head().map(|head| head.hash)).unwrap();
        assert!(collect(folder.path(), &UnitId::parse("south-1").unwrap()).unwrap().is_empty());
    }
}
