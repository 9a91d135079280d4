mod inward;
mod outward;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use tokio::sync::{mpsc, watch};
use tracing::{debug, info, warn};

use super::claim::Claims;
use super::config::Config;
use super::fault::LinkFault;
use super::link::{Arrival, Link, LinkEvent, Retained, Subscriptions};
use super::outbox::Outbox;
use super::presence::{OfflineReason, Presence};
use super::shelf::{Received, Shelf};
use super::status::{LinkState, LinkStatus, PastFault};
use super::tls::{Credentials, Identity, TlsError};
use super::topics::{Topic, UnitTopic};
use super::{Inbound, Interest, Switch, Turn};
use crate::system::Clock;
use crate::words::UnitId;
use inward::{Accepting, finished};

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

/// What travels beside the records: of what the broker keeps for us and others only the newest.
pub(super) struct Told {
    pub health: watch::Receiver<Option<Vec<u8>>>,
    pub memory: watch::Receiver<Option<Vec<u8>>>,
    pub command_memory: watch::Receiver<Option<Vec<u8>>>,
    pub roster_memory: watch::Receiver<Option<Vec<u8>>>,
    /// Results of commands; each of them travels, and none is kept.
    pub answers: mpsc::Receiver<Vec<u8>>,
    pub switches: mpsc::UnboundedReceiver<Switch>,
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

    /// Connects, with another identity where one is to be tried; if that fails, nothing has changed.
    async fn open(&mut self, switch: Option<Switch>) -> Result<Link, LinkFault> {
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

    fn keep_trial(&mut self) {
        self.on_trial = None;
        self.status.send_modify(|status| status.on_trial = false);
    }

    /// Off this thread, because the store writes it down.
    async fn next_session(&self, at_least: u64) -> u64 {
        let shelf = self.shelf.clone();
        tokio::task::spawn_blocking(move || shelf.next_session(at_least)).await.unwrap_or(at_least)
    }

    /// Tells of a connection that has come to stand.
    fn begin(&mut self, link: &Link, told: &mut Told) -> Result<(), LinkFault> {
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

    /// Publishes what is no record: retained, and only the newest counts.
    fn notice(&mut self, link: &Link, topic: UnitTopic, payload: Vec<u8>) -> Result<(), LinkFault> {
        link.publish(self.topic(topic), payload, true)?;
        self.outbox.submitted_notice(self.now());
        Ok(())
    }

    fn tell(
        &mut self,
        link: &Link,
        topic: UnitTopic,
        newest: &mut watch::Receiver<Option<Vec<u8>>>,
    ) -> Result<(), LinkFault> {
        let newest = newest.borrow_and_update().clone();
        newest.map_or(Ok(()), |newest| self.notice(link, topic, newest))
    }

    /// Nothing that was reported before the stop is left unsaid: it is what stays retained while we are gone.
    async fn farewell(&mut self, link: Link, told: &mut Told) {
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

/// What a unit subscribes to for itself.
pub(super) fn own_filters(unit: &UnitId) -> impl Iterator<Item = String> {
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
