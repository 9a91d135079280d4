use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use super::accounts::{Accounts, Person, Role};
use super::answer::Failure;
use super::label;
use super::looks::Looks;
use super::metrics::MetricsToken;
use super::sessions::Sessions;
use super::throttle::Throttle;
use super::unit::{Access, Act, Unit};
use crate::system::Clock;
use crate::words::PersonName;

/// What all requests share.
pub struct Desk {
    pub unit: Arc<dyn Unit>,
    pub clock: Arc<dyn Clock>,
    pub fingerprint: String,
    folder: PathBuf,
    pub metrics_token: MetricsToken,
    /// Held while a secret is hashed: one at a time bounds the memory that strangers can take.
    accounts: Mutex<Accounts>,
    sessions: Mutex<Sessions>,
    throttle: Mutex<Throttle>,
    looks: Mutex<Looks>,
}

impl Desk {
    pub fn new(
        unit: Arc<dyn Unit>,
        clock: Arc<dyn Clock>,
        accounts: Accounts,
        folder: &Path,
        fingerprint: String,
        metrics_token: MetricsToken,
    ) -> Self {
        Self {
            unit,
            clock,
            fingerprint,
            folder: folder.to_owned(),
            metrics_token,
            accounts: Mutex::new(accounts),
            sessions: Mutex::default(),
            throttle: Mutex::default(),
            looks: Mutex::default(),
        }
    }

    /// Asks the unit on a thread that may block.
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn Unit) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let unit = self.unit.clone();
        blocking(move || question(unit.as_ref())).await
    }

    /// Hashing and writing take a while, so these too go to a thread that may block.
    pub async fn accounts<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&mut Accounts) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let desk = self.clone();
        blocking(move || work(&mut lock(&desk.accounts))).await
    }

    /// The first administrator is there: the code on the label is worth nothing any more.
    pub async fn first_boot_is_over(&self) -> Result<(), Failure> {
        let folder = self.folder.clone();
        blocking(move || label::remove(&folder)).await
    }

    pub fn sessions(&self) -> MutexGuard<'_, Sessions> {
        lock(&self.sessions)
    }

    pub fn looks(&self) -> MutexGuard<'_, Looks> {
        lock(&self.looks)
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
        self.ask(move |unit| unit.audit(access)).await
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    // Fails only where the work panicked, or the runtime is going down.
    tokio::task::spawn_blocking(work).await.map_err(|error| Failure::Broken(error.to_string()))
}

/// A panic elsewhere must not lock everybody out; each change under these locks is whole or absent.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
