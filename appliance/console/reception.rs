//! Where people come in: accounts, sessions, throttle, and the log of who did what.
//!
//! Owns what every port of Milepost asks of a visitor before any page is made. Knows the place behind it by
//! [`Place`] alone, so that a unit's console and a department's dashboard share one way in.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use jiff::Timestamp;

use super::accounts::{Accounts, Person, Role, Roster, RosterChange};
use super::answer::Failure;
use super::label;
use super::metrics::MetricsToken;
use super::sessions::Sessions;
use super::throttle::Throttle;
use super::unit::{Access, Act, AuditEntry, AuditFilter};
use crate::system::Clock;
use crate::words::{PersonName, RecordId};

/// What stands behind a port, as far as the way in and the frame around every page show it.
pub trait Place: Send + Sync + 'static {
    fn name(&self) -> String;
    /// Paths and labels that somebody in this role finds in the navigation.
    fn navigation(&self, role: Role) -> Vec<(&'static str, &'static str)>;
    /// What every page shows of the place; asked on a thread that may block.
    fn sign(&self) -> Sign;
    /// Takes down an access. Must not fail towards the visitor: a full disk never locks anybody out.
    fn audit(&self, access: Access);
    /// The latest entries of the audit log that fit, newest first.
    fn audit_entries(&self, filter: &AuditFilter, limit: usize) -> Vec<AuditEntry>;
    /// Lines of the audit log as they stand in it, behind entry `after`.
    fn audit_lines(&self, after: u64, limit: usize) -> Vec<String>;
    /// What each role may do here, for who invites people.
    fn roles(&self) -> &'static str;
    /// Whether a page of the kind `Screen` is one in a police vehicle, which may stay signed in through a shift.
    fn rides_in_vehicle(&self) -> bool {
        false
    }
}

/// The place in one glance, on top of every page.
#[derive(Debug, Clone)]
pub struct Sign {
    /// `good`, `fair` or `bad`.
    pub class: &'static str,
    pub words: String,
    /// The newest alert when the page was made: what comes after it is news.
    pub newest_alert: Option<RecordId>,
    /// A configuration on trial, which an administrator may keep.
    pub trial_until: Option<Timestamp>,
    /// A change of network or time on trial, which a technician may keep as well.
    pub network_trial_until: Option<Timestamp>,
}

/// What all requests share, whatever they are for.
pub struct Reception {
    pub place: Arc<dyn Place>,
    pub clock: Arc<dyn Clock>,
    pub fingerprint: String,
    pub metrics_token: MetricsToken,
    folder: PathBuf,
    /// Held while a secret is hashed: one at a time bounds the memory that strangers can take.
    accounts: Arc<Mutex<Accounts>>,
    sessions: Mutex<Sessions>,
    throttle: Mutex<Throttle>,
}

impl Reception {
    pub fn new(
        place: Arc<dyn Place>,
        clock: Arc<dyn Clock>,
        accounts: Accounts,
        folder: &Path,
        fingerprint: String,
        metrics_token: MetricsToken,
    ) -> Self {
        Self {
            place,
            clock,
            fingerprint,
            metrics_token,
            folder: folder.to_owned(),
            accounts: Arc::new(Mutex::new(accounts)),
            sessions: Mutex::default(),
            throttle: Mutex::default(),
        }
    }

    /// Hashing and writing take a while, so they go to a thread that may block.
    pub async fn accounts<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Accounts) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let (accounts, clock) = (self.accounts.clone(), self.clock.clone());
        let work = move || {
            let mut accounts = lock(&accounts);
            accounts.follow(clock.now());
            work(&mut accounts)
        };
        blocking(work).await
    }

    /// Takes the department's word on who may sign in; whoever may not any more is signed out at once. Blocks.
    pub fn take_roster(&self, roster: Option<Roster>) -> Vec<(RosterChange, PersonName)> {
        let mut accounts = lock(&self.accounts);
        let now = self.clock.now();
        accounts.follow(now);
        let taken = accounts.take_roster(roster, now.wall);
        drop(accounts);
        let mut sessions = self.sessions();
        taken.signed_out.iter().for_each(|name| sessions.end_all_of(name));
        taken.changes
    }

    /// Begins a session for somebody who has proved who they are, and gives its token. None where their account was shut
    /// meanwhile: whoever shuts one ends the sessions that there are, and this one may have come too late for that.
    pub async fn begin_session(&self, person: &Person) -> Result<Option<String>, Failure> {
        let now = self.clock.now();
        let token = self.sessions().begin(person.clone(), now);
        let person = person.clone();
        if self.accounts(move |accounts| accounts.admits(&person, now.wall)).await? {
            return Ok(Some(token));
        }
        self.sessions().end(&token);
        Ok(None)
    }

    /// Asks the place on a thread that may block.
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn Place) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let place = self.place.clone();
        blocking(move || question(place.as_ref())).await
    }

    /// The first administrator is there: the code on the label is worth nothing any more.
    pub async fn first_boot_is_over(&self) -> Result<(), Failure> {
        let folder = self.folder.clone();
        blocking(move || label::remove(&folder)).await
    }

    pub fn sessions(&self) -> MutexGuard<'_, Sessions> {
        lock(&self.sessions)
    }

    pub fn throttle(&self) -> MutexGuard<'_, Throttle> {
        lock(&self.throttle)
    }

    /// Writes down what somebody did who has proved who they are.
    pub async fn audit(&self, person: &Person, from: IpAddr, act: Act) -> Result<(), Failure> {
        self.write_down(Some(person.name.clone()), Some(person.role), from, act).await
    }

    /// Writes down what somebody did who has not; `who` is the account that they claimed, if it exists.
    pub async fn audit_stranger(
        &self,
        who: Option<PersonName>,
        from: IpAddr,
        act: Act,
    ) -> Result<(), Failure> {
        self.write_down(who, None, from, act).await
    }

    async fn write_down(
        &self,
        who: Option<PersonName>,
        role: Option<Role>,
        from: IpAddr,
        act: Act,
    ) -> Result<(), Failure> {
        let access = Access { at: self.clock.now().wall, who, role, from, act };
        self.ask(move |place| place.audit(access)).await
    }
}

pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    // Fails only where the work panicked, or the runtime is going down.
    tokio::task::spawn_blocking(work).await.map_err(|error| Failure::Broken(error.to_string()))
}

/// A panic elsewhere must not lock everybody out; each change under these locks is whole or absent.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
