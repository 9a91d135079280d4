use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use jiff::Timestamp;
use tokio::sync::watch;

use super::gauge::{Gauge, Told};
use crate::crypto::Digest;
use crate::delivery::{Acceptance, Kind, Parcel, Received, Shelf, ShelfError};
use crate::record::{self, Certificate, PurgedRecord};
use crate::words::RecordId;

/// A light unit's store: what it holds lies in memory until its signed receipt, and its purge is certified then, as a
/// unit's does. It outlives a simulated power cut.
pub struct LightShelf {
    inner: Mutex<Inner>,
    changed: watch::Sender<u64>,
    gauge: Arc<Gauge>,
}

#[derive(Default)]
struct Inner {
    records: BTreeMap<RecordId, Held>,
    waiting: BTreeSet<(Kind, RecordId)>,
    received: u64,
}

struct Held {
    kind: Kind,
    captured: Timestamp,
    /// A picture is shared by all that show the same vehicle.
    body: Arc<[u8]>,
    since: Instant,
}

/// What lies there, and what did.
#[derive(Debug, PartialEq, Eq)]
pub struct Stock {
    /// Records without a receipt.
    pub held: u64,
    /// Since when the oldest of them lies there.
    pub oldest: Option<Instant>,
    pub received: u64,
}

/// What to store.
pub struct New {
    pub id: RecordId,
    pub kind: Kind,
    pub captured: Timestamp,
    pub body: Arc<[u8]>,
}

/// The policy that the certificates name: purge on receipt.
const POLICY: &str = "massachusetts-model";

impl LightShelf {
    pub fn new(gauge: Arc<Gauge>) -> Self {
        Self { inner: Mutex::default(), changed: watch::Sender::default(), gauge }
    }

    pub fn store(&self, records: impl IntoIterator<Item = New>) {
        let mut inner = self.lock();
        for record in records {
            self.put(&mut inner, record);
        }
        drop(inner);
        self.tell();
    }

    /// The program starts anew: nobody remembers what the broker had acknowledged.
    pub fn forget_published(&self) {
        let mut inner = self.lock();
        inner.waiting = inner.records.iter().map(|(id, held)| (held.kind, *id)).collect();
        drop(inner);
        self.tell();
    }

    pub fn stock(&self) -> Stock {
        let inner = self.lock();
        let oldest = inner.records.values().map(|held| held.since).min();
        Stock { held: inner.records.len() as u64, oldest, received: inner.received }
    }

    fn put(&self, inner: &mut Inner, New { id, kind, captured, body }: New) {
        self.gauge.tell(Told::Made);
        inner.waiting.insert((kind, id));
        inner.records.insert(id, Held { kind, captured, body, since: Instant::now() });
    }

    fn tell(&self) {
        self.changed.send_modify(|changes| *changes += 1);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no holder of this lock can panic")
    }
}

impl Shelf for LightShelf {
    fn waiting(&self, kind: Kind, limit: usize) -> Vec<RecordId> {
        let inner = self.lock();
        let first = (kind, RecordId::from_bytes([0; 16]));
        let of_kind = inner.waiting.range(first..).take_while(|(of, _)| *of == kind);
        of_kind.take(limit).map(|(_, id)| *id).collect()
    }

    fn fetch(&self, id: RecordId) -> Result<Option<Parcel>, ShelfError> {
        let inner = self.lock();
        Ok(inner.records.get(&id).map(|&Held { kind, captured, ref body, .. }| Parcel {
            id,
            kind,
            captured,
            clock_trusted: true,
            body: body.to_vec(),
        }))
    }

    fn published(&self, ids: &[RecordId]) {
        let mut inner = self.lock();
        for id in ids {
            let kind = inner.records.get(id).map(|held| held.kind);
            if let Some(kind) = kind {
                inner.waiting.remove(&(kind, *id));
            }
        }
    }

    fn received(&self, receipts: &[Received]) -> Vec<Acceptance> {
        let mut inner = self.lock();
        let (mut purged, mut accepted) = (Vec::new(), 0);
        let mut accept = |receipt: &Received| {
            let id = receipt.id;
            match inner.records.get(&id) {
                None => return Acceptance::Unknown,
                Some(held) if Digest::of(&held.body) != receipt.sha256 => return Acceptance::Differs,
                Some(_) => {}
            }
            let held = inner.records.remove(&id).expect("it was just found");
            inner.waiting.remove(&(held.kind, id));
            accepted += 1;
            if held.kind == Kind::Alert {
                self.gauge.alert_took(held.since.elapsed());
            }
            if let Some((kind, hit)) = stored_as(held.kind) {
                let (sha256, captured) = (receipt.sha256, held.captured);
                purged.push(PurgedRecord { id, sha256, kind, hit, captured });
            }
            Acceptance::Accepted
        };
        let answers = receipts.iter().map(&mut accept).collect();
        if !purged.is_empty() {
            let at = Timestamp::now();
            let certificate = Certificate::of_received(POLICY.to_owned(), purged, at);
            let body =
                serde_json::to_vec(&certificate).expect("a certificate is plain data with string keys");
            let (id, kind) = (certificate.id, Kind::PurgeCertificate);
            self.put(&mut inner, New { id, kind, captured: at, body: body.into() });
        }
        // Only now, so that nobody takes the store for empty in between.
        self.gauge.received(accepted);
        inner.received += accepted;
        drop(inner);
        self.tell();
        answers
    }

    fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }
}

/// As what the product stores it; none for what is purged without a certificate.
fn stored_as(kind: Kind) -> Option<(record::Kind, bool)> {
    match kind {
        Kind::Alert => Some((record::Kind::Alert, true)),
        Kind::AlertPicture => Some((record::Kind::Picture, true)),
        Kind::Read => Some((record::Kind::Read, false)),
        Kind::ReadPicture => Some((record::Kind::Picture, false)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shelf() -> LightShelf {
        LightShelf::new(Arc::new(Gauge::new(1)))
    }

    fn read() -> New {
        let body: Arc<[u8]> = b"{}".as_slice().into();
        New { id: RecordId::new(), kind: Kind::Read, captured: Timestamp::now(), body }
    }

    #[test]
    fn a_record_stays_until_its_own_receipt_and_its_purge_is_certified() {
        let (shelf, read) = (shelf(), read());
        let id = read.id;
        shelf.store([read]);
        let receipt = |sha256| [Received { id, sha256 }];
        assert_eq!(shelf.received(&receipt(Digest::of(b"else"))), [Acceptance::Differs]);
        assert_eq!(shelf.stock().held, 1);
        assert_eq!(shelf.received(&receipt(Digest::of(b"{}"))), [Acceptance::Accepted]);
        assert_eq!(shelf.received(&receipt(Digest::of(b"{}"))), [Acceptance::Unknown]);
        let [certificate] = shelf.waiting(Kind::PurgeCertificate, 9)[..] else { panic!("one certificate") };
        let body = shelf.fetch(certificate).unwrap().unwrap().body;
        assert!(String::from_utf8(body.clone()).unwrap().contains(&id.to_string()));
        let last = [Received { id: certificate, sha256: Digest::of(&body) }];
        assert_eq!(shelf.received(&last), [Acceptance::Accepted]);
        let empty = Stock { held: 0, oldest: None, received: 2 };
        assert_eq!(shelf.stock(), empty, "and no certificate of the certificate");
        assert_eq!(shelf.gauge.counts().waiting(), 0);
    }

    #[test]
    fn after_a_power_cut_everything_without_a_receipt_goes_out_again() {
        let (shelf, read) = (shelf(), read());
        let id = read.id;
        shelf.store([read]);
        assert_eq!(shelf.waiting(Kind::Read, 9), [id]);
        shelf.published(&[id]);
        assert!(shelf.waiting(Kind::Read, 9).is_empty());
        shelf.forget_published();
        assert_eq!(shelf.waiting(Kind::Read, 9), [id]);
    }
}
