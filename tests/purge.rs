//! Nothing kept: purge destroys the key, then the bytes, and proves it; the policy decides about what
//! matched nothing; and what is lost for want of room is counted, evidence never among it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use milepost::audit::{Audit, verify};
use milepost::crypto::{Digest, UnitKey};
use milepost::record::{
    Certificate, Config, Kind, Loss, NewRecord, Policy, Reason, RecordError, Records, Stored,
};
use milepost::system::{Clock, Disk, ManualClock, SimulatedDisk};
use milepost::words::RecordId;

struct Rig {
    key: UnitKey,
    disk: Arc<SimulatedDisk>,
    clock: Arc<ManualClock>,
    audit: Arc<Audit>,
    records: Records,
}

impl Rig {
    fn new(policy: &str) -> Self {
        Self::with(Config { policy: Policy::load(policy).unwrap(), ..Config::default() })
    }

    fn with(config: Config) -> Self {
        let disk = Arc::new(SimulatedDisk::default());
        let clock = Arc::new(ManualClock::at(Timestamp::from_second(1_772_000_000).unwrap()));
        let shared: Arc<dyn Disk> = disk.clone();
        let (audit, _) = Audit::open(Path::new("/audit"), shared.clone(), clock.clone()).unwrap();
        let audit = Arc::new(audit);
        let key = UnitKey::generate();
        let config = Config { segment_records: 8, ..config };
        let folder = Path::new("/records");
        let (records, _) = Records::open(config, folder, &key, shared, clock.clone(), audit.clone()).unwrap();
        Self { key, disk, clock, audit, records }
    }

    /// What a restart finds.
    fn reopen(&self) -> Records {
        let (disk, folder): (Arc<dyn Disk>, _) = (self.disk.clone(), Path::new("/records"));
        let (clock, audit) = (self.clock.clone(), self.audit.clone());
        Records::open(Config::default(), folder, &self.key, disk, clock, audit).unwrap().0
    }

    fn new_record(&self, kind: Kind, hit: bool, body: &[u8]) -> NewRecord {
        NewRecord {
            id: RecordId::new(),
            kind,
            hit,
            belongs_to: None,
            captured: self.clock.now(),
            clock_trusted: true,
            body: body.to_vec(),
        }
    }

    fn store(&self, kind: Kind, hit: bool, body: &[u8]) -> (RecordId, Digest) {
        let record = self.new_record(kind, hit, body);
        let id = record.id;
        assert_eq!(self.records.store(record).unwrap(), Stored::OnDisk);
        (id, Digest::of(body))
    }

    fn waiting(&self) -> Vec<(RecordId, Kind)> {
        self.records.waiting(None, usize::MAX).iter().map(|waiting| (waiting.id, waiting.kind)).collect()
    }

    fn certificates(&self) -> Vec<Certificate> {
        let certificates = self.waiting().into_iter().filter(|(_, kind)| *kind == Kind::Certificate);
        let body = |(id, _)| self.records.fetch(id).unwrap().body;
        certificates.map(body).map(|body| serde_json::from_slice(&body).unwrap()).collect()
    }

    /// Whether these bytes stand anywhere on the disk.
    fn finds(&self, bytes: &[u8]) -> bool {
        self.disk.contents().iter().any(|(_, content)| content.windows(bytes.len()).any(|part| part == bytes))
    }
}

#[test]
fn nothing_stored_can_be_read_by_a_thief() {
    let rig = Rig::new("massachusetts-model");
    let (id, digest) = rig.store(Kind::Read, false, b"{\"text\":\"8ABC123\"}");
    rig.store(Kind::Picture, true, &[0xab; 30_000]);
    assert!(!rig.finds(b"8ABC123"));
    assert!(!rig.finds(&[0xab; 16]));
    assert!(!rig.finds(id.as_bytes()) && !rig.finds(digest.as_bytes()));
}

#[test]
fn a_receipt_destroys_key_and_bytes_and_leaves_a_certificate() {
    let rig = Rig::new("massachusetts-model");
    let alert = rig.store(Kind::Alert, true, b"alert");
    let picture = rig.store(Kind::Picture, true, &[1; 30_000]);
    let kept = rig.store(Kind::Health, false, b"health");
    let sealed: Vec<_> = rig.disk.contents();
    let received = rig.records.received(&[alert, picture]).unwrap();
    assert_eq!(received.purged, [alert.0, picture.0]);

    assert!(matches!(rig.records.fetch(alert.0), Err(RecordError::Unknown(_))));
    let (_, keys) = sealed.iter().find(|(path, _)| path.ends_with("kept-00000001.keys")).unwrap();
    let (_, bodies) = sealed.iter().find(|(path, _)| path.ends_with("kept-00000001.bodies")).unwrap();
    let (_, pack) = sealed.iter().find(|(path, _)| path.ends_with("00000001.pack")).unwrap();
    assert!(!rig.finds(&keys[..160]) && !rig.finds(&keys[160..320]) && rig.finds(&keys[320..480]));
    assert!(!rig.finds(&bodies[..33]) && !rig.finds(&pack[..64]));
    assert!(rig.records.fetch(kept.0).is_ok());

    let [certificate] = rig.certificates().try_into().unwrap();
    assert_eq!(certificate.reason, Reason::Received);
    assert_eq!(certificate.policy, "massachusetts-model");
    assert_eq!(certificate.records.iter().map(|r| (r.id, r.sha256)).collect::<Vec<_>>(), [alert, picture]);
    let mut log = Vec::new();
    rig.audit.export(&mut log).unwrap();
    let head = certificate.audit.unwrap();
    verify(log.as_slice(), None, Some(head.hash)).unwrap();
    let line = String::from_utf8(log).unwrap().lines().nth(head.number as usize - 1).unwrap().to_owned();
    assert!(line.contains(&certificate.records_sha256.to_string()), "{line}");
}

#[test]
fn a_wrong_digest_purges_nothing_and_the_record_waits_again() {
    let rig = Rig::new("massachusetts-model");
    let (id, _) = rig.store(Kind::Alert, true, b"alert");
    rig.records.published(&[id]);
    assert_eq!(rig.waiting(), []);
    let stranger = RecordId::new();
    let wrong = Digest::of(b"other");
    let received = rig.records.received(&[(id, wrong), (stranger, wrong)]).unwrap();
    assert_eq!(
        (received.purged, received.wrong_digest, received.unknown),
        (vec![], vec![id], vec![stranger])
    );
    assert_eq!(rig.waiting(), [(id, Kind::Alert)]);
    assert_eq!(rig.records.counts().wrong_digests, 1);
}

#[test]
fn a_receipt_for_a_certificate_ends_the_chain_of_proofs() {
    let rig = Rig::new("massachusetts-model");
    let read = rig.store(Kind::Read, false, b"read");
    rig.records.received(&[read]).unwrap();
    let [(certificate, Kind::Certificate)] = rig.waiting()[..] else { panic!("one certificate waits") };
    let digest = rig.records.fetch(certificate).unwrap().head.sha256;
    rig.records.received(&[(certificate, digest)]).unwrap();
    assert_eq!(rig.waiting(), []);
    let left: Vec<_> = rig
        .disk
        .contents()
        .into_iter()
        .filter(|(path, _)| path.starts_with("/records/keys") || path.starts_with("/records/bodies"))
        .collect();
    assert_eq!(left, [], "a unit that has delivered all holds nothing");
}

#[test]
fn hits_only_never_writes_a_read_without_a_match() {
    let rig = Rig::new("hits-only");
    let read = rig.new_record(Kind::Read, false, b"read");
    let changes = rig.disk.changes();
    assert_eq!(rig.records.store(read).unwrap(), Stored::NotByPolicy);
    assert_eq!(rig.disk.changes(), changes);
    let hit = rig.new_record(Kind::Read, true, b"hit");
    let picture = rig.new_record(Kind::Picture, false, b"picture");
    assert_eq!(rig.records.store_all(vec![hit, picture]).unwrap(), Stored::OnDisk);
    assert_eq!((rig.waiting().len(), rig.records.counts().not_stored), (1, 2));
}

#[test]
fn three_minutes_purges_in_time_whatever_the_wall_clock_does() {
    let rig = Rig::new("three-minutes");
    let read = rig.store(Kind::Read, false, b"read").0;
    let picture = rig.store(Kind::Picture, false, &[1; 20_000]).0;
    let hit = rig.store(Kind::Read, true, b"hit").0;
    let year = SignedDuration::from_hours(365 * 24);
    rig.clock.step_wall(rig.clock.now().wall + year);
    rig.records.sweep().unwrap();
    assert!(rig.records.fetch(read).is_ok(), "a clock that steps forward expires nothing");
    rig.clock.step_wall(rig.clock.now().wall - year - year);
    rig.clock.advance(Duration::from_secs(120));
    rig.records.sweep().unwrap();
    assert!(rig.records.fetch(read).is_ok());
    rig.clock.advance(Duration::from_secs(56));
    assert_eq!(rig.records.sweep().unwrap().expired, 2);
    for gone in [read, picture] {
        assert!(matches!(rig.records.fetch(gone), Err(RecordError::Unknown(_))));
    }
    assert!(rig.records.fetch(hit).is_ok(), "evidence stays until it is received");
    assert_eq!(rig.certificates()[0].reason, Reason::Expired);
}

#[test]
fn three_minutes_does_not_send_reads_without_a_match() {
    let rig = Rig::new("three-minutes");
    rig.store(Kind::Read, false, b"read");
    let hit = rig.store(Kind::Read, true, b"hit").0;
    assert_eq!(rig.waiting(), [(hit, Kind::Read)]);
}

#[test]
fn records_wait_in_the_order_of_their_urgency() {
    let rig = Rig::new("massachusetts-model");
    let mixed = [
        (Kind::Read, false),
        (Kind::Health, false),
        (Kind::Picture, true),
        (Kind::Audit, false),
        (Kind::Picture, false),
        (Kind::Alert, true),
    ];
    for (kind, hit) in mixed {
        rig.store(kind, hit, b"body");
    }
    let order: Vec<_> = rig.waiting().into_iter().map(|(_, kind)| kind).collect();
    let expected = [Kind::Alert, Kind::Picture, Kind::Health, Kind::Audit, Kind::Read, Kind::Picture];
    assert_eq!(order, expected);
    let mut after = None;
    let mut one_by_one = Vec::new();
    while let [waiting] = rig.records.waiting(after, 1)[..] {
        one_by_one.push(waiting.kind);
        after = Some(waiting.cursor);
    }
    assert_eq!(one_by_one, expected);
}

#[test]
fn room_is_made_from_reads_then_their_pictures_and_never_from_evidence() {
    let rig = Rig::with(Config { max_mb: 2, ..Config::default() });
    let alert = rig.store(Kind::Alert, true, &[1; 1000]).0;
    let evidence = rig.store(Kind::Picture, true, &[2; 100_000]).0;
    for _ in 0..16 {
        rig.store(Kind::Read, false, &[3; 15_000]);
    }
    for _ in 0..16 {
        rig.store(Kind::Picture, false, &[4; 90_000]);
    }
    let counts = rig.records.counts();
    assert_eq!(counts.lost, [].into(), "all of it fits: {}", counts.bytes);
    for _ in 0..4 {
        rig.store(Kind::Picture, true, &[5; 150_000]);
    }
    let counts = rig.records.counts();
    assert_eq!(counts.held[&Kind::Read], 0, "reads go first");
    assert!(counts.held[&Kind::Picture] < 21 && counts.bytes <= 2 << 20);
    assert_eq!(counts.lost[&Loss::NoRoom], 16 + 21 - counts.held[&Kind::Picture]);
    assert!(rig.records.fetch(alert).is_ok() && rig.records.fetch(evidence).is_ok());
    let mut log = Vec::new();
    rig.audit.export(&mut log).unwrap();
    assert!(String::from_utf8(log).unwrap().contains("\"event\":\"records-lost\",\"reason\":\"no room\""));
}

#[test]
fn a_disk_that_refuses_leaves_alerts_in_memory_and_gets_them_back() {
    let rig = Rig::new("massachusetts-model");
    rig.disk.set_read_only(true);
    let alert = rig.new_record(Kind::Alert, true, b"alert");
    let (id, digest) = (alert.id, Digest::of(&alert.body));
    let second = rig.new_record(Kind::Alert, true, b"second");
    assert_eq!(rig.records.store(alert).unwrap(), Stored::InMemory);
    assert_eq!(rig.records.store(second.clone()).unwrap(), Stored::InMemory);
    let read = rig.new_record(Kind::Read, false, b"read");
    assert!(rig.records.store(read).is_err_and(|error| matches!(error, RecordError::Disk(_))));
    assert_eq!(rig.waiting().len(), 2);
    assert_eq!(rig.records.fetch(id).unwrap().body, b"alert");
    let counts = rig.records.counts();
    assert_eq!((counts.in_memory, counts.held[&Kind::Alert]), (2, 2));
    assert_eq!(counts.lost[&Loss::DiskRefused], 1);
    assert!(counts.disk_fault.is_some());
    rig.records.received(&[(id, digest)]).unwrap();
    assert!(rig.records.fetch(id).is_err(), "what is in memory only needs no disk to end");
    assert_eq!(rig.certificates().len(), 1);

    rig.disk.set_read_only(false);
    assert_eq!(rig.records.sweep().unwrap().back_on_disk, 2);
    assert!(
        rig.records.counts().disk_fault.is_some(),
        "told for some seconds, for those who look once in a while"
    );
    rig.clock.advance(Duration::from_secs(10));
    rig.records.sweep().unwrap();
    let counts = rig.records.counts();
    assert_eq!((counts.in_memory, counts.disk_fault, counts.held[&Kind::Alert]), (0, None, 1));
    assert!(rig.records.fetch(second.id).is_ok());
    let mut log = Vec::new();
    rig.audit.export(&mut log).unwrap();
    let lost = "\"event\":\"records-lost\",\"reason\":\"disk refused\",\"kind\":\"read\",\"count\":1";
    assert!(String::from_utf8(log).unwrap().contains(lost), "the log hears of it once it can be written");
}

#[test]
fn in_memory_alerts_of_the_highest_level_outlast_all_others() {
    let rig = Rig::with(Config { memory_mb: 1, ..Config::default() });
    rig.disk.set_full(true);
    let keep = |kind, size: usize| {
        let record = rig.new_record(kind, true, &vec![7; size]);
        let id = record.id;
        assert_eq!(rig.records.store(record).unwrap(), Stored::InMemory);
        id
    };
    let amber = keep(Kind::CriticalAlert, 100);
    let stolen = keep(Kind::Alert, 100);
    for _ in 0..8 {
        keep(Kind::Picture, 400_000);
    }
    assert!(rig.records.fetch(amber).is_ok() && rig.records.fetch(stolen).is_ok(), "pictures go first");
    keep(Kind::Alert, 1_040_000);
    assert!(rig.records.fetch(amber).is_ok(), "it is the last to go");
    assert!(rig.records.counts().lost[&Loss::MemoryFull] >= 6);
}

/// The order is that of storing, and nothing expires, whatever the wall clock does: a year back, a year forward, also over
/// a restart.
#[test]
fn a_clock_that_jumps_by_a_year_changes_no_order_and_no_expiry() {
    let rig = Rig::new("massachusetts-model");
    let year = SignedDuration::from_hours(365 * 24);
    let mut stored = Vec::new();
    for step in [SignedDuration::ZERO, -year, year, year, -year] {
        rig.clock.step_wall(rig.clock.now().wall + step);
        stored.push((rig.store(Kind::Alert, true, b"alert").0, Kind::Alert));
        rig.clock.advance(Duration::from_secs(60));
        rig.records.sweep().unwrap();
    }
    assert_eq!(rig.waiting(), stored);
    for step in [-year, year, year] {
        rig.clock.step_wall(rig.clock.now().wall + step);
        let reopened = rig.reopen();
        reopened.sweep().unwrap();
        let waiting = reopened.waiting(None, usize::MAX);
        assert!(waiting.iter().map(|waiting| waiting.id).eq(stored.iter().map(|(id, _)| *id)));
    }
}

#[test]
fn a_full_disk_still_purges_and_certifies() {
    let rig = Rig::new("massachusetts-model");
    let alert = rig.store(Kind::Alert, true, b"alert");
    rig.disk.set_full(true);
    rig.records.received(&[alert]).unwrap();
    assert!(matches!(rig.records.fetch(alert.0), Err(RecordError::Unknown(_))));
    assert_eq!(rig.certificates()[0].audit, None);
}

#[test]
fn an_id_is_stored_once() {
    let rig = Rig::new("massachusetts-model");
    let record = rig.new_record(Kind::Alert, true, b"alert");
    rig.records.store(record.clone()).unwrap();
    let again = rig.records.store(record.clone());
    assert!(matches!(again, Err(RecordError::Duplicate(id)) if id == record.id));
    let twins = vec![rig.new_record(Kind::Read, false, b"x"); 2];
    assert!(matches!(rig.records.store_all(twins), Err(RecordError::Duplicate(_))));
}

#[test]
fn a_decayed_body_is_lost_once_and_said() {
    let rig = Rig::new("massachusetts-model");
    let (id, _) = rig.store(Kind::Alert, true, b"alert");
    rig.disk.flip_bit(Path::new("/records/bodies/kept-00000001.bodies"), 20);
    assert!(matches!(rig.records.fetch(id), Err(RecordError::Damaged(_))));
    assert_eq!(rig.waiting(), []);
    assert_eq!(rig.records.counts().lost[&Loss::Damaged], 1);
}
