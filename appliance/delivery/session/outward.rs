//! What goes out: records of the store, as many of a kind to a message as fit.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tracing::warn;

use super::Session;
use crate::delivery::events::{Event, batch};
use crate::delivery::fault::LinkFault;
use crate::delivery::link::Link;
use crate::delivery::outbox::Pick;
use crate::delivery::shelf::Kind;
use crate::delivery::topics::UnitTopic;
use crate::words::RecordId;

/// What topic and header add to a payload, at most.
const OVERHEAD: usize = 512;

impl Session {
    /// Submits all that may go; returns when to look again if nothing happens before.
    pub(super) fn fill(&mut self, link: &Link) -> Result<Option<Duration>, LinkFault> {
        loop {
            let now = self.now();
            match self.outbox.pick(now, |kind, limit| self.shelf.waiting(kind, limit)) {
                Pick::Wait { until } => return Ok(until),
                Pick::Send { kind, records } => self.submit(link, kind, records)?,
            }
        }
    }

    /// Makes one message of as many of these records as fit.
    fn submit(&mut self, link: &Link, kind: Kind, records: Vec<RecordId>) -> Result<(), LinkFault> {
        let now = self.clock.now();
        let packet_most = self.config.broker.max_packet_bytes.get() as usize;
        let batch_most = if kind.is_batched() { self.config.batch_bytes.get() as usize } else { packet_most };
        let (mut ids, mut bodies, mut bytes) = (Vec::new(), Vec::new(), 0);
        for id in records {
            let body = match self.body(kind, id, now.wall) {
                Ok(Some(body)) if body.len() + OVERHEAD <= packet_most => body,
                Ok(None) => {
                    self.outbox.gone(id);
                    continue;
                }
                unfit => {
                    let reason = unfit.err().unwrap_or_else(|| "it is larger than a message may be".into());
                    warn!(%id, reason, "a record cannot be sent");
                    self.outbox.unfit(kind, id);
                    self.status.send_modify(|status| status.counts.records_unfit += 1);
                    continue;
                }
            };
            if !ids.is_empty() && bytes + body.len() > batch_most {
                break;
            }
            bytes += body.len() + 1;
            self.sequence += u64::from(kind.is_numbered());
            ids.push(id);
            bodies.push(body);
        }
        let Some(first) = ids.first() else { return Ok(()) };
        let again = ids.iter().filter(|id| self.outbox.sendings(**id) > 0).count() as u64;
        let topic = match kind {
            Kind::Alert => UnitTopic::Alerts,
            Kind::AlertPicture | Kind::ReadPicture => UnitTopic::Picture(*first),
            Kind::Read => UnitTopic::Reads,
            Kind::Canary => UnitTopic::Canary,
            Kind::Disposition
            | Kind::ManualEntry
            | Kind::HealthChange
            | Kind::Audit
            | Kind::PurgeCertificate => UnitTopic::Events,
        };
        let payload = if kind.is_batched() { batch(&bodies) } else { bodies.concat() };
        let size = payload.len();
        link.publish(self.topic(topic), payload, false)?;
        self.outbox.submitted(kind, ids, size, now.uptime);
        self.status.send_if_modified(|status| {
            status.counts.messages += 1;
            status.counts.records_sent_again += again;
            false
        });
        Ok(())
    }

    /// One record as it travels: the JPEG, or the event around its JSON. None when it was purged meanwhile.
    fn body(&self, kind: Kind, id: RecordId, wall: Timestamp) -> Result<Option<Vec<u8>>, String> {
        let fetched = self.shelf.fetch(id).map_err(|error| error.to_string())?;
        let Some(parcel) = fetched else { return Ok(None) };
        if kind.is_picture() {
            return Ok(Some(parcel.body));
        }
        let late = SignedDuration::from_secs(self.config.historical_after_s.into());
        let by_wall = || wall.duration_since(parcel.captured);
        let age = self.shelf.age(id).and_then(|age| age.try_into().ok()).unwrap_or_else(by_wall);
        let historical = self.outbox.sendings(id) > 0 || age > late;
        let event = Event::wrap(&self.unit, parcel, self.sequence, historical);
        event.map(|event| Some(event.to_json())).map_err(|error| error.to_string())
    }
}
