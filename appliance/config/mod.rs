//! The configuration file: which sections there are, and how a mistake in one is told.
//!
//! Each room defines its own section; this module puts them together. Secrets never stand in the file:
//! keys and passwords are files of their own, or systemd credentials.

mod mistake;
mod own_files;
mod source;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, de};

use crate::crypto::Digest;
use crate::words::{UnitId, UnitKind};
use crate::{
    alert, capture, command, console, delivery, health, hotlist, passage, record, roster, system, vision,
};

pub use mistake::{ConfigError, Mistake, parse};
pub use own_files::keep_own_files;
pub use source::Source;

/// The configuration that teaches: every field with its meaning, default, and when to change it.
pub const SAMPLE: &str = include_str!("../../config/milepost.toml");

/// A unit's whole configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub unit: Unit,
    /// At least one.
    #[serde(deserialize_with = "named_apart")]
    pub camera: Vec<capture::Config>,
    #[serde(default)]
    pub vision: vision::Config,
    #[serde(default)]
    pub passage: passage::Config,
    #[serde(default)]
    pub hotlist: hotlist::Config,
    #[serde(default)]
    pub command: command::Config,
    #[serde(default)]
    pub roster: Option<roster::Config>,
    #[serde(default)]
    pub alert: alert::Config,
    #[serde(default)]
    pub record: record::Config,
    #[serde(default)]
    pub delivery: delivery::Config,
    #[serde(default)]
    pub health: health::Config,
    #[serde(default)]
    pub position: system::PositionConfig,
    #[serde(default)]
    pub console: console::Config,
    /// SHA-256 of the file that it was read from; None where it was made otherwise.
    #[serde(skip)]
    pub digest: Option<Digest>,
}

/// Section `[unit]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unit {
    pub id: UnitId,
    #[serde(default)]
    pub kind: UnitKind,
    #[serde(default = "default_state_dir")]
    pub state_dir: PathBuf,
    /// None: the systemd credential `seal-key`.
    #[serde(default)]
    pub key_file: Option<PathBuf>,
}

fn default_state_dir() -> PathBuf {
    PathBuf::from("/var/lib/milepost")
}

/// Reads and pages tell cameras apart by name alone.
fn named_apart<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<capture::Config>, D::Error> {
    let cameras: Vec<capture::Config> = Vec::deserialize(deserializer)?;
    if cameras.is_empty() {
        return Err(de::Error::custom("a unit needs at least one camera"));
    }
    for (index, camera) in cameras.iter().enumerate() {
        if cameras[..index].iter().any(|other| other.name == camera.name) {
            return Err(de::Error::custom(format!("two cameras are named {:?}", camera.name.as_str())));
        }
    }
    Ok(cameras)
}

impl Config {
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(file)
            .map_err(|source| ConfigError::Read { file: file.to_owned(), source })?;
        let config: Self = parse(&text, file)?;
        Ok(Self { digest: Some(Digest::of(text.as_bytes())), ..config })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistake(text: &str) -> Box<Mistake> {
        parse::<Config>(text, Path::new("unit.toml")).unwrap_err()
    }

    #[test]
    fn the_sample_is_a_configuration() {
        if let Err(mistake) = parse::<Config>(SAMPLE, Path::new("config/milepost.toml")) {
            panic!("{mistake}");
        }
    }

    #[test]
    fn a_wrong_value_is_named_with_its_field_and_mend() {
        let said = mistake("[unit]\nid = \"Unit 17\"\n");
        assert_eq!((said.line, said.field.as_str(), said.value.as_str()), (2, "unit.id", "\"Unit 17\""));
        assert!(said.problem.contains("a-z"), "{said}");
        assert!(said.mend.is_some(), "{said}");
    }

    #[test]
    fn a_misspelt_field_finds_its_neighbour() {
        let said = mistake("[unit]\nid = \"u1\"\nstate_dri = \"/tmp\"\n");
        assert_eq!((said.line, said.field.as_str()), (3, "unit.state_dri"), "{said}");
        assert!(said.mend.as_ref().unwrap().starts_with("did you mean state_dir?"), "{said}");
    }

    #[test]
    fn a_missing_field_is_explained() {
        let said = mistake("[unit]\nkind = \"fixed\"\n");
        assert_eq!(said.field, "unit.id", "{said}");
        assert!(said.mend.is_some(), "{said}");
    }

    /// Every field of the sample in turn gets a value of a wrong type.
    #[test]
    fn a_mistake_in_any_field_names_it_and_its_mend() {
        for (number, line) in SAMPLE.lines().enumerate() {
            let uncommented = line.strip_prefix('#').unwrap_or(line);
            let Some((key, _)) = uncommented.split_once(" = ").filter(|(key, _)| !key.contains(' ')) else {
                continue;
            };
            // The table that it stands in may be commented out as well.
            let is_table = |line: &str| line.trim_start_matches('#').starts_with('[');
            let table =
                SAMPLE.lines().take(number).collect::<Vec<_>>().iter().rposition(|line| is_table(line));
            let wrong = SAMPLE.lines().enumerate().map(|(at, line)| match at {
                _ if at == number => format!("{key} = [[]]\n"),
                _ if Some(at) == table => format!("{}\n", line.trim_start_matches('#')),
                _ => format!("{line}\n"),
            });
            let said = mistake(&wrong.collect::<String>());
            assert_eq!(said.line, number + 1, "{said}");
            assert!(said.field == key || said.field.ends_with(&format!(".{key}")), "{key}: {said}");
            assert!(said.mend.as_ref().is_some_and(|mend| !mend.is_empty()), "{key}: {said}");
        }
    }

    #[test]
    fn what_is_no_toml_names_the_line() {
        assert_eq!(mistake("[unit]\nid = \n").line, 2);
    }
}
