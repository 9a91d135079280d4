use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Deserializer};

/// What the unit may keep, and for how long: one of the presets in `config/policy/`, or a file like them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    pub name: String,
    /// The rule that it follows, for whoever asks why.
    pub source: String,
    pub reads_without_match: WithoutMatch,
}

/// What becomes of a read that matched nothing, and of its pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(tag = "keep", rename_all = "kebab-case", deny_unknown_fields)]
pub enum WithoutMatch {
    UntilReceived {},
    /// Not even stored.
    Never {},
    AtMost {
        for_s: u64,
        deliver: bool,
    },
}

#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    #[error(
        "there is no policy {name:?}: it is neither a file nor one of massachusetts-model, hits-only, three-minutes"
    )]
    Unknown { name: String },
    #[error("the policy {path} cannot be read: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("the policy {name} has a mistake: {source}")]
    Mistake { name: String, source: Box<toml::de::Error> },
}

const PRESETS: [(&str, &str); 3] = [
    ("massachusetts-model", include_str!("../../config/policy/massachusetts-model.toml")),
    ("hits-only", include_str!("../../config/policy/hits-only.toml")),
    ("three-minutes", include_str!("../../config/policy/three-minutes.toml")),
];

impl Policy {
    /// A preset by its name, or a file by its path.
    pub fn load(name: &str) -> Result<Self, PolicyError> {
        let parse = |text: &str| {
            toml::from_str(text)
                .map_err(|source| PolicyError::Mistake { name: name.to_owned(), source: Box::new(source) })
        };
        if let Some((_, text)) = PRESETS.iter().find(|(preset, _)| *preset == name) {
            return parse(text);
        }
        let path = Path::new(name);
        match std::fs::read_to_string(path) {
            Ok(text) => parse(&text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(PolicyError::Unknown { name: name.to_owned() })
            }
            Err(source) => Err(PolicyError::Read { path: path.into(), source }),
        }
    }

    /// For a configuration field that holds a name or a path.
    pub fn by_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::load(&name).map_err(serde::de::Error::custom)
    }

    /// The longest time that a read without a match may stay; none: until it is received.
    pub(super) fn limit(&self) -> Option<Duration> {
        match self.reads_without_match {
            WithoutMatch::UntilReceived {} => None,
            WithoutMatch::Never {} => Some(Duration::ZERO),
            WithoutMatch::AtMost { for_s, .. } => Some(Duration::from_secs(for_s)),
        }
    }

    pub(super) fn delivers_reads_without_match(&self) -> bool {
        match self.reads_without_match {
            WithoutMatch::UntilReceived {} => true,
            WithoutMatch::Never {} => false,
            WithoutMatch::AtMost { deliver, .. } => deliver,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_loads_under_its_name_and_says_its_source() {
        for (name, _) in PRESETS {
            let policy = Policy::load(name).unwrap();
            assert_eq!(policy.name, name);
            assert!(!policy.source.is_empty());
        }
        let limit = Policy::load("three-minutes").unwrap().limit();
        assert_eq!(limit, Some(Duration::from_secs(180)));
    }

    #[test]
    fn a_mistake_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("own.toml");
        let text = "name = 'own'\nsource = ''\n[reads_without_match]\nkeep = 'at-most'\nfor_s = 60\n";
        std::fs::write(&path, text).unwrap();
        let error = Policy::load(path.to_str().unwrap()).unwrap_err().to_string();
        assert!(error.contains("deliver"), "{error}");
        assert!(matches!(Policy::load("two-minutes"), Err(PolicyError::Unknown { .. })));
    }
}
