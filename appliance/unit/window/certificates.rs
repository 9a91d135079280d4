//! The unit's certificate, authorities and requests as the console shows them.

use crate::console;
use crate::console::{AttemptState, ByWhom, CertificateView, Certificates, RequestView};
use crate::delivery::tls::{CertificateFacts, Credentials, Pem, TlsError};
use crate::enroll::{InUse, Origin};
use crate::unit::renewal::{Attempt, Outcome, Renewal, Stage};

pub fn show(renewal: &Renewal) -> Certificates {
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
    let present = view(identity.certificate.facts()?);
    Ok(InUseNow { present, authorities: views(&identity.authority)? })
}

pub fn views(pem: &Pem) -> Result<Vec<CertificateView>, TlsError> {
    Ok(pem.facts_of_all()?.into_iter().map(view).collect())
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

pub fn view(facts: CertificateFacts) -> CertificateView {
    CertificateView {
        name: facts.common_name.unwrap_or_else(|| facts.issuer.clone()),
        issuer: facts.issuer,
        from: facts.not_before,
        until: facts.not_after,
        fingerprint: facts.fingerprint,
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
    let certificate = view(last.certificate.clone());
    console::Attempt { certificate, by: last.by.clone(), at: last.at, state, said }
}
