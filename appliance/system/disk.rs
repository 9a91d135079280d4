use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::files::at_once;

/// A process that has just ended may leave its lock for a moment to a child that has not begun its own program yet.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);
const LOCK_LOOK: Duration = Duration::from_millis(10);

/// The few file operations that the durable rooms stand on, so that a test can cut the power between any
/// two of them ([`SimulatedDisk`](super::SimulatedDisk)).
///
/// What is written is durable after [`sync`](Disk::sync) of the file, and a file's being there or gone
/// after [`sync_folder`](Disk::sync_folder) of its folder; before, a power cut may keep any part of it.
pub trait Disk: Send + Sync {
    /// Makes the folder and those above it, durably; nothing happens if it is there.
    fn create_folder(&self, path: &Path) -> io::Result<()>;
    /// Takes a folder for this process alone, until what it gives is dropped; an error of kind `WouldBlock`
    /// where another has it. On a read-only disk, where nobody can write, it may be nobody's.
    fn lock(&self, folder: &Path) -> io::Result<Option<File>>;
    /// The names of the files in a folder, sorted.
    fn list(&self, folder: &Path) -> io::Result<Vec<String>>;
    /// Bytes of a file.
    fn length(&self, path: &Path) -> io::Result<u64>;
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// Exactly `length` bytes; fewer there is an error of kind `UnexpectedEof`.
    fn read_at(&self, path: &Path, offset: u64, length: usize) -> io::Result<Vec<u8>>;
    /// Makes the file if it is not there (for its owner only); a gap before `offset` reads as zeros.
    fn write_at(&self, path: &Path, offset: u64, bytes: &[u8]) -> io::Result<()>;
    fn truncate(&self, path: &Path, length: u64) -> io::Result<()>;
    fn remove(&self, path: &Path) -> io::Result<()>;
    fn sync(&self, path: &Path) -> io::Result<()>;
    /// Syncs several files, in no order.
    fn sync_each(&self, paths: &[PathBuf]) -> io::Result<()> {
        paths.iter().try_for_each(|path| self.sync(path))
    }
    fn sync_folder(&self, path: &Path) -> io::Result<()>;
}

/// Whether a running program holds the lock of this folder.
pub fn is_held(folder: &Path) -> bool {
    let lock = File::open(folder.join("lock"));
    lock.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// The machine's own file system, with a real `fsync` for each promise.
pub struct RealDisk;

impl Disk for RealDisk {
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        use std::os::unix::fs::DirBuilderExt;
        if path.is_dir() {
            return Ok(());
        }
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let parent = parent.unwrap_or(Path::new("."));
        self.create_folder(parent)?;
        std::fs::DirBuilder::new().mode(0o700).create(path)?;
        self.sync_folder(parent)
    }

    fn lock(&self, folder: &Path) -> io::Result<Option<File>> {
        let path = folder.join("lock");
        let file = match OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path) {
            Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => return Ok(None),
            other => other?,
        };
        let deadline = Instant::now() + LOCK_PATIENCE;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Some(file)),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => std::thread::sleep(LOCK_LOOK),
                Err(TryLockError::WouldBlock) => {
                    let why = "another process of this program is using it";
                    return Err(io::Error::new(io::ErrorKind::WouldBlock, why));
                }
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            // A name that is not UTF-8 is none of ours.
            names.extend(entry?.file_name().into_string());
        }
        names.sort();
        Ok(names)
    }

    fn length(&self, path: &Path) -> io::Result<u64> {
        Ok(std::fs::metadata(path)?.len())
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        std::fs::read(path)
    }

    fn read_at(&self, path: &Path, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        File::open(path)?.read_exact_at(&mut bytes, offset)?;
        Ok(bytes)
    }

    fn write_at(&self, path: &Path, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
        file.write_all_at(bytes, offset)
    }

    fn truncate(&self, path: &Path, length: u64) -> io::Result<()> {
        OpenOptions::new().write(true).open(path)?.set_len(length)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    /// The file may have been written through another handle: fsync concerns the file, not the handle, and
    /// Linux reports a failed write-back also to a handle that was opened after it, if to nobody before.
    fn sync(&self, path: &Path) -> io::Result<()> {
        OpenOptions::new().write(true).open(path)?.sync_all()
    }

    fn sync_each(&self, paths: &[PathBuf]) -> io::Result<()> {
        at_once(paths, |path| self.sync(path))
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_taken_once_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a/b");
        RealDisk.create_folder(&deep).unwrap();
        RealDisk.create_folder(&deep).unwrap();
        let lock = RealDisk.lock(&deep).unwrap();
        assert_eq!(RealDisk.lock(&deep).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        drop(lock);
        RealDisk.lock(&deep).unwrap();
    }
}
