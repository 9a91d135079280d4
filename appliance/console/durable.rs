use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Replaces a file so that after a power cut at any instant either the old or the new content is there, whole,
/// and readable by its owner alone.
pub fn replace(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let new = path.with_extension("new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(content)?;
    file.sync_all()?;
    std::fs::rename(&new, path)?;
    // The rename lies in the folder, so the folder must reach the disk too.
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}
