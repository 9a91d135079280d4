//! What the broker sends: hot lists, manual entries, answers to alerts, commands and rosters to their rooms. One thread,
//! because a large list keeps it busy for seconds.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tracing::{error, info};

use super::answers::Answers;
use super::door::{AskAgain, Door};
use super::manual::Ledger;
use super::muster::Muster;
use super::orders::Orders;
use super::pulse::Pulse;
use super::refusals::Refusals;
use crate::audit::{Audit, Event, Who};
use crate::delivery::{Delivery, Inbound, Topic, UnitTopic};
use crate::hotlist::{Effect, Hotlist, Updates};
use crate::system::{Clock, ClockStatus, clock_status};
use crate::words::UnitId;

/// How often lists are asked whether they have waited long enough.
const TICK: Duration = Duration::from_secs(1);

/// Everything that this thread asks and tells.
pub struct Post {
    pub unit: UnitId,
    pub hotlist: Hotlist,
    pub updates: Updates,
    pub door: Door,
    pub delivery: Arc<Delivery>,
    pub audit: Arc<Audit>,
    pub manual: Ledger,
    pub orders: Orders,
    pub muster: Muster,
    pub answers: Arc<Answers>,
    pub refused_entries: Refusals,
    pub refused_lists: Refusals,
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
            self.hotlist.tell_time(self.clock.now(), clock_status() == ClockStatus::Synchronised);
            let arrival = runtime.block_on(async { tokio::time::timeout(TICK, arrivals.recv()).await });
            let now = self.clock.now();
            let mut effects = match arrival {
                Ok(Some(inbound)) => self.open(inbound, runtime),
                Ok(None) => return,
                Err(_) => Vec::new(),
            };
            let quiet = self.door.tick(self.delivery.is_answered(), now.uptime);
            self.ask_again(quiet);
            effects.extend(self.updates.on_time(now));
            effects.into_iter().for_each(|effect| self.carry_out(effect));
            self.orders.tick(runtime);
            self.muster.tick(self.hotlist.date(now.wall));
            self.tell_of_manual_entries();
        }
    }

    fn open(&mut self, inbound: Inbound, runtime: &Handle) -> Vec<Effect> {
        match &inbound.topic {
            Topic::List(..) if !self.door.admits() => Vec::new(),
            Topic::List(..) => {
                self.updates.on_message(&inbound.topic.to_string(), &inbound.payload, self.clock.now())
            }
            Topic::Unit(_, UnitTopic::Memory) => {
                let effects = self.updates.remember(&inbound.payload, self.clock.now());
                let came = self.door.remembered();
                self.ask_again(came);
                effects
            }
            Topic::Unit(_, UnitTopic::ManualEntries) => {
                self.manual_message(&inbound.payload);
                Vec::new()
            }
            Topic::Unit(_, UnitTopic::CommandMemory) => {
                self.orders.recall(&inbound.payload, runtime);
                Vec::new()
            }
            Topic::Unit(_, UnitTopic::Answers) => {
                self.answers.heard(&inbound.payload);
                Vec::new()
            }
            Topic::Unit(_, UnitTopic::Commands) => {
                self.orders.take(inbound, runtime);
                Vec::new()
            }
            Topic::Roster(_) => {
                let now = self.clock.now();
                self.muster.take(&inbound.payload, now, self.hotlist.date(now.wall));
                Vec::new()
            }
            Topic::Unit(_, UnitTopic::RosterMemory) => {
                let now = self.clock.now();
                self.muster.recall(&inbound.payload, now, self.hotlist.date(now.wall));
                Vec::new()
            }
            // Delivery hands on nothing else.
            Topic::Unit(..) => Vec::new(),
        }
    }

    fn ask_again(&self, AskAgain(again): AskAgain) {
        if again {
            self.updates.subscriptions().into_iter().for_each(|filter| self.delivery.subscribe(filter));
        }
    }

    fn manual_message(&mut self, payload: &[u8]) {
        match self.hotlist.manual_message(payload, &self.unit, self.clock.now().wall) {
            Ok(Some((change, by))) => {
                info!(by = %by.name, "a manual entry, by signed message");
                self.manual.note(Who::Person(by.name), &change, self.clock.now());
            }
            Ok(None) => {}
            Err(why) => {
                let what = "a message about a manual entry";
                if let Some(why) = self.refused_entries.tell(what, why.to_string(), self.clock.now()) {
                    self.audit.note(Who::Unit, Event::ManualMessageRefused { why });
                }
            }
        }
    }

    fn tell_of_manual_entries(&self) {
        match self.hotlist.manual_due(self.clock.now().wall) {
            Ok(due) => due.iter().for_each(|change| self.manual.note(Who::Unit, change, self.clock.now())),
            Err(error) => error!(%error, "the manual entries could not be stored"),
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Subscribe(filter) => self.delivery.subscribe(filter),
            Effect::Unsubscribe(filter) => self.delivery.unsubscribe(filter),
            Effect::Installed(installed) => {
                self.delivery.remember(self.updates.memory());
                let version = installed.version;
                info!(list = %version.list, version = version.version, entries = installed.entries, "a hot list is in force");
                let event = Event::ListChanged {
                    list: version.list,
                    version: version.version,
                    entries: installed.entries,
                };
                self.audit.note(Who::Unit, event);
            }
            Effect::Refused { list, why } => {
                let what =
                    list.as_ref().map_or("a list message".to_owned(), |list| format!("the list {list}"));
                let told = self.refused_lists.tell(&what, why.to_string(), self.clock.now());
                if let (Some(list), Some(why)) = (list, told) {
                    self.audit.note(Who::Unit, Event::ListRefused { list, why });
                }
            }
        }
    }
}
