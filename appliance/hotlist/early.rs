use std::collections::BTreeMap;
use std::path::Path;

use super::refusal::StoreError;
use super::spill::{Piece, Spill};

/// Chunks that arrived before the manifest that announces them: a broker sends what it retained in any order.
///
/// Until then nobody vouches for them, so they are kept sealed, in bounds, and looked at by nobody. What does
/// not fit is asked for again later.
#[derive(Default)]
pub struct EarlyChunks {
    spill: Option<Spill>,
    pieces: BTreeMap<(u64, u32), Piece>,
}

/// Room for the chunks of two lists of a million entries.
const BYTES_MAX: u64 = 64 << 20;

impl EarlyChunks {
    /// A chunk that comes again takes the place of the first.
    pub fn keep(&mut self, folder: &Path, version: u64, index: u32, chunk: &[u8]) -> Result<(), StoreError> {
        let spill = match &mut self.spill {
            Some(spill) => spill,
            none => none.insert(Spill::create(folder)?),
        };
        if spill.length() + chunk.len() as u64 <= BYTES_MAX {
            self.pieces.insert((version, index), spill.write(chunk)?);
        }
        Ok(())
    }

    /// The chunks of one version; those of others are dropped.
    pub fn take(&mut self, version: u64) -> Vec<(u32, Piece)> {
        let all = std::mem::take(&mut self.pieces);
        all.into_iter()
            .filter(|((of, _), _)| *of == version)
            .map(|((_, index), piece)| (index, piece))
            .collect()
    }

    pub fn read(&self, piece: Piece) -> Result<Vec<u8>, StoreError> {
        self.spill.as_ref().ok_or_else(|| StoreError::Damaged("the early chunks".to_owned()))?.read(piece)
    }
}
