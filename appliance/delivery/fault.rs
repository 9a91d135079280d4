use std::io;

use rumqttc::mqttbytes::Error as PacketError;
use rumqttc::{ConnectReturnCode, ConnectionError, StateError};
use rustls::{AlertDescription, CertificateError};
use serde::Serialize;

use super::tls::TlsError;

/// Why there is no connection to the broker, as whoever must mend it needs to hear it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "fault", content = "detail", rename_all = "kebab-case")]
pub enum LinkFault {
    #[error("our own TLS files cannot be used: {0}")]
    OwnFiles(String),
    #[error("the broker's name cannot be resolved: {0}")]
    Unresolved(String),
    #[error("nothing listens on the broker's port")]
    NothingListens,
    #[error("the broker cannot be reached: {0}")]
    Unreachable(String),
    #[error("the broker's certificate is not signed by the authority we were given")]
    BrokerUntrusted,
    #[error("the broker's certificate has expired or is not valid yet, by our clock")]
    BrokerExpired,
    #[error("the broker's certificate is for another name: {0}")]
    BrokerMisnamed(String),
    #[error("the broker wants a client certificate and was shown none")]
    CertificateWanted,
    #[error("the broker does not know the authority that signed our certificate")]
    CertificateUntrusted,
    #[error("the broker says that our certificate has expired")]
    CertificateExpired,
    #[error("the broker says that our certificate was revoked")]
    CertificateRevoked,
    #[error("the broker refused our certificate: {0}")]
    CertificateRefused(String),
    #[error("TLS failed: {0}")]
    Tls(String),
    #[error("the broker does not admit us: {0}")]
    NotAuthorised(String),
    #[error("the broker is not ready for clients")]
    BrokerUnavailable,
    #[error("the broker refused the subscription to {0}")]
    SubscriptionRefused(String),
    #[error("the broker takes what we send, and no receipt comes back")]
    Unreceipted,
    #[error("the broker does not answer any more")]
    Silent,
    #[error("the broker closed the connection")]
    Closed,
    #[error("a message is larger than the limit of {limit} bytes")]
    TooLarge { limit: usize },
    #[error("the broker broke the MQTT protocol: {0}")]
    Protocol(String),
}

impl LinkFault {
    /// What a person can do about it.
    pub fn mend(&self) -> &'static str {
        match self {
            Self::OwnFiles(_) => "correct the paths under [delivery.broker], or enrol the unit again",
            Self::Unresolved(_) => "check the broker's host name and the DNS server",
            Self::NothingListens => "start the broker, or correct its port",
            Self::Unreachable(_) => "check cable, modem, routing and firewall",
            Self::BrokerUntrusted => {
                "give the unit the authority that signed the broker's certificate, on the console's Certificates page or with \
                 `milepost enroll install`"
            }
            Self::BrokerExpired => "check this unit's clock, then renew the broker's certificate",
            Self::BrokerMisnamed(_) => "use the name that stands in the broker's certificate as its host",
            Self::CertificateWanted | Self::CertificateRefused(_) => {
                "renew this unit's certificate on the console's Certificates page, or with `milepost enroll`"
            }
            Self::CertificateUntrusted => "let the broker's own authority sign this unit's certificate",
            Self::CertificateExpired => {
                "renew this unit's certificate on the console's Certificates page, or with `milepost enroll`"
            }
            Self::CertificateRevoked => "ask the authority why; a revoked unit must be enrolled anew",
            Self::Tls(_) => "check that the broker's port speaks TLS 1.3",
            Self::NotAuthorised(_) => "enter this unit into the broker's access list",
            Self::BrokerUnavailable => "wait, or look at the broker's log",
            Self::SubscriptionRefused(_) => "let this unit read that topic in the broker's access list",
            Self::Unreceipted => {
                "look whether the receiver runs, its key stands under [delivery] receivers, and the broker's access list \
                 lets this unit write its topics"
            }
            Self::Silent => "nothing here: the unit goes on trying; look at the network and the broker",
            Self::Closed => "look at the broker's log; a refused certificate can look like this",
            Self::TooLarge { .. } => "raise max_packet_bytes under [delivery.broker]",
            Self::Protocol(_) => "check that the port belongs to an MQTT 3.1.1 broker",
        }
    }
}

impl From<TlsError> for LinkFault {
    fn from(error: TlsError) -> Self {
        Self::OwnFiles(error.to_string())
    }
}

impl From<ConnectionError> for LinkFault {
    fn from(error: ConnectionError) -> Self {
        match error {
            ConnectionError::Io(error) => from_io(&error),
            ConnectionError::Tls(rumqttc::TlsError::Io(error)) => from_io(&error),
            ConnectionError::Tls(rumqttc::TlsError::TLS(error)) => from_rustls(&error),
            ConnectionError::Tls(error) => Self::Tls(error.to_string()),
            ConnectionError::NetworkTimeout | ConnectionError::FlushTimeout => Self::Silent,
            ConnectionError::MqttState(error) => from_state(error),
            ConnectionError::ConnectionRefused(code) => match code {
                ConnectReturnCode::ServiceUnavailable => Self::BrokerUnavailable,
                ConnectReturnCode::BadClientId => Self::NotAuthorised("bad client id".into()),
                ConnectReturnCode::BadUserNamePassword => Self::NotAuthorised("bad user name".into()),
                ConnectReturnCode::NotAuthorized => Self::NotAuthorised("not authorised".into()),
                other => Self::Protocol(format!("{other:?}")),
            },
            other => Self::Protocol(other.to_string()),
        }
    }
}

fn from_state(error: StateError) -> LinkFault {
    match error {
        StateError::AwaitPingResp | StateError::CollisionTimeout => LinkFault::Silent,
        StateError::ConnectionAborted => LinkFault::Closed,
        StateError::Io(error) | StateError::Deserialization(PacketError::Io(error)) => from_io(&error),
        StateError::Deserialization(PacketError::PayloadSizeLimitExceeded(limit)) => {
            LinkFault::TooLarge { limit }
        }
        StateError::Deserialization(PacketError::OutgoingPacketTooLarge { max, .. }) => {
            LinkFault::TooLarge { limit: max }
        }
        other => LinkFault::Protocol(other.to_string()),
    }
}

/// TLS 1.3 lets a client finish its side before the server judges its certificate, so a refusal arrives as an
/// I/O error of the first read; what it says is inside.
fn from_io(error: &io::Error) -> LinkFault {
    if let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        return from_rustls(error);
    }
    match error.kind() {
        io::ErrorKind::ConnectionRefused => LinkFault::NothingListens,
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::UnexpectedEof => LinkFault::Closed,
        io::ErrorKind::TimedOut => LinkFault::Silent,
        _ if error.to_string().contains("failed to lookup address") => {
            LinkFault::Unresolved(error.to_string())
        }
        _ => LinkFault::Unreachable(error.to_string()),
    }
}

fn from_rustls(error: &rustls::Error) -> LinkFault {
    match error {
        rustls::Error::InvalidCertificate(reason) => match reason {
            CertificateError::UnknownIssuer | CertificateError::BadSignature => LinkFault::BrokerUntrusted,
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => LinkFault::BrokerExpired,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                LinkFault::BrokerMisnamed(reason.to_string())
            }
            other => LinkFault::Tls(other.to_string()),
        },
        rustls::Error::AlertReceived(alert) => match alert {
            AlertDescription::CertificateRequired => LinkFault::CertificateWanted,
            AlertDescription::UnknownCA => LinkFault::CertificateUntrusted,
            AlertDescription::CertificateExpired => LinkFault::CertificateExpired,
            AlertDescription::CertificateRevoked => LinkFault::CertificateRevoked,
            AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::AccessDenied
            | AlertDescription::DecryptError => LinkFault::CertificateRefused(format!("{alert:?}")),
            other => LinkFault::Tls(format!("the broker ended it with {other:?}")),
        },
        other => LinkFault::Tls(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_certificate_is_found_inside_the_read_error() {
        let alert = rustls::Error::AlertReceived(AlertDescription::CertificateRequired);
        let odd = PacketError::Io(io::Error::new(io::ErrorKind::InvalidData, alert));
        let fault = LinkFault::from(ConnectionError::MqttState(StateError::Deserialization(odd)));
        assert_eq!(fault, LinkFault::CertificateWanted);
        assert!(fault.mend().contains("enroll"));
    }

    #[test]
    fn common_faults_have_names_of_their_own() {
        let io = |kind: io::ErrorKind| LinkFault::from(ConnectionError::Io(kind.into()));
        assert_eq!(io(io::ErrorKind::ConnectionRefused), LinkFault::NothingListens);
        assert_eq!(io(io::ErrorKind::ConnectionReset), LinkFault::Closed);
        let refused = ConnectionError::ConnectionRefused(ConnectReturnCode::NotAuthorized);
        assert!(matches!(LinkFault::from(refused), LinkFault::NotAuthorised(_)));
        let expired = rustls::Error::InvalidCertificate(CertificateError::Expired);
        assert_eq!(from_rustls(&expired), LinkFault::BrokerExpired);
    }
}
