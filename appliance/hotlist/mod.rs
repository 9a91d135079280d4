//! Hot lists: what is listed, since when, on whose word, and whether a read vehicle is among it.
//!
//! Owns lists, versions, signatures, manual entries and matching, and sled. Must not know cameras,
//! pictures, MQTT sessions, or what becomes of a match.
//!
//! [`Updates`] takes messages and says what to do ([`Effect`]); [`Hotlist`] matches reads with what is in
//! force. What a list may look like and what versions may do is decided in `message` and `progress`, without
//! a store; `builder` and `edition` lay a list down on disk; `texts` and `matching` decide what a match is.

mod builder;
mod calendar;
mod chunk;
mod config;
mod delta;
mod durable;
mod early;
mod edition;
mod entry;
mod filter;
mod in_force;
mod ledger;
mod listed;
mod manual;
mod manual_entry;
mod manual_message;
mod matching;
mod message;
mod progress;
mod refusal;
mod row;
mod spill;
mod text;
mod texts;
mod updates;

pub use chunk::{
    ENTRIES as CHUNK_ENTRIES, pack as pack_chunk, pack_list, parse_line, unpack as unpack_chunk,
};
pub use config::{Config, List, LookAlikes, MANUAL_LIST, Matching};
#[cfg(test)]
pub(crate) use delta::{Changes, Letter};
pub use delta::{Delta, Removal};
pub use edition::{PATTERNS_MAX, SAME_PLATE_MAX};
pub use entry::{Category, Entry, EntryError, Level};
pub use in_force::{Freshness, Hotlist, ListSummary, RefusalNote};
pub use listed::{Listed, ListedError, Pattern};
pub use manual::{ManualChange, ManualStep, ManualSummary};
pub use manual_entry::{
    Act, Author, End, Ended, ManualEntry, ManualError, ManualState, Removal as ManualRemoval, Request, Told,
    default_hours,
};
pub use manual_message::{ManualAct, ManualMessage, ManualMessageError, May, Signatory};
pub use matching::{ListVersion, Match, MatchKind, StateAgreement};
pub use message::{ENTRIES_MAX, MESSAGE_MAX, Manifest, Topic, digest_of_chunks};
pub(crate) use progress::{Decision, Progress};
pub use refusal::{ChunkError, Refusal, StoreError};
pub use text::{Text, TextError};
pub use updates::{Effect, Installed, Updates};
