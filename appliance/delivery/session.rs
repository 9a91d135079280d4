//! The thin task between [`Outbox`], [`Link`] and [`Shelf`]: connects, serves, and begins again, for ever.

mod inward;
mod notices;
mod opening;
mod outward;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use tokio::sync::{mpsc, watch};
use tracing::{debug, warn};

use super::claim::Claims;
use super::config::Config;
use super::fault::LinkFault;
use super::link::{Arrival, Link, LinkEvent};
use super::outbox::Outbox;
use super::shelf::{Received, Shelf};
use super::status::{LinkState, LinkStatus, PastFault};
use super::tls::{Credentials, Identity};
use super::topics::{Topic, UnitTopic};
use super::{Inbound, Interest, Switch, Turn};
use crate::system::Clock;
use crate::words::UnitId;
use inward::{Accepting, finished};
pub(super) use notices::Told;
pub(super) use opening::own_filters;

/// How long a connection must have stood for the next attempt after it to be made at once.
const STEADY: Duration = Duration::from_secs(30);

/// Whose session it is.
pub(super) struct Ourselves {
    pub unit: UnitId,
    pub credentials: Arc<dyn Credentials>,
}

/// What the unit wants to be sent, and how that changes.
pub(super) struct Interests {
    pub filters: BTreeSet<String>,
    pub changes: mpsc::UnboundedReceiver<Interest>,
}

pub(super) struct Session {
    credentials: Arc<dyn Credentials>,
    /// What is shown in place of the credentials' identity, until it is kept or left.
    on_trial: Option<Box<Identity>>,
    config: Config,
    unit: UnitId,
    interests: Interests,
    shelf: Arc<dyn Shelf>,
    clock: Arc<dyn Clock>,
    inbound: mpsc::Sender<Inbound>,
    status: watch::Sender<LinkStatus>,
    outbox: Outbox,
    number: u64,
    sequence: u64,
    /// Whether the broker has answered all of this start's subscriptions.
    subscribed: bool,
    /// Lists and commands not yet taken, oldest first.
    arrived: VecDeque<(Topic, Arrival)>,
    claims: Claims,
    /// Verified receipts that the store has not been told of yet.
    receipts: VecDeque<(Vec<Received>, Arrival)>,
    accepting: Option<Accepting>,
}

enum End {
    Stopped,
    Lost(LinkFault),
}

/// Why a connection that stands is no longer served.
enum Served {
    Stopped { on_purpose: bool },
    Switch(Switch),
}

impl Session {
    pub(super) fn new(
        config: Config,
        Ourselves { unit, credentials }: Ourselves,
        interests: Interests,
        shelf: Arc<dyn Shelf>,
        clock: Arc<dyn Clock>,
        inbound: mpsc::Sender<Inbound>,
        status: watch::Sender<LinkStatus>,
    ) -> Self {
        let outbox = Outbox::new(config.limits());
        let (arrived, receipts) = (VecDeque::new(), VecDeque::new());
        Self {
            credentials,
            on_trial: None,
            config,
            unit,
            interests,
            shelf,
            clock,
            inbound,
            status,
            outbox,
            number: 0,
            sequence: 0,
            subscribed: false,
            arrived,
            claims: Claims::new(),
            receipts,
            accepting: None,
        }
    }

    /// Connects, serves, and begins again, for ever, until told to stop.
    pub(super) async fn run(mut self, mut told: Told, mut stop: watch::Receiver<bool>) {
        let retry = ExponentialBuilder::new()
            .with_min_delay(Duration::from_millis(500))
            .with_max_delay(Duration::from_secs(self.config.broker.retry_max_s.get()))
            .with_jitter()
            .without_max_times();
        let mut delays = retry.build();
        let mut switch = None;
        loop {
            let begun = self.now();
            let end = self.connection(switch.take(), &mut told, &mut stop).await;
            self.link_lost();
            let End::Lost(fault) = end else { break };
            if self.now().saturating_sub(begun) > STEADY {
                delays = retry.build();
            }
            let delay = delays.next().unwrap_or(Duration::from_secs(60));
            self.note_fault(fault, delay);
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                Some(asked) = told.switches.recv() => switch = Some(asked),
                _ = stopped(&mut stop) => break,
            }
        }
        self.status.send_modify(|status| status.link = LinkState::Stopped);
    }

    /// One connection from its attempt to its end; of several, where it was handed over to one with another identity.
    async fn connection(
        &mut self,
        switch: Option<Switch>,
        told: &mut Told,
        stop: &mut watch::Receiver<bool>,
    ) -> End {
        let opened = tokio::select! {
            opened = self.open(switch) => opened,
            _ = stopped(stop) => return End::Stopped,
        };
        let mut link = match opened {
            Ok(link) => link,
            Err(fault) => return End::Lost(fault),
        };
        if let Err(fault) = self.begin(&link, told) {
            return End::Lost(fault);
        }
        loop {
            match self.serve(&mut link, told, stop).await {
                Err(fault) => return End::Lost(fault),
                Ok(Served::Stopped { on_purpose: false }) => return End::Stopped,
                Ok(Served::Stopped { on_purpose: true }) => {
                    self.farewell(link, told).await;
                    return End::Stopped;
                }
                Ok(Served::Switch(Switch { turn: Turn::Keep, done })) => {
                    self.keep_trial();
                    // Whoever asked may have gone.
                    let _ = done.send(Ok(()));
                }
                Ok(Served::Switch(switch)) => {
                    let opened = tokio::select! {
                        opened = self.open(Some(switch)) => opened,
                        _ = stopped(stop) => continue,
                    };
                    match opened {
                        // The broker ends the old connection itself when the new one stands, and says nothing of its will.
                        Ok(new) => {
                            self.link_lost();
                            link = new;
                        }
                        Err(fault) => {
                            warn!(%fault, "the session goes on as before");
                            continue;
                        }
                    }
                    if let Err(fault) = self.begin(&link, told) {
                        return End::Lost(fault);
                    }
                }
            }
        }
    }

    async fn serve(
        &mut self,
        link: &mut Link,
        told: &mut Told,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<Served, LinkFault> {
        let (mut stored, inbound) = (self.shelf.subscribe(), self.inbound.clone());
        loop {
            let until = self.fill(link)?;
            let now = self.now();
            self.accept_next();
            self.show();
            tokio::select! {
                event = link.next() => {
                    self.on_event(link, event)?;
                    // The rest of a burst, before the status is shown and the store asked again.
                    while let Some(event) = link.try_next() {
                        self.on_event(link, event)?;
                    }
                }
                Ok(()) = stored.changed() => {}
                () = sleep(until.map(|until| until.saturating_sub(now))) => {}
                Ok(()) = told.health.changed() => self.tell(link, UnitTopic::Health, &mut told.health)?,
                Ok(()) = told.memory.changed() => self.tell(link, UnitTopic::Memory, &mut told.memory)?,
                Ok(()) = told.command_memory.changed() => {
                    self.tell(link, UnitTopic::CommandMemory, &mut told.command_memory)?;
                }
                Ok(()) = told.roster_memory.changed() => {
                    self.tell(link, UnitTopic::RosterMemory, &mut told.roster_memory)?;
                }
                Some(answer) = told.answers.recv() => {
                    link.publish(self.topic(UnitTopic::CommandResults), answer, false)?;
                    self.outbox.submitted_notice(self.now());
                }
                Some(interest) = self.interests.changes.recv() => self.follow(link, interest)?,
                Ok(permit) = inbound.reserve(), if !self.arrived.is_empty() => {
                    if let Some((topic, arrival)) = self.arrived.pop_front() {
                        permit.send(self.hand_on(link, topic, arrival)?);
                    }
                }
                arrival = self.claims.closed() => link.accept(&arrival)?,
                accepted = finished(&mut self.accepting) => self.on_accepted(link, accepted)?,
                Some(switch) = told.switches.recv() => return Ok(Served::Switch(switch)),
                on_purpose = stopped(stop) => return Ok(Served::Stopped { on_purpose }),
            }
        }
    }

    /// While the link is down interests wait, and are followed in order over the next one.
    fn follow(&mut self, link: &Link, interest: Interest) -> Result<(), LinkFault> {
        match interest {
            Interest::Wanted(filter) => {
                self.interests.filters.insert(filter.clone());
                self.subscribed = false;
                self.status.send_modify(|status| status.answered = false);
                link.subscribe(filter)
            }
            Interest::Unwanted(filter) => {
                self.interests.filters.remove(&filter);
                link.unsubscribe(filter)
            }
        }
    }

    fn on_event(&mut self, link: &Link, event: LinkEvent) -> Result<(), LinkFault> {
        match event {
            LinkEvent::Sent(packet) => self.outbox.sent(packet),
            LinkEvent::Acknowledged(packet) => {
                let published = self.outbox.acknowledged(packet, self.now());
                self.shelf.published(&published);
                let count = published.len() as u64;
                self.status.send_if_modified(|status| {
                    status.counts.records_published += count;
                    false
                });
            }
            LinkEvent::Arrived(arrival) => self.on_arrival(link, arrival)?,
            LinkEvent::Subscribed => {
                self.subscribed = true;
                self.status.send_modify(|status| status.answered = true);
            }
            LinkEvent::SubscriptionRefused { filter } => {
                let fault = LinkFault::SubscriptionRefused(filter);
                warn!(%fault, mend = fault.mend(), "the link stands without a subscription");
                let at = self.clock.now().wall;
                self.status.send_modify(|status| {
                    status.subscription_refused = Some(fault.clone());
                    status.last_fault = Some(PastFault { at, fault });
                });
            }
            LinkEvent::Lost(fault) => return Err(fault),
        }
        Ok(())
    }

    fn link_lost(&mut self) {
        self.outbox.link_lost();
        // The broker sends again what we did not accept.
        self.arrived.clear();
        self.claims.link_lost();
        self.receipts.clear();
        if let Some(accepting) = &mut self.accepting {
            accepting.arrivals.clear();
        }
        self.show();
    }

    fn note_fault(&self, fault: LinkFault, retry_in: Duration) {
        // Told once at the higher level: a broker that is gone for a week must not fill the journal.
        if matches!(&self.status.borrow().link, LinkState::Down { fault: known, .. } if *known == fault) {
            debug!(%fault, ?retry_in, "still no connection to the broker");
        } else {
            warn!(%fault, mend = fault.mend(), ?retry_in, "no connection to the broker");
        }
        let at = self.clock.now().wall;
        self.status.send_modify(|status| {
            let since = match status.link {
                LinkState::Down { since, .. } => since,
                _ => at,
            };
            let mend = fault.mend();
            status.link = LinkState::Down { since, fault: fault.clone(), mend };
            status.last_fault = Some(PastFault { at, fault });
        });
    }

    /// Brings the status up to date; wakes its watchers only if it shows something new.
    fn show(&self) {
        let (in_flight, awaiting) = (self.outbox.in_flight(), self.outbox.awaiting_receipt());
        let silent = self.outbox.is_silent(self.now());
        self.status.send_if_modified(|status| {
            let shown = (status.in_flight, status.awaiting_receipt, status.receiver_silent);
            (status.in_flight, status.awaiting_receipt, status.receiver_silent) =
                (in_flight, awaiting, silent);
            shown != (in_flight, awaiting, silent)
        });
    }

    fn topic(&self, topic: UnitTopic) -> String {
        Topic::Unit(self.unit.clone(), topic).to_string()
    }

    fn now(&self) -> Duration {
        self.clock.now().uptime
    }
}

/// Returns when this is to end: true if on purpose, false if the owner is gone without a word, which leaves
/// the last will to speak.
async fn stopped(stop: &mut watch::Receiver<bool>) -> bool {
    stop.wait_for(|stop| *stop).await.is_ok()
}

async fn sleep(time: Option<Duration>) {
    match time {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}
