//! The identity that a unit shows, and how it is changed while the unit works.
//!
//! The installed files are root's, and the service may not write them. What was changed at the console or by command
//! lies in the state directory with the digest of the installed files that it was changed from, and counts instead of
//! them: whoever installs another certificate or authority there has the last word, as with the configuration.
//!
//! Two files, each sealed with the unit key and each replaced whole:
//!
//! | file | holds |
//! |---|---|
//! | `identity` | authority, certificate and key in use |
//! | `identity-request` | a key that waits for its certificate, and the request for it |
//!
//! The promise: at any instant one whole identity that has worked lies on the disk. In this order:
//!
//! 1. `identity-request` is durable before anybody sees the request: what is signed for it always finds its key.
//! 2. What is offered is judged ([`Offer`]), proved over a second connection, and then shown by the session; nothing of
//!    it is written. A power cut leaves the old identity.
//! 3. Once the session has stood with it ([`Trial`]), `identity` is replaced in one write. Before it the old one is
//!    there, after it the new one.
//! 4. `identity-request` is removed. A power cut before that leaves a request whose key is in use: it is dropped at the
//!    next start.

mod offer;
mod trial;

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use rcgen::KeyPair;
use serde::{Deserialize, Serialize};
use tracing::warn;

use super::identity::request_for;
use crate::crypto::{Digest, SealedFile, SealedFileError, UnitKey};
use crate::delivery::Broker;
use crate::delivery::tls::{self, Credentials, Identity, Pem, TlsError};
use crate::words::{PersonName, UnitId};

pub use offer::{Accepted, Offer, OfferError};
pub use trial::{STANDS, Trial, Verdict, WITHIN};

/// What was changed cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum InUseError {
    #[error(transparent)]
    File(#[from] SealedFileError),
    #[error("the request could not be made: {0}")]
    Request(#[from] rcgen::Error),
}

/// The one owner of the unit's identity.
pub struct InUse {
    changed: SealedFile<Changed>,
    requested: SealedFile<Requested>,
    unit: UnitId,
    /// Names the installed files.
    broker: Broker,
    state: Mutex<State>,
}

struct State {
    changed: Option<Changed>,
    requested: Option<Requested>,
    /// Of the certificate that was last shown.
    ends: Option<Timestamp>,
}

/// An identity that stands in for the installed one.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Changed {
    installed: Digest,
    authority: String,
    certificate: String,
    key: String,
    at: Timestamp,
    by: PersonName,
}

/// A request that waits to be signed.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requested {
    key: String,
    /// PEM.
    pub request: String,
    pub at: Timestamp,
    pub by: PersonName,
}

/// Where the identity in use comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    Installed,
    /// By this person, at the console or by command.
    Changed {
        by: PersonName,
        at: Timestamp,
    },
}

impl InUse {
    /// # Errors
    /// [`SealedFileError::Damaged`] where a file does not open. Once it is moved away, the installed files count.
    pub fn open(
        state_dir: &Path,
        key: &UnitKey,
        unit: UnitId,
        broker: &Broker,
    ) -> Result<Self, SealedFileError> {
        let seal = || key.derive("identity");
        let changed = SealedFile::new(state_dir.join("identity"), seal(), b"identity 1");
        let requested = SealedFile::new(state_dir.join("identity-request"), seal(), b"identity-request 1");
        let mut state = State { changed: changed.read()?, requested: requested.read()?, ends: None };
        if state.requested.as_ref().map(|asked| &asked.key)
            == state.changed.as_ref().map(|changed| &changed.key)
        {
            state.requested = None;
        }
        let in_use = Self { changed, requested, unit, broker: broker.clone(), state: Mutex::new(state) };
        if in_use.has_changed() && in_use.origin() == Origin::Installed {
            warn!(
                "another certificate or authority was installed since: it counts, not what was changed here"
            );
        }
        // Why it cannot be read, delivery tells.
        let _ = in_use.identity();
        Ok(in_use)
    }

    pub fn origin(&self) -> Origin {
        let installed = installed(&self.broker);
        match &self.state().changed {
            Some(changed) if changed.installed == installed => {
                Origin::Changed { by: changed.by.clone(), at: changed.at }
            }
            _ => Origin::Installed,
        }
    }

    fn has_changed(&self) -> bool {
        self.state().changed.is_some()
    }

    /// When the certificate that was last shown ends; None while there is none that can be read.
    pub fn ends(&self) -> Option<Timestamp> {
        self.state().ends
    }

    pub fn requested(&self) -> Option<Requested> {
        self.state().requested.clone()
    }

    /// The request that waits, or a new one over a new key; whether it is new.
    pub fn request(&self, by: &PersonName, now: Timestamp) -> Result<(Requested, bool), InUseError> {
        let mut state = self.state();
        if let Some(waiting) = &state.requested {
            return Ok((waiting.clone(), false));
        }
        let key = KeyPair::generate()?;
        let request = request_for(&key, &self.unit)?;
        let asked = Requested { key: key.serialize_pem(), request, at: now, by: by.clone() };
        self.requested.write(&asked)?;
        state.requested = Some(asked.clone());
        Ok((asked, true))
    }

    /// Forgets the request that waits, and its key. False where there is none.
    pub fn withdraw(&self) -> Result<bool, InUseError> {
        let mut state = self.state();
        if state.requested.is_none() {
            return Ok(false);
        }
        self.requested.remove()?;
        state.requested = None;
        Ok(true)
    }

    /// Judges what is offered against what is here and the clock; nothing of it counts yet.
    pub fn judge(&self, offer: &Offer, now: Timestamp) -> Result<Accepted, OfferError> {
        let requested = self.requested();
        let waiting = requested.as_ref().map(|asked| asked.key.as_str());
        offer.judge(&self.identity(), waiting, &self.unit, now)
    }

    /// From now on this is the unit's identity, at every start. To be called once it has worked.
    pub fn keep(&self, accepted: &Accepted, by: &PersonName, now: Timestamp) -> Result<(), InUseError> {
        let text = |pem: &Pem| String::from_utf8_lossy(&pem.text).into_owned();
        let identity = &accepted.identity;
        let changed = Changed {
            installed: installed(&self.broker),
            authority: text(&identity.authority),
            certificate: text(&identity.certificate),
            key: text(&identity.key),
            at: now,
            by: by.clone(),
        };
        let mut state = self.state();
        self.changed.write(&changed)?;
        let answered = state.requested.as_ref().is_some_and(|asked| asked.key == changed.key);
        state.changed = Some(changed);
        state.ends = Some(accepted.facts.not_after);
        if answered {
            state.requested = None;
            // What is left of it is dropped at the next start.
            self.requested.remove().unwrap_or_else(|error| warn!(%error, "an answered request stays"));
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change under this lock is whole or absent.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Credentials for InUse {
    fn identity(&self) -> Result<Identity, TlsError> {
        let digest = installed(&self.broker);
        let mut state = self.state();
        let identity = match &state.changed {
            Some(changed) if changed.installed == digest => Ok(Identity {
                authority: Pem::called("the authority in use", changed.authority.as_str()),
                certificate: Pem::called("the certificate in use", changed.certificate.as_str()),
                key: Pem::called("the key in use", changed.key.as_str()),
            }),
            _ => self.broker.identity(),
        };
        state.ends =
            identity.as_ref().ok().and_then(|identity| Some(identity.certificate.facts().ok()?.not_after));
        identity
    }
}

/// Of the files that were installed; one that is not there counts as empty.
fn installed(broker: &Broker) -> Digest {
    let [authority, certificate] = [&broker.authority, &broker.certificate]
        .map(|file| Digest::of(&std::fs::read(tls::locate(file)).unwrap_or_default()));
    Digest::of(format!("{authority} {certificate}").as_bytes())
}

#[cfg(test)]
mod tests;
