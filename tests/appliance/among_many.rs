//! A department at work: a real unit with a real camera among many simulated ones, at one broker with the configuration that
//! ships, with one receiver and one dashboard. What the unit promises it keeps in the crowd, also when the broker is killed.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use milepost::fleet;
use milepost::simulate::{Config, Day, Fleet, allow_open_files, vehicles};
use milepost::system::SystemClock;
use milepost::words::UnitId;
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::client::Client;
use crate::program::Appliance;
use crate::site::{Site, UNIT};
use crate::support::{Mosquitto, eventually, files};

const SIMULATED: usize = 200;

#[test]
fn a_real_unit_among_many_is_heard_shown_and_loses_nothing_when_the_broker_is_killed() {
    // The other tests of this program open some, too.
    allow_open_files(2000).unwrap();
    let mut site = Site::open();
    let camera = site.camera(0);
    site.configure(&camera, "127.0.0.1:0".parse().unwrap());
    let runtime = Runtime::new().unwrap();
    let within = runtime.enter();
    let mut dashboard = Dashboard::open(&site.broker);
    let crowd = crowd(&site);
    let counts = || crowd.gauge().counts();
    let all_connected = || counts().connected == SIMULATED as u64;
    eventually("the simulated units are connected", all_connected);
    let mut unit = Appliance::start(site.folder());
    unit.tells("READY=1");

    let raised = || site.department.events("alerts").into_iter().filter(|alert| is_of(alert, UNIT)).count();
    eventually("the real unit's alerts arrive among the others", || {
        raised() >= 3 && crowd.gauge().latencies().count() >= 20
    });
    eventually("the dashboard shows all", || dashboard.connected() == SIMULATED + 1);
    let told = dashboard.unit(UNIT);
    assert_eq!(
        (&told["state"], &told["reasons"][0]),
        (&"degraded".into(), &"aim-unverified".into()),
        "{told}"
    );

    // What it comes back with is what it had saved a while ago.
    site.broker.save();
    let (before, alerts) = (counts(), raised());
    eventually("more is on its way", || raised() > alerts && counts().alerts > before.alerts + 3);
    site.broker.kill();
    eventually("the real unit raises alerts without a broker", || site.alerts_on_their_way() > 0);
    eventually("the simulated ones notice", || counts().connected == 0);
    assert!(dashboard.page().contains("No connection to the broker"));
    site.broker.restart();
    eventually("the simulated units are back", all_connected);
    eventually("the dashboard shows all again", || dashboard.connected() == SIMULATED + 1);
    let alerts = raised();
    eventually("the real unit's next alert arrives", || raised() > alerts + 1);

    drop(camera);
    assert!(runtime.block_on(crowd.drain(Duration::from_secs(60))), "left waiting: {:?}", counts());
    eventually("all that the real unit raised arrives", || site.alerts_on_their_way() == 0);
    let received = Received::look(&site);
    assert_eq!(received.doubled, Vec::<String>::new());
    assert_eq!(received.of_simulated, counts().made, "nothing is lost");
    let (status, _, told) = unit.terminate();
    assert!(status.success(), "{told}");
    drop(within);
    runtime.block_on(crowd.stop());
}

/// In the rush hour, with many listed vehicles.
fn crowd(site: &Site) -> Fleet {
    let unit = |number| {
        let name = format!("sim-{number:04}");
        (UnitId::parse(&name).unwrap(), site.broker.client(&name))
    };
    let config = Config {
        units: (1..=SIMULATED).map(unit).collect(),
        seed: 7,
        receivers: vec![site.department.key],
        list: None,
        day: Day::new(jiff::civil::time(17, 0, 0, 0), 1.0),
        hits_per_1000: 100.0,
        faults: false,
        report_every: Duration::from_secs(60),
        start_per_s: 100.try_into().unwrap(),
    };
    Fleet::start(config, Arc::new(vehicles(4, 7).unwrap()))
}

fn is_of(event: &Value, unit: &str) -> bool {
    event["source"] == format!("milepost/units/{unit}")
}

/// A dashboard, and its administrator's browser.
struct Dashboard {
    _fleet: fleet::Fleet,
    person: Client,
    _folder: tempfile::TempDir,
}

impl Dashboard {
    fn open(broker: &Mosquitto) -> Self {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("fleet");
        let config = fleet::Config {
            broker: broker.client("dashboard"),
            name: "dashboard".into(),
            title: "Springfield".into(),
            folder: folder.clone(),
            listen: "127.0.0.1:0".parse().unwrap(),
            lock: Duration::from_secs(1800),
            metrics_token: None,
            units_max: 1000,
        };
        let mut fleet = fleet::Fleet::start(config, Arc::new(SystemClock::new())).unwrap();
        let code = fleet.take_first_code().expect("a first start makes a code").to_string();
        let mut person = Client::new(fleet.address(), &folder);
        let (name, password) = ("Ada Moss", "four lanes, wet road");
        let form = [("code", code.as_str()), ("name", name), ("password", password), ("again", password)];
        assert_eq!(person.post("/set-up", &form).status, 303);
        Self { _fleet: fleet, person, _folder: place }
    }

    fn page(&mut self) -> String {
        self.person.get("/").text()
    }

    /// How many units it shows with their session up and a report.
    fn connected(&mut self) -> usize {
        let told: Value = serde_json::from_slice(&self.person.call("GET", "/api/v1/units", "").body).unwrap();
        let units = told["units"].as_array().unwrap();
        units.iter().filter(|unit| unit["connected"] == true && !unit["heard"].is_null()).count()
    }

    fn unit(&mut self, unit: &str) -> Value {
        serde_json::from_slice(&self.person.call("GET", &format!("/api/v1/units/{unit}"), "").body).unwrap()
    }
}

/// What lies in the receiver's files, and with it what units say that must be there.
struct Received {
    of_simulated: u64,
    doubled: Vec<String>,
}

impl Received {
    fn look(site: &Site) -> Self {
        let department = &site.department;
        let books = ["alerts", "reads", "events"].map(|book| department.events(book));
        assert_eq!(department.missing_pictures(&books[0]) + department.missing_pictures(&books[1]), 0);
        let real = books.iter().flatten().filter(|event| is_of(event, UNIT)).count();
        let ids = books.iter().flatten().map(|event| event["id"].as_str().unwrap().to_owned());
        let mut times: BTreeMap<String, u32> = BTreeMap::new();
        ids.for_each(|id| *times.entry(id).or_default() += 1);
        let pictures: HashSet<_> = files(site.folder())
            .into_iter()
            .filter(|path| path.extension().is_some_and(|end| end == "jpg"))
            .filter(|path| !path.components().any(|part| part.as_os_str() == UNIT))
            .collect();
        let of_simulated = (times.len() - real + pictures.len()) as u64;
        let doubled = times.into_iter().filter(|(_, times)| *times > 1).map(|(id, _)| id).collect();
        Self { of_simulated, doubled }
    }
}
