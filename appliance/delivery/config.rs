use std::num::{NonZeroU16, NonZeroU32, NonZeroU64};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::outbox::Limits;
use crate::crypto::VerifyingKey;

/// `[delivery]`: how records reach the department's server.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// `[delivery.broker]`: where the MQTT broker is, and who we are to it.
    pub broker: Broker,
    /// Public keys (44 characters of base64) of the receivers whose receipts and answers to alerts count. Default:
    /// none, and then nothing is ever purged for having been received. Give the one that `milepost receive` prints
    /// at start.
    pub receivers: Vec<VerifyingKey>,
    /// Messages that may wait for the broker's acknowledgement at once, 1 to 32. Default 16. Lower it where
    /// the broker is weak; raising it brings little.
    pub window: Window,
    /// Seconds without a receipt until a record is sent again; doubles with each sending. Default 60. Raise
    /// it where the receiver answers in long intervals.
    pub receipt_timeout_s: NonZeroU32,
    /// Kilobytes that may wait for a receipt at once; alerts do not count. Default 4096. Past it nothing but
    /// alerts is sent, so that a slow or missing receiver finds no long queue at the broker, and an alert no
    /// pictures in front of it. Raise it where the receiver is fast and far away.
    pub unreceipted_max_kb: NonZeroU32,
    /// Reads in one message, at most. Default 100.
    pub batch_records: NonZeroU16,
    /// Bytes of reads in one message, at most (one read may always go). Default 262144.
    pub batch_bytes: NonZeroU32,
    /// Milliseconds that a read waits for others before a smaller message goes. Default 2000. Raise it on
    /// links that are paid by the message.
    pub batch_wait_ms: u32,
    /// Seconds after which a delivery is marked as late (`historical`). Default 60.
    pub historical_after_s: u32,
}

/// `[delivery.broker]`: an MQTT 3.1.1 broker behind mutual TLS 1.3.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Broker {
    /// Host name or address, as it stands in the broker's certificate. Default `localhost`.
    pub host: String,
    /// TCP port. Default 8883.
    pub port: NonZeroU16,
    /// PEM file of the authority that signed the broker's certificate. Default `authority.pem`. A name
    /// without a folder is first looked for among the service's systemd credentials.
    pub authority: PathBuf,
    /// PEM file of our certificate; its common name is the unit's name. Default `unit.pem`.
    pub certificate: PathBuf,
    /// PEM file of the private key to it. Default `unit.key`.
    pub key: PathBuf,
    /// Seconds between signs of life on an idle connection; a dead one is noticed within twice that. Default
    /// 30. Raise it on links that are paid by the byte.
    pub keepalive_s: NonZeroU16,
    /// Seconds that a connection may take to stand. Default 10. Raise it on very slow links.
    pub connect_timeout_s: NonZeroU16,
    /// Seconds between attempts, at most; attempts never end. Default 60.
    pub retry_max_s: NonZeroU64,
    /// Largest message, in bytes, both ways. Default 16777216.
    pub max_packet_bytes: NonZeroU32,
}

/// Messages under way at once. Kept well under the client library's own limit of 64, past which packet ids
/// collide and messages are lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct Window(u16);

impl Window {
    pub const MOST: u16 = 32;

    pub fn new(messages: u16) -> Option<Self> {
        (1..=Self::MOST).contains(&messages).then_some(Self(messages))
    }
}

impl TryFrom<u16> for Window {
    type Error = String;

    fn try_from(messages: u16) -> Result<Self, Self::Error> {
        Self::new(messages)
            .ok_or_else(|| format!("{messages} is no window: it must lie from 1 to {}", Self::MOST))
    }
}

impl From<Window> for u16 {
    fn from(window: Window) -> Self {
        window.0
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            broker: Broker::default(),
            receivers: Vec::new(),
            window: Window(16),
            receipt_timeout_s: NonZeroU32::new(60).expect("not zero"),
            unreceipted_max_kb: NonZeroU32::new(4096).expect("not zero"),
            batch_records: NonZeroU16::new(100).expect("not zero"),
            batch_bytes: NonZeroU32::new(256 * 1024).expect("not zero"),
            batch_wait_ms: 2000,
            historical_after_s: 60,
        }
    }
}

impl Default for Broker {
    fn default() -> Self {
        Self {
            host: "localhost".into(),
            port: NonZeroU16::new(8883).expect("not zero"),
            authority: "authority.pem".into(),
            certificate: "unit.pem".into(),
            key: "unit.key".into(),
            keepalive_s: NonZeroU16::new(30).expect("not zero"),
            connect_timeout_s: NonZeroU16::new(10).expect("not zero"),
            retry_max_s: NonZeroU64::new(60).expect("not zero"),
            max_packet_bytes: NonZeroU32::new(16 * 1024 * 1024).expect("not zero"),
        }
    }
}

impl Config {
    pub(super) fn limits(&self) -> Limits {
        Limits {
            window: self.window.0.into(),
            unreceipted: self.unreceipted_max_kb.get() as usize * 1000,
            receipt_timeout: Duration::from_secs(self.receipt_timeout_s.get().into()),
            batch_records: self.batch_records.get().into(),
            batch_wait: Duration::from_millis(self.batch_wait_ms.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_is_named_by_field_and_value() {
        let fault = |text: &str| toml::from_str::<Config>(text).unwrap_err().to_string();
        assert!(fault("window = 33").contains("33 is no window: it must lie from 1 to 32"));
        assert!(fault("windows = 3").contains("unknown field `windows`"));
        assert!(fault("[broker]\nport = 0").contains("nonzero"));
        assert!(fault("receivers = [\"abc\"]").contains("not an Ed25519 public key"));
        assert_eq!(toml::from_str::<Config>("").unwrap().window, Window(16));
    }
}
