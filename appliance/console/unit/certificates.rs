use jiff::Timestamp;
use serde::Serialize;

use super::{BundleSent, BundleView, Refused};
use crate::delivery::tls::CertificateFacts;
use crate::enroll::Offer;
use crate::words::PersonName;

/// What the unit shows to the broker, and how that is changed.
pub trait Identifying {
    fn certificates(&self) -> Certificates;
    /// Makes a key, and the request for its certificate, unless one waits already.
    fn request_certificate(&self, by: &PersonName) -> Result<(), Refused>;
    fn withdraw_request(&self, by: &PersonName) -> Result<(), Refused>;
    /// Judges what is offered and begins to try it; [`Identifying::certificates`] tells how far it has come.
    fn install_certificate(&self, offer: &Offer, by: &PersonName) -> Result<(), Refused>;
    /// What an enrolment bundle would change, if it is for this unit and signed by whom it believes.
    fn look_into_bundle(&self, sent: &BundleSent) -> Result<BundleView, Refused>;
    /// Begins to try what it holds: certificate and authority, and then the configuration.
    fn take_bundle(&self, sent: &BundleSent, by: &PersonName) -> Result<(), Refused>;
}

/// What the unit shows to the broker, whom it trusts, and how that is being changed.
#[derive(Debug, Clone, Serialize)]
pub struct Certificates {
    /// None where it cannot be read; `trouble` says why.
    pub present: Option<CertificateView>,
    pub trouble: Option<String>,
    pub authorities: Vec<CertificateView>,
    /// Who put it in here, and when; None where it is the installed one.
    pub changed: Option<ByWhom>,
    /// A request that waits to be signed.
    pub requested: Option<RequestView>,
    /// The latest that was offered since the start.
    pub last: Option<Attempt>,
}

#[derive(Debug, Clone, Serialize)]
pub struct CertificateView {
    pub name: String,
    pub issuer: String,
    pub from: Timestamp,
    pub until: Timestamp,
    /// SHA-256, hexadecimal.
    pub fingerprint: String,
}

impl From<CertificateFacts> for CertificateView {
    fn from(facts: CertificateFacts) -> Self {
        Self {
            name: facts.common_name.unwrap_or_else(|| facts.issuer.clone()),
            issuer: facts.issuer,
            from: facts.not_before,
            until: facts.not_after,
            fingerprint: facts.fingerprint,
        }
    }
}

#[derive(Debug, Clone, Serialize)]
pub struct ByWhom {
    pub by: PersonName,
    pub at: Timestamp,
}

#[derive(Debug, Clone, Serialize)]
pub struct RequestView {
    /// PEM.
    pub request: String,
    pub by: PersonName,
    pub at: Timestamp,
}

/// Something that was offered, and how far it has come.
#[derive(Debug, Clone, Serialize)]
pub struct Attempt {
    pub certificate: CertificateView,
    pub by: PersonName,
    pub at: Timestamp,
    pub state: AttemptState,
    /// The same as a sentence, with what mends it.
    pub said: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AttemptState {
    Proving,
    OnTrial,
    InUse,
    NotProved,
    WentBack,
}

impl AttemptState {
    pub fn is_over(self) -> bool {
        !matches!(self, Self::Proving | Self::OnTrial)
    }

    pub fn words(self) -> &'static str {
        match self {
            Self::Proving => "Being tried",
            Self::OnTrial => "On trial",
            Self::InUse => "In use",
            Self::NotProved => "Not taken",
            Self::WentBack => "Taken back",
        }
    }
}
