//! The store of records as a [`Shelf`].

use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::watch;
use tracing::warn;

use super::shelf::{Acceptance, Kind, Parcel, Received, Shelf, ShelfError};
use crate::record::{self, RecordError, Records};
use crate::words::RecordId;

impl Shelf for Records {
    fn waiting(&self, kind: Kind, limit: usize) -> Vec<RecordId> {
        use record::Kind as Stored;
        let kinds: &[(Stored, bool)] = match kind {
            Kind::Alert => {
                &[(Stored::AmberAlert, true), (Stored::CriticalAlert, true), (Stored::Alert, true)]
            }
            Kind::AlertPicture => &[(Stored::Picture, true)],
            Kind::Disposition => &[(Stored::Disposition, true)],
            Kind::ManualEntry => &[(Stored::ManualEntry, true)],
            Kind::HealthChange => &[(Stored::Health, false)],
            Kind::Canary => &[(Stored::Canary, false)],
            Kind::Audit => &[(Stored::Audit, false)],
            Kind::PurgeCertificate => &[(Stored::Certificate, false)],
            Kind::Read => &[(Stored::Read, true), (Stored::Read, false)],
            Kind::ReadPicture => &[(Stored::Picture, false)],
        };
        let mut found = Vec::new();
        for (kind, hit) in kinds {
            found.extend(self.waiting_of(*kind, *hit, limit - found.len()).iter().map(|waiting| waiting.id));
        }
        found
    }

    fn fetch(&self, id: RecordId) -> Result<Option<Parcel>, ShelfError> {
        match Records::fetch(self, id) {
            Ok(fetched) => {
                let record::Head { kind, hit, captured, clock_trusted, .. } = fetched.head;
                let kind = match (kind, hit) {
                    (record::Kind::AmberAlert | record::Kind::CriticalAlert | record::Kind::Alert, _) => {
                        Kind::Alert
                    }
                    (record::Kind::Picture, true) => Kind::AlertPicture,
                    (record::Kind::Picture, false) => Kind::ReadPicture,
                    (record::Kind::Disposition, _) => Kind::Disposition,
                    (record::Kind::ManualEntry, _) => Kind::ManualEntry,
                    (record::Kind::Health, _) => Kind::HealthChange,
                    (record::Kind::Canary, _) => Kind::Canary,
                    (record::Kind::Audit, _) => Kind::Audit,
                    (record::Kind::Certificate, _) => Kind::PurgeCertificate,
                    (record::Kind::Read, _) => Kind::Read,
                };
                Ok(Some(Parcel { id, kind, captured, clock_trusted, body: fetched.body }))
            }
            Err(RecordError::Unknown(_)) => Ok(None),
            Err(error) => Err(ShelfError { id, reason: error.to_string() }),
        }
    }

    fn published(&self, ids: &[RecordId]) {
        Records::published(self, ids);
    }

    fn received(&self, receipts: &[Received]) -> Vec<Acceptance> {
        let lines: Vec<_> = receipts.iter().map(|receipt| (receipt.id, receipt.sha256)).collect();
        match Records::received(self, &lines) {
            Ok(answer) => {
                let purged = answer.purged.iter().map(|id| (*id, Acceptance::Accepted));
                let differing = answer.wrong_digest.iter().map(|id| (*id, Acceptance::Differs));
                let known: HashMap<_, _> = purged.chain(differing).collect();
                let acceptance = |id| known.get(id).copied().unwrap_or(Acceptance::Unknown);
                receipts.iter().map(|receipt| acceptance(&receipt.id)).collect()
            }
            Err(error) => {
                warn!(%error, "receipts could not be taken");
                vec![Acceptance::Failed; receipts.len()]
            }
        }
    }

    fn age(&self, id: RecordId) -> Option<Duration> {
        Records::age(self, id)
    }

    fn next_session(&self, at_least: u64) -> u64 {
        Records::next_session(self, at_least)
    }

    fn subscribe(&self) -> watch::Receiver<u64> {
        Records::subscribe(self)
    }
}
