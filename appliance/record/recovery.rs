//! What is done at start, case by case. Each case has a test below, and `tests/power_loss.rs` cuts the power
//! between any two writes and looks whether the promise of the module page held.
//!
//! | what is found | how it came to be | what is done |
//! |---|---|---|
//! | a slot of zeros | destroyed | nothing: there is no such record |
//! | a slot that cannot be opened, short or with a sector of zeros in it | a commit or a destruction was cut short: nobody was told of it | zeroed; counted as cut short |
//! | any other slot that cannot be opened | decay, or someone's hand | zeroed; a loss by damage |
//! | no slot opens, nor does `check` | it is not this unit's key | refused: nothing is touched |
//! | a keys file that cannot be read | the flash has failed there | left, and every pack with it: another start may read it |
//! | a slot whose body is missing or short | only decay, or someone's hand: bodies are durable before slots | zeroed; counted as missing |
//! | a body, bodies file or pack without a slot | a commit was cut short before its keys, or a removal before its end | removed; a keys file that somebody took away looks no different, see below |
//! | a keys file without a record | all were destroyed, the removal was cut short | removed with its bodies |
//! | the newest certificate names a record that is still there | a purge was cut short | the purge is finished before anything is handed out |
//! | two records with one id | a failed commit could not be taken back, and the caller stored again | the later one is destroyed |
//! | a record captured before the wall clock was set | the unit saw by how much | kept, with the age that it has |
//! | a record captured in the future | the wall clock went back while the unit was off | kept; expired at once where a limit applies |
//! | anything that cannot be removed | the disk is read-only | left; everything readable is served |
//!
//! A keys file that somebody took away is not told apart from a commit that was cut short: one commit may begin several
//! segments, whose keys become durable in any order, so a power cut leaves bodies without keys beside newer ones with them.
//! Its records are gone as if they had been purged, but no certificate names them, and no decision in the audit log.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tracing::{error, info, warn};

use super::certificate::Certificate;
use super::error::RecordError;
use super::index::{Decis, Entry, Index, State};
use super::kind::{Class, Head, Shelf};
use super::sealing::open_body;
use super::slot::{Found, Place, SLOT, Slot};
use super::steps::Steps;
use super::writer::{Files, Writer};
use crate::words::Moment;

/// What opening found and did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovered {
    pub records: u64,
    /// Slots whose writing or destruction a power cut had cut short.
    pub cut_short: u64,
    /// Slots that were whole once and could not be opened.
    pub unreadable: u64,
    /// Keys files that could not be read at all.
    pub unreadable_files: u64,
    /// Both copies of a counter were damaged: it began anew.
    pub counters_damaged: bool,
    /// Records whose body was not there.
    pub bodies_missing: u64,
    /// Records of a purge that was finished.
    pub purges_finished: u64,
    /// Files that nothing referred to.
    pub files_removed: u64,
    pub took: Duration,
}

pub(super) struct Opened {
    pub index: Index,
    pub writer: Writer,
    pub steps: Steps,
    pub recovered: Recovered,
}

pub(super) fn recover(files: &Arc<Files>, segment_records: u16, now: Moment) -> Result<Opened, RecordError> {
    let listing = Listing::read(files)?;
    check_key(files, &listing)?;
    let mut recovery = Recovery {
        files,
        steps: Steps::open(files.clone(), now),
        writer: Writer::new(files.clone(), segment_records, listing.next_segment(), listing.next_pack()),
        index: Index::default(),
        recovered: Recovered::default(),
        unread: BTreeSet::new(),
        now,
    };
    recovery.read_slots(&listing)?;
    recovery.finish_purge();
    recovery.remove_unreferenced(&listing);
    recovery.recovered.records = Class::ALL.iter().map(|&class| recovery.index.live(class)).sum();
    let Recovery { index, writer, mut steps, recovered, .. } = recovery;
    steps.forget_below(index.lowest_segment());
    info!(?recovered, "opened the records");
    Ok(Opened { index, writer, steps, recovered })
}

struct Recovery<'a> {
    files: &'a Arc<Files>,
    steps: Steps,
    writer: Writer,
    index: Index,
    recovered: Recovered,
    /// Segments whose keys could not be read.
    unread: BTreeSet<(Shelf, u32)>,
    now: Moment,
}

/// The files that are there, by what their names say.
#[derive(Default)]
struct Listing {
    keys: BTreeSet<(Shelf, u32)>,
    bodies: BTreeSet<(Shelf, u32)>,
    packs: BTreeSet<u32>,
}

/// What `check` holds, sealed.
const CHECK: &[u8] = b"the key of these records";

/// Refuses another unit's key before it takes every slot for damaged, and destroys it. One slot that opens is proof enough
/// where `check` is damaged or missing.
fn check_key(files: &Files, listing: &Listing) -> Result<(), RecordError> {
    let opens = |sealed: Vec<u8>| files.slot_key.open(CHECK, &sealed).is_ok();
    if files.disk.read(&files.check).is_ok_and(opens) {
        return Ok(());
    }
    let mut foreign = false;
    'keys: for &(shelf, segment) in &listing.keys {
        let keys = files.disk.read(&files.keys_of(shelf, segment)).unwrap_or_default();
        for (slot, bytes) in (0..=u16::MAX).zip(keys.chunks(SLOT)) {
            match Slot::find(bytes, &files.slot_key, Place { shelf, segment, slot }) {
                Found::InUse(_) => {
                    foreign = false;
                    break 'keys;
                }
                Found::Unreadable => foreign |= !is_cut_short(bytes, slot),
                Found::Empty => {}
            }
        }
    }
    if foreign {
        return Err(RecordError::OtherKey { path: files.keys.clone() });
    }
    let folder = files.check.parent().expect("it was joined to a folder");
    let sealed = files.slot_key.seal(CHECK, CHECK);
    let written = files.disk.write_at(&files.check, 0, &sealed);
    let written =
        written.and_then(|()| files.disk.sync(&files.check)).and_then(|()| files.disk.sync_folder(folder));
    if let Err(error) = written {
        warn!(%error, "the next start must look for a record to know its key");
    }
    Ok(())
}

/// Whether a slot that cannot be opened looks as a power cut leaves it: a disk writes whole sectors, so what was cut short
/// lacks the end, or has a sector of zeros where the rest was to stand or was to be destroyed.
fn is_cut_short(bytes: &[u8], slot: u16) -> bool {
    const SECTOR: usize = 512;
    let start = usize::from(slot) * SLOT % SECTOR;
    let (first, second) = bytes.split_at((SECTOR - start).min(bytes.len()));
    let is_zero = |part: &[u8]| !part.is_empty() && part.iter().all(|&byte| byte == 0);
    bytes.len() < SLOT || is_zero(first) || is_zero(second)
}

impl Listing {
    fn read(files: &Files) -> Result<Self, RecordError> {
        let list = |folder| {
            files.disk.list(folder).map_err(|error| RecordError::Open {
                path: std::path::PathBuf::from(folder),
                why: error.to_string(),
            })
        };
        let mut listing = Self::default();
        listing.keys.extend(list(&files.keys)?.iter().filter_map(|name| segment_of(name, ".keys")));
        for name in list(&files.bodies)? {
            listing.bodies.extend(segment_of(&name, ".bodies"));
            listing.packs.extend(name.strip_suffix(".pack").and_then(|number| number.parse::<u32>().ok()));
        }
        Ok(listing)
    }

    fn next_segment(&self) -> u32 {
        let numbers = self.keys.iter().chain(&self.bodies).map(|(_, number)| number);
        numbers.max().map_or(1, |number| number + 1)
    }

    fn next_pack(&self) -> u32 {
        self.packs.last().map_or(1, |number| number + 1)
    }
}

fn segment_of(name: &str, suffix: &str) -> Option<(Shelf, u32)> {
    let (shelf, number) = name.strip_suffix(suffix)?.split_once('-')?;
    let shelf = Shelf::ALL.into_iter().find(|known| known.name() == shelf)?;
    Some((shelf, number.parse().ok()?))
}

impl Recovery<'_> {
    fn read_slots(&mut self, listing: &Listing) -> Result<(), RecordError> {
        let mut packs = std::collections::HashMap::new();
        for &number in &listing.packs {
            packs.insert(number, self.length(&self.files.pack(number))?);
        }
        for &(shelf, number) in &listing.keys {
            let path = self.files.keys_of(shelf, number);
            let keys = match self.files.disk.read(&path) {
                Ok(keys) => keys,
                Err(error) => {
                    error!(path = %path.display(), %error, "keys cannot be read; their records are not served");
                    self.recovered.unreadable_files += 1;
                    self.unread.insert((shelf, number));
                    continue;
                }
            };
            let bodies = match listing.bodies.contains(&(shelf, number)) {
                true => self.length(&self.files.bodies_of(shelf, number))?,
                false => 0,
            };
            let mut gone = Vec::new();
            for (slot, bytes) in (0..=u16::MAX).zip(keys.chunks(SLOT)) {
                let place = Place { shelf, segment: number, slot };
                match Slot::find(bytes, &self.files.slot_key, place) {
                    Found::Empty => {}
                    Found::Unreadable => {
                        match is_cut_short(bytes, slot) {
                            true => self.recovered.cut_short += 1,
                            false => self.recovered.unreadable += 1,
                        }
                        gone.push(place);
                    }
                    Found::InUse(found) => {
                        let end = u64::from(found.extent.offset) + u64::from(found.extent.length);
                        let there = match found.extent.pack {
                            0 => bodies,
                            pack => packs.get(&pack).copied().unwrap_or(0),
                        };
                        if end > there {
                            self.recovered.bodies_missing += 1;
                            gone.push(place);
                        } else if self.index.find(found.head.id).is_some() {
                            gone.push(place);
                        } else {
                            self.index.insert(place, self.entry(&found, number));
                        }
                    }
                }
            }
            self.destroy(&gone);
            self.index.grow_segment(shelf, number, keys.len() as u64 + bodies);
            self.index.close(shelf, number);
        }
        for (number, bytes) in packs {
            self.index.grow_pack(number, bytes);
        }
        Ok(())
    }

    fn entry(&self, slot: &Slot, segment: u32) -> Entry {
        let Head { id, kind, hit, captured, .. } = slot.head;
        let age = self.now.wall.duration_since(self.steps.today(captured, segment));
        let born = match Duration::try_from(age) {
            Ok(age) => decis(self.now.uptime).saturating_sub(decis(age)),
            // In the future: somebody set the clock while the unit was off, so its true age is unknown. Where a limit applies
            // it has passed.
            Err(_) => Decis::MIN,
        };
        let length = slot.extent.length;
        Entry { id, born, length, pack: slot.extent.pack, kind, hit, state: State::Waiting }
    }

    /// A purge writes its certificate, then destroys: only the newest certificate can be ahead of its work.
    fn finish_purge(&mut self) {
        let Some((place, entry)) = self.index.newest(Class::Certificate) else { return };
        let read = || {
            let Found::InUse(slot) = self.files.read_slot(place).ok()? else { return None };
            let sealed = self.files.read_body(place, slot.extent).ok()?;
            serde_json::from_slice::<Certificate>(&open_body(&slot, &sealed)?).ok()
        };
        let Some(certificate) = read() else {
            warn!(record = %entry.id, "the newest certificate of purge cannot be read");
            return;
        };
        let left: Vec<_> = certificate
            .records
            .iter()
            .filter_map(|record| self.index.find(record.id).map(|(place, _)| place))
            .collect();
        self.destroy(&left);
        self.recovered.purges_finished = left.len() as u64;
        for place in left {
            self.index.remove(place);
        }
    }

    fn destroy(&self, places: &[Place]) {
        if let Err(error) = self.writer.destroy_keys(places.iter().copied()) {
            warn!(records = places.len(), %error, "keys could not be destroyed");
        }
    }

    fn remove_unreferenced(&mut self, listing: &Listing) {
        let segments = listing.keys.union(&listing.bodies);
        let is_empty = |place: &&(Shelf, u32)| {
            !self.index.has_segment(place.0, place.1) && !self.unread.contains(*place)
        };
        let empty = segments.filter(is_empty);
        // Which packs an unread file refers to is not known.
        let is_free = |number: &&u32| self.unread.is_empty() && !self.index.has_pack(**number);
        let packs = listing.packs.iter().filter(is_free);
        let removed = empty
            .map(|&(shelf, number)| self.files.remove_segment(shelf, number))
            .chain(packs.map(|&number| self.files.remove_pack(number)));
        let (done, failed): (Vec<_>, Vec<_>) = removed.partition(Result::is_ok);
        self.recovered.files_removed = done.len() as u64;
        if let Some(Err(error)) = failed.first() {
            warn!(files = failed.len(), %error, "files that nothing refers to could not be removed");
        }
    }

    fn length(&self, path: &std::path::Path) -> Result<u64, RecordError> {
        Ok(self.files.disk.length(path)?)
    }
}

/// Saturates after six years, which only makes what is old as old as can be told.
pub(super) fn decis(time: Duration) -> Decis {
    Decis::try_from(time.as_millis() / 100).unwrap_or(Decis::MAX)
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use jiff::Timestamp;

    use super::*;
    use crate::audit::Audit;
    use crate::crypto::{Digest, UnitKey};
    use crate::record::{Config, Kind, NewRecord, Policy, Records};
    use crate::system::{Clock, Disk, ManualClock, SimulatedDisk};
    use crate::words::RecordId;

    struct Rig {
        disk: Arc<SimulatedDisk>,
        clock: Arc<ManualClock>,
        key: UnitKey,
        policy: &'static str,
    }

    impl Rig {
        fn new() -> Self {
            let clock = Arc::new(ManualClock::at(Timestamp::from_second(1_772_000_000).unwrap()));
            let policy = "massachusetts-model";
            Self { disk: Arc::default(), clock, key: UnitKey::generate(), policy }
        }

        fn open(&self) -> (Records, Recovered) {
            self.try_open().unwrap()
        }

        fn try_open(&self) -> Result<(Records, Recovered), RecordError> {
            let disk: Arc<dyn Disk> = self.disk.clone();
            let (audit, _) = Audit::open(Path::new("/audit"), disk.clone(), self.clock.clone()).unwrap();
            let policy = Policy::load(self.policy).unwrap();
            let config = Config { policy, segment_records: 4, ..Config::default() };
            let folder = Path::new("/records");
            Records::open(config, folder, &self.key, disk, self.clock.clone(), Arc::new(audit))
        }

        fn new_record(&self, kind: Kind, size: usize) -> NewRecord {
            NewRecord {
                id: RecordId::new(),
                kind,
                hit: false,
                belongs_to: None,
                captured: self.clock.now(),
                clock_trusted: true,
                body: vec![7; size],
            }
        }

        fn store(&self, records: &Records, kind: Kind, size: usize) -> (RecordId, Digest) {
            let record = self.new_record(kind, size);
            let receipt = (record.id, Digest::of(&record.body));
            records.store(record).unwrap();
            receipt
        }

        fn files(&self, suffix: &str) -> Vec<PathBuf> {
            let paths = self.disk.contents().into_iter().map(|(path, _)| path);
            paths.filter(|path| path.to_string_lossy().ends_with(suffix)).collect()
        }
    }

    #[test]
    fn what_was_stored_is_there_and_what_was_purged_is_not() {
        let rig = Rig::new();
        let (records, _) = rig.open();
        let kept = rig.store(&records, Kind::Alert, 10);
        let purged = rig.store(&records, Kind::Read, 10);
        records.received(&[purged]).unwrap();
        let (records, recovered) = rig.open();
        // The alert and the certificate of the read.
        assert_eq!((recovered.records, recovered.unreadable), (2, 0));
        assert_eq!(records.fetch(kept.0).unwrap().body, [7; 10]);
        assert!(matches!(records.fetch(purged.0), Err(RecordError::Unknown(_))));
    }

    #[test]
    fn a_slot_that_cannot_be_opened_is_zeroed_and_counted_and_the_rest_survives() {
        let rig = Rig::new();
        let (records, _) = rig.open();
        let damaged = rig.store(&records, Kind::Alert, 10);
        let kept = rig.store(&records, Kind::Alert, 10);
        rig.disk.flip_bit(&rig.files("1.keys")[0], 40);
        let (records, recovered) = rig.open();
        assert_eq!((recovered.records, recovered.unreadable), (1, 1));
        assert!(records.fetch(damaged.0).is_err());
        assert!(records.fetch(kept.0).is_ok());
        assert_eq!(records.counts().lost[&crate::record::Loss::Damaged], 1);
        assert_eq!(rig.open().1.unreadable, 0, "it is counted once");
    }

    #[test]
    fn what_a_power_cut_leaves_of_a_slot_is_no_damage() {
        let rig = Rig::new();
        let (records, _) = rig.open();
        for _ in 0..4 {
            rig.store(&records, Kind::Alert, 10);
        }
        // The fourth slot lies on both sides of a sector's end: 480 to 512, and to 640.
        rig.disk.write_at(&rig.files("1.keys")[0], 512, &[0; 128]).unwrap();
        let (records, recovered) = rig.open();
        assert_eq!((recovered.records, recovered.cut_short, recovered.unreadable), (3, 1, 0));
        assert_eq!(records.counts().lost, [].into());
        rig.disk.truncate(&rig.files("1.keys")[0], 400).unwrap();
        assert_eq!((rig.open().1.records, rig.open().1.unreadable), (2, 0));
    }

    #[test]
    fn another_units_key_is_refused_and_destroys_nothing() {
        let mut rig = Rig::new();
        let (records, _) = rig.open();
        let (id, _) = rig.store(&records, Kind::Alert, 10);
        let own = std::mem::replace(&mut rig.key, UnitKey::generate());
        for _ in 0..2 {
            let refused = rig.try_open().err();
            assert!(matches!(refused, Some(RecordError::OtherKey { .. })), "{refused:?}");
            // Also where the file that tells the key is gone.
            let _ = rig.disk.remove(Path::new("/records/check"));
        }
        rig.key = own;
        assert!(rig.open().0.fetch(id).is_ok());
    }

    #[test]
    fn a_damaged_check_of_the_key_is_made_anew() {
        let rig = Rig::new();
        let (records, _) = rig.open();
        let (id, _) = rig.store(&records, Kind::Alert, 10);
        rig.disk.flip_bit(Path::new("/records/check"), 20);
        assert!(rig.open().0.fetch(id).is_ok());
        rig.disk.flip_bit(&rig.files("1.keys")[0], 40);
        assert_eq!(rig.open().1.unreadable, 1, "the check knows the key, so the slot is what is damaged");
    }

    #[test]
    fn a_record_without_its_body_is_counted_as_missing() {
        let rig = Rig::new();
        let (records, _) = rig.open();
        rig.store(&records, Kind::Alert, 10);
        rig.store(&records, Kind::Picture, 20_000);
        rig.disk.remove(&rig.files(".pack")[0]).unwrap();
        let (records, recovered) = rig.open();
        assert_eq!((recovered.records, recovered.bodies_missing), (1, 1));
        assert_eq!(records.counts().lost.values().sum::<u64>(), 1);
    }

    #[test]
    fn files_that_nothing_refers_to_are_removed() {
        let rig = Rig::new();
        let (records, _) = rig.open();
        rig.store(&records, Kind::Alert, 10);
        for orphan in ["00000099.pack", "kept-00000098.bodies"] {
            rig.disk.write_at(&Path::new("/records/bodies").join(orphan), 0, b"x").unwrap();
        }
        rig.disk.write_at(Path::new("/records/keys/reads-00000097.keys"), 0, &[0; 2 * SLOT]).unwrap();
        let (_, recovered) = rig.open();
        assert_eq!((recovered.records, recovered.files_removed), (1, 3));
        assert_eq!(
            (rig.files(".keys").len(), rig.files(".bodies").len(), rig.files(".pack").len()),
            (1, 1, 0)
        );
    }

    #[test]
    fn a_purge_that_was_cut_short_is_finished() {
        let finished = |cut| {
            let rig = Rig::new();
            let (records, _) = rig.open();
            let receipt = rig.store(&records, Kind::Read, 10);
            rig.disk.cut_power_after(cut);
            let answered = records.received(&[receipt]).is_ok();
            rig.disk.restart(cut + 1);
            let (records, recovered) = rig.open();
            let gone = records.fetch(receipt.0).is_err();
            assert!(gone || !answered, "answered, and back after the cut at change {cut}");
            gone && recovered.purges_finished == 1
        };
        assert!((0..20).any(finished), "no cut fell between the certificate and the key");
    }

    #[test]
    fn after_a_restart_age_is_counted_by_wall_time_and_the_future_has_expired() {
        for (step, left) in [(-100_000, 0), (100, 1), (176, 0), (100_000, 0)] {
            let rig = Rig { policy: "three-minutes", ..Rig::new() };
            let (records, _) = rig.open();
            let (id, _) = rig.store(&records, Kind::Read, 10);
            rig.clock.step_wall(rig.clock.now().wall + jiff::SignedDuration::from_secs(step));
            let (records, _) = rig.open();
            records.sweep().unwrap();
            assert_eq!(records.fetch(id).is_ok(), left == 1, "stepped by {step} s");
        }
    }

    #[test]
    fn a_clock_that_is_set_while_records_are_stored_changes_no_age() {
        const DAY: i64 = 86_400;
        // Ahead by a slip and set right again; far behind and set right; ahead from the first and set right, all with records
        // from before and after.
        for steps in [vec![400 * DAY, -400 * DAY], vec![20_000 * DAY], vec![-10 * DAY]] {
            let rig = Rig { policy: "three-minutes", ..Rig::new() };
            let (mut records, _) = rig.open();
            let mut due = Vec::new();
            for (index, step) in steps.iter().chain([&0]).enumerate() {
                let (id, _) = rig.store(&records, Kind::Read, 10);
                due.push((id, rig.clock.now().uptime));
                rig.clock.advance(Duration::from_secs(20));
                rig.clock.step_wall(rig.clock.now().wall + jiff::SignedDuration::from_secs(*step));
                // Whichever sees it first.
                if index % 2 == 0 {
                    records.sweep().map(drop).unwrap()
                } else {
                    rig.store(&records, Kind::Alert, 10);
                }
            }
            for passed in [0, 60, 60, 60] {
                rig.clock.advance(Duration::from_secs(passed));
                records = rig.open().0;
                records.sweep().unwrap();
                for (id, born) in &due {
                    let age = rig.clock.now().uptime - *born;
                    let is_there = records.fetch(*id).is_ok();
                    // In between it may go together with an older one.
                    assert!(is_there || age >= Duration::from_secs(145), "{steps:?}: gone when {age:?} old");
                    assert!(!is_there || age < Duration::from_secs(175), "{steps:?}: there when {age:?} old");
                }
            }
        }
    }

    #[test]
    fn how_the_clock_was_set_is_forgotten_with_the_last_record_that_saw_it() {
        let rig = Rig { policy: "three-minutes", ..Rig::new() };
        let (records, _) = rig.open();
        rig.store(&records, Kind::Read, 10);
        rig.clock.step_wall(rig.clock.now().wall + jiff::SignedDuration::from_hours(1));
        let (later, _) = rig.store(&records, Kind::Read, 10);
        // A torn cell behind it.
        rig.disk.write_at(Path::new("/records/steps"), 40, &[9; 17]).unwrap();
        assert_eq!((rig.open().1.records, rig.files("steps").len()), (2, 1));
        rig.clock.advance(Duration::from_secs(176));
        let (records, _) = rig.open();
        records.sweep().unwrap();
        assert!(records.fetch(later).is_err());
        rig.open();
        assert_eq!(rig.files("steps").len(), 0);
    }

    #[test]
    fn a_read_only_disk_still_serves_what_is_on_it() {
        let rig = Rig::new();
        let (records, _) = rig.open();
        let (id, _) = rig.store(&records, Kind::Alert, 10);
        rig.disk.write_at(Path::new("/records/bodies/00000099.pack"), 0, b"x").unwrap();
        rig.disk.set_read_only(true);
        let (records, recovered) = rig.open();
        assert_eq!((recovered.records, recovered.files_removed), (1, 0));
        assert!(records.fetch(id).is_ok());
    }
}
