//! The store of records as delivery asks for it.

use std::collections::HashSet;
use std::sync::Arc;

use tokio::sync::watch;
use tracing::error;

use crate::delivery::{self, Acceptance, Parcel, Received, ShelfError};
use crate::record::{Kind, RecordError, Records};
use crate::words::RecordId;

/// Delivery speaks of what travels, the store of what is kept: a picture of a hit travels ahead of one of
/// a read, and both are pictures.
pub struct Shelf(pub Arc<Records>);

impl delivery::Shelf for Shelf {
    fn waiting(&self, kind: delivery::Kind, limit: usize) -> Vec<RecordId> {
        let (kind, hit) = stored_as(kind);
        self.0.waiting_of(kind, hit, limit)
    }

    fn fetch(&self, id: RecordId) -> Result<Option<Parcel>, ShelfError> {
        match self.0.fetch(id) {
            Ok(fetched) => Ok(Some(Parcel {
                id,
                kind: travels_as(fetched.head.kind, fetched.head.hit),
                captured: fetched.head.captured,
                body: fetched.body,
            })),
            Err(RecordError::Unknown(_)) => Ok(None),
            Err(error) => Err(ShelfError { id, reason: error.to_string() }),
        }
    }

    fn published(&self, ids: &[RecordId]) {
        self.0.published(ids);
    }

    fn received(&self, receipts: &[Received]) -> Vec<Acceptance> {
        let lines: Vec<_> = receipts.iter().map(|receipt| (receipt.id, receipt.sha256)).collect();
        let outcome = match self.0.received(&lines) {
            Ok(outcome) => outcome,
            Err(error) => {
                error!(%error, "receipts could not be acted on; the records will be sent again");
                return vec![Acceptance::Failed; receipts.len()];
            }
        };
        let purged: HashSet<RecordId> = outcome.purged.into_iter().collect();
        let differs: HashSet<RecordId> = outcome.wrong_digest.into_iter().collect();
        let answer = |receipt: &Received| match receipt.id {
            id if purged.contains(&id) => Acceptance::Accepted,
            id if differs.contains(&id) => Acceptance::Differs,
            _ => Acceptance::Unknown,
        };
        receipts.iter().map(answer).collect()
    }

    fn subscribe(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }
}

fn stored_as(kind: delivery::Kind) -> (Kind, Option<bool>) {
    use delivery::Kind as Travelling;
    match kind {
        Travelling::Alert => (Kind::Alert, None),
        Travelling::AlertPicture => (Kind::Picture, Some(true)),
        Travelling::Disposition => (Kind::Disposition, None),
        Travelling::HealthChange => (Kind::Health, None),
        Travelling::Audit => (Kind::Audit, None),
        Travelling::PurgeCertificate => (Kind::Certificate, None),
        Travelling::Read => (Kind::Read, None),
        Travelling::ReadPicture => (Kind::Picture, Some(false)),
    }
}

fn travels_as(kind: Kind, hit: bool) -> delivery::Kind {
    use delivery::Kind as Travelling;
    match (kind, hit) {
        (Kind::Alert, _) => Travelling::Alert,
        (Kind::Picture, true) => Travelling::AlertPicture,
        (Kind::Picture, false) => Travelling::ReadPicture,
        (Kind::Disposition, _) => Travelling::Disposition,
        (Kind::Health, _) => Travelling::HealthChange,
        (Kind::Audit, _) => Travelling::Audit,
        (Kind::Certificate, _) => Travelling::PurgeCertificate,
        (Kind::Read, _) => Travelling::Read,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_comes_back_as_it_went() {
        for kind in delivery::Kind::ALL {
            let (stored, hit) = stored_as(kind);
            assert_eq!(travels_as(stored, hit.unwrap_or(false)), kind);
        }
    }
}
