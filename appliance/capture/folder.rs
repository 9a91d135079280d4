use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::config::Config;
use super::fault::LinkFault;
use super::feed::{Feed, Heard};
use super::recording;

const ENDINGS: [&str; 7] = ["jpg", "jpeg", "png", "bmp", "webp", "tif", "tiff"];

/// The pictures of a folder in the order of their names, each shown for a while.
pub(super) struct FolderFeed {
    pictures: std::vec::IntoIter<PathBuf>,
    every: Duration,
    due: Instant,
    looks: u64,
}

impl FolderFeed {
    pub fn open(path: &Path, config: &Config) -> Result<Self, LinkFault> {
        let missing = |error: std::io::Error| LinkFault::Missing(format!("{} ({error})", path.display()));
        let mut pictures = Vec::new();
        for entry in std::fs::read_dir(path).map_err(missing)? {
            let file = entry.map_err(missing)?.path();
            let ending = file.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase);
            if ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str())) {
                pictures.push(file);
            }
        }
        if pictures.is_empty() {
            return Err(LinkFault::Empty(path.display().to_string()));
        }
        pictures.sort();
        let every = Duration::from_millis(config.picture_ms.get().into());
        Ok(Self { pictures: pictures.into_iter(), every, due: Instant::now(), looks: 0 })
    }
}

impl Feed for FolderFeed {
    fn next(&mut self, patience: Duration) -> Heard {
        self.looks += 1;
        let wait = self.due.saturating_duration_since(Instant::now());
        std::thread::sleep(wait.min(patience));
        if wait > patience {
            return Heard::Nothing;
        }
        let Some(path) = self.pictures.next() else { return Heard::Ended };
        self.due = Instant::now() + self.every;
        match recording::picture(&path) {
            Ok(planes) => Heard::Picture(planes),
            // One broken file must not keep the others from being shown.
            Err(fault) => {
                tracing::warn!(file = %path.display(), %fault, "picture left out");
                Heard::Nothing
            }
        }
    }

    /// A picture may be shown for longer than a camera may be silent.
    fn signs_of_life(&self) -> u64 {
        self.looks
    }
}
