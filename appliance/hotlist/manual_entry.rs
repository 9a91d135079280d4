//! A manual entry and those who answer for it, without a store.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::entry::{Category, Entry};
use super::refusal::StoreError;
use super::text::Text;
use crate::crypto::KeyId;
use crate::words::{PersonName, RecordId};

/// A unit's manual entries are looked through one by one; more than this belongs on a pushed list.
pub const MOST: usize = 500;
/// No manual entry is in force longer.
const LONGEST: SignedDuration = SignedDuration::from_hours(24 * 30);

/// An entry with those who answer for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ManualEntry {
    pub id: RecordId,
    /// `until` is always given.
    pub entry: Entry,
    /// The entry that this one takes the place of once it is approved.
    #[serde(default)]
    pub replaces: Option<RecordId>,
    pub requested: Act,
    /// None: pending.
    pub approved: Option<Act>,
    /// That it be taken out was asked for; until another person approves that, it matches.
    #[serde(default)]
    pub removal: Option<Removal>,
    /// Matches nothing any more, on whose word.
    #[serde(default)]
    pub ended: Option<Ended>,
    /// What was told of its end.
    #[serde(default)]
    pub told: Told,
}

/// Who did something, and when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Act {
    pub by: PersonName,
    /// Signed with; none for a person who signed in at the console.
    #[serde(default)]
    pub key: Option<KeyId>,
    /// By the unit's clock.
    #[cfg_attr(test, schemars(with = "crate::contract::Time"))]
    pub at: Timestamp,
}

/// That an entry be taken out before its time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Removal {
    pub id: RecordId,
    /// Why.
    pub reason: Text<200>,
    pub requested: Act,
}

/// How an entry ended before its time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Ended {
    pub how: End,
    pub act: Act,
}

/// How an entry ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// It was never approved.
    Declined,
    Removed,
    /// Another entry stands for it.
    Replaced,
}

/// What people were told of an entry's coming end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Told {
    #[default]
    Nothing,
    ExpiresSoon,
    Expired,
}

/// Where a manual entry stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ManualState {
    Pending,
    InForce,
    Expired,
    Declined,
    Removed,
    Replaced,
}

/// Who asks or approves: a name that the console's sign-in or a configured key vouches for, never a text from
/// a form.
#[derive(Debug, Clone, PartialEq)]
pub struct Author {
    pub name: PersonName,
    /// None for a person who signed in at the console.
    pub key: Option<KeyId>,
}

/// What one person asks for; it becomes so once another approves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    Add {
        entry: Entry,
    },
    /// `entry` takes the place of the entry `of`: a longer time, another reason, a corrected plate.
    Change {
        of: RecordId,
        entry: Entry,
    },
    Remove {
        of: RecordId,
        reason: Text<200>,
    },
}

/// Why a manual entry was not requested or approved.
#[derive(Debug, thiserror::Error)]
pub enum ManualError {
    #[error("a manual entry needs a reason, and so does its removal")]
    NoReason,
    #[error("it would expire at {0}, which has passed already")]
    ExpiresInThePast(Timestamp),
    #[error("it may be in force for 30 days at most; until {latest}")]
    TooLong { latest: Timestamp },
    #[error("there are {MOST} manual entries already; publish a list instead")]
    TooMany,
    #[error("there is no such manual entry or request")]
    Unknown,
    #[error("{0} asked for this; another person, with another key, must approve it")]
    SamePerson(PersonName),
    #[error("{0} has approved this already")]
    AlreadyApproved(PersonName),
    #[error("the entry expired at {0}; request it anew")]
    Expired(Timestamp),
    #[error("the entry is not in force, so there is nothing to change or remove")]
    NotInForce,
    #[error("{0} has asked for its removal already; that waits for approval")]
    RemovalAsked(PersonName),
    #[error("this request was made before with another content")]
    OtherContent,
    #[error(transparent)]
    Storage(#[from] StoreError),
}

impl Author {
    pub fn signed_in(name: PersonName) -> Self {
        Self { name, key: None }
    }

    pub(super) fn act(&self, at: Timestamp) -> Act {
        Act { by: self.name.clone(), key: self.key.clone(), at }
    }
}

impl Act {
    /// Names are typed by people: case and inner spaces make no second person.
    pub(super) fn is_by(&self, author: &Author) -> bool {
        let plain =
            |name: &PersonName| name.as_str().split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
        plain(&self.by) == plain(&author.name) || (self.key.is_some() && self.key == author.key)
    }
}

impl ManualEntry {
    pub fn state(&self, now: Timestamp) -> ManualState {
        match &self.ended {
            Some(Ended { how: End::Declined, .. }) => ManualState::Declined,
            Some(Ended { how: End::Removed, .. }) => ManualState::Removed,
            Some(Ended { how: End::Replaced, .. }) => ManualState::Replaced,
            None if self.expires() <= now => ManualState::Expired,
            None if self.approved.is_none() => ManualState::Pending,
            None => ManualState::InForce,
        }
    }

    pub fn expires(&self) -> Timestamp {
        self.entry.until.unwrap_or(self.requested.at)
    }
}

/// How long a manual entry of this category is in force unless its author says otherwise: as long as the
/// case is likely to be hot, short enough that a forgotten one does not stop people next month.
pub fn default_hours(category: Category) -> i64 {
    match category {
        Category::Amber | Category::MissingChild => 72,
        Category::MissingCollegeStudent | Category::MissingPerson | Category::Stolen => 24 * 7,
        Category::Wanted | Category::PersonOfInterest => 48,
        Category::Bolo | Category::AttemptToLocate | Category::Unregistered | Category::Other => 24,
    }
}

/// The entry with its end, if a person may ask for it: one without `until` gets the default of its category.
pub(super) fn acceptable(mut entry: Entry, now: Timestamp) -> Result<Entry, ManualError> {
    if entry.reason.is_empty() {
        return Err(ManualError::NoReason);
    }
    let default = || now + SignedDuration::from_hours(default_hours(entry.category));
    let until = entry.until.unwrap_or_else(default);
    if until <= now {
        return Err(ManualError::ExpiresInThePast(until));
    }
    let latest = now + LONGEST;
    if until > latest {
        return Err(ManualError::TooLong { latest });
    }
    entry.until = Some(until);
    Ok(entry)
}
