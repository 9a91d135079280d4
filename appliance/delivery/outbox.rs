use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use super::pace::Pace;
use super::shelf::Kind;
use crate::words::RecordId;

/// What may be under way at once, and how long it may stay there.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Messages submitted and not acknowledged by the broker.
    pub window: usize,
    /// Bytes acknowledged by the broker without a receipt, alerts not counted. What queues at the broker for a
    /// slow receiver stands in front of the next alert.
    pub unreceipted: usize,
    pub receipt_timeout: Duration,
    pub batch_records: usize,
    pub batch_wait: Duration,
}

/// Decides what is sent next, and remembers what was sent until its receipt. Does no I/O.
///
/// A record that is not held here is the store's alone. Once submitted it is `Flying` until the broker's
/// acknowledgement, then `Awaiting` its receipt. A lost connection, a receipt that does not come, or one
/// with another digest makes it `Again`. Only a receipt ends it.
///
/// The caller keeps the order: for each message handed to the MQTT client one `submitted`, then in the same
/// order one `sent` with its packet id, then `acknowledged`. Each connection begins with a fresh client, so
/// packet ids never outlive `link_lost`.
pub struct Outbox {
    limits: Limits,
    pace: Pace,
    entries: HashMap<RecordId, Entry>,
    /// Of the awaiting ones: when each is to be sent again.
    due: BTreeSet<(Duration, RecordId)>,
    again: BTreeSet<(Kind, RecordId)>,
    /// Handed to the client, which has not told the packet id yet.
    unsent: VecDeque<Flight>,
    sent: HashMap<u16, Flight>,
    bulk_bytes: usize,
    /// Since when less than a full batch waits, by kind.
    batch_since: HashMap<Kind, Duration>,
    last_receipt: Duration,
    next_probe: Duration,
    awaiting_bulk: usize,
    /// Sent once, over an earlier connection, and without a receipt: a broker that was restarted since may have lost
    /// the receipt, or the record.
    doubted: BTreeSet<RecordId>,
    /// When those are sent again, if no receipt for one of them comes before.
    doubted_until: Duration,
}

struct Entry {
    kind: Kind,
    held: Held,
    sendings: u32,
    /// Its share of the message that it went in.
    bytes: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Held {
    Flying,
    Awaiting {
        due: Duration,
    },
    Again,
    /// The store could not hand it out, or it is larger than a packet may be. Tried anew at the next connection.
    Unfit,
}

struct Flight {
    records: Vec<RecordId>,
    /// None for what is no record: birth, health.
    kind: Option<Kind>,
    bytes: usize,
    since: Duration,
}

/// What to do now.
#[derive(Debug, PartialEq, Eq)]
pub enum Pick {
    /// Fetch these and submit what of them fits into one message. At least one.
    Send { kind: Kind, records: Vec<RecordId> },
    /// Nothing, until something happens or this time has come.
    Wait { until: Option<Duration> },
}

/// A time-out for a receipt doubles with each sending, up to this: a receiver that is down for a week must not
/// find a week's worth of doubles in the broker's queue.
const RECEIPT_TIMEOUT_MOST: Duration = Duration::from_secs(3600);

/// What queued at the broker for us comes as soon as the link is up. Once nothing has come for so long, what still has no
/// receipt may have gone down with the broker. It is then sent again, once: a link that comes and goes must not double
/// everything each time.
const SETTLED: Duration = Duration::from_secs(5);

impl Outbox {
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            pace: Pace::new(),
            entries: HashMap::new(),
            due: BTreeSet::new(),
            again: BTreeSet::new(),
            unsent: VecDeque::new(),
            sent: HashMap::new(),
            bulk_bytes: 0,
            batch_since: HashMap::new(),
            last_receipt: Duration::ZERO,
            next_probe: Duration::ZERO,
            awaiting_bulk: 0,
            doubted: BTreeSet::new(),
            doubted_until: Duration::ZERO,
        }
    }

    /// A connection stands. Receipts that queued at the broker meanwhile get their time to arrive before
    /// anything is sent again for want of one; where the broker has forgotten the `session` there are none.
    pub fn link_up(&mut self, session: bool, now: Duration) {
        self.last_receipt = now;
        self.postpone_to(now + self.limits.receipt_timeout);
        let sent_once = |id: &RecordId| self.entries.get(id).is_some_and(|entry| entry.sendings == 1);
        self.doubted = self.due.iter().map(|(_, id)| *id).filter(sent_once).collect();
        self.doubted_until = if session { now + SETTLED } else { now };
    }

    /// The connection is gone: everything the broker has not acknowledged is to be submitted again.
    pub fn link_lost(&mut self) {
        for flight in self.unsent.drain(..).chain(self.sent.drain().map(|(_, flight)| flight)) {
            for id in flight.records {
                if let Some(entry) = self.entries.get_mut(&id).filter(|entry| entry.held == Held::Flying) {
                    entry.held = Held::Again;
                    self.again.insert((entry.kind, id));
                }
            }
        }
        self.entries.retain(|_, entry| entry.held != Held::Unfit);
        self.doubted.clear();
        self.bulk_bytes = 0;
        self.pace = Pace::new();
    }

    /// The next message, by priority. `waiting` lists the store's waiting records of a kind, best first.
    pub fn pick(&mut self, now: Duration, mut waiting: impl FnMut(Kind, usize) -> Vec<RecordId>) -> Pick {
        self.expire(now);
        let mut until = self.next_expiry(now);
        for kind in Kind::ALL {
            if !self.admits(kind) {
                continue;
            }
            let most = if kind.is_batched() { self.limits.batch_records } else { 1 };
            let first = (kind, RecordId::from_bytes([0; 16]));
            let again = self.again.range(first..).take_while(|(of, _)| *of == kind);
            let mut records: Vec<RecordId> = again.map(|(_, id)| *id).take(most).collect();
            let urged = !records.is_empty();
            if records.len() < most {
                // What is held without an acknowledgement the store still lists as waiting.
                let listed =
                    |entry: &&Entry| entry.kind == kind && !matches!(entry.held, Held::Awaiting { .. });
                let held = self.entries.values().filter(listed).count();
                let fresh =
                    waiting(kind, held + most).into_iter().filter(|id| !self.entries.contains_key(id));
                records.extend(fresh.take(most - records.len()));
            }
            if records.is_empty() {
                self.batch_since.remove(&kind);
                continue;
            }
            if kind.is_batched() && records.len() < most && !urged {
                let ripe = *self.batch_since.entry(kind).or_insert(now) + self.limits.batch_wait;
                if now < ripe {
                    until = Some(until.map_or(ripe, |until| until.min(ripe)));
                    continue;
                }
            }
            return Pick::Send { kind, records };
        }
        Pick::Wait { until }
    }

    /// One message with these records was handed to the client.
    pub fn submitted(&mut self, kind: Kind, records: Vec<RecordId>, bytes: usize, now: Duration) {
        let share = bytes / records.len().max(1);
        for id in &records {
            self.again.remove(&(kind, *id));
            let fresh = Entry { kind, held: Held::Flying, sendings: 0, bytes: share };
            let entry = self.entries.entry(*id).or_insert(fresh);
            entry.held = Held::Flying;
            entry.bytes = share;
            entry.sendings += 1;
        }
        self.batch_since.remove(&kind);
        if kind != Kind::Alert {
            self.bulk_bytes += bytes;
        }
        self.unsent.push_back(Flight { records, kind: Some(kind), bytes, since: now });
    }

    /// One message that is no record was handed to the client; nobody sends it again.
    pub fn submitted_notice(&mut self, now: Duration) {
        self.unsent.push_back(Flight { records: Vec::new(), kind: None, bytes: 0, since: now });
    }

    /// The client gave the oldest submitted message this packet id.
    pub fn sent(&mut self, packet: u16) {
        if let Some(flight) = self.unsent.pop_front() {
            self.sent.insert(packet, flight);
        }
    }

    /// The broker has taken the message; returns its records that now wait for their receipt.
    pub fn acknowledged(&mut self, packet: u16, now: Duration) -> Vec<RecordId> {
        let Some(flight) = self.sent.remove(&packet) else { return Vec::new() };
        self.pace.acknowledged(flight.bytes, flight.since, now);
        if flight.kind.is_some_and(|kind| kind != Kind::Alert) {
            self.bulk_bytes -= flight.bytes;
        }
        let mut published = flight.records;
        published.retain(|id| {
            // A receipt may have overtaken the acknowledgement.
            let Some(entry) = self.entries.get_mut(id) else { return false };
            if entry.held != Held::Flying {
                return false;
            }
            let doublings = entry.sendings.saturating_sub(1).min(16);
            let timeout = (self.limits.receipt_timeout * (1 << doublings)).min(RECEIPT_TIMEOUT_MOST);
            let due = now + timeout.max(self.limits.receipt_timeout);
            entry.held = Held::Awaiting { due };
            self.due.insert((due, *id));
            if entry.kind != Kind::Alert {
                self.awaiting_bulk += entry.bytes;
            }
            true
        });
        published
    }

    /// The receiver has it: it is no longer ours. False when it was not under way.
    pub fn received(&mut self, id: RecordId, now: Duration) -> bool {
        if self.is_silent(now) {
            // The receiver is back: what it has queued gets its time before more doubles are made.
            self.postpone_to(now + self.limits.receipt_timeout);
        }
        self.last_receipt = now;
        if self.doubted.contains(&id) {
            self.doubted_until = now + SETTLED;
        }
        self.forget(id)
    }

    /// The receiver has just come, and the broker had kept nothing for it: all that waits for a receipt is lost, and sent
    /// again. So many records.
    pub fn receiver_came(&mut self, now: Duration) -> usize {
        self.last_receipt = now;
        let lost: Vec<RecordId> = self.due.iter().map(|(_, id)| *id).collect();
        lost.iter().for_each(|id| self.mark_again(*id));
        lost.len()
    }

    /// The receiver holds something else under this id: sent again at once, the first time. If that does not
    /// mend it, it waits for its time like any other, or two that never agree would fill the link.
    pub fn differs(&mut self, id: RecordId) {
        let Some(entry) = self.entries.get(&id) else { return };
        // While it flies a newer sending is under way already.
        if entry.held != Held::Flying && entry.sendings < 2 {
            self.mark_again(id);
        }
    }

    /// The record cannot be sent (now): it is not picked again over this connection.
    pub fn unfit(&mut self, kind: Kind, id: RecordId) {
        self.again.remove(&(kind, id));
        let entry =
            self.entries.entry(id).or_insert(Entry { kind, held: Held::Unfit, sendings: 0, bytes: 0 });
        entry.held = Held::Unfit;
    }

    /// The store has let go of it.
    pub fn gone(&mut self, id: RecordId) {
        self.forget(id);
    }

    /// How often it was submitted before.
    pub fn sendings(&self, id: RecordId) -> u32 {
        self.entries.get(&id).map_or(0, |entry| entry.sendings)
    }

    pub fn in_flight(&self) -> usize {
        self.unsent.len() + self.sent.len()
    }

    pub fn awaiting_receipt(&self) -> usize {
        self.due.len()
    }

    /// No receipt for so long that the receiver, not a single message, must be at fault.
    pub fn is_silent(&self, now: Duration) -> bool {
        !self.due.is_empty() && now.saturating_sub(self.last_receipt) > 2 * self.limits.receipt_timeout
    }

    fn admits(&self, kind: Kind) -> bool {
        // A quarter of the window is kept for alerts.
        let urgent = kind == Kind::Alert;
        let window = if urgent { self.limits.window } else { self.limits.window.div_ceil(4) * 3 };
        self.in_flight() < window.max(1)
            && (urgent || self.pace.admits(self.bulk_bytes) && self.awaiting_bulk < self.limits.unreceipted)
    }

    /// Marks what has waited too long for its receipt. From a silent receiver one record a time-out is
    /// asked for; the others wait until it answers.
    fn expire(&mut self, now: Duration) {
        if now >= self.doubted_until {
            for id in std::mem::take(&mut self.doubted) {
                self.mark_again(id);
            }
        }
        while let Some(&(due, id)) = self.due.first() {
            if due > now || self.is_silent(now) && now < self.next_probe {
                return;
            }
            self.next_probe = now + self.limits.receipt_timeout;
            self.mark_again(id);
        }
    }

    fn next_expiry(&self, now: Duration) -> Option<Duration> {
        let (due, _) = *self.due.first()?;
        let due = if self.is_silent(now) { due.max(self.next_probe) } else { due };
        Some(if self.doubted.is_empty() { due } else { due.min(self.doubted_until) })
    }

    fn forget(&mut self, id: RecordId) -> bool {
        let Some(entry) = self.entries.remove(&id) else { return false };
        self.release(id, &entry);
        self.doubted.remove(&id);
        true
    }

    fn mark_again(&mut self, id: RecordId) {
        if let Some(mut entry) = self.entries.remove(&id) {
            self.release(id, &entry);
            self.again.insert((entry.kind, id));
            entry.held = Held::Again;
            self.entries.insert(id, entry);
        }
    }

    /// Takes a record out of the set that its state keeps it in.
    fn release(&mut self, id: RecordId, &Entry { kind, held, bytes, .. }: &Entry) {
        match held {
            Held::Awaiting { due } => {
                self.due.remove(&(due, id));
                if kind != Kind::Alert {
                    self.awaiting_bulk -= bytes;
                }
            }
            Held::Again => {
                self.again.remove(&(kind, id));
            }
            Held::Flying | Held::Unfit => {}
        }
    }

    fn set_held(&mut self, id: RecordId, held: Held) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.held = held;
        }
    }

    fn postpone_to(&mut self, earliest: Duration) {
        let early: Vec<_> = self.due.range(..(earliest, RecordId::from_bytes([0; 16]))).copied().collect();
        for (due, id) in early {
            self.due.remove(&(due, id));
            self.due.insert((earliest, id));
            self.set_held(id, Held::Awaiting { due: earliest });
        }
    }
}

#[cfg(test)]
#[path = "outbox_tests.rs"]
mod tests;
