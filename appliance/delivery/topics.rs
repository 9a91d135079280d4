use std::fmt;

use crate::words::{ListName, RecordId, RosterName, UnitId};

/// Every topic of version 1, typed both ways: `Topic::parse(&topic.to_string()) == Some(topic)`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Topic {
    Unit(UnitId, UnitTopic),
    List(ListName, ListTopic),
    /// Retained, department to units, signed: who may sign in.
    Roster(RosterName),
}

/// What belongs to one unit. The broker's access list lets a unit write all of its own but receipts, commands, manual
/// entries and answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UnitTopic {
    /// Retained: birth, last will, clean stop.
    Status,
    Alerts,
    /// A raw JPEG.
    Picture(RecordId),
    Reads,
    /// Retained.
    Health,
    /// Answers to alerts, steps of manual entries, changes of health, audit entries, certificates of purge.
    Events,
    /// The unit's own test plate, which nobody stores.
    Canary,
    /// Server to unit, signed.
    Receipts,
    /// Server to unit, signed.
    Commands,
    /// Unit to department: what became of a command.
    CommandResults,
    /// People to unit, signed by each: requests and approvals of manual entries.
    ManualEntries,
    /// Server to unit, signed: what was found to be true of an alert.
    Answers,
    /// Retained, from the unit to itself, sealed: what it must remember though its storage be restored.
    Memory,
    /// The same of commands: which it has seen.
    CommandMemory,
    /// The same of rosters: the highest version.
    RosterMemory,
}

/// What belongs to one hot list; all retained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ListTopic {
    Manifest,
    Chunk { version: u64, index: u32 },
    Delta { version: u64 },
}

impl Topic {
    /// None for anything that is not exactly one of ours; a topic comes from outside.
    pub fn parse(text: &str) -> Option<Self> {
        let mut levels = text.strip_prefix("milepost/v1/")?.split('/');
        let (area, name) = (levels.next()?, levels.next()?);
        let rest: Vec<&str> = levels.collect();
        match area {
            "units" => {
                let topic = match rest[..] {
                    ["status"] => UnitTopic::Status,
                    ["alerts"] => UnitTopic::Alerts,
                    ["pictures", record] => UnitTopic::Picture(canonical(record)?),
                    ["reads"] => UnitTopic::Reads,
                    ["health"] => UnitTopic::Health,
                    ["events"] => UnitTopic::Events,
                    ["canary"] => UnitTopic::Canary,
                    ["receipts"] => UnitTopic::Receipts,
                    ["commands"] => UnitTopic::Commands,
                    ["manual-entries"] => UnitTopic::ManualEntries,
                    ["command-results"] => UnitTopic::CommandResults,
                    ["answers"] => UnitTopic::Answers,
                    ["memory"] => UnitTopic::Memory,
                    ["command-memory"] => UnitTopic::CommandMemory,
                    ["roster-memory"] => UnitTopic::RosterMemory,
                    _ => return None,
                };
                Some(Self::Unit(UnitId::parse(name).ok()?, topic))
            }
            "lists" => {
                let topic = match rest[..] {
                    ["manifest"] => ListTopic::Manifest,
                    ["chunks", version, index] => {
                        ListTopic::Chunk { version: canonical(version)?, index: canonical(index)? }
                    }
                    ["deltas", version] => ListTopic::Delta { version: canonical(version)? },
                    _ => return None,
                };
                Some(Self::List(ListName::parse(name).ok()?, topic))
            }
            "rosters" if rest.is_empty() => Some(Self::Roster(RosterName::parse(name).ok()?)),
            _ => None,
        }
    }
}

/// Parses only the one way of writing a value that we write ourselves: no "+7", no "007", no upper-case UUID.
fn canonical<T: std::str::FromStr + fmt::Display>(text: &str) -> Option<T> {
    text.parse().ok().filter(|value: &T| value.to_string() == text)
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unit(unit, topic) => {
                write!(f, "milepost/v1/units/{unit}/")?;
                match topic {
                    UnitTopic::Status => f.write_str("status"),
                    UnitTopic::Alerts => f.write_str("alerts"),
                    UnitTopic::Picture(record) => write!(f, "pictures/{record}"),
                    UnitTopic::Reads => f.write_str("reads"),
                    UnitTopic::Health => f.write_str("health"),
                    UnitTopic::Events => f.write_str("events"),
                    UnitTopic::Canary => f.write_str("canary"),
                    UnitTopic::Receipts => f.write_str("receipts"),
                    UnitTopic::Commands => f.write_str("commands"),
                    UnitTopic::ManualEntries => f.write_str("manual-entries"),
                    UnitTopic::CommandResults => f.write_str("command-results"),
                    UnitTopic::Answers => f.write_str("answers"),
                    UnitTopic::Memory => f.write_str("memory"),
                    UnitTopic::CommandMemory => f.write_str("command-memory"),
                    UnitTopic::RosterMemory => f.write_str("roster-memory"),
                }
            }
            Self::List(list, topic) => {
                write!(f, "milepost/v1/lists/{list}/")?;
                match topic {
                    ListTopic::Manifest => f.write_str("manifest"),
                    ListTopic::Chunk { version, index } => write!(f, "chunks/{version}/{index}"),
                    ListTopic::Delta { version } => write!(f, "deltas/{version}"),
                }
            }
            Self::Roster(roster) => write!(f, "milepost/v1/rosters/{roster}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn topics() -> impl Strategy<Value = Topic> {
        let unit_topic = prop_oneof![
            Just(UnitTopic::Status),
            Just(UnitTopic::Alerts),
            any::<[u8; 16]>().prop_map(|bytes| UnitTopic::Picture(RecordId::from_bytes(bytes))),
            Just(UnitTopic::Reads),
            Just(UnitTopic::Health),
            Just(UnitTopic::Events),
            Just(UnitTopic::Canary),
            Just(UnitTopic::Receipts),
            Just(UnitTopic::Commands),
            Just(UnitTopic::ManualEntries),
            Just(UnitTopic::CommandResults),
            Just(UnitTopic::Answers),
            Just(UnitTopic::Memory),
            Just(UnitTopic::CommandMemory),
            Just(UnitTopic::RosterMemory),
        ];
        let list_topic = prop_oneof![
            Just(ListTopic::Manifest),
            (any::<u64>(), any::<u32>()).prop_map(|(version, index)| ListTopic::Chunk { version, index }),
            any::<u64>().prop_map(|version| ListTopic::Delta { version }),
        ];
        let name = "[a-z0-9_-]{1,64}";
        prop_oneof![
            (name, unit_topic).prop_map(|(name, topic)| Topic::Unit(UnitId::parse(&name).unwrap(), topic)),
            (name, list_topic).prop_map(|(name, topic)| Topic::List(ListName::parse(&name).unwrap(), topic)),
            name.prop_map(|name| Topic::Roster(RosterName::parse(&name).unwrap())),
        ]
    }

    proptest! {
        #[test]
        fn every_topic_comes_back_from_its_text(topic in topics()) {
            prop_assert_eq!(Topic::parse(&topic.to_string()), Some(topic));
        }

        #[test]
        fn what_parses_is_written_the_same(text in "milepost/v1/(units|lists|rosters)/[a-zA-Z0-9+/#_-]{0,40}") {
            if let Some(topic) = Topic::parse(&text) {
                prop_assert_eq!(topic.to_string(), text);
            }
        }
    }

    #[test]
    fn refuses_what_is_nearly_a_topic() {
        for text in [
            "",
            "milepost/v1/units/north/alerts/",
            "milepost/v2/units/north/alerts",
            "milepost/v1/units/North/alerts",
            "milepost/v1/units/north/pictures/../alerts",
            "milepost/v1/lists/stolen/deltas/007",
            "milepost/v1/lists/stolen/chunks/1/+2",
            "milepost/v1/rosters/patrol/people",
        ] {
            assert_eq!(Topic::parse(text), None, "{text}");
        }
    }
}
