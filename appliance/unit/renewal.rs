//! Renews the unit's certificate and trust while it works: proves what is offered, has the session show it, and keeps
//! it or goes back.
//!
//! Whether a session has stood for long enough is decided by [`Trial`], what may be offered by [`InUse`]; this is the
//! thin task between them, the broker and the session.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::runtime::Handle;
use tracing::{info, warn};

use crate::audit::{Audit, Event, Who};
use crate::console::Refused;
use crate::delivery::tls::{CertificateFacts, Credentials};
use crate::delivery::{Broker, Delivery, Link, LinkFault, Turn};
use crate::enroll::{Accepted, InUse, Offer, Requested, STANDS, Statement, Trial, Verdict, WITHIN};
use crate::health::{Finding, Reason};
use crate::system::Clock;
use crate::words::{PersonName, UnitId};

/// How often the session is looked at while it is on trial.
const LOOK: Duration = Duration::from_millis(200);
/// For how long a renewal that went back is a finding: somebody has to hear of it who was not there.
const TOLD_FOR: SignedDuration = SignedDuration::from_hours(24);

pub struct Renewal {
    pub unit: UnitId,
    pub in_use: Arc<InUse>,
    pub broker: Broker,
    pub delivery: Arc<Delivery>,
    pub audit: Arc<Audit>,
    pub clock: Arc<dyn Clock>,
    pub runtime: Handle,
    pub last: Mutex<Option<Attempt>>,
}

/// One renewal, from its offer to its outcome.
#[derive(Debug, Clone)]
pub struct Attempt {
    pub by: PersonName,
    pub at: Timestamp,
    pub certificate: CertificateFacts,
    pub stage: Stage,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// The broker is asked over a second connection.
    Proving,
    /// The session shows it, and the old one lies on the disk.
    OnTrial,
    Over(Outcome),
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    InUse,
    /// The session never showed it.
    NotProved(String),
    /// The session showed it, and shows the old one again.
    WentBack(String),
}

impl Outcome {
    pub fn sentence(&self) -> String {
        match self {
            Self::InUse => "It is in use: the session with the broker stands with it.".to_owned(),
            Self::NotProved(why) => format!("It was tried, and the old one stays in use: {why}"),
            Self::WentBack(why) => format!("The unit went back to the one before: {why}"),
        }
    }
}

impl Renewal {
    /// The request that waits to be signed, made now where there is none.
    pub fn request(&self, by: &PersonName) -> Result<Requested, Refused> {
        let made = self.in_use.request(by, self.clock.now().wall);
        let (asked, is_new) = made.map_err(|error| Refused(format!("No request could be made: {error}.")))?;
        if is_new {
            info!(%by, "a certificate request was made");
            self.audit.note(Who::Person(by.clone()), Event::CertificateRequested);
        }
        Ok(asked)
    }

    /// The same, signed with the key of the certificate in use: for who is far away.
    pub fn signed_request(&self, by: &PersonName) -> Result<Statement, Refused> {
        let asked = self.request(by)?;
        let unsigned = |error: &dyn std::fmt::Display| {
            Refused(format!("The request cannot be signed with the certificate in use: {error}."))
        };
        let identity = self.in_use.identity().map_err(|error| unsigned(&error))?;
        Statement::sign(asked.request, &identity).map_err(|error| unsigned(&error))
    }

    pub fn withdraw(&self, by: &PersonName) -> Result<(), Refused> {
        let gone = self.in_use.withdraw();
        match gone.map_err(|error| Refused(format!("The request could not be removed: {error}.")))? {
            true => self.audit.note(Who::Person(by.clone()), Event::CertificateRequestWithdrawn),
            false => return Err(Refused("No request waits to be signed.".to_owned())),
        }
        Ok(())
    }

    /// Judges an offer and begins to try it; what comes of it comes later.
    pub fn install(
        self: &Arc<Self>,
        offer: &Offer,
        by: &PersonName,
    ) -> Result<mpsc::Receiver<Outcome>, Refused> {
        let now = self.clock.now().wall;
        let mut last = self.last();
        if last.as_ref().is_some_and(|last| !matches!(last.stage, Stage::Over(_))) {
            return Err(Refused("Another certificate is being tried: wait a minute.".to_owned()));
        }
        let accepted = self.in_use.judge(offer, now).map_err(|error| {
            let why = error.to_string();
            self.audit.note(Who::Person(by.clone()), Event::CertificateRefused { why: why.clone() });
            Refused(format!("{}.", why.trim_end_matches('.')))
        })?;
        let certificate = accepted.facts.clone();
        *last = Some(Attempt { by: by.clone(), at: now, certificate, stage: Stage::Proving });
        let (told, outcome) = mpsc::channel();
        let (renewal, by) = (self.clone(), by.clone());
        self.runtime.spawn(async move {
            let outcome = renewal.try_it(&accepted, &by).await;
            tokio::task::block_in_place(|| renewal.tell(&accepted, &by, &outcome));
            renewal.reach(Stage::Over(outcome.clone()));
            // Whoever asked may not wait for it.
            let _ = told.send(outcome);
        });
        Ok(outcome)
    }

    async fn try_it(&self, accepted: &Accepted, by: &PersonName) -> Outcome {
        // Under another name than the session's, which the broker would else throw out.
        let client_id = format!("{}-proof", self.unit);
        if let Err(fault) = Link::prove(&accepted.identity, &self.broker, &client_id).await {
            return Outcome::NotProved(does_not_work(&fault));
        }
        self.reach(Stage::OnTrial);
        let identity = Box::new(accepted.identity.clone());
        if let Err(fault) = self.delivery.switch(Turn::Try(identity)).await {
            return Outcome::WentBack(does_not_work(&fault));
        }
        let mut trial = Trial::begin(self.clock.now().uptime);
        loop {
            let status = self.delivery.status();
            let stands = status.is_connected() && status.on_trial;
            match trial.observe(stands.then_some(status.connections), self.clock.now().uptime) {
                Verdict::Wait => tokio::time::sleep(LOOK).await,
                Verdict::Keep => match self.keep(accepted, by) {
                    Ok(()) => {
                        // Nothing is connected anew for it, so it cannot fail.
                        let _ = self.delivery.switch(Turn::Keep).await;
                        return Outcome::InUse;
                    }
                    Err(why) => return self.go_back(why).await,
                },
                Verdict::Leave => {
                    let why = status.trouble().unwrap_or_else(|| "it did not stand".to_owned());
                    let stood = STANDS.as_secs();
                    let within = WITHIN.as_secs();
                    return self
                        .go_back(format!("within {within} s the session did not stand for {stood} s: {why}."))
                        .await;
                }
            }
        }
    }

    fn keep(&self, accepted: &Accepted, by: &PersonName) -> Result<(), String> {
        let kept = tokio::task::block_in_place(|| self.in_use.keep(accepted, by, self.clock.now().wall));
        kept.map_err(|error| format!("it works, and could not be kept: {error}."))
    }

    async fn go_back(&self, why: String) -> Outcome {
        if let Err(fault) = self.delivery.switch(Turn::Leave).await {
            warn!(%fault, "the session does not stand with the old identity either, and goes on trying");
        }
        Outcome::WentBack(why)
    }

    fn tell(&self, accepted: &Accepted, by: &PersonName, outcome: &Outcome) {
        let CertificateFacts { common_name, fingerprint, .. } = &accepted.facts;
        let fingerprint = fingerprint.clone();
        match outcome {
            Outcome::InUse => {
                info!(%by, fingerprint, "another certificate or authority is in use");
                let event = Event::CertificateInstalled {
                    subject: common_name.clone().unwrap_or_default(),
                    fingerprint,
                    trusted: accepted.trusted.clone(),
                };
                self.audit.note(Who::Person(by.clone()), event);
            }
            Outcome::NotProved(why) => {
                warn!(%by, why, "what was offered does not work, and was not taken");
                self.audit.note(Who::Person(by.clone()), Event::CertificateRefused { why: why.clone() });
            }
            Outcome::WentBack(why) => {
                warn!(%by, why, "the unit went back to the certificate before");
                self.audit.note(Who::Unit, Event::CertificateLeft { fingerprint, why: why.clone() });
            }
        }
    }

    /// That it went back, for as long as somebody should hear of it.
    pub fn finding(&self) -> Option<Finding> {
        let last = self.last();
        let Attempt { at, stage: Stage::Over(Outcome::WentBack(why)), .. } = last.as_ref()? else {
            return None;
        };
        let is_recent = self.clock.now().wall.duration_since(*at) < TOLD_FOR;
        is_recent.then(|| Finding { reason: Reason::CertificateLeft, camera: None, detail: why.clone() })
    }

    fn reach(&self, stage: Stage) {
        if let Some(last) = self.last().as_mut() {
            last.stage = stage;
        }
    }

    pub fn last(&self) -> MutexGuard<'_, Option<Attempt>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why the broker does not take an identity, and what mends it.
fn does_not_work(fault: &LinkFault) -> String {
    match fault {
        LinkFault::BrokerUntrusted => "the broker's certificate is not signed by an authority that the unit would trust \
                                       then. While the department changes its authority, give the old and the new one \
                                       together; once the broker shows a certificate of the new one, give that alone."
            .to_owned(),
        fault => format!("{fault}: {}.", fault.mend()),
    }
}
