//! Where a unit's configuration comes from, and how it is changed without losing the unit.
//!
//! The installed file is the administrator's, and the service may not write it. What was changed at the console
//! lies in the state directory with the digest of the installed file that it was changed from: whoever edits that
//! file by hand has the last word.
//!
//! A change is first tried: the program starts anew with it, and unless a person who signed in then keeps it, it
//! starts anew without. A crash, a power cut or a start that fails ends a trial as well, since only the program
//! itself starts one.
//!
//! With what is kept lie the texts that it replaced, one behind the other, so that the unit can go back.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tracing::warn;

use super::{Config, ConfigError, Mistake, parse};
use crate::crypto::Digest;
use crate::system::write_durably;

const KEPT: &str = "configuration-changed.json";
const ON_TRIAL: &str = "configuration-trial.json";
/// Texts from before that are kept: more than anybody goes back.
const FORMER_MOST: usize = 5;

/// What the unit runs with.
#[derive(Debug, Clone)]
pub struct Source {
    pub text: String,
    /// What counted before it and was replaced at the console, oldest first.
    former: Vec<String>,
    /// The installed file.
    file: PathBuf,
    installed: Digest,
    state_dir: PathBuf,
    pub on_trial: bool,
}

/// A text that stands in for the installed one.
#[derive(Serialize, Deserialize)]
struct Changed {
    installed: Digest,
    text: String,
    #[serde(default)]
    former: Vec<String>,
}

impl Source {
    /// Reads the installed file and what was changed since. With `trial` the change that is being tried counts.
    pub fn open(file: &Path, trial: bool) -> Result<(Self, Config), ConfigError> {
        let text = std::fs::read_to_string(file)
            .map_err(|source| ConfigError::Read { file: file.to_owned(), source })?;
        let config: Config = parse(&text, file)?;
        let state_dir = config.unit.state_dir.clone();
        let installed = Digest::of(text.as_bytes());
        let former = Vec::new();
        let source = Self { text, former, file: file.to_owned(), installed, state_dir, on_trial: false };
        let changed = source.load(if trial { ON_TRIAL } else { KEPT });
        match changed.map(|changed| (source.read(&changed.text), changed)) {
            Some((Ok(config), Changed { text, former, .. })) => {
                Ok((Self { text, former, on_trial: trial, ..source }, config))
            }
            Some((Err(mistake), _)) => {
                warn!(%mistake, "what was changed at the console does not fit this version: the installed file counts");
                Ok((source.clone(), source.dated(config)))
            }
            None => Ok((source.clone(), source.dated(config))),
        }
    }

    /// Takes a text apart as this unit's configuration.
    pub fn read(&self, text: &str) -> Result<Config, Box<Mistake>> {
        let config: Config = parse(text, &self.file)?;
        Ok(Config { digest: Some(Digest::of(text.as_bytes())), ..config })
    }

    /// What counted before the latest change that was kept; None where nothing was changed at the console.
    pub fn former(&self) -> Option<&str> {
        self.former.last().map(String::as_str)
    }

    /// Lays a text where the next start finds it, if it is told to try it.
    pub fn propose(&self, text: String) -> std::io::Result<()> {
        let mut former = self.former.clone();
        if text != self.text {
            former.push(self.text.clone());
        }
        former.drain(..former.len().saturating_sub(FORMER_MOST));
        self.store(ON_TRIAL, text, former)
    }

    /// The same with the text from before the latest change; kept, it takes that change's place. False where there is none.
    pub fn propose_former(&self) -> std::io::Result<bool> {
        let mut former = self.former.clone();
        let Some(text) = former.pop() else { return Ok(false) };
        self.store(ON_TRIAL, text, former).map(|()| true)
    }

    /// From now on this is the configuration, at every start.
    pub fn keep(&self) -> std::io::Result<()> {
        self.store(KEPT, self.text.clone(), self.former.clone())
    }

    fn dated(&self, config: Config) -> Config {
        Config { digest: Some(self.installed), ..config }
    }

    fn store(&self, name: &str, text: String, former: Vec<String>) -> std::io::Result<()> {
        let changed = Changed { installed: self.installed, text, former };
        let json = serde_json::to_vec(&changed).expect("a changed text is plain data");
        write_durably(&self.state_dir.join(name), &json)
    }

    fn load(&self, name: &str) -> Option<Changed> {
        let path = self.state_dir.join(name);
        let json = std::fs::read(&path).ok()?;
        match serde_json::from_slice::<Changed>(&json) {
            Ok(changed) if changed.installed == self.installed => Some(changed),
            Ok(_) => {
                warn!(path = %path.display(), "the installed configuration was edited since: it counts, not this change");
                None
            }
            Err(error) => {
                warn!(path = %path.display(), %error, "a changed configuration cannot be read: the installed one counts");
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A configuration that differs from others of this folder in one number.
    fn text_in(folder: &Path, lock_min: u32) -> String {
        format!(
            "[unit]\nid = \"unit-1\"\nstate_dir = {folder:?}\n[[camera]]\nsource = \"scene:traffic\"\n\
             [console]\nlock_min = {lock_min}\n"
        )
    }

    #[test]
    fn it_goes_back_step_by_step_to_what_was_installed_and_forgets_the_oldest() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("milepost.toml");
        let text = |lock_min| text_in(folder.path(), lock_min);
        let open = |trial| {
            let (source, config) = Source::open(&file, trial).unwrap();
            (source, config.console.lock_min.get())
        };
        let go_back = || {
            let proposed = open(false).0.propose_former().unwrap();
            if proposed {
                open(true).0.keep().unwrap();
            }
            (proposed, open(false).1)
        };
        std::fs::write(&file, text(1)).unwrap();
        assert_eq!(open(false).0.former(), None);
        assert_eq!(go_back(), (false, 1));
        for change in 2..=3 {
            open(false).0.propose(text(change)).unwrap();
            open(true).0.keep().unwrap();
        }
        // What was only tried is nothing to go back to.
        open(false).0.propose(text(9)).unwrap();
        assert_eq!(open(false).0.former(), Some(text(2).as_str()));
        assert_eq!([go_back(), go_back(), go_back()], [(true, 2), (true, 1), (false, 1)]);
        for change in 11..20 {
            open(false).0.propose(text(change)).unwrap();
            open(true).0.keep().unwrap();
        }
        assert_eq!(open(false).0.former.len(), FORMER_MOST);
    }

    #[test]
    fn a_change_counts_once_kept_and_until_the_installed_file_is_edited() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("milepost.toml");
        let text = |lock_min| text_in(folder.path(), lock_min);
        let lock_min = |trial| {
            let (source, config) = Source::open(&file, trial).unwrap();
            (source, config.console.lock_min.get())
        };
        std::fs::write(&file, text(11)).unwrap();
        let (source, _) = lock_min(false);
        source.propose(text(12)).unwrap();
        assert_eq!(lock_min(false).1, 11, "a start that is not told to tries nothing");
        let (tried, minutes) = lock_min(true);
        assert!(tried.on_trial && minutes == 12);
        tried.keep().unwrap();
        assert_eq!(lock_min(false).1, 12);
        std::fs::write(&file, text(13)).unwrap();
        assert_eq!(lock_min(false).1, 13);
        assert_eq!(lock_min(true).1, 13);
        assert!(source.read("[unit]\nid = 7\n").unwrap_err().to_string().contains("unit.id"));
    }
}
