use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::broadcast;
use tracing::{error, warn};

use super::news::News;
use super::saved::Saved;
use crate::audit::{Audit, Event, ServiceChange, Who};
use crate::health::{Change, Finding, ReturnRefused, Service, ServiceReport, ServiceState};
use crate::record::{Kind, NewRecord, Records};
use crate::system::{Clock, ClockStatus, clock_status};
use crate::words::{Moment, PersonName, RecordId};

/// The service state with all that a change of it entails: kept over a restart, in the audit log, on its way
/// to the server, told to whoever watches.
pub struct Duty {
    service: Mutex<Service>,
    saved: Arc<Saved>,
    audit: Arc<Audit>,
    records: Arc<Records>,
    news: broadcast::Sender<News>,
    clock: Arc<dyn Clock>,
    changes: AtomicU64,
}

impl Duty {
    pub fn new(
        service: Service,
        saved: Arc<Saved>,
        audit: Arc<Audit>,
        records: Arc<Records>,
        news: broadcast::Sender<News>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { service: Mutex::new(service), saved, audit, records, news, clock, changes: AtomicU64::new(0) }
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
        self.changes.load(Ordering::Relaxed)
    }

    pub fn observe(&self, findings: Vec<Finding>, now: Moment) {
        let change = self.service().observe(findings, now);
        if let Some(change) = change {
            self.announce(change, now);
        }
    }

    pub fn take_out(&self, by: &PersonName, why: &str) {
        let now = self.clock.now();
        let change = self.service().take_out(by.clone(), why, now);
        self.announce(change, now);
    }

    pub fn return_to_service(&self, by: &PersonName, why: &str) -> Result<(), ReturnRefused> {
        let now = self.clock.now();
        let change = self.service().return_to_service(by.clone(), why, now)?;
        self.announce(change, now);
        Ok(())
    }

    fn announce(&self, change: Change, now: Moment) {
        let reasons: Vec<&str> = change.reasons.iter().map(|standing| standing.reason.sentence()).collect();
        let reason = change.said.clone().unwrap_or_else(|| reasons.join(" "));
        warn!(from = %change.from, to = %change.to, reason, "service state");
        if let Err(error) = self.saved.keep_latched(&self.service().latched()) {
            error!(%error, "the service state will not outlive a restart");
        }
        let who = change.by.clone().map_or(Who::Unit, Who::Person);
        let entry = ServiceChange { from: change.from.to_string(), to: change.to.to_string(), reason };
        if let Err(error) = self.audit.append(who, Event::ServiceStateChanged(entry)) {
            error!(%error, "the audit log could not be written");
        }
        let body = serde_json::to_vec(&change).expect("a change is plain data with string keys");
        let record = NewRecord {
            id: RecordId::new(),
            kind: Kind::Health,
            hit: false,
            belongs_to: None,
            captured: now,
            clock_trusted: clock_status() == ClockStatus::Synchronised,
            body,
        };
        if let Err(error) = self.records.store(record) {
            error!(%error, "a change of the service state could not be stored");
        }
        self.changes.fetch_add(1, Ordering::Relaxed);
        // Fails when nobody listens.
        let _ = self.news.send(News::Service(Box::new(change)));
    }

    fn service(&self) -> MutexGuard<'_, Service> {
        // Every method of Service leaves it whole.
        self.service.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
