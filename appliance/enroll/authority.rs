use std::path::Path;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertificateSigningRequestParams,
    CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    RevocationReason, RevokedCertParams, SerialNumber,
};

use crate::words::UnitId;

/// A certificate authority in memory, small enough for a demo, a test, or a department with one broker.
///
/// Its own key never touches the disk unless it is saved; what it issues is P-256, valid as long as stated.
pub struct Authority {
    certificate_pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate with its key, both PEM.
pub struct Issued {
    pub certificate_pem: String,
    pub key_pem: String,
}

/// Why no certificate was issued.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    #[error("the certificate could not be made: {0}")]
    Certificate(#[from] rcgen::Error),
    #[error("{0} is no certificate to revoke: {1}")]
    Read(std::path::PathBuf, String),
    #[error("{0} cannot be written: {1}")]
    Write(std::path::PathBuf, std::io::Error),
}

/// Certificates begin a day early: a unit whose clock is a little behind must still accept its broker's.
const EARLY: Duration = Duration::from_secs(24 * 3600);
const AUTHORITY_VALID: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
const CERTIFICATE_VALID: Duration = Duration::from_secs(2 * 365 * 24 * 3600);

impl Authority {
    pub fn create(name: &str) -> Result<Self, IssueError> {
        let mut params = params(name, AUTHORITY_VALID);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let made = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        Self::open(made.pem(), &made.key().serialize_pem())
    }

    /// Opens one that was made before, here or elsewhere.
    pub fn open(certificate_pem: String, key_pem: &str) -> Result<Self, IssueError> {
        let issuer = Issuer::from_ca_cert_pem(&certificate_pem, KeyPair::from_pem(key_pem)?)?;
        Ok(Self { certificate_pem, issuer })
    }

    pub fn certificate_pem(&self) -> String {
        self.certificate_pem.clone()
    }

    /// The secret that everything rests on, for whoever keeps it.
    pub fn key_pem(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// For a server that is reached by these names or addresses.
    pub fn issue_server(&self, names: &[&str]) -> Result<Issued, IssueError> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = params(names.first().map_or("server", String::as_str), CERTIFICATE_VALID);
        params.subject_alt_names = CertificateParams::new(names)?.subject_alt_names;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.issue(params)
    }

    /// For a client: a unit, a receiver, a publisher of lists. Brokers take the name as its user name.
    pub fn issue_client(&self, name: &str) -> Result<Issued, IssueError> {
        self.issue_client_until(name, SystemTime::now() + CERTIFICATE_VALID)
    }

    /// The same with an end of its own, which may lie in the past.
    pub fn issue_client_until(&self, name: &str, end: SystemTime) -> Result<Issued, IssueError> {
        let mut params = client_params(name);
        params.not_after = end.into();
        self.issue(params)
    }

    /// Signs a unit's request. Nothing of what it asks for counts but its key: the name comes from the
    /// authority, the rest from us.
    pub fn sign(&self, request_pem: &str, unit: &UnitId) -> Result<String, IssueError> {
        let mut request = CertificateSigningRequestParams::from_pem(request_pem)?;
        request.params = client_params(unit.as_str());
        Ok(request.signed_by(&self.issuer)?.pem())
    }

    /// The list (PEM) by which a broker refuses these certificates from now on: of units that were stolen, say. It
    /// replaces the list before, so all that are revoked must be given each time; it holds for as long as the authority.
    pub fn revoke(&self, certificates: &[&Path]) -> Result<String, IssueError> {
        let now = SystemTime::now();
        let serial = |path: &&Path| {
            let pem = std::fs::read(path)
                .map_err(|error| IssueError::Read(path.to_path_buf(), error.to_string()))?;
            let parsed = x509_parser::pem::parse_x509_pem(&pem).map_err(|error| error.to_string());
            let serial = parsed.and_then(|(_, pem)| {
                pem.parse_x509()
                    .map(|certificate| certificate.raw_serial().to_vec())
                    .map_err(|error| error.to_string())
            });
            serial.map_err(|error| IssueError::Read(path.to_path_buf(), error))
        };
        let revoked = |path: &&Path| {
            Ok(RevokedCertParams {
                serial_number: SerialNumber::from_slice(&serial(path)?),
                revocation_time: now.into(),
                reason_code: Some(RevocationReason::KeyCompromise),
                invalidity_date: None,
            })
        };
        let since_1970 = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let list = CertificateRevocationListParams {
            this_update: (now - EARLY).into(),
            next_update: (now + AUTHORITY_VALID).into(),
            crl_number: SerialNumber::from(since_1970.as_secs()),
            issuing_distribution_point: None,
            revoked_certs: certificates.iter().map(revoked).collect::<Result<_, IssueError>>()?,
            key_identifier_method: KeyIdMethod::Sha256,
        };
        Ok(list.signed_by(&self.issuer)?.pem()?)
    }

    fn issue(&self, params: CertificateParams) -> Result<Issued, IssueError> {
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(Issued { certificate_pem: certificate.pem(), key_pem: key.serialize_pem() })
    }
}

impl Issued {
    /// Writes `{name}.pem`, and `{name}.key` for its owner alone.
    pub fn save(&self, folder: &Path, name: &str) -> Result<(), IssueError> {
        let write = |path: std::path::PathBuf, text: &str, mode| {
            super::identity::write_new(&path, text.as_bytes(), mode)
                .map_err(|error| IssueError::Write(path, error))
        };
        write(folder.join(format!("{name}.key")), &self.key_pem, 0o600)?;
        write(folder.join(format!("{name}.pem")), &self.certificate_pem, 0o644)
    }
}

fn client_params(name: &str) -> CertificateParams {
    let mut params = params(name, CERTIFICATE_VALID);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params
}

fn params(common_name: &str, valid: Duration) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.not_before = (SystemTime::now() - EARLY).into();
    params.not_after = (SystemTime::now() + valid).into();
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    params
}
