//! What a broker can do to a unit ends in a sentence with its mend, and in no loss: refusals of every kind, a full disk, a session
//! that was left behind half made.

#[path = "support/fake_broker.rs"]
mod fake_broker;
#[allow(dead_code, reason = "the disk's own tests use more of it")]
#[path = "support/small_disk.rs"]
mod small_disk;
mod support;

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use fake_broker::FakeBroker;
use jiff::Timestamp;
use milepost::crypto::SigningKey;
use milepost::delivery::{Broker, Config, Delivery, Kind, LinkFault, LinkState, MemoryShelf};
use milepost::enroll::Authority;
use milepost::receive::Receiver;
use milepost::system::SystemClock;
use milepost::words::UnitId;
use small_disk::SmallDisk;
use support::{Mosquitto, copy, eventually, files, not_run, sample};

struct Unit {
    shelf: Arc<MemoryShelf>,
    delivery: Delivery,
}

impl Unit {
    fn start(name: &str, broker: Broker, receipts: &SigningKey) -> Self {
        let config = Config {
            broker,
            receivers: vec![receipts.verifying_key()],
            receipt_timeout_s: 1.try_into().unwrap(),
            batch_wait_ms: 50,
            ..Config::default()
        };
        let (shelf, clock) = (Arc::new(MemoryShelf::new()), Arc::new(SystemClock::new()));
        let unit = UnitId::parse(name).unwrap();
        let (delivery, _) = Delivery::start(config, unit, Vec::new(), shelf.clone(), clock).unwrap();
        Self { shelf, delivery }
    }

    fn put(&self, kind: Kind, size: usize) {
        let body = if kind.is_picture() { sample::jpeg(size) } else { sample::body(kind) };
        self.shelf.put(kind, Timestamp::now(), body);
    }

    /// What the status says once this fault stands in it, for whoever must mend it.
    fn says(&self, expected: &LinkFault) -> String {
        let mut said = String::new();
        eventually(&format!("the status says: {expected}"), || match self.delivery.status().link {
            LinkState::Down { fault, mend, .. } if fault == *expected => {
                said = format!("{fault}: {mend}");
                true
            }
            _ => false,
        });
        said
    }
}

fn receiver(broker: &Mosquitto, vault: &Path, key: &SigningKey) -> Receiver {
    Receiver::start(broker.receiver(vault, copy(key)), Arc::new(SystemClock::new())).unwrap().0
}

#[test]
fn a_revoked_unit_hears_that_it_is_and_delivers_once_it_is_enrolled_anew() {
    let mut broker = Mosquitto::start();
    let (folder, key) = (tempfile::tempdir().unwrap(), SigningKey::generate());
    let stolen = broker.client("north-7");
    let list = broker.authority().revoke(&[&stolen.certificate]).unwrap();
    let path = folder.path().join("revoked.pem");
    std::fs::write(&path, list).unwrap();
    broker.reconfigure(format!("crlfile {}\n", path.display()));
    let _receiver = receiver(&broker, &folder.path().join("vault"), &key);

    let north = Unit::start("north-7", stolen.clone(), &key);
    north.put(Kind::Alert, 0);
    let said = north.says(&LinkFault::CertificateRevoked);
    assert!(said.contains("revoked") && said.contains("enrolled anew"), "{said}");
    assert_eq!(north.shelf.len(), 1);
    // Enrolled anew under its own name, it goes on by itself: files are read at each attempt.
    let anew = broker.authority().issue_client("north-7").unwrap();
    std::fs::write(&stolen.key, anew.key_pem).unwrap();
    std::fs::write(&stolen.certificate, anew.certificate_pem).unwrap();
    eventually("what it kept is receipted", || north.shelf.is_empty());
}

/// A broker of MQTT 3.1.1 takes a message that its access list forbids, and drops it without a word.
#[test]
fn a_unit_that_is_not_authorised_for_its_topics_says_that_nothing_arrives() {
    let mut broker = Mosquitto::start();
    let (folder, key) = (tempfile::tempdir().unwrap(), SigningKey::generate());
    let acl = folder.path().join("acl");
    let shipped =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("config/mosquitto/acl")).unwrap();
    let without = shipped.replace("pattern write milepost/v1/units/%u/alerts\n", "");
    assert_ne!(without, shipped);
    std::fs::write(&acl, without).unwrap();
    broker.reconfigure(format!("acl_file {}\n", acl.display()));
    let _receiver = receiver(&broker, &folder.path().join("vault"), &key);
    let north = Unit::start("north-7", broker.client("north-7"), &key);
    north.put(Kind::Alert, 0);
    eventually("the silence of the receiver is noticed", || north.delivery.status().receiver_silent);
    let status = north.delivery.status();
    let trouble = status.trouble().expect("it is told");
    assert!(
        status.is_connected() && trouble.contains("no receipt comes back") && trouble.contains("access list"),
        "{trouble}"
    );
    assert_eq!(north.shelf.len(), 1, "nothing is let go");

    std::fs::write(&acl, shipped).unwrap();
    broker.restart();
    eventually("what it kept is receipted", || north.shelf.is_empty());
    eventually("all is well", || north.delivery.status().trouble().is_none());
}

/// mosquitto never refuses a subscription that its access list forbids; other brokers do.
#[test]
fn a_refused_subscription_is_told_with_its_mend() {
    let folder = tempfile::tempdir().unwrap();
    let (broker, client) = fake(folder.path());
    let north = Unit::start("north-7", client, &SigningKey::generate());
    let mut session = broker.accept(false);
    session.answer_subscriptions(RECEIPTS, 0x80);
    let mut trouble = String::new();
    eventually("the refusal is told", || {
        trouble = north.delivery.status().trouble().unwrap_or_default();
        trouble.contains("refused the subscription to milepost/v1/units/north-7/")
    });
    assert!(trouble.contains("let this unit read that topic in the broker's access list"), "{trouble}");
}

/// The disk that mosquitto saves to is full, so a crash takes all that it had not handed on.
#[test]
fn a_broker_without_room_on_its_disk_loses_nothing_of_ours() {
    let mut broker = Mosquitto::start();
    let (folder, key) = (tempfile::tempdir().unwrap(), SigningKey::generate());
    let disk = match SmallDisk::ext4(2) {
        Ok(disk) => disk,
        Err(error) => return not_run("a_broker_without_room_on_its_disk_loses_nothing_of_ours", &error),
    };
    disk.fill();
    broker.reconfigure(format!("persistence_location {}/\nautosave_interval 1\n", disk.path().display()));
    let vault = folder.path().join("vault");
    let north = Unit::start("north-7", broker.client("north-7"), &key);
    for _ in 0..20 {
        north.put(Kind::Alert, 0);
        north.put(Kind::AlertPicture, 20_000);
    }
    eventually("the broker has taken it all", || north.delivery.status().counts.records_published == 40);
    broker.restart();
    let _receiver = receiver(&broker, &vault, &key);
    eventually("all of it is sent again and receipted", || north.shelf.is_empty());
    let pictures: HashSet<_> =
        files(&vault).into_iter().filter(|path| path.extension().is_some_and(|end| end == "jpg")).collect();
    assert_eq!(pictures.len(), 20);
}

/// The connection ends after CONNACK and before SUBACK: the broker has a session of ours in which it sends us nothing.
#[test]
fn subscriptions_that_the_broker_did_not_answer_are_asked_for_again() {
    let folder = tempfile::tempdir().unwrap();
    let (broker, client) = fake(folder.path());
    let _north = Unit::start("north-7", client, &SigningKey::generate());
    drop(broker.accept(false));
    broker.accept(true).answer_subscriptions(RECEIPTS, 1);
}

const RECEIPTS: &str = "milepost/v1/units/north-7/receipts";

/// A broker that does what the test says, and how `north-7` reaches it.
fn fake(folder: &Path) -> (FakeBroker, Broker) {
    let authority = Authority::create("Test Department").unwrap();
    std::fs::write(folder.join("authority.pem"), authority.certificate_pem()).unwrap();
    authority.issue_client("north-7").unwrap().save(folder, "unit").unwrap();
    let broker = FakeBroker::listen(&authority, folder);
    let client = Broker {
        port: broker.port().try_into().unwrap(),
        authority: folder.join("authority.pem"),
        certificate: folder.join("unit.pem"),
        key: folder.join("unit.key"),
        retry_max_s: 1.try_into().unwrap(),
        ..Broker::default()
    };
    (broker, client)
}
