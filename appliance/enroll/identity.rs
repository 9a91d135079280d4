use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use rcgen::{CertificateParams, DnType, KeyPair};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::sign::CertifiedKey;
use x509_parser::prelude::{FromDer, X509Certificate, X509Version};

use super::keys::{Keys, Secret};
use crate::crypto::UnitKey;
use crate::delivery::tls::{self, CertificateFacts, Pem, TlsError};
use crate::words::UnitId;

/// Why a unit could not be enrolled. Nothing is installed unless every check passes.
#[derive(Debug, thiserror::Error)]
pub enum EnrollError {
    #[error("{path} exists already; a key is never replaced. Move it away to enrol the unit anew")]
    Exists { path: PathBuf },
    #[error("{path} cannot be written: {source}")]
    Write { path: PathBuf, source: std::io::Error },
    #[error("the request could not be made: {0}")]
    Request(#[from] rcgen::Error),
    #[error(transparent)]
    Files(#[from] TlsError),
    #[error("the certificate {certificate} belongs to another key than {key}: was another request signed?")]
    OtherKey { certificate: PathBuf, key: PathBuf },
    #[error("the certificate {certificate} cannot be used: {reason}")]
    Unusable { certificate: PathBuf, reason: &'static str },
    #[error("there is no key {key}: make one, and a request to sign, by `milepost enroll request`")]
    NoRequest { key: PathBuf },
    #[error("the certificate is for {found:?}; this unit is {expected}")]
    OtherName { found: Option<String>, expected: UnitId },
    #[error("the certificate is valid from {from} to {to}; by this unit's clock it is {now}")]
    Dates { from: Timestamp, to: Timestamp, now: Timestamp },
    #[error("the certificate is not signed for a client by what {authority} holds: {reason}")]
    Chain { authority: PathBuf, reason: String },
}

/// What was installed.
#[derive(Debug)]
pub struct Installed {
    pub facts: CertificateFacts,
    pub certificate: PathBuf,
    pub authority: PathBuf,
}

/// Makes the unit's two keys, and the certificate request `unit.csr` beside them. A request that was interrupted
/// is made again from the keys that are there; a key is never replaced.
pub fn request(keys: &Keys, unit: &UnitId) -> Result<PathBuf, EnrollError> {
    let installed = keys.folder().join("unit.pem");
    if installed.exists() {
        return Err(EnrollError::Exists { path: installed });
    }
    make_keys(keys)?;
    let key = read(keys, Secret::Identity)?
        .ok_or_else(|| EnrollError::NoRequest { key: keys.path(Secret::Identity) })?;
    let key = KeyPair::from_pem(&String::from_utf8_lossy(&key))?;
    let pem = request_for(&key, unit)?;
    let request_path = keys.folder().join("unit.csr");
    replace(&request_path, pem.as_bytes())?;
    Ok(request_path)
}

/// Makes those of the unit's two keys that are not there yet.
pub fn make_keys(keys: &Keys) -> Result<(), EnrollError> {
    if read(keys, Secret::Identity)?.is_none() {
        keep(keys, Secret::Identity, KeyPair::generate()?.serialize_pem().as_bytes())?;
    }
    if read(keys, Secret::Seal)?.is_none() {
        keep(keys, Secret::Seal, UnitKey::generate().as_bytes())?;
    }
    Ok(())
}

/// The certificate request (PEM) for this key, in the unit's name.
pub fn request_for(key: &KeyPair, unit: &UnitId) -> Result<String, rcgen::Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, unit.as_str());
    params.serialize_request(key)?.pem()
}

fn read(keys: &Keys, secret: Secret) -> Result<Option<Vec<u8>>, EnrollError> {
    let unreadable =
        |error: std::io::Error| TlsError::Read { path: keys.path(secret), reason: error.to_string() };
    Ok(keys.read(secret).map_err(unreadable)?)
}

fn keep(keys: &Keys, secret: Secret, key: &[u8]) -> Result<(), EnrollError> {
    keys.keep(secret, key).map_err(|source| EnrollError::Write { path: keys.path(secret), source })
}

/// Checks what the authority signed against the unit's key and name, the authority and the clock, then
/// installs it as `unit.pem` and `authority.pem` in the folder of the keys.
pub fn install(
    keys: &Keys,
    unit: &UnitId,
    certificate: &Path,
    authority: &Path,
    now: Timestamp,
) -> Result<Installed, EnrollError> {
    let name = keys.path(Secret::Identity);
    let text = read(keys, Secret::Identity)?.ok_or_else(|| EnrollError::NoRequest { key: name.clone() })?;
    let (certificate, authority) = (Pem::load(certificate)?, Pem::load(authority)?);
    let facts = judge(unit, &Pem { name, text }, &certificate, &authority, now)?;
    install_judged(keys, &certificate, &authority, facts)
}

/// Checks what the authority signed, and that it belongs to this key; what the certificate says.
pub(super) fn judge(
    unit: &UnitId,
    key: &Pem,
    certificate: &Pem,
    authority: &Pem,
    now: Timestamp,
) -> Result<CertificateFacts, EnrollError> {
    let (chain, facts) = (certificate.certificates()?, certificate.facts()?);
    judge_version(&chain[0])
        .map_err(|reason| EnrollError::Unusable { certificate: certificate.name.clone(), reason })?;
    if facts.common_name.as_deref() != Some(unit.as_str()) {
        return Err(EnrollError::OtherName { found: facts.common_name, expected: unit.clone() });
    }
    if now < facts.not_before || now > facts.not_after {
        return Err(EnrollError::Dates { from: facts.not_before, to: facts.not_after, now });
    }
    CertifiedKey::from_der(chain.clone(), key.private_key()?, &tls::provider()).map_err(|_| {
        EnrollError::OtherKey { certificate: certificate.name.clone(), key: key.name.clone() }
    })?;
    judge_chain(&chain, authority, now)?;
    Ok(facts)
}

/// Writes what was judged beside the keys.
pub(super) fn install_judged(
    keys: &Keys,
    certificate: &Pem,
    authority: &Pem,
    facts: CertificateFacts,
) -> Result<Installed, EnrollError> {
    let [certificate_path, authority_path] =
        ["unit.pem", "authority.pem"].map(|name| keys.folder().join(name));
    let installed = Installed { facts, certificate: certificate_path, authority: authority_path };
    replace(&installed.authority, &authority.text)?;
    replace(&installed.certificate, &certificate.text)?;
    Ok(installed)
}

/// That TLS can take it at all: `openssl x509 -req` makes what it cannot, unless it is given an extension to write.
pub(super) fn judge_version(certificate: &CertificateDer<'_>) -> Result<(), &'static str> {
    match X509Certificate::from_der(certificate) {
        Ok((_, parsed)) if parsed.version() != X509Version::V3 => Err(
            "it is of X.509 version 1, which TLS does not take: have the authority write an extension into it, such as \
             extendedKeyUsage=clientAuth (openssl x509 -req ... -extfile FILE)",
        ),
        // What is no certificate is told by whoever reads it.
        _ => Ok(()),
    }
}

/// That this authority signed the certificate for a client, and that it is in force.
pub(super) fn judge_chain(
    chain: &[CertificateDer<'_>],
    authority: &Pem,
    now: Timestamp,
) -> Result<(), EnrollError> {
    let untrusted = |reason: String| EnrollError::Chain { authority: authority.name.clone(), reason };
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(authority.roots()?), tls::provider())
        .build()
        .map_err(|error| untrusted(error.to_string()))?;
    let at = UnixTime::since_unix_epoch(std::time::Duration::from_secs(now.as_second().max(0) as u64));
    verifier.verify_client_cert(&chain[0], &chain[1..], at).map_err(|error| untrusted(error.to_string()))?;
    Ok(())
}

/// Writes a file that must not exist yet, whole or not at all.
pub(super) fn write_new(path: &Path, bytes: &[u8], mode: u32) -> std::io::Result<()> {
    match path.exists() {
        true => Err(std::io::ErrorKind::AlreadyExists.into()),
        false => write_whole(path, bytes, mode),
    }
}

/// Whoever reads it finds the file that was there before or the new one, also after a power cut.
fn write_whole(path: &Path, bytes: &[u8], mode: u32) -> std::io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    match std::fs::remove_file(&beside) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside)?;
    // Whatever the mask of whoever installs: the service that reads it is not root.
    file.set_permissions(std::fs::Permissions::from_mode(mode))?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&beside, path)?;
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    std::fs::File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

fn replace(path: &Path, bytes: &[u8]) -> Result<(), EnrollError> {
    write_whole(path, bytes, 0o644).map_err(|source| EnrollError::Write { path: path.into(), source })
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::enroll::Authority;

    struct Desk {
        folder: tempfile::TempDir,
        authority: Authority,
        unit: UnitId,
    }

    impl Desk {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let authority = Authority::create("Test Department").unwrap();
            std::fs::write(folder.path().join("ca.pem"), authority.certificate_pem()).unwrap();
            Self { folder, authority, unit: UnitId::parse("north-7").unwrap() }
        }

        fn install(&self, certificate_pem: &str) -> Result<Installed, EnrollError> {
            let [signed, ca] = ["signed.pem", "ca.pem"].map(|name| self.folder.path().join(name));
            std::fs::write(&signed, certificate_pem).unwrap();
            install(&self.keys(), &self.unit, &signed, &ca, Timestamp::now())
        }

        fn keys(&self) -> Keys {
            Keys::files(self.folder.path())
        }
    }

    #[test]
    fn a_signed_request_is_installed_and_can_be_used() {
        let desk = Desk::new();
        let path = request(&desk.keys(), &desk.unit).unwrap();
        let asked = std::fs::read_to_string(&path).unwrap();
        request(&desk.keys(), &desk.unit).expect("asking again keeps the key");
        let installed = desk.install(&desk.authority.sign(&asked, &desk.unit).unwrap()).unwrap();
        assert_eq!(installed.facts.common_name.as_deref(), Some("north-7"));
        let key = desk.folder.path().join("unit.key");
        tls::client_config(&installed.authority, &installed.certificate, &key).unwrap();
        assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(matches!(request(&desk.keys(), &desk.unit), Err(EnrollError::Exists { .. })));
    }

    #[test]
    fn what_does_not_fit_is_not_installed() {
        let desk = Desk::new();
        let early = desk.authority.issue_client("north-7").unwrap().certificate_pem;
        assert!(matches!(desk.install(&early).unwrap_err(), EnrollError::NoRequest { .. }));
        let path = request(&desk.keys(), &desk.unit).unwrap();
        let asked = std::fs::read_to_string(path).unwrap();
        let other = UnitId::parse("south-1").unwrap();
        let fault = |pem: &str| desk.install(pem).unwrap_err();

        let misnamed = desk.authority.sign(&asked, &other).unwrap();
        assert!(matches!(fault(&misnamed), EnrollError::OtherName { .. }));
        let foreign_key = desk.authority.issue_client("north-7").unwrap().certificate_pem;
        assert!(matches!(fault(&foreign_key), EnrollError::OtherKey { .. }));
        let past = SystemTime::now() - Duration::from_secs(3600);
        let expired = desk.authority.issue_client_until("north-7", past).unwrap().certificate_pem;
        assert!(matches!(fault(&expired), EnrollError::Dates { .. }));
        let stranger = Authority::create("Test Department").unwrap();
        let untrusted = stranger.sign(&asked, &desk.unit).unwrap();
        assert!(matches!(fault(&untrusted), EnrollError::Chain { .. }));
        assert!(matches!(fault("no certificate"), EnrollError::Files(TlsError::NoCertificate { .. })));
        let plain = include_str!("../../tests/fixtures/version-1-certificate.pem");
        assert!(fault(plain).to_string().contains("version 1"), "{}", fault(plain));
        assert!(!desk.folder.path().join("unit.pem").exists());
    }
}
