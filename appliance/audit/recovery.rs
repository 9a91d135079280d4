//! What a start makes of the files that it finds: where the log goes on, and what of it no power cut explains.
//!
//! | found | made of it |
//! |---|---|
//! | a last line that is no whole entry | cut off: only an append that never returned leaves one behind |
//! | a last file with nothing else | passed over: its first entry never became durable, and the file before is the last |
//! | damage anywhere else | left for the check to find; the chain goes on from the line that stands behind it |
//! | a file in which no line can be read | left as well; the chain goes on behind the file before |
//! | a disk that does not take the cut | asked again before the next entry |

use std::collections::VecDeque;
use std::path::Path;

use super::chain::{Broken, Chain};
use super::log::{AuditError, Tail, number_of, path_of};
use crate::system::Disk;

/// Longer than any entry.
const LINE_MAX: usize = 64 << 10;

/// What opening found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    pub entries: u64,
    /// Bytes of a torn last line that were dropped.
    pub torn_bytes: u64,
    /// Damage in the newest file that no power cut explains; left as it is.
    pub damage: Option<Broken>,
}

pub(super) fn recover(folder: &Path, disk: &dyn Disk) -> Result<(Tail, Recovered), AuditError> {
    let read = |path: &Path, source| AuditError::Read { path: path.into(), source };
    let names = disk.list(folder).map_err(|source| read(folder, source))?;
    let mut files: Vec<u64> = names.iter().filter_map(|name| number_of(name)).collect();
    files.sort_unstable();
    let mut torn_bytes = 0;
    while let Some(&first) = files.last() {
        let path = path_of(folder, first);
        let bytes = disk.read(&path).map_err(|source| read(&path, source))?;
        let whole = without_torn_end(&bytes);
        let mut torn = false;
        if whole < bytes.len() {
            torn_bytes += (bytes.len() - whole) as u64;
            // A disk that does not take the cut now, full or read-only, is asked again before the next entry.
            torn = disk.truncate(&path, whole as u64).and_then(|()| disk.sync(&path)).is_err();
        }
        if whole == 0 {
            // A new file whose first entry never became durable: the one before is still the last.
            files.pop();
            continue;
        }
        let (chain, mut damage) = walk(&bytes[..whole], None, 0);
        let damage = damage.pop_front();
        // Where not one line can be read, the chain goes on behind the file before, and the check tells the rest.
        let chain = match (chain, files.len().checked_sub(2)) {
            (Some(chain), _) => chain,
            (None, Some(before)) => {
                let bytes = disk.read(&path_of(folder, files[before])).unwrap_or_default();
                walk(&bytes, None, 0).0.unwrap_or_else(Chain::start)
            }
            (None, None) => Chain::start(),
        };
        let entries = chain.head().map_or(0, |head| head.number);
        let unfinished = bytes[whole - 1] != b'\n';
        let mut tail = Tail::behind(chain, files, whole as u64);
        (tail.torn, tail.unfinished) = (torn, unfinished);
        return Ok((tail, Recovered { entries, torn_bytes, damage }));
    }
    let tail = Tail::behind(Chain::start(), files, 0);
    Ok((tail, Recovered { entries: 0, torn_bytes, damage: None }))
}

/// How many bytes are left without a last line that is no entry. A torn write may lack any of its sectors,
/// so a line feed at the end proves nothing.
///
/// What is longer than any line was not torn by a power cut: it stays, for the check to find.
fn without_torn_end(bytes: &[u8]) -> usize {
    let whole = without_last_if_no_entry(bytes);
    if bytes.len() - whole > LINE_MAX { bytes.len() } else { whole }
}

fn without_last_if_no_entry(bytes: &[u8]) -> usize {
    let unfinished = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |feed| feed + 1);
    if unfinished < bytes.len() {
        return unfinished;
    }
    let body = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let start = body.iter().rposition(|&byte| byte == b'\n').map_or(0, |feed| feed + 1);
    if Chain::before(&body[start..]).is_err() { start } else { bytes.len() }
}

/// Follows the chain through one file, which `chain` leads to (None: wherever it begins) behind so many lines.
/// Behind damage it goes on from the line that stands there, so that the log can be continued and the check still
/// finds the damage.
pub(super) fn walk(
    bytes: &[u8],
    mut chain: Option<Chain>,
    lines_before: u64,
) -> (Option<Chain>, VecDeque<Broken>) {
    let lines = bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    let mut damage = VecDeque::new();
    for (line, text) in (lines_before + 1..).zip(lines) {
        let mut own = match Chain::before(text) {
            Ok(own) => own,
            Err(fault) => {
                damage.push_back(Broken { line, fault });
                // What follows from it cannot be told; the damage is told already.
                chain = None;
                continue;
            }
        };
        if let Some(Err(fault)) = chain.map(|mut expected| expected.step(text)) {
            damage.push_back(Broken { line, fault });
        }
        chain = own.step(text).ok().map(|_| own);
    }
    (chain, damage)
}
