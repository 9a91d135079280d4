use super::*;
use crate::audit::verify;
use crate::system::{ManualClock, SimulatedDisk};

fn open(disk: &Arc<SimulatedDisk>) -> (Audit, Recovered) {
    let clock = Arc::new(ManualClock::at(jiff::Timestamp::UNIX_EPOCH));
    Audit::open(Path::new("/audit"), disk.clone(), clock).unwrap()
}

fn note(text: &str) -> Event {
    Event::Maintenance { what: text.to_owned() }
}

fn exported(audit: &Audit) -> Vec<u8> {
    let mut log = Vec::new();
    audit.export(&mut log).unwrap();
    log
}

#[test]
fn the_chain_runs_on_through_restarts_and_files() {
    let disk = Arc::new(SimulatedDisk::default());
    let long = "x".repeat(1 << 20);
    for _ in 0..3 {
        let (audit, recovered) = open(&disk);
        assert_eq!(recovered.torn_bytes, 0);
        for _ in 0..3 {
            audit.append(Who::Unit, note(&long)).unwrap();
        }
    }
    let (audit, _) = open(&disk);
    assert!(disk.list(Path::new("/audit")).unwrap().len() > 1);
    assert_eq!(audit.check().unwrap(), []);
    let summary = verify(exported(&audit).as_slice(), None, None).unwrap();
    assert_eq!((summary.entries, summary.head), (9, audit.head()));
    let behind: Vec<String> = audit.after(7, 10).unwrap();
    assert_eq!(behind.len(), 2);
    assert!(behind[0].starts_with("{\"number\":8,"));
}

#[test]
fn a_power_cut_at_any_change_keeps_every_acknowledged_entry() {
    for seed in 0..8 {
        for changes in 0..16 {
            let disk = Arc::new(SimulatedDisk::default());
            let (audit, _) = open(&disk);
            disk.cut_power_after(changes);
            let long = "y".repeat(700);
            let kept = (0..6).take_while(|_| audit.append(Who::Unit, note(&long)).is_ok()).count();
            disk.restart(seed * 31 + changes);
            let (audit, recovered) = open(&disk);
            assert!(recovered.entries >= kept as u64, "seed {seed}, cut after {changes}");
            assert_eq!(recovered.damage, None);
            audit.append(Who::Unit, Event::Stopped).unwrap();
            verify(exported(&audit).as_slice(), None, None).unwrap();
        }
    }
}

#[test]
fn what_a_full_disk_refuses_waits_in_memory_and_goes_ahead_of_the_next() {
    let disk = Arc::new(SimulatedDisk::default());
    let (audit, _) = open(&disk);
    audit.append(Who::Unit, note("before")).unwrap();
    disk.set_full(true);
    for _ in 0..2 {
        assert!(matches!(audit.append(Who::Unit, note("meanwhile")), Err(AuditError::Write { .. })));
    }
    assert_eq!(audit.waiting(), 2);
    disk.set_full(false);
    let position = audit.append(Who::Unit, note("after")).unwrap();
    assert_eq!((position.number, audit.waiting()), (4, 0));
    let log = String::from_utf8(exported(&audit)).unwrap();
    assert_eq!(verify(log.as_bytes(), None, Some(position.hash)).unwrap().entries, 4);
    assert!(log.lines().nth(3).unwrap().contains("after"), "{log}");
}

#[test]
fn entries_that_find_no_room_in_memory_are_counted_in_the_log() {
    let disk = Arc::new(SimulatedDisk::default());
    let (audit, _) = open(&disk);
    disk.set_read_only(true);
    for _ in 0..WAITING_MAX + 7 {
        assert!(audit.append(Who::Unit, Event::Stopped).is_err());
    }
    disk.set_read_only(false);
    audit.retry().unwrap();
    let log = String::from_utf8(exported(&audit)).unwrap();
    assert_eq!(log.lines().count(), WAITING_MAX + 1);
    assert!(log.ends_with('\n') && log.contains("{\"event\":\"entries-lost\",\"count\":7}"));
}

#[test]
fn a_file_of_noise_stays_for_the_check_and_the_log_goes_on_behind_it() {
    let disk = Arc::new(SimulatedDisk::default());
    disk.create_folder(Path::new("/audit")).unwrap();
    let file = Path::new("/audit/000000000001.jsonl");
    for noise in [vec![b'#'; 200_000], [vec![b'#'; 100], vec![b'\n'; 3]].concat()] {
        disk.write_at(file, 0, &noise).unwrap();
        let (audit, recovered) = open(&disk);
        assert!(recovered.damage.is_some() || recovered.torn_bytes > 0);
        audit.append(Who::Unit, Event::Stopped).unwrap();
        let log = exported(&audit);
        let last = log.split(|&byte| byte == b'\n').rfind(|line| !line.is_empty()).unwrap();
        assert!(Chain::before(last).is_ok(), "the new entry stands in a line of its own");
        disk.remove(file).unwrap();
    }
}

#[test]
fn a_torn_end_on_a_read_only_disk_does_not_stop_the_unit() {
    let disk = Arc::new(SimulatedDisk::default());
    let (audit, _) = open(&disk);
    audit.append(Who::Unit, note("kept")).unwrap();
    let file = Path::new("/audit/000000000001.jsonl");
    let end = disk.length(file).unwrap();
    disk.write_at(file, end, &[b'{'; 900]).unwrap();
    disk.set_read_only(true);
    let (audit, recovered) = open(&disk);
    assert_eq!((recovered.entries, recovered.torn_bytes), (1, 900));
    disk.set_read_only(false);
    audit.append(Who::Unit, Event::Stopped).unwrap();
    let summary = verify(exported(&audit).as_slice(), None, None).unwrap();
    assert_eq!(summary.entries, 3, "the entry, that a torn end was dropped, and the new one");
    assert_eq!(disk.read(file).unwrap(), exported(&audit), "nothing of the torn end is left");
}

#[test]
fn damage_in_the_middle_is_reported_and_kept() {
    let disk = Arc::new(SimulatedDisk::default());
    let (audit, _) = open(&disk);
    for _ in 0..3 {
        audit.append(Who::Unit, note("entry")).unwrap();
    }
    disk.flip_bit(Path::new("/audit/000000000001.jsonl"), 12);
    let (audit, recovered) = open(&disk);
    assert_eq!((recovered.entries, recovered.damage.map(|broken| broken.line)), (3, Some(1)));
    audit.append(Who::Unit, note("later")).unwrap();
    assert!(verify(exported(&audit).as_slice(), None, None).is_err());
    assert_eq!(audit.check().unwrap().iter().map(|broken| broken.line).collect::<Vec<_>>(), [1]);
}
