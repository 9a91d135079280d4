//! What somebody hands in, judged: who the box would be, and what it would do.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::own::Own;
use crate::config::Config;
use crate::console::{CertificateView, Refused};
use crate::crypto::{KeyId, VerifyingKey};
use crate::enroll::{BundleError, Enrolment, FLEET_KEYS, Judged, OpenedBundle, trusted_by};
use crate::words::{UnitId, sentence};

/// A bundle, or certificate, authority and configuration one by one.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Sent {
    /// The file's text.
    #[serde(default)]
    pub bundle: String,
    /// Public key of whoever signed it, where the box did not come with it.
    #[serde(default)]
    pub key: String,
    #[serde(default)]
    pub certificate: String,
    #[serde(default)]
    pub authority: String,
    #[serde(default)]
    pub configuration: String,
}

/// What would become of the box. Nothing is done yet.
#[derive(Debug, Clone, Serialize)]
pub struct PlanView {
    pub unit: UnitId,
    /// The bundle's; None where a person vouches for the parts.
    pub signed: Option<Signature>,
    pub certificate: CertificateView,
    /// Whom the unit would trust.
    pub authorities: Vec<CertificateView>,
    /// Host and port.
    pub broker: String,
    pub cameras: Vec<String>,
    pub lists: Vec<String>,
    /// How many receivers' receipts it would believe.
    pub receivers: usize,
    /// Where the console would listen.
    pub console: String,
    /// Why nobody would reach it there; a sentence.
    pub out_of_reach: Option<String>,
    pub configuration: String,
}

#[derive(Debug, Clone, Serialize)]
pub struct Signature {
    /// Names the key.
    pub by: KeyId,
    /// Whether the box came with that key, and not the person who hands the bundle in.
    pub known: bool,
    pub issued: Timestamp,
    pub expires: Timestamp,
}

/// What may be taken, and what it would do.
pub struct Plan {
    pub enrolment: Enrolment,
    pub view: PlanView,
}

impl Plan {
    pub fn of(
        sent: &Sent,
        own: &Own,
        state_dir: &Path,
        console: SocketAddr,
        now: Timestamp,
    ) -> Result<Self, Refused> {
        let refused = |error: BundleError| Refused(sentence(error));
        let (mut enrolment, signed) = match sent.bundle.trim() {
            "" => (in_parts(sent)?, None),
            bundle => {
                let fleet = trusted_by(Path::new(FLEET_KEYS)).unwrap_or_default();
                let trusted = trusted(&fleet, sent.key.trim())?;
                let opened = OpenedBundle::open(bundle.as_bytes(), &trusted, now).map_err(refused)?;
                opened.is_newest(&[own.folder().to_owned()]).map_err(refused)?;
                let signature = Signature {
                    by: opened.signed_by.clone(),
                    known: fleet.iter().any(|key| key.id() == opened.signed_by),
                    issued: opened.bundle.issued(),
                    expires: opened.bundle.expires(),
                };
                (Enrolment::from(&opened), Some(signature))
            }
        };
        enrolment.configuration = own
            .fit(&enrolment.configuration, state_dir)
            .map_err(|error| Refused(format!("It holds no configuration: {error}.")))?;
        let judged = enrolment.judge(&own.identity, now).map_err(refused)?;
        let view = view(&enrolment, judged, signed, console);
        Ok(Self { enrolment, view })
    }
}

fn trusted(fleet: &[VerifyingKey], given: &str) -> Result<Vec<VerifyingKey>, Refused> {
    let given = match given {
        "" => None,
        key => Some(VerifyingKey::parse(key).map_err(|error| Refused(sentence(error)))?),
    };
    let trusted: Vec<VerifyingKey> = fleet.iter().copied().chain(given).collect();
    if trusted.is_empty() {
        let why = "This unit was not told whose bundles to take: give the public key of whoever signed it, 44 characters, as \
                   the department told it to you.";
        return Err(Refused(why.to_owned()));
    }
    Ok(trusted)
}

fn in_parts(sent: &Sent) -> Result<Enrolment, Refused> {
    let Sent { certificate, authority, configuration, .. } = sent;
    let part = |name: &str, text: &str| match text.trim() {
        "" => Err(Refused(format!(
            "The {name} is missing: give a bundle, or certificate, authority and configuration."
        ))),
        text if text.contains("PRIVATE KEY-----") => Err(Refused(format!(
            "The {name} holds a private key. A unit's key never travels: make a request here and have that signed; whose key \
             this is must be told that it is no longer secret."
        ))),
        text => Ok(format!("{text}\n")),
    };
    let (certificate, authority) = (part("certificate", certificate)?, part("authority", authority)?);
    Enrolment::of_parts(certificate, authority, part("configuration", configuration)?)
        .map_err(|error| Refused(sentence(error)))
}

fn view(enrolment: &Enrolment, judged: Judged, signed: Option<Signature>, console: SocketAddr) -> PlanView {
    let Config { camera, hotlist, delivery, console: next, .. } = judged.config;
    let listen = next.listen.socket();
    PlanView {
        unit: enrolment.unit.clone(),
        signed,
        certificate: judged.facts.into(),
        authorities: judged.trusted.into_iter().map(CertificateView::from).collect(),
        broker: format!("{}:{}", delivery.broker.host, delivery.broker.port),
        cameras: camera.iter().map(|camera| format!("{}: {}", camera.name, camera.source)).collect(),
        lists: hotlist.lists.iter().map(|list| list.name.to_string()).collect(),
        receivers: delivery.receivers.len(),
        console: listen.to_string(),
        out_of_reach: out_of_reach(listen, console),
        configuration: enrolment.configuration.clone(),
    }
}

/// Whether somebody who is at `present` now would not find the console at `next`.
fn out_of_reach(next: SocketAddr, present: SocketAddr) -> Option<String> {
    if next.ip() == present.ip() {
        return None;
    }
    if next.ip().is_loopback() {
        return Some(format!("Only the unit itself reaches {}: [console] listen decides.", next.ip()));
    }
    let error = TcpListener::bind((next.ip(), 0)).err()?;
    Some(format!("No interface of this unit has the address {} now: {error}.", next.ip()))
}
