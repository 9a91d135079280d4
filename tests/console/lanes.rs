//! Lanes drawn over the picture: by a program, by a form, and with a finger in a real browser.

use serde_json::{Value, json};

use crate::browser::album;
use crate::chromium::Browser;
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

/// The place of a share of the picture on the page.
fn on_picture(browser: &mut Browser, x: f64, y: f64) -> (f64, f64) {
    let frame = browser.evaluate(
        "(() => { const {left, top, width, height} = document.querySelector('.overlay').getBoundingClientRect();
           return [left, top, width, height]; })()",
    );
    let at = |index: usize| frame[index].as_f64().unwrap();
    (at(0) + x * at(2), at(1) + y * at(3))
}

#[test]
fn a_technician_draws_lanes_with_a_finger_and_by_keyboard() {
    let site = Site::peopled();
    site.unit.film();
    let address = format!("https://{}", site.console.address());
    let mut browser = Browser::start();
    browser.look_like(360, "light");
    browser.wear_session_of(&site.signed_in(TECHNICIAN), &address);
    browser.open(&format!("{address}/aim"));
    browser.wait_for("document.querySelector('.rate').textContent.startsWith('1280')");
    assert_eq!(browser.evaluate("document.querySelector('form.lanes').hidden"), true);
    browser.click(".tools button");
    browser
        .wait_for("document.querySelector('.said').textContent.startsWith('Lane 1: tap its four corners')");

    // Four taps in any order; the outline does not cross itself.
    for (x, y) in [(0.2, 0.9), (0.35, 0.4), (0.5, 0.9), (0.45, 0.4)] {
        let place = on_picture(&mut browser, x, y);
        browser.drag(&[place]);
    }
    browser.wait_for("document.querySelectorAll('.point').length === 4");
    // The lower left corner follows the finger and stays in the picture.
    let corner = browser.evaluate("document.querySelectorAll('.point')[3].getAttribute('aria-label')");
    assert_eq!(corner, "Lane 1, point 4 of 4: 20 % from the left, 90 % from the top");
    let (from, to) = (on_picture(&mut browser, 0.2, 0.9), on_picture(&mut browser, 0.1, 1.4));
    browser.drag(&[from, (from.0 - 5.0, from.1 + 5.0), to]);
    let points = browser.evaluate("document.querySelector('[name=points]').value");
    assert!(points.as_str().unwrap().contains(",1"), "{points}");

    // A second lane without any pointer: points by button, moved with arrow keys.
    browser.evaluate("document.querySelectorAll('.tools button')[1].focus()");
    browser.evaluate("document.activeElement.click()");
    browser.wait_for("document.querySelector('.said').textContent.startsWith('Lane 2: tap')");
    browser.evaluate("for (let n = 0; n < 4; n++) document.querySelectorAll('.tools button')[2].click()");
    browser.wait_for("document.activeElement.className.includes('point')");
    let before = browser.evaluate("document.activeElement.getAttribute('aria-label')");
    browser.press("ArrowRight");
    browser.press("ArrowUp");
    let after = browser.evaluate("document.activeElement.getAttribute('aria-label')");
    assert_ne!(before, after);
    assert_eq!(browser.evaluate("document.querySelector('.said').textContent"), after, "and it is said");
    assert_eq!(browser.barriers(), Vec::<String>::new());
    browser.picture(&album().join("lanes-drawing-360-light.png"));

    browser.evaluate(
        "const travels = document.querySelectorAll('[name=travel]'); travels[0].value = 'away';
         document.querySelector('form.lanes').requestSubmit(); true",
    );
    browser.wait_for("document.querySelectorAll('.reads li').length === 3");
    let drawn = lock(&site.unit.drawn).clone().unwrap();
    assert_eq!((drawn.lanes.to_string().as_str(), drawn.by.as_str()), ("1 (away), 2", TECHNICIAN));
    browser.wait_for("document.querySelectorAll('.overlay polygon').length === 2");
    let page = browser.evaluate("document.querySelector('.reads').textContent");
    assert!(page.as_str().unwrap().contains("outside all lanes"), "{page}");
    browser.picture(&album().join("lanes-360-light.png"));
    assert_eq!(browser.complaints, Vec::<String>::new());
}

#[test]
fn a_form_without_a_script_draws_lanes_and_a_mistake_costs_nothing() {
    let site = Site::peopled();
    let mut technician = site.signed_in(TECHNICIAN);
    let page = technician.get("/aim").text();
    assert!(page.contains("No lanes are drawn") && page.contains("name=\"points\""), "{page}");
    let crossed = [
        ("name", "left"),
        ("travel", "towards"),
        ("points", "0.1,0.9 0.4,0.3 0.4,0.9 0.1,0.3"),
        ("name", ""),
        ("travel", ""),
        ("points", ""),
    ];
    let refused = technician.post("/aim/north/lanes", &crossed);
    assert_eq!(refused.status, 422);
    let page = refused.text();
    assert!(page.contains("The outline of lane left crosses itself"), "{page}");
    assert!(page.contains("value=\"0.1,0.9 0.4,0.3 0.4,0.9 0.1,0.3\""), "what was typed stands there");
    assert!(lock(&site.unit.drawn).is_none());
    let good = [("name", "left"), ("travel", "towards"), ("points", "0.1,0.9 0.4,0.9 0.4,0.3 0.1,0.3")];
    assert_eq!(technician.post("/aim/north/lanes", &good).status, 303);
    let page = technician.get("/aim").text();
    assert!(page.contains("<b>left</b>, traffic towards the camera: 37 reads"), "{page}");
    assert!(page.contains("outside all lanes: 74 reads"), "{page}");

    lock(&site.unit.drawn).as_mut().unwrap().aim = None;
    assert!(technician.get("/aim").text().contains("Look at the lanes"), "the aim was verified since");
    let officer = site.signed_in(OFFICER).get("/aim").text();
    assert!(officer.contains("<b>left</b>") && !officer.contains("name=\"points\""), "{officer}");
}
