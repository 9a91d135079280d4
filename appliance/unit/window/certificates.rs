//! The unit's certificate, authorities and requests as the console shows them.

use super::{Window, bundle};
use crate::console;
use crate::console::{
    AttemptState, BundleSent, BundleView, ByWhom, CertificateView, Certificates, Identifying, Refused,
    RequestView,
};
use crate::delivery::tls::{Credentials, Pem, TlsError};
use crate::enroll::{InUse, Offer, Origin};
use crate::unit::renewal::{Attempt, Outcome, Renewal, Stage};
use crate::words::PersonName;

impl Identifying for Window {
    fn certificates(&self) -> Certificates {
        show(&self.renewal)
    }

    fn request_certificate(&self, by: &PersonName) -> Result<(), Refused> {
        self.renewal.request(by).map(|_| ())
    }

    fn withdraw_request(&self, by: &PersonName) -> Result<(), Refused> {
        self.renewal.withdraw(by)
    }

    fn install_certificate(&self, offer: &Offer, by: &PersonName) -> Result<(), Refused> {
        self.renewal.install(offer, by).map(|_| ())
    }

    fn look_into_bundle(&self, sent: &BundleSent) -> Result<BundleView, Refused> {
        Ok(self.bundles()?.plan(sent)?.view)
    }

    fn take_bundle(&self, sent: &BundleSent, by: &PersonName) -> Result<(), Refused> {
        let bundles = self.bundles()?;
        let plan = bundles.plan(sent)?;
        bundles.take(plan, by)
    }
}

impl Window {
    fn bundles(&self) -> Result<bundle::Hands, Refused> {
        Ok(bundle::Hands {
            settings: self.settings()?.clone(),
            renewal: self.renewal.clone(),
            audit: self.audit.clone(),
            state_dir: self.saved.folder().to_owned(),
            now: self.clock.now().wall,
        })
    }
}

fn show(renewal: &Renewal) -> Certificates {
    let InUseNow { present, authorities } = match in_use(&renewal.in_use) {
        Ok(now) => now,
        Err(error) => return Certificates { trouble: Some(format!("{error}.")), ..without(renewal) },
    };
    Certificates { present: Some(present), authorities, ..without(renewal) }
}

struct InUseNow {
    present: CertificateView,
    authorities: Vec<CertificateView>,
}

fn in_use(in_use: &InUse) -> Result<InUseNow, TlsError> {
    let identity = in_use.identity()?;
    let present = identity.certificate.facts()?.into();
    Ok(InUseNow { present, authorities: views(&identity.authority)? })
}

pub fn views(pem: &Pem) -> Result<Vec<CertificateView>, TlsError> {
    Ok(pem.facts_of_all()?.into_iter().map(CertificateView::from).collect())
}

/// What is known without the certificate.
fn without(renewal: &Renewal) -> Certificates {
    Certificates {
        present: None,
        trouble: None,
        authorities: Vec::new(),
        changed: match renewal.in_use.origin() {
            Origin::Installed => None,
            Origin::Changed { by, at } => Some(ByWhom { by, at }),
        },
        requested: renewal.in_use.requested().map(|asked| RequestView {
            request: asked.request,
            by: asked.by,
            at: asked.at,
        }),
        last: renewal.last().as_ref().map(attempt),
    }
}

fn attempt(last: &Attempt) -> console::Attempt {
    let (state, said) = match &last.stage {
        Stage::Proving => {
            (AttemptState::Proving, "The broker is asked with it, over a second connection.".to_owned())
        }
        Stage::OnTrial => {
            let said = "The session with the broker shows it. It is kept once the session has stood for some seconds; \
                        else the unit goes back by itself.";
            (AttemptState::OnTrial, said.to_owned())
        }
        Stage::Over(outcome) => {
            let state = match outcome {
                Outcome::InUse => AttemptState::InUse,
                Outcome::NotProved(_) => AttemptState::NotProved,
                Outcome::WentBack(_) => AttemptState::WentBack,
            };
            (state, outcome.sentence())
        }
    };
    let certificate = last.certificate.clone().into();
    console::Attempt { certificate, by: last.by.clone(), at: last.at, state, said }
}
