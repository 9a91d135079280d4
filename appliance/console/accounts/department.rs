//! Accounts that the department gives to all its units at once, beside those that were made here.
//!
//! What a person did at this unit stays over a renewed roster: an own password, recovery codes, a lock. It goes with a
//! new secret, and with the person. The department's word on a name counts before an account that was made here under
//! the same, which is disabled, and stays so when the roster no longer names the person: but never before that of the last
//! administrator who was made here, so that no roster locks everybody out.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::book::{Account, Book, Secret, is_same};
use super::role::Role;
use super::secret::GivenSecret;
use super::{Accounts, AccountsError, Person, Standing};
use crate::crypto::KeyId;
use crate::words::{PersonName, RosterName};

/// Somebody as the department's roster names them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// As it stands in the audit log of every unit.
    pub name: PersonName,
    pub role: Role,
    /// Argon2id of the code that the department made for this person.
    pub secret: GivenSecret,
    /// May not sign in, and is signed out at once.
    #[serde(default)]
    pub disabled: bool,
}

/// Which roster the department's accounts come from, and whether it counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RosterView {
    pub roster: RosterName,
    pub version: u64,
    pub issued: Timestamp,
    pub expires: Option<Timestamp>,
    pub signed_by: Vec<KeyId>,
    /// Why nobody of it may sign in now: a sentence.
    pub rests: Option<String>,
}

/// The department's word on who may sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roster {
    pub view: RosterView,
    pub members: Vec<Member>,
}

/// What a roster did to one account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RosterChange {
    Added,
    Removed,
    Disabled,
    Enabled,
    NewRole,
    NewSecret,
    /// An account of that name was made here.
    LocalDisabled,
    /// It is the last administrator's: the department's of that name does not count.
    LocalKept,
}

impl RosterChange {
    /// What happened, behind the names of the accounts that it happened to.
    pub fn words(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Disabled => "disabled",
            Self::Enabled => "enabled",
            Self::NewRole => "given another role",
            Self::NewSecret => "given a new secret",
            Self::LocalDisabled => "made here under a name of the roster: disabled",
            Self::LocalKept => "made here under a name of the roster, and the last administrator's: kept",
        }
    }

    fn signs_out(self) -> bool {
        match self {
            Self::Removed | Self::Disabled | Self::NewRole | Self::NewSecret | Self::LocalDisabled => true,
            Self::Added | Self::Enabled | Self::LocalKept => false,
        }
    }
}

/// What came of taking a roster.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct RosterTaken {
    pub changes: Vec<(RosterChange, PersonName)>,
    /// Whose sessions are over.
    pub signed_out: Vec<PersonName>,
}

impl Accounts {
    /// From now on the department's accounts are those of this roster, or none. In memory at least, where the disk takes no
    /// writes: whoever is disabled is so at once.
    pub fn take_roster(&mut self, roster: Option<Roster>, now: Timestamp) -> RosterTaken {
        let (view, members) = roster.map_or((None, Vec::new()), |roster| (Some(roster.view), roster.members));
        self.roster = view;
        let mut next = self.book.clone();
        let changes = next.follow(&members, now);
        if !changes.is_empty() {
            self.note(|book| *book = next);
        }
        let mut signed_out: Vec<PersonName> =
            changes.iter().filter(|(change, _)| change.signs_out()).map(|(_, name)| name.clone()).collect();
        if self.rests() {
            let given = self.book.accounts.iter().filter(|account| account.given.is_some());
            signed_out.extend(given.map(|account| account.name.clone()));
        }
        RosterTaken { changes, signed_out }
    }

    /// Where the department's accounts come from; None while no roster is held.
    pub fn roster(&self) -> Option<&RosterView> {
        self.roster.as_ref()
    }

    /// Whether this is still somebody who may be signed in: to be asked once a session has begun, since the department
    /// may have had its word while the password was checked.
    pub fn admits(&self, person: &Person, now: Timestamp) -> bool {
        self.book.find(person.name.as_str()).is_some_and(|index| {
            let account = &self.book.accounts[index];
            let is_open = matches!(self.standing(index, now), Standing::Active | Standing::Locked { .. });
            account.name == person.name && account.role == person.role && is_open
        })
    }

    /// As the account stands among the others.
    pub(super) fn standing(&self, index: usize, now: Timestamp) -> Standing {
        let account = &self.book.accounts[index];
        if account.given.is_some() && self.book.find(account.name.as_str()) != Some(index) {
            return Standing::Superseded;
        }
        match account.standing(now) {
            standing if account.given.is_none() || standing == Standing::Disabled => standing,
            _ if self.rests() => Standing::Resting,
            standing => standing,
        }
    }

    /// What is the department's is changed by the department.
    pub(super) fn is_made_here(&self, name: &str) -> Result<(), AccountsError> {
        match self.book.find(name).map(|index| &self.book.accounts[index]) {
            Some(account) if account.given.is_some() => {
                Err(AccountsError::FromDepartment(account.name.clone()))
            }
            _ => Ok(()),
        }
    }

    fn rests(&self) -> bool {
        self.roster.as_ref().is_none_or(|roster| roster.rests.is_some())
    }
}

impl Book {
    /// Makes the department's accounts those of these people.
    fn follow(&mut self, members: &[Member], now: Timestamp) -> Vec<(RosterChange, PersonName)> {
        let mut changes = Vec::new();
        self.accounts.retain(|account| {
            let stays = account.given.is_none() || members.iter().any(|member| member.name == account.name);
            if !stays {
                changes.push((RosterChange::Removed, account.name.clone()));
            }
            stays
        });
        for member in members {
            let known = self
                .accounts
                .iter_mut()
                .find(|account| account.given.is_some() && account.name == member.name);
            match known {
                Some(account) => account.follow(member, &mut changes),
                None => {
                    self.accounts.push(Account::of(member, now));
                    changes.push((RosterChange::Added, member.name.clone()));
                }
            }
        }
        self.make_way(&mut changes);
        changes
    }

    /// Disables what was made here under a name of the roster, and keeps the last administrator who was made here.
    fn make_way(&mut self, changes: &mut Vec<(RosterChange, PersonName)>) {
        let is_taken = |account: &Account| {
            let others = self.accounts.iter().filter(|other| other.given.is_some());
            others.map(|other| &other.name).any(|name| is_same(name.as_str(), account.name.as_str()))
        };
        let local = |(_, account): &(usize, &Account)| account.given.is_none() && !account.disabled;
        let (taken, free): (Vec<_>, Vec<_>) = self
            .accounts
            .iter()
            .enumerate()
            .filter(local)
            .map(|(index, account)| (index, account.is_able_administrator(), is_taken(account)))
            .partition(|(_, _, taken)| *taken);
        let mut last = if free.iter().any(|(_, able, _)| *able) {
            None
        } else {
            taken.iter().find(|(_, able, _)| *able).map(|(index, ..)| *index)
        };
        for (index, ..) in taken {
            let account = &mut self.accounts[index];
            let change = if last.take_if(|last| *last == index).is_some() {
                RosterChange::LocalKept
            } else {
                account.disabled = true;
                RosterChange::LocalDisabled
            };
            changes.push((change, account.name.clone()));
        }
    }
}

impl Account {
    fn of(member: &Member, made: Timestamp) -> Self {
        Self {
            given: Some(member.secret.clone()),
            disabled: member.disabled,
            ..Self::new(member.name.clone(), member.role, Secret::Given(member.secret.hash().clone()), made)
        }
    }

    fn follow(&mut self, member: &Member, changes: &mut Vec<(RosterChange, PersonName)>) {
        let mut tell = |change| changes.push((change, member.name.clone()));
        if self.given.as_ref() != Some(&member.secret) {
            self.given = Some(member.secret.clone());
            self.secret = Secret::Given(member.secret.hash().clone());
            self.recovery.clear();
            self.release();
            tell(RosterChange::NewSecret);
        }
        if self.role != member.role {
            self.role = member.role;
            tell(RosterChange::NewRole);
        }
        if self.disabled != member.disabled {
            self.disabled = member.disabled;
            tell(if member.disabled { RosterChange::Disabled } else { RosterChange::Enabled });
        }
    }
}
