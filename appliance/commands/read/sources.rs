//! The files and folders of the command line as single pictures and clips.

use std::path::{Path, PathBuf};

const PICTURES: &[&str] =
    &["jpg", "jpeg", "jpe", "png", "webp", "tif", "tiff", "bmp", "pgm", "ppm", "pnm", "jp2"];
const CLIPS: &[&str] =
    &["mp4", "m4v", "mov", "mkv", "webm", "avi", "ts", "m2ts", "mpg", "mpeg", "flv", "3gp", "h264", "mjpeg"];

/// One thing to read, or why there is nothing.
#[derive(Debug, PartialEq)]
pub(super) enum Source {
    File { path: PathBuf, kind: Kind },
    Missing { path: PathBuf, why: String },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Picture,
    Clip,
}

impl Source {
    /// As given on the command line, or the folder as given and the path inside it.
    pub fn name(&self) -> String {
        let (Self::File { path, .. } | Self::Missing { path, .. }) = self;
        path.to_string_lossy().into_owned()
    }
}

/// Folders become the pictures and clips in them, at any depth, sorted by name.
pub(super) fn expand(given: &[PathBuf]) -> Vec<Source> {
    let mut sources = Vec::new();
    for path in given {
        if path.is_dir() {
            let before = sources.len();
            walk(path, &mut sources);
            if sources.len() == before {
                let why = "no picture or clip is in this folder".to_owned();
                sources.push(Source::Missing { path: path.clone(), why });
            }
        } else {
            // What a person names is tried whatever it is called.
            let kind = kind(path).unwrap_or(Kind::Picture);
            sources.push(Source::File { path: path.clone(), kind });
        }
    }
    sources
}

fn walk(folder: &Path, sources: &mut Vec<Source>) {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            let why = format!("the folder cannot be read: {error}");
            return sources.push(Source::Missing { path: folder.to_owned(), why });
        }
    };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        // A link to a folder is not followed: it may lead back here.
        if path.is_dir() && !path.is_symlink() {
            walk(&path, sources);
        } else if path.is_file()
            && let Some(kind) = kind(&path)
        {
            sources.push(Source::File { path, kind });
        }
    }
}

fn kind(path: &Path) -> Option<Kind> {
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    let is_in = |known: &[&str]| known.contains(&extension.as_str());
    if is_in(PICTURES) { Some(Kind::Picture) } else { is_in(CLIPS).then_some(Kind::Clip) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_walked_and_named_files_always_tried() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("inner")).unwrap();
        std::fs::create_dir(at("empty")).unwrap();
        for name in ["b.JPG", "notes.txt", "inner/a.mp4"] {
            std::fs::write(at(name), "x").unwrap();
        }
        std::os::unix::fs::symlink(folder.path(), at("inner/loop")).unwrap();
        let found = expand(&[folder.path().to_owned(), at("notes.txt"), at("empty")]);
        assert_eq!(found[0], Source::File { path: at("b.JPG"), kind: Kind::Picture });
        assert_eq!(found[1], Source::File { path: at("inner/a.mp4"), kind: Kind::Clip });
        assert_eq!(found[2], Source::File { path: at("notes.txt"), kind: Kind::Picture });
        assert!(matches!(&found[3], Source::Missing { path, .. } if *path == at("empty")));
        assert_eq!(found.len(), 4);
    }
}
