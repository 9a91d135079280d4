//! Nothing is lost, nothing is doubled, nobody unknown is believed: against a real mosquitto over mutual TLS.

mod support;

use std::collections::{HashMap, HashSet, VecDeque};
use std::num::NonZeroU16;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use milepost::audit::Audit;
use milepost::crypto::{Digest, SigningKey, UnitKey, VerifyingKey};
use milepost::delivery::{
    Arrival, Config, Delivery, Event, Inbound, Kind, Link, LinkEvent, LinkFault, LinkState, ListTopic,
    MemoryShelf, OfflineReason, Presence, Receipt, Received, Shelf, Subscriptions, Topic, UnitTopic, tls,
};
use milepost::enroll::Authority;
use milepost::receive::Receiver;
use milepost::record::{self, NewRecord, Records};
use milepost::system::{Clock, Disk, RealDisk, SystemClock};
use milepost::words::{ListName, RecordId, UnitId};
use support::{Mosquitto, copy, eventually, files, sample};
use tokio::sync::mpsc;

struct Unit {
    shelf: Arc<MemoryShelf>,
    delivery: Delivery,
    inbound: mpsc::Receiver<Inbound>,
}

fn every_list() -> Vec<String> {
    vec!["milepost/v1/lists/#".to_owned()]
}

impl Unit {
    fn start(broker: &Mosquitto, name: &str, trusted: &[VerifyingKey]) -> Self {
        Self::with(Config { receivers: trusted.to_vec(), broker: broker.client(name), ..config() }, name)
    }

    fn with(config: Config, name: &str) -> Self {
        let shelf = Arc::new(MemoryShelf::new());
        let clock = Arc::new(SystemClock::new());
        let (delivery, inbound) =
            Delivery::start(config, unit(name), every_list(), shelf.clone(), clock).unwrap();
        Self { shelf, delivery, inbound }
    }

    /// What the next message is about.
    fn hears(&mut self) -> Topic {
        let mut heard = None;
        eventually("the broker hands something out", || {
            heard = self.inbound.try_recv().ok();
            heard.is_some()
        });
        heard.unwrap().topic
    }

    fn fault(&self) -> LinkFault {
        let mut fault = None;
        eventually("the link is down and says why", || {
            if let LinkState::Down { fault: found, .. } = self.delivery.status().link {
                fault = Some(found);
            }
            fault.is_some()
        });
        fault.unwrap()
    }
}

fn config() -> Config {
    Config { receipt_timeout_s: 2.try_into().unwrap(), batch_wait_ms: 100, ..Config::default() }
}

fn unit(name: &str) -> UnitId {
    UnitId::parse(name).unwrap()
}

fn receiver(broker: &Mosquitto, vault: &Path, key: &SigningKey) -> Receiver {
    Receiver::start(broker.receiver(vault, copy(key)), Arc::new(SystemClock::new())).unwrap().0
}

/// A client that tests look and write through.
struct Desk {
    runtime: tokio::runtime::Runtime,
    link: Link,
    kept: VecDeque<Arrival>,
}

impl Desk {
    fn open(broker: &Mosquitto, name: &str, filters: &[&str]) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let filters = filters.iter().map(|filter| (*filter).to_owned()).collect();
        let subscriptions = Subscriptions { filters, renew: true };
        let client = broker.client(name);
        let opened = Link::open(&client, name, None, &subscriptions);
        let link = runtime.block_on(opened).unwrap();
        let mut desk = Self { runtime, link, kept: VecDeque::new() };
        // The broker answers in order: once it has taken this (and refused it in silence), it has taken the
        // subscriptions. What is retained may come before, and is kept for `next`.
        desk.link.publish("tests/ready".into(), Vec::new(), false).unwrap();
        desk.acknowledged();
        desk
    }

    fn publish(&mut self, topic: &Topic, payload: Vec<u8>, retain: bool) {
        self.link.publish(topic.to_string(), payload, retain).unwrap();
        self.acknowledged();
    }

    fn acknowledged(&mut self) {
        loop {
            match self.runtime.block_on(self.link.next()) {
                LinkEvent::Acknowledged(_) => return,
                LinkEvent::Arrived(arrival) => self.kept.push_back(arrival),
                LinkEvent::Lost(fault) => panic!("{fault}"),
                _ => {}
            }
        }
    }

    /// The next message that arrives.
    fn next(&mut self) -> (Topic, Vec<u8>) {
        let arrival = match self.kept.pop_front() {
            Some(arrival) => arrival,
            None => {
                let arrival = Self::arrival(&mut self.link);
                let in_time = async { tokio::time::timeout(Duration::from_secs(20), arrival).await };
                self.runtime.block_on(in_time).expect("a message in time")
            }
        };
        self.link.accept(&arrival).unwrap();
        (Topic::parse(arrival.topic()).expect("one of our topics"), arrival.payload().to_vec())
    }

    async fn arrival(link: &mut Link) -> Arrival {
        loop {
            match link.next().await {
                LinkEvent::Arrived(arrival) => return arrival,
                LinkEvent::Lost(fault) => panic!("{fault}"),
                _ => {}
            }
        }
    }

    fn presence(&mut self) -> Presence {
        serde_json::from_slice(&self.next().1).unwrap()
    }
}

/// Every stored id with how often it stands in the vault.
fn stored(folder: &Path) -> HashMap<RecordId, u32> {
    let mut found = HashMap::new();
    for path in files(folder).into_iter().filter(|path| !path.starts_with(folder.join("ledger"))) {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("jsonl") => {
                for line in std::fs::read_to_string(&path).unwrap().lines() {
                    let line: serde_json::Value = serde_json::from_str(line).unwrap();
                    let id = line["event"]["id"].as_str().unwrap().parse().unwrap();
                    *found.entry(id).or_default() += 1;
                }
            }
            Some("jpg") => {
                let id = path.file_stem().unwrap().to_str().unwrap().parse().unwrap();
                *found.entry(id).or_default() += 1;
            }
            other => panic!("an odd file in the vault: {other:?}"),
        }
    }
    found
}

#[test]
fn birth_last_will_and_clean_stop_are_seen() {
    let mut broker = Mosquitto::start();
    broker.excuse("milepost/v1/units/north-7/health");
    let mut desk = Desk::open(&broker, "receiver", &["milepost/v1/units/north-7/status"]);
    let first = Unit::start(&broker, "north-7", &[]);
    let Presence::Online { session, .. } = desk.presence() else { panic!("no birth") };
    drop(first);
    let lost = desk.presence();
    let Presence::Offline { session: ended, reason: OfflineReason::Lost, .. } = lost else {
        panic!("{lost:?}")
    };
    assert_eq!(ended, session);

    let second = Unit::start(&broker, "north-7", &[]);
    let Presence::Online { session: later, .. } = desk.presence() else { panic!("no second birth") };
    assert!(later > session);
    second.delivery.report_health(b"{\"state\":\"in-service\"}".to_vec());
    second.delivery.stop();
    let stopped = desk.presence();
    let Presence::Offline { session: ended, reason, .. } = stopped else { panic!("{stopped:?}") };
    assert_eq!((ended, reason), (later, OfflineReason::Stopped));
    // Whoever comes later finds both kept.
    let mut late =
        Desk::open(&broker, "dashboard", &["milepost/v1/units/+/status", "milepost/v1/units/+/health"]);
    let kept: Vec<Vec<u8>> = (0..2).map(|_| late.next().1).collect();
    assert!(kept.contains(&b"{\"state\":\"in-service\"}".to_vec()));
    assert!(
        kept.iter()
            .any(|payload| serde_json::from_slice(payload).is_ok_and(|kept: Presence| kept == stopped))
    );
}

#[test]
fn what_a_unit_has_the_broker_remember_comes_back_before_the_lists() {
    let mut broker = Mosquitto::start();
    broker.excuse("milepost/v1/lists/");
    let mut publisher = Desk::open(&broker, "publisher", &[]);
    let manifest = Topic::List(ListName::parse("state").unwrap(), ListTopic::Manifest);
    publisher.publish(&manifest, b"{}".to_vec(), true);

    // It has heard the list before it stops: what a broker queues for who is away comes before what it retains.
    let mut first = Unit::start(&broker, "north-7", &[]);
    assert_eq!(first.hears(), manifest);
    first.delivery.remember(b"sealed".to_vec());
    first.delivery.stop();

    let mut second = Unit::start(&broker, "north-7", &[]);
    let memory = Topic::Unit(unit("north-7"), UnitTopic::Memory);
    assert_eq!(second.hears(), memory);
    // Twice if the broker had it queued as well as retained.
    eventually("the list follows", || match second.hears() {
        heard if heard == memory => false,
        heard => heard == manifest || panic!("{heard}"),
    });
    second.delivery.stop();
}

#[test]
fn records_are_received_receipted_and_let_go() {
    let broker = Mosquitto::start();
    let (folder, key) = (tempfile::tempdir().unwrap(), SigningKey::generate());
    let _receiver = receiver(&broker, &folder.path().join("vault"), &key);
    let north = Unit::start(&broker, "north-7", &[key.verifying_key()]);
    let now = Timestamp::now();
    let old = now - Duration::from_secs(3600);
    let alert = north.shelf.put(Kind::Alert, now, sample::body(Kind::Alert));
    let jpeg = sample::jpeg(60_000);
    let picture = north.shelf.put(Kind::AlertPicture, now, jpeg.clone());
    let mut all = HashSet::from([alert, picture]);
    for kind in [Kind::HealthChange, Kind::Audit, Kind::PurgeCertificate] {
        all.insert(north.shelf.put(kind, now, sample::body(kind)));
    }
    let mut late = RecordId::new();
    for _ in 0..250 {
        late = north.shelf.put(Kind::Read, old, sample::body(Kind::Read));
        all.insert(late);
    }
    eventually("everything is receipted", || north.shelf.is_empty());
    let vault = folder.path().join("vault");
    let found = stored(&vault);
    assert_eq!(found.keys().copied().collect::<HashSet<_>>(), all);
    assert!(found.values().all(|times| *times == 1));
    let find = |name: &str| files(&vault).into_iter().find(|path| path.ends_with(name)).unwrap();
    assert_eq!(std::fs::read(find(&format!("{picture}.jpg"))).unwrap(), jpeg);
    let reads = std::fs::read_to_string(find("reads.jsonl")).unwrap();
    let line = reads.lines().find(|line| line.contains(&late.to_string())).unwrap();
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(line["event"]["historical"], true);
    assert_eq!(line["event"]["source"], "milepost/units/north-7");
    assert_eq!(line["event"]["type"], "milepost.read.v1");

    eventually("the status has seen it all", || north.delivery.status().counts.records_received == 255);
    let status = north.delivery.status();
    assert!(status.is_connected() && status.in_flight == 0 && status.awaiting_receipt == 0, "{status:?}");
    assert_eq!(status.counts.records_published, 255);
}

/// What a unit sends before there is anybody to hear it, the broker drops with an acknowledgement.
#[test]
fn what_was_sent_before_there_was_a_receiver_is_sent_again_when_one_comes() {
    let broker = Mosquitto::start();
    let (folder, key) = (tempfile::tempdir().unwrap(), SigningKey::generate());
    // By itself a unit would ask for a receipt after a minute, which is longer than this waits.
    let config = Config {
        receivers: vec![key.verifying_key()],
        broker: broker.client("north-7"),
        batch_wait_ms: 100,
        ..Config::default()
    };
    let north = Unit::with(config, "north-7");
    north.shelf.put(Kind::Alert, Timestamp::now(), sample::body(Kind::Alert));
    north.shelf.put(Kind::AlertPicture, Timestamp::now(), sample::jpeg(30_000));
    north.shelf.put(Kind::Read, Timestamp::now(), sample::body(Kind::Read));
    eventually("the broker has taken it all", || north.delivery.status().awaiting_receipt == 3);
    let _receiver = receiver(&broker, &folder.path().join("vault"), &key);
    eventually("all of it is receipted", || north.shelf.is_empty());
    assert_eq!(north.delivery.status().counts.records_sent_again, 3);
}

#[test]
fn the_store_purges_what_is_receipted_and_its_certificate_follows() {
    let broker = Mosquitto::start();
    let (folder, key) = (tempfile::tempdir().unwrap(), SigningKey::generate());
    let vault = folder.path().join("vault");
    let _receiver = receiver(&broker, &vault, &key);
    let (disk, clock): (Arc<dyn Disk>, Arc<dyn Clock>) = (Arc::new(RealDisk), Arc::new(SystemClock::new()));
    let (audit, _) = Audit::open(&folder.path().join("audit"), disk.clone(), clock.clone()).unwrap();
    let (unit_key, place) = (UnitKey::generate(), folder.path().join("records"));
    let opened =
        Records::open(record::Config::default(), &place, &unit_key, disk, clock.clone(), Arc::new(audit));
    let records = Arc::new(opened.unwrap().0);
    let config =
        Config { receivers: vec![key.verifying_key()], broker: broker.client("north-7"), ..config() };
    let (delivery, _inbound) =
        Delivery::start(config, unit("north-7"), every_list(), records.clone(), clock.clone()).unwrap();
    let record = |kind, body: &[u8]| NewRecord {
        id: RecordId::new(),
        kind,
        hit: true,
        belongs_to: None,
        captured: clock.now(),
        clock_trusted: true,
        body: body.to_vec(),
    };
    let evidence = vec![
        record(record::Kind::Alert, &sample::stored(record::Kind::Alert)),
        record(record::Kind::Picture, &sample::jpeg(60_000)),
    ];
    let ids: Vec<RecordId> = evidence.iter().map(|record| record.id).collect();
    records.store_all(evidence).unwrap();
    eventually("nothing is held", || records.counts().held.values().sum::<u64>() == 0);
    delivery.stop();
    let found = stored(&vault);
    assert!(ids.iter().all(|id| found.get(id) == Some(&1)));
    let events = files(&vault).into_iter().filter(|path| path.ends_with("events.jsonl"));
    let certificates: String = events.map(|path| std::fs::read_to_string(path).unwrap()).collect();
    assert!(ids.iter().all(|id| certificates.contains(&id.to_string())), "{certificates}");
}

#[test]
fn an_alert_of_the_highest_level_leaves_before_older_ones() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, clock): (Arc<dyn Disk>, Arc<dyn Clock>) = (Arc::new(RealDisk), Arc::new(SystemClock::new()));
    let (key, place) = (UnitKey::generate(), folder.path().join("records"));
    let open = || {
        let audit =
            Arc::new(Audit::open(&folder.path().join("audit"), disk.clone(), clock.clone()).unwrap().0);
        Records::open(record::Config::default(), &place, &key, disk.clone(), clock.clone(), audit).unwrap().0
    };
    let records = open();
    let store = |kind| {
        let id = RecordId::new();
        let body = sample::stored(kind);
        let captured = clock.now();
        let record = NewRecord { id, kind, hit: true, belongs_to: None, captured, clock_trusted: true, body };
        records.store(record).unwrap();
        id
    };
    let stolen = [store(record::Kind::Alert), store(record::Kind::Alert)];
    let child = store(record::Kind::CriticalAlert);
    let amber = store(record::Kind::AmberAlert);
    let expected = vec![amber, child, stolen[0], stolen[1]];
    assert_eq!(Shelf::waiting(&records, Kind::Alert, 9), expected);
    drop(records);
    let records = open();
    assert_eq!(Shelf::waiting(&records, Kind::Alert, 9), expected, "also after a restart");
    assert_eq!(Shelf::fetch(&records, amber).unwrap().unwrap().kind, Kind::Alert);
}

#[test]
fn broker_killed_and_receiver_ended_in_the_middle_lose_and_double_nothing() {
    let mut broker = Mosquitto::start();
    let (folder, key) = (tempfile::tempdir().unwrap(), SigningKey::generate());
    let vault = folder.path().join("vault");
    let mut running = receiver(&broker, &vault, &key);
    let north = Unit::start(&broker, "north-7", &[key.verifying_key()]);
    let mut all = HashSet::new();
    for n in 0..600 {
        let now = Timestamp::now();
        all.insert(match n % 3 {
            0 => north.shelf.put(Kind::Alert, now, sample::body(Kind::Alert)),
            1 => north.shelf.put(Kind::AlertPicture, now, sample::jpeg(30_000)),
            _ => north.shelf.put(Kind::Read, now, sample::body(Kind::Read)),
        });
        match n {
            200 => {
                eventually("some are through", || north.shelf.len() < 150);
                broker.kill();
            }
            250 => broker.restart(),
            // Ended with messages unanswered; then one that knows only the disk.
            350 => {
                running.stop();
                running = receiver(&broker, &vault, &key);
            }
            450 => {
                eventually("connected again", || north.delivery.status().connections == 2);
                eventually("more are through", || north.shelf.len() < 100);
                broker.kill();
                broker.restart();
            }
            _ => {}
        }
    }
    eventually("everything is receipted", || north.shelf.is_empty());
    running.stop();
    let found = stored(&vault);
    assert_eq!(found.keys().copied().collect::<HashSet<_>>(), all);
    let doubled: Vec<_> = found.iter().filter(|(_, times)| **times > 1).collect();
    assert!(doubled.is_empty(), "{doubled:?}");
    assert!(north.delivery.status().connections == 3);
}

#[test]
fn a_frozen_broker_is_noticed_and_delivery_goes_on_when_it_thaws() {
    let broker = Mosquitto::start();
    let (folder, key) = (tempfile::tempdir().unwrap(), SigningKey::generate());
    let _receiver = receiver(&broker, &folder.path().join("vault"), &key);
    let mut client = broker.client("north-7");
    client.keepalive_s = NonZeroU16::MIN;
    client.connect_timeout_s = NonZeroU16::MIN;
    let north =
        Unit::with(Config { broker: client, receivers: vec![key.verifying_key()], ..config() }, "north-7");
    eventually("connected", || north.delivery.status().is_connected());
    broker.freeze();
    north.shelf.put(Kind::Alert, Timestamp::now(), sample::body(Kind::Alert));
    assert_eq!(north.fault(), LinkFault::Silent);
    broker.thaw();
    eventually("the alert is receipted", || north.shelf.is_empty());
}

#[test]
fn who_is_refused_hears_why() {
    let broker = Mosquitto::start();
    let folder = tempfile::tempdir().unwrap();
    let fault_of = |client: milepost::delivery::Broker| {
        let unit = Unit::with(Config { broker: client, ..config() }, "north-7");
        unit.shelf.put(Kind::Alert, Timestamp::now(), sample::body(Kind::Alert));
        unit.fault()
    };
    let shown = |certificate: &Path| milepost::delivery::Broker {
        key: certificate.with_extension("key"),
        certificate: certificate.into(),
        ..broker.client("north-7")
    };
    let stranger = Authority::create("Somebody Else").unwrap();
    stranger.issue_client("north-7").unwrap().save(folder.path(), "strange").unwrap();
    let refused = fault_of(shown(&folder.path().join("strange.pem")));
    assert_eq!(refused, LinkFault::CertificateUntrusted, "{}", broker.log());

    let past = SystemTime::now() - Duration::from_secs(3600);
    broker.authority().issue_client_until("north-7", past).unwrap().save(folder.path(), "old").unwrap();
    assert_eq!(fault_of(shown(&folder.path().join("old.pem"))), LinkFault::CertificateExpired);

    let missing = fault_of(shown(&folder.path().join("missing.pem")));
    assert!(matches!(&missing, LinkFault::OwnFiles(text) if text.contains("missing.pem")), "{missing}");

    let other = folder.path().join("other-authority.pem");
    std::fs::write(&other, stranger.certificate_pem()).unwrap();
    let client = milepost::delivery::Broker { authority: other, ..broker.client("north-7") };
    assert_eq!(fault_of(client), LinkFault::BrokerUntrusted);

    let client = milepost::delivery::Broker { host: "127.0.0.2".into(), ..broker.client("north-7") };
    assert_eq!(fault_of(client), LinkFault::NothingListens);
}

#[test]
fn a_client_without_a_certificate_is_refused_with_a_clear_sentence() {
    let broker = Mosquitto::start();
    let client = broker.client("nobody");
    let tls = rustls::ClientConfig::builder_with_provider(tls::provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(tls::Pem::load(&client.authority).unwrap().roots().unwrap())
        .with_no_client_auth();
    let mut options = rumqttc::MqttOptions::new("nobody", "localhost", client.port.get());
    options
        .set_transport(rumqttc::Transport::tls_with_config(rumqttc::TlsConfiguration::Rustls(Arc::new(tls))));
    let (_client, mut event_loop) = rumqttc::AsyncClient::new(options, 8);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let fault = LinkFault::from(runtime.block_on(event_loop.poll()).unwrap_err());
    assert_eq!(fault.to_string(), "the broker wants a client certificate and was shown none");
}

#[test]
fn forged_and_misplaced_receipts_let_nothing_go() {
    let mut broker = Mosquitto::start();
    broker.excuse("milepost/v1/units/north-7/receipts");
    let (key, forger) = (SigningKey::generate(), SigningKey::generate());
    let mut desk = Desk::open(&broker, "receiver", &["milepost/v1/units/+/alerts"]);
    let north = Unit::start(&broker, "north-7", &[key.verifying_key()]);
    let id = north.shelf.put(Kind::Alert, Timestamp::now(), sample::body(Kind::Alert));
    let body = sample::body(Kind::Alert);
    let receipt = |name: &str, body: &[u8]| {
        let records = vec![Received { id, sha256: Digest::of(body) }];
        Receipt { unit: unit(name), records, at: Timestamp::now() }
    };
    let topic = Topic::Unit(unit("north-7"), UnitTopic::Receipts);
    let first = Event::parse(&desk.next().1).unwrap().remove(0);
    assert_eq!((first.id, first.historical), (id, false));

    desk.publish(&topic, receipt("north-7", &body).sign(&forger), false);
    desk.publish(&topic, receipt("south-1", &body).sign(&key), false);
    desk.publish(&topic, b"yes".to_vec(), false);
    eventually("three are refused", || north.delivery.status().counts.receipts_refused == 3);
    assert_eq!(north.shelf.len(), 1);

    desk.publish(&topic, receipt("north-7", b"something else").sign(&key), false);
    let again = loop {
        let event = Event::parse(&desk.next().1).unwrap().remove(0);
        if event.historical {
            break event;
        }
    };
    assert_eq!(again.id, id, "a wrong digest means: sent again");
    assert_eq!(north.delivery.status().counts.receipts_differing, 1);

    desk.publish(&topic, receipt("north-7", &body).sign(&key), false);
    eventually("the true receipt counts", || north.shelf.is_empty());
    desk.publish(&topic, receipt("north-7", &body).sign(&key), false);
    eventually("a doubled one does not", || north.delivery.status().counts.receipts_unknown == 1);
}

#[test]
fn a_record_without_a_receipt_is_sent_again_and_marked() {
    let broker = Mosquitto::start();
    let mut desk = Desk::open(&broker, "receiver", &["milepost/v1/units/+/alerts"]);
    let north = Unit::start(&broker, "north-7", &[]);
    let id = north.shelf.put(Kind::Alert, Timestamp::now(), sample::body(Kind::Alert));
    let [first, second] =
        [desk.next(), desk.next()].map(|(_, payload)| Event::parse(&payload).unwrap().remove(0));
    assert_eq!((first.id, first.historical), (id, false));
    assert_eq!((second.id, second.historical), (id, true));
    assert!(second.sequence > first.sequence);
    assert_eq!(north.shelf.waiting(Kind::Alert, 9), [], "published, and kept");
    assert_eq!(north.shelf.len(), 1);
}

#[test]
fn a_unit_cannot_write_under_the_name_of_another() {
    let mut broker = Mosquitto::start();
    broker.excuse("milepost/v1/units/north-7/alerts");
    let mut watcher = Desk::open(&broker, "receiver", &["milepost/v1/units/#"]);
    let mut north = Desk::open(&broker, "north-7", &[]);
    let alerts = |name: &str| Topic::Unit(unit(name), UnitTopic::Alerts);
    north.publish(&alerts("south-1"), b"forged".to_vec(), false);
    north.publish(&Topic::Unit(unit("north-7"), UnitTopic::Receipts), b"forged".to_vec(), false);
    let list = ListName::parse("state-stolen").unwrap();
    north.publish(&Topic::List(list, ListTopic::Manifest), b"forged".to_vec(), true);
    north.publish(&alerts("north-7"), b"true".to_vec(), false);
    assert_eq!(
        watcher.next(),
        (alerts("north-7"), b"true".to_vec()),
        "the first that arrives is the last sent"
    );
}

#[test]
fn lists_and_commands_are_handed_on_as_they_came() {
    let mut broker = Mosquitto::start();
    broker.excuse("milepost/v1/lists/");
    broker.excuse("milepost/v1/units/north-7/commands");
    let list = ListName::parse("state-stolen").unwrap();
    let mut publisher = Desk::open(&broker, "publisher", &[]);
    let chunk = Topic::List(list.clone(), ListTopic::Chunk { version: 7, index: 0 });
    // More than may wait unacknowledged, larger than the library's own packet limit.
    for index in 0..300 {
        let topic = Topic::List(list.clone(), ListTopic::Chunk { version: 7, index });
        publisher.publish(&topic, vec![index as u8; 20_000], true);
    }
    let mut north = Unit::start(&broker, "north-7", &[]);
    let mut seen = HashSet::new();
    while seen.len() < 300 {
        let inbound = north.inbound.blocking_recv().unwrap();
        assert!(inbound.retained && inbound.payload.len() == 20_000);
        seen.insert(inbound.topic);
    }
    assert!(seen.contains(&chunk));
    let mut dispatcher = Desk::open(&broker, "dispatcher", &[]);
    let commands = Topic::Unit(unit("north-7"), UnitTopic::Commands);
    dispatcher.publish(&commands, b"{}".to_vec(), false);
    let taken = north.inbound.blocking_recv().unwrap();
    assert_eq!((&taken.topic, taken.payload.as_slice(), taken.retained), (&commands, &b"{}"[..], false));
    assert_eq!(north.delivery.status().counts.inbound_dropped, 0);

    // The unit goes down before the command has been dealt with: the broker still has it.
    north.delivery.stop();
    drop(taken);
    let mut north = Unit::start(&broker, "north-7", &[]);
    let mut command = || {
        let mut found = None;
        eventually("a command arrives", || {
            found = north.inbound.try_recv().ok().filter(|inbound| matches!(inbound.topic, Topic::Unit(..)));
            found.is_some()
        });
        found.unwrap()
    };
    assert_eq!(command().payload, b"{}");
    dispatcher.publish(&commands, b"{\"second\":2}".to_vec(), false);
    assert_eq!(command().payload, b"{\"second\":2}", "dealt with, it does not come again");
}
