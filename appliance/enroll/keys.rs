use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::identity::write_new;
use crate::crypto::UnitKey;

/// Where a unit keeps its private keys. They are never replaced.
///
/// Under systemd they are its encrypted credentials: a copied disk does not hold the key to them where there is a
/// TPM, and the service is lent them in memory. Elsewhere they are files for their owner alone.
#[derive(Debug, Clone)]
pub struct Keys {
    folder: PathBuf,
    keeping: Keeping,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keeping {
    Files,
    Credentials,
}

/// One of a unit's two secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secret {
    /// Proves to the broker who the unit is (PEM).
    Identity,
    /// Seals everything at rest: a [`UnitKey`](crate::crypto::UnitKey).
    Seal,
}

impl Secret {
    /// As systemd and the configuration know it.
    fn credential(self) -> &'static str {
        match self {
            Self::Identity => "unit.key",
            Self::Seal => "seal-key",
        }
    }

    fn file(self) -> &'static str {
        match self {
            Self::Identity => "unit.key",
            Self::Seal => "seal.key",
        }
    }
}

impl Keys {
    /// As files beside the certificate.
    pub fn files(folder: &Path) -> Self {
        Self { folder: folder.into(), keeping: Keeping::Files }
    }

    /// As systemd's credentials where systemd runs this machine and root asks, else as files. Keys that lie there as
    /// files already stay what they are.
    pub fn of_this_machine(folder: &Path) -> Self {
        // SAFETY: takes nothing, returns a number, cannot fail.
        let is_root = unsafe { libc::geteuid() } == 0;
        let has_files = [Secret::Identity, Secret::Seal].iter().any(|key| folder.join(key.file()).exists());
        let systemd_runs = Path::new("/run/systemd/system").is_dir();
        let keeping =
            if is_root && systemd_runs && !has_files { Keeping::Credentials } else { Keeping::Files };
        Self { folder: folder.into(), keeping }
    }

    /// The folder of the unit's certificate and request.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn path(&self, secret: Secret) -> PathBuf {
        match self.keeping {
            Keeping::Files => self.folder.join(secret.file()),
            Keeping::Credentials => self.folder.join("credentials").join(secret.credential()),
        }
    }

    /// None where there is no such key.
    pub fn read(&self, secret: Secret) -> io::Result<Option<Vec<u8>>> {
        let path = self.path(secret);
        if !path.exists() {
            return Ok(None);
        }
        match self.keeping {
            Keeping::Files => std::fs::read(path).map(Some),
            Keeping::Credentials => {
                let mut decrypt = systemd_creds("decrypt", secret);
                decrypt.arg(path).arg("-");
                pass_through(&mut decrypt, &[]).map(Some)
            }
        }
    }

    /// The key that seals everything at rest; None where there is none.
    pub fn unit_key(&self) -> io::Result<Option<UnitKey>> {
        let wrong = || io::Error::other("it does not hold 32 bytes");
        let bytes = self.read(Secret::Seal)?;
        bytes.map(|bytes| UnitKey::from_bytes(&bytes).ok_or_else(wrong)).transpose()
    }

    /// Keeps a key that is not there yet.
    pub fn keep(&self, secret: Secret, key: &[u8]) -> io::Result<()> {
        let path = self.path(secret);
        match self.keeping {
            Keeping::Files => write_new(&path, key, 0o600),
            Keeping::Credentials => {
                std::fs::create_dir_all(self.folder.join("credentials"))?;
                let sealed = pass_through(systemd_creds("encrypt", secret).args(["-", "-"]), key)?;
                write_new(&path, &sealed, 0o600)
            }
        }
    }
}

/// systemd puts the name into what it encrypts, and lends a credential under no other one.
fn systemd_creds(verb: &str, secret: Secret) -> Command {
    let mut command = Command::new("systemd-creds");
    command.arg(verb).arg(format!("--name={}", secret.credential()));
    command
}

/// What a program makes of `input`; what it says on standard error becomes the error.
fn pass_through(command: &mut Command, input: &[u8]) -> io::Result<Vec<u8>> {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(
            |error| io::Error::new(error.kind(), format!("systemd-creds cannot be started: {error}")),
        )?;
    // A key is far smaller than a pipe: it is taken whole before anything is answered.
    child.stdin.take().expect("it was asked for").write_all(input)?;
    let output = child.wait_with_output()?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        let said = String::from_utf8_lossy(&output.stderr);
        Err(io::Error::other(format!("systemd-creds: {}", said.trim())))
    }
}
