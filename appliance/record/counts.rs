use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::kind::Kind;

/// What is held, and what has become of the rest since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Stored and not yet received, of each kind; never absent.
    pub held: BTreeMap<Kind, u64>,
    /// Of those, in memory only, because the disk did not take them.
    pub in_memory: u64,
    /// Bytes of disk.
    pub bytes: u64,
    pub stored: u64,
    /// Reads without a match and their pictures that the policy does not let be stored.
    pub not_stored: u64,
    pub received: u64,
    pub purged: BTreeMap<Reason, u64>,
    pub lost: BTreeMap<Loss, u64>,
    /// Receipts whose digest was not the record's: those are sent again.
    pub wrong_digests: u64,
    /// Why the disk last refused; none once it has taken records again for some seconds.
    pub disk_fault: Option<String>,
}

/// Why a record was purged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The server has it.
    Received,
    /// The policy's time was over, received or not.
    Expired,
}

/// Why a record was lost: gone without having been received, against nobody's will but necessity's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// Room was needed for what is newer or more important.
    NoRoom,
    /// The disk refused it, and it is nothing to be kept in memory.
    DiskRefused,
    /// Memory was full while the disk refused.
    MemoryFull,
    /// Its bytes on the disk were damaged.
    Damaged,
}

impl Loss {
    pub const ALL: [Self; 4] = [Self::NoRoom, Self::DiskRefused, Self::MemoryFull, Self::Damaged];
}

macro_rules! named {
    ($($enum:ident { $($variant:ident $name:literal),* $(,)? })*) => {$(
        impl std::fmt::Display for $enum {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(match self { $(Self::$variant => $name),* })
            }
        }
    )*};
}

named! {
    Reason { Received "received", Expired "expired" }
    Loss { NoRoom "no room", DiskRefused "disk refused", MemoryFull "memory full", Damaged "damaged" }
}
