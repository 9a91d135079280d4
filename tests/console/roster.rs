//! The department's word on who may sign in, at the console: what it ends, and what it leaves.

use std::time::Duration;

use jiff::SignedDuration;
use milepost::console::{GivenSecret, Member, OneTimeCode, Role, Roster, RosterView};
use milepost::words::{PersonName, RosterName};

use crate::{ADMINISTRATOR, OFFICER, PASSWORD, Site, twin};

const MEMBER: &str = "Rita Vale";

/// The roster of one officer, who is disabled or not, and her code.
fn roster(code: &OneTimeCode, disabled: bool) -> Roster {
    let view = RosterView {
        roster: RosterName::parse("patrol").unwrap(),
        version: 12,
        issued: twin::NOW - SignedDuration::from_hours(3),
        expires: Some(twin::NOW + SignedDuration::from_hours(24 * 30)),
        signed_by: Vec::new(),
        rests: None,
    };
    let name = PersonName::parse(MEMBER).unwrap();
    let member = Member { name, role: Role::Officer, secret: GivenSecret::of(code), disabled };
    Roster { view, members: vec![member] }
}

#[test]
fn what_waits_for_news_ends_with_the_session_and_others_wait_on() {
    let site = Site::peopled();
    let code = OneTimeCode::generate();
    site.console.admission().take_roster(Some(roster(&code, false)));
    site.clock.advance(Duration::from_secs(60));
    let mut member = site.client();
    assert_eq!(member.sign_in(MEMBER, &code.to_string()).status, 303);
    let mut other = site.signed_in(OFFICER);
    let newest = crate::twin::lock(&site.unit.alerts)[0].alert.id;
    let path = format!("/alerts/news?after={newest}");
    let [hers, theirs] = [member.clone(), other.clone()].map(|mut client| {
        let path = path.clone();
        std::thread::spawn(move || client.get(&path).status)
    });
    // The streams of both reach the console before the word does.
    std::thread::sleep(Duration::from_millis(300));
    site.console.admission().take_roster(Some(roster(&code, true)));
    assert_eq!(hers.join().unwrap(), 401);
    assert_eq!(member.get("/screen/now").status, 401);
    site.unit.raise(twin::stolen("77KLM2", 0));
    assert_eq!(theirs.join().unwrap(), 200);
    assert_eq!(other.get("/").status, 200);
}

#[test]
fn the_accounts_page_shows_whose_accounts_they_are_and_leaves_the_departments_alone() {
    let site = Site::peopled();
    let code = OneTimeCode::generate();
    site.console.admission().take_roster(Some(roster(&code, false)));
    let mut administrator = site.signed_in(ADMINISTRATOR);
    let page = administrator.get("/accounts").text();
    assert!(
        page.contains("patrol, version 12, ") && page.contains("From the department, 0 recovery"),
        "{page}"
    );
    let change = |client: &mut crate::client::Client, what| {
        client.post("/accounts/change", &[("name", MEMBER), ("change", what)])
    };
    for what in ["disable", "enable", "reset"] {
        let refused = change(&mut administrator, what);
        assert!(refused.status == 422 && refused.text().contains("comes from the department"), "{what}");
    }
    let taken = administrator.post("/accounts/invitation", &[("name", "rita vale"), ("role", "officer")]);
    assert_eq!(taken.status, 422);

    // A lock is released here, and she sets a password for this unit.
    for guess in 0..5 {
        site.clock.advance(Duration::from_secs(60));
        assert_eq!(site.client().sign_in(MEMBER, &format!("guess {guess}")).status, 401);
    }
    assert!(administrator.get("/accounts").text().contains("Release lock"));
    assert_eq!(change(&mut administrator, "release").status, 303);
    site.clock.advance(Duration::from_secs(60));
    let mut member = site.client();
    assert_eq!(member.sign_in(MEMBER, &code.to_string()).status, 303);
    let code = code.to_string();
    let form = [("old", code.as_str()), ("password", PASSWORD), ("again", PASSWORD)];
    assert_eq!(member.post("/password", &form).status, 303);
    site.signed_in(MEMBER);

    let mut over = roster(&OneTimeCode::generate(), false);
    over.view.rests = Some("It was good until noon: the department must sign a new one.".to_owned());
    site.console.admission().take_roster(Some(over));
    assert_eq!(member.get("/").header("location"), Some("/sign-in"));
    let page = administrator.get("/accounts").text();
    assert!(page.contains("cannot sign in now. It was good until noon") && page.contains("Rests"), "{page}");
}
