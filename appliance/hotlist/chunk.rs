//! One piece of a snapshot: up to some thousand entries, one JSON object a line, compressed with zstd.

use std::io::Read;

use super::entry::Entry;
use super::refusal::ChunkError;
use crate::words::json_mistake;

/// A chunk may unpack to this much, no more; [`pack`] stays far below.
const UNPACKED_MAX: usize = 8 << 20;
/// Longer than any entry that its fields' bounds admit, fully escaped (0.9 k characters, 6 bytes each).
const LINE_MAX: usize = 8 << 10;
/// 8 MB of history: what `zstd` uses up to level 19, so any publisher's chunk can be unpacked.
const WINDOW_LOG_MAX: u32 = 23;
/// Entries in a chunk of ours: about 1.2 MB unpacked, 100-250 kB compressed.
pub const ENTRIES: usize = 10_000;

/// Nor more than this unpacked, however long their texts are: what cannot be compressed at all still fits a message.
const LINES_MAX: usize = 1_000_000;

/// Compresses entries to a chunk; the caller minds what a chunk may hold.
pub fn pack(entries: &[Entry]) -> Vec<u8> {
    compress(&entries.iter().flat_map(line).collect::<Vec<u8>>())
}

/// Cuts a list into chunks that every unit takes.
pub fn pack_list(entries: &[Entry]) -> Vec<Vec<u8>> {
    let mut chunks = Vec::new();
    let (mut lines, mut count) = (Vec::new(), 0);
    for entry in entries {
        let line = line(entry);
        if count == ENTRIES || lines.len() + line.len() > LINES_MAX {
            chunks.push(compress(&lines));
            lines.clear();
            count = 0;
        }
        lines.extend(line);
        count += 1;
    }
    if count > 0 {
        chunks.push(compress(&lines));
    }
    chunks
}

fn line(entry: &Entry) -> Vec<u8> {
    let mut line = serde_json::to_vec(entry).expect("an entry is plain data with string keys");
    line.push(b'\n');
    line
}

fn compress(lines: &[u8]) -> Vec<u8> {
    // Level 9 packs a tenth smaller than 3 and unpacks as fast; the department packs once, units unpack often.
    zstd::bulk::compress(lines, 9).expect("compressing memory to memory cannot fail")
}

/// Hands every entry of a chunk to `take`. Memory is bounded whatever the bytes are.
pub fn unpack<E: From<ChunkError>>(
    chunk: &[u8],
    mut take: impl FnMut(Entry) -> Result<(), E>,
) -> Result<(), E> {
    let lines = decompress(chunk)?;
    for (index, line) in lines.split(|&byte| byte == b'\n').enumerate() {
        let number = index + 1;
        if line.trim_ascii().is_empty() {
            continue;
        }
        if line.len() > LINE_MAX {
            return Err(ChunkError::LongLine { line: number, most: LINE_MAX }.into());
        }
        take(parse_line(line).map_err(|error| wrong(number, &error))?)?;
    }
    Ok(())
}

/// One line of a list file or of a chunk.
pub fn parse_line(line: &[u8]) -> Result<Entry, serde_json::Error> {
    serde_json::from_slice(line)
}

/// Bounded in memory, whatever the bytes are.
pub(super) fn decompress(chunk: &[u8]) -> Result<Vec<u8>, ChunkError> {
    let mut decoder = zstd::stream::read::Decoder::with_buffer(chunk).map_err(ChunkError::Compression)?;
    decoder.window_log_max(WINDOW_LOG_MAX).map_err(ChunkError::Compression)?;
    let mut lines = Vec::with_capacity((chunk.len() * 8).min(UNPACKED_MAX));
    decoder.take(UNPACKED_MAX as u64 + 1).read_to_end(&mut lines).map_err(ChunkError::Compression)?;
    if lines.len() > UNPACKED_MAX { Err(ChunkError::Bomb(UNPACKED_MAX)) } else { Ok(lines) }
}

/// Why JSON from outside was not taken, without quoting it.
pub(super) fn wrong(line: usize, error: &serde_json::Error) -> ChunkError {
    ChunkError::Entry { line, column: error.column(), why: json_mistake(error) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::hotlist::{Category, Listed};

    fn unpacked(chunk: &[u8]) -> Result<Vec<Entry>, ChunkError> {
        let mut entries = Vec::new();
        unpack(chunk, |entry| {
            entries.push(entry);
            Ok::<_, ChunkError>(())
        })?;
        Ok(entries)
    }

    #[test]
    fn unpacks_what_it_packed() {
        let entries: Vec<Entry> = (0..100)
            .map(|n| Entry::new(Listed::parse(&format!("ABC{n}")).unwrap(), Category::Stolen))
            .collect();
        assert_eq!(unpacked(&pack(&entries)).unwrap(), entries);
        assert_eq!(unpacked(&pack(&[])).unwrap(), []);
    }

    #[test]
    fn a_list_of_long_texts_is_cut_into_chunks_that_units_take() {
        let noise = |number: usize| -> String {
            // Of many alphabets, so that it compresses badly.
            (0..500)
                .map(|at| char::from_u32(0x4e00 + (number * 7919 + at * 104_729) as u32 % 20_000).unwrap())
                .collect()
        };
        let entry = |number: usize| Entry {
            instructions: noise(number).parse().unwrap(),
            ..Entry::new(Listed::parse(&format!("P{number}")).unwrap(), Category::Wanted)
        };
        let entries: Vec<Entry> = (0..6000).map(entry).collect();
        let chunks = pack_list(&entries);
        assert!(chunks.iter().all(|chunk| chunk.len() <= crate::hotlist::MESSAGE_MAX));
        let again: Vec<Entry> = chunks.iter().flat_map(|chunk| unpacked(chunk).unwrap()).collect();
        assert_eq!(again, entries);
        assert_eq!(pack_list(&[]), Vec::<Vec<u8>>::new());
    }

    #[test]
    fn a_bomb_is_refused_before_it_fills_memory() {
        let bomb = zstd::bulk::compress(&vec![b' '; 200 << 20], 19).unwrap();
        assert!(bomb.len() < 50_000);
        assert!(matches!(unpacked(&bomb), Err(ChunkError::Bomb(_))));
    }

    #[test]
    fn a_bad_line_is_named_by_place_and_never_quoted() {
        let lines = b"{\"plate\":\"ABC123\",\"category\":\"stolen\"}\n\n{\"plate\":\"SECRET1!\",\"category\":\"bolo\"}\n";
        let error = unpacked(&zstd::bulk::compress(lines, 3).unwrap()).unwrap_err();
        assert!(matches!(error, ChunkError::Entry { line: 3, .. }), "{error}");
        assert!(!error.to_string().contains("SECRET"));
        let long = zstd::bulk::compress(&vec![b'x'; LINE_MAX + 1], 3).unwrap();
        assert!(matches!(unpacked(&long), Err(ChunkError::LongLine { line: 1, .. })));
        let cut = &pack(&[Entry::new(Listed::parse("ABC123").unwrap(), Category::Stolen)]);
        assert!(matches!(unpacked(&cut[..cut.len() - 4]), Err(ChunkError::Compression(_))));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), text in ".{0,200}") {
            let _ = unpacked(&bytes);
            let _ = unpacked(&zstd::bulk::compress(text.as_bytes(), 1).unwrap());
        }
    }
}
