use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;

use super::Follow;
use super::gauge::{Gauge, Told};
use crate::crypto::{Digest, KeyId};
use crate::delivery::{ListTopic, Topic};
use crate::hotlist::{
    self, Decision, Delta, Freshness, ListSummary, ListVersion, Manifest, Progress, Refusal, RefusalNote,
};
use crate::words::Moment;

/// Follows a hot list as a unit does, but for keeping its entries: signatures, digests and versions are checked by the
/// product's own rules, and every byte is counted.
pub struct Follower {
    follow: Follow,
    progress: Progress,
    gauge: Arc<Gauge>,
    held: Option<Held>,
    /// The snapshot whose chunks come, and which of them are still missing.
    fetching: Option<(Manifest, KeyId, BTreeSet<u32>)>,
    last_refusal: Option<RefusalNote>,
    refusals: u64,
}

struct Held {
    version: ListVersion,
    entries: u64,
    expires: Option<Timestamp>,
    installed: Timestamp,
    by: KeyId,
}

/// What the session is to ask the broker for.
#[derive(Debug, PartialEq, Eq)]
pub enum Ask {
    Subscribe(String),
    Unsubscribe(String),
}

impl Follower {
    pub fn new(follow: Follow, gauge: Arc<Gauge>) -> Self {
        let progress = Progress::new(None, 0, 0, hotlist::Config::default().catch_up_wait());
        Self { follow, progress, gauge, held: None, fetching: None, last_refusal: None, refusals: 0 }
    }

    /// What to subscribe to at every connect.
    pub fn subscriptions(&self) -> Vec<String> {
        let list = &self.follow.list.name;
        vec![hotlist::Topic::Manifest(list.clone()).to_string(), hotlist::Topic::all_deltas(list)]
    }

    /// The edition in force.
    pub fn version(&self) -> Option<&ListVersion> {
        self.held.as_ref().map(|held| &held.version)
    }

    pub fn on_message(&mut self, topic: &Topic, payload: &[u8], now: Moment) -> Vec<Ask> {
        let Topic::List(list, topic) = topic else { return Vec::new() };
        // Empty is a retained message that was cleared.
        if *list != self.follow.list.name || payload.is_empty() {
            return Vec::new();
        }
        self.gauge.tell(Told::ListBytes(payload.len()));
        let trusted = &self.follow.list.keys;
        let decision = match topic {
            ListTopic::Manifest => match Manifest::open(payload, list, trusted, now.wall) {
                Ok((manifest, by)) if self.held.is_none() && !self.follow.snapshots => {
                    self.install(&manifest, by, now)
                }
                Ok((manifest, by)) => self.progress.on_manifest(manifest, by, now),
                Err(refusal) => Decision::Refuse(refusal),
            },
            ListTopic::Delta { version } => match Delta::open(payload, list, *version, trusted, now.wall) {
                Ok((delta, by)) => self.progress.on_delta(delta, by),
                Err(refusal) => Decision::Refuse(refusal),
            },
            ListTopic::Chunk { version, index } => self.on_chunk(*version, *index, payload, now),
        };
        self.carry_out(decision, now)
    }

    /// To be called every few seconds.
    pub fn on_time(&mut self, now: Moment) -> Vec<Ask> {
        let decision = self.progress.on_time(now);
        self.carry_out(decision, now)
    }

    fn on_chunk(&mut self, version: u64, index: u32, payload: &[u8], now: Moment) -> Decision {
        if !self.progress.wants_chunk(version, now) {
            return Decision::Ignore;
        }
        let Some((manifest, _, missing)) = &mut self.fetching else { return Decision::Ignore };
        match manifest.chunks.get(index as usize) {
            None => Decision::Refuse(Refusal::NoSuchChunk { version, index }),
            Some(digest) if Digest::of(payload) != *digest => {
                Decision::Refuse(Refusal::Chunk { version, index })
            }
            Some(_) => {
                missing.remove(&index);
                if missing.is_empty() { Decision::Install } else { Decision::Wait }
            }
        }
    }

    fn carry_out(&mut self, mut next: Decision, now: Moment) -> Vec<Ask> {
        let mut asks = Vec::new();
        loop {
            next = match next {
                Decision::Ignore | Decision::Wait => return asks,
                Decision::Refuse(why) => {
                    self.refuse(&why, now);
                    return asks;
                }
                Decision::AskAnew => {
                    asks.extend(self.subscriptions().into_iter().map(Ask::Subscribe));
                    return asks;
                }
                Decision::AskForChunks(version) => {
                    asks.push(Ask::Subscribe(self.chunks(version)));
                    return asks;
                }
                Decision::Fetch(manifest, by) if manifest.chunks.is_empty() => {
                    self.install(&manifest, by, now)
                }
                Decision::Fetch(manifest, by) => {
                    asks.push(Ask::Subscribe(self.chunks(manifest.version)));
                    let missing = (0..).take(manifest.chunks.len()).collect();
                    self.fetching = Some((manifest, by, missing));
                    return asks;
                }
                Decision::Install => match self.fetching.take() {
                    Some((manifest, by, _)) => {
                        asks.push(Ask::Unsubscribe(self.chunks(manifest.version)));
                        self.install(&manifest, by, now)
                    }
                    None => return asks,
                },
                Decision::Apply(delta, by) => {
                    self.gauge.tell(Told::ListStep);
                    let Delta { version, issued, expires, count, .. } = delta;
                    self.hold(version, issued, count, expires, by, now)
                }
            };
        }
    }

    fn install(&mut self, manifest: &Manifest, by: KeyId, now: Moment) -> Decision {
        let &Manifest { version, issued, count, expires, .. } = manifest;
        self.hold(version, issued, count, expires, by, now)
    }

    fn hold(
        &mut self,
        version: u64,
        issued: Timestamp,
        entries: u64,
        expires: Option<Timestamp>,
        by: KeyId,
        now: Moment,
    ) -> Decision {
        if self.held.is_none() {
            self.gauge.tell(Told::ListHeld);
        }
        let list = self.follow.list.name.clone();
        let in_force = ListVersion { list, version, issued };
        self.held = Some(Held { version: in_force, entries, expires, installed: now.wall, by });
        self.progress.installed(version)
    }

    fn refuse(&mut self, why: &Refusal, now: Moment) {
        if why.may_pass_later() {
            self.progress.try_again(now);
        }
        self.gauge.tell(Told::ListRefused);
        self.refusals += 1;
        self.last_refusal = Some(RefusalNote { at: now.wall, why: why.to_string() });
    }

    fn chunks(&self, version: u64) -> String {
        hotlist::Topic::all_chunks(&self.follow.list.name, version)
    }

    /// As health shows it. `older_by`: how much older the list is made to look, in seconds.
    pub fn summary(&self, older_by: u64, now: Timestamp) -> ListSummary {
        let held = self.held.as_ref();
        let config = hotlist::Config::default();
        let age_s = held.map(|held| held.version.age_s(now) + older_by);
        let past = |hours: u32| age_s.is_some_and(|age| age > u64::from(hours) * 3600);
        let freshness = match held {
            None => Freshness::Missing,
            Some(held) if past(config.fault_age_h) || held.expires.is_some_and(|end| end <= now) => {
                Freshness::Stale
            }
            Some(_) if past(config.warn_age_h) => Freshness::Ageing,
            Some(_) => Freshness::Fresh,
        };
        let older = jiff::SignedDuration::from_secs(older_by as i64);
        ListSummary {
            list: self.follow.list.name.clone(),
            freshness,
            version: held.map(|held| held.version.version),
            issued: held.map(|held| held.version.issued - older),
            age_s,
            expires: held.and_then(|held| held.expires),
            installed: held.map(|held| held.installed),
            signed_by: held.map(|held| held.by.clone()),
            entries: held.map_or(0, |held| held.entries),
            on_its_way: self.progress.pending(),
            last_refusal: self.last_refusal.clone(),
            refusals: self.refusals,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::crypto::SigningKey;
    use crate::hotlist::{Category, Entry, List, Listed, digest_of_chunks, pack_chunk};
    use crate::words::ListName;

    struct Publisher {
        key: SigningKey,
        list: ListName,
    }

    impl Publisher {
        fn new() -> Self {
            Self { key: SigningKey::generate(), list: ListName::parse("state").unwrap() }
        }

        fn follower(&self, snapshots: bool) -> Follower {
            let list = List { name: self.list.clone(), keys: vec![self.key.verifying_key()] };
            Follower::new(Follow { list, snapshots }, Arc::new(Gauge::new(1)))
        }

        fn topic(&self, topic: ListTopic) -> Topic {
            Topic::List(self.list.clone(), topic)
        }

        fn snapshot(&self, version: u64) -> (Vec<u8>, Vec<u8>) {
            let chunk = pack_chunk(&[Entry::new(Listed::parse("ABC123").unwrap(), Category::Stolen)]);
            let chunks = vec![Digest::of(&chunk)];
            let (list, issued, digest) = (self.list.clone(), Timestamp::now(), digest_of_chunks(&chunks));
            let manifest =
                Manifest { list, version, base: Some(1), issued, expires: None, count: 1, digest, chunks };
            (manifest.sign(&[&self.key]), chunk)
        }

        fn delta(&self, base: u64) -> Vec<u8> {
            let (list, issued) = (self.list.clone(), Timestamp::now());
            let (remove, add) = (Vec::new(), Vec::new());
            let (expires, version) = (None, base + 1);
            Delta { list, base, version, issued, expires, count: 1, remove, add }.sign(&[&self.key])
        }
    }

    fn now() -> Moment {
        Moment { uptime: Duration::ZERO, wall: Timestamp::now() }
    }

    fn version(follower: &Follower) -> Option<u64> {
        follower.version().map(|version| version.version)
    }

    #[test]
    fn one_at_work_for_a_while_follows_deltas_without_the_snapshot() {
        let publisher = Publisher::new();
        let mut follower = publisher.follower(false);
        let (manifest, _) = publisher.snapshot(7);
        let later = publisher.delta(8);
        let manifest_topic = publisher.topic(ListTopic::Manifest);
        assert_eq!(follower.on_message(&publisher.topic(ListTopic::Delta { version: 9 }), &later, now()), []);
        assert_eq!(follower.on_message(&manifest_topic, &manifest, now()), []);
        assert_eq!(version(&follower), Some(7));
        let delta = publisher.delta(7);
        follower.on_message(&publisher.topic(ListTopic::Delta { version: 8 }), &delta, now());
        assert_eq!(version(&follower), Some(9), "what came early follows");
        let counts = follower.gauge.counts();
        assert_eq!((counts.list_holders, counts.list_steps, counts.list_refusals), (1, 2, 0));
        assert_eq!(counts.list_bytes as usize, manifest.len() + delta.len() + later.len());
    }

    #[test]
    fn a_snapshot_counts_once_every_chunk_is_the_one_that_was_signed() {
        let publisher = Publisher::new();
        let mut follower = publisher.follower(true);
        let (manifest, chunk) = publisher.snapshot(7);
        let asks = follower.on_message(&publisher.topic(ListTopic::Manifest), &manifest, now());
        assert_eq!(asks, [Ask::Subscribe("milepost/v1/lists/state/chunks/7/+".to_owned())]);
        let topic = publisher.topic(ListTopic::Chunk { version: 7, index: 0 });
        follower.on_message(&topic, b"something else", now());
        assert_eq!(version(&follower), None);
        let asks = follower.on_message(&topic, &chunk, now());
        assert_eq!(asks, [Ask::Unsubscribe("milepost/v1/lists/state/chunks/7/+".to_owned())]);
        assert_eq!(version(&follower), Some(7));
    }

    #[test]
    fn a_strangers_list_is_refused_and_told() {
        let (publisher, stranger) = (Publisher::new(), Publisher::new());
        let mut follower = publisher.follower(false);
        let (manifest, _) = stranger.snapshot(7);
        follower.on_message(&publisher.topic(ListTopic::Manifest), &manifest, now());
        let summary = follower.summary(0, Timestamp::now());
        assert_eq!((summary.freshness, summary.refusals), (Freshness::Missing, 1));
        let (manifest, _) = publisher.snapshot(7);
        follower.on_message(&publisher.topic(ListTopic::Manifest), &manifest, now());
        assert_eq!(follower.summary(0, Timestamp::now()).freshness, Freshness::Fresh);
        assert_eq!(follower.summary(30 * 3600, Timestamp::now()).freshness, Freshness::Stale);
    }
}
