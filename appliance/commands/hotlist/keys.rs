//! Private keys that sign lists and manual entries: made, locked by a passphrase, and opened again.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};

use crate::crypto::{KeyError, SigningKey};

/// Shorter ones are guessed in an afternoon, whatever slows the guessing down.
const SHORTEST: usize = 12;

#[derive(Debug, clap::Args)]
pub struct Keygen {
    /// Where to write the private key; only you will be able to read it
    #[arg(long, short, value_name = "FILE")]
    out: PathBuf,
    /// Leave the key without a passphrase: for a machine that signs by itself and is guarded otherwise
    #[arg(long, conflicts_with = "passphrase_file")]
    no_passphrase: bool,
    #[command(flatten)]
    passphrase: Passphrase,
}

/// Where a passphrase comes from.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Passphrase {
    /// Read the key's passphrase from the first line of this file instead of asking for it
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

impl Keygen {
    pub fn run(self) -> anyhow::Result<()> {
        let key = SigningKey::generate();
        if self.no_passphrase {
            key.save(&self.out)?;
        } else {
            key.save_locked(&self.out, &self.passphrase.choose()?)?;
        }
        let public = key.verifying_key();
        println!("Private key: {} (keep it; only its owner can read it)", self.out.display());
        println!("Public key:  {public}");
        println!("Key id:      {}\n", public.id());
        println!("Units trust it for a list by these lines in milepost.toml:\n");
        println!("[[hotlist.lists]]\nname = \"state-stolen\"\nkeys = [\"{public}\"]\n");
        println!("or for one person's commands (role: technician, officer or administrator) by these:\n");
        println!("[[command.people]]\nname = \"Ann Lee\"\nkey = \"{public}\"\nrole = \"technician\"\n");
        println!("or for the roster of who may sign in by these:\n");
        println!("[roster]\nname = \"patrol\"\nkeys = [\"{public}\"]\n");
        println!("or for one person's requests and approvals of manual entries by these:\n");
        println!("[[hotlist.people]]\nname = \"Ann Lee\"\nkey = \"{public}\"");
        Ok(())
    }
}

impl Passphrase {
    /// A new one, typed twice.
    fn choose(&self) -> anyhow::Result<String> {
        let chosen = match &self.passphrase_file {
            Some(file) => first_line(file)?,
            None => {
                let chosen = ask("Passphrase for the new key: ")?;
                ensure!(ask("Once more: ")? == chosen, "the two passphrases differ");
                chosen
            }
        };
        ensure!(
            chosen.chars().count() >= SHORTEST,
            "the passphrase is too short: give at least {SHORTEST} characters"
        );
        Ok(chosen)
    }

    fn of(&self, key: &Path) -> anyhow::Result<String> {
        match &self.passphrase_file {
            Some(file) => first_line(file),
            None => ask(&format!("Passphrase of {}: ", key.display())),
        }
    }
}

/// Opens a private key, with its passphrase where it has one.
pub fn open(path: &Path, passphrase: &Passphrase) -> anyhow::Result<SigningKey> {
    use std::os::unix::fs::PermissionsExt;
    let name = path.display();
    let facts = std::fs::metadata(path).with_context(|| format!("cannot read the key {name}"))?;
    ensure!(
        facts.permissions().mode() & 0o077 == 0,
        "others than its owner may read the key {name}: `chmod 600 {name}`, and if others have read it, make a new one"
    );
    match SigningKey::load(path) {
        Err(KeyError::Locked { .. }) => Ok(SigningKey::unlock(path, &passphrase.of(path)?)?),
        loaded => Ok(loaded?),
    }
}

fn first_line(file: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("cannot read the passphrase file {}", file.display()))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

fn ask(prompt: &str) -> anyhow::Result<String> {
    if !std::io::stdin().is_terminal() {
        bail!(
            "nobody is here to type a passphrase: give --passphrase-file (or, to a new key, --no-passphrase)"
        );
    }
    rpassword::prompt_password(prompt).context("the passphrase could not be read")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_that_others_can_read_signs_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list.key");
        SigningKey::generate().save(&path).unwrap();
        open(&path, &Passphrase::default()).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let refused = open(&path, &Passphrase::default()).err().unwrap().to_string();
        assert!(refused.contains("chmod 600"), "{refused}");
    }

    #[test]
    fn a_short_passphrase_is_refused_and_a_locked_key_needs_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            Passphrase { passphrase_file: Some(path) }
        };
        let out = folder.path().join("list.key");
        let make = |passphrase| Keygen { out: out.clone(), no_passphrase: false, passphrase }.run();
        assert!(make(file("short", "secret\n")).unwrap_err().to_string().contains("at least 12"));
        make(file("long", "correct horse battery\n")).unwrap();
        open(&out, &file("same", "correct horse battery")).unwrap();
        assert!(open(&out, &file("other", "incorrect horse battery")).is_err());
    }
}
