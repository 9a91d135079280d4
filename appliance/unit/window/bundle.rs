//! An enrolment bundle at the console: what it would change, and taking it. Certificate and authority go the way of any
//! other, and then the configuration goes on trial.

use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};

use jiff::Timestamp;
use tracing::{error, info, warn};

use super::certificates;
use super::settings::{Fitted, Settings};
use crate::audit::{Audit, Event, Who};
use crate::console::{BundleSent, BundleView, Refused};
use crate::crypto::VerifyingKey;
use crate::enroll::{BundleError, FLEET_KEYS, Offer, OfferError, OpenedBundle, trusted_by};
use crate::unit::renewal::{Outcome, Renewal};
use crate::words::{PersonName, sentence};

/// A bundle that may be taken, and what it would do.
pub struct Plan {
    opened: OpenedBundle,
    /// None where it is in use already.
    offer: Option<Offer>,
    /// None where it is what the unit runs with.
    configuration: Option<String>,
    pub view: BundleView,
}

/// What a bundle is judged by, and carried out with.
pub struct Hands {
    pub settings: Arc<Settings>,
    pub renewal: Arc<Renewal>,
    pub audit: Arc<Audit>,
    pub state_dir: PathBuf,
    pub now: Timestamp,
}

impl Hands {
    pub fn plan(&self, sent: &BundleSent) -> Result<Plan, Refused> {
        let fleet = trusted_by(Path::new(FLEET_KEYS)).unwrap_or_default();
        let given = match sent.key.trim() {
            "" => None,
            key => Some(VerifyingKey::parse(key).map_err(|error| Refused(sentence(error)))?),
        };
        let trusted: Vec<VerifyingKey> = fleet.iter().copied().chain(given).collect();
        if trusted.is_empty() {
            let why = "This unit was not told whose bundles to take: give the public key of whoever signed it, 44 \
                       characters, as the department told it to you.";
            return Err(Refused(why.to_owned()));
        }
        let refused = |error: BundleError| Refused(sentence(error));
        let opened =
            OpenedBundle::open(sent.bundle.trim().as_bytes(), &trusted, self.now).map_err(refused)?;
        opened.is_for(&self.renewal.unit).map_err(refused)?;
        opened.is_newest(&self.memories()).map_err(refused)?;

        let offer = opened.bundle.offer();
        let (certificate, authorities, offer) = match self.renewal.in_use.judge(&offer, self.now) {
            Ok(accepted) => {
                let authorities = certificates::views(&accepted.identity.authority);
                let authorities = authorities.map_err(|error| Refused(sentence(error)))?;
                (Some(accepted.facts.into()), authorities, Some(offer))
            }
            Err(OfferError::Same) => (None, Vec::new(), None),
            Err(error) => return Err(Refused(sentence(error))),
        };
        let Fitted { text, changes, console, same_broker } =
            self.settings.fit(opened.bundle.configuration())?;
        if offer.is_some() && !same_broker {
            let why = "This bundle moves the unit to another broker, where it cannot be proved from here that the \
                       certificate works: take it on the unit itself, by `milepost enroll --bundle`.";
            return Err(Refused(why.to_owned()));
        }
        if offer.is_none() && changes.is_empty() {
            return Err(Refused("This bundle holds nothing that the unit does not have already.".to_owned()));
        }
        let view = BundleView {
            signed_by: opened.signed_by.to_string(),
            known: fleet.iter().any(|key| key.id() == opened.signed_by),
            issued: opened.bundle.issued(),
            expires: opened.bundle.expires(),
            certificate,
            authorities,
            changes,
            console,
        };
        let configuration = (!view.changes.is_empty()).then_some(text);
        Ok(Plan { opened, offer, configuration, view })
    }

    /// Begins to carry it out. The unit starts anew where the configuration changes, once the certificate works.
    pub fn take(self, plan: Plan, by: &PersonName) -> Result<(), Refused> {
        let event = Event::BundleTaken {
            issued: plan.opened.bundle.issued(),
            signed_by: plan.opened.signed_by.clone(),
        };
        let begun = match &plan.offer {
            Some(offer) => Some(self.renewal.install(offer, by)?),
            None => None,
        };
        self.audit.note(Who::Person(by.clone()), event);
        match begun {
            None => self.finish(&plan),
            Some(outcome) => {
                let wait = move || self.follow(&plan, &outcome);
                let started = std::thread::Builder::new().name("bundle".into()).spawn(wait);
                started
                    .map(|_| ())
                    .map_err(|error| Refused(format!("The bundle is only half taken: {error}.")))
            }
        }
    }

    /// Waits for what comes of the certificate.
    fn follow(&self, plan: &Plan, outcome: &mpsc::Receiver<Outcome>) {
        if outcome.recv() != Ok(Outcome::InUse) {
            return warn!("the bundle's certificate does not work, so its configuration is not tried");
        }
        if let Err(refused) = self.finish(plan) {
            error!(why = refused.0, "the bundle's configuration was not tried");
        }
    }

    fn finish(&self, plan: &Plan) -> Result<(), Refused> {
        plan.opened.remember(&self.state_dir).map_err(|error| Refused(sentence(error)))?;
        if let Some(text) = &plan.configuration {
            let console = self.settings.propose(text)?;
            info!(console, "the bundle's configuration is tried");
        }
        Ok(())
    }

    /// Where it may stand which bundle the unit was given last: by the command that enrolled it, or here.
    fn memories(&self) -> [PathBuf; 2] {
        let certificate = &self.renewal.broker.certificate;
        let installed = certificate.parent().map_or_else(PathBuf::new, Path::to_owned);
        [installed, self.state_dir.clone()]
    }
}
