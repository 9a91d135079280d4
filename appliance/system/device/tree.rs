use std::path::{Path, PathBuf};

/// The kernel's files, by paths without a leading slash such as `sys/class/thermal`. Whatever cannot be read is not
/// there: sensors come and go, and some files only root may read.
#[derive(Debug, Clone)]
pub struct Tree(PathBuf);

impl Tree {
    pub fn new(root: &Path) -> Self {
        Self(root.to_owned())
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.0.join(path)
    }

    pub fn text(&self, path: &str) -> Option<String> {
        std::fs::read_to_string(self.path(path)).ok().map(|text| text.trim().to_owned())
    }

    pub fn number(&self, path: &str) -> Option<f64> {
        self.text(path)?.parse().ok().filter(|number: &f64| number.is_finite())
    }

    /// A number as `0x0b`.
    pub fn hexadecimal(&self, path: &str) -> Option<u64> {
        parse_hexadecimal(&self.text(path)?)
    }

    /// The folders in `within` whose names begin so, sorted.
    pub fn folders(&self, within: &str, begin: &str) -> Vec<String> {
        self.entries(within, |name| name.starts_with(begin))
    }

    /// The files in `within` whose names begin and end so, sorted.
    pub fn files(&self, within: &str, begin: &str, end: &str) -> Vec<String> {
        self.entries(within, |name| name.starts_with(begin) && name.ends_with(end))
    }

    fn entries(&self, within: &str, fits: impl Fn(&str) -> bool) -> Vec<String> {
        let entries = std::fs::read_dir(self.path(within)).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let mut found: Vec<String> =
            names.filter(|name| fits(name)).map(|name| format!("{within}/{name}")).collect();
        found.sort();
        found
    }
}

pub fn parse_hexadecimal(text: &str) -> Option<u64> {
    u64::from_str_radix(text.trim_start_matches("0x"), 16).ok()
}

/// A tree of these files.
#[cfg(test)]
pub fn fixture(files: &[(&str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = root.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    root
}
