use std::path::Path;

use jiff::Timestamp;
use pkcs8::LineEnding;
use pkcs8::der::pem::encode_string;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use serde::{Deserialize, Serialize};

use crate::delivery::tls::{self, CertificateFacts, Identity, Pem, TlsError};
use crate::enroll::identity::{EnrollError, judge_chain, judge_version};
use crate::words::UnitId;

/// A chain with RSA keys of 4096 bits, or a handful of authorities, is half of this.
const PEM_MAX: usize = 20_000;

/// What is to take the place of what a unit shows and trusts, as PEM.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Offer {
    /// What the authority signed, with the certificates between it and the authority if there are any; empty where it
    /// stays as it is.
    #[serde(default)]
    pub certificate: String,
    /// Whom the unit is to trust from now on; empty where that stays as it is. Several at once while the department
    /// changes from one to another.
    #[serde(default)]
    pub authority: String,
}

/// What has passed every check that needs no broker.
pub struct Accepted {
    pub identity: Identity,
    pub facts: CertificateFacts,
    /// Of each certificate that is trusted from then on, SHA-256.
    pub trusted: Vec<String>,
}

/// Why an offer was not even tried; what is in use stays so.
#[derive(Debug, thiserror::Error)]
pub enum OfferError {
    #[error("there is neither a certificate nor an authority: give one of them, or both")]
    Nothing,
    #[error(
        "the {what} has {bytes} characters; at most {PEM_MAX} are taken: give it without what is not needed"
    )]
    TooLong { what: &'static str, bytes: usize },
    #[error(
        "the {what} holds a private key. A unit's key never travels: make a request here and have that signed; whose key \
         this is must be told that it is no longer secret"
    )]
    PrivateKey { what: &'static str },
    #[error("the {what} is no certificate in PEM: give the text from -----BEGIN CERTIFICATE----- on")]
    NotPem { what: &'static str },
    #[error("the certificate cannot be used: {0}")]
    Unusable(&'static str),
    #[error("a certificate in the {what} cannot be understood: {reason}. Have it made anew")]
    Malformed { what: &'static str, reason: String },
    #[error(
        "the certificate belongs to no key of this unit, neither to the one in use nor to one that waits: make a request \
         here and have that very request signed"
    )]
    OtherKey,
    #[error("the certificate is for {}, and this unit is {expected}: have it signed for the name {expected}", name(.found))]
    OtherName { found: Option<String>, expected: UnitId },
    #[error(
        "the certificate is valid only from {from:.0} on, and by this unit's clock it is {now:.0}: wait, or see to the clock"
    )]
    TooEarly { from: Timestamp, now: Timestamp },
    #[error(
        "the certificate ended on {until:.0}, and by this unit's clock it is {now:.0}: have a new one signed, or see to the \
         clock"
    )]
    Ended { until: Timestamp, now: Timestamp },
    #[error(
        "the certificate is not signed for a client by the {authority}: {reason}. Give the authority that signed it, with \
         those between them, or have this authority sign it"
    )]
    Chain { authority: &'static str, reason: String },
    #[error("this certificate and this authority are in use already: nothing is to be done")]
    Same,
    #[error(
        "what is in use cannot be read ({0}): give a certificate for a request that was made here, and the authority"
    )]
    NothingInUse(TlsError),
}

fn name(found: &Option<String>) -> String {
    found.as_ref().map_or_else(|| "no name".to_owned(), |name| format!("{name:?}"))
}

impl Offer {
    /// `waiting` is the key (PEM) of the request that waits for its certificate.
    pub(super) fn judge(
        &self,
        present: &Result<Identity, TlsError>,
        waiting: Option<&str>,
        unit: &UnitId,
        now: Timestamp,
    ) -> Result<Accepted, OfferError> {
        let (certificate, authority) = (self.certificate.trim(), self.authority.trim());
        if certificate.is_empty() && authority.is_empty() {
            return Err(OfferError::Nothing);
        }
        let in_use = || present.as_ref().map_err(|error| OfferError::NothingInUse(error.clone()));
        let (trust, whose) = match authority {
            "" => (in_use()?.authority.clone(), "authority in use"),
            text => (Pem::called("the new authority", text), "new authority"),
        };
        if !authority.is_empty() {
            read("authority", authority)?;
            trust.roots().map_err(|error| malformed("authority", error))?;
        }
        let (chain, key) = if certificate.is_empty() {
            let present = in_use()?;
            let chain = present.certificate.certificates().map_err(OfferError::NothingInUse)?;
            (chain, present.key.clone())
        } else {
            let waiting = waiting.map(|key| Pem::called("the key of the request", key));
            let known = waiting.into_iter().chain(present.as_ref().ok().map(|present| present.key.clone()));
            let chain = read("certificate", certificate)?;
            chain.iter().try_for_each(|link| judge_version(link).map_err(OfferError::Unusable))?;
            with_its_key(chain, known)?
        };
        let certificate = Pem::called("the certificate", pem_of(&chain));
        let facts = certificate.facts().map_err(|error| malformed("certificate", error))?;
        if facts.common_name.as_deref() != Some(unit.as_str()) {
            return Err(OfferError::OtherName { found: facts.common_name, expected: unit.clone() });
        }
        if now < facts.not_before {
            return Err(OfferError::TooEarly { from: facts.not_before, now });
        }
        if now > facts.not_after {
            return Err(OfferError::Ended { until: facts.not_after, now });
        }
        judge_chain(&chain, &trust, now).map_err(|error| match error {
            EnrollError::Chain { reason, .. } => OfferError::Chain { authority: whose, reason },
            other => OfferError::Chain { authority: whose, reason: other.to_string() },
        })?;
        let roots = trust.certificates().map_err(|error| malformed("authority", error))?;
        let same = present.as_ref().is_ok_and(|present| {
            present.certificate.certificates().is_ok_and(|old| old == chain)
                && present.authority.certificates().is_ok_and(|old| old == roots)
        });
        if same {
            return Err(OfferError::Same);
        }
        let trusted = roots.iter().map(|root| crate::crypto::hex(&crate::crypto::sha256(root))).collect();
        Ok(Accepted { identity: Identity { authority: trust, certificate, key }, facts, trusted })
    }
}

/// All certificates of a text that came from outside.
fn read(what: &'static str, text: &str) -> Result<Vec<CertificateDer<'static>>, OfferError> {
    if text.len() > PEM_MAX {
        return Err(OfferError::TooLong { what, bytes: text.len() });
    }
    if PrivateKeyDer::from_pem_slice(text.as_bytes()).is_ok() || text.contains("PRIVATE KEY-----") {
        return Err(OfferError::PrivateKey { what });
    }
    Pem { name: Path::new(what).into(), text: text.into() }
        .certificates()
        .map_err(|error| malformed(what, error))
}

fn malformed(what: &'static str, error: TlsError) -> OfferError {
    match error {
        TlsError::NoCertificate { .. } => OfferError::NotPem { what },
        TlsError::Malformed { reason, .. } => OfferError::Malformed { what, reason },
        other => OfferError::Malformed { what, reason: other.to_string() },
    }
}

/// Finds the certificate that belongs to a key of this unit, and puts it first: authorities hand out chains in either order.
fn with_its_key(
    mut chain: Vec<CertificateDer<'static>>,
    known: impl Iterator<Item = Pem>,
) -> Result<(Vec<CertificateDer<'static>>, Pem), OfferError> {
    for key in known {
        let fits = |certificate: &CertificateDer<'static>| {
            let private = key.private_key().ok();
            private.is_some_and(|private| {
                CertifiedKey::from_der(vec![certificate.clone()], private, &tls::provider()).is_ok()
            })
        };
        if let Some(at) = chain.iter().position(fits) {
            let own = chain.remove(at);
            chain.insert(0, own);
            return Ok((chain, key));
        }
    }
    Err(OfferError::OtherKey)
}

fn pem_of(chain: &[CertificateDer<'static>]) -> String {
    let one = |certificate: &CertificateDer<'static>| {
        encode_string("CERTIFICATE", LineEnding::LF, certificate).expect("the label is one of the standard's")
    };
    chain.iter().map(one).collect()
}
