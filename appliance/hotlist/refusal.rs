use jiff::Timestamp;

use crate::crypto::{SealedFileError, SignatureError};
use crate::words::ListName;

/// Why an update, or a part of it, was refused. The list in force stays in force.
///
/// The messages go to health, the audit log and the publisher; none names a listed plate.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error("no list of this name is configured on this unit")]
    UnknownList,
    #[error("the topic is none of a list's topics")]
    UnknownTopic,
    #[error("the message has {0} bytes, more than a list's message may have")]
    MessageTooLong(usize),
    #[error(transparent)]
    Signature(#[from] SignatureError),
    #[error("the message is about the list {0}, its topic is not")]
    OtherList(ListName),
    #[error("the versions do not rise: from {base} to {version}")]
    Versions { base: u64, version: u64 },
    #[error("version {offered} is older than version {seen}, which this unit has already held")]
    Older { offered: u64, seen: u64 },
    #[error(
        "this unit has held version {seen} before, and now holds {}: its storage was restored or exchanged; nothing older \
         than {seen} is taken",
        held.map_or("none".to_owned(), |held| format!("version {held}"))
    )]
    Restored { held: Option<u64>, seen: u64 },
    #[error("what the unit keeps at the broker for itself is damaged, or was written with another unit key")]
    Memory,
    #[error("version {version} was already refused; publish a higher version")]
    RefusedBefore { version: u64 },
    #[error("two different editions are signed as version {version}; publish a higher version")]
    TwoEditions { version: u64 },
    #[error("it is dated {issued}, more than a day ahead of this unit's clock ({now})")]
    FromTheFuture { issued: Timestamp, now: Timestamp },
    #[error("it expires before it was issued")]
    ExpiresBeforeIssue,
    #[error("it announces {count} entries in {chunks} chunks, more than a list may hold")]
    TooLarge { count: u64, chunks: usize },
    #[error("the edition's digest is not that of its chunks' digests")]
    Digest,
    #[error(
        "chunk {index} of version {version} is not what the signed manifest announces: cut, swapped or changed"
    )]
    Chunk { version: u64, index: u32 },
    #[error("version {version} has no chunk {index}")]
    NoSuchChunk { version: u64, index: u32 },
    #[error("chunk {index}: {source}")]
    ChunkContent { index: u32, source: ChunkError },
    #[error("what follows the delta's envelope is not what was signed: cut, swapped, added or changed")]
    Changes,
    #[error("the delta's packed changes: {0}")]
    ChangesContent(#[from] ChunkError),
    #[error("the chunks hold {found} entries, the manifest announces {announced}")]
    Count { announced: u64, found: u64 },
    #[error("one plate is listed more than {0} times")]
    Crowded(usize),
    #[error("more than {0} entries are patterns")]
    TooManyPatterns(usize),
    #[error("the delta takes out an entry that is not listed")]
    NotListed,
    #[error("it waits for a delta from version {held}, and too many later ones are waiting already")]
    TooManyWaiting { held: u64 },
    #[error(
        "a delta leads on from version {base}, and this unit holds {}: what leads there is missing; publish it again, or \
         a snapshot",
        held.map_or("none".to_owned(), |held| format!("version {held}"))
    )]
    Gap { held: Option<u64>, base: u64 },
    #[error("the list could not be stored: {0}")]
    Storage(#[from] StoreError),
}

impl Refusal {
    /// Whether the same message may be accepted later, so that asking for it again makes sense.
    pub fn may_pass_later(&self) -> bool {
        matches!(
            self,
            Self::FromTheFuture { .. } | Self::Storage(_) | Self::TooManyWaiting { .. } | Self::Gap { .. }
        )
    }
}

/// What is wrong inside a chunk, or the changes of a delta, that are by their digest what was signed.
#[derive(Debug, thiserror::Error)]
pub enum ChunkError {
    #[error("it is not zstd data: {0}")]
    Compression(std::io::Error),
    #[error("it unpacks to more than {0} bytes")]
    Bomb(usize),
    #[error("line {line} is longer than {most} bytes")]
    LongLine { line: usize, most: usize },
    /// Only the place in the line, since serde's own message may quote the line.
    #[error("line {line} is not an entry, at column {column}: {why}")]
    Entry { line: usize, column: usize, why: &'static str },
}

/// Why the lists on disk could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("{path}: {source}")]
    File { path: std::path::PathBuf, source: std::io::Error },
    #[error("the store of list entries: {0}")]
    Sled(#[from] sled::Error),
    #[error("{0} is damaged, or was written with another unit key")]
    Damaged(String),
}

impl From<SealedFileError> for StoreError {
    fn from(error: SealedFileError) -> Self {
        match error {
            SealedFileError::Read { path, source } | SealedFileError::Write { path, source } => {
                Self::File { path, source }
            }
            SealedFileError::Damaged { path } => Self::Damaged(path.display().to_string()),
        }
    }
}

impl StoreError {
    /// Whether the disk is full or read-only, so that what is there may be whole and only cannot be written.
    pub(super) fn is_refusal_to_write(&self) -> bool {
        use std::io::ErrorKind::{PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
        let kind = match self {
            Self::File { source, .. } | Self::Sled(sled::Error::Io(source)) => source.kind(),
            Self::Sled(_) | Self::Damaged(_) => return false,
        };
        matches!(kind, PermissionDenied | QuotaExceeded | ReadOnlyFilesystem | StorageFull)
    }

    pub fn file(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }
}
