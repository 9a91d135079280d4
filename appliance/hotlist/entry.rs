use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::listed::Listed;
use super::text::Text;
use crate::words::State;

/// One listed vehicle. As JSON it is one line of a list.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(!try_from, deny_unknown_fields))]
#[serde(try_from = "Unchecked")]
pub struct Entry {
    pub plate: Listed,
    /// None: listed whatever state issued it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    pub category: Category,
    /// Overrides the level of the category, but for AMBER, which nothing lowers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<Level>,
    /// Why the vehicle is listed.
    #[serde(skip_serializing_if = "Text::is_empty")]
    #[cfg_attr(test, schemars(default))]
    pub reason: Text<200>,
    /// Who answers for the entry.
    #[serde(skip_serializing_if = "Text::is_empty")]
    #[cfg_attr(test, schemars(default))]
    pub authority: Text<100>,
    /// The case reference.
    #[serde(skip_serializing_if = "Text::is_empty")]
    #[cfg_attr(test, schemars(default))]
    pub case: Text<60>,
    /// Instructions and caution for the officer.
    #[serde(skip_serializing_if = "Text::is_empty")]
    #[cfg_attr(test, schemars(default))]
    pub instructions: Text<500>,
    /// Matches nothing before.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<crate::contract::Time>"))]
    pub from: Option<Timestamp>,
    /// Matches nothing from then on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<crate::contract::Time>"))]
    pub until: Option<Timestamp>,
}

impl Entry {
    /// An entry that says no more than it must.
    pub fn new(plate: Listed, category: Category) -> Self {
        Self {
            plate,
            state: None,
            category,
            level: None,
            reason: Text::default(),
            authority: Text::default(),
            case: Text::default(),
            instructions: Text::default(),
            from: None,
            until: None,
        }
    }

    pub fn level(&self) -> Level {
        match self.category {
            Category::Amber => Level::Critical,
            category => self.level.unwrap_or_else(|| category.level()),
        }
    }

    /// Whether it matches at all at this time.
    pub fn in_force(&self, now: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= now) && self.until.is_none_or(|until| now < until)
    }

    /// The entry itself, or why its fields contradict each other.
    pub fn checked(self) -> Result<Self, EntryError> {
        match (self.from, self.until) {
            (Some(from), Some(until)) if until <= from => Err(EntryError::NeverInForce { from, until }),
            _ => Ok(self),
        }
    }
}

/// Why an entry makes no sense although each of its fields does.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    #[error("it would never be in force: `until` ({until}) is not after `from` ({from})")]
    NeverInForce { from: Timestamp, until: Timestamp },
}

/// An entry as it arrives, before its fields are held against each other.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    plate: Listed,
    #[serde(default)]
    state: Option<State>,
    category: Category,
    #[serde(default)]
    level: Option<Level>,
    #[serde(default)]
    reason: Text<200>,
    #[serde(default)]
    authority: Text<100>,
    #[serde(default)]
    case: Text<60>,
    #[serde(default)]
    instructions: Text<500>,
    #[serde(default)]
    from: Option<Timestamp>,
    #[serde(default)]
    until: Option<Timestamp>,
}

impl TryFrom<Unchecked> for Entry {
    type Error = EntryError;

    fn try_from(entry: Unchecked) -> Result<Self, Self::Error> {
        let Unchecked { plate, state, category, level, reason, authority, case, instructions, from, until } =
            entry;
        Self { plate, state, category, level, reason, authority, case, instructions, from, until }.checked()
    }
}

/// Why a vehicle is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Category {
    Amber,
    MissingChild,
    MissingCollegeStudent,
    MissingPerson,
    Wanted,
    PersonOfInterest,
    Stolen,
    Bolo,
    AttemptToLocate,
    Unregistered,
    Other,
}

impl Category {
    pub const ALL: [Self; 11] = [
        Self::Amber,
        Self::MissingChild,
        Self::MissingCollegeStudent,
        Self::MissingPerson,
        Self::Wanted,
        Self::PersonOfInterest,
        Self::Stolen,
        Self::Bolo,
        Self::AttemptToLocate,
        Self::Unregistered,
        Self::Other,
    ];

    /// As it stands in messages and list files.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Amber => "amber",
            Self::MissingChild => "missing-child",
            Self::MissingCollegeStudent => "missing-college-student",
            Self::MissingPerson => "missing-person",
            Self::Wanted => "wanted",
            Self::PersonOfInterest => "person-of-interest",
            Self::Stolen => "stolen",
            Self::Bolo => "bolo",
            Self::AttemptToLocate => "attempt-to-locate",
            Self::Unregistered => "unregistered",
            Self::Other => "other",
        }
    }

    /// Reads a category as people write it: case, spaces and underscores do not matter.
    pub fn from_code(text: &str) -> Option<Self> {
        let code = text.trim().to_ascii_lowercase().replace([' ', '_'], "-");
        Self::ALL.into_iter().find(|category| category.code() == code)
    }

    /// How urgently a person must look.
    pub fn level(self) -> Level {
        match self {
            Self::Amber | Self::MissingChild => Level::Critical,
            Self::MissingCollegeStudent | Self::MissingPerson | Self::Wanted | Self::Stolen => Level::High,
            Self::PersonOfInterest | Self::Bolo | Self::AttemptToLocate => Level::Medium,
            Self::Unregistered | Self::Other => Level::Low,
        }
    }
}

impl std::fmt::Display for Category {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.code())
    }
}

impl std::str::FromStr for Category {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::from_code(text).ok_or_else(|| {
            let known = Self::ALL.map(Self::code).join(", ");
            format!("{:?} is not a category: use one of {known}", text.chars().take(40).collect::<String>())
        })
    }
}

/// The urgency of an alert; critical and high cannot be muted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    Low,
    Medium,
    High,
    Critical,
}

impl Level {
    pub const ALL: [Self; 4] = [Self::Low, Self::Medium, Self::High, Self::Critical];

    pub const fn code(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl std::fmt::Display for Level {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.code())
    }
}

impl std::str::FromStr for Level {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        Self::ALL.into_iter().find(|level| level.code().eq_ignore_ascii_case(text)).ok_or_else(|| {
            format!(
                "{:?} is not a level: use low, medium, high or critical",
                text.chars().take(40).collect::<String>()
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_what_json_says() {
        for category in Category::ALL {
            assert_eq!(serde_json::to_value(category).unwrap(), category.code());
            assert_eq!(
                Category::from_code(&category.code().to_uppercase().replace('-', "_")),
                Some(category)
            );
        }
        for level in Level::ALL {
            assert_eq!(serde_json::to_value(level).unwrap(), level.code());
        }
    }

    #[test]
    fn the_smallest_line_is_a_plate_and_a_category() {
        let entry: Entry = serde_json::from_str(r#"{"plate":"ABC123","category":"stolen"}"#).unwrap();
        assert_eq!(entry, Entry::new(Listed::parse("ABC123").unwrap(), Category::Stolen));
        assert_eq!(serde_json::to_string(&entry).unwrap(), r#"{"plate":"ABC123","category":"stolen"}"#);
        assert_eq!(entry.level(), Level::High);
        let lowered = Entry { level: Some(Level::Low), ..entry };
        assert_eq!(lowered.level(), Level::Low);
        assert_eq!(
            Entry { category: Category::Amber, ..lowered }.level(),
            Level::Critical,
            "nobody mutes AMBER"
        );
    }

    #[test]
    fn in_force_from_and_not_until() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let line = r#"{"plate":"A1","category":"bolo","from":"2026-01-01T00:00:00Z","until":"2026-02-01T00:00:00Z"}"#;
        let entry: Entry = serde_json::from_str(line).unwrap();
        assert!(!entry.in_force(at("2025-12-31T23:59:59Z")));
        assert!(entry.in_force(at("2026-01-01T00:00:00Z")));
        assert!(!entry.in_force(at("2026-02-01T00:00:00Z")));
        let swapped = line.replace("2026-02", "1900-02");
        assert!(
            serde_json::from_str::<Entry>(&swapped).unwrap_err().to_string().contains("never be in force")
        );
    }
}
