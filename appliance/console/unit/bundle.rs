use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::certificates::CertificateView;

/// An enrolment bundle as a person sends it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct BundleSent {
    /// The file's text.
    pub bundle: String,
    /// Public key of whoever signed it, where the unit was not told of it.
    #[serde(default)]
    pub key: String,
}

/// What a bundle would change, of which nothing is done yet.
#[derive(Debug, Clone, Serialize)]
pub struct BundleView {
    /// Names the key that signed it.
    pub signed_by: String,
    /// Whether the unit was told of that key beforehand, and not by the person who sends the bundle.
    pub known: bool,
    pub issued: Timestamp,
    pub expires: Timestamp,
    /// None where it is the one in use.
    pub certificate: Option<CertificateView>,
    /// Whom the unit would trust; empty where it trusts them already.
    pub authorities: Vec<CertificateView>,
    /// Empty where the configuration stays.
    pub changes: Vec<FieldChange>,
    /// Where the console would listen.
    pub console: String,
}

/// One field of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldChange {
    pub field: String,
    pub old: Option<String>,
    pub new: Option<String>,
}
