//! A list that cannot be looked through is had again from the broker. Until it is whole, what of it can be read matches on.

use std::time::Duration;

use super::{Decision, Effect, Effects, Updates};
use crate::hotlist::in_force::RefusalNote;
use crate::hotlist::progress::Progress;
use crate::words::{ListName, Moment};

/// A disk that fails again and again must not have a whole list sent each second.
const PAUSE: Duration = Duration::from_secs(3600);

impl Updates {
    /// To be called every second or so.
    pub(super) fn mend(&mut self, now: Moment) -> Vec<Effect> {
        let mut effects = Effects::default();
        for (list, why) in self.hotlist.unreadable() {
            let rests = |mended: Duration| now.uptime.saturating_sub(mended) < PAUSE;
            if !self.tracked(&list).mended.is_some_and(rests) {
                self.give_back(&list, why, now, &mut effects);
            }
        }
        effects.0
    }

    fn give_back(&mut self, list: &ListName, why: String, now: Moment, effects: &mut Effects) {
        let line = self.ledger.line(list);
        let Some(current) = line.current else { return };
        // A disk that does not take it names the list as whole; the next start looks through all of it anyway.
        if let Err(error) = self.ledger.withdraw(list) {
            tracing::warn!(%list, %error, "the damaged list cannot be withdrawn");
        }
        self.stop_gathering(list, effects);
        let wait = self.hotlist.config().catch_up_wait();
        let tracked = self.tracked(list);
        tracked.progress = Progress::new(None, line.highest, 0, wait);
        tracked.mended = Some(now.uptime);
        let why = format!("version {} cannot be read whole and is had again: {why}", current.version);
        self.note(list, |note| {
            note.unreadable = None;
            note.last_refusal = Some(RefusalNote { at: now.wall, why });
        });
        self.carry_out(list, Decision::AskAnew, now, effects);
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::crypto::{Digest, SigningKey, UnitKey};
    use crate::hotlist::message::{Topic, digest_of_chunks};
    use crate::hotlist::{Category, Config, Entry, Hotlist, List, Listed, Manifest, pack_chunk};
    use crate::words::{ALPHABET, Plate, Reading, Slot, StateReading};

    fn at(second: u64) -> Moment {
        let wall: Timestamp = "2026-06-01T12:00:00Z".parse().unwrap();
        Moment { uptime: Duration::from_secs(second), wall: wall + Duration::from_secs(second) }
    }

    fn reading(plate: &str) -> Reading {
        let slot = |position: usize| {
            let mut logits = [0.0; 37];
            let seen = plate.as_bytes().get(position);
            logits[seen.map_or(36, |seen| ALPHABET.iter().position(|c| c == seen).unwrap())] = 12.0;
            Slot::from_logits(&logits)
        };
        Reading::new((0..8).map(slot).collect())
    }

    #[test]
    fn a_block_that_rots_in_use_is_told_and_the_list_is_had_again() {
        let (key, list) = (SigningKey::generate(), ListName::parse("state").unwrap());
        let entry = |plate: String| Entry::new(Listed::parse(&plate).unwrap(), Category::Stolen);
        let entries: Vec<Entry> = (0..500).map(|number| entry(format!("P{number:04}"))).collect();
        let chunk = pack_chunk(&entries);
        let digests = vec![Digest::of(&chunk)];
        let manifest = Manifest {
            list: list.clone(),
            version: 7,
            base: None,
            issued: at(0).wall,
            expires: None,
            count: 500,
            digest: digest_of_chunks(&digests),
            chunks: digests,
        };
        let topics = [
            Topic::Manifest(list.clone()).to_string(),
            Topic::Chunk { list: list.clone(), version: 7, index: 0 }.to_string(),
        ];
        let publish = |updates: &mut Updates, now: Moment| {
            updates.on_message(&topics[0], &manifest.sign(&[&key]), now);
            updates.on_message(&topics[1], &chunk, now);
        };
        let folder = tempfile::tempdir().unwrap();
        let lists = vec![List { name: list.clone(), keys: vec![key.verifying_key()] }];
        let config = Config { lists, ..Config::default() };
        let (hotlist, mut updates) = Hotlist::open(folder.path(), &UnitKey::generate(), &config).unwrap();
        publish(&mut updates, at(0));
        let finds = |plate: &str, now: Moment| {
            let state = StateReading::from_logits(&[0.0; 52]);
            !hotlist.matches(&reading(plate), &state, now.wall).is_empty()
        };
        let spoil = || {
            let lists = hotlist.lists();
            lists[&list].edition.spoil(hotlist.keys(), &Plate::parse("P0007").unwrap());
        };
        assert!(finds("P0007", at(1)) && updates.on_time(at(1)).is_empty());

        spoil();
        assert!(!finds("P0007", at(2)));
        let other = (0..500).map(|number| format!("P{number:04}")).filter(|plate| finds(plate, at(2)));
        assert!(other.count() > 300, "the other blocks match on");
        let asked = updates.on_time(at(3));
        assert!(matches!(&asked[..], [Effect::Subscribe(_), Effect::Subscribe(_)]), "{asked:?}");
        let why = hotlist.summary(at(3).wall)[0].last_refusal.clone().unwrap().why;
        assert!(why.contains("version 7 cannot be read whole"), "{why}");
        publish(&mut updates, at(4));
        assert!(finds("P0007", at(5)) && updates.on_time(at(5)).is_empty());
        assert_eq!(std::fs::read_dir(folder.path().join("editions")).unwrap().count(), 1);

        spoil();
        assert!(!finds("P0007", at(6)) && updates.on_time(at(7)).is_empty(), "not twice within the hour");
        assert!(!updates.on_time(at(3700)).is_empty());
    }
}
