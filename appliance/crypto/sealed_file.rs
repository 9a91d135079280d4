use std::io;
use std::marker::PhantomData;
use std::path::PathBuf;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::SealKey;
use crate::system::{remove_durably, write_durably};

/// One value in a small file of its own, which only the unit's key opens. It is replaced whole: after a power cut it holds
/// the old value or the new.
pub struct SealedFile<T> {
    path: PathBuf,
    key: SealKey,
    /// See [`SealKey::seal`].
    context: &'static [u8],
    value: PhantomData<fn() -> T>,
}

/// A sealed file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SealedFileError {
    #[error("{} cannot be read: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} cannot be written: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("{} is damaged, or was written with another unit key", path.display())]
    Damaged { path: PathBuf },
}

impl<T: Serialize + DeserializeOwned> SealedFile<T> {
    /// Touches no disk yet.
    pub fn new(path: PathBuf, key: SealKey, context: &'static [u8]) -> Self {
        Self { path, key, context, value: PhantomData }
    }

    /// None where there is no file.
    pub fn read(&self) -> Result<Option<T>, SealedFileError> {
        let path = || self.path.clone();
        match std::fs::read(&self.path) {
            Ok(sealed) => match self.key.open_json(self.context, &sealed) {
                Some(value) => Ok(Some(value)),
                None => Err(SealedFileError::Damaged { path: path() }),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(SealedFileError::Read { path: path(), source }),
        }
    }

    /// Durable once this returns.
    pub fn write(&self, value: &T) -> Result<(), SealedFileError> {
        write_durably(&self.path, &self.key.seal_json(self.context, value))
            .map_err(|source| SealedFileError::Write { path: self.path.clone(), source })
    }

    /// Durable once this returns, also where there is none.
    pub fn remove(&self) -> Result<(), SealedFileError> {
        remove_durably(&self.path)
            .map_err(|source| SealedFileError::Write { path: self.path.clone(), source })
    }

    /// What it is sealed with, for a copy that lies elsewhere under a context of its own.
    pub fn key(&self) -> &SealKey {
        &self.key
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::UnitKey;

    #[test]
    fn only_its_own_key_and_context_open_it_and_none_is_no_damage() {
        let (folder, unit) = (tempfile::tempdir().unwrap(), UnitKey::generate());
        let file = |key: &UnitKey, context| {
            SealedFile::<Vec<String>>::new(folder.path().join("names"), key.derive("names"), context)
        };
        assert_eq!(file(&unit, b"names 1").read().unwrap(), None);
        file(&unit, b"names 1").write(&vec!["Ann".to_owned()]).unwrap();
        assert_eq!(file(&unit, b"names 1").read().unwrap().unwrap(), ["Ann"]);
        for strange in [file(&unit, b"names 2"), file(&UnitKey::generate(), b"names 1")] {
            assert!(matches!(strange.read(), Err(SealedFileError::Damaged { .. })));
        }
        assert!(!std::fs::read(folder.path().join("names")).unwrap().windows(3).any(|text| text == b"Ann"));
        for _ in 0..2 {
            file(&unit, b"names 1").remove().unwrap();
            assert_eq!(file(&unit, b"names 1").read().unwrap(), None);
        }
    }
}
