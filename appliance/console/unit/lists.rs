use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Refused;
use crate::hotlist::{Category, ListSummary, ManualEntry, ManualState};
use crate::words::{PersonName, RecordId, State};

/// The hot lists, and entries that people add.
pub trait Listing {
    fn lists(&self) -> Lists;
    /// Asks for a manual entry, which matches nothing until a second person approves it.
    fn request_entry(&self, entry: EntryRequest, by: &PersonName) -> Result<(), Refused>;
    /// Asks that an entry be taken out; it matches until a second person approves that.
    fn request_removal(&self, of: RecordId, reason: &str, by: &PersonName) -> Result<(), Refused>;
    /// `id` is that of the request: of an entry or of a removal. Must refuse the person who asked.
    fn approve_request(&self, id: RecordId, by: &PersonName) -> Result<(), Refused>;
    fn decline_request(&self, id: RecordId, by: &PersonName) -> Result<(), Refused>;
    /// A person's look at the lists at the start of a shift.
    fn check_lists(&self, by: &PersonName) -> Result<(), Refused>;
}

#[derive(Debug, Clone, Serialize)]
pub struct Lists {
    pub lists: Vec<ListSummary>,
    /// Newest first; expired ones stay for a while so that people see why they match no more.
    pub manual: Vec<ManualView>,
    /// The latest check at a shift's start.
    pub checked: Option<ListsChecked>,
}

/// That a person looked whether the lists are current.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ListsChecked {
    pub by: PersonName,
    pub at: Timestamp,
    /// Whether every list was fresh then.
    pub current: bool,
}

/// A manual entry as a person asks for it. The texts are as typed: the hot list's own rules judge them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntryRequest {
    /// A plate, or a part of one with `?` and `*`.
    pub plate: String,
    #[serde(default)]
    pub state: Option<State>,
    pub category: Category,
    pub reason: String,
    #[serde(default)]
    pub authority: String,
    #[serde(default)]
    pub case: String,
    #[serde(default)]
    pub instructions: String,
    /// For how long it is to match, from now; none for the default of its category.
    #[serde(default)]
    pub hours: Option<u32>,
    /// The entry whose place it is to take.
    #[serde(default)]
    pub replaces: Option<RecordId>,
}

/// A manual entry as it stands now.
#[derive(Debug, Clone, Serialize)]
pub struct ManualView {
    pub manual: ManualEntry,
    pub state: ManualState,
    pub expires_soon: bool,
}
