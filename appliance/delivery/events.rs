use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::shelf::{Kind, Parcel};
use crate::crypto::Digest;
use crate::words::{RecordId, UnitId};

/// A CloudEvent (version 1.0, structured JSON) around one record.
///
/// `data` is the record's body to the byte, as it was stored: its SHA-256 is what receipts name, so it is
/// never parsed and written anew on the way.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Event {
    /// Of CloudEvents.
    specversion: String,
    /// With `source` the key for a second delivery.
    pub id: RecordId,
    /// `milepost/units/` and the unit's name.
    pub source: String,
    /// What `data` is.
    #[serde(rename = "type")]
    pub event_type: String,
    /// When the recorded thing happened, by the unit's clock.
    #[cfg_attr(test, schemars(with = "crate::contract::Time"))]
    pub time: Timestamp,
    /// False: no time service kept that clock, and `time` may be off by any amount.
    #[serde(default)]
    pub clocktrusted: bool,
    /// Of `data`.
    datacontenttype: String,
    /// Counts the unit's messages within one session (see the birth message), so that a gap shows. Zero-padded
    /// decimal, as CloudEvents wants it to sort as text.
    pub sequence: String,
    /// True when delivered late: long after it happened, or sent again.
    pub historical: bool,
    /// The record. Its SHA-256, over exactly these bytes, is what a receipt names.
    pub data: Box<RawValue>,
}

/// Why bytes are no event.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    #[error("the message is not a CloudEvent or a batch of them: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the event has CloudEvents version {0:?}; this program understands 1.0")]
    Version(String),
    #[error("the record's body is not JSON, or has spaces around it, which do not travel")]
    Body,
}

impl Event {
    pub fn wrap(unit: &UnitId, parcel: Parcel, sequence: u64, historical: bool) -> Result<Self, EventError> {
        let body = String::from_utf8(parcel.body).map_err(|_| EventError::Body)?;
        let length = body.len();
        let data = RawValue::from_string(body).map_err(|_| EventError::Body)?;
        if data.get().len() != length {
            return Err(EventError::Body);
        }
        Ok(Self {
            specversion: "1.0".into(),
            id: parcel.id,
            source: Self::source_of(unit),
            event_type: event_type(parcel.kind).into(),
            time: parcel.captured,
            clocktrusted: parcel.clock_trusted,
            datacontenttype: "application/json".into(),
            sequence: format!("{sequence:010}"),
            historical,
            data,
        })
    }

    /// Reads one event or a batch.
    pub fn parse(payload: &[u8]) -> Result<Vec<Self>, EventError> {
        let events: Vec<Self> = if payload.trim_ascii_start().first() == Some(&b'[') {
            serde_json::from_slice(payload)?
        } else {
            vec![serde_json::from_slice(payload)?]
        };
        match events.iter().find(|event| event.specversion != "1.0") {
            Some(event) => Err(EventError::Version(event.specversion.chars().take(20).collect())),
            None => Ok(events),
        }
    }

    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("an event is plain data with string keys")
    }

    /// The SHA-256 that a receipt for this event must name.
    pub fn digest(&self) -> Digest {
        Digest::of(self.data.get().as_bytes())
    }

    pub fn source_of(unit: &UnitId) -> String {
        format!("milepost/units/{unit}")
    }
}

/// Joins events that are JSON already into one batch.
pub(super) fn batch(events: &[Vec<u8>]) -> Vec<u8> {
    let mut payload = b"[".to_vec();
    payload.extend(events.join(&b','));
    payload.push(b']');
    payload
}

fn event_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Alert => "milepost.alert.v1",
        Kind::Disposition => "milepost.disposition.v1",
        Kind::ManualEntry => "milepost.manual-entry.v1",
        Kind::HealthChange => "milepost.health-change.v1",
        Kind::Canary => "milepost.canary.v1",
        Kind::Audit => "milepost.audit.v1",
        Kind::PurgeCertificate => "milepost.purge-certificate.v1",
        Kind::Read => "milepost.read.v1",
        Kind::AlertPicture | Kind::ReadPicture => "milepost.picture.v1",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parcel(body: &[u8]) -> Parcel {
        let captured = "2026-03-01T12:00:00Z".parse().unwrap();
        Parcel { id: RecordId::new(), kind: Kind::Alert, captured, clock_trusted: false, body: body.to_vec() }
    }

    fn unit() -> UnitId {
        UnitId::parse("north-7").unwrap()
    }

    #[test]
    fn the_body_travels_to_the_byte() {
        // Neither spacing, nor the order of fields, nor the digits of a number survive parsing.
        let body = br#"{"z": 1.10, "a":0.1234567890123456789}"#;
        let event = Event::wrap(&unit(), parcel(body), 7, false).unwrap();
        let back = Event::parse(&event.to_json()).unwrap().remove(0);
        assert_eq!(back.data.get().as_bytes(), body);
        assert_eq!(back.digest(), Digest::of(body));
        assert_eq!((back.sequence.as_str(), back.historical), ("0000000007", false));
    }

    #[test]
    fn a_batch_is_an_array_of_events() {
        let events: Vec<Event> =
            (0..3).map(|n| Event::wrap(&unit(), parcel(b"{}"), n, true).unwrap()).collect();
        let json: Vec<Vec<u8>> = events.iter().map(Event::to_json).collect();
        let back = Event::parse(&batch(&json)).unwrap();
        assert!(back.iter().map(|event| event.id).eq(events.iter().map(|event| event.id)));
    }

    #[test]
    fn refuses_what_is_no_event() {
        assert!(matches!(Event::parse(b""), Err(EventError::Json(_))));
        assert!(matches!(Event::parse(b"[{}]"), Err(EventError::Json(_))));
        assert!(matches!(Event::wrap(&unit(), parcel(b"\xff\xd8"), 0, false), Err(EventError::Body)));
        assert!(matches!(Event::wrap(&unit(), parcel(b"{} {}"), 0, false), Err(EventError::Body)));
        assert!(matches!(Event::wrap(&unit(), parcel(b" {}"), 0, false), Err(EventError::Body)));
        let event = Event::wrap(&unit(), parcel(b"{}"), 0, false).unwrap();
        let old = String::from_utf8(event.to_json()).unwrap().replace("\"1.0\"", "\"0.3\"");
        assert!(matches!(Event::parse(old.as_bytes()), Err(EventError::Version(_))));
    }
}
