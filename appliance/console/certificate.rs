//! The certificate that the console shows until the department's own is installed: made by the unit itself.
//!
//! A browser cannot know it, so a technician compares its fingerprint with the label or the journal, once.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertificateParams, DnType, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tracing::{info, warn};

use crate::crypto::sha256;
use crate::system::write_durably;

/// How often a certificate that found no room on the disk is tried again.
const RETRY: Duration = Duration::from_secs(10);

/// Why the console has no certificate to show.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    #[error("the console's certificate cannot be made: {0}")]
    Make(#[from] rcgen::Error),
    #[error("the console's certificate {path} cannot be read: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error(
        "{path} does not hold the console's certificate and key ({why}); \
         remove it to have a new one made, with a new fingerprint"
    )]
    Damaged { path: PathBuf, why: String },
}

/// What the console shows when a browser connects.
pub struct Identity {
    pub tls: Arc<ServerConfig>,
    /// SHA-256 of the certificate, as browsers show it: `3F:A0:...`.
    pub fingerprint: String,
    /// What waits for room on the disk.
    pub unwritten: Option<Unwritten>,
}

/// A certificate that was made for a disk that takes nothing. It is shown all the same; the next start has another one, unless
/// it is written by then.
pub struct Unwritten {
    path: PathBuf,
    pem: Vec<u8>,
}

impl Unwritten {
    /// Writes it once the disk takes it.
    pub async fn keep_trying(self) {
        while let Err(_full) = self.write() {
            tokio::time::sleep(RETRY).await;
        }
        info!(path = %self.path.display(), "the console's certificate is on the disk now");
    }

    fn write(&self) -> std::io::Result<()> {
        self.path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
        write_durably(&self.path, &self.pem)
    }
}

impl Identity {
    /// Reads `certificate.pem` (certificate and key) in `folder`, or makes it for this name and address.
    pub fn load_or_make(folder: &Path, name: &str, address: IpAddr) -> Result<Self, CertificateError> {
        let path = folder.join("certificate.pem");
        match std::fs::read(&path) {
            Ok(pem) => Self::from_pem(&pem).map_err(|why| CertificateError::Damaged { path, why }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Self::make(path, name, address),
            Err(source) => Err(CertificateError::Read { path, source }),
        }
    }

    fn make(path: PathBuf, name: &str, address: IpAddr) -> Result<Self, CertificateError> {
        let made = Unwritten { path, pem: make(name, address)?.into_bytes() };
        let identity = Self::from_pem(&made.pem);
        let mut identity =
            identity.map_err(|why| CertificateError::Damaged { path: made.path.clone(), why })?;
        if let Err(error) = made.write() {
            warn!(path = %made.path.display(), %error, "the console's certificate cannot be kept yet; it is tried again");
            identity.unwritten = Some(made);
        }
        Ok(identity)
    }

    fn from_pem(pem: &[u8]) -> Result<Self, String> {
        let certificate = CertificateDer::from_pem_slice(pem).map_err(|error| error.to_string())?;
        let key = PrivateKeyDer::from_pem_slice(pem).map_err(|error| error.to_string())?;
        let fingerprint = sha256(&certificate).map(|byte| format!("{byte:02X}")).join(":");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut tls = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![certificate], key))
            .map_err(|error| error.to_string())?;
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { tls: Arc::new(tls), fingerprint, unwritten: None })
    }
}

/// Certificate and key as one PEM text.
fn make(name: &str, address: IpAddr) -> Result<String, rcgen::Error> {
    let mut parameters = CertificateParams::new([name.to_owned(), address.to_string()])?;
    parameters.distinguished_name.push(DnType::CommonName, name);
    // A unit's clock may be years off at first boot, and nobody stands on a pole to renew what only its
    // fingerprint vouches for; so it is as good as unlimited (rcgen's default is 1975 to 4096).
    let key = KeyPair::generate()?;
    let certificate = parameters.self_signed(&key)?;
    Ok(certificate.pem() + &key.serialize_pem())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(folder: &Path) -> Result<Identity, CertificateError> {
        Identity::load_or_make(folder, "barrel-7", [127, 0, 0, 1].into())
    }

    #[test]
    fn the_fingerprint_stays_the_same_from_start_to_start() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let first = identity(folder.path()).unwrap().fingerprint;
        assert_eq!(first.len(), 32 * 3 - 1);
        assert_eq!(identity(folder.path()).unwrap().fingerprint, first);
        let mode = std::fs::metadata(folder.path().join("certificate.pem")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_damaged_file_is_not_replaced_silently() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("certificate.pem"), "-----BEGIN NONSENSE-----").unwrap();
        assert!(matches!(identity(folder.path()), Err(CertificateError::Damaged { .. })));
    }
}
