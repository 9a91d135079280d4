use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::refusal::StoreError;
use crate::crypto::{SealKey, hex, random};

/// A temporary file for what would not fit into memory; removed when dropped.
///
/// It is sealed with a key that nobody keeps: after a crash it is noise, and the next start deletes it.
pub struct Spill {
    path: PathBuf,
    file: File,
    end: u64,
    seal: SealKey,
}

/// Where in the file something lies.
#[derive(Clone, Copy)]
pub struct Piece {
    offset: u64,
    length: usize,
}

impl Spill {
    pub fn create(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join(format!("{}.spill", hex(&random::<8>())));
        let file = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)
            .map_err(StoreError::file(&path))?;
        Ok(Self { path, file, end: 0, seal: SealKey::new(random()) })
    }

    /// Bytes in the file.
    pub fn length(&self) -> u64 {
        self.end
    }

    pub fn write(&mut self, bytes: &[u8]) -> Result<Piece, StoreError> {
        let sealed = self.seal.seal(&self.end.to_be_bytes(), bytes);
        self.file.write_all(&sealed).map_err(StoreError::file(&self.path))?;
        let piece = Piece { offset: self.end, length: sealed.len() };
        self.end += sealed.len() as u64;
        Ok(piece)
    }

    pub fn read(&self, piece: Piece) -> Result<Vec<u8>, StoreError> {
        let mut sealed = vec![0; piece.length];
        self.file.read_exact_at(&mut sealed, piece.offset).map_err(StoreError::file(&self.path))?;
        self.seal
            .open(&piece.offset.to_be_bytes(), &sealed)
            .map_err(|_| StoreError::Damaged(self.path.display().to_string()))
    }
}

impl Drop for Spill {
    fn drop(&mut self) {
        // If it cannot be removed now, the next start does; it is unreadable without its key.
        let _ = std::fs::remove_file(&self.path);
    }
}
