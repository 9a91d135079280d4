use jiff::Timestamp;

use super::certificates::CertificateView;

/// What the unit runs with, and what it shows to others.
#[derive(Debug, Clone)]
pub struct Configuration {
    /// The file's text; None where the unit cannot be started anew with another.
    pub text: Option<String>,
    /// The text from before the latest change that was kept.
    pub former: Option<String>,
    /// Until when a person must keep it; None where it is not on trial.
    pub trial_until: Option<Timestamp>,
    /// Who keeps the clock, as a sentence.
    pub clock: String,
    /// What the unit shows to the broker, or why it cannot.
    pub certificate: Result<CertificateView, String>,
}
