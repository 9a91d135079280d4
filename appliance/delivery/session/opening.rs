//! How a connection comes to stand: with which identity, as which session, and what is asked of the broker first.

use super::Session;
use crate::delivery::fault::LinkFault;
use crate::delivery::link::{Link, Retained, Subscriptions};
use crate::delivery::presence::{OfflineReason, Presence};
use crate::delivery::tls::{Identity, TlsError};
use crate::delivery::topics::{Topic, UnitTopic};
use crate::delivery::{Switch, Turn};
use crate::words::UnitId;

/// What a unit subscribes to for itself.
pub(in crate::delivery) fn own_filters(unit: &UnitId) -> impl Iterator<Item = String> {
    let own = [
        UnitTopic::Receipts,
        UnitTopic::Commands,
        UnitTopic::ManualEntries,
        UnitTopic::Answers,
        UnitTopic::Memory,
        UnitTopic::CommandMemory,
    ];
    own.into_iter().map(|topic| Topic::Unit(unit.clone(), topic).to_string())
}

impl Session {
    /// Connects, with another identity where one is to be tried; if that fails, nothing has changed.
    pub(super) async fn open(&mut self, switch: Option<Switch>) -> Result<Link, LinkFault> {
        let Some(Switch { turn, done }) = switch else { return self.open_now().await };
        let (number, sequence, on_trial) = (self.number, self.sequence, self.on_trial.take());
        let or_else = match turn {
            Turn::Try(identity) => {
                self.on_trial = Some(identity);
                on_trial
            }
            Turn::Keep | Turn::Leave => None,
        };
        let opened = self.open_now().await;
        if opened.is_err() {
            (self.number, self.sequence, self.on_trial) = (number, sequence, or_else);
        }
        let _ = done.send(opened.as_ref().map(|_| ()).map_err(Clone::clone));
        opened
    }

    async fn open_now(&mut self) -> Result<Link, LinkFault> {
        // Its own memory first: a broker answers in order, and it says which lists, commands and rosters are too old.
        let memory = [UnitTopic::Memory, UnitTopic::CommandMemory, UnitTopic::RosterMemory];
        let memory = memory.map(|topic| self.topic(topic));
        let mut filters: Vec<String> = self.interests.filters.iter().cloned().collect();
        filters.sort_by_key(|filter| !memory.contains(filter));
        let subscriptions = Subscriptions { filters, renew: !self.subscribed };
        let at = self.clock.now().wall;
        // By wall time, and by count where the clock was set back, also before a restart.
        let at_least = (at.as_millisecond().max(0) as u64).max(self.number + 1);
        self.number = self.next_session(at_least).await;
        self.sequence = 0;
        let lost = Presence::Offline { session: self.number, at, reason: OfflineReason::Lost };
        let will = Retained { topic: self.topic(UnitTopic::Status), payload: lost.to_json() };
        let identity = self.identity()?;
        Link::open_as(&identity, &self.config.broker, self.unit.as_str(), Some(will), &subscriptions).await
    }

    fn identity(&self) -> Result<Identity, TlsError> {
        match &self.on_trial {
            Some(identity) => Ok(Identity::clone(identity)),
            None => self.credentials.identity(),
        }
    }

    pub(super) fn keep_trial(&mut self) {
        self.on_trial = None;
        self.status.send_modify(|status| status.on_trial = false);
    }

    /// Off this thread, because the store writes it down.
    async fn next_session(&self, at_least: u64) -> u64 {
        let shelf = self.shelf.clone();
        tokio::task::spawn_blocking(move || shelf.next_session(at_least)).await.unwrap_or(at_least)
    }
}
