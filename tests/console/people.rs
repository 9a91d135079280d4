//! Who gets in, and for how long.

use std::sync::atomic::Ordering;
use std::time::Duration;

use milepost::console::Act;

use crate::{ADMINISTRATOR, OFFICER, PASSWORD, Site, TECHNICIAN};

#[test]
fn the_one_time_code_makes_the_first_administrator_once() {
    let site = Site::fresh();
    let mut client = site.client();
    assert!(client.get("/sign-in").text().contains("no administrator yet"));
    assert_eq!(site.set_up(&mut client, "0000-0000-0000-0000", ADMINISTRATOR), 422);
    assert_eq!(client.get("/").header("location"), Some("/sign-in"));
    assert_eq!(site.set_up(&mut client, &site.code, ADMINISTRATOR), 303);
    assert!(client.get("/").text().contains(ADMINISTRATOR));
    assert_eq!(site.set_up(&mut site.client(), &site.code, "Eve Second"), 422);
}

#[test]
fn recovery_codes_are_shown_once_and_set_a_password_once() {
    let site = Site::peopled();
    let mut officer = site.signed_in(OFFICER);
    assert!(officer.get("/recovery").text().contains("You have 0 recovery codes left"));
    assert_eq!(officer.post("/recovery", &[("password", "wrong")]).status, 422);
    let page = officer.post("/recovery", &[("password", PASSWORD)]).text();
    let code = page.split("<li><code>").nth(1).unwrap().split('<').next().unwrap().to_owned();
    assert!(officer.get("/recovery").text().contains("You have 8 recovery codes left"));
    site.clock.advance(Duration::from_secs(60));
    let another = "six lanes, dry road";
    let form = [("code", code.as_str()), ("name", OFFICER), ("password", another), ("again", another)];
    assert_eq!(site.client().post("/set-up", &form).status, 303);
    assert_eq!(site.client().post("/set-up", &form).status, 422);
    assert_eq!(site.client().sign_in(OFFICER, another).status, 303);
}

#[test]
fn the_label_tells_code_and_fingerprint_until_the_code_is_used() {
    let site = Site::fresh();
    let label = site.folder.path().join("label.txt");
    let text = std::fs::read_to_string(&label).unwrap();
    for told in ["barrel-7", &site.code, site.console.fingerprint(), &site.console.address().to_string()] {
        assert!(text.contains(told), "{told}: {text}");
    }
    assert_eq!(site.set_up(&mut site.client(), &site.code, ADMINISTRATOR), 303);
    assert!(!label.exists());
}

#[test]
fn five_refusals_lock_and_the_answers_tell_nothing() {
    let site = Site::peopled();
    let mut client = site.client();
    let mut answers = Vec::new();
    for attempt in 0..5 {
        site.clock.advance(Duration::from_secs(60));
        let answer = client.post("/sign-in", &[("name", OFFICER), ("password", &format!("guess {attempt}"))]);
        answers.push((answer.status, answer.text()));
    }
    for (name, password) in [(OFFICER, PASSWORD), ("Nobody Atall", PASSWORD)] {
        let answer = client.post("/sign-in", &[("name", name), ("password", password)]);
        answers.push((answer.status, answer.text()));
    }
    // Wrong, locked, and unknown are one and the same to who asks.
    assert!(answers.iter().all(|answer| *answer == answers[0] && answer.0 == 401));
    // The log knows better, and does not repeat a name that nobody has.
    let acts = site.unit.acts();
    let officer = Some(OFFICER.to_owned());
    assert_eq!(acts[4], (officer.clone(), Act::AccountLocked));
    assert_eq!(acts[5], (officer, Act::SignInRefused));
    assert_eq!(acts[6], (None, Act::SignInRefused));

    let mut administrator = site.signed_in(ADMINISTRATOR);
    assert!(administrator.get("/accounts").text().contains("Locked"));
    administrator.post("/accounts/change", &[("name", OFFICER), ("change", "release")]);
    site.signed_in(OFFICER);
}

#[test]
fn a_guesser_is_slowed_down() {
    let site = Site::peopled();
    site.clock.advance(Duration::from_secs(3600));
    let mut client = site.client();
    let guess = [("name", "Nobody Atall"), ("password", "x")];
    let statuses: Vec<u16> = (0..12).map(|_| client.post("/sign-in", &guess).status).collect();
    assert_eq!(statuses[..10], [401; 10]);
    assert_eq!(statuses[10..], [429; 2]);
}

#[test]
fn thirty_minutes_without_use_sign_out_although_a_page_polls() {
    let site = Site::peopled();
    let mut client = site.signed_in(TECHNICIAN);
    for _ in 0..2 {
        site.clock.advance(Duration::from_secs(15 * 60 - 1));
        assert_eq!(client.get("/overview/now").status, 200);
    }
    site.clock.advance(Duration::from_secs(2));
    assert_eq!(client.get("/overview/now").status, 401);
    assert_eq!(client.get("/").header("location"), Some("/sign-in"));

    let mut client = site.signed_in(TECHNICIAN);
    for _ in 0..4 {
        site.clock.advance(Duration::from_secs(15 * 60));
        // Somebody touches the page.
        assert_eq!(client.get_with("/overview/now", &[("Milepost-Present", "1")]).status, 200);
    }
}

#[test]
fn the_in_car_screen_stays_signed_in_through_a_shift_and_no_other_screen_does() {
    let site = Site::peopled();
    let mut officer = site.signed_in(OFFICER);
    site.unit.in_vehicle.store(true, Ordering::Relaxed);
    for _ in 0..4 {
        site.clock.advance(Duration::from_secs(25 * 60));
        assert_eq!(officer.get("/screen/now").status, 200);
    }
    assert!(officer.get("/screen").text().contains("8BX4021"));
    site.unit.in_vehicle.store(false, Ordering::Relaxed);
    for status in [200, 401] {
        site.clock.advance(Duration::from_secs(25 * 60));
        assert_eq!(officer.get("/screen/now").status, status);
    }
}

#[test]
fn signing_out_and_disabling_end_sessions_at_once() {
    let site = Site::peopled();
    let mut client = site.signed_in(OFFICER);
    let kept = client.cookie.clone();
    client.post("/sign-out", &[]);
    assert_eq!(client.cookie, None);
    client.cookie = kept;
    assert_eq!(client.get("/overview/now").status, 401, "an old cookie is worth nothing");

    let mut officer = site.signed_in(OFFICER);
    let mut administrator = site.signed_in(ADMINISTRATOR);
    // However the name is written.
    let name = OFFICER.to_lowercase();
    administrator.post("/accounts/change", &[("name", &name), ("change", "disable")]);
    assert_eq!(officer.get("/overview/now").status, 401);
    assert_eq!(site.client().sign_in(OFFICER, PASSWORD).status, 401);
    let last = administrator.post("/accounts/change", &[("name", ADMINISTRATOR), ("change", "disable")]);
    assert!(last.text().contains("last administrator"));
}
