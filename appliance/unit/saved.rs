//! What the unit must remember over a restart besides records and lists: latched reasons, verified aims, the last check
//! of the lists.

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::console::ListsChecked;
use crate::health::{Reference, Standing};
use crate::system::write_durably;
use crate::words::CameraId;

/// Small files in the state directory, each replaced whole.
pub struct Saved {
    folder: PathBuf,
}

/// A file that is there but cannot be used. Never overwritten silently: it may hold a latched fault.
#[derive(Debug, thiserror::Error)]
pub enum SavedError {
    #[error("{} cannot be read: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} is damaged ({source}); move it away to start without what it held", path.display())]
    Damaged { path: PathBuf, source: serde_json::Error },
    #[error("{} cannot be written: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
}

impl Saved {
    pub fn new(state_dir: &Path) -> Self {
        Self { folder: state_dir.to_owned() }
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn latched(&self) -> Result<Vec<Standing>, SavedError> {
        Ok(self.load("service.json")?.unwrap_or_default())
    }

    pub fn keep_latched(&self, latched: &[Standing]) -> Result<(), SavedError> {
        self.store("service.json", &latched)
    }

    pub fn aim(&self, camera: &CameraId) -> Result<Option<Reference>, SavedError> {
        self.load(&aim_file(camera))
    }

    pub fn keep_aim(&self, camera: &CameraId, reference: &Reference) -> Result<(), SavedError> {
        self.store(&aim_file(camera), reference)
    }

    pub fn lists_checked(&self) -> Result<Option<ListsChecked>, SavedError> {
        self.load("lists-checked.json")
    }

    pub fn keep_lists_checked(&self, checked: &ListsChecked) -> Result<(), SavedError> {
        self.store("lists-checked.json", checked)
    }

    fn load<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, SavedError> {
        let path = self.folder.join(name);
        match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .map_err(|source| SavedError::Damaged { path, source }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(SavedError::Read { path, source }),
        }
    }

    fn store<T: Serialize>(&self, name: &str, value: &T) -> Result<(), SavedError> {
        let path = self.folder.join(name);
        let bytes = serde_json::to_vec(value).expect("saved values are plain data with string keys");
        write_durably(&path, &bytes).map_err(|source| SavedError::Write { path, source })
    }
}

fn aim_file(camera: &CameraId) -> String {
    format!("aim-{camera}.json")
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::health::Reason;

    #[test]
    fn latched_reasons_come_back_and_damage_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let saved = Saved::new(folder.path());
        assert_eq!(saved.latched().unwrap(), []);
        let moved = Standing {
            reason: Reason::CameraMoved,
            camera: Some(CameraId::parse("lane-1").unwrap()),
            detail: "the camera points 43 px to the left".into(),
            since: Timestamp::UNIX_EPOCH,
            by: None,
        };
        saved.keep_latched(std::slice::from_ref(&moved)).unwrap();
        assert_eq!(saved.latched().unwrap(), [moved]);
        std::fs::write(folder.path().join("service.json"), b"[{").unwrap();
        assert!(matches!(saved.latched(), Err(SavedError::Damaged { .. })));
    }
}
