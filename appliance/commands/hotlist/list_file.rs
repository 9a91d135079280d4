//! The list file: one entry as JSON a line. What `import` writes, `sign` and `diff` read.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, bail};

use crate::hotlist::{Entry, parse_line};

/// # Errors
/// With the number of every bad line; a list is never read in part.
pub fn read(path: &Path) -> anyhow::Result<Vec<Entry>> {
    let bytes =
        std::fs::read(path).with_context(|| format!("cannot read the list file {}", path.display()))?;
    let mut entries = Vec::new();
    let mut bad = 0;
    for (index, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        match parse_line(line) {
            Ok(entry) => entries.push(entry),
            Err(error) => {
                bad += 1;
                eprintln!("{}:{}: {error}", path.display(), index + 1);
            }
        }
    }
    if bad > 0 {
        bail!(
            "{} is no list file: {bad} bad lines (make one with `milepost hotlist import`)",
            path.display()
        );
    }
    Ok(entries)
}

/// Replaces the file as a whole, or leaves it as it was.
pub fn write(path: &Path, entries: &[Entry]) -> anyhow::Result<()> {
    let failed = || format!("cannot write the list file {}", path.display());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().with_context(|| format!("{} names no file", path.display()))?;
    let beside = folder.join(format!(".{}.new", name.to_string_lossy()));
    let mut file = std::io::BufWriter::new(std::fs::File::create(&beside).with_context(failed)?);
    for entry in entries {
        serde_json::to_writer(&mut file, entry).with_context(failed)?;
        file.write_all(b"\n").with_context(failed)?;
    }
    file.into_inner()
        .map_err(|error| error.into_error())
        .with_context(failed)?
        .sync_all()
        .with_context(failed)?;
    std::fs::rename(&beside, path).with_context(failed)
}
