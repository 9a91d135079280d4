//! Lanes drawn over the picture: by a program, by a form, and with a finger in a real browser.

use serde_json::{Value, json};

use crate::client::Answer;
use crate::twin::lock;
use crate::{OFFICER, Site, TECHNICIAN};

const TO_THE_LANES: &str = "/api/v1/cameras/north/lanes";

fn parsed(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap()
}

#[test]
fn a_program_draws_lanes_and_is_told_its_mistakes() {
    let site = Site::peopled();
    let mut technician = site.signed_in(TECHNICIAN);
    assert_eq!(parsed(&technician.call("GET", TO_THE_LANES, "")), json!([]));
    let two = json!([
        {"name": "1", "travel": "towards", "outline": [[0.1, 0.9], [0.4, 0.9], [0.4, 0.3]]},
        {"name": "exit", "travel": null, "outline": [[0.5, 0.9], [0.9, 0.9], [0.6, 0.3], [0.5, 0.3]]},
    ]);
    let drawn = technician.call("POST", TO_THE_LANES, &two.to_string());
    assert_eq!(drawn.status, 204, "{}", drawn.text());
    let told = parsed(&technician.call("GET", TO_THE_LANES, ""));
    assert_eq!((&told[0]["name"], &told[1]["name"]), (&json!("1"), &json!("exit")));
    assert_eq!(told[1]["travel"], json!(null));
    assert_eq!(
        technician.call("POST", TO_THE_LANES, &told.to_string()).status,
        204,
        "what is told can be given"
    );
    let by = |site: &Site| lock(&site.unit.drawn).as_ref().unwrap().by.to_string();
    assert_eq!(by(&site), TECHNICIAN);

    let refused = |technician: &mut crate::client::Client, lanes: &Value| {
        let answer = technician.call("POST", TO_THE_LANES, &lanes.to_string());
        assert_eq!(answer.status, 422);
        parsed(&answer)["error"].as_str().unwrap().to_owned()
    };
    let mut crossed = two.clone();
    crossed[1]["outline"] = json!([[0.5, 0.9], [0.9, 0.3], [0.9, 0.9], [0.5, 0.3]]);
    let sentence = refused(&mut technician, &crossed);
    assert!(sentence.contains("the outline of lane exit crosses itself"), "{sentence}");
    let sentence = refused(&mut technician, &json!([{"name": "no/such", "outline": []}]));
    assert!(sentence.contains("is not a lane's name"), "{sentence}");
    assert!(refused(&mut technician, &json!({})).contains("expected a sequence"));
    assert_eq!(technician.call("POST", "/api/v1/cameras/south/lanes", "[]").status, 404);
    assert_eq!(lock(&site.unit.drawn).as_ref().unwrap().lanes.iter().len(), 2, "what stood before stands");

    let mut officer = site.signed_in(OFFICER);
    assert_eq!(parsed(&officer.call("GET", TO_THE_LANES, "")).as_array().unwrap().len(), 2);
    assert_eq!(officer.call("POST", TO_THE_LANES, "[]").status, 403);
}
