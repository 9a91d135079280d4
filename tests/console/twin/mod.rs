//! A unit that stands in for the real one: what its rooms would say is held in the hand of the test.

mod aims;
mod alerts;
mod certificates;
mod lists;
mod setup;
mod upkeep;

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

use aims::{crop, picture};
use lists::{active, leaving, manual};

pub use alerts::{amber, stolen};
pub use certificates::certificate;

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
    /// Nobody keeps its clock.
    pub clock_free: AtomicBool,
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
            clock_free: AtomicBool::default(),
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
}

pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}

fn before(seconds: i64) -> Timestamp {
    Timestamp::from_second(NOW.as_second() - seconds).unwrap()
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
