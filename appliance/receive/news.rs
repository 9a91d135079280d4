use std::fmt;
use std::ops::RangeInclusive;

use jiff::Timestamp;
use serde_json::Value;

use super::hold::Amount;
use super::vault::Novelty;
use crate::delivery::{Event, LinkFault, UnitTopic};
use crate::words::{RecordId, UnitId};

/// One thing that a unit sent, for a person to read: as a line by `Display`.
#[derive(Debug, Clone)]
pub struct News {
    pub at: Timestamp,
    pub unit: Option<UnitId>,
    pub novelty: Novelty,
    pub kind: NewsKind,
}

#[derive(Debug, Clone)]
pub enum NewsKind {
    /// An alert, a read, or any other event.
    Event(Box<Event>),
    Picture {
        id: RecordId,
        bytes: usize,
    },
    /// The unit's presence.
    Status(Value),
    Health(Value),
    /// The link to the broker stands.
    Connected,
    /// Messages with these numbers did not arrive.
    Gap(RangeInclusive<u64>),
    /// Kept long enough.
    Expired(Amount),
    /// What somebody must look at.
    Trouble(String),
    Fault(LinkFault),
}

impl News {
    pub(super) fn event(at: Timestamp, unit: UnitId, event: Event, novelty: Novelty) -> Self {
        Self { at, unit: Some(unit), novelty, kind: NewsKind::Event(Box::new(event)) }
    }

    pub(super) fn picture(at: Timestamp, unit: UnitId, id: RecordId, bytes: usize, novelty: Novelty) -> Self {
        Self { at, unit: Some(unit), novelty, kind: NewsKind::Picture { id, bytes } }
    }

    pub(super) fn report(at: Timestamp, unit: UnitId, topic: UnitTopic, payload: &[u8]) -> Self {
        let value = serde_json::from_slice(payload).unwrap_or(Value::Null);
        let kind = if topic == UnitTopic::Status { NewsKind::Status(value) } else { NewsKind::Health(value) };
        Self { at, unit: Some(unit), novelty: Novelty::New, kind }
    }

    pub(super) fn connected(at: Timestamp) -> Self {
        Self { at, unit: None, novelty: Novelty::New, kind: NewsKind::Connected }
    }

    pub(super) fn gap(at: Timestamp, unit: UnitId, missing: RangeInclusive<u64>) -> Self {
        Self { at, unit: Some(unit), novelty: Novelty::New, kind: NewsKind::Gap(missing) }
    }

    pub(super) fn expired(at: Timestamp, amount: Amount) -> Self {
        Self { at, unit: None, novelty: Novelty::New, kind: NewsKind::Expired(amount) }
    }

    pub(super) fn trouble(at: Timestamp, what: &str) -> Self {
        Self { at, unit: None, novelty: Novelty::New, kind: NewsKind::Trouble(what.to_owned()) }
    }

    /// That nothing has expired is no news.
    pub(super) fn is_idle(&self) -> bool {
        matches!(self.kind, NewsKind::Expired(amount) if amount == Amount::default())
    }

    pub(super) fn fault(at: Timestamp, fault: LinkFault) -> Self {
        Self { at, unit: None, novelty: Novelty::New, kind: NewsKind::Fault(fault) }
    }
}

impl fmt::Display for News {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0}  ", self.at)?;
        if let Some(unit) = &self.unit {
            write!(f, "{unit}: ")?;
        }
        match &self.kind {
            NewsKind::Event(event) => describe(f, event)?,
            NewsKind::Picture { id, bytes } => write!(f, "picture {id}, {} kB", bytes.div_ceil(1000))?,
            NewsKind::Status(value) => match (text(value, "state"), text(value, "reason")) {
                (Some(state), Some(reason)) => write!(f, "is {state} ({reason})")?,
                (Some(state), None) => write!(f, "is {state}")?,
                _ => write!(f, "sent a presence that cannot be understood")?,
            },
            NewsKind::Health(value) => match text(value, "state").or_else(|| text(value, "service")) {
                Some(state) => write!(f, "health report: {state}")?,
                None => write!(f, "health report")?,
            },
            NewsKind::Connected => write!(f, "connected to the broker")?,
            NewsKind::Gap(missing) => write!(
                f,
                "messages {} to {} of its session did not arrive; what they held will be sent again",
                missing.start(),
                missing.end()
            )?,
            NewsKind::Expired(amount) => write!(f, "expired: {amount}")?,
            NewsKind::Trouble(what) => write!(f, "{what}")?,
            NewsKind::Fault(fault) => write!(f, "{fault}: {}", fault.mend())?,
        }
        match self.novelty {
            Novelty::New => Ok(()),
            Novelty::Known => write!(f, " (again)"),
            Novelty::Replaced => write!(f, " (again, with other content: replaced)"),
        }
    }
}

fn describe(f: &mut fmt::Formatter<'_>, event: &Event) -> fmt::Result {
    let data: Value = serde_json::from_str(event.data.get()).unwrap_or(Value::Null);
    let kind = event.event_type.strip_prefix("milepost.").and_then(|rest| rest.strip_suffix(".v1"));
    write!(f, "{}", kind.unwrap_or(&event.event_type).replace('-', " "))?;
    if let Some(plate) = text(&data, "text") {
        write!(f, " {plate}")?;
    }
    if let Some(state) = text(&data, "state") {
        write!(f, " ({})", state.to_uppercase())?;
    }
    if let Some(category) = data.pointer("/matched/entry/category").and_then(Value::as_str) {
        write!(f, ", {category}")?;
    }
    if let Some(camera) = text(&data, "camera") {
        write!(f, " at {camera}")?;
    }
    if event.historical { write!(f, ", late: happened {:.0}", event.time) } else { Ok(()) }
}

/// Text from a unit as it may go to a terminal: no control characters, not endless.
fn text(value: &Value, field: &str) -> Option<String> {
    let text = value.get(field)?.as_str()?;
    Some(text.chars().filter(|character| !character.is_control()).take(80).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::{Kind, Parcel};

    #[test]
    fn news_read_like_sentences_and_carry_no_control_characters() {
        let unit = UnitId::parse("north-7").unwrap();
        let at: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let body = br#"{"text":"ABC123","state":"ma","camera":"east\u001b[2J","matched":{"entry":{"category":"stolen"}}}"#;
        let parcel = Parcel {
            id: RecordId::new(),
            kind: Kind::Alert,
            captured: at,
            clock_trusted: true,
            body: body.to_vec(),
        };
        let event = Event::wrap(&unit, parcel, 0, true).unwrap();
        let line = News::event(at, unit.clone(), event, Novelty::Known).to_string();
        let expected = "2026-03-01T12:00:00Z  north-7: alert ABC123 (MA), stolen at east[2J, \
                        late: happened 2026-03-01T12:00:00Z (again)";
        assert_eq!(line, expected);
        let lost = News::report(at, unit, UnitTopic::Status, br#"{"state":"offline","reason":"lost"}"#);
        assert!(lost.to_string().ends_with("north-7: is offline (lost)"));
    }
}
