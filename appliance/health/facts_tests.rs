use jiff::Timestamp;

use super::*;
use crate::health::{CameraView, YieldReport};
use crate::hotlist::RefusalNote;
use crate::system::{Motion, PowerFacts, StorageFacts};
use crate::words::{CameraId, ListName, Place, Position, RosterName};

fn camera(name: &str, streaming: bool) -> CameraReport {
    CameraReport {
        camera: CameraId::parse(name).unwrap(),
        streaming,
        fault: (!streaming).then(|| "no answer".to_owned()),
        frames_per_s: 25.0,
        width: 1280,
        height: 720,
        view: CameraView::default(),
        aim_verified: None,
        vision_ms: 12.0,
        frames_skipped: 0,
        canary: None,
        yields: YieldReport::default(),
        reads_today_by_lane: Vec::new(),
    }
}

fn list(freshness: Freshness) -> ListSummary {
    ListSummary {
        list: ListName::parse("state").unwrap(),
        freshness,
        version: Some(7),
        issued: Some(Timestamp::UNIX_EPOCH),
        age_s: Some(7200),
        expires: None,
        installed: Some(Timestamp::UNIX_EPOCH),
        signed_by: None,
        entries: 10,
        on_its_way: None,
        last_refusal: None,
        refusals: 0,
    }
}

fn sound_device() -> DeviceFacts {
    DeviceFacts {
        disk_free_mb: Some(9_000),
        memory_mb: Some(90),
        memory_free_mb: Some(900),
        temperature_c: Some(50.0),
        clock: ClockStatus::Synchronised,
        clock_error_ms: Some(20.0),
        ..DeviceFacts::default()
    }
}

fn at_its_place() -> PlaceReport {
    PlaceReport { kind: UnitKind::Fixed, position: None, from_site_m: None, tilted_deg: None }
}

fn reasons(cameras: &[CameraReport], lists: &[ListSummary], days_left: i64) -> Vec<Reason> {
    let broker = BrokerReport { connected: true, fault: None, certificate_days_left: Some(days_left) };
    let (device, place, records) = (sound_device(), at_its_place(), RecordReport::default());
    let (records, broker, device, place) = (&records, &broker, &device, &place);
    let facts = Facts { cameras, lists, records, broker, device, place, roster: None };
    facts.findings(&Config::default()).into_iter().map(|finding| finding.reason).collect()
}

#[test]
fn one_lost_camera_degrades_and_all_disable() {
    let cameras = [camera("a", true), camera("b", false)];
    assert_eq!(reasons(&cameras, &[list(Freshness::Fresh)], 90), [Reason::CameraLost]);
    assert_eq!(
        reasons(&cameras[1..], &[list(Freshness::Fresh)], 90),
        [Reason::CameraLost, Reason::AllCamerasLost]
    );
}

#[test]
fn a_list_that_is_late_missing_or_refused_is_told() {
    let cameras = [camera("a", true)];
    assert_eq!(reasons(&cameras, &[list(Freshness::Missing)], 90), [Reason::NoList]);
    let lists = [list(Freshness::Fresh), list(Freshness::Ageing)];
    assert_eq!(reasons(&cameras, &lists, 90), [Reason::ListLate]);
    assert_eq!(reasons(&cameras, &[list(Freshness::Stale)], 90), [Reason::ListStale]);
    let mut refused = list(Freshness::Fresh);
    let at = Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_secs(1);
    refused.last_refusal = Some(RefusalNote { at, why: "an unknown key".into() });
    assert_eq!(reasons(&cameras, &[refused.clone()], 90), [Reason::ListRefused]);
    refused.installed = Some(at);
    assert_eq!(reasons(&cameras, &[refused], 90), []);
}

#[test]
fn a_roster_that_lets_nobody_in_is_told_with_its_sentence() {
    let (device, place, records) = (sound_device(), at_its_place(), RecordReport::default());
    let broker = BrokerReport { connected: true, fault: None, certificate_days_left: Some(90) };
    let cameras = [camera("a", true)];
    let found = |rests: Option<&str>| {
        let roster = RosterReport {
            roster: RosterName::parse("patrol").unwrap(),
            version: Some(3),
            issued: Some(Timestamp::UNIX_EPOCH),
            age_s: Some(7200),
            counts: rests.is_none(),
            rests: rests.map(str::to_owned),
        };
        let (records, broker, device, place) = (&records, &broker, &device, &place);
        let roster = Some(&roster);
        Facts { cameras: &cameras, lists: &[], records, broker, device, place, roster }
            .findings(&Config::default())
    };
    assert_eq!(found(None), []);
    let [rests] = &found(Some("It was good until yesterday."))[..] else { panic!("one reason") };
    assert_eq!((rests.reason, rests.detail.as_str()), (Reason::RosterRests, "It was good until yesterday."));
}

#[test]
fn a_certificate_is_reported_before_and_after_its_end() {
    let cameras = [camera("a", true)];
    assert_eq!(reasons(&cameras, &[list(Freshness::Fresh)], 21), [Reason::CertificateExpiring]);
    assert_eq!(reasons(&cameras, &[list(Freshness::Fresh)], -1), [Reason::CertificateExpired]);
}

fn of_device(device: &DeviceFacts, place: &PlaceReport) -> Vec<Reason> {
    let cameras = [camera("a", true)];
    let broker = BrokerReport { connected: true, ..BrokerReport::default() };
    let records = RecordReport::default();
    let (records, broker) = (&records, &broker);
    let facts = Facts { cameras: &cameras, lists: &[], records, broker, device, place, roster: None };
    let config = Config { supply_low_v: Some(11.0), ..Config::default() };
    facts.findings(&config).into_iter().map(|finding| finding.reason).collect()
}

#[test]
fn each_limit_of_the_device_has_its_reason() {
    let sound = sound_device();
    assert_eq!(of_device(&sound, &at_its_place()), []);
    assert_eq!(of_device(&DeviceFacts::default(), &at_its_place()), [], "what does not tell is not at fault");
    let storage = |worn, reserve| StorageFacts {
        storage_worn_percent: worn,
        storage_reserve: reserve,
        storage_written_gb: None,
    };
    let power = PowerFacts::default();
    let knocked = Motion { gravity: None, knock_g: 1.5 };
    for (device, reason) in [
        (DeviceFacts { clock: ClockStatus::Free, ..sound.clone() }, Reason::ClockFree),
        (DeviceFacts { clock_error_ms: Some(2001.0), ..sound.clone() }, Reason::ClockOff),
        (DeviceFacts { disk_free_mb: Some(499), ..sound.clone() }, Reason::DiskLow),
        (DeviceFacts { storage: storage(Some(90), None), ..sound.clone() }, Reason::StorageWorn),
        (
            DeviceFacts { storage: storage(Some(10), Some(Reserve::Low)), ..sound.clone() },
            Reason::StorageWorn,
        ),
        (DeviceFacts { memory_free_mb: Some(49), ..sound.clone() }, Reason::MemoryLow),
        (DeviceFacts { temperature_c: Some(85.5), ..sound.clone() }, Reason::TooHot),
        (
            DeviceFacts { power: PowerFacts { supply_v: Some(10.9), ..power.clone() }, ..sound.clone() },
            Reason::UnderVoltage,
        ),
        (
            DeviceFacts { power: PowerFacts { undervoltage: Some(true), ..power.clone() }, ..sound.clone() },
            Reason::UnderVoltage,
        ),
        (
            DeviceFacts { power: PowerFacts { throttled: Some(true), ..power }, ..sound.clone() },
            Reason::Throttled,
        ),
        (DeviceFacts { motion: Some(knocked), ..sound.clone() }, Reason::Knocked),
    ] {
        assert_eq!(of_device(&device, &at_its_place()), [reason], "{device:?}");
    }
}

#[test]
fn a_unit_that_was_carried_away_leans_or_does_not_know_where_it_is_is_told() {
    let here = Place::new(42.1, -72.6).unwrap();
    let fix = |age_s| Some(Position::of_fix(here, None, age_s));
    let fixed = |position, metres| PlaceReport { position, from_site_m: Some(metres), ..at_its_place() };
    let judged = |place: PlaceReport| of_device(&sound_device(), &place);
    assert_eq!(judged(fixed(fix(1), 101.0)), [Reason::SiteLeft]);
    assert_eq!(judged(fixed(fix(3600), 101.0)), [Reason::SiteLeft], "silence does not bring it back");
    assert_eq!(judged(fixed(Some(Position::of_site(here)), 99.0)), []);
    let mobile = |position| PlaceReport { kind: UnitKind::Mobile, position, ..at_its_place() };
    assert_eq!(judged(mobile(None)), [Reason::PositionLost]);
    assert_eq!(judged(mobile(fix(61))), [Reason::PositionLost]);
    assert_eq!(judged(mobile(fix(2))), []);
    assert_eq!(judged(PlaceReport { tilted_deg: Some(2.1), ..at_its_place() }), [Reason::Tilted]);
}
