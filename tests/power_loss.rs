//! The promise of the records over power cuts: nothing acknowledged is lost, nothing purged comes back,
//! nothing is doubled, no certificate lies. Against a disk that loses and tears what was not synced, with
//! the power cut at every single change; and against the real one, with `kill -9`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use milepost::audit::{Audit, verify};
use milepost::crypto::{Digest, UnitKey};
use milepost::record::{Certificate, Config, Kind, NewRecord, RecordError, Records, Stored};
use milepost::system::{Clock, Disk, ManualClock, RealDisk, SimulatedDisk, SystemClock};
use milepost::words::RecordId;
use proptest::prelude::*;

/// What callers do to the records. Numbers pick among what is there, modulo how many there are.
#[derive(Debug, Clone)]
enum Action {
    StoreAlert { pictures: u8 },
    StoreReads { count: u8 },
    StoreHealth,
    Publish { picks: Vec<u8> },
    Receive { picks: Vec<u8> },
    ReceiveWrongDigest { pick: u8 },
    Sweep,
    Restart,
}

fn action() -> impl Strategy<Value = Action> {
    let picks = || prop::collection::vec(any::<u8>(), 1..5);
    prop_oneof![
        3 => (0..3u8).prop_map(|pictures| Action::StoreAlert { pictures }),
        3 => (1..5u8).prop_map(|count| Action::StoreReads { count }),
        1 => Just(Action::StoreHealth),
        1 => picks().prop_map(|picks| Action::Publish { picks }),
        4 => picks().prop_map(|picks| Action::Receive { picks }),
        1 => any::<u8>().prop_map(|pick| Action::ReceiveWrongDigest { pick }),
        1 => Just(Action::Sweep),
        1 => Just(Action::Restart),
    ]
}

struct Rig {
    disk: Arc<SimulatedDisk>,
    clock: Arc<ManualClock>,
    key: UnitKey,
}

/// What must, may and must not be there.
#[derive(Default)]
struct Model {
    bodies: BTreeMap<RecordId, Vec<u8>>,
    /// Acknowledged.
    there: BTreeSet<RecordId>,
    /// Storing or purging was under way when the power went.
    open: BTreeSet<RecordId>,
    gone: BTreeSet<RecordId>,
    /// Shows a vehicle, so its purge needs a certificate.
    captured: BTreeSet<RecordId>,
    certificates: BTreeMap<RecordId, Certificate>,
}

impl Rig {
    fn new(key: &UnitKey) -> Self {
        let wall = Timestamp::from_second(1_772_000_000).unwrap();
        let clock = Arc::new(ManualClock::at(wall));
        Self { disk: Arc::new(SimulatedDisk::default()), clock, key: key.clone() }
    }

    fn open(&self) -> Result<(Records, Arc<Audit>), String> {
        let disk: Arc<dyn Disk> = self.disk.clone();
        let (audit, _) =
            Audit::open(Path::new("/audit"), disk.clone(), self.clock.clone()).map_err(|e| e.to_string())?;
        let audit = Arc::new(audit);
        let config = Config { segment_records: 3, ..Config::default() };
        let folder = Path::new("/records");
        let (records, _) = Records::open(config, folder, &self.key, disk, self.clock.clone(), audit.clone())
            .map_err(|error| error.to_string())?;
        Ok((records, audit))
    }

    /// Runs until the end or until the power goes; what the caller was told is in the model.
    fn run(&self, actions: &[Action]) -> Model {
        let mut model = Model::default();
        let Ok((mut records, _)) = self.open() else { return model };
        for action in actions {
            if let Action::Restart = action {
                match self.open() {
                    Ok((opened, _)) => records = opened,
                    Err(_) => return model,
                }
            } else {
                self.act(action, &records, &mut model);
            }
            model.note_certificates(&records);
            if !self.disk.has_power() {
                return model;
            }
            self.clock.advance(Duration::from_millis(700));
        }
        model
    }

    fn act(&self, action: &Action, records: &Records, model: &mut Model) {
        let new = |kind, hit, belongs_to, size: usize| {
            let id = RecordId::new();
            let body = id.to_string().repeat(size).into_bytes();
            let captured = self.clock.now();
            NewRecord { id, kind, hit, belongs_to, captured, clock_trusted: true, body }
        };
        let pick = |pick: u8| {
            let waiting = records.waiting(None, usize::MAX);
            (!waiting.is_empty()).then(|| waiting[usize::from(pick) % waiting.len()].id)
        };
        match action {
            Action::StoreAlert { pictures } => {
                let alert = new(Kind::Alert, true, None, 10);
                let pictures = (0..*pictures)
                    .map(|size| new(Kind::Picture, true, Some(alert.id), 300 + 400 * usize::from(size)));
                let group: Vec<_> = pictures.chain([alert.clone()]).collect();
                model.store(records, group);
            }
            Action::StoreReads { count } => {
                model.store(records, (0..*count).map(|_| new(Kind::Read, false, None, 20)).collect());
            }
            Action::StoreHealth => model.store(records, vec![new(Kind::Health, false, None, 5)]),
            Action::Publish { picks } => {
                records.published(&picks.iter().filter_map(|&number| pick(number)).collect::<Vec<_>>());
            }
            Action::Receive { picks } => {
                let ids: BTreeSet<_> = picks.iter().filter_map(|&number| pick(number)).collect();
                model.receive(records, ids);
            }
            Action::ReceiveWrongDigest { pick: number } => {
                let Some(id) = pick(*number) else { return };
                if let Ok(received) = records.received(&[(id, Digest::of(b"something else"))]) {
                    assert_eq!((received.purged, received.wrong_digest), (vec![], vec![id]));
                }
            }
            Action::Sweep => drop(records.sweep()),
            Action::Restart => unreachable!("restarting is the rig's"),
        }
    }
}

impl Model {
    fn store(&mut self, records: &Records, group: Vec<NewRecord>) {
        let ids: Vec<_> = group.iter().map(|record| record.id).collect();
        for record in &group {
            self.bodies.insert(record.id, record.body.clone());
            if record.kind.is_captured() {
                self.captured.insert(record.id);
            }
        }
        match records.store_all(group) {
            Ok(Stored::OnDisk) => self.there.extend(ids),
            Ok(Stored::InMemory) | Err(RecordError::Disk(_)) => self.open.extend(ids),
            other => panic!("storing new records gave {other:?}"),
        }
    }

    fn receive(&mut self, records: &Records, ids: BTreeSet<RecordId>) {
        let digest = |id: &RecordId| records.fetch(*id).map(|fetched| (*id, fetched.head.sha256));
        let Ok(receipts) = ids.iter().map(digest).collect::<Result<Vec<_>, _>>() else {
            return;
        };
        for id in &ids {
            self.there.remove(id);
        }
        match records.received(&receipts) {
            Ok(received) => {
                assert_eq!(received.purged.iter().copied().collect::<BTreeSet<_>>(), ids);
                self.open.retain(|id| !ids.contains(id));
                self.gone.extend(ids);
            }
            Err(_) => self.open.extend(ids),
        }
    }

    /// Certificates are records too, made by the store itself.
    fn note_certificates(&mut self, records: &Records) {
        for waiting in records.waiting(None, usize::MAX) {
            if waiting.kind != Kind::Certificate || self.bodies.contains_key(&waiting.id) {
                continue;
            }
            let Ok(fetched) = records.fetch(waiting.id) else { continue };
            let certificate = serde_json::from_slice(&fetched.body).expect("a certificate is JSON");
            self.certificates.insert(waiting.id, certificate);
            self.bodies.insert(waiting.id, fetched.body);
            if !self.open.contains(&waiting.id) {
                self.there.insert(waiting.id);
            }
        }
    }

    fn check(&mut self, records: &Records, audit: &Audit) {
        self.note_certificates(records);
        let waiting: Vec<_> = records.waiting(None, usize::MAX).iter().map(|waiting| waiting.id).collect();
        let distinct: BTreeSet<_> = waiting.iter().copied().collect();
        assert_eq!(distinct.len(), waiting.len(), "a record is handed out twice");
        for id in &self.there {
            let fetched = records.fetch(*id).unwrap_or_else(|error| panic!("acknowledged, but: {error}"));
            assert_eq!(&fetched.body, &self.bodies[id]);
            assert!(distinct.contains(id), "{id} is readable and does not wait");
        }
        for id in &self.gone {
            assert!(matches!(records.fetch(*id), Err(RecordError::Unknown(_))), "{id} came back");
            assert!(!distinct.contains(id), "{id} came back");
        }
        for id in &self.open {
            match records.fetch(*id) {
                Ok(fetched) => assert_eq!(&fetched.body, &self.bodies[id]),
                Err(RecordError::Unknown(_)) => {}
                Err(error) => panic!("a half-done record is neither whole nor gone: {error}"),
            }
        }
        for id in &distinct {
            assert!(self.there.contains(id) || self.open.contains(id), "nobody stored {id}");
        }
        let certified: BTreeSet<_> = self
            .certificates
            .values()
            .flat_map(|certificate| certificate.records.iter().map(|record| record.id))
            .collect();
        assert!(certified.is_disjoint(&distinct), "a certificate names a record that is there");
        for id in self.gone.intersection(&self.captured) {
            assert!(certified.contains(id), "{id} was purged without a certificate");
        }
        let mut log = Vec::new();
        audit.export(&mut log).unwrap();
        verify(log.as_slice(), None, None).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn the_promise_holds_wherever_the_power_is_cut(
        actions in prop::collection::vec(action(), 1..9),
        seed in any::<u64>(),
    ) {
        let key = UnitKey::generate();
        let whole = Rig::new(&key);
        let mut model = whole.run(&actions);
        let (records, audit) = whole.open().unwrap();
        model.check(&records, &audit);

        for cut in 0..whole.disk.changes() {
            let rig = Rig::new(&key);
            rig.disk.cut_power_after(cut);
            let mut model = rig.run(&actions);
            rig.disk.restart(seed.wrapping_add(cut.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
            let (records, audit) = rig.open().unwrap();
            model.check(&records, &audit);
            // Life goes on, and what recovery found is no less durable than what it made.
            for action in [Action::StoreAlert { pictures: 1 }, Action::Receive { picks: vec![0, 1] }] {
                rig.act(&action, &records, &mut model);
            }
            rig.disk.restart(seed ^ cut);
            let (records, audit) = rig.open().unwrap();
            model.check(&records, &audit);
        }
    }
}

const CHILD_FOLDER: &str = "MILEPOST_POWER_LOSS_FOLDER";

/// The test program runs itself, is killed at a random microsecond, and looks at what is left; the same
/// folder goes through all rounds.
#[test]
fn killed_at_any_instant_nothing_is_lost_doubled_or_kept() {
    if let Ok(folder) = std::env::var(CHILD_FOLDER) {
        work_until_killed(Path::new(&folder));
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("unit.key"), UnitKey::generate().as_bytes()).unwrap();
    let mut there: BTreeMap<RecordId, Digest> = BTreeMap::new();
    let mut gone = BTreeSet::new();
    // A slow disk gets more rounds, so that there is always enough to judge.
    let mut rounds = 0;
    while rounds < 30 || (rounds < 300 && there.len().min(gone.len()) < 30) {
        rounds += 1;
        for line in output_until_killed(folder.path()) {
            let words: Vec<_> = line.split(' ').collect();
            match words.as_slice() {
                ["stored", id, digest] => drop(there.insert(id.parse().unwrap(), digest.parse().unwrap())),
                ["purging", id] => drop(there.remove(&id.parse().unwrap())),
                ["purged", id] => drop(gone.insert(id.parse::<RecordId>().unwrap())),
                _ => {}
            }
        }
        let records = open_real(folder.path());
        let waiting: Vec<_> = records.waiting(None, usize::MAX).iter().map(|waiting| waiting.id).collect();
        assert_eq!(waiting.iter().collect::<BTreeSet<_>>().len(), waiting.len(), "doubled");
        for (id, digest) in &there {
            assert_eq!(records.fetch(*id).expect("acknowledged before the kill").head.sha256, *digest);
        }
        for id in &gone {
            assert!(matches!(records.fetch(*id), Err(RecordError::Unknown(_))), "kept after its purge");
        }
        for id in waiting {
            records.fetch(id).expect("whatever waits can be read");
        }
    }
    assert!(there.len() >= 30 && gone.len() >= 30, "the rounds were too short to prove anything");
}

/// What the child said before it was killed.
fn output_until_killed(folder: &Path) -> Vec<String> {
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["killed_at_any_instant_nothing_is_lost_doubled_or_kept", "--exact", "--nocapture"])
        .env(CHILD_FOLDER, folder)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let ready = lines.by_ref().map_while(Result::ok).any(|line| line.ends_with("ready"));
    assert!(ready, "the child could not open its records");
    let instant = u16::from_le_bytes(milepost::crypto::random()) % 60_000;
    let reader = std::thread::spawn(move || lines.map_while(Result::ok).collect());
    std::thread::sleep(Duration::from_micros(instant.into()));
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap()
}

fn open_real(folder: &Path) -> Records {
    let key = UnitKey::load(&folder.join("unit.key")).unwrap();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let (audit, _) = Audit::open(&folder.join("audit"), Arc::new(RealDisk), clock.clone()).unwrap();
    let config = Config { segment_records: 40, ..Config::default() };
    let records = folder.join("records");
    Records::open(config, &records, &key, Arc::new(RealDisk), clock, Arc::new(audit)).unwrap().0
}

fn work_until_killed(folder: &Path) -> ! {
    let records = open_real(folder);
    let clock = SystemClock::new();
    let say = |text: String| std::io::stdout().write_all(format!("{text}\n").as_bytes()).unwrap();
    // The first random number of a process takes tens of milliseconds; the kill is to fall into the work.
    let _ = milepost::crypto::random::<1>();
    say("ready".to_owned());
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                loop {
                    let new = |kind, size| {
                        let (id, body) = (RecordId::new(), milepost::crypto::random::<64>().repeat(size));
                        let captured = clock.now();
                        let belongs_to = None;
                        NewRecord { id, kind, hit: true, belongs_to, captured, clock_trusted: false, body }
                    };
                    let group = vec![new(Kind::Alert, 10), new(Kind::Picture, 900), new(Kind::Read, 10)];
                    let receipts: Vec<_> = group.iter().map(|r| (r.id, Digest::of(&r.body))).collect();
                    assert_eq!(records.store_all(group).unwrap(), Stored::OnDisk);
                    for (id, digest) in &receipts {
                        say(format!("stored {id} {digest}"));
                    }
                    for (id, _) in &receipts[1..] {
                        say(format!("purging {id}"));
                    }
                    assert_eq!(records.received(&receipts[1..]).unwrap().purged.len(), 2);
                    for (id, _) in &receipts[1..] {
                        say(format!("purged {id}"));
                    }
                }
            });
        }
    });
    unreachable!("the workers never end")
}
