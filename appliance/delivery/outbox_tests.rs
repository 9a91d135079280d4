use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use proptest::prelude::*;

use super::{Limits, Outbox, Pick, SETTLED};
use crate::delivery::shelf::Kind;
use crate::words::RecordId;

const TIMEOUT: Duration = Duration::from_secs(60);

fn limits() -> Limits {
    Limits {
        window: 4,
        unreceipted: 8_000,
        receipt_timeout: TIMEOUT,
        batch_records: 3,
        batch_wait: Duration::from_secs(2),
    }
}

/// A store, a broker and a receiver, each a plain list, around the outbox under test.
struct World {
    outbox: Outbox,
    now: Duration,
    /// Not yet purged; true once published.
    store: BTreeMap<RecordId, (Kind, bool)>,
    /// Submitted, without a packet id yet.
    client: VecDeque<Vec<RecordId>>,
    /// At the broker, which acknowledges in order.
    unacknowledged: VecDeque<(u16, Vec<RecordId>)>,
    next_packet: u16,
    receiver: BTreeMap<RecordId, u32>,
    order: Vec<Kind>,
}

impl World {
    fn new() -> Self {
        let mut world = Self {
            outbox: Outbox::new(limits()),
            now: Duration::ZERO,
            store: BTreeMap::new(),
            client: VecDeque::new(),
            unacknowledged: VecDeque::new(),
            next_packet: 0,
            receiver: BTreeMap::new(),
            order: Vec::new(),
        };
        world.outbox.link_up(true, world.now);
        world
    }

    fn put(&mut self, kind: Kind) -> RecordId {
        let id = RecordId::new();
        self.store.insert(id, (kind, false));
        id
    }

    /// Submits all that the outbox lets go; returns when it wants to be asked again.
    fn fill(&mut self) -> Option<Duration> {
        loop {
            let store = &self.store;
            let waiting = |kind, limit| {
                let of_kind = store.iter().filter(|(_, (of, published))| *of == kind && !published);
                of_kind.take(limit).map(|(id, _)| *id).collect()
            };
            match self.outbox.pick(self.now, waiting) {
                Pick::Wait { until } => return until,
                Pick::Send { kind, records } => {
                    assert!(!records.is_empty());
                    self.order.push(kind);
                    self.outbox.submitted(kind, records.clone(), 1000 * records.len(), self.now);
                    self.client.push_back(records);
                }
            }
        }
    }

    fn send_one(&mut self) {
        let Some(records) = self.client.pop_front() else { return };
        self.next_packet = self.next_packet % 64 + 1;
        self.outbox.sent(self.next_packet);
        self.unacknowledged.push_back((self.next_packet, records));
    }

    fn acknowledge_one(&mut self) {
        let Some((packet, records)) = self.unacknowledged.pop_front() else { return };
        for id in &records {
            *self.receiver.entry(*id).or_default() += 1;
        }
        for id in self.outbox.acknowledged(packet, self.now) {
            if let Some(record) = self.store.get_mut(&id) {
                record.1 = true;
            }
        }
    }

    /// The receiver answers for one record that it has.
    fn receipt_one(&mut self, which: usize) {
        if let Some(id) = self.receiver.keys().nth(which % self.receiver.len().max(1)).copied() {
            self.store.remove(&id);
            self.outbox.received(id, self.now);
        }
    }

    /// What reached the broker before the break may or may not have been taken by it.
    fn lose_link(&mut self, taken: usize) {
        self.restart_broker(taken, true);
    }

    /// As [`Self::lose_link`]; the broker may have forgotten the session.
    fn restart_broker(&mut self, taken: usize, session: bool) {
        for (_, records) in self.unacknowledged.drain(..).take(taken) {
            for id in records {
                *self.receiver.entry(id).or_default() += 1;
            }
        }
        self.client.clear();
        self.outbox.link_lost();
        self.outbox.link_up(session, self.now);
    }

    fn settle(&mut self) {
        while !self.client.is_empty() || !self.unacknowledged.is_empty() {
            self.send_one();
            self.acknowledge_one();
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Put(usize),
    Send,
    Acknowledge,
    Receipt(usize),
    LoseLink(usize),
    RestartBroker(usize),
    Pass(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (0..Kind::ALL.len()).prop_map(Step::Put),
        3 => Just(Step::Send),
        3 => Just(Step::Acknowledge),
        2 => any::<usize>().prop_map(Step::Receipt),
        1 => (0..5usize).prop_map(Step::LoseLink),
        1 => (0..5usize).prop_map(Step::RestartBroker),
        1 => (1..100u64).prop_map(Step::Pass),
    ];
    prop::collection::vec(step, 0..200)
}

proptest! {
    /// Whatever happens on the way: the window holds, nothing is lost, and in the end nothing is kept.
    #[test]
    fn every_record_reaches_the_receiver_and_is_let_go(steps in steps()) {
        let mut world = World::new();
        let mut all = BTreeSet::new();
        for step in steps {
            match step {
                Step::Put(kind) => { all.insert(world.put(Kind::ALL[kind])); }
                Step::Send => world.send_one(),
                Step::Acknowledge => world.acknowledge_one(),
                Step::Receipt(which) => world.receipt_one(which),
                Step::LoseLink(taken) => world.lose_link(taken),
                Step::RestartBroker(taken) => world.restart_broker(taken, false),
                Step::Pass(seconds) => world.now += Duration::from_secs(seconds),
            }
            world.fill();
            prop_assert!(world.outbox.in_flight() <= limits().window);
            prop_assert_eq!(world.outbox.in_flight(), world.client.len() + world.unacknowledged.len());
        }
        for _ in 0..2000 {
            if world.store.is_empty() {
                break;
            }
            world.fill();
            world.settle();
            for which in 0..world.receiver.len() {
                world.receipt_one(which);
            }
            world.now += Duration::from_secs(2);
        }
        prop_assert!(world.store.is_empty(), "left without a receipt: {:?}", world.store);
        prop_assert!(world.receiver.keys().eq(all.iter()));
        world.fill();
        world.settle();
        prop_assert_eq!(world.outbox.in_flight() + world.outbox.awaiting_receipt(), 0);
        prop_assert!(world.outbox.entries.is_empty() && world.outbox.again.is_empty());
        prop_assert_eq!((world.outbox.bulk_bytes, world.outbox.awaiting_bulk), (0, 0));
    }
}

#[test]
fn an_alert_goes_before_everything_and_finds_the_window_open() {
    let mut world = World::new();
    for _ in 0..10 {
        world.put(Kind::ReadPicture);
    }
    world.put(Kind::HealthChange);
    world.fill();
    assert_eq!(world.order, [Kind::HealthChange, Kind::ReadPicture, Kind::ReadPicture]);
    world.put(Kind::AlertPicture);
    world.put(Kind::Alert);
    world.fill();
    assert_eq!(world.order[3..], [Kind::Alert], "pictures wait for room, the alert does not");
}

#[test]
fn reads_wait_for_company_but_not_for_long() {
    let mut world = World::new();
    world.put(Kind::Read);
    let ripe = world.now + limits().batch_wait;
    assert_eq!(world.fill(), Some(ripe));
    world.put(Kind::Read);
    world.put(Kind::Read);
    world.fill();
    assert_eq!(world.client, [world.store.keys().copied().collect::<Vec<_>>()], "a full batch goes at once");
    let late = world.put(Kind::Read);
    world.fill();
    world.now += limits().batch_wait;
    world.fill();
    assert_eq!(world.client.back(), Some(&vec![late]));
}

#[test]
fn a_missing_receipt_sends_the_record_again_and_later_each_time() {
    let mut world = World::new();
    let id = world.put(Kind::Alert);
    world.fill();
    world.settle();
    assert_eq!(world.fill(), Some(TIMEOUT));
    world.now = TIMEOUT;
    world.fill();
    assert_eq!(world.client.len(), 1, "sent again");
    assert_eq!(world.outbox.sendings(id), 2);
    world.settle();
    assert_eq!(world.fill(), Some(TIMEOUT + 2 * TIMEOUT));
}

#[test]
fn what_may_have_gone_down_with_the_broker_is_sent_again_soon_but_only_once() {
    let mut world = World::new();
    let (lost, receipted) = (world.put(Kind::Alert), world.put(Kind::Alert));
    world.fill();
    world.settle();
    world.lose_link(0);
    assert_eq!(world.fill(), Some(SETTLED), "what queued at the broker may come");
    world.now = SETTLED / 2;
    world.outbox.received(receipted, world.now);
    assert_eq!(world.fill(), Some(world.now + SETTLED), "it comes");
    world.now += SETTLED;
    world.fill();
    assert_eq!(world.client, [vec![lost]]);
    world.settle();
    world.lose_link(0);
    assert_eq!(world.fill(), Some(world.now + 2 * TIMEOUT), "sent twice, it waits for its time");
}

#[test]
fn a_broker_that_forgot_the_session_is_sent_everything_again_at_once() {
    let mut world = World::new();
    let id = world.put(Kind::Alert);
    world.fill();
    world.settle();
    world.restart_broker(0, false);
    world.fill();
    assert_eq!(world.client, [vec![id]]);
}

#[test]
fn a_silent_receiver_is_asked_with_one_record_and_then_trusted_again() {
    let mut world = World::new();
    for _ in 0..6 {
        world.put(Kind::Alert);
        world.fill();
        world.settle();
    }
    world.now = 3 * TIMEOUT;
    world.fill();
    assert_eq!(world.client.len(), 1, "six are overdue, one goes");
    world.settle();
    world.receipt_one(0);
    assert_eq!(world.fill(), Some(world.now + TIMEOUT), "the others get their time");
}

#[test]
fn a_receiver_that_has_just_come_is_sent_all_that_waited_for_one() {
    let mut world = World::new();
    for _ in 0..4 {
        world.put(Kind::Alert);
        world.fill();
        world.settle();
    }
    world.now = TIMEOUT / 10;
    world.fill();
    assert_eq!((world.client.len(), world.outbox.awaiting_receipt()), (0, 4));
    assert_eq!(world.outbox.receiver_came(world.now), 4);
    world.fill();
    assert_eq!((world.client.len(), world.outbox.awaiting_receipt()), (4, 0));
    assert_eq!(world.outbox.receiver_came(world.now), 0, "what is under way goes on");
}

#[test]
fn without_receipts_bulk_stops_and_alerts_do_not() {
    let mut world = World::new();
    for _ in 0..30 {
        world.put(Kind::Audit);
    }
    for _ in 0..5 {
        world.fill();
        world.settle();
    }
    assert_eq!(world.outbox.awaiting_receipt(), 9, "eight may wait, in threes");
    world.put(Kind::Alert);
    world.fill();
    assert_eq!(world.client.len(), 1);
}

#[test]
fn a_differing_digest_sends_the_record_again_at_once_but_only_once() {
    let mut world = World::new();
    let id = world.put(Kind::Alert);
    world.fill();
    world.settle();
    world.outbox.differs(id);
    world.fill();
    assert_eq!(world.client, [vec![id]]);
    world.outbox.differs(RecordId::new());
    assert_eq!(world.outbox.in_flight(), 1, "an unknown record changes nothing");
    world.settle();
    world.outbox.differs(id);
    assert_eq!(world.fill(), Some(world.now + 2 * TIMEOUT), "then in its time");
}

#[test]
fn what_cannot_be_sent_blocks_nothing_and_is_tried_at_the_next_connection() {
    let mut world = World::new();
    let (unfit, fit) = (world.put(Kind::HealthChange), world.put(Kind::HealthChange));
    world.outbox.unfit(Kind::HealthChange, unfit);
    world.fill();
    assert_eq!(world.client, [vec![fit]]);
    world.settle();
    world.lose_link(0);
    world.fill();
    assert_eq!(world.client, [vec![unfit]]);
}
