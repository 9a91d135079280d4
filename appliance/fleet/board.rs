use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::watch;

use super::roster::{Broker, Roster};
use super::routes;
use super::unit::Condition;
use crate::audit::Audit;
use crate::console::logbook;
use crate::console::reception::{Place, Sign, lock};
use crate::console::{Access, AuditEntry, AuditFilter, Role};
use crate::system::Clock;

/// The roster between the broker that fills it and the pages that show it.
pub struct Board {
    roster: Mutex<Roster>,
    changed: watch::Sender<u64>,
    pub clock: Arc<dyn Clock>,
}

impl Board {
    pub fn new(units_max: usize, clock: Arc<dyn Clock>) -> Self {
        let roster = Roster::new(units_max, clock.now().wall);
        Self { roster: Mutex::new(roster), changed: watch::Sender::new(0), clock }
    }

    /// Held for the blink of one look.
    pub fn roster(&self) -> MutexGuard<'_, Roster> {
        lock(&self.roster)
    }

    /// Changes the roster, and wakes the pages that wait for a change.
    pub fn change(&self, change: impl FnOnce(&mut Roster)) {
        let revision = {
            let mut roster = self.roster();
            change(&mut roster);
            roster.revision()
        };
        self.changed.send_if_modified(|known| std::mem::replace(known, revision) != revision);
    }

    /// The roster's revision.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }
}

/// What stands behind the dashboard's port.
pub struct Department {
    pub title: String,
    pub board: Arc<Board>,
    pub audit: Audit,
}

impl Place for Department {
    fn name(&self) -> String {
        self.title.clone()
    }

    fn navigation(&self, role: Role) -> Vec<(&'static str, &'static str)> {
        crate::console::routes::navigation(&routes::table(), role)
    }

    fn sign(&self) -> Sign {
        sign(&self.board.roster())
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
        "All see the same here. An administrator also invites people and reads the access log."
    }
}

/// The fleet in three words.
pub fn sign(roster: &Roster) -> Sign {
    let down = Condition::ALL.into_iter().filter(|condition| condition.class() == "bad");
    let down: usize = down.map(|condition| roster.count(condition)).sum();
    let (class, words) = match (roster.broker(), roster.len(), down) {
        (Broker::Down { .. }, ..) => ("bad", "No broker".to_owned()),
        (_, 0, _) => ("fair", "No unit yet".to_owned()),
        (.., 0) if roster.count(Condition::InService) == roster.len() => {
            ("good", "All in service".to_owned())
        }
        (.., 0) => ("fair", "None down".to_owned()),
        (.., down) => ("bad", format!("{down} down")),
    };
    Sign { class, words, newest_alert: None, trial_until: None, network_trial_until: None }
}
