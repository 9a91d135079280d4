//! A unit that stands in for the real one: what its rooms would say is held in the hand of the test.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use jiff::Timestamp;
use milepost::alert::Alert;
use milepost::capture::Plane;
use milepost::console::{self, *};
use milepost::enroll::Offer;
use milepost::health::{AnswerReport, Coaching, Displacement, LaneReads, Light, YieldReport};
use milepost::hotlist::{
    Act, Category, End, Ended, Entry, Freshness, ListSummary, Listed, ManualEntry, ManualRemoval,
    ManualSummary, Text, Told,
};
use milepost::network::{Addressing, By, Change};
use milepost::passage::DrawnLanes;
use milepost::system::ClockStatus;
use milepost::system::network::{
    HostAddress, Interface, InterfaceKind, NetworkManager, TimeFacts, TimeService,
};
use milepost::vision::Corners;
use milepost::words::{CameraId, ListName, PersonName, Plate, Probability, RecordId, State, UnitId};
use opencv::core::{CV_8UC3, Mat, Point, Rect, Scalar, Size, Vector};
use opencv::{imgcodecs, imgproc};
use serde_json::json;
use tokio::sync::watch;

pub const NOW: Timestamp = Timestamp::constant(1_795_000_000, 0);

pub struct Twin {
    pub in_vehicle: AtomicBool,
    pub overview: Mutex<Overview>,
    pub alerts: Mutex<Vec<AlertView>>,
    pub manual: Mutex<Vec<ManualEntry>>,
    pub checked: Mutex<Option<ListsChecked>>,
    pub accesses: Mutex<Vec<Access>>,
    pub work: Mutex<Vec<String>>,
    pub trial: Mutex<Option<String>>,
    pub network_trial: Mutex<Option<Change>>,
    pub deployed: Mutex<Option<Deployed>>,
    pub drawn: Mutex<Option<Drawn>>,
    pub requested: Mutex<Option<RequestView>>,
    pub offered: Mutex<Vec<Offer>>,
    pub attempt: Mutex<Option<Attempt>>,
    /// The record of the one stored alert.
    pub stored: RecordId,
    pictures: watch::Sender<Option<Arc<LivePicture>>>,
    newest: watch::Sender<Option<RecordId>>,
}

impl Twin {
    pub fn new() -> Arc<Self> {
        let alerts = vec![stolen("8BX4021", 40), amber("MRG7712", 340)];
        let newest = alerts.first().map(|view| view.alert.id);
        Arc::new(Self {
            in_vehicle: AtomicBool::new(false),
            overview: Mutex::new(overview()),
            alerts: Mutex::new(alerts),
            manual: Mutex::new(vec![manual("Lee Ray", "4TWO?2"), active("7KLM882"), leaving("HIKER")]),
            checked: Mutex::default(),
            accesses: Mutex::default(),
            work: Mutex::default(),
            trial: Mutex::default(),
            network_trial: Mutex::default(),
            deployed: Mutex::default(),
            drawn: Mutex::default(),
            requested: Mutex::default(),
            offered: Mutex::default(),
            attempt: Mutex::default(),
            stored: RecordId::new(),
            pictures: watch::Sender::new(None),
            newest: watch::Sender::new(newest),
        })
    }

    /// Films at 15 frames a second, as long as the twin lives.
    pub fn film(self: &Arc<Self>) {
        let twin = Arc::downgrade(self);
        let filming = move || {
            for step in 0.. {
                let Some(twin) = twin.upgrade() else { return };
                if twin.pictures.receiver_count() > 0 {
                    twin.pictures.send_replace(Some(Arc::new(picture(step))));
                }
                drop(twin);
                std::thread::sleep(Duration::from_millis(66));
            }
        };
        std::thread::Builder::new().name("film".into()).spawn(filming).unwrap();
    }

    pub fn raise(&self, view: AlertView) {
        let id = view.alert.id;
        lock(&self.alerts).insert(0, view);
        self.newest.send_replace(Some(id));
    }

    pub fn acts(&self) -> Vec<(Option<String>, console::Act)> {
        let name = |access: &Access| access.who.as_ref().map(|name| name.to_string());
        lock(&self.accesses).iter().map(|access| (name(access), access.act.clone())).collect()
    }
}

impl Unit for Twin {
    fn name(&self) -> UnitId {
        UnitId::parse("barrel-7").unwrap()
    }

    fn metrics(&self) -> Option<String> {
        Some("# TYPE milepost_uptime_seconds gauge\nmilepost_uptime_seconds 7\n".to_owned())
    }

    fn history(&self, hours: u16) -> String {
        format!("[{hours}]")
    }

    fn rides_in_vehicle(&self) -> bool {
        self.in_vehicle.load(Ordering::Relaxed)
    }

    fn overview(&self) -> Overview {
        lock(&self.overview).clone()
    }

    fn live(&self, camera: &CameraId) -> Option<watch::Receiver<Option<Arc<LivePicture>>>> {
        (camera.as_str() == "north").then(|| self.pictures.subscribe())
    }

    fn aims(&self) -> Vec<AimView> {
        let drawn = lock(&self.drawn).clone();
        let learned = serde_json::from_value(json!({
            "vehicles": 130, "x_px": 470.0, "y_px": 470.0, "width_px": 150.0, "character_height_px": 32.0,
            "angle_deg": 0.5, "x_slope": 0.4, "y_slope": 1.6,
        }));
        let learned = learned.unwrap();
        vec![AimView {
            camera: CameraId::parse("north").unwrap(),
            verified: Some((PersonName::parse("Dana Ruiz").unwrap(), NOW)),
            references: vec![ReferenceView { light: Light::Daylight, at: NOW, learned: false }],
            displacement: Some(Displacement {
                x_px: -43.0,
                y_px: 4.0,
                pan_deg: 1.0,
                tilt_deg: -0.1,
                roll_deg: 0.0,
                scale: 1.0,
                agreement: 0.8,
            }),
            lanes: vec![learned],
            lane_shift: None,
            lanes_doubtful: drawn.as_ref().is_some_and(|drawn| drawn.is_doubtful(Some(NOW))),
            reads_by_lane: drawn.as_ref().map(reads_by_lane).unwrap_or_default(),
            drawn,
        }]
    }

    fn draw_lanes(&self, _: &CameraId, lanes: DrawnLanes, by: &PersonName) -> Result<(), Refused> {
        let drawn = Drawn { lanes, by: by.clone(), at: NOW, aim: Some(NOW) };
        lock(&self.overview).cameras[0].reads_by_lane = reads_by_lane(&drawn);
        *lock(&self.drawn) = Some(drawn);
        Ok(())
    }

    fn verify_aim(&self, camera: &CameraId, by: &PersonName) -> Result<(), Refused> {
        lock(&self.work).push(format!("{by}: aim of {camera}"));
        Ok(())
    }

    fn aim_picture(&self, _camera: &CameraId, _which: AimPicture) -> Option<Vec<u8>> {
        Some(picture(0).jpeg.to_vec())
    }

    fn alerts(&self, limit: usize) -> Vec<AlertView> {
        lock(&self.alerts).iter().take(limit).cloned().collect()
    }

    fn alert(&self, id: RecordId) -> Option<AlertView> {
        lock(&self.alerts).iter().find(|view| view.alert.id == id).cloned()
    }

    fn alert_picture(&self, id: RecordId, kind: PictureKind, _: &PersonName) -> Option<Vec<u8>> {
        let view = self.alert(id)?;
        Some(match kind {
            PictureKind::Crop => crop(view.alert.text.as_str()),
            PictureKind::Scene => picture(7).jpeg.to_vec(),
        })
    }

    fn newest_alert(&self) -> watch::Receiver<Option<RecordId>> {
        self.newest.subscribe()
    }

    fn verify_alert(&self, id: RecordId, what: Verification, by: &PersonName) -> Result<(), Refused> {
        let mut alerts = lock(&self.alerts);
        let view = alerts.iter_mut().find(|view| view.alert.id == id).ok_or(Refused("gone".into()))?;
        view.verified = Some(Verified { by: by.clone(), at: NOW, what });
        Ok(())
    }

    fn lists(&self) -> Lists {
        let view = |manual: ManualEntry| ManualView { state: manual.state(NOW), expires_soon: false, manual };
        let manual = lock(&self.manual).iter().cloned().map(view).collect();
        Lists { lists: self.overview().lists, manual, checked: lock(&self.checked).clone() }
    }

    fn request_entry(&self, entry: EntryRequest, by: &PersonName) -> Result<(), Refused> {
        if entry.reason.is_empty() {
            return Err(Refused("A manual entry needs a reason.".into()));
        }
        let mut asked = manual(by.as_str(), &entry.plate);
        asked.entry.reason = Text::parse(&entry.reason).unwrap();
        asked.replaces = entry.replaces;
        lock(&self.manual).insert(0, asked);
        Ok(())
    }

    fn request_removal(&self, of: RecordId, reason: &str, by: &PersonName) -> Result<(), Refused> {
        let mut manual = lock(&self.manual);
        let entry = manual.iter_mut().find(|entry| entry.id == of).ok_or(Refused("gone".into()))?;
        let reason = Text::parse(reason).unwrap();
        entry.removal = Some(ManualRemoval { id: RecordId::new(), reason, requested: act(by) });
        Ok(())
    }

    fn approve_request(&self, id: RecordId, by: &PersonName) -> Result<(), Refused> {
        let mut manual = lock(&self.manual);
        for entry in manual.iter_mut() {
            if entry.id == id {
                entry.approved = Some(act(by));
            }
            if entry.removal.as_ref().is_some_and(|removal| removal.id == id) {
                entry.ended = Some(Ended { how: End::Removed, act: act(by) });
            }
        }
        Ok(())
    }

    fn decline_request(&self, id: RecordId, by: &PersonName) -> Result<(), Refused> {
        let mut manual = lock(&self.manual);
        let entry = manual.iter_mut().find(|entry| entry.id == id).ok_or(Refused("gone".into()))?;
        entry.ended = Some(Ended { how: End::Declined, act: act(by) });
        Ok(())
    }

    fn check_lists(&self, by: &PersonName) -> Result<(), Refused> {
        *lock(&self.checked) = Some(ListsChecked { by: by.clone(), at: NOW, current: true });
        Ok(())
    }

    fn records(&self) -> Records {
        let stock = |kind: &str, waiting| Stock { kind: kind.into(), waiting };
        Records {
            stock: vec![stock("alerts", 0), stock("pictures", 2), stock("reads", 311)],
            lost: vec![],
            disk_used_bytes: 412_000_000,
            disk_free_bytes: 27_600_000_000,
            delivered: 18_204,
            purged: [("received", 17_950), ("expired", 254)]
                .map(|(reason, count)| Counted { reason: reason.into(), count })
                .into(),
            purges: vec![Purge {
                certificate: RecordId::new(),
                at: before(50),
                reason: "received".into(),
                policy: "massachusetts-model".into(),
                records: 31,
                sha256: "5f".repeat(32),
                waiting: true,
            }],
            alerts: vec![StoredAlert { record: self.stored, critical: true, captured: before(340) }],
        }
    }

    fn stored_alert(&self, record: RecordId) -> Option<AlertView> {
        (record == self.stored).then(|| amber("MRG7712", 340))
    }

    fn stored_picture(&self, record: RecordId, kind: PictureKind, by: &PersonName) -> Option<Vec<u8>> {
        let alert = lock(&self.alerts)[1].alert.id;
        (record == self.stored).then(|| self.alert_picture(alert, kind, by))?
    }

    fn change_service(&self, to: ServiceChange, reason: &str, by: &PersonName) -> Result<(), Refused> {
        let (state, reasons) = match to {
            ServiceChange::OutOfService => (ServiceState::OutOfService, vec![reason.to_owned()]),
            ServiceChange::Return => (ServiceState::InService, vec![]),
        };
        lock(&self.overview).service = Service { state, reasons, since: NOW, by: Some(by.clone()) };
        Ok(())
    }

    fn note_work(&self, work: Work, done_by: &str, note: &str, by: &PersonName) -> Result<(), Refused> {
        let done_by = if done_by.is_empty() { String::new() } else { format!(" by {done_by}") };
        lock(&self.work).push(format!("{by}: {}{done_by}: {note}", work.words()));
        Ok(())
    }

    fn deployment(&self) -> Option<Deployed> {
        lock(&self.deployed).clone()
    }

    fn deploy(&self, deployment: Deployment, by: &PersonName) -> Result<(), Refused> {
        *lock(&self.deployed) = Some(Deployed { deployment, by: by.clone(), at: NOW });
        Ok(())
    }

    fn logbook(&self, limit: usize) -> Vec<AuditEntry> {
        let entry = |(number, what): (usize, &String)| AuditEntry {
            number: number as u64 + 1,
            at: NOW,
            who: what.split(':').next().unwrap().to_owned(),
            what: what.clone(),
        };
        lock(&self.work).iter().enumerate().map(entry).take(limit).collect()
    }

    fn statement(&self, by: &PersonName) -> Result<Vec<u8>, Refused> {
        Ok(format!("{{\"asked_by\":\"{by}\"}}").into_bytes())
    }

    fn certificates(&self) -> Certificates {
        let department = CertificateView { name: "Test Department".into(), ..certificate() };
        Certificates {
            present: Some(certificate()),
            trouble: None,
            authorities: vec![department],
            changed: None,
            requested: lock(&self.requested).clone(),
            last: lock(&self.attempt).clone(),
        }
    }

    fn request_certificate(&self, by: &PersonName) -> Result<(), Refused> {
        let request = "-----BEGIN CERTIFICATE REQUEST-----\nMIHTMHsCAQAwGTEXMBUGA1UEAwwO\n-----END CERTIFICATE REQUEST-----\n";
        *lock(&self.requested) = Some(RequestView { request: request.into(), by: by.clone(), at: NOW });
        Ok(())
    }

    fn withdraw_request(&self, _by: &PersonName) -> Result<(), Refused> {
        lock(&self.requested).take().map(|_| ()).ok_or(Refused("No request waits to be signed.".into()))
    }

    fn install_certificate(&self, offer: &Offer, _by: &PersonName) -> Result<(), Refused> {
        if *offer == Offer::default() {
            return Err(Refused("Neither a certificate nor an authority is there.".into()));
        }
        lock(&self.offered).push(offer.clone());
        Ok(())
    }

    fn look_into_bundle(&self, sent: &BundleSent) -> Result<BundleView, Refused> {
        if sent.bundle != "signed" {
            return Err(Refused("The bundle is not what the department signed.".into()));
        }
        let change = |field: &str, old: Option<&str>, new: Option<&str>| FieldChange {
            field: field.into(),
            old: old.map(str::to_owned),
            new: new.map(str::to_owned),
        };
        Ok(BundleView {
            signed_by: "0123456789abcdef".into(),
            known: sent.key.is_empty(),
            issued: before(3600),
            expires: before(-86_400),
            certificate: Some(certificate()),
            authorities: vec![CertificateView { name: "Next Department".into(), ..certificate() }],
            changes: vec![
                change("alert.repeat_after_s", Some("60"), Some("120")),
                change("hotlist.lists[1].name", None, Some("\"state\"")),
            ],
            console: "10.1.1.1:8443".into(),
        })
    }

    fn take_bundle(&self, sent: &BundleSent, by: &PersonName) -> Result<(), Refused> {
        self.look_into_bundle(sent)?;
        lock(&self.work).push(format!("{by}: takes a bundle"));
        Ok(())
    }

    fn configuration(&self) -> Configuration {
        Configuration {
            text: Some("[unit]\nid = \"barrel-7\"\n".into()),
            former: Some("[unit]\nid = \"barrel-7\" # before\n".into()),
            trial_until: self.trial_until(),
            clock: "kept by a time service".into(),
            certificate: Ok(certificate()),
        }
    }

    fn trial_until(&self) -> Option<Timestamp> {
        lock(&self.trial).as_ref().map(|_| before(-110))
    }

    fn try_configuration(&self, text: &str, _by: &PersonName) -> Result<String, Refused> {
        if !text.starts_with("[unit]\n") {
            return Err(Refused("Line 1 is no configuration.".into()));
        }
        *lock(&self.trial) = Some(text.to_owned());
        Ok("10.1.1.1:8443".into())
    }

    fn decide_trial(&self, keep: bool, by: &PersonName) -> Result<(), Refused> {
        lock(&self.work).push(format!("{by}: keeps {keep}"));
        lock(&self.trial).take().map(|_| ()).ok_or(Refused("No trial.".into()))
    }

    fn network(&self) -> NetworkView {
        let trial = lock(&self.network_trial).as_ref().map(ToString::to_string);
        NetworkView {
            interfaces: interfaces(),
            name_servers: vec!["10.20.0.1".parse().unwrap()],
            resolver: true,
            time: TimeFacts {
                status: ClockStatus::Synchronised,
                error_ms: Some(14.2),
                service: Some(TimeService::Timesyncd),
                servers: vec!["time.county.example".into(), "10.20.0.1".into()],
                asked: Some("10.20.0.1".into()),
            },
            time_changed: false,
            time_fixed: None,
            fixed: None,
            trial: trial.map(|what| NetworkTrial { what, until: before(-110) }),
        }
    }

    fn network_trial_until(&self) -> Option<Timestamp> {
        lock(&self.network_trial).as_ref().map(|_| before(-110))
    }

    fn try_network(&self, change: Change, by: &PersonName) -> Result<(), Refused> {
        lock(&self.work).push(format!("{by}: tries {change}"));
        *lock(&self.network_trial) = Some(change);
        Ok(())
    }

    fn decide_network(&self, keep: bool, by: &PersonName) -> Result<(), Refused> {
        lock(&self.work).push(format!("{by}: keeps {keep}"));
        lock(&self.network_trial).take().map(|_| ()).ok_or(Refused("No trial.".into()))
    }

    fn audit_entries(&self, filter: &AuditFilter, limit: usize) -> Vec<AuditEntry> {
        let entry = |(number, access): (usize, &Access)| AuditEntry {
            number: number as u64 + 1,
            at: access.at,
            who: access.who.as_ref().map_or("somebody".into(), |name| name.to_string()),
            what: access.act.to_string(),
        };
        let accesses = lock(&self.accesses);
        let entries = accesses.iter().enumerate().rev().map(entry);
        let fits = |entry: &AuditEntry| {
            entry.who.contains(&filter.who)
                && entry.what.contains(&filter.what)
                && filter.from.is_none_or(|from| entry.at >= from)
                && filter.until.is_none_or(|until| entry.at < until)
        };
        entries.filter(fits).take(limit).collect()
    }

    fn audit_lines(&self, after: u64, limit: usize) -> Vec<String> {
        // Far more than fits into one block.
        (after + 1..=12_000).take(limit).map(|number| format!("{{\"number\":{number}}}")).collect()
    }

    fn audit(&self, access: Access) {
        lock(&self.accesses).push(access);
    }
}

fn reads_by_lane(drawn: &Drawn) -> Vec<LaneReads> {
    let names = drawn.lanes.iter().map(|lane| Some(lane.name().clone()));
    names.chain([None]).zip(1..).map(|(lane, number)| LaneReads { lane, reads: 37 * number }).collect()
}

pub fn certificate() -> CertificateView {
    CertificateView {
        name: "barrel-7".into(),
        issuer: "CN=Test Department".into(),
        from: before(285 * 86_400),
        until: before(-80 * 86_400),
        fingerprint: "3f".repeat(32),
    }
}

pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}

fn before(seconds: i64) -> Timestamp {
    Timestamp::from_second(NOW.as_second() - seconds).unwrap()
}

fn interfaces() -> Vec<InterfaceView> {
    let held = |address: &str, by_dhcp| HostAddress { address: address.parse().unwrap(), by_dhcp };
    let interface = |name: &str, kind, addresses, manager| Interface {
        name: name.to_owned(),
        kind,
        link: true,
        speed_mbit: Some(1000),
        hardware_address: Some("02:00:5e:10:00:2f".into()),
        addresses,
        gateways: Vec::new(),
        manager: Some(manager),
        file: None,
        joined: false,
    };
    let view = |facts, console, broker| InterfaceView { facts, console, broker, changed: None, fixed: None };
    let port = vec![held("192.168.200.1/24", false), held("192.168.77.5/24", false)];
    let port = interface("eth0", InterfaceKind::Wired, port, NetworkManager::Networkd);
    let trunk = vec![held("10.20.0.47/16", true), held("fe80::5eff:fe10:2f/64", false)];
    let trunk = interface("eth1", InterfaceKind::Wired, trunk, NetworkManager::Networkd);
    let mobile = interface("wwan0", InterfaceKind::Mobile, Vec::new(), NetworkManager::NetworkManager);
    vec![
        InterfaceView {
            changed: Some(Addressing { by: By::Dhcp, beside: Some("192.168.200.1/24".parse().unwrap()) }),
            ..view(port, true, false)
        },
        view(Interface { gateways: vec!["10.20.0.1".parse().unwrap()], ..trunk }, false, true),
        InterfaceView {
            fixed: Some("NetworkManager looks after it: change it there.".into()),
            ..view(Interface { link: false, speed_mbit: None, ..mobile }, false, false)
        },
    ]
}

fn overview() -> Overview {
    let up = |since| Link { up: true, since: before(since), trouble: None };
    let list = |name, age_h: i64, version, entries, freshness| ListSummary {
        list: ListName::parse(name).unwrap(),
        freshness,
        version: Some(version),
        issued: Some(before(age_h * 3600 + 900)),
        age_s: Some(age_h as u64 * 3600 + 900),
        expires: None,
        installed: Some(before(age_h * 3600)),
        signed_by: None,
        entries,
        on_its_way: None,
        last_refusal: None,
        refusals: 0,
    };
    Overview {
        service: Service {
            state: ServiceState::Degraded,
            reasons: vec!["The hot list county-bolo is 14 h old.".into()],
            since: before(7300),
            by: None,
        },
        cameras: vec![CameraView {
            camera: CameraId::parse("north").unwrap(),
            link: up(184_000),
            fps: 14.9,
            yields: YieldReport {
                words: "read 412 from Tuesday 14:00; usually 320 to 540 on Tuesdays".into(),
                hour: Some(before(3_000)),
                reads: 412,
                unsure: 21,
                unread: 9,
                usual_reads: Some((320, 540)),
            },
            reads_by_lane: Vec::new(),
            lanes_doubtful: false,
        }],
        reads_today: 18_515,
        alerts_today: 14,
        alerts_open: 2,
        lists: vec![
            list("state-stolen", 3, 2107, 214_803, Freshness::Fresh),
            list("county-bolo", 14, 388, 61, Freshness::Ageing),
        ],
        manual: ManualSummary::default(),
        answers: AnswerReport {
            days: 30,
            answered: 121,
            correct_read: 113,
            wrong_state: 2,
            incorrect_read: 3,
            dismissed: 3,
            false_hit_rate: Some(0.042),
        },
        backlog: 313,
        broker: up(9_000),
    }
}

pub fn stolen(plate: &str, seconds_ago: i64) -> AlertView {
    let entry = json!({
        "plate": plate.replace('8', "B"), "state": "ma", "category": "stolen",
        "reason": "Taken from Elm Street, grey Honda Accord", "authority": "Elmwood Police", "case": "26-4471",
        "instructions": "Approach with caution. Confirm by radio before any stop.",
    });
    alert(plate, seconds_ago, &[0], "high", "possible", "look-alike", 0.41, entry)
}

pub fn amber(plate: &str, seconds_ago: i64) -> AlertView {
    let entry = json!({
        "plate": plate, "state": "ma", "category": "amber", "reason": "Child, 6, with a man of 40; white van",
        "authority": "State Police",
    });
    alert(plate, seconds_ago, &[], "critical", "full", "exact", 0.98, entry)
}

#[allow(clippy::too_many_arguments)]
fn alert(
    plate: &str,
    seconds_ago: i64,
    doubtful: &[u8],
    level: &str,
    hit: &str,
    kind: &str,
    probability: f64,
    entry: serde_json::Value,
) -> AlertView {
    let alert: Alert = serde_json::from_value(json!({
        "id": RecordId::new(), "revision": 1, "unit": "barrel-7", "camera": "north", "seen": before(seconds_ago),
        "read": RecordId::new(), "text": plate, "confidence": probability, "doubtful": doubtful,
        "state": "ma", "state_confidence": 0.93, "lane": "2", "direction": "receding", "level": level, "hit": hit,
        "matched": {
            "entry": entry, "kind": kind, "probability": probability, "read_as": plate, "state": "equal",
            "list": {"list": "state-stolen", "version": 2107, "issued": before(11_700)},
        },
        "list_age_s": 11_660,
        "notice": "Not a ground for a stop by itself: compare characters and state, and verify the status.",
    }))
    .unwrap();
    AlertView { alert, has_crop: true, has_scene: true, verified: None }
}

fn manual(by: &str, plate: &str) -> ManualEntry {
    let entry = Entry {
        state: Some(State::Nh),
        reason: Text::parse("Left the scene at Route 9").unwrap(),
        until: Some(before(-9 * 3600)),
        ..Entry::new(Listed::parse(plate).unwrap(), Category::Bolo)
    };
    ManualEntry {
        id: RecordId::new(),
        entry,
        replaces: None,
        requested: Act { by: PersonName::parse(by).unwrap(), key: None, at: before(600) },
        approved: None,
        removal: None,
        ended: None,
        told: Told::Nothing,
    }
}

fn active(plate: &str) -> ManualEntry {
    let approved = Some(act(&PersonName::parse("Sam Ortiz").unwrap()));
    ManualEntry { approved, ..manual("Lee Ray", plate) }
}

/// In force, and asked to be taken out.
fn leaving(plate: &str) -> ManualEntry {
    let requested = act(&PersonName::parse("Kim Doe").unwrap());
    let reason = Text::parse("Found in Concord").unwrap();
    ManualEntry { removal: Some(ManualRemoval { id: RecordId::new(), reason, requested }), ..active(plate) }
}

fn act(by: &PersonName) -> Act {
    Act { by: by.clone(), key: None, at: NOW }
}

/// A grey street with one plate that moves to and fro.
fn picture(step: i32) -> LivePicture {
    let (width, height) = (1280, 720);
    let mut scene = Mat::new_rows_cols_with_default(height, width, CV_8UC3, Scalar::all(92.0)).unwrap();
    let fill = |scene: &mut Mat, x, y, w, h, shade: f64| {
        imgproc::rectangle(scene, Rect::new(x, y, w, h), Scalar::all(shade), -1, imgproc::LINE_8, 0).unwrap();
    };
    fill(&mut scene, 0, 0, width, 250, 190.0);
    fill(&mut scene, 600, 250, 12, 470, 215.0);
    let x = 380 + (step % 40 - 20).abs() * 6;
    fill(&mut scene, x - 180, 230, 560, 330, 40.0);
    fill(&mut scene, x - 130, 250, 460, 110, 130.0);
    plate(&mut scene, "8BX4021", Rect::new(x, 440, 190, 92));
    let corners = [(x, 440), (x + 190, 440), (x + 190, 532), (x, 532)].map(|(x, y)| (x as f32, y as f32));
    let plates = vec![PlateInPicture {
        corners,
        text: Some(Plate::parse("8BX4021").unwrap()),
        confidence: Probability::new(0.97).unwrap(),
        state: Some(State::Ma),
        width_px: 190.0,
        lane: None,
    }];
    let grey = vec![130; (width * height) as usize];
    let luma = Plane { data: &grey, width: width as usize, height: height as usize, stride: width as usize };
    let coaching = Coaching::of(luma, None, &[Corners(corners)]);
    LivePicture { jpeg: jpeg(&scene).into(), width: width as u32, height: height as u32, plates, coaching }
}

fn crop(text: &str) -> Vec<u8> {
    let mut crop = Mat::new_rows_cols_with_default(144, 288, CV_8UC3, Scalar::all(60.0)).unwrap();
    plate(&mut crop, text, Rect::new(14, 10, 260, 124));
    let mut soft = Mat::default();
    imgproc::gaussian_blur_def(&crop, &mut soft, Size::new(5, 5), 1.6).unwrap();
    jpeg(&soft)
}

fn plate(scene: &mut Mat, text: &str, at: Rect) {
    imgproc::rectangle(scene, at, Scalar::all(225.0), -1, imgproc::LINE_8, 0).unwrap();
    let scale = f64::from(at.width) / 150.0;
    let corner = Point::new(at.x + at.width / 20, at.y + at.height * 2 / 3);
    let ink = Scalar::new(110.0, 30.0, 30.0, 0.0);
    imgproc::put_text(scene, text, corner, 0, scale, ink, 4, imgproc::LINE_AA, false).unwrap();
}

fn jpeg(picture: &Mat) -> Vec<u8> {
    let mut bytes = Vector::new();
    imgcodecs::imencode(".jpg", picture, &mut bytes, &Vector::new()).unwrap();
    bytes.into()
}
