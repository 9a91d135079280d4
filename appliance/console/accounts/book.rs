//! Who may sign in, as it is kept: accounts, what each proves itself with, and when it locks.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::role::Role;
use super::secret::{GivenSecret, Hash};
use crate::crypto::Digest;
use crate::words::PersonName;

/// After this many refusals in a row an account locks (CJIS Security Policy).
pub const FAILURES_MAX: u8 = 5;

/// Who may sign in. Replaced whole at each change, and never begun anew when it is damaged or gone: that must not become a
/// first boot.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Book {
    /// Of the one-time code that makes an administrator; gone once used.
    pub first_code: Option<Hash>,
    pub accounts: Vec<Account>,
    /// Those before were lost: no first start makes a code.
    #[serde(default)]
    pub lost: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    pub name: PersonName,
    pub role: Role,
    pub secret: Secret,
    /// Of the recovery codes that are left. A plain digest does: they are 80 random bits, not a person's choice.
    #[serde(default)]
    pub recovery: Vec<Digest>,
    pub made: Timestamp,
    /// Refusals since the last success. Kept on disk, so that pulling the plug gives no new guesses.
    pub failures: u8,
    pub locked_until: Option<Timestamp>,
    pub disabled: bool,
    /// What the department's roster gives; None for an account that was made here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given: Option<GivenSecret>,
}

/// What the person proves to be themselves with.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Secret {
    /// Invited: this code sets the password.
    Code(Hash),
    Password(Hash),
    /// The department's code, which signs in at every unit until the person sets a password here.
    Given(Hash),
}

impl Book {
    /// People type their names in any case, phones most of all. Of an account that was made here and the department's
    /// under one name the former counts as long as it is not disabled.
    pub fn find(&self, name: &str) -> Option<usize> {
        let named = |(_, account): &(usize, &Account)| is_same(account.name.as_str(), name);
        let weight = |(_, account): &(usize, &Account)| match account.given {
            None if account.disabled => 0,
            Some(_) => 1,
            None => 2,
        };
        self.accounts.iter().enumerate().filter(named).max_by_key(weight).map(|(index, _)| index)
    }
}

impl Account {
    pub fn new(name: PersonName, role: Role, secret: Secret, made: Timestamp) -> Self {
        Self {
            name,
            role,
            secret,
            recovery: Vec::new(),
            made,
            failures: 0,
            locked_until: None,
            disabled: false,
            given: None,
        }
    }

    pub fn standing(&self, now: Timestamp) -> Standing {
        match (self.locked_until, &self.secret) {
            _ if self.disabled => Standing::Disabled,
            (Some(until), _) if now < until => Standing::Locked { until },
            (_, Secret::Code(_)) => Standing::Invited,
            (_, Secret::Password(_) | Secret::Given(_)) => Standing::Active,
        }
    }

    pub fn release(&mut self) {
        self.failures = 0;
        self.locked_until = None;
    }

    /// Says whether this failure locked the account.
    pub fn count_failure(&mut self, now: Timestamp, lock: Duration) -> bool {
        if self.locked_until.is_some() {
            // A lock that has run out gives five new tries.
            self.release();
        }
        self.failures = self.failures.saturating_add(1);
        if self.failures >= FAILURES_MAX {
            self.locked_until = Some(now.saturating_add(lock).unwrap_or(Timestamp::MAX));
        }
        self.locked_until.is_some()
    }

    pub fn is_able_administrator(&self) -> bool {
        self.role == Role::Administrator && !self.disabled && matches!(self.secret, Secret::Password(_))
    }
}

/// Whether two people would be taken for one.
pub fn is_same(one: &str, other: &str) -> bool {
    one.trim().to_lowercase() == other.trim().to_lowercase()
}

/// Whether an account lets its person in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// Has a one-time code and no password yet.
    Invited,
    Active,
    Locked {
        until: Timestamp,
    },
    Disabled,
    /// The department's, whose roster does not count now.
    Resting,
    /// The department's, under the name of the last administrator who was made here.
    Superseded,
}
