//! A disk that is full, turns read-only, is slow, or gives back other bytes than were written: the whole program goes on
//! reading, raises and delivers alerts, keeps what it can, and says what is wrong. On a real ext4 in a loop device.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use milepost::audit::Audit;
use milepost::crypto::{UnitKey, sha256};
use milepost::delivery::{self, Delivery};
use milepost::record::{self, Kind, NewRecord, Records, Stored};
use milepost::system::{Clock, Disk, RealDisk, SystemClock};
use milepost::words::{RecordId, UnitId};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::department::Department;
use crate::program::Appliance;
use crate::rtsp::RtspServer;
use crate::site::Site;
use crate::small_disk::SmallDisk;
use crate::support::{self, Mosquitto, eventually, files, not_run};

#[test]
fn on_a_full_and_on_a_read_only_disk_the_unit_starts_reads_and_alerts() {
    let test = "on_a_full_and_on_a_read_only_disk_the_unit_starts_reads_and_alerts";
    let disk = match SmallDisk::ext4(24) {
        Ok(disk) => disk,
        Err(error) => return not_run(test, &error),
    };
    let (site, _camera) = site_on(&disk);
    let toml = site.folder().join("milepost.toml");
    let configuration = std::fs::read_to_string(&toml).unwrap() + "[health]\nreport_every_s = 1\n";
    std::fs::write(&toml, configuration).unwrap();

    let mut unit = started(&site);
    next_alert(&site);
    let filler = disk.fill();
    // What the unit purges makes room for what it stores next: whoever fills the disk takes that as well.
    eventually("a full disk is told", || {
        disk.fill();
        site.department.sees("degraded", &["store-failing"])
    });
    let fault = site.department.health()["records"]["fault"].to_string();
    assert!(fault.contains("No space left") || fault.contains("full"), "{fault}");
    next_alert(&site);
    unit.kill();
    unit = started(&site);
    next_alert(&site);
    console_opens(&unit);
    std::fs::remove_file(filler).unwrap();
    eventually("the disk takes records again", || site.department.health()["records"]["fault"].is_null());
    next_alert(&site);

    unit.kill();
    disk.remount("ro");
    unit = started(&site);
    next_alert(&site);
    eventually("a read-only disk is told", || site.department.sees("degraded", &["store-failing"]));
    console_opens(&unit);
    unit.kill();
    disk.remount("rw");
    let _unit = started(&site);
    next_alert(&site);
    assert!(site.department.health()["records"]["fault"].is_null());
}

#[test]
fn a_console_that_first_starts_on_a_disk_without_writes_keeps_its_certificate_once_they_are_taken() {
    let test =
        "a_console_that_first_starts_on_a_disk_without_writes_keeps_its_certificate_once_they_are_taken";
    let disk = match SmallDisk::ext4(24) {
        Ok(disk) => disk,
        Err(error) => return not_run(test, &error),
    };
    let (site, _camera) = site_on(&disk);
    let unit = started(&site);
    unit.kill();
    std::fs::remove_dir_all(disk.path().join("console")).unwrap();
    // Not full: what a unit lets go at its start may leave room for a certificate.
    disk.remount("ro");

    let unit = started(&site);
    console_opens(&unit);
    eventually("the unit says what is not kept", || unit.said().contains("certificate cannot be kept yet"));
    let certificate = disk.path().join("console/certificate.pem");
    assert!(!certificate.exists());
    disk.remount("rw");
    eventually("the certificate is kept once writes are taken", || certificate.exists());
    let kept = CertificateDer::from_pem_file(&certificate).unwrap();
    let fingerprint = sha256(&kept).map(|byte| format!("{byte:02X}")).join(":");
    assert!(unit.said().contains(&fingerprint), "what is kept is what was shown: {fingerprint}");
}

#[test]
fn on_a_disk_that_turns_read_only_under_it_the_unit_reads_and_alerts() {
    let test = "on_a_disk_that_turns_read_only_under_it_the_unit_reads_and_alerts";
    let disk = match SmallDisk::ext4(64) {
        Ok(disk) => disk,
        Err(error) => return not_run(test, &error),
    };
    let (site, _camera) = site_on(&disk);
    let _unit = started(&site);
    next_alert(&site);
    disk.fail();
    eventually("the disk is told", || site.department.sees("degraded", &["store-failing"]));
    next_alert(&site);
    next_alert(&site);
}

/// The machine's own disk, as slow as an old card.
struct SlowDisk;

const SYNC: Duration = Duration::from_millis(300);

impl Disk for SlowDisk {
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        RealDisk.create_folder(path)
    }
    fn lock(&self, folder: &Path) -> io::Result<Option<File>> {
        RealDisk.lock(folder)
    }
    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        RealDisk.list(folder)
    }
    fn length(&self, path: &Path) -> io::Result<u64> {
        RealDisk.length(path)
    }
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        RealDisk.read(path)
    }
    fn read_at(&self, path: &Path, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        RealDisk.read_at(path, offset, length)
    }
    fn write_at(&self, path: &Path, offset: u64, bytes: &[u8]) -> io::Result<()> {
        RealDisk.write_at(path, offset, bytes)
    }
    fn truncate(&self, path: &Path, length: u64) -> io::Result<()> {
        RealDisk.truncate(path, length)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove(path)
    }
    fn sync(&self, path: &Path) -> io::Result<()> {
        std::thread::sleep(SYNC);
        RealDisk.sync(path)
    }
    fn sync_each(&self, paths: &[PathBuf]) -> io::Result<()> {
        std::thread::sleep(SYNC);
        RealDisk.sync_each(paths)
    }
    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        std::thread::sleep(SYNC);
        RealDisk.sync_folder(path)
    }
}

#[test]
fn on_a_slow_disk_alerts_leave_while_reads_wait_and_nothing_is_lost() {
    let broker = Mosquitto::start();
    let folder = tempfile::tempdir().unwrap();
    let department = Department::open(&broker, &folder.path().join("received"));
    let (disk, clock): (Arc<dyn Disk>, Arc<dyn Clock>) = (Arc::new(SlowDisk), Arc::new(SystemClock::new()));
    let (audit, _) = Audit::open(&folder.path().join("audit"), disk.clone(), clock.clone()).unwrap();
    let (key, place) = (UnitKey::generate(), folder.path().join("records"));
    let (config, audit) = (record::Config::default(), Arc::new(audit));
    let records = Arc::new(Records::open(config, &place, &key, disk, clock.clone(), audit).unwrap().0);
    let config = delivery::Config {
        receivers: vec![department.key],
        broker: broker.client("north-7"),
        ..delivery::Config::default()
    };
    let unit = UnitId::parse("north-7").unwrap();
    let (delivery, _inbound) =
        Delivery::start(config, unit, Vec::new(), records.clone(), clock.clone()).unwrap();
    let store = |kind, hit| {
        let (id, captured, body) = (RecordId::new(), clock.now(), support::sample::stored(kind));
        let record = NewRecord { id, kind, hit, belongs_to: None, captured, clock_trusted: true, body };
        assert_eq!(records.store(record).unwrap(), Stored::OnDisk);
    };

    let over = AtomicBool::new(false);
    let reads: usize = std::thread::scope(|scope| {
        // A street that is busier than the disk: each of them waits for the disk, together with the others.
        let read = || {
            let mut stored = 0;
            while !over.load(Ordering::Relaxed) {
                store(Kind::Read, false);
                stored += 1;
            }
            stored
        };
        let street: Vec<_> = (0..16).map(|_| scope.spawn(read)).collect();
        for alerts in 1..=3 {
            store(Kind::Alert, true);
            eventually("the alert leaves", || department.events("alerts").len() == alerts);
        }
        over.store(true, Ordering::Relaxed);
        street.into_iter().map(|vehicle| vehicle.join().unwrap()).sum()
    });
    assert!(reads >= 16);
    eventually("every read arrives", || department.events("reads").len() == reads);
    eventually("all is receipted and gone", || records.counts().held.values().sum::<u64>() == 0);
    assert!(records.counts().lost.is_empty() && records.counts().disk_fault.is_none());
    delivery.stop();
}

#[test]
fn whatever_was_damaged_on_the_disk_the_rest_survives_and_the_damage_is_told() {
    let mut site = Site::open();
    let camera = site.camera(0);
    site.configure(&camera, "127.0.0.1:0".parse().unwrap());
    let unit = started(&site);
    next_alert(&site);
    // Alerts with their pictures wait on the disk.
    site.broker.save();
    site.broker.kill();
    let raised = site.audited("alert-raised").len();
    eventually("more alerts are raised", || site.audited("alert-raised").len() > raised + 2);
    unit.kill();

    let state = site.folder().join("state");
    let entries = site.audited("alert-raised").len();
    damage(&only(&state.join("records/bodies"), ".pack"), 3);
    damage(&state.join("records/counters"), 0);
    for path in files(&state.join("lists/editions")) {
        damage(&path, 40);
    }
    let learned = ["yields-lane-1.json", "stance.json"];
    for name in learned {
        std::fs::write(state.join(name), "{\"half of").unwrap();
    }
    let log = files(&state.join("audit")).into_iter().filter(|path| path.ends_with("000000000001.jsonl"));
    for path in log {
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replacen("\"event\":\"started\"", "\"event\":\"stopped\"", 1)).unwrap();
    }

    site.broker.restart();
    let _unit = started(&site);
    let reasons = ["audit-damaged", "records-damaged"];
    eventually("the damage is told", || site.department.sees("out-of-service", &reasons));
    eventually("every alert that was raised arrives", || site.alerts_on_their_way() == 0);
    assert!(site.audited("alert-raised").len() >= entries, "the log goes on behind its damage");
    let told = site.audited("damage-found");
    for name in learned {
        let tells = |entry: &serde_json::Value| {
            entry["what"]["what"].as_str().is_some_and(|what| what.contains(name))
        };
        assert!(told.iter().any(tells), "{name}: {told:?}");
    }
    eventually("the list is had again from the broker", || {
        !site.audited("list-changed").is_empty()
            && site.department.health()["lists"][0]["freshness"] == "fresh"
    });
    assert!(
        site.department.health()["records"]["lost"].as_u64().unwrap() > 0,
        "the picture is counted as lost"
    );
}

/// A unit's place of work with a camera, which keeps its state on this disk.
fn site_on(disk: &SmallDisk) -> (Site, RtspServer) {
    let site = Site::open();
    let camera = site.camera(0);
    site.configure(&camera, "127.0.0.1:0".parse().unwrap());
    std::os::unix::fs::symlink(disk.path(), site.folder().join("state")).unwrap();
    (site, camera)
}

fn started(site: &Site) -> Appliance {
    let mut unit = Appliance::start(site.folder());
    unit.tells("READY=1");
    unit
}

fn console_opens(unit: &Appliance) {
    eventually("the console opens", || unit.said().contains("the console listens"));
}

fn next_alert(site: &Site) {
    let before = site.department.events("alerts").len();
    eventually("another alert arrives", || site.department.events("alerts").len() > before);
}

fn only(folder: &Path, end: &str) -> PathBuf {
    let mut found = files(folder).into_iter().filter(|path| path.to_string_lossy().ends_with(end));
    found.next().unwrap_or_else(|| panic!("nothing in {} ends with {end}", folder.display()))
}

/// Turns over bits in so many places, spread over the file; 0: in every byte.
fn damage(path: &Path, places: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    let step = bytes.len().checked_div(places).unwrap_or(1).max(1);
    bytes.iter_mut().step_by(step).for_each(|byte| *byte ^= 0x5a);
    std::fs::write(path, bytes).unwrap();
}
