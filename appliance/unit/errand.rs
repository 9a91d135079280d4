//! What the program has root do, which it may not do itself: a request is laid down, and its answer waited for. Who takes it is
//! `milepost apply-network`.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::audit::{Audit, Event, Who};
use crate::console::Refused;
use crate::network::{self, Ask, Reading, Request, Status, check_clock};
use crate::system::Clock;
use crate::system::network::{time_facts, uptime};
use crate::words::{Moment, PersonName, RecordId, sentence};

/// Within which root answers; a slow machine starts a program in a second.
const PATIENCE: Duration = Duration::from_secs(15);
/// A request that fell between two runs of its service was not seen: it is laid down again.
const AGAIN: Duration = Duration::from_secs(3);
const LOOK: Duration = Duration::from_millis(200);

pub struct Errands {
    /// Where a request is laid; None where systemd made no folder for it, so nobody would take it.
    folder: Option<PathBuf>,
    /// Held while a request waits for its answer: there is one place for it, and until then nothing of a trial is sure.
    asking: Mutex<()>,
}

impl Errands {
    pub fn new() -> Self {
        Self { folder: std::env::var_os("RUNTIME_DIRECTORY").map(PathBuf::from), asking: Mutex::default() }
    }

    /// Why root would do nothing, as a sentence; None where it does.
    pub fn none(&self) -> Option<String> {
        (self.folder.is_none() || status().is_none()).then(|| {
            "This program may change neither network nor time here: it was not started by systemd, or \
             milepost-network.service has not run."
                .to_owned()
        })
    }

    pub fn asking(&self) -> MutexGuard<'_, ()> {
        self.asking.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// None while something is asked.
    pub fn try_asking(&self) -> Option<MutexGuard<'_, ()>> {
        self.asking.try_lock().ok()
    }

    /// Lays a request down and waits for its answer.
    pub fn ask(&self, _asking: &MutexGuard<'_, ()>, request: Request) -> Result<(), Refused> {
        let nobody = "Nothing was changed: milepost-network.service does not answer. Its journal says why.";
        let folder = self.folder.as_ref().ok_or_else(|| Refused(nobody.to_owned()))?;
        let begun = Instant::now();
        let mut laid = None;
        while begun.elapsed() < PATIENCE {
            if laid.is_none_or(|at: Instant| at.elapsed() >= AGAIN) {
                lay_down(&folder.join(network::REQUEST), &request)
                    .map_err(|error| Refused(format!("The request could not be laid down: {error}.")))?;
                laid = Some(Instant::now());
            }
            std::thread::sleep(LOOK);
            if let Some((answered, said)) = status().and_then(|status| status.answered)
                && answered == request.id
            {
                return said.map_err(|why| Refused(sentence(why)));
            }
        }
        Err(Refused(nobody.to_owned()))
    }

    /// Whether the clock may be set to this now.
    pub fn may_set_clock(&self, to: Timestamp) -> Result<(), Refused> {
        let reading = Reading::at(to, uptime());
        check_clock(&reading, &time_facts(), uptime()).map_err(|objection| Refused(sentence(objection)))
    }

    /// Sets the clock, which shows `to` now, and writes down who did; what it showed just before, and shows since.
    pub fn set_clock(
        &self,
        to: Timestamp,
        clock: &dyn Clock,
        audit: &Audit,
        by: &PersonName,
    ) -> Result<(Timestamp, Moment), Refused> {
        let reading = Reading::at(to, uptime());
        let before = clock.now();
        self.ask(&self.asking(), Request { id: RecordId::new(), ask: Ask::SetClock(reading) })?;
        let now = clock.now();
        let from = before.wall.saturating_add(now.since(&before)).unwrap_or(Timestamp::MAX);
        audit.note(Who::Person(by.clone()), Event::ClockSet { from, to: now.wall });
        Ok((from, now))
    }
}

/// How things stand by root's word; None where it never said.
pub fn status() -> Option<Status> {
    serde_json::from_slice(&fs::read(network::STATUS).ok()?).ok()
}

/// For root, who may read no file of another that is not open to all.
fn lay_down(path: &Path, request: &Request) -> std::io::Result<()> {
    let json = serde_json::to_vec(request).expect("a request is plain data");
    let beside = path.with_extension("new");
    fs::write(&beside, json)?;
    fs::set_permissions(&beside, Permissions::from_mode(0o644))?;
    fs::rename(&beside, path)
}
