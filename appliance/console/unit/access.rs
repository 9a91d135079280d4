use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::console::accounts::Role;
use crate::words::{PersonName, RecordId};

/// The log of who did what.
pub trait Logging {
    /// The latest entries of the audit log that fit, newest first.
    fn audit_entries(&self, filter: &AuditFilter, limit: usize) -> Vec<AuditEntry>;
    /// Lines of the audit log as they stand in it, behind entry `after`.
    fn audit_lines(&self, after: u64, limit: usize) -> Vec<String>;
    /// Takes down an access. Must not fail towards the console: a full disk never locks a technician out.
    fn audit(&self, access: Access);
}

#[derive(Debug, Clone, Serialize)]
pub struct AuditEntry {
    pub number: u64,
    pub at: Timestamp,
    /// A person, or the part of the unit that acted.
    pub who: String,
    pub what: String,
}

/// Which entries of the audit log are wanted; an empty filter lets all pass.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// A part of a name, in any case.
    pub who: String,
    /// A part of what was done, in any case.
    pub what: String,
    pub subject: Option<Subject>,
    pub from: Option<Timestamp>,
    pub until: Option<Timestamp>,
}

/// What an entry of the audit log is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// Somebody looked at something, or took it away.
    Access,
    SignIn,
    Alert,
    List,
    Maintenance,
    Configuration,
    Purge,
}

impl Subject {
    pub const ALL: [Self; 7] = [
        Self::Access,
        Self::SignIn,
        Self::Alert,
        Self::List,
        Self::Maintenance,
        Self::Configuration,
        Self::Purge,
    ];

    pub fn words(self) -> &'static str {
        match self {
            Self::Access => "Looks and exports",
            Self::SignIn => "Sign-ins",
            Self::Alert => "Alerts",
            Self::List => "Hot lists and entries",
            Self::Maintenance => "Service and maintenance",
            Self::Configuration => "Configuration and accounts",
            Self::Purge => "Purges and losses",
        }
    }

    /// As it stands in forms, which is its serde name.
    pub fn token(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::SignIn => "sign-in",
            Self::Alert => "alert",
            Self::List => "list",
            Self::Maintenance => "maintenance",
            Self::Configuration => "configuration",
            Self::Purge => "purge",
        }
    }
}

/// One access to the console, for the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Access {
    pub at: Timestamp,
    /// None where nobody was signed in, and for a name that no account has: it may be a mistyped password.
    pub who: Option<PersonName>,
    pub role: Option<Role>,
    pub from: IpAddr,
    pub act: Act,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    SignedIn,
    SignInRefused,
    /// Refused for the fifth time in a row.
    AccountLocked,
    /// Set the first password with a one-time code.
    AccountSetUp,
    SignedOut,
    /// Opened a page.
    Looked {
        path: String,
    },
    /// Sent a form, with this outcome as HTTP status.
    Sent {
        path: String,
        status: u16,
    },
    /// Asked for something that this role may not have.
    Denied {
        path: String,
    },
    /// Looked at a stored alert, and said what for.
    LookedAt {
        record: RecordId,
        reason: String,
    },
    /// Took a copy away: of what.
    Exported {
        what: String,
    },
    /// Changed an account; a sentence without a subject, such as "locked out Jo Hill".
    ChangedAccount {
        what: String,
    },
}

impl std::fmt::Display for Act {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::SignedIn => write!(f, "signed in"),
            Self::SignInRefused => write!(f, "was refused at sign-in"),
            Self::AccountLocked => write!(f, "was refused at sign-in once too often; the account is locked"),
            Self::AccountSetUp => write!(f, "set a password with a one-time code"),
            Self::SignedOut => write!(f, "signed out"),
            Self::Looked { path } => write!(f, "opened {path}"),
            Self::Sent { path, status } => write!(f, "sent {path} (answered with {status})"),
            Self::Denied { path } => write!(f, "was denied {path}"),
            Self::LookedAt { record, reason } => write!(f, "looked at the stored alert {record}: {reason}"),
            Self::Exported { what } => write!(f, "exported {what}"),
            Self::ChangedAccount { what } => write!(f, "{what}"),
        }
    }
}
