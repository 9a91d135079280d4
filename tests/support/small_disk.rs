//! A real file system that is small, for what happens when it is full or turns read-only. Needs root: where a test may not mount,
//! it says so.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

pub struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// An ext4 file system in a file, mounted through a loop device.
    pub fn ext4(megabytes: u64) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let image = folder.path().join("image");
        std::fs::File::create(&image)?.set_len(megabytes << 20)?;
        let disk = Self(folder);
        std::fs::create_dir(disk.path())?;
        // No blocks kept for root, who these tests are run by.
        run("mkfs.ext4", &["-q", "-m", "0", &image.display().to_string()])?;
        run("mount", &["-o", "loop", &image.display().to_string(), &disk.path().display().to_string()])?;
        Ok(disk)
    }

    pub fn path(&self) -> PathBuf {
        self.0.path().join("disk")
    }

    pub fn remount(&self, options: &str) {
        run("mount", &["-o", &format!("remount,{options}"), &self.path().display().to_string()]).unwrap();
    }

    /// Turns read-only at once, also under a program that writes: what ext4 does when the medium fails.
    pub fn fail(&self) {
        self.remount("abort");
    }

    /// Writes until nothing more fits, also what has become free since; gives the file, whose removal makes room again.
    pub fn fill(&self) -> PathBuf {
        let path = self.path().join("filler");
        let mut file = std::fs::File::options().create(true).append(true).open(&path).unwrap();
        for size in [1 << 16, 1 << 10, 1] {
            while file.write_all(&vec![0xaa; size]).is_ok() {}
        }
        let _ = file.sync_all();
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a process that is just being killed may still hold a file.
        let _ = run("umount", &["-l", &self.path().display().to_string()]);
    }
}

fn run(program: &str, words: &[&str]) -> io::Result<()> {
    let output = Command::new(program).args(words).output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim())))
}

/// Whether something can be read anywhere below.
pub fn finds(folder: &Path, bytes: &[u8]) -> bool {
    let files = crate::support::files(folder);
    files.iter().any(|path| {
        std::fs::read(path).is_ok_and(|content| content.windows(bytes.len()).any(|part| part == bytes))
    })
}
