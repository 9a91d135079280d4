use std::path::PathBuf;

use crate::words::RecordId;

#[derive(Debug, Clone, thiserror::Error)]
pub enum RecordError {
    #[error("the records in {path} cannot be opened: {why}")]
    Open { path: PathBuf, why: String },
    #[error(
        "none of the records in {path} opens with this unit's key: give the unit the key back that they were stored with, or \
         move the folder away to begin without them"
    )]
    OtherKey { path: PathBuf },
    #[error("the disk does not take records: {0}")]
    Disk(String),
    #[error("there is already a record {0}")]
    Duplicate(RecordId),
    #[error("there is no record {0}: it was purged, or never stored")]
    Unknown(RecordId),
    #[error("record {0} was damaged on the disk and is lost")]
    Damaged(RecordId),
}

impl From<std::io::Error> for RecordError {
    fn from(error: std::io::Error) -> Self {
        Self::Disk(error.to_string())
    }
}
