//! The decisions about versions: what to take, what to wait for, what to refuse. No I/O, no store.
//!
//! A list is *held* at a version, or not at all. A manifest may be *awaited* (deltas may lead there, which
//! costs less than its chunks) or *fetched*. Deltas that are early are kept, within bounds, until their base
//! is held. Versions only rise: what was once in force is never undercut, across restarts.

use std::collections::BTreeMap;
use std::time::Duration;

use super::delta::Delta;
use super::message::Manifest;
use super::refusal::Refusal;
use crate::crypto::KeyId;
use crate::words::Moment;

/// Early deltas kept for one list.
const EARLY_MAX: usize = 256;
/// Entries and removals in all of them together: about 20 MB at worst.
const EARLY_CHANGES_MAX: usize = 20_000;
/// How long nothing of what was asked for may arrive before it is asked for again.
const ASK_AGAIN: Duration = Duration::from_secs(30);
/// How long to leave a disk or a clock alone before trying once more what it made fail.
const TRY_AGAIN: Duration = Duration::from_secs(300);

/// Where one list stands.
#[derive(Debug)]
pub struct Progress {
    held: Option<u64>,
    /// Ever in force.
    highest: u64,
    /// The highest manifest accepted.
    manifest: u64,
    /// Versions whose content was no good; asking for them again would only bring the same.
    refused: Vec<u64>,
    pending: Option<Pending>,
    early: BTreeMap<u64, (Delta, KeyId)>,
    catch_up_wait: Duration,
    try_again_at: Option<Duration>,
    /// Since when early deltas wait without anything else on its way.
    gap_since: Option<Duration>,
    gap_told: bool,
}

#[derive(Debug)]
struct Pending {
    manifest: Manifest,
    by: KeyId,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Stage {
    /// Deltas may come until this uptime.
    AwaitingDeltas { until: Duration },
    /// Chunks were asked for; the last sign of progress was at this uptime.
    Fetching { since: Duration },
}

/// What is to be done about a message, or about the time.
#[derive(Debug)]
pub enum Decision {
    /// Known already, or none of this unit's business.
    Ignore,
    Refuse(Refusal),
    /// It was taken note of; nothing to do yet.
    Wait,
    /// Begin to gather this edition's chunks.
    Fetch(Manifest, KeyId),
    /// The chunks of this version do not come: ask for them again.
    AskForChunks(u64),
    /// All chunks are there: put the edition in force.
    Install,
    /// Put this step in force.
    Apply(Delta, KeyId),
    /// Ask for manifest and deltas again.
    AskAnew,
}

impl Progress {
    pub fn new(held: Option<u64>, highest: u64, manifest: u64, catch_up_wait: Duration) -> Self {
        Self {
            held,
            highest,
            manifest,
            refused: Vec::new(),
            pending: None,
            early: BTreeMap::new(),
            catch_up_wait,
            try_again_at: None,
            gap_since: None,
            gap_told: false,
        }
    }

    pub fn manifest(&self) -> u64 {
        self.manifest
    }

    /// A version that was in force before the storage was restored; true if that is news. A broker that kept the
    /// session hands out what it queued before it says this: what is older and on its way is dropped.
    pub fn remember(&mut self, highest: u64) -> bool {
        let news = highest > self.highest;
        self.highest = self.highest.max(highest);
        self.pending.take_if(|pending| pending.manifest.version < highest);
        self.early.retain(|_, (delta, _)| delta.version >= highest);
        news
    }

    pub fn held(&self) -> Option<u64> {
        self.held
    }

    /// The version that is on its way, if any.
    pub fn pending(&self) -> Option<u64> {
        self.pending.as_ref().map(|pending| pending.manifest.version)
    }

    pub fn on_manifest(&mut self, manifest: Manifest, by: KeyId, now: Moment) -> Decision {
        let offered = manifest.version;
        if self.held.is_some_and(|held| offered <= held) {
            // The manifest from which deltas led on stays on the broker, and comes at every connect.
            if offered < self.manifest {
                return Decision::Refuse(Refusal::Older { offered, seen: self.highest });
            }
            self.manifest = offered;
            return Decision::Ignore;
        }
        if offered < self.highest {
            return Decision::Refuse(Refusal::Older { offered, seen: self.highest });
        }
        if self.refused.contains(&offered) {
            return Decision::Refuse(Refusal::RefusedBefore { version: offered });
        }
        if let Some(pending) = &self.pending {
            let seen = pending.manifest.version;
            if offered < seen {
                return Decision::Refuse(Refusal::Older { offered, seen });
            }
            if offered == seen {
                return if pending.manifest == manifest {
                    Decision::Ignore
                } else {
                    Decision::Refuse(Refusal::TwoEditions { version: offered })
                };
            }
        }
        let deltas_lead_here = match (self.held, manifest.base) {
            (Some(held), Some(base)) => held >= base,
            _ => false,
        };
        if deltas_lead_here {
            let until = now.uptime + self.catch_up_wait;
            self.pending = Some(Pending { manifest, by, stage: Stage::AwaitingDeltas { until } });
            return Decision::Wait;
        }
        let stage = Stage::Fetching { since: now.uptime };
        self.pending = Some(Pending { manifest: manifest.clone(), by: by.clone(), stage });
        Decision::Fetch(manifest, by)
    }

    pub fn on_delta(&mut self, delta: Delta, by: KeyId) -> Decision {
        if self.refused.contains(&delta.version) {
            return Decision::Refuse(Refusal::RefusedBefore { version: delta.version });
        }
        let early = match self.held {
            // A step between versions that this unit has left behind, before its storage was restored.
            _ if delta.version < self.highest => return Decision::Ignore,
            Some(held) if delta.base == held => return Decision::Apply(delta, by),
            // In force already, or a leap from a version that this unit has passed: for other units.
            Some(held) => delta.base > held,
            None => delta.version > self.highest,
        };
        if !early || self.early.contains_key(&delta.base) {
            return Decision::Ignore;
        }
        let changes = |delta: &Delta| delta.add.len() + delta.remove.len();
        let kept: usize = self.early.values().map(|(delta, _)| changes(delta)).sum();
        if self.early.len() >= EARLY_MAX || kept + changes(&delta) > EARLY_CHANGES_MAX {
            return Decision::Refuse(Refusal::TooManyWaiting { held: self.held.unwrap_or(0) });
        }
        self.early.insert(delta.base, (delta, by));
        Decision::Wait
    }

    /// Whether a chunk of this version is wanted now; if so it counts as a sign of progress.
    pub fn wants_chunk(&mut self, version: u64, now: Moment) -> bool {
        match &mut self.pending {
            Some(Pending { manifest, stage: Stage::Fetching { since }, .. })
                if manifest.version == version =>
            {
                *since = now.uptime;
                true
            }
            _ => false,
        }
    }

    /// Whether a chunk of this version may be wanted once its manifest has come.
    pub fn may_want_chunk(&self, version: u64) -> bool {
        self.held.is_none_or(|held| version > held)
            && version >= self.highest
            && self.pending().is_none_or(|pending| version >= pending)
            && !self.refused.contains(&version)
    }

    /// A version is in force now; says whether a delta that came early fits next.
    pub fn installed(&mut self, version: u64) -> Decision {
        self.held = Some(version);
        self.highest = self.highest.max(version);
        self.gap_since = None;
        self.gap_told = false;
        self.early.retain(|&base, _| base >= version);
        if let Some(pending) = self.pending.take_if(|pending| pending.manifest.version <= version) {
            self.manifest = self.manifest.max(pending.manifest.version);
        }
        match self.early.remove(&version) {
            Some((delta, by)) => Decision::Apply(delta, by),
            None => Decision::Ignore,
        }
    }

    /// This version cannot be put in force. `for_good`: its content is wrong; else trying again may help.
    pub fn failed(&mut self, version: u64, for_good: bool, now: Moment) {
        self.pending.take_if(|pending| pending.manifest.version == version);
        if for_good {
            self.refused.push(version);
        } else {
            self.try_again(now);
        }
    }

    /// Something was refused that may pass later.
    pub fn try_again(&mut self, now: Moment) {
        self.try_again_at.get_or_insert(now.uptime + TRY_AGAIN);
    }

    pub fn on_time(&mut self, now: Moment) -> Decision {
        if self.try_again_at.is_some_and(|at| at <= now.uptime) {
            self.try_again_at = None;
            return Decision::AskAnew;
        }
        let Some(pending) = &mut self.pending else { return self.gap(now) };
        match pending.stage {
            Stage::AwaitingDeltas { until } if until <= now.uptime => {
                pending.stage = Stage::Fetching { since: now.uptime };
                Decision::Fetch(pending.manifest.clone(), pending.by.clone())
            }
            Stage::Fetching { since } if since + ASK_AGAIN <= now.uptime => {
                pending.stage = Stage::Fetching { since: now.uptime };
                Decision::AskForChunks(pending.manifest.version)
            }
            _ => Decision::Ignore,
        }
    }

    /// Deltas that wait for one that does not come leave the unit behind: that must be said, once.
    fn gap(&mut self, now: Moment) -> Decision {
        let Some((&base, _)) = self.early.first_key_value() else {
            self.gap_since = None;
            return Decision::Ignore;
        };
        let since = *self.gap_since.get_or_insert(now.uptime);
        if self.gap_told || since + self.catch_up_wait > now.uptime {
            return Decision::Ignore;
        }
        self.gap_told = true;
        Decision::Refuse(Refusal::Gap { held: self.held, base })
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;
    use crate::crypto::SigningKey;
    use crate::hotlist::message::digest_of_chunks;
    use crate::words::ListName;

    fn at(seconds: u64) -> Moment {
        Moment { uptime: Duration::from_secs(seconds), wall: Timestamp::UNIX_EPOCH }
    }

    fn by() -> KeyId {
        static KEY: std::sync::OnceLock<KeyId> = std::sync::OnceLock::new();
        KEY.get_or_init(|| SigningKey::generate().verifying_key().id()).clone()
    }

    fn manifest(version: u64, base: Option<u64>) -> Manifest {
        Manifest {
            list: ListName::parse("state").unwrap(),
            version,
            base,
            issued: Timestamp::UNIX_EPOCH,
            expires: None,
            count: 0,
            digest: digest_of_chunks(&[]),
            chunks: vec![],
        }
    }

    fn delta(base: u64, version: u64) -> Delta {
        Delta {
            list: ListName::parse("state").unwrap(),
            base,
            version,
            issued: Timestamp::UNIX_EPOCH,
            expires: None,
            count: 0,
            remove: vec![],
            add: vec![],
        }
    }

    fn holding(version: u64) -> Progress {
        Progress::new(Some(version), version, version, Duration::from_secs(10))
    }

    #[test]
    fn a_unit_without_the_list_fetches_at_once() {
        let mut progress = Progress::new(None, 0, 0, Duration::from_secs(10));
        assert!(matches!(progress.on_manifest(manifest(5, Some(4)), by(), at(0)), Decision::Fetch(..)));
        assert!(progress.wants_chunk(5, at(1)));
        assert!(!progress.wants_chunk(4, at(1)));
    }

    #[test]
    fn deltas_in_any_order_spare_the_snapshot() {
        let mut progress = holding(5);
        assert!(matches!(progress.on_manifest(manifest(8, Some(4)), by(), at(0)), Decision::Wait));
        assert!(matches!(progress.on_delta(delta(7, 8), by()), Decision::Wait));
        assert!(matches!(progress.on_delta(delta(6, 7), by()), Decision::Wait));
        assert!(matches!(progress.on_delta(delta(5, 6), by()), Decision::Apply(..)));
        assert!(matches!(progress.installed(6), Decision::Apply(next, _) if next.version == 7));
        assert!(matches!(progress.installed(7), Decision::Apply(next, _) if next.version == 8));
        assert!(matches!(progress.installed(8), Decision::Ignore));
        assert!(matches!(progress.on_time(at(60)), Decision::Ignore), "nothing is left to fetch");
    }

    #[test]
    fn a_gap_in_the_deltas_ends_in_the_snapshot() {
        let mut progress = holding(5);
        assert!(matches!(progress.on_manifest(manifest(8, Some(4)), by(), at(0)), Decision::Wait));
        assert!(matches!(progress.on_delta(delta(6, 7), by()), Decision::Wait));
        assert!(matches!(progress.on_time(at(9)), Decision::Ignore));
        assert!(matches!(progress.on_time(at(10)), Decision::Fetch(..)));
        assert!(matches!(progress.on_time(at(39)), Decision::Ignore));
        assert!(matches!(progress.on_time(at(40)), Decision::AskForChunks(8)));
    }

    #[test]
    fn a_gap_without_a_snapshot_to_come_is_told_once() {
        let mut progress = holding(5);
        assert!(matches!(progress.on_delta(delta(7, 8), by()), Decision::Wait));
        assert!(matches!(progress.on_time(at(1)), Decision::Ignore));
        assert!(matches!(progress.on_time(at(10)), Decision::Ignore));
        let told = progress.on_time(at(11));
        assert!(matches!(told, Decision::Refuse(Refusal::Gap { held: Some(5), base: 7 })), "{told:?}");
        assert!(matches!(progress.on_time(at(60)), Decision::Ignore), "told once");
        assert!(matches!(progress.on_delta(delta(5, 7), by()), Decision::Apply(..)));
        assert!(matches!(progress.installed(7), Decision::Apply(..)), "what waited is not lost");
    }

    #[test]
    fn an_older_edition_is_refused_and_the_known_one_ignored() {
        let mut progress = holding(5);
        assert!(matches!(progress.on_manifest(manifest(5, None), by(), at(0)), Decision::Ignore));
        assert!(matches!(
            progress.on_manifest(manifest(4, None), by(), at(0)),
            Decision::Refuse(Refusal::Older { offered: 4, seen: 5 })
        ));
        progress.installed(9);
        assert!(matches!(progress.on_manifest(manifest(5, None), by(), at(0)), Decision::Ignore));
    }

    #[test]
    fn a_bad_edition_is_not_fetched_twice_and_a_full_disk_is_tried_again() {
        let mut progress = holding(5);
        progress.on_manifest(manifest(6, None), by(), at(0));
        progress.failed(6, true, at(1));
        assert!(matches!(
            progress.on_manifest(manifest(6, None), by(), at(2)),
            Decision::Refuse(Refusal::RefusedBefore { version: 6 })
        ));
        progress.on_manifest(manifest(7, None), by(), at(3));
        progress.failed(7, false, at(4));
        assert!(matches!(progress.on_time(at(303)), Decision::Ignore));
        assert!(matches!(progress.on_time(at(304)), Decision::AskAnew));
        assert!(matches!(progress.on_manifest(manifest(7, None), by(), at(305)), Decision::Fetch(..)));
    }

    #[derive(Debug, Clone)]
    enum Event {
        Manifest(u64, Option<u64>),
        Delta(u64, u64),
        FetchSucceeds,
        FetchFails,
        Restart,
        Later,
    }

    fn events() -> impl Strategy<Value = Event> {
        prop_oneof![
            (1..12u64, proptest::option::of(0..11u64))
                .prop_map(|(v, b)| Event::Manifest(v, b.filter(|&b| b < v))),
            (0..11u64, 1..4u64).prop_map(|(base, step)| Event::Delta(base, base + step)),
            Just(Event::FetchSucceeds),
            Just(Event::FetchFails),
            Just(Event::Restart),
            Just(Event::Later),
        ]
    }

    proptest! {
        /// The plain model is one number, the version held: it may change only upwards, by a fetched edition
        /// or by a delta whose base it is; and what is offered above it must not be lost for ever.
        #[test]
        fn versions_behave_like_one_rising_number(events in proptest::collection::vec(events(), 0..60)) {
            let wait = Duration::from_secs(10);
            let mut model: Option<u64> = None;
            let mut progress = Progress::new(None, 0, 0, wait);
            let mut fetching: Option<u64> = None;
            let mut clock = 0;
            for event in events {
                clock += 1;
                let mut decision = match event {
                    Event::Manifest(version, base) => {
                        let decision = progress.on_manifest(manifest(version, base), by(), at(clock));
                        if model.is_some_and(|held| version <= held) {
                            prop_assert!(matches!(decision, Decision::Ignore | Decision::Refuse(_)));
                        }
                        decision
                    }
                    Event::Delta(base, version) => {
                        let decision = progress.on_delta(delta(base, version), by());
                        if model == Some(base) && !progress.refused.contains(&version) {
                            prop_assert!(matches!(decision, Decision::Apply(..)));
                        }
                        decision
                    }
                    Event::FetchSucceeds => match fetching.take().filter(|&v| progress.wants_chunk(v, at(clock))) {
                        Some(version) => {
                            prop_assert!(model.is_none_or(|held| version > held));
                            model = Some(version);
                            progress.installed(version)
                        }
                        None => Decision::Ignore,
                    },
                    Event::FetchFails => {
                        if let Some(version) = fetching.take() {
                            progress.failed(version, true, at(clock));
                        }
                        Decision::Ignore
                    }
                    Event::Restart => {
                        let held = model.unwrap_or(0);
                        progress = Progress::new(model, held, held, wait);
                        fetching = None;
                        Decision::Ignore
                    }
                    Event::Later => {
                        clock += 60;
                        progress.on_time(at(clock))
                    }
                };
                loop {
                    decision = match decision {
                        Decision::Apply(delta, _) => {
                            prop_assert_eq!(model, Some(delta.base));
                            model = Some(delta.version);
                            progress.installed(delta.version)
                        }
                        Decision::Fetch(manifest, _) => {
                            prop_assert!(model.is_none_or(|held| manifest.version > held));
                            fetching = Some(manifest.version);
                            break;
                        }
                        Decision::AskForChunks(version) => {
                            prop_assert_eq!(progress.pending(), Some(version));
                            break;
                        }
                        _ => break,
                    };
                }
                prop_assert_eq!(progress.held, model);
            }
        }
    }
}
