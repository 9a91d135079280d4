//! The reference receiver: what a department's server does with what units send, in its plain form.
//!
//! Owns the subscription for all units, the vault of received records, their holds, expiry and exports, and the
//! signed receipts. Must not know how a unit decides what to send. A message is acknowledged to the broker, and receipted to the unit, only
//! after it was synced to the disk; so a receiver that is killed at any instant loses nothing, and a second
//! delivery is answered again and stored once. A receiver for which the broker had kept nothing tells every unit that it has
//! come, so that what was sent before is sent again at once.

mod book;
mod expiry;
mod export;
mod gaps;
mod hold;
mod ledger;
mod news;
mod selection;
mod vault;
#[cfg(test)]
mod vault_tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use gaps::Counters;
use jiff::SignedDuration;
use tokio::sync::{mpsc, watch};
use tracing::{info, warn};

pub use book::Book;
pub use expiry::{Keep, expire};
pub use export::{Manifest, export};
pub use hold::{Amount, Deed, Hold, holds, preserve, release};
pub use ledger::{Ledger, VaultError};
pub use news::{News, NewsKind};
pub use selection::Selection;
pub use vault::{Novelty, Vault};

use crate::crypto::SigningKey;
use crate::delivery::{
    Arrival, Broker, Event, Link, LinkEvent, LinkFault, Presence, Receipt, Received, Subscriptions, Topic,
    UnitTopic,
};
use crate::system::Clock;
use crate::words::UnitId;

/// What a receiver needs.
pub struct Config {
    pub broker: Broker,
    /// Its name to the broker: its certificate's common name.
    pub name: String,
    pub folder: PathBuf,
    pub key: SigningKey,
    pub keep: Keep,
}

/// Why the receiver could not start.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error("the receiver's thread could not be started: {0}")]
    Thread(std::io::Error),
}

/// Messages that are synced, acknowledged and receipted together, at most.
const BATCH: usize = 128;

/// Receipts that the broker has not acknowledged, from which on no further batch is taken. A batch of a large fleet makes
/// one for each of its messages; they queue in the link, and past what that holds the connection would be given up, again
/// and again.
const RECEIPTS_UNDER_WAY: usize = 128;

/// How often what has been kept long enough is looked for.
const EXPIRE_EVERY: Duration = Duration::from_secs(3600);

/// A wall clock that has moved so much more or less than time has passed was set, and nothing expires by it.
const CLOCK_SET: SignedDuration = SignedDuration::from_hours(12);

/// News that nobody took are dropped: they are for people to look at, the vault has everything.
const NEWS: usize = 1024;

/// A running receiver. Dropped, it ends by itself a little later; only after [`stop`](Self::stop) may another
/// one take the folder.
pub struct Receiver {
    stop: watch::Sender<bool>,
    thread: JoinHandle<()>,
}

impl Receiver {
    /// Starts the thread `receive`. The other end of the returned channel tells what came, for people.
    pub fn start(
        config: Config,
        clock: Arc<dyn Clock>,
    ) -> Result<(Self, mpsc::Receiver<News>), ReceiveError> {
        let vault = Vault::open(&config.folder)?;
        let (news, told) = mpsc::channel(NEWS);
        let (stop, stopped) = watch::channel(false);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(ReceiveError::Thread)?;
        let counters = Counters::default();
        let desk = Desk { config, vault, clock, news, counters, is_new: false };
        let thread = std::thread::Builder::new()
            .name("receive".into())
            .spawn(move || runtime.block_on(desk.run(stopped)))
            .map_err(ReceiveError::Thread)?;
        Ok((Self { stop, thread }, told))
    }

    /// Ends after the batch in hand; blocks until then.
    pub fn stop(self) {
        self.stop.send_replace(true);
        if self.thread.join().is_err() {
            tracing::error!("the receiver's thread had already failed");
        }
    }
}

struct Desk {
    config: Config,
    vault: Vault,
    clock: Arc<dyn Clock>,
    news: mpsc::Sender<News>,
    counters: Counters,
    /// The broker had kept nothing for us when we came: what units sent before is lost, and they are told.
    is_new: bool,
}

impl Desk {
    async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let (ledger, keep) = (self.vault.ledger().clone(), self.config.keep);
        let expiring = tokio::spawn(keep_expiring(ledger, keep, self.clock.clone(), self.news.clone()));
        self.receive(&mut stop).await;
        expiring.abort();
    }

    async fn receive(&mut self, stop: &mut watch::Receiver<bool>) {
        let retry = ExponentialBuilder::new()
            .with_min_delay(Duration::from_millis(200))
            .with_max_delay(Duration::from_secs(self.config.broker.retry_max_s.get()))
            .with_jitter()
            .without_max_times();
        let mut delays = retry.build();
        // The first connection subscribes, whatever the broker remembers.
        let mut renew = true;
        loop {
            let connection = async {
                let subscriptions = Subscriptions { filters: filters(), renew };
                let link = Link::open(&self.config.broker, &self.config.name, None, &subscriptions).await?;
                info!(resumed = link.session_present, "connected to the broker");
                self.tell(News::connected(self.clock.now().wall));
                delays = retry.build();
                self.is_new = !link.session_present;
                self.serve(link, &mut renew).await
            };
            let end = tokio::select! {
                end = connection => end,
                _ = stop.wait_for(|stop| *stop) => return,
            };
            if let Err(fault) = end {
                warn!(%fault, mend = fault.mend(), "no connection to the broker");
                self.tell(News::fault(self.clock.now().wall, fault));
            }
            let delay = delays.next().unwrap_or(Duration::from_secs(60));
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }

    /// `renew` becomes false once the broker has answered every subscription.
    async fn serve(&mut self, mut link: Link, renew: &mut bool) -> Result<(), LinkFault> {
        let (mut arrivals, mut under_way) = (Vec::new(), 0usize);
        loop {
            let full = under_way > RECEIPTS_UNDER_WAY;
            let mut event =
                if arrivals.is_empty() || full { Some(link.next().await) } else { link.try_next() };
            while let Some(current) = event {
                match current {
                    LinkEvent::Arrived(arrival) => arrivals.push(arrival),
                    LinkEvent::Acknowledged(_) => under_way = under_way.saturating_sub(1),
                    LinkEvent::SubscriptionRefused { filter } => {
                        return Err(LinkFault::SubscriptionRefused(filter));
                    }
                    LinkEvent::Lost(fault) => return Err(fault),
                    LinkEvent::Subscribed => *renew = false,
                    LinkEvent::Sent(_) => {}
                }
                event = if arrivals.len() < BATCH || full { link.try_next() } else { None };
            }
            if under_way > RECEIPTS_UNDER_WAY {
                continue;
            }
            let batch = arrivals.drain(..arrivals.len().min(BATCH)).collect();
            match self.settle(&link, batch)? {
                Ok(receipts) => under_way += receipts,
                Err(error) => {
                    // Neither acknowledged nor receipted: the next connection brings it again.
                    warn!(%error, "cannot store what units send");
                    return Err(LinkFault::Closed);
                }
            }
        }
    }

    /// Stores a batch, then acknowledges it, then answers its units, each with a receipt; so many were sent.
    fn settle(
        &mut self,
        link: &Link,
        arrivals: Vec<Arrival>,
    ) -> Result<Result<usize, VaultError>, LinkFault> {
        let entered = match self.vault.enter() {
            Ok(entered) => entered,
            Err(error) => return Ok(Err(error)),
        };
        let mut answers = Answers::default();
        for arrival in &arrivals {
            if let Err(error) = self.take(arrival, &mut answers) {
                return Ok(Err(error));
            }
        }
        if let Err(error) = self.vault.commit() {
            return Ok(Err(error));
        }
        drop(entered);
        for arrival in &arrivals {
            link.accept(arrival)?;
        }
        let at = self.clock.now().wall;
        let Answers { received, greeted } = answers;
        let greetings = greeted.into_iter().map(|unit| Receipt::of_none(unit, at));
        let receipts = received.into_iter().map(|(unit, records)| Receipt { unit, records, at });
        let mut sent = 0;
        for receipt in greetings.chain(receipts) {
            let topic = Topic::Unit(receipt.unit.clone(), UnitTopic::Receipts).to_string();
            link.publish(topic, receipt.sign(&self.config.key), false)?;
            sent += 1;
        }
        Ok(Ok(sent))
    }

    fn take(&mut self, arrival: &Arrival, answers: &mut Answers) -> Result<(), VaultError> {
        let now = self.clock.now().wall;
        // The broker's access list lets nobody but the unit itself write under its name.
        let Some(Topic::Unit(unit, topic)) = Topic::parse(arrival.topic()) else {
            warn!(topic = arrival.topic(), "message on an unknown topic dropped");
            return Ok(());
        };
        let book = match topic {
            UnitTopic::Alerts => Book::Alerts,
            UnitTopic::Reads => Book::Reads,
            UnitTopic::Events => Book::Events,
            UnitTopic::Picture(id) => {
                let (novelty, received) = self.vault.store_picture(&unit, id, arrival.payload())?;
                answers.receipt(&unit, received);
                self.tell(News::picture(now, unit, id, arrival.payload().len(), novelty));
                return Ok(());
            }
            UnitTopic::Status | UnitTopic::Health => {
                if let Ok(Presence::Online { session, .. }) = serde_json::from_slice(arrival.payload()) {
                    self.counters.born(&unit, session, arrival.is_retained());
                    // One that comes later is heard from its first message on.
                    if self.is_new && arrival.is_retained() {
                        answers.greeted.insert(unit.clone());
                    }
                }
                self.tell(News::report(now, unit, topic, arrival.payload()));
                return Ok(());
            }
            UnitTopic::Canary => {
                // Confirmed, so that the unit knows its whole way to work, and stored nowhere: it shows no vehicle.
                for event in Event::parse(arrival.payload()).unwrap_or_default() {
                    answers.receipt(&unit, Received { id: event.id, sha256: event.digest() });
                }
                return Ok(());
            }
            UnitTopic::Receipts
            | UnitTopic::Commands
            | UnitTopic::CommandResults
            | UnitTopic::ManualEntries
            | UnitTopic::Answers
            | UnitTopic::Memory
            | UnitTopic::CommandMemory
            | UnitTopic::RosterMemory => return Ok(()),
        };
        let events = match Event::parse(arrival.payload()) {
            Ok(events) => events,
            Err(error) => {
                warn!(%unit, %error, "message dropped");
                return Ok(());
            }
        };
        for event in events {
            if event.source != Event::source_of(&unit) {
                warn!(%unit, source = event.source, "an event names another source than its topic; dropped");
                continue;
            }
            let missing = event.sequence.parse().ok().and_then(|n| self.counters.counted(&unit, n));
            if let Some(missing) = missing {
                warn!(%unit, ?missing, "messages of a unit did not arrive");
                self.tell(News::gap(now, unit.clone(), missing));
            }
            let novelty = self.vault.store_event(&unit, book, &event, now)?;
            answers.receipt(&unit, Received { id: event.id, sha256: event.digest() });
            self.tell(News::event(now, unit.clone(), event, novelty));
        }
        Ok(())
    }

    fn tell(&self, news: News) {
        // Nobody may be listening, or too slowly: see `NEWS`.
        let _ = self.news.try_send(news);
    }
}

/// What is to be sent for a batch once it is stored.
#[derive(Default)]
struct Answers {
    received: BTreeMap<UnitId, Vec<Received>>,
    /// Units that are told that we have just come.
    greeted: BTreeSet<UnitId>,
}

impl Answers {
    fn receipt(&mut self, unit: &UnitId, received: Received) {
        self.received.entry(unit.clone()).or_default().push(received);
    }
}

/// Expires what is due, at once and then every hour.
async fn keep_expiring(ledger: Ledger, keep: Keep, clock: Arc<dyn Clock>, news: mpsc::Sender<News>) {
    let started = clock.now();
    loop {
        let now = clock.now();
        let passed = SignedDuration::try_from(now.since(&started)).unwrap_or(SignedDuration::MAX);
        let was_set = (now.wall.duration_since(started.wall) - passed).abs() > CLOCK_SET;
        let told = if was_set {
            News::trouble(
                now.wall,
                "the clock was set, so nothing expires: put it right, or start the receiver again",
            )
        } else {
            let (ledger, clock) = (ledger.clone(), clock.clone());
            let expired = tokio::task::spawn_blocking(move || expire(&ledger, &clock, keep, None)).await;
            match expired.expect("expiry does not panic") {
                Ok(amount) => News::expired(now.wall, amount),
                Err(error) => News::trouble(now.wall, &format!("nothing more expires now: {error}")),
            }
        };
        if !told.is_idle() {
            let _ = news.try_send(told);
        }
        tokio::time::sleep(EXPIRE_EVERY).await;
    }
}

/// What a receiver subscribes to: everything that units send.
pub fn filters() -> Vec<String> {
    let topics = ["status", "alerts", "pictures/+", "reads", "health", "events", "canary"];
    topics.map(|topic| format!("milepost/v1/units/+/{topic}")).to_vec()
}
