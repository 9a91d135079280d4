//! What comes in: receipts for the store, lists and commands for whoever takes them.

use tokio::task::JoinHandle;
use tracing::{info, warn};

use super::Session;
use crate::delivery::Inbound;
use crate::delivery::fault::LinkFault;
use crate::delivery::link::{Arrival, Link};
use crate::delivery::receipts::Receipt;
use crate::delivery::shelf::{Acceptance, Received};
use crate::delivery::topics::{Topic, UnitTopic};

/// Messages from the broker that wait to be taken. A broker that keeps to its own limit of unacknowledged
/// messages never comes near; past it they are dropped, and counted.
const ARRIVED_MOST: usize = 512;

/// Receipts that the store is being told of. They may outlive the connection that they came over.
pub(super) struct Accepting {
    answers: JoinHandle<Vec<(Received, Acceptance)>>,
    pub(super) arrivals: Vec<Arrival>,
}

pub(super) type Accepted = (Vec<(Received, Acceptance)>, Vec<Arrival>);

impl Session {
    pub(super) fn on_arrival(&mut self, link: &Link, arrival: Arrival) -> Result<(), LinkFault> {
        let topic = Topic::parse(arrival.topic());
        match topic {
            Some(Topic::Unit(unit, UnitTopic::Receipts)) if unit == self.unit => {
                match Receipt::verify(arrival.payload(), &self.unit, &self.config.receivers) {
                    Ok(received) if received.is_empty() => {
                        let again = self.outbox.receiver_came(self.now());
                        info!(again, "a receiver has come that was sent nothing before");
                    }
                    Ok(received) if self.receipts.len() < ARRIVED_MOST => {
                        self.receipts.push_back((received, arrival));
                        return Ok(());
                    }
                    // Without the receipt the records are sent again, and receipted again.
                    Ok(_) => self.status.send_modify(|status| status.counts.inbound_dropped += 1),
                    Err(error) => {
                        warn!(%error, "receipt refused");
                        self.status.send_modify(|status| status.counts.receipts_refused += 1);
                    }
                }
            }
            Some(
                topic @ (Topic::List(..)
                | Topic::Roster(_)
                | Topic::Unit(
                    _,
                    UnitTopic::Commands
                    | UnitTopic::ManualEntries
                    | UnitTopic::Answers
                    | UnitTopic::Memory
                    | UnitTopic::CommandMemory
                    | UnitTopic::RosterMemory,
                )),
            ) if self.arrived.len() < ARRIVED_MOST => {
                self.arrived.push_back((topic, arrival));
                return Ok(());
            }
            _ => {
                warn!(topic = arrival.topic(), "message dropped");
                self.status.send_modify(|status| status.counts.inbound_dropped += 1);
            }
        }
        link.accept(&arrival)
    }

    /// What the broker retains can be had again, and may be a whole list: it is accepted at once. A person's word is not
    /// before it has been dealt with.
    pub(super) fn hand_on(
        &mut self,
        link: &Link,
        topic: Topic,
        arrival: Arrival,
    ) -> Result<Inbound, LinkFault> {
        let (payload, retained) = (arrival.payload().to_vec(), arrival.is_retained());
        let said_once = matches!(
            topic,
            Topic::Unit(_, UnitTopic::Commands | UnitTopic::ManualEntries | UnitTopic::Answers)
        );
        let claim = if said_once {
            Some(self.claims.open(arrival))
        } else {
            link.accept(&arrival)?;
            None
        };
        Ok(Inbound { topic, payload, retained, claim })
    }

    /// Tells the store of the receipts that have come, off this thread: purging is durable and takes its
    /// time, the same for one receipt as for those that came meanwhile.
    pub(super) fn accept_next(&mut self) {
        if self.accepting.is_some() || self.receipts.is_empty() {
            return;
        }
        let (received, arrivals): (Vec<_>, Vec<_>) = self.receipts.drain(..).unzip();
        let (received, shelf) = (received.concat(), self.shelf.clone());
        let answers = tokio::task::spawn_blocking(move || {
            let answers = shelf.received(&received);
            received.into_iter().zip(answers).collect()
        });
        self.accepting = Some(Accepting { answers, arrivals });
    }

    pub(super) fn on_accepted(
        &mut self,
        link: &Link,
        (accepted, arrivals): Accepted,
    ) -> Result<(), LinkFault> {
        let now = self.clock.now();
        for (received, acceptance) in &accepted {
            let id = received.id;
            match acceptance {
                Acceptance::Accepted | Acceptance::Unknown => {
                    self.outbox.received(id, now.uptime);
                }
                Acceptance::Differs => {
                    warn!(%id, "the receiver holds something else under this record's id; sending it again");
                    self.outbox.differs(id);
                }
                Acceptance::Failed => warn!(%id, "the store could not take a receipt"),
            }
        }
        let count = |which| accepted.iter().filter(|(_, acceptance)| *acceptance == which).count() as u64;
        self.status.send_modify(|status| {
            status.last_receipt = Some(now.wall);
            status.counts.records_received += count(Acceptance::Accepted);
            status.counts.receipts_unknown += count(Acceptance::Unknown);
            status.counts.receipts_differing += count(Acceptance::Differs);
        });
        arrivals.iter().try_for_each(|arrival| link.accept(arrival))
    }
}

pub(super) async fn finished(accepting: &mut Option<Accepting>) -> Accepted {
    let Some(current) = accepting else { return std::future::pending().await };
    let answers = (&mut current.answers).await.expect("the store does not panic");
    (answers, accepting.take().map_or(Vec::new(), |current| current.arrivals))
}
