//! A disk that is full, turns read-only, or gives back other bytes than were written: the whole program goes on reading, raises
//! and delivers alerts, keeps what it can, and says what is wrong. On a real ext4 in a loop device.

#[allow(dead_code, reason = "other tests use more of it")]
#[path = "support/department.rs"]
mod department;
#[allow(dead_code, reason = "other tests use more of it")]
#[path = "support/program.rs"]
mod program;
#[allow(dead_code, reason = "the camera's own tests use more of it")]
#[path = "support/rtsp.rs"]
mod rtsp;
#[allow(dead_code, reason = "the appliance's own tests use more of it")]
#[path = "support/site.rs"]
mod site;
#[allow(dead_code, reason = "the broker's tests use one part of it, these another")]
#[path = "support/small_disk.rs"]
mod small_disk;
mod support;

use std::path::{Path, PathBuf};

use program::Appliance;
use site::Site;
use small_disk::SmallDisk;
use support::{eventually, files, not_run};

/// Not a test: the process in which the camera serves.
#[test]
#[ignore = "the RTSP server of the other tests, started by them"]
fn rtsp_server_process() {
    rtsp::serve();
}

#[test]
fn on_a_full_and_on_a_read_only_disk_the_unit_starts_reads_and_alerts() {
    let test = "on_a_full_and_on_a_read_only_disk_the_unit_starts_reads_and_alerts";
    let disk = match SmallDisk::ext4(24) {
        Ok(disk) => disk,
        Err(error) => return not_run(test, &error),
    };
    let site = Site::open();
    let camera = site.camera(0);
    site.configure(&camera, "127.0.0.1:0".parse().unwrap());
    let toml = site.folder().join("milepost.toml");
    let configuration = std::fs::read_to_string(&toml).unwrap() + "[health]\nreport_every_s = 1\n";
    std::fs::write(&toml, configuration).unwrap();
    std::os::unix::fs::symlink(disk.path(), site.folder().join("state")).unwrap();

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
    std::fs::remove_file(filler).unwrap();
    eventually("the disk takes records again", || site.department.health()["records"]["fault"].is_null());
    next_alert(&site);

    unit.kill();
    disk.remount("ro");
    unit = started(&site);
    next_alert(&site);
    eventually("a read-only disk is told", || site.department.sees("degraded", &["store-failing"]));
    unit.kill();
    disk.remount("rw");
    let _unit = started(&site);
    next_alert(&site);
    assert!(site.department.health()["records"]["fault"].is_null());
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
    eventually("the list is had again from the broker", || {
        !site.audited("list-changed").is_empty()
            && site.department.health()["lists"][0]["freshness"] == "fresh"
    });
    assert!(
        site.department.health()["records"]["lost"].as_u64().unwrap() > 0,
        "the picture is counted as lost"
    );
}

fn started(site: &Site) -> Appliance {
    let mut unit = Appliance::start(site.folder());
    unit.tells("READY=1");
    unit
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
