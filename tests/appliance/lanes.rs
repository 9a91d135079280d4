//! Lanes drawn at a unit at work: they go with every read and alert to the department, and outlive a restart.

use serde_json::{Value, json};

use crate::client::Client;
use crate::program::Appliance;
use crate::site::{Site, TRAFFIC};
use crate::support::eventually;

const NAME: &str = "Tess Grant";
const PASSPHRASE: &str = "four lanes, wet road";
const TO_THE_LANES: &str = "/api/v1/cameras/lane-1/lanes";

#[test]
fn drawn_lanes_go_with_reads_and_alerts_and_outlive_a_restart() {
    let site = Site::open();
    let street = format!("source = \"scene:traffic\"\nplates = {:?}\n", TRAFFIC);
    let configuration = site.configuration("scene:traffic", "127.0.0.1:0".parse().unwrap());
    let configuration = configuration.replace("source = \"scene:traffic\"\n", &street);
    let configuration = format!("{configuration}\n[health]\nreport_every_s = 1\n");
    std::fs::write(site.folder().join("milepost.toml"), configuration).unwrap();
    let mut unit = Appliance::start(site.folder());
    unit.tells("READY=1");
    let mut person = console(&unit, &site);
    let code = unit.word_behind("one-time code code=");
    let form = [("code", code.as_str()), ("name", NAME), ("password", PASSPHRASE), ("again", PASSPHRASE)];
    person.get("/set-up");
    assert_eq!(person.post("/set-up", &form).status, 303);
    let in_lane = |book: &str, lane: &Value| {
        site.department.events(book).iter().filter(|event| event["data"]["lane"] == *lane).count()
    };
    let none = json!(null);
    eventually("reads go without a lane", || in_lane("reads", &none) > 0);
    assert_eq!(site.department.health()["cameras"][0]["reads_today_by_lane"], json!([]));

    // Wherever a vehicle is read, it is in this lane.
    let all =
        json!([{"name": "all of it", "travel": "towards", "outline": [[0, 0], [1, 0], [1, 1], [0, 1]]}]);
    let drawn = person.call("POST", TO_THE_LANES, &all.to_string());
    assert_eq!(drawn.status, 204, "{}", drawn.text());
    let name = &all[0]["name"];
    eventually("reads and alerts name it", || in_lane("reads", name) > 0 && in_lane("alerts", name) > 0);
    let alerts = site.department.events("alerts");
    let alert = &alerts.iter().find(|alert| alert["data"]["lane"] == *name).unwrap()["data"];
    assert_eq!(alert["lane_travel"], "towards");
    assert!(["approaching", "unknown"].contains(&alert["direction"].as_str().unwrap()), "{alert}");
    let entry = site.audited("lanes-drawn").remove(0);
    assert_eq!(
        (&entry["who"]["person"], &entry["what"]["lanes"]),
        (&json!(NAME), &json!("all of it (towards)"))
    );
    let counted = || site.department.health()["cameras"][0]["reads_today_by_lane"].clone();
    eventually("the report counts by lane", || counted()[0]["reads"].as_u64() > Some(0));
    assert_eq!((&counted()[0]["lane"], &counted()[1]["lane"]), (name, &none));

    let (status, _, told) = unit.terminate();
    assert!(status.success(), "{told}");
    let before = in_lane("reads", name);
    let mut unit = Appliance::start(site.folder());
    unit.tells("READY=1");
    eventually("reads name it after a restart", || in_lane("reads", name) > before);
    let mut person = console(&unit, &site);
    person.get("/sign-in");
    assert_eq!(person.sign_in(NAME, PASSPHRASE).status, 303);
    let told: Value = serde_json::from_slice(&person.call("GET", TO_THE_LANES, "").body).unwrap();
    assert_eq!(told[0]["name"], *name);
    let (status, _, told) = unit.terminate();
    assert!(status.success(), "{told}");
}

fn console(unit: &Appliance, site: &Site) -> Client {
    let address = unit.word_behind("the console listens address=").parse().unwrap();
    Client::new(address, &site.folder().join("state/console"))
}
