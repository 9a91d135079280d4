use jiff::Timestamp;

use super::certificates::CertificateView;
use super::{ClockChange, NetworkView, Refused};
use crate::network::Change;
use crate::words::PersonName;

/// Configuration and network, which are tried before they are kept; and the clock, which is set.
pub trait Setup {
    fn configuration(&self) -> Configuration;
    /// Until when the present configuration is on trial; None where it is not.
    fn trial_until(&self) -> Option<Timestamp>;
    /// Has the unit start anew with this text, on trial; where the console will listen then.
    fn try_configuration(&self, text: &str, by: &PersonName) -> Result<String, Refused>;
    /// Ends the trial: the configuration stays, or the unit starts anew with the old one.
    fn decide_trial(&self, keep: bool, by: &PersonName) -> Result<(), Refused>;
    fn network(&self) -> NetworkView;
    /// Until when a change of network or time is on trial; None where none is.
    fn network_trial_until(&self) -> Option<Timestamp>;
    /// Has a change tried; on trial once this returns.
    fn try_network(&self, change: Change, by: &PersonName) -> Result<(), Refused>;
    /// Ends the trial: the change stays, or is taken back.
    fn decide_network(&self, keep: bool, by: &PersonName) -> Result<(), Refused>;
    /// What it would mean to set the clock to this time now.
    fn look_at_time(&self, to: Timestamp) -> Result<ClockChange, Refused>;
    /// Sets the clock, which shows this time now; `sure`: whatever speaks against it.
    fn set_time(&self, to: Timestamp, sure: bool, by: &PersonName) -> Result<(), Refused>;
}

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
