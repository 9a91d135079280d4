//! What the broker sends: hot lists to their room. One thread, because a large list keeps it busy for seconds.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tracing::{error, info, warn};

use super::pulse::Pulse;
use crate::audit::{Audit, Event, Who};
use crate::delivery::{Delivery, Inbound, Topic};
use crate::hotlist::{Effect, Updates};
use crate::system::Clock;

/// How often lists are asked whether they have waited long enough.
const TICK: Duration = Duration::from_secs(1);

/// Everything that this thread asks and tells.
pub struct Post {
    pub updates: Updates,
    pub delivery: Arc<Delivery>,
    pub audit: Arc<Audit>,
    pub pulse: Arc<Pulse>,
    pub clock: Arc<dyn Clock>,
    pub stop: Arc<AtomicBool>,
}

impl Post {
    /// Starts the thread; it ends soon after `stop` is set. `runtime` lends it its timer.
    pub fn start(
        self,
        arrivals: mpsc::Receiver<Inbound>,
        runtime: Handle,
    ) -> std::io::Result<JoinHandle<()>> {
        std::thread::Builder::new().name("inbound".into()).spawn(move || self.run(arrivals, &runtime))
    }

    fn run(mut self, mut arrivals: mpsc::Receiver<Inbound>, runtime: &Handle) {
        while !self.stop.load(Ordering::Relaxed) {
            self.pulse.beat(self.clock.now());
            let arrival = runtime.block_on(async { tokio::time::timeout(TICK, arrivals.recv()).await });
            let now = self.clock.now();
            let mut effects = match arrival {
                Ok(Some(inbound)) => self.open(&inbound),
                Ok(None) => return,
                Err(_) => Vec::new(),
            };
            effects.extend(self.updates.on_time(now));
            effects.into_iter().for_each(|effect| self.carry_out(effect));
        }
    }

    fn open(&mut self, inbound: &Inbound) -> Vec<Effect> {
        match &inbound.topic {
            Topic::List(..) => {
                self.updates.on_message(&inbound.topic.to_string(), &inbound.payload, self.clock.now())
            }
            Topic::Unit(..) => {
                let why = "this unit was given no key that may command it".to_owned();
                warn!(topic = %inbound.topic, "a command was refused");
                self.note(Event::CommandRefused { why });
                Vec::new()
            }
        }
    }

    fn carry_out(&self, effect: Effect) {
        match effect {
            Effect::Subscribe(filter) => self.delivery.subscribe(filter),
            Effect::Unsubscribe(filter) => self.delivery.unsubscribe(filter),
            Effect::Installed(installed) => {
                let version = installed.version;
                info!(list = %version.list, version = version.version, entries = installed.entries, "hot list");
                self.note(Event::ListChanged {
                    list: version.list,
                    version: version.version,
                    entries: installed.entries,
                });
            }
            Effect::Refused { list: Some(list), why } => {
                warn!(%list, %why, "a hot list was refused");
                self.note(Event::ListRefused { list, why: why.to_string() });
            }
            Effect::Refused { list: None, why } => warn!(%why, "a list message was refused"),
        }
    }

    fn note(&self, event: Event) {
        if let Err(error) = self.audit.append(Who::Unit, event) {
            error!(%error, "the audit log could not be written");
        }
    }
}
