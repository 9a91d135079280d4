//! Records to messages: the MQTT session, priorities, acknowledgements, receipts, back-pressure.
//!
//! Owns the connection to the broker, the topics, the envelope of each message and the decision what is sent
//! next. Must not know how records are stored (see [`Shelf`]), nor what lists and commands mean: those are
//! handed on as [`Inbound`].
//!
//! The promise: a record leaves the unit at least once, in the order of its priority, and stays in the store
//! until a receipt with its own digest, signed by a receiver that we trust, says that it has arrived.
//!
//! ```text
//! waiting ─► submitted ─► sent (packet id) ─► published (PUBACK) ─► received (signed receipt) ─► the store purges
//!    ▲           │               │                    │
//!    └───────────┴── link lost ──┘    no receipt, or another digest: submitted again, marked as historical
//! ```
//!
//! [`outbox`] decides without I/O, [`link`] is one connection, [`session`] is the thin task between them. A
//! frozen broker, a dead link, a missing receiver: batches feel it, capture never does.

mod claim;
mod config;
mod events;
mod fault;
mod link;
mod outbox;
mod pace;
mod presence;
mod receipts;
mod session;
mod shelf;
mod status;
mod stored;
pub mod tls;
mod topics;

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot, watch};

pub use claim::Claim;
pub use config::{Broker, Config, Window};
pub use events::{Event, EventError};
pub use fault::LinkFault;
pub use link::{Arrival, Link, LinkEvent, Retained, Subscriptions};
pub use presence::{OfflineReason, Presence};
pub use receipts::{Receipt, ReceiptError};
pub use shelf::{Acceptance, Kind, MemoryShelf, Parcel, Received, Shelf, ShelfError};
pub use status::{Counts, LinkState, LinkStatus, PastFault};
pub use topics::{ListTopic, Topic, UnitTopic};

use crate::system::Clock;
use crate::words::UnitId;
use tls::{Credentials, Identity};

/// Why delivery could not start.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    #[error("the delivery thread could not be started: {0}")]
    Thread(std::io::Error),
}

/// A list's message or a command, as it came: whoever takes it verifies it.
#[derive(Debug)]
pub struct Inbound {
    pub topic: Topic,
    pub payload: Vec<u8>,
    /// The broker had kept it; it may be old.
    pub retained: bool,
    /// To be held until the message has been dealt with; None where the broker keeps it anyway.
    pub claim: Option<Claim>,
}

/// A change of what the unit wants to be sent.
enum Interest {
    Wanted(String),
    Unwanted(String),
}

/// How the session is to show another identity. It is changed over without a gap: the old connection stands until the new
/// one does, and stays if that one does not come to stand.
pub enum Turn {
    /// Connect with this one, until it is kept or left.
    Try(Box<Identity>),
    /// What is on trial is what the credentials give from now on.
    Keep,
    /// Connect with what the credentials give.
    Leave,
}

/// A turn, and who waits for what comes of it.
struct Switch {
    turn: Turn,
    done: oneshot::Sender<Result<(), LinkFault>>,
}

/// Lists and commands that may wait to be taken. What does not fit waits at the broker, unacknowledged.
const INBOUND: usize = 32;

/// Results of commands that may wait for the link.
const ANSWERS: usize = 64;

/// The running session. Dropping it without [`stop`](Self::stop) leaves the last word to the last will.
pub struct Delivery {
    status: watch::Receiver<LinkStatus>,
    health: watch::Sender<Option<Vec<u8>>>,
    memory: watch::Sender<Option<Vec<u8>>>,
    command_memory: watch::Sender<Option<Vec<u8>>>,
    roster_memory: watch::Sender<Option<Vec<u8>>>,
    answers: mpsc::Sender<Vec<u8>>,
    interests: mpsc::UnboundedSender<Interest>,
    switches: mpsc::UnboundedSender<Switch>,
    stop: watch::Sender<bool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Delivery {
    /// Starts the thread `delivery`, as whom the configured files name. `filters` are what to subscribe to besides the
    /// unit's own topics.
    pub fn start(
        config: Config,
        unit: UnitId,
        filters: Vec<String>,
        shelf: Arc<dyn Shelf>,
        clock: Arc<dyn Clock>,
    ) -> Result<(Self, mpsc::Receiver<Inbound>), DeliveryError> {
        let credentials = Arc::new(config.broker.clone());
        Self::start_as(credentials, config, unit, filters, shelf, clock)
    }

    /// The same with the identity from elsewhere.
    pub fn start_as(
        credentials: Arc<dyn Credentials>,
        config: Config,
        unit: UnitId,
        filters: Vec<String>,
        shelf: Arc<dyn Shelf>,
        clock: Arc<dyn Clock>,
    ) -> Result<(Self, mpsc::Receiver<Inbound>), DeliveryError> {
        let ourselves = session::Ourselves { unit, credentials };
        let (mut delivery, taken, session) = Self::assemble(config, ourselves, filters, shelf, clock);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .thread_name("delivery-store")
            .build()
            .map_err(DeliveryError::Thread)?;
        let run = move || runtime.block_on(session);
        let thread =
            std::thread::Builder::new().name("delivery".into()).spawn(run).map_err(DeliveryError::Thread)?;
        delivery.thread = Mutex::new(Some(thread));
        Ok((delivery, taken))
    }

    /// As [`start`](Self::start) without a thread of its own, for whoever has many sessions: each runs where its future is
    /// polled, and ends after [`stop`](Self::stop).
    pub fn prepare(
        config: Config,
        unit: UnitId,
        filters: Vec<String>,
        shelf: Arc<dyn Shelf>,
        clock: Arc<dyn Clock>,
    ) -> (Self, mpsc::Receiver<Inbound>, impl Future<Output = ()> + Send + 'static) {
        let credentials = Arc::new(config.broker.clone());
        Self::assemble(config, session::Ourselves { unit, credentials }, filters, shelf, clock)
    }

    fn assemble(
        config: Config,
        ourselves: session::Ourselves,
        filters: Vec<String>,
        shelf: Arc<dyn Shelf>,
        clock: Arc<dyn Clock>,
    ) -> (Self, mpsc::Receiver<Inbound>, impl Future<Output = ()> + Send + 'static) {
        let (inbound, taken) = mpsc::channel(INBOUND);
        let (status_sender, status) = watch::channel(LinkStatus::default());
        let (health, told_health) = watch::channel(None);
        let (memory, told_memory) = watch::channel(None);
        let (command_memory, told_commands) = watch::channel(None);
        let (roster_memory, told_rosters) = watch::channel(None);
        let (answers, told_answers) = mpsc::channel(ANSWERS);
        let (switches, told_switches) = mpsc::unbounded_channel();
        let told = session::Told {
            switches: told_switches,
            health: told_health,
            memory: told_memory,
            command_memory: told_commands,
            roster_memory: told_rosters,
            answers: told_answers,
        };
        let (stop, stop_receiver) = watch::channel(false);
        let (interests, changes) = mpsc::unbounded_channel();
        let filters = session::own_filters(&ourselves.unit).chain(filters).collect();
        let wanted = session::Interests { filters, changes };
        let session = session::Session::new(config, ourselves, wanted, shelf, clock, inbound, status_sender);
        let thread = Mutex::new(None);
        let delivery = Self {
            status,
            health,
            memory,
            command_memory,
            roster_memory,
            answers,
            interests,
            switches,
            stop,
            thread,
        };
        (delivery, taken, session.run(told, stop_receiver))
    }

    pub fn status(&self) -> LinkStatus {
        self.status.borrow().clone()
    }

    /// Whether the link stands and the broker has answered all that was subscribed to since the start.
    pub fn is_answered(&self) -> bool {
        let status = self.status.borrow();
        status.is_connected() && status.answered
    }

    /// Follows the status without asking for it.
    pub fn watch(&self) -> watch::Receiver<LinkStatus> {
        self.status.clone()
    }

    /// Publishes a health report (JSON), retained. Only the newest one travels.
    pub fn report_health(&self, report: Vec<u8>) {
        self.health.send_replace(Some(report));
    }

    /// Has the broker keep this for the unit itself: it comes back as an [`Inbound`] after each start.
    pub fn remember(&self, memory: Vec<u8>) {
        self.memory.send_replace(Some(memory));
    }

    /// The same of commands.
    pub fn remember_commands(&self, memory: Vec<u8>) {
        self.command_memory.send_replace(Some(memory));
    }

    /// The same of rosters.
    pub fn remember_rosters(&self, memory: Vec<u8>) {
        self.roster_memory.send_replace(Some(memory));
    }

    /// Publishes the result of a command (JSON), once: it stands in the audit log as well. False when too many wait
    /// for the link already, and this one is dropped.
    pub fn answer(&self, result: Vec<u8>) -> bool {
        self.answers.try_send(result).is_ok()
    }

    /// Has the session show another identity; returns when its connection stands, or did not come to, and then nothing has
    /// changed.
    pub async fn switch(&self, turn: Turn) -> Result<(), LinkFault> {
        let (done, answer) = oneshot::channel();
        // Both fail only after `stop`.
        let _ = self.switches.send(Switch { turn, done });
        answer.await.unwrap_or(Err(LinkFault::Closed))
    }

    /// Publishes that the unit was stopped on purpose, and ends. Takes at most a few seconds; blocks where the session
    /// has a thread of its own.
    pub fn stop(&self) {
        self.stop.send_replace(true);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the delivery thread had already failed");
        }
    }

    /// Asks for a topic filter, also again: the broker then sends once more what it retains under it.
    pub fn subscribe(&self, filter: String) {
        self.interested(Interest::Wanted(filter));
    }

    pub fn unsubscribe(&self, filter: String) {
        self.interested(Interest::Unwanted(filter));
    }

    fn interested(&self, interest: Interest) {
        // Fails only after `stop`, when nothing is to arrive any more.
        let _ = self.interests.send(interest);
    }
}
