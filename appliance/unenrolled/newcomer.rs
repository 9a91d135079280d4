use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use rcgen::KeyPair;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tracing::warn;

use super::own::Own;
use super::plan::{Plan, PlanView, Sent};
use super::routes;
use crate::audit::{Audit, Event, Who};
use crate::console::reception::{Place, Sign, lock};
use crate::console::{Access, AuditEntry, AuditFilter, ClockChange, Refused, Role, logbook};
use crate::enroll::{Enrolment, request_for};
use crate::network::check_clock_free;
use crate::system::network::{TimeFacts, time_facts};
use crate::system::{Clock, write_durably};
use crate::unit::errand::Errands;
use crate::words::{PersonName, UnitId, sentence};

/// What a box is called that has no name.
pub const NAME: &str = "new unit";

const REQUESTED: &str = "enrolment-request.json";

/// A request for the unit's certificate, which waits to be signed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Requested {
    pub unit: UnitId,
    /// PEM.
    pub request: String,
    pub by: PersonName,
    pub at: Timestamp,
}

/// How far the box has come.
#[derive(Debug, Clone, Serialize)]
pub struct Progress {
    pub requested: Option<Requested>,
    /// Whom it is about to become.
    pub handed_in: Option<UnitId>,
    /// What became of the last that was handed in, where it came to nothing; a sentence.
    pub trouble: Option<String>,
}

/// How the box's clock stands.
#[derive(Debug, Clone, Serialize)]
pub struct TimeView {
    pub now: Timestamp,
    pub time: TimeFacts,
    /// Why it cannot be set by hand, as a sentence; None where it can.
    pub fixed: Option<String>,
}

/// A box that is no unit yet, as its console sees it.
pub struct Newcomer {
    own: Own,
    state_dir: PathBuf,
    /// Where its console listens.
    console: SocketAddr,
    audit: Arc<Audit>,
    clock: Arc<dyn Clock>,
    progress: Mutex<Progress>,
    told: watch::Sender<bool>,
    errands: Errands,
}

impl Newcomer {
    /// `told` hears when there is something to install.
    pub fn new(
        own: Own,
        state_dir: &Path,
        console: SocketAddr,
        audit: Arc<Audit>,
        clock: Arc<dyn Clock>,
        told: watch::Sender<bool>,
    ) -> Self {
        let requested = std::fs::read(state_dir.join(REQUESTED)).ok();
        let progress = Progress {
            requested: requested.and_then(|json| serde_json::from_slice(&json).ok()),
            handed_in: None,
            trouble: left_over(&own, state_dir),
        };
        let progress = Mutex::new(progress);
        let errands = Errands::new();
        Self { own, state_dir: state_dir.to_owned(), console, audit, clock, progress, told, errands }
    }

    pub fn progress(&self) -> Progress {
        lock(&self.progress).clone()
    }

    /// A request in this name over the key that the box has; one in another name takes the place of the one before.
    pub fn request(&self, unit: &UnitId, by: &PersonName) -> Result<Requested, Refused> {
        let refused = |error: &dyn std::fmt::Display| Refused(format!("No request was made: {error}."));
        let key = KeyPair::from_pem(&String::from_utf8_lossy(&self.own.identity.text));
        let request = key.and_then(|key| request_for(&key, unit)).map_err(|error| refused(&error))?;
        let requested = Requested { unit: unit.clone(), request, by: by.clone(), at: self.clock.now().wall };
        let json = serde_json::to_vec(&requested).expect("a request is plain data");
        write_durably(&self.state_dir.join(REQUESTED), &json).map_err(|error| refused(&error))?;
        self.note(by, Event::CertificateRequested);
        lock(&self.progress).requested = Some(requested.clone());
        Ok(requested)
    }

    /// What would become of the box.
    pub fn look(&self, sent: &Sent) -> Result<PlanView, Refused> {
        self.plan(sent).map(|plan| plan.view)
    }

    /// Lays down what was handed in. From then on the box becomes the unit, over any power cut.
    pub fn take(&self, sent: &Sent, by: &PersonName) -> Result<PlanView, Refused> {
        let Plan { enrolment, view } = self.plan(sent)?;
        let mut progress = lock(&self.progress);
        if let Some(unit) = &progress.handed_in {
            return Err(Refused(format!("The box is about to become {unit}.")));
        }
        let event = match &view.signed {
            Some(signed) => Event::BundleTaken { issued: signed.issued, signed_by: signed.by.clone() },
            None => Event::ConfigurationChanged {
                what: format!(
                    "enrols the unit as {} by hand: certificate {}, broker {}",
                    view.unit, view.certificate.fingerprint, view.broker
                ),
            },
        };
        enrolment.hand_in(&self.state_dir, &self.own.seal).map_err(|error| Refused(sentence(error)))?;
        self.note(by, event);
        progress.handed_in = Some(view.unit.clone());
        self.told.send_replace(true);
        Ok(view)
    }

    pub fn time(&self) -> TimeView {
        let (now, time) = (self.clock.now().wall, time_facts());
        let fixed = self.errands.none().or_else(|| check_clock_free(&time).err().map(sentence));
        TimeView { now, time, fixed }
    }

    /// What it would mean to set the clock to this. A box has nothing that speaks against a time.
    pub fn look_at_time(&self, to: Timestamp) -> Result<ClockChange, Refused> {
        self.errands.may_set_clock(to)?;
        Ok(ClockChange { from: self.clock.now().wall, to, doubts: Vec::new(), follows: Vec::new() })
    }

    pub fn set_time(&self, to: Timestamp, by: &PersonName) -> Result<(), Refused> {
        self.errands.may_set_clock(to)?;
        self.errands.set_clock(to, self.clock.as_ref(), &self.audit, by).map(drop)
    }

    fn plan(&self, sent: &Sent) -> Result<Plan, Refused> {
        Plan::of(sent, &self.own, &self.state_dir, self.console, self.clock.now().wall)
    }

    fn note(&self, by: &PersonName, event: Event) {
        self.audit.note(Who::Person(by.clone()), event);
    }
}

/// What lies there at a start of the box was not installed before it: it is given up, so that nobody waits for it.
fn left_over(own: &Own, state_dir: &Path) -> Option<String> {
    let left = Enrolment::handed_in(state_dir, &own.seal)?;
    if let Err(error) = Enrolment::forget(state_dir) {
        warn!(%error, "what was handed in stays where it is");
    }
    Some(format!(
        "What was handed in to make this box {} was not installed: the journal says why (journalctl -u milepost-enrolment). \
         Hand it in again once that is mended.",
        left.unit
    ))
}

impl Place for Newcomer {
    fn name(&self) -> String {
        let progress = lock(&self.progress);
        progress.requested.as_ref().map_or_else(|| NAME.to_owned(), |asked| asked.unit.to_string())
    }

    fn navigation(&self, role: Role) -> Vec<(&'static str, &'static str)> {
        crate::console::routes::navigation(&routes::table(), role)
    }

    fn sign(&self) -> Sign {
        let words = "Not enrolled".to_owned();
        Sign { class: "bad", words, newest_alert: None, trial_until: None, network_trial_until: None }
    }

    fn audit(&self, access: Access) {
        let (who, event) = logbook::entry(access, None);
        self.audit.note(who, event);
    }

    fn audit_entries(&self, filter: &AuditFilter, limit: usize) -> Vec<AuditEntry> {
        logbook::search(&self.audit, filter, limit)
    }

    fn audit_lines(&self, after: u64, limit: usize) -> Vec<String> {
        logbook::lines(&self.audit, after, limit)
    }

    fn roles(&self) -> &'static str {
        "A technician makes the request. An administrator enrols the unit. An officer finds work once it is enrolled."
    }
}
