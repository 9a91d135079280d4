use std::io::{ErrorKind, Write};
use std::num::NonZeroU16;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::crypto::{KeyError, SigningKey};
use crate::delivery::Broker;
use crate::enroll::{Authority, IssueError};
use crate::words::UnitId;

/// A folder with everything that a simulated department is made of: its authority, a certificate for each unit, and the
/// keys that sign receipts and lists. What is there already is used again, so that a broker keeps knowing the units.
///
/// | file | what |
/// |---|---|
/// | `authority.pem`, `authority.key` | the authority, unless another one was given |
/// | `NAME.pem`, `NAME.key` | of the broker and of the department's programs |
/// | `receipts.key`, `lists.key` | Ed25519 |
/// | `units/NAME.pem` | a unit's certificate and its key, in one file |
pub struct Folder {
    path: PathBuf,
    authority: Authority,
    authority_path: PathBuf,
}

/// Why the folder is of no use. Each names the file.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    #[error("{path} cannot be read: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{path} cannot be written: {source}")]
    Write { path: PathBuf, source: std::io::Error },
    #[error("{certificate} and {key} make no authority: {source}")]
    Authority { certificate: PathBuf, key: PathBuf, source: IssueError },
    #[error(transparent)]
    Issue(#[from] IssueError),
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl Folder {
    /// Opens or makes it. `given`: the certificate and the key of the authority that the broker trusts.
    pub fn open(path: &Path, given: Option<(&Path, &Path)>) -> Result<Self, FolderError> {
        let units = path.join("units");
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&units);
        made.map_err(|source| FolderError::Write { path: units, source })?;
        let own = (path.join("authority.pem"), path.join("authority.key"));
        let (certificate, key) = given.map_or(own, |(certificate, key)| (certificate.into(), key.into()));
        if given.is_none() && !key.exists() {
            let authority = Authority::create("Simulated Department")?;
            write(&certificate, &authority.certificate_pem())?;
            write(&key, &authority.key_pem())?;
        }
        let authority = Authority::open(read(&certificate)?, &read(&key)?).map_err(|source| {
            FolderError::Authority { certificate: certificate.clone(), key: key.clone(), source }
        })?;
        Ok(Self { path: path.into(), authority, authority_path: certificate })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn authority(&self) -> &Path {
        &self.authority_path
    }

    /// How a unit of this name connects, with a certificate whose common name that is.
    pub fn unit(&self, name: &UnitId, host: &str, port: NonZeroU16) -> Result<Broker, FolderError> {
        let path = self.path.join("units").join(format!("{name}.pem"));
        if !path.exists() {
            let issued = self.authority.issue_client(name.as_str())?;
            write(&path, &(issued.certificate_pem + &issued.key_pem))?;
        }
        Ok(Broker {
            host: host.to_owned(),
            port,
            authority: self.authority_path.clone(),
            certificate: path.clone(),
            key: path,
            ..Broker::default()
        })
    }

    /// `NAME.pem` and `NAME.key` for a program of the department.
    pub fn client(&self, name: &str) -> Result<(), FolderError> {
        if !self.path.join(format!("{name}.pem")).exists() {
            self.authority.issue_client(name)?.save(&self.path, name)?;
        }
        Ok(())
    }

    /// `broker.pem` and `broker.key` for a broker on this machine.
    pub fn broker(&self) -> Result<(), FolderError> {
        if !self.path.join("broker.pem").exists() {
            self.authority.issue_server(&["localhost", "127.0.0.1"])?.save(&self.path, "broker")?;
        }
        Ok(())
    }

    /// The signing key of this name, made where there is none.
    pub fn signing_key(&self, name: &str) -> Result<SigningKey, FolderError> {
        let path = self.path.join(format!("{name}.key"));
        if !path.exists() {
            SigningKey::generate().save(&path)?;
        }
        Ok(SigningKey::load(&path)?)
    }
}

fn read(path: &Path) -> Result<String, FolderError> {
    std::fs::read_to_string(path).map_err(|source| FolderError::Read { path: path.into(), source })
}

/// For its owner alone. Not synced: thousands of certificates are quickly made anew.
fn write(path: &Path, text: &str) -> Result<(), FolderError> {
    let mut options = std::fs::OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(path);
    match file.and_then(|mut file| file.write_all(text.as_bytes())) {
        Err(source) if source.kind() != ErrorKind::AlreadyExists => {
            Err(FolderError::Write { path: path.into(), source })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::tls;

    fn unit() -> UnitId {
        UnitId::parse("sim-0001").unwrap()
    }

    fn port() -> NonZeroU16 {
        NonZeroU16::new(8883).unwrap()
    }

    #[test]
    fn each_units_certificate_carries_its_name_and_serves_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("simulation");
        let broker = Folder::open(&path, None).unwrap().unit(&unit(), "localhost", port()).unwrap();
        assert!(tls::client_config(&broker.authority, &broker.certificate, &broker.key).is_ok());
        let facts = tls::CertificateFacts::load(&broker.certificate).unwrap();
        assert_eq!(facts.common_name.as_deref(), Some("sim-0001"));
        let again = Folder::open(&path, None).unwrap().unit(&unit(), "localhost", port()).unwrap();
        assert_eq!(tls::CertificateFacts::load(&again.certificate).unwrap(), facts);
    }

    #[test]
    fn another_authority_can_be_given_and_a_wrong_one_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        Folder::open(&at("theirs"), None).unwrap();
        let theirs = (at("theirs/authority.pem"), at("theirs/authority.key"));
        let ours = Folder::open(&at("ours"), Some((&theirs.0, &theirs.1))).unwrap();
        assert_eq!(ours.unit(&unit(), "localhost", port()).unwrap().authority, theirs.0);
        let error = Folder::open(&at("ours"), Some((&theirs.1, &theirs.0))).err().unwrap().to_string();
        assert!(error.contains("authority.key and") && error.contains("make no authority"), "{error}");
        let error = Folder::open(&at("ours"), Some((&at("nothing"), &theirs.1))).err().unwrap().to_string();
        assert!(error.contains("nothing cannot be read"), "{error}");
    }
}
