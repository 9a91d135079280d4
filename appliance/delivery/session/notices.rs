//! What travels beside the records: birth and good-bye, and of health and of what the broker keeps for the unit only the newest.

use tokio::sync::{mpsc, watch};
use tracing::info;

use super::Session;
use crate::delivery::Switch;
use crate::delivery::fault::LinkFault;
use crate::delivery::link::Link;
use crate::delivery::presence::{OfflineReason, Presence};
use crate::delivery::status::LinkState;
use crate::delivery::topics::UnitTopic;

/// What travels beside the records: of what the broker keeps for us and others only the newest.
pub(in crate::delivery) struct Told {
    pub health: watch::Receiver<Option<Vec<u8>>>,
    pub memory: watch::Receiver<Option<Vec<u8>>>,
    pub command_memory: watch::Receiver<Option<Vec<u8>>>,
    pub roster_memory: watch::Receiver<Option<Vec<u8>>>,
    /// Results of commands; each of them travels, and none is kept.
    pub answers: mpsc::Receiver<Vec<u8>>,
    pub switches: mpsc::UnboundedReceiver<Switch>,
}

impl Session {
    /// Tells of a connection that has come to stand.
    pub(super) fn begin(&mut self, link: &Link, told: &mut Told) -> Result<(), LinkFault> {
        let at = self.clock.now().wall;
        let on_trial = self.on_trial.is_some();
        info!(session = self.number, resumed = link.session_present, on_trial, "connected to the broker");
        self.outbox.link_up(link.session_present, self.now());
        self.status.send_modify(|status| {
            status.link = LinkState::Connected { since: at };
            status.on_trial = on_trial;
            status.subscription_refused = None;
            status.connections += 1;
        });
        let version = env!("CARGO_PKG_VERSION").into();
        let birth = Presence::Online { session: self.number, at, version };
        self.notice(link, UnitTopic::Status, birth.to_json())?;
        told.health.mark_changed();
        told.memory.mark_changed();
        told.command_memory.mark_changed();
        told.roster_memory.mark_changed();
        Ok(())
    }

    /// Publishes what is no record: retained, and only the newest counts.
    fn notice(&mut self, link: &Link, topic: UnitTopic, payload: Vec<u8>) -> Result<(), LinkFault> {
        link.publish(self.topic(topic), payload, true)?;
        self.outbox.submitted_notice(self.now());
        Ok(())
    }

    pub(super) fn tell(
        &mut self,
        link: &Link,
        topic: UnitTopic,
        newest: &mut watch::Receiver<Option<Vec<u8>>>,
    ) -> Result<(), LinkFault> {
        let newest = newest.borrow_and_update().clone();
        newest.map_or(Ok(()), |newest| self.notice(link, topic, newest))
    }

    /// Nothing that was reported before the stop is left unsaid: it is what stays retained while we are gone.
    pub(super) async fn farewell(&mut self, link: Link, told: &mut Told) {
        let at = self.clock.now().wall;
        let stopped = Presence::Offline { session: self.number, at, reason: OfflineReason::Stopped };
        let mut said = Ok(());
        for (topic, newest) in [
            (UnitTopic::Health, &mut told.health),
            (UnitTopic::Memory, &mut told.memory),
            (UnitTopic::CommandMemory, &mut told.command_memory),
            (UnitTopic::RosterMemory, &mut told.roster_memory),
        ] {
            if newest.has_changed().unwrap_or(false) {
                said = said.and_then(|()| self.tell(&link, topic, newest));
            }
        }
        if said.and_then(|()| self.notice(&link, UnitTopic::Status, stopped.to_json())).is_ok() {
            link.close().await;
        }
        info!("said good-bye to the broker");
    }
}
