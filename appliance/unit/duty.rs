use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::broadcast;
use tracing::{error, warn};

use super::clerk::Clerk;
use super::news::News;
use super::saved::Saved;
use crate::audit::{Audit, Event, ServiceChange, Who};
use crate::health::{Change, Damage, Finding, ReturnRefused, Service, ServiceReport, ServiceState};
use crate::record::{Kind, NewRecord, Records};
use crate::system::Clock;
use crate::words::{Moment, PersonName};

/// The service state with all that a change of it entails: told to whoever watches at once; then kept over a restart, in
/// the audit log, and on its way to the server, which is the clerk's work.
pub struct Duty {
    service: Arc<Mutex<Service>>,
    clerk: Clerk,
    saved: Arc<Saved>,
    audit: Arc<Audit>,
    records: Arc<Records>,
    news: broadcast::Sender<News>,
    clock: Arc<dyn Clock>,
    changes: Mutex<u64>,
    changed: Condvar,
}

impl Duty {
    pub fn new(
        service: Service,
        clerk: Clerk,
        saved: Arc<Saved>,
        audit: Arc<Audit>,
        records: Arc<Records>,
        news: broadcast::Sender<News>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let (service, changes) = (Arc::new(Mutex::new(service)), Mutex::new(0));
        Self { service, clerk, saved, audit, records, news, clock, changes, changed: Condvar::new() }
    }

    pub fn is_in_service(&self) -> bool {
        self.service().state() != ServiceState::OutOfService
    }

    pub fn report(&self) -> ServiceReport {
        let service = self.service();
        ServiceReport { state: service.state(), since: service.since(), reasons: service.standing() }
    }

    /// Rises with every change, so that a report can follow at once.
    pub fn changes(&self) -> u64 {
        *self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns at the next change after `known`, and after `patience` in any case.
    pub fn wait_for_change(&self, known: u64, patience: Duration) {
        let changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = self.changed.wait_timeout_while(changes, patience, |changes| *changes == known);
    }

    pub fn observe(&self, findings: Vec<Finding>, now: Moment) {
        let change = self.service().observe(findings, now);
        if let Some(change) = change {
            self.clerk.later(self.announce(change, now));
        }
    }

    /// Takes in what is no longer as the unit wrote it.
    pub fn damaged(&self, damage: Damage) {
        let now = self.clock.now();
        let change = self.service().damaged(damage, now);
        if let Some(change) = change {
            self.clerk.later(self.announce(change, now));
        }
    }

    /// On the disk when it returns, as far as the disk takes it.
    pub fn take_out(&self, by: &PersonName, why: &str) {
        let now = self.clock.now();
        let change = self.service().take_out(by.clone(), why, now);
        self.clerk.now(self.announce(change, now));
    }

    /// On the disk when it returns, as far as the disk takes it.
    pub fn return_to_service(&self, by: &PersonName, why: &str) -> Result<(), ReturnRefused> {
        let now = self.clock.now();
        let change = self.service().return_to_service(by.clone(), why, now)?;
        self.clerk.now(self.announce(change, now));
        Ok(())
    }

    /// Tells of a change; gives what is to be written about it.
    fn announce(&self, change: Change, now: Moment) -> impl FnOnce() + Send + use<> {
        let reasons: Vec<&str> = change.reasons.iter().map(|standing| standing.reason.sentence()).collect();
        let reason = change.said.clone().unwrap_or_else(|| reasons.join(" "));
        warn!(from = %change.from, to = %change.to, reason, "service state");
        *self.changes.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.changed.notify_all();
        // Fails when nobody listens.
        let _ = self.news.send(News::Service(Box::new(change.clone())));

        let (service, saved) = (self.service.clone(), self.saved.clone());
        let (audit, records) = (self.audit.clone(), self.records.clone());
        move || {
            // As it is by then: two that are announced at once may be written in either order.
            let kept = service.lock().unwrap_or_else(PoisonError::into_inner).kept();
            if let Err(error) = saved.keep_service(&kept) {
                error!(%error, "the service state will not outlive a restart");
            }
            let who = change.by.clone().map_or(Who::Unit, Who::Person);
            let entry = ServiceChange { from: change.from.to_string(), to: change.to.to_string(), reason };
            audit.note(who, Event::ServiceStateChanged(entry));
            let body = serde_json::to_vec(&change).expect("a change is plain data with string keys");
            if let Err(error) = records.store(NewRecord::of(Kind::Health, now, body)) {
                error!(%error, "a change of the service state could not be stored");
            }
        }
    }

    fn service(&self) -> MutexGuard<'_, Service> {
        // Every method of Service leaves it whole.
        self.service.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
