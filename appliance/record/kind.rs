use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::crypto::Digest;
use crate::system::{ClockStatus, clock_status};
use crate::words::{Moment, RecordId};

/// What a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    Alert,
    /// A JPEG; belongs to a read or an alert.
    Picture,
    /// A change of health.
    Health,
    /// A batch of lines of the audit log.
    Audit,
    /// A certificate of purge.
    Certificate,
    Read,
    /// What a person found when they looked at an alert.
    Disposition,
    /// An alert of the highest level: ahead of every other but AMBER.
    CriticalAlert,
    /// What became of a manual entry.
    ManualEntry,
    /// That the unit's own test plate came this far: evidence of nothing, and in no count.
    Canary,
    /// An AMBER alert: ahead of everything.
    AmberAlert,
}

impl Kind {
    pub const ALL: [Self; 11] = [
        Self::Alert,
        Self::Picture,
        Self::Health,
        Self::Audit,
        Self::Certificate,
        Self::Read,
        Self::Disposition,
        Self::CriticalAlert,
        Self::ManualEntry,
        Self::Canary,
        Self::AmberAlert,
    ];

    /// Whether it shows a vehicle, so that its end needs a certificate.
    pub fn is_captured(self) -> bool {
        matches!(self, Self::AmberAlert | Self::CriticalAlert | Self::Alert | Self::Picture | Self::Read)
    }

    /// Whether it counts as something that the unit captured, decided or noted.
    pub fn is_counted(self) -> bool {
        self != Self::Canary
    }

    /// As it stands on the disk.
    pub(super) fn code(self) -> u8 {
        self as u8 + 1
    }

    pub(super) fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Alert => "alert",
            Self::Picture => "picture",
            Self::Health => "health",
            Self::Audit => "audit",
            Self::Certificate => "certificate",
            Self::Read => "read",
            Self::Disposition => "disposition",
            Self::CriticalAlert => "critical alert",
            Self::ManualEntry => "manual entry",
            Self::Canary => "canary",
            Self::AmberAlert => "AMBER alert",
        })
    }
}

/// A record to be stored.
#[derive(Debug, Clone)]
pub struct NewRecord {
    pub id: RecordId,
    pub kind: Kind,
    /// For reads and pictures: whether the read behind it matched a list. Evidence is never dropped.
    pub hit: bool,
    /// The alert or read that a picture belongs to.
    pub belongs_to: Option<RecordId>,
    pub captured: Moment,
    /// Whether the wall time of `captured` may be believed.
    pub clock_trusted: bool,
    pub body: Vec<u8>,
}

impl NewRecord {
    /// Under a name of its own, by the clock as it is now kept: of no hit, and belonging to no other.
    pub fn of(kind: Kind, captured: Moment, body: Vec<u8>) -> Self {
        let clock_trusted = clock_status() == ClockStatus::Synchronised;
        Self { id: RecordId::new(), kind, hit: false, belongs_to: None, captured, clock_trusted, body }
    }
}

/// What is known of a stored record besides its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub id: RecordId,
    pub kind: Kind,
    pub hit: bool,
    pub belongs_to: Option<RecordId>,
    pub captured: Timestamp,
    pub clock_trusted: bool,
    /// Of the body.
    pub sha256: Digest,
}

/// A record as it was stored, decrypted and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    pub head: Head,
    pub body: Vec<u8>,
}

/// How urgently a record travels, most urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Class {
    AmberAlert,
    CriticalAlert,
    Alert,
    /// A picture of a hit.
    Evidence,
    Disposition,
    ManualEntry,
    Health,
    Canary,
    Audit,
    Certificate,
    HitRead,
    Read,
    ReadPicture,
}

impl Class {
    pub const ALL: [Self; 13] = [
        Self::AmberAlert,
        Self::CriticalAlert,
        Self::Alert,
        Self::Evidence,
        Self::Disposition,
        Self::ManualEntry,
        Self::Health,
        Self::Canary,
        Self::Audit,
        Self::Certificate,
        Self::HitRead,
        Self::Read,
        Self::ReadPicture,
    ];

    pub fn of(kind: Kind, hit: bool) -> Self {
        match (kind, hit) {
            (Kind::AmberAlert, _) => Self::AmberAlert,
            (Kind::CriticalAlert, _) => Self::CriticalAlert,
            (Kind::Alert, _) => Self::Alert,
            (Kind::Picture, true) => Self::Evidence,
            (Kind::Picture, false) => Self::ReadPicture,
            (Kind::Disposition, _) => Self::Disposition,
            (Kind::ManualEntry, _) => Self::ManualEntry,
            (Kind::Health, _) => Self::Health,
            (Kind::Canary, _) => Self::Canary,
            (Kind::Audit, _) => Self::Audit,
            (Kind::Certificate, _) => Self::Certificate,
            (Kind::Read, true) => Self::HitRead,
            (Kind::Read, false) => Self::Read,
        }
    }

    pub fn shelf(self) -> Shelf {
        match self {
            Self::Read => Shelf::Reads,
            Self::ReadPicture => Shelf::Pictures,
            _ => Shelf::Kept,
        }
    }

    pub fn kind(self) -> Kind {
        match self {
            Self::AmberAlert => Kind::AmberAlert,
            Self::CriticalAlert => Kind::CriticalAlert,
            Self::Alert => Kind::Alert,
            Self::Evidence | Self::ReadPicture => Kind::Picture,
            Self::Disposition => Kind::Disposition,
            Self::ManualEntry => Kind::ManualEntry,
            Self::Health => Kind::Health,
            Self::Canary => Kind::Canary,
            Self::Audit => Kind::Audit,
            Self::Certificate => Kind::Certificate,
            Self::HitRead | Self::Read => Kind::Read,
        }
    }
}

/// Records that may go when the disk is full lie apart from those that must stay, so that whole files go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Shelf {
    /// Never dropped.
    Kept,
    /// Reads without a match: the first to go.
    Reads,
    /// Pictures of reads without a match: the next.
    Pictures,
}

impl Shelf {
    pub const ALL: [Self; 3] = [Self::Kept, Self::Reads, Self::Pictures];

    /// As it stands in file names.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Reads => "reads",
            Self::Pictures => "pictures",
        }
    }
}
