//! Units that say what a test wants, at a real mosquitto, and the dashboard that hears them.
#![allow(dead_code, reason = "the benchmark uses a part of this")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use milepost::delivery::{Link, LinkEvent, Retained, Subscriptions};
use milepost::fleet::{Config, Fleet};
use milepost::health::HealthReport;
use milepost::hotlist::ManualSummary;
use milepost::system::{DeviceFacts, ManualClock};
use milepost::words::UnitKind;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::client::Client;
use crate::support::{Mosquitto, eventually};

pub const PASSWORD: &str = "four lanes, wet road";
pub const ADMINISTRATOR: &str = "Ada Moss";
pub const OFFICER: &str = "Omar Fields";
pub const TECHNICIAN: &str = "Tess Grant";
pub const TOKEN: &str = "0123456789abcdefghij";

/// A broker, a dashboard, and a clock that the test turns.
pub struct Stage {
    pub broker: Mosquitto,
    pub folder: tempfile::TempDir,
    pub clock: Arc<ManualClock>,
    pub fleet: Fleet,
    pub runtime: Runtime,
    code: String,
}

impl Stage {
    pub fn fresh() -> Self {
        // Units that say what no unit says are part of it.
        Self::with(Mosquitto::unheard(), 1000)
    }

    pub fn with(broker: Mosquitto, units_max: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(Timestamp::now()));
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let token = folder.path().join("token");
        std::fs::write(&token, TOKEN).unwrap();
        let config = Config {
            broker: broker.client("dashboard"),
            name: "dashboard".into(),
            title: "Springfield".into(),
            folder: folder.path().join("fleet"),
            listen: "127.0.0.1:0".parse().unwrap(),
            lock: Duration::from_secs(1800),
            metrics_token: Some(token),
            units_max,
        };
        let inside = runtime.enter();
        let mut fleet = Fleet::start(config, clock.clone()).unwrap();
        let code = fleet.take_first_code().expect("a first start makes a code").to_string();
        drop(inside);
        Self { broker, folder, clock, fleet, runtime, code }
    }

    /// With an administrator, an officer and a technician.
    pub fn peopled() -> Self {
        let stage = Self::fresh();
        stage.people();
        stage
    }

    pub fn people(&self) {
        let mut administrator = self.client();
        set_up(&mut administrator, &self.code, ADMINISTRATOR);
        for (name, role) in [(OFFICER, "officer"), (TECHNICIAN, "technician")] {
            let page = administrator.post("/accounts/invitation", &[("name", name), ("role", role)]).text();
            let code = page.split("<code class=\"big\">").nth(1).expect("a code").split('<').next().unwrap();
            set_up(&mut self.client(), code, name);
        }
    }

    pub fn log_folder(&self) -> std::path::PathBuf {
        self.folder.path().join("fleet/log")
    }

    pub fn client(&self) -> Client {
        Client::new(self.fleet.address(), &self.folder.path().join("fleet"))
    }

    pub fn signed_in(&self, name: &str) -> Client {
        self.clock.advance(Duration::from_secs(1));
        let mut client = self.client();
        assert_eq!(client.sign_in(name, PASSWORD).status, 303);
        client
    }

    /// One unit as the dashboard tells a program, once it says what it shall.
    pub fn sees(&self, client: &mut Client, unit: &str, what: &str, says: impl Fn(&Value) -> bool) -> Value {
        let mut told = Value::Null;
        eventually(&format!("{unit}: {what}"), || {
            let answer = client.call("GET", &format!("/api/v1/units/{unit}"), "");
            told = serde_json::from_slice(&answer.body).unwrap_or_default();
            answer.status == 200 && says(&told)
        });
        told
    }

    pub fn unit(&self, name: &str) -> Unit {
        Unit::connect(&self.runtime, &self.broker, name)
    }
}

fn set_up(client: &mut Client, code: &str, name: &str) {
    let fields = [("code", code), ("name", name), ("password", PASSWORD), ("again", PASSWORD)];
    assert_eq!(client.post("/set-up", &fields).status, 303);
    client.get("/password");
}

/// A connection with a unit's certificate and its last will. Dropped, it vanishes without a good-bye.
pub struct Unit {
    name: String,
    to: tokio::sync::mpsc::UnboundedSender<(String, Vec<u8>)>,
    runtime: tokio::runtime::Handle,
    task: tokio::task::JoinHandle<()>,
}

/// Messages that may wait for the broker's acknowledgement: more, and the client library mixes them up.
const WINDOW: usize = 32;

impl Unit {
    pub fn connect(runtime: &Runtime, broker: &Mosquitto, name: &str) -> Self {
        let (broker, unit) = (broker.client(name), name.to_owned());
        let (to, mut said) = tokio::sync::mpsc::unbounded_channel::<(String, Vec<u8>)>();
        let task = runtime.spawn(async move {
            let will = json!({ "state": "offline", "session": 1, "at": Timestamp::now(), "reason": "lost" });
            let will = Retained { topic: topic(&unit, "status"), payload: will.to_string().into() };
            let none = Subscriptions { filters: vec![], renew: false };
            let mut link = Link::open(&broker, &unit, Some(will), &none).await.unwrap();
            let mut under_way = 0;
            loop {
                tokio::select! {
                    message = said.recv(), if under_way < WINDOW => match message {
                        Some((topic, payload)) => {
                            link.publish(topic, payload, true).unwrap();
                            under_way += 1;
                        }
                        None => return link.close().await,
                    },
                    event = link.next() => match event {
                        LinkEvent::Acknowledged(_) => under_way -= 1,
                        LinkEvent::Lost(_) => return,
                        _ => {}
                    },
                }
            }
        });
        let unit = Self { name: name.to_owned(), to, runtime: runtime.handle().clone(), task };
        unit.says("status", &birth());
        unit
    }

    pub fn says(&self, what: &str, payload: &Value) {
        self.sends(what, payload.to_string().into());
    }

    pub fn sends(&self, what: &str, payload: Vec<u8>) {
        self.sends_to(topic(&self.name, what), payload);
    }

    pub fn sends_to(&self, topic: String, payload: Vec<u8>) {
        self.to.send((topic, payload)).unwrap();
    }

    /// Its report of now, changed by the test.
    pub fn reports(&self, change: impl FnOnce(&mut Value)) {
        self.says("health", &report(&self.name, Timestamp::now(), change));
    }

    /// Says good-bye.
    pub fn stops(self) {
        let bye = json!({ "state": "offline", "session": 1, "at": Timestamp::now(), "reason": "stopped" });
        self.says("status", &bye);
        drop(self.to);
        self.runtime.block_on(self.task).unwrap();
    }

    /// Power, network or the whole unit is gone.
    pub fn vanishes(self) {
        self.task.abort();
    }
}

/// What a unit says when it connects.
pub fn birth() -> Value {
    json!({ "state": "online", "session": 1, "at": Timestamp::now(), "version": "0.1.0" })
}

pub fn topic(unit: &str, what: &str) -> String {
    format!("milepost/v1/units/{unit}/{what}")
}

/// A report just as a unit in service sends it.
pub fn report(unit: &str, at: Timestamp, change: impl FnOnce(&mut Value)) -> Value {
    let yields =
        json!({ "words": "", "hour": null, "reads": 0, "unsure": 0, "unread": 0, "usual_reads": null });
    let mut report = json!({
        "unit": unit, "at": at, "report_every_s": 60, "version": "0.1.0", "uptime_s": 86_400,
        "service": { "state": "in-service", "since": at, "reasons": [] },
        "cameras": [{
            "camera": "north", "streaming": true, "fault": null, "frames_per_s": 15.0, "width": 1920, "height": 1080,
            "measure": null, "displacement": null, "lanes": null, "aim_verified": null, "vision_ms": 21.0,
            "frames_skipped": 0, "canary": null, "yields": yields, "reads_today_by_lane": [],
        }],
        "lists": [{
            "list": "state-stolen", "freshness": "fresh", "version": 7, "issued": at, "age_s": 1800, "expires": null,
            "installed": at, "signed_by": null, "entries": 250_000, "on_its_way": null, "last_refusal": null,
            "refusals": 0,
        }],
        "manual_entries": ManualSummary::default(),
        "records": {
            "waiting": 3, "oldest_waiting_s": 2, "delivered": 90, "purged": 90, "lost": 0, "lost_by_reason": {},
            "fault": null,
        },
        "broker": { "connected": true, "fault": null, "certificate_days_left": 200 },
        "device": DeviceFacts::default(),
        "place": { "kind": UnitKind::Fixed, "position": null, "from_site_m": null, "tilted_deg": null },
        "reads_today": 412, "alerts_today": 1, "last_read": at,
        "answers": {
            "days": 30, "answered": 20, "correct_read": 18, "wrong_state": 1, "incorrect_read": 1, "dismissed": 0,
            "false_hit_rate": 0.1,
        },
    });
    change(&mut report);
    report
}

/// That a report of the stage is one that a unit could send.
pub fn assert_is_health(report: &Value) {
    serde_json::from_value::<HealthReport>(report.clone()).expect("as units send it");
}

/// The shipped access list, with one client more that may write for every unit.
pub fn let_one_write_for_all(broker: &mut Mosquitto, folder: &Path) {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/mosquitto/acl");
    let list = std::fs::read_to_string(shipped).unwrap() + "\nuser crowd\ntopic write milepost/v1/units/#\n";
    let file = folder.join("acl");
    std::fs::write(&file, list).unwrap();
    broker.reconfigure(format!("acl_file {}\n", file.display()));
}

/// Department-sized: every kind, state and trouble, spread over a state.
pub fn crowd(count: usize, at: Timestamp) -> impl Iterator<Item = (String, Value)> {
    const REASONS: [(&str, &str, &str); 5] = [
        ("list-late", "degraded", "14 hours old"),
        ("window-dirty", "degraded", ""),
        ("camera-moved", "out-of-service", "shifted by 43 px to the left"),
        ("taken-out", "out-of-service", ""),
        ("backlog-old", "degraded", "the oldest for 30 hours"),
    ];
    (0..count).map(move |number| {
        // A plain generator of Knuth's: the same crowd each time.
        let mut state = (number as u64 + 1).wrapping_mul(6_364_136_223_846_793_005);
        let mut draw = move |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let name = format!("pole-{:04}", number + 1);
        let ago = |seconds: u64| at - jiff::SignedDuration::from_secs(seconds as i64);
        let kind = ["fixed", "fixed", "fixed", "portable", "mobile"][draw(5) as usize];
        let towns = [(42.36, -71.06), (42.27, -71.80), (42.10, -72.59), (41.64, -70.93), (42.58, -72.60)];
        let (latitude, longitude) = towns[draw(5) as usize];
        let off = |wide: f64, step: u64| (step as f64 / 1000.0 - 0.5) * wide;
        let (latitude, longitude) = (latitude + off(0.5, draw(1000)), longitude + off(0.7, draw(1000)));
        let reason = REASONS.get(draw(60) as usize);
        let numbers = [draw(2_000_000), draw(90_000), draw(400), draw(30), draw(3600), draw(300)];
        let report = report(&name, at, |report| {
            report["service"]["since"] = json!(ago(numbers[0]));
            if let Some((reason, state, detail)) = reason {
                let cause = json!({ "reason": reason, "detail": detail, "since": ago(numbers[0]) });
                report["service"] = json!({ "state": state, "since": ago(numbers[0]), "reasons": [cause] });
            }
            report["lists"][0]["age_s"] = json!(numbers[1]);
            report["lists"][0]["freshness"] = json!(if numbers[1] > 86_400 {
                "stale"
            } else if numbers[1] > 43_200 {
                "ageing"
            } else {
                "fresh"
            });
            report["broker"]["certificate_days_left"] = json!(numbers[2]);
            report["answers"]["false_hit_rate"] = json!(numbers[3] as f64 / 100.0);
            report["last_read"] = json!(ago(numbers[4]));
            report["records"]["waiting"] = json!(numbers[5]);
            report["place"]["kind"] = json!(kind);
            report["place"]["position"] = json!({
                "latitude": latitude, "longitude": longitude, "source": "gps", "error_m": 4.0, "age_s": 1,
            });
        });
        (name, report)
    })
}
