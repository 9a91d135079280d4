//! Chunks in any order to a new edition, in bounded memory.
//!
//! Rows must end up in blocks by their keyed hash, and chunks bring them in any order. So rows are first
//! spilled to one temporary file in [`PARTS`] parts by block number, then each part is read back, dealt out
//! to its blocks and written. Memory: the parts' buffers (8 MB) and then one part at a time. The spill is
//! sealed with a key that nobody keeps (see `spill`).

use std::path::Path;

use super::chunk;
use super::edition::{self, Blocks, Edition, ListKeys};
use super::entry::Entry;
use super::filter::Filter;
use super::listed::Listed;
use super::message::Manifest;
use super::refusal::{ChunkError, Refusal, StoreError};
use super::row;
use super::spill::{Piece, Spill};
use crate::crypto::Digest;

const PARTS: usize = 128;
const BUFFER: usize = 64 << 10;
/// Blocks (2.5 MB of them) that sled may gather before it must write them out.
const BLOCKS_AT_ONCE: u32 = 512;

/// Gathers the chunks of one manifest.
pub struct Builder {
    manifest: Manifest,
    arrived: Vec<bool>,
    block_count: u32,
    spill: Spill,
    parts: Vec<Part>,
    patterns: Vec<Entry>,
    filter: Filter,
    found: u64,
}

#[derive(Default)]
struct Part {
    /// Rows not yet spilled, each behind its block number (4 bytes).
    buffer: Vec<u8>,
    pieces: Vec<Piece>,
}

/// What a chunk did.
#[derive(Debug, PartialEq, Eq)]
pub enum Taken {
    /// It was there already.
    Doubled,
    Missing(usize),
    Complete,
}

impl Builder {
    /// Spills into `folder`.
    pub fn new(folder: &Path, manifest: Manifest) -> Result<Self, StoreError> {
        let block_count = edition::blocks_for(manifest.count);
        Ok(Self {
            arrived: vec![false; manifest.chunks.len()],
            block_count,
            spill: Spill::create(folder)?,
            parts: (0..PARTS).map(|_| Part::default()).collect(),
            patterns: Vec::new(),
            filter: Filter::for_entries(manifest.count),
            found: 0,
            manifest,
        })
    }

    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    pub fn missing(&self) -> usize {
        self.arrived.iter().filter(|&&arrived| !arrived).count()
    }

    /// Takes one chunk. A chunk that is not the announced one is refused and may come again; after any other
    /// error the edition is no good and the builder must be dropped.
    pub fn take(&mut self, keys: &ListKeys, index: u32, payload: &[u8]) -> Result<Taken, Refusal> {
        let version = self.manifest.version;
        let place = index as usize;
        let announced = self.manifest.chunks.get(place).ok_or(Refusal::NoSuchChunk { version, index })?;
        if self.arrived[place] {
            return Ok(Taken::Doubled);
        }
        if Digest::of(payload) != *announced {
            return Err(Refusal::Chunk { version, index });
        }
        chunk::unpack(payload, |entry| self.add(keys, &entry).map_err(Failure::Refused))
            .map_err(|failure| failure.at(index))?;
        self.arrived[place] = true;
        Ok(match self.missing() {
            0 => Taken::Complete,
            missing => Taken::Missing(missing),
        })
    }

    fn add(&mut self, keys: &ListKeys, entry: &Entry) -> Result<(), Refusal> {
        self.found += 1;
        if self.found > self.manifest.count {
            return Err(Refusal::Count { announced: self.manifest.count, found: self.found });
        }
        match &entry.plate {
            Listed::Pattern(_) => {
                self.patterns.push(entry.clone());
                edition::check_patterns(self.patterns.len())
            }
            Listed::Plate(plate) => {
                self.filter.insert(plate);
                let block = keys.block_of(plate, self.block_count);
                let part = &mut self.parts[block as usize * PARTS / self.block_count as usize];
                if part.buffer.capacity() == 0 {
                    part.buffer.reserve_exact(BUFFER + row::MAX);
                }
                part.buffer.extend_from_slice(&block.to_be_bytes());
                row::encode(entry, &mut part.buffer);
                if part.buffer.len() >= BUFFER {
                    part.pieces.push(self.spill.write(&part.buffer)?);
                    part.buffer.clear();
                }
                Ok(())
            }
        }
    }

    /// Writes the edition into a folder named `id` under `parent`, durably.
    pub fn finish(mut self, keys: &ListKeys, parent: &Path, id: &str) -> Result<Edition, Refusal> {
        if self.found != self.manifest.count {
            return Err(Refusal::Count { announced: self.manifest.count, found: self.found });
        }
        let version = self.manifest.version;
        let blocks = Blocks::open(parent, id)?;
        let mut rows: Vec<Vec<u8>> = Vec::new();
        let mut next_block = 0;
        for (index, part) in std::mem::take(&mut self.parts).into_iter().enumerate() {
            let end = ((index + 1) * self.block_count as usize).div_ceil(PARTS) as u32;
            let first = next_block;
            rows.resize_with((end - first) as usize, Vec::new);
            for piece in part.pieces {
                deal(&self.spill.read(piece)?, first, &mut rows);
            }
            deal(&part.buffer, first, &mut rows);
            for rows in &mut rows {
                edition::check_crowding(rows)?;
                blocks.write(keys, next_block, version, rows)?;
                rows.clear();
                next_block += 1;
                if next_block.is_multiple_of(BLOCKS_AT_ONCE) {
                    blocks.write_out()?;
                }
            }
        }
        let mut rows = Vec::new();
        self.patterns.iter().for_each(|entry| row::encode(entry, &mut rows));
        blocks.write(keys, self.block_count, version, &rows)?;
        blocks.sync()?;
        Ok(Edition::new(blocks, version, self.filter, self.patterns, self.manifest.count))
    }
}

/// Deals spilled rows out to the blocks from `first` on.
fn deal(mut spilled: &[u8], first: u32, rows: &mut [Vec<u8>]) {
    while let Some((block, rest)) = spilled.split_first_chunk::<4>() {
        let (length, _) = rest.split_first_chunk::<2>().expect("a row was written behind its block number");
        let (row, rest) = rest.split_at(2 + usize::from(u16::from_le_bytes(*length)));
        rows[(u32::from_be_bytes(*block) - first) as usize].extend_from_slice(row);
        spilled = rest;
    }
}

enum Failure {
    Chunk(ChunkError),
    Refused(Refusal),
}

impl Failure {
    fn at(self, index: u32) -> Refusal {
        match self {
            Self::Chunk(source) => Refusal::ChunkContent { index, source },
            Self::Refused(refusal) => refusal,
        }
    }
}

impl From<ChunkError> for Failure {
    fn from(error: ChunkError) -> Self {
        Self::Chunk(error)
    }
}
