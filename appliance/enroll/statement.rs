use std::path::Path;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use rustls::SignatureScheme;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde::{Deserialize, Serialize};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::identity::{EnrollError, judge_chain};
use crate::delivery::tls::{self, Identity, Pem, TlsError};

/// What a unit says and signs with the key of its certificate, so that whoever trusts its authority can trust it.
///
/// The statement travels as text and is signed as that very text: ECDSA on P-256 with SHA-256, so a shell can check
/// it too (`openssl dgst -sha256 -verify`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Statement {
    /// The text that was signed.
    pub statement: String,
    /// PEM: the unit's certificate, and those between it and the authority.
    pub certificate: String,
    /// DER in base64.
    pub signature: String,
}

/// Why a statement was not made or is not believed.
#[derive(Debug, thiserror::Error)]
pub enum StatementError {
    #[error(transparent)]
    Files(#[from] TlsError),
    #[error("the unit's key is not one on the curve P-256, as `milepost enroll request` makes it")]
    OtherKey,
    #[error("this is not a signed statement: {0}")]
    Malformed(String),
    #[error("the signature does not fit: the statement was changed, or another key signed it")]
    Forged,
    #[error(transparent)]
    Untrusted(EnrollError),
}

impl Statement {
    pub fn sign(statement: String, identity: &Identity) -> Result<Self, StatementError> {
        // That there is a certificate shows here, and not only at who checks.
        identity.certificate.certificates()?;
        let certificate = String::from_utf8_lossy(&identity.certificate.text).into_owned();
        let key = tls::provider().key_provider.load_private_key(identity.key.private_key()?);
        let key = key.map_err(|_| StatementError::OtherKey)?;
        let signer = key.choose_scheme(&[SignatureScheme::ECDSA_NISTP256_SHA256]);
        let signer = signer.ok_or(StatementError::OtherKey)?;
        let signature = signer.sign(statement.as_bytes()).map_err(|_| StatementError::OtherKey)?;
        Ok(Self { statement, certificate, signature: BASE64.encode(signature) })
    }

    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).expect("a statement is plain data with string keys")
    }

    /// Checks the signature, and that `authority` signed the certificate; the name in it, and what it says.
    pub fn open(json: &[u8], authority: &Path, now: Timestamp) -> Result<(String, String), StatementError> {
        let malformed = |error: &dyn std::fmt::Display| StatementError::Malformed(error.to_string());
        let told: Self = serde_json::from_slice(json).map_err(|error| malformed(&error))?;
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(told.certificate.as_bytes()).collect();
        let chain = chain.map_err(|error| malformed(&error))?;
        let first = chain.first().ok_or_else(|| malformed(&"it holds no certificate"))?;
        let (_, certificate) = X509Certificate::from_der(first).map_err(|error| malformed(&error))?;
        let signature = BASE64.decode(&told.signature).map_err(|error| malformed(&error))?;
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &certificate.public_key().subject_public_key.data)
            .verify(told.statement.as_bytes(), &signature)
            .map_err(|_| StatementError::Forged)?;
        judge_chain(&chain, &Pem::load(authority)?, now).map_err(StatementError::Untrusted)?;
        let name = certificate.subject().iter_common_name().find_map(|name| name.as_str().ok());
        Ok((name.unwrap_or_default().to_owned(), told.statement))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enroll::Authority;

    #[test]
    fn a_statement_is_believed_only_as_it_was_signed_and_by_whom_the_authority_knows() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let authority = Authority::create("Test Department").unwrap();
        std::fs::write(path("authority.pem"), authority.certificate_pem()).unwrap();
        authority.issue_client("north-7").unwrap().save(folder.path(), "unit").unwrap();
        let text = r#"{"site":"Route 9"}"#;
        let identity = Identity::load(&path("authority.pem"), &path("unit.pem"), &path("unit.key")).unwrap();
        let signed = Statement::sign(text.to_owned(), &identity).unwrap();
        let json = String::from_utf8(signed.to_json()).unwrap();
        let open = |json: &str, authority: &str| {
            Statement::open(json.as_bytes(), &path(authority), Timestamp::now())
        };
        assert_eq!(open(&json, "authority.pem").unwrap(), ("north-7".to_owned(), text.to_owned()));
        let changed = open(&json.replace("Route 9", "Route 8"), "authority.pem");
        assert!(matches!(changed, Err(StatementError::Forged)));
        let stranger = Authority::create("Somebody Else").unwrap();
        std::fs::write(path("stranger.pem"), stranger.certificate_pem()).unwrap();
        assert!(matches!(open(&json, "stranger.pem"), Err(StatementError::Untrusted(_))));
        assert!(matches!(open("{}", "authority.pem"), Err(StatementError::Malformed(_))));
    }
}
