//! What technicians and officers come for.

use std::time::Duration;

use milepost::console::Act;
use milepost::words::RecordId;

use crate::twin::{lock, stolen};
use crate::{ADMINISTRATOR, OFFICER, Site, TECHNICIAN};

#[test]
fn a_stored_alert_is_shown_to_who_says_why_and_that_is_written_down() {
    let site = Site::peopled();
    let mut officer = site.signed_in(OFFICER);
    let path = format!("/records/{}", site.unit.stored);
    assert!(officer.get("/records").text().contains(&path));
    assert!(!officer.get(&path).text().contains("MRG7712"));
    assert_eq!(officer.get(&format!("{path}/crop")).status, 404);
    assert_eq!(officer.post(&format!("{path}/reason"), &[("reason", " ")]).status, 422);
    assert_eq!(officer.post(&format!("{path}/reason"), &[("reason", "case 26-4471")]).status, 303);
    assert!(officer.get(&path).text().contains("MRG7712"));
    assert_eq!(officer.get(&format!("{path}/crop")).header("content-type"), Some("image/jpeg"));
    let looked = Act::LookedAt { record: site.unit.stored, reason: "case 26-4471".into() };
    assert!(site.unit.acts().contains(&(Some(OFFICER.into()), looked)));

    // Another person's reason is not mine, and mine does not last.
    let mut administrator = site.signed_in(ADMINISTRATOR);
    assert!(!administrator.get(&path).text().contains("MRG7712"));
    site.clock.advance(Duration::from_secs(600));
    assert!(!officer.get(&path).text().contains("MRG7712"));
    assert!(!site.signed_in(TECHNICIAN).get("/records").text().contains("/records/"));
}

#[test]
fn maintenance_and_deployment_are_written_down_and_exported() {
    let site = Site::peopled();
    let mut technician = site.signed_in(TECHNICIAN);
    let repaired = [("work", "repaired"), ("done_by", "Acme Poles"), ("note", "new bracket")];
    assert_eq!(technician.post("/maintenance/work", &repaired).status, 303);
    assert!(technician.get("/maintenance").text().contains("Repaired by Acme Poles: new bracket"));

    let site_of = |from, until| {
        [
            ("site", "Route 9, mile 12"),
            ("purpose", "stolen vehicles"),
            ("authority", "Chief Moore"),
            ("approval", "26-118"),
            ("from", from),
            ("until", until),
        ]
    };
    assert_eq!(technician.post("/deployment", &site_of("2026-11-25", "2026-11-24")).status, 422);
    assert_eq!(technician.post("/deployment", &site_of("2026-13-25", "2026-11-24")).status, 422);
    assert_eq!(technician.post("/deployment", &site_of("2026-01-01", "2026-02-01")).status, 303);
    let page = technician.get("/deployment").text();
    assert!(page.contains("Chief Moore") && page.contains(TECHNICIAN) && page.contains("Over: renew it"));

    let export = technician.get("/maintenance/export");
    assert_eq!(export.header("content-disposition"), Some("attachment; filename=\"logbook-barrel-7.json\""));
    let told: serde_json::Value = serde_json::from_slice(&export.body).unwrap();
    assert_eq!(told["asked_by"], TECHNICIAN);
}

#[test]
fn a_configuration_is_tried_and_kept_by_who_signs_in_again() {
    let site = Site::peopled();
    let mut administrator = site.signed_in(ADMINISTRATOR);
    assert!(administrator.get("/configuration").text().contains("3f3f"));
    assert_eq!(administrator.post("/configuration", &[("text", "nonsense")]).status, 422);
    let trial = administrator.post("/configuration", &[("text", "[unit]\r\nid = \"barrel-7\"\r\n")]);
    assert!(trial.status == 200 && trial.text().contains("https://10.1.1.1:8443"));
    assert!(lock(&site.unit.trial).as_deref().is_some_and(|text| !text.contains('\r')));
    assert!(administrator.get("/").text().contains("on trial"));
    assert!(!site.signed_in(OFFICER).get("/").text().contains("on trial"));
    assert_eq!(administrator.post("/configuration/decision", &[("decision", "keep")]).status, 303);
    assert!(!administrator.get("/").text().contains("on trial"));
}

#[test]
fn the_audit_log_is_filtered_and_exported_whole() {
    let site = Site::peopled();
    site.signed_in(OFFICER).get("/lists");
    let mut administrator = site.signed_in(ADMINISTRATOR);
    let page = administrator.get("/audit?who=Omar&what=lists&subject=&from=2026-01-01&until=").text();
    assert!(page.contains("opened /lists") && !page.contains("signed in"));
    for (query, status) in [("from=yesterday", 422), ("subject=nothing", 422), ("who=Omar&colour=red", 400)] {
        assert_eq!(administrator.get(&format!("/audit?{query}")).status, status, "{query}");
    }
    let export = administrator.get("/audit/export");
    assert_eq!(export.text().lines().filter(|line| line.starts_with("{\"number\":")).count(), 12_000);
    assert!(export.text().contains("{\"number\":12000}"));
    let exported = Act::Exported { what: "the audit log".into() };
    assert!(site.unit.acts().contains(&(Some(ADMINISTRATOR.into()), exported)));
}

#[test]
fn a_manual_entry_needs_a_second_person() {
    let site = Site::peopled();
    let mut officer = site.signed_in(OFFICER);
    let fields = [
        ("plate", "ABC123"),
        ("state", "ma"),
        ("category", "bolo"),
        ("reason", "seen at the bank"),
        ("authority", ""),
        ("case", ""),
        ("instructions", ""),
        ("hours", "12"),
    ];
    assert_eq!(officer.post("/lists/entries", &fields).status, 303);
    let id = lock(&site.unit.manual)[0].id;
    let page = officer.get("/lists").text();
    assert!(page.contains("Another person must approve it"));
    let approval = format!("/lists/requests/{id}/approval");
    assert!(!page.contains(&approval));
    assert_eq!(officer.post(&approval, &[]).status, 422);
    assert_eq!(lock(&site.unit.manual)[0].approved, None);

    assert_eq!(site.signed_in(ADMINISTRATOR).post(&approval, &[]).status, 303);
    let approved = lock(&site.unit.manual)[0].approved.clone().unwrap();
    assert_eq!(approved.by.as_str(), ADMINISTRATOR);

    let unknown = format!("/lists/requests/{}/approval", RecordId::new());
    assert_eq!(officer.post(&unknown, &[]).status, 404);
}

#[test]
fn a_removal_needs_a_second_person_and_a_change_names_what_it_replaces() {
    let site = Site::peopled();
    let (mut officer, mut administrator) = (site.signed_in(OFFICER), site.signed_in(ADMINISTRATOR));
    let id = lock(&site.unit.manual)[0].id;
    assert_eq!(administrator.post(&format!("/lists/requests/{id}/approval"), &[]).status, 303);
    let page = officer.get("/lists").text();
    assert!(page.contains("Change or extend") && page.contains(&format!("name=\"replaces\" value=\"{id}\"")));
    let removal = format!("/lists/entries/{id}/removal");
    assert_eq!(officer.post(&removal, &[("reason", "recovered")]).status, 303);
    let asked = lock(&site.unit.manual)[0].removal.clone().unwrap().id;
    let approval = format!("/lists/requests/{asked}/approval");
    assert!(!officer.get("/lists").text().contains(&approval));
    assert_eq!(officer.post(&approval, &[]).status, 422);
    assert!(administrator.get("/lists").text().contains(&approval));
    assert_eq!(administrator.post(&approval, &[]).status, 303);
    assert!(lock(&site.unit.manual)[0].ended.is_some());
    assert!(officer.get("/lists").text().contains("Removed"));
    let bad = [
        ("plate", "ABC"),
        ("state", ""),
        ("category", "bolo"),
        ("reason", "x"),
        ("authority", ""),
        ("case", ""),
        ("instructions", ""),
        ("hours", ""),
        ("replaces", "seven"),
    ];
    assert_eq!(officer.post("/lists/entries", &bad).status, 422);
}

#[test]
fn that_the_lists_are_current_is_ticked_by_name() {
    let site = Site::peopled();
    let mut officer = site.signed_in(OFFICER);
    assert!(officer.get("/lists").text().contains("Nobody has checked"));
    assert_eq!(officer.post("/lists/check", &[]).status, 303);
    let page = officer.get("/lists").text();
    assert!(page.contains("Last checked") && page.contains(OFFICER));
}

#[test]
fn an_alert_is_shown_with_its_doubts_and_verified_by_name() {
    let site = Site::peopled();
    let mut officer = site.signed_in(OFFICER);
    let id = lock(&site.unit.alerts)[0].alert.id;
    let page = officer.get(&format!("/alerts/{id}")).text();
    assert!(page.contains("<mark title=\"in doubt\">8</mark>BX4021"));
    assert!(page.contains("look-alike") && page.contains("BBX4021") && page.contains("Elmwood Police"));
    assert_eq!(officer.get(&format!("/alerts/{id}/crop")).header("content-type"), Some("image/jpeg"));
    let form = [("characters_match", "on"), ("verdict", "wrong-state")];
    assert_eq!(officer.post(&format!("/alerts/{id}/verification"), &form).status, 303);
    let verified = lock(&site.unit.alerts)[0].verified.clone().unwrap();
    assert_eq!(verified.by.as_str(), OFFICER);
    assert!(verified.what.characters_match && !verified.what.status_verified);
    assert!(officer.get("/alerts").text().contains("Wrong state, Omar Fields"));
}

#[test]
fn news_come_the_moment_an_alert_is_raised() {
    let site = Site::peopled();
    let mut officer = site.signed_in(OFFICER);
    let known = lock(&site.unit.alerts)[0].alert.id;
    let waiting = std::thread::spawn(move || officer.get(&format!("/alerts/news?after={known}")));
    site.unit.raise(stolen("77KLM2", 0));
    let answer = waiting.join().unwrap();
    assert_eq!(answer.status, 200);
    let news: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(news["alerts"].as_array().unwrap().len(), 1);
    assert_eq!((&news["alerts"][0]["text"], &news["alerts"][0]["level"]), (&"77KLM2".into(), &"high".into()));
}

#[test]
fn the_live_picture_comes_with_its_plates_or_says_that_it_stalled() {
    let site = Site::peopled();
    let mut technician = site.signed_in(TECHNICIAN);
    let stalled = technician.get("/aim/north/picture");
    assert_eq!(stalled.status, 503);
    assert!(stalled.text().contains("no picture for 3 seconds"));
    assert_eq!(technician.get("/aim/south/picture").status, 404);

    site.unit.film();
    let answer = technician.get("/aim/north/picture");
    assert_eq!(answer.header("content-type"), Some("image/jpeg"));
    assert!(answer.body.starts_with(&[0xff, 0xd8]));
    let beside: serde_json::Value = serde_json::from_str(answer.header("milepost-picture").unwrap()).unwrap();
    assert_eq!(beside["plates"][0]["text"], "8BX4021");
    assert!(beside["advice"].as_str().unwrap().starts_with("Good for standing traffic (190 px)"));
    let width = serde_json::json!({"what": "Plate width", "value": 190.0, "unit": "px", "lamp": "amber"});
    assert_eq!(beside["checks"][0], width);
}

#[test]
fn the_aim_is_laid_beside_its_reference_and_verified_by_name() {
    let site = Site::peopled();
    let mut technician = site.signed_in(TECHNICIAN);
    let page = technician.get("/aim").text();
    assert!(page.contains("Aim verified by Dana Ruiz") && page.contains("The camera points 43 px (1.0°)"));
    for which in ["now", "daylight"] {
        let path = format!("/aim/north/view/{which}");
        assert!(page.contains(&path));
        assert_eq!(technician.get(&path).header("content-type"), Some("image/jpeg"));
    }
    assert_eq!(technician.post("/aim/north/verification", &[]).status, 303);
    assert_eq!(technician.post("/aim/south/verification", &[]).status, 404);
    assert_eq!(*lock(&site.unit.work), [format!("{TECHNICIAN}: aim of north")]);
    assert!(!site.signed_in(OFFICER).get("/aim").text().contains("/aim/north/verification"));
}
