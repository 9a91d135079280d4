use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard};

use super::accounts::Role;
use super::answer::Failure;
use super::looks::Looks;
use super::pages::wording;
use super::reception::{Place, Reception, Sign, blocking, lock};
use super::routes;
use super::unit::{Access, AuditEntry, AuditFilter, Overview, Unit};

/// What all requests to a unit's console share: the reception, and the unit behind it.
pub struct Desk {
    pub unit: Arc<dyn Unit>,
    reception: Arc<Reception>,
    looks: Mutex<Looks>,
}

impl Desk {
    pub fn new(unit: Arc<dyn Unit>, reception: Arc<Reception>) -> Self {
        Self { unit, reception, looks: Mutex::default() }
    }

    /// Asks the unit on a thread that may block.
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn Unit) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let unit = self.unit.clone();
        blocking(move || question(unit.as_ref())).await
    }

    pub fn looks(&self) -> MutexGuard<'_, Looks> {
        lock(&self.looks)
    }
}

impl Deref for Desk {
    type Target = Arc<Reception>;

    fn deref(&self) -> &Arc<Reception> {
        &self.reception
    }
}

/// The unit as the reception sees it.
pub struct Roadside(pub Arc<dyn Unit>);

impl Place for Roadside {
    fn name(&self) -> String {
        self.0.name().to_string()
    }

    fn navigation(&self, role: Role) -> Vec<(&'static str, &'static str)> {
        routes::navigation(&routes::table(), role)
    }

    fn sign(&self) -> Sign {
        sign(self.0.as_ref(), &self.0.overview())
    }

    fn audit(&self, access: Access) {
        self.0.audit(access);
    }

    fn audit_entries(&self, filter: &AuditFilter, limit: usize) -> Vec<AuditEntry> {
        self.0.audit_entries(filter, limit)
    }

    fn audit_lines(&self, after: u64, limit: usize) -> Vec<String> {
        self.0.audit_lines(after, limit)
    }

    fn roles(&self) -> &'static str {
        "A technician aims and maintains. An officer sees alerts and hot lists. An administrator may do all."
    }

    fn rides_in_vehicle(&self) -> bool {
        self.0.rides_in_vehicle()
    }
}

pub fn sign(unit: &dyn Unit, overview: &Overview) -> Sign {
    let state = overview.service.state;
    Sign {
        class: wording::service_class(&state),
        words: state.words().to_owned(),
        newest_alert: *unit.newest_alert().borrow(),
        trial_until: unit.trial_until(),
        network_trial_until: unit.network_trial_until(),
    }
}
