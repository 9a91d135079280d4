//! What sled writes, brought to the disk for certain.

use std::fs::{self, File};
use std::path::Path;

use super::refusal::StoreError;

/// So that no name in it is lost.
pub fn sync_folder(folder: &Path) -> Result<(), StoreError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(StoreError::file(folder))
}

/// Syncs every file under a folder, and the folders. sled's own flush does not empty the disk's cache
/// (it calls `sync_file_range`); this does, since `fsync` takes all of a file's data, whoever wrote it.
pub fn sync_tree(folder: &Path) -> Result<(), StoreError> {
    for item in fs::read_dir(folder).map_err(StoreError::file(folder))? {
        let path = item.map_err(StoreError::file(folder))?.path();
        if path.is_dir() {
            sync_tree(&path)?;
        } else {
            // sled may replace its own snapshot file in between; a file that is gone needs no sync.
            match File::open(&path).and_then(|file| file.sync_all()) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                synced => synced.map_err(StoreError::file(&path))?,
            }
        }
    }
    sync_folder(folder)
}
