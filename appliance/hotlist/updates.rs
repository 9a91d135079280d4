//! Carries out what [`Progress`] decides: opens messages, gathers chunks, writes editions, switches.
//!
//! Order of writes for a new edition: its blocks, fsync, the ledger (fsync), the switch in memory, the old
//! edition's removal. Whatever is cut off before the ledger names it is deleted at the next start.

mod mending;
mod opening;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::builder::{Builder, Taken};
use super::delta::Delta;
use super::early::EarlyChunks;
use super::edition::{Edition, ListKeys};
use super::in_force::{Hotlist, InForce, RefusalNote};
use super::ledger::{Current, Ledger};
use super::matching::ListVersion;
use super::message::{MESSAGE_MAX, Manifest, Topic};
use super::progress::{Decision, Progress};
use super::refusal::Refusal;
use crate::crypto::{KeyId, SealKey, VerifyingKey, hex, random};
use crate::words::{ListName, Moment};

/// What the broker's copy is sealed as.
const MEMORY: &[u8] = b"hot list memory 1";

/// What a message or the passing of time leads to.
#[derive(Debug)]
pub enum Effect {
    /// Subscribe to this filter, also if it is subscribed to: the broker then sends its retained messages again.
    Subscribe(String),
    Unsubscribe(String),
    /// In force now. For the audit log.
    Installed(Installed),
    /// Refused; the list in force stays in force. For the audit log; health finds it in the summary. Anyone on the broker can
    /// cause as many as they like.
    Refused {
        list: Option<ListName>,
        why: Refusal,
    },
}

/// An edition that came into force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    pub version: ListVersion,
    pub entries: u64,
    /// The version that the delta led on from; none for a snapshot.
    pub base: Option<u64>,
    pub signed_by: KeyId,
}

/// The one owner of updates: takes what arrives on the lists' topics.
pub struct Updates {
    editions: PathBuf,
    ledger: Ledger,
    hotlist: Hotlist,
    memory: SealKey,
    lists: BTreeMap<ListName, Tracked>,
}

struct Tracked {
    trusted: Vec<VerifyingKey>,
    progress: Progress,
    /// The edition whose chunks are being gathered.
    builder: Option<(Builder, KeyId)>,
    early: EarlyChunks,
    /// When the list was last had again because it could not be read.
    mended: Option<Duration>,
}

impl Updates {
    /// What to subscribe to at every connect.
    pub fn subscriptions(&self) -> Vec<String> {
        let standing = self.lists.keys().flat_map(standing);
        let fetching = self.lists.iter().filter_map(|(list, tracked)| {
            let (builder, _) = tracked.builder.as_ref()?;
            Some(Topic::all_chunks(list, builder.manifest().version))
        });
        standing.chain(fetching).collect()
    }

    /// Takes one message. The last chunk of a large snapshot keeps it busy for a second or so.
    pub fn on_message(&mut self, topic: &str, payload: &[u8], now: Moment) -> Vec<Effect> {
        let mut effects = Effects::default();
        match Topic::parse(topic) {
            None => effects.refused(None, Refusal::UnknownTopic),
            Some(topic) if !self.lists.contains_key(topic.list()) => {
                effects.refused(Some(topic.list()), Refusal::UnknownList);
            }
            // So a broker tells that a retained message was cleared.
            Some(_) if payload.is_empty() => {}
            Some(topic) => {
                let decision = self.decide(&topic, payload, now);
                self.carry_out(topic.list(), decision, now, &mut effects);
            }
        }
        effects.0
    }

    /// To be called every second or so.
    pub fn on_time(&mut self, now: Moment) -> Vec<Effect> {
        let mut effects = Effects(self.mend(now));
        let names: Vec<ListName> = self.lists.keys().cloned().collect();
        for list in names {
            let decision = self.tracked(&list).progress.on_time(now);
            self.carry_out(&list, decision, now, &mut effects);
        }
        effects.0
    }

    /// What the broker is to keep for this unit: the highest versions that it ever held, sealed. To be handed over
    /// after each [`Effect::Installed`].
    pub fn memory(&self) -> Vec<u8> {
        let highest = serde_json::to_vec(&self.ledger.highest());
        self.memory.seal(MEMORY, &highest.expect("names and numbers are plain data"))
    }

    /// Takes what the broker kept. Storage that was restored or exchanged has forgotten versions that this unit
    /// held; from now on it refuses again what is older.
    pub fn remember(&mut self, memory: &[u8], now: Moment) -> Vec<Effect> {
        let mut effects = Effects::default();
        let opened = self.memory.open(MEMORY, memory).ok();
        let Some(highest) =
            opened.and_then(|json| serde_json::from_slice::<BTreeMap<ListName, u64>>(&json).ok())
        else {
            effects.refused(None, Refusal::Memory);
            return effects.0;
        };
        for (list, seen) in highest {
            let Some(tracked) = self.lists.get_mut(&list) else { continue };
            if !tracked.progress.remember(seen) {
                continue;
            }
            let held = tracked.progress.held();
            if let Err(error) = self.ledger.raise(&list, seen) {
                self.refuse(&list, error.into(), now, &mut effects);
            }
            self.note(&list, |note| note.outdone = true);
            self.carry_out(&list, Decision::Refuse(Refusal::Restored { held, seen }), now, &mut effects);
        }
        effects.0
    }

    fn decide(&mut self, topic: &Topic, payload: &[u8], now: Moment) -> Decision {
        match topic {
            Topic::Manifest(list) => {
                let held = self.ledger.line(list).current;
                let tracked = self.tracked(list);
                match Manifest::open(payload, list, &tracked.trusted, now.wall) {
                    Ok((manifest, _)) if held.is_some_and(|held| held.is_contradicted_by(&manifest)) => {
                        Decision::Refuse(Refusal::TwoEditions { version: manifest.version })
                    }
                    Ok((manifest, by)) => tracked.progress.on_manifest(manifest, by, now),
                    Err(refusal) => Decision::Refuse(refusal),
                }
            }
            Topic::Delta { list, version } => {
                let tracked = self.tracked(list);
                match Delta::open(payload, list, *version, &tracked.trusted, now.wall) {
                    Ok((delta, by)) => tracked.progress.on_delta(delta, by),
                    Err(refusal) => Decision::Refuse(refusal),
                }
            }
            Topic::Chunk { list, version, index } => self.chunk(list, *version, *index, payload, now),
        }
    }

    fn chunk(&mut self, list: &ListName, version: u64, index: u32, payload: &[u8], now: Moment) -> Decision {
        let hotlist = self.hotlist.clone();
        let editions = self.editions.clone();
        let tracked = self.tracked(list);
        if tracked.progress.wants_chunk(version, now) {
            return tracked.take(hotlist.keys(), index, payload, now);
        }
        if payload.len() > MESSAGE_MAX || !tracked.progress.may_want_chunk(version) {
            return Decision::Ignore;
        }
        match tracked.early.keep(&editions, version, index, payload) {
            Ok(()) => Decision::Wait,
            Err(error) => Decision::Refuse(error.into()),
        }
    }

    /// Decisions follow from each other: an installed step may let an early one follow.
    fn carry_out(&mut self, list: &ListName, decision: Decision, now: Moment, effects: &mut Effects) {
        let mut next = decision;
        loop {
            next = match next {
                Decision::Ignore | Decision::Wait => break,
                Decision::Refuse(why) => {
                    self.refuse(list, why, now, effects);
                    break;
                }
                Decision::AskAnew => {
                    effects.subscribe(standing(list));
                    break;
                }
                Decision::AskForChunks(version) => {
                    effects.subscribe([Topic::all_chunks(list, version)]);
                    break;
                }
                Decision::Fetch(manifest, by) => self.fetch(list, manifest, by, now, effects),
                Decision::Install => self.install(list, now, effects),
                Decision::Apply(delta, by) => self.apply(list, delta, by, now, effects),
            };
        }
        let pending = self.tracked(list).progress.pending();
        if self.gathering(list) != pending {
            self.stop_gathering(list, effects);
        }
        self.note(list, |note| note.on_its_way = pending);
    }

    fn fetch(
        &mut self,
        list: &ListName,
        manifest: Manifest,
        by: KeyId,
        now: Moment,
        effects: &mut Effects,
    ) -> Decision {
        self.stop_gathering(list, effects);
        let version = manifest.version;
        let builder = match Builder::new(&self.editions, manifest) {
            Ok(builder) => builder,
            Err(error) => return self.tracked(list).give_up(version, error.into(), now),
        };
        let hotlist = self.hotlist.clone();
        let tracked = self.tracked(list);
        let complete = builder.missing() == 0;
        tracked.builder = Some((builder, by));
        if complete {
            return Decision::Install;
        }
        let early = tracked.early.take(version);
        if early.is_empty() {
            effects.subscribe([Topic::all_chunks(list, version)]);
        }
        // Otherwise they are on their way already, and asking would bring all of them again.
        let mut decision = Decision::Wait;
        for (index, piece) in early {
            let taken = match tracked.early.read(piece) {
                Ok(chunk) => tracked.take(hotlist.keys(), index, &chunk, now),
                Err(error) => Decision::Refuse(error.into()),
            };
            if !matches!(taken, Decision::Wait | Decision::Ignore) {
                decision = taken;
            }
        }
        decision
    }

    fn install(&mut self, list: &ListName, now: Moment, effects: &mut Effects) -> Decision {
        let Some((builder, by)) = self.tracked(list).builder.take() else { return Decision::Ignore };
        let manifest = builder.manifest().clone();
        effects.0.push(Effect::Unsubscribe(Topic::all_chunks(list, manifest.version)));
        let id = hex(&random::<8>());
        let built = builder.finish(self.hotlist.keys(), &self.editions, &id).and_then(|edition| {
            let current = Current {
                edition: id.clone(),
                version: manifest.version,
                manifest: manifest.version,
                digest: Some(manifest.digest),
                issued: manifest.issued,
                expires: manifest.expires,
                installed: now.wall,
                by,
                count: edition.count(),
                blocks: edition.block_count(),
            };
            self.ledger.install(list, current.clone())?;
            Ok((current, edition))
        });
        let (current, edition) = match built {
            Ok(built) => built,
            Err(refusal) => {
                self.remove_edition(&id);
                return self.tracked(list).give_up(manifest.version, refusal, now);
            }
        };
        let old = self.put_in_force(list, &current, edition);
        self.tracked(list).early = EarlyChunks::default();
        effects.installed(list, &current, None);
        if let Some(old) = old {
            let id = old.edition.id().to_owned();
            drop(old);
            self.remove_edition(&id);
        }
        self.tracked(list).progress.installed(manifest.version)
    }

    fn apply(
        &mut self,
        list: &ListName,
        delta: Delta,
        by: KeyId,
        now: Moment,
        effects: &mut Effects,
    ) -> Decision {
        let line = self.ledger.line(list);
        let Some(held) = line.current else { return Decision::Ignore };
        let step = match self.hotlist.lists().get(list) {
            Some(in_force) => in_force.edition.write_step(self.hotlist.keys(), &delta),
            None => return Decision::Ignore,
        };
        let written = step.and_then(|step| {
            let current = Current {
                version: delta.version,
                manifest: self.tracked(list).progress.manifest(),
                digest: None,
                issued: delta.issued,
                expires: delta.expires,
                installed: now.wall,
                by,
                count: delta.count,
                ..held
            };
            self.ledger.install(list, current.clone())?;
            Ok((current, step))
        });
        let (current, step) = match written {
            Ok(written) => written,
            Err(refusal) => return self.tracked(list).give_up(delta.version, refusal, now),
        };
        let mut lists = self.hotlist.lists_mut();
        let in_force = lists.get_mut(list).expect("only this thread takes lists out of force");
        let replaced = in_force.edition.switch(step);
        in_force.describe(list, &current);
        drop(lists);
        self.note(list, |note| note.outdone = false);
        effects.installed(list, &current, Some(delta.base));
        if let Some(Err(error)) = self.hotlist.lists().get(list).map(|held| held.edition.sweep(replaced)) {
            tracing::warn!(%list, %error, "old blocks stay until the next start");
        }
        self.tracked(list).progress.installed(delta.version)
    }

    fn put_in_force(&self, list: &ListName, current: &Current, edition: Edition) -> Option<InForce> {
        let outdone = current.version < self.ledger.line(list).highest;
        self.note(list, |note| note.outdone = outdone);
        self.hotlist.lists_mut().insert(list.clone(), InForce::new(list, current, edition))
    }

    fn gathering(&mut self, list: &ListName) -> Option<u64> {
        self.tracked(list).builder.as_ref().map(|(builder, _)| builder.manifest().version)
    }

    fn stop_gathering(&mut self, list: &ListName, effects: &mut Effects) {
        if let Some((builder, _)) = self.tracked(list).builder.take() {
            effects.0.push(Effect::Unsubscribe(Topic::all_chunks(list, builder.manifest().version)));
        }
    }

    fn refuse(&mut self, list: &ListName, why: Refusal, now: Moment, effects: &mut Effects) {
        if why.may_pass_later() {
            self.tracked(list).progress.try_again(now);
        }
        self.note(list, |note| {
            note.refusals += 1;
            note.last_refusal = Some(RefusalNote { at: now.wall, why: why.to_string() });
        });
        effects.refused(Some(list), why);
    }

    fn note(&self, list: &ListName, change: impl FnOnce(&mut super::in_force::Note)) {
        change(self.hotlist.notes().entry(list.clone()).or_default());
    }

    fn tracked(&mut self, list: &ListName) -> &mut Tracked {
        self.lists.get_mut(list).expect("only configured lists get this far")
    }

    fn remove_edition(&self, id: &str) {
        let folder = self.editions.join(id);
        match std::fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!(folder = %folder.display(), %error, "an old edition stays until the next start");
            }
            _ => {}
        }
    }
}

impl Tracked {
    fn new(trusted: Vec<VerifyingKey>, progress: Progress) -> Self {
        Self { trusted, progress, builder: None, early: EarlyChunks::default(), mended: None }
    }

    /// Takes a chunk that is wanted.
    fn take(&mut self, keys: &ListKeys, index: u32, chunk: &[u8], now: Moment) -> Decision {
        let Some((builder, _)) = &mut self.builder else { return Decision::Ignore };
        let version = builder.manifest().version;
        match builder.take(keys, index, chunk) {
            Ok(Taken::Doubled) => Decision::Ignore,
            Ok(Taken::Missing(_)) => Decision::Wait,
            Ok(Taken::Complete) => Decision::Install,
            // The right chunk may still come; a stranger must not be able to stop the import.
            Err(refusal @ (Refusal::Chunk { .. } | Refusal::NoSuchChunk { .. })) => Decision::Refuse(refusal),
            Err(refusal) => self.give_up(version, refusal, now),
        }
    }

    /// This version cannot be put in force.
    fn give_up(&mut self, version: u64, why: Refusal, now: Moment) -> Decision {
        self.builder = None;
        self.progress.failed(version, !why.may_pass_later(), now);
        Decision::Refuse(why)
    }
}

fn standing(list: &ListName) -> [String; 2] {
    [Topic::Manifest(list.clone()).to_string(), Topic::all_deltas(list)]
}

#[derive(Default)]
struct Effects(Vec<Effect>);

impl Effects {
    fn subscribe(&mut self, filters: impl IntoIterator<Item = String>) {
        self.0.extend(filters.into_iter().map(Effect::Subscribe));
    }

    fn refused(&mut self, list: Option<&ListName>, why: Refusal) {
        self.0.push(Effect::Refused { list: list.cloned(), why });
    }

    fn installed(&mut self, list: &ListName, current: &Current, base: Option<u64>) {
        self.0.push(Effect::Installed(Installed {
            version: current.list_version(list),
            entries: current.count,
            base,
            signed_by: current.by.clone(),
        }));
    }
}
