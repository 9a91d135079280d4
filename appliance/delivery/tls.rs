//! Mutual TLS 1.3: who we are, and whom we trust.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use super::config::Broker;
use crate::crypto::{hex, sha256};

/// Why the files for a TLS connection cannot be used. Each names the file and what mends it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    #[error("{path} cannot be read: {reason}")]
    Read { path: PathBuf, reason: String },
    #[error("{path} holds no certificate: a PEM file with BEGIN CERTIFICATE is wanted")]
    NoCertificate { path: PathBuf },
    #[error("{path} holds no private key: an unencrypted PEM file with BEGIN PRIVATE KEY is wanted")]
    NoKey { path: PathBuf },
    #[error("{path} holds a certificate that cannot be understood: {reason}")]
    Malformed { path: PathBuf, reason: String },
    #[error("the key {key} does not belong to the certificate {certificate}")]
    KeyMismatch { key: PathBuf, certificate: PathBuf },
    #[error("the key {key} cannot be used with TLS: {reason}")]
    Unusable { key: PathBuf, reason: String },
}

/// The one cryptography that rustls uses here, handed to every configuration explicitly: with two providers in
/// the tree rustls would otherwise panic at its first use.
pub fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    PROVIDER.get_or_init(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider())).clone()
}

/// Where a key or certificate lies: a name without a folder is first looked for among the service's systemd
/// credentials, anything else is a path.
pub fn locate(file: &Path) -> PathBuf {
    let is_plain = file.parent().is_none_or(|parent| parent.as_os_str().is_empty());
    match std::env::var_os("CREDENTIALS_DIRECTORY") {
        Some(folder) if is_plain && Path::new(&folder).join(file).exists() => Path::new(&folder).join(file),
        _ => file.to_owned(),
    }
}

/// A PEM file, or text that stands for one.
#[derive(Clone)]
pub struct Pem {
    /// As a fault names it.
    pub name: PathBuf,
    pub text: Vec<u8>,
}

impl Pem {
    pub fn load(path: &Path) -> Result<Self, TlsError> {
        let read = |error: std::io::Error| TlsError::Read { path: path.into(), reason: error.to_string() };
        Ok(Self { name: path.into(), text: std::fs::read(path).map_err(read)? })
    }

    /// Text that lies in no file of its own; `name` is for people.
    pub fn called(name: &str, text: impl Into<Vec<u8>>) -> Self {
        Self { name: name.into(), text: text.into() }
    }

    /// All certificates, at least one.
    pub fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let parsed: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&self.text).collect();
        let certificates = parsed
            .map_err(|error| TlsError::Malformed { path: self.name.clone(), reason: error.to_string() })?;
        if certificates.is_empty() {
            return Err(TlsError::NoCertificate { path: self.name.clone() });
        }
        Ok(certificates)
    }

    /// The certificates that are trusted to sign others.
    pub fn roots(&self) -> Result<RootCertStore, TlsError> {
        let mut roots = RootCertStore::empty();
        for certificate in self.certificates()? {
            roots.add(certificate).map_err(|error| TlsError::Malformed {
                path: self.name.clone(),
                reason: error.to_string(),
            })?;
        }
        Ok(roots)
    }

    /// The first private key.
    pub fn private_key(&self) -> Result<PrivateKeyDer<'static>, TlsError> {
        PrivateKeyDer::from_pem_slice(&self.text).map_err(|_| TlsError::NoKey { path: self.name.clone() })
    }

    /// What the first certificate says.
    pub fn facts(&self) -> Result<CertificateFacts, TlsError> {
        self.facts_of(&self.certificates()?[0])
    }

    pub fn facts_of_all(&self) -> Result<Vec<CertificateFacts>, TlsError> {
        self.certificates()?.iter().map(|certificate| self.facts_of(certificate)).collect()
    }

    fn facts_of(&self, certificate: &CertificateDer<'_>) -> Result<CertificateFacts, TlsError> {
        CertificateFacts::parse(certificate)
            .map_err(|reason| TlsError::Malformed { path: self.name.clone(), reason })
    }
}

/// Everything that a TLS connection needs of us, and that is changed as one.
#[derive(Clone)]
pub struct Identity {
    /// Whom we trust.
    pub authority: Pem,
    /// What we show: our certificate, then those between it and the authority.
    pub certificate: Pem,
    pub key: Pem,
}

impl Identity {
    pub fn load(authority: &Path, certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let [authority, certificate, key] = [authority, certificate, key].map(Pem::load);
        Ok(Self { authority: authority?, certificate: certificate?, key: key? })
    }

    /// A client that trusts only servers signed by our authority, and shows our certificate.
    pub fn client_config(&self) -> Result<ClientConfig, TlsError> {
        let roots = self.authority.roots()?;
        let chain = self.certificate.certificates()?;
        let private = self.key.private_key()?;
        let (key, certificate) = (&self.key.name, &self.certificate.name);
        ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("the provider offers TLS 1.3")
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, private)
            .map_err(|error| match error {
                rustls::Error::InconsistentKeys(_) => {
                    TlsError::KeyMismatch { key: key.clone(), certificate: certificate.clone() }
                }
                other => TlsError::Unusable { key: key.clone(), reason: other.to_string() },
            })
    }
}

/// Where a session has its identity from: asked anew for each connection, so that a renewed one is taken up by itself.
pub trait Credentials: Send + Sync {
    fn identity(&self) -> Result<Identity, TlsError>;
}

impl Credentials for Broker {
    /// The configured files.
    fn identity(&self) -> Result<Identity, TlsError> {
        Identity::load(&locate(&self.authority), &locate(&self.certificate), &locate(&self.key))
    }
}

/// A client that trusts only servers signed by `authority`, and shows `certificate`.
pub fn client_config(authority: &Path, certificate: &Path, key: &Path) -> Result<ClientConfig, TlsError> {
    Identity::load(authority, certificate, key)?.client_config()
}

/// What a certificate says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFacts {
    pub common_name: Option<String>,
    pub issuer: String,
    pub not_before: Timestamp,
    pub not_after: Timestamp,
    /// SHA-256 of the certificate, hexadecimal.
    pub fingerprint: String,
}

impl CertificateFacts {
    /// Of the first certificate in a PEM file.
    pub fn load(path: &Path) -> Result<Self, TlsError> {
        Pem::load(path)?.facts()
    }

    fn parse(der: &CertificateDer<'_>) -> Result<Self, String> {
        let (_, parsed) = x509_parser::parse_x509_certificate(der).map_err(|error| error.to_string())?;
        let date = |seconds| Timestamp::from_second(seconds).map_err(|error| error.to_string());
        let common_name = parsed.subject().iter_common_name().next().and_then(|name| name.as_str().ok());
        Ok(Self {
            common_name: common_name.map(str::to_owned),
            issuer: parsed.issuer().to_string(),
            not_before: date(parsed.validity().not_before.timestamp())?,
            not_after: date(parsed.validity().not_after.timestamp())?,
            fingerprint: hex(&sha256(der)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enroll::Authority;

    #[test]
    fn each_fault_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let [authority, one, other] = ["authority", "one", "other"].map(|name| folder.path().join(name));
        let ca = Authority::create("Test").unwrap();
        std::fs::write(&authority, ca.certificate_pem()).unwrap();
        for path in [&one, &other] {
            let issued = ca.issue_client("north-7").unwrap();
            std::fs::write(path.with_extension("pem"), issued.certificate_pem).unwrap();
            std::fs::write(path.with_extension("key"), issued.key_pem).unwrap();
        }
        let (pem, key) = (one.with_extension("pem"), one.with_extension("key"));
        assert!(client_config(&authority, &pem, &key).is_ok());
        let missing = folder.path().join("missing");
        let fault = |authority, pem, key| client_config(authority, pem, key).unwrap_err();
        assert!(matches!(fault(&missing, &pem, &key), TlsError::Read { path, .. } if path == missing));
        assert_eq!(fault(&key, &pem, &key), TlsError::NoCertificate { path: key.clone() });
        assert_eq!(fault(&authority, &pem, &pem), TlsError::NoKey { path: pem.clone() });
        let other = other.with_extension("key");
        let mismatch = TlsError::KeyMismatch { key: other.clone(), certificate: pem.clone() };
        assert_eq!(fault(&authority, &pem, &other), mismatch);
    }

    #[test]
    fn a_certificate_tells_whose_it_is_and_how_long() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("unit.pem");
        let ca = Authority::create("Test").unwrap();
        std::fs::write(&path, ca.issue_client("north-7").unwrap().certificate_pem).unwrap();
        let facts = CertificateFacts::load(&path).unwrap();
        assert_eq!(facts.common_name.as_deref(), Some("north-7"));
        assert!(facts.not_before <= Timestamp::now() && facts.not_after > Timestamp::now());
        assert_eq!(facts.fingerprint.len(), 64);
    }
}
