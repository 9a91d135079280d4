//! The local port keeps its promises: nobody gets in who should not, everybody sees what they may, and every
//! access is written down. Over real HTTPS, against a unit that the test holds in its hand.

mod alerts_live;
mod browser;
mod certificates;
#[path = "../support/browser.rs"]
mod chromium;
#[path = "../support/client.rs"]
mod client;
mod lanes;
mod network;
mod roster;
mod site;
mod tool;
mod twin;

use std::process::Command;
use std::sync::atomic::Ordering;
use std::time::Duration;

use client::Client;
use milepost::console::{Act, Kind, Role, ServiceState, routes};
use milepost::words::RecordId;
pub use site::{ADMINISTRATOR, OFFICER, PASSWORD, Site, TECHNICIAN};
use twin::{lock, stolen};

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

/// Who may go where, said a second time and by hand: `t`echnician, `o`fficer, `a`dministrator, anyone `*`.
const WHO: &[(&str, &str, &str)] = &[
    ("GET", "/", "toa"),
    ("GET", "/overview/now", "toa"),
    ("GET", "/aim", "toa"),
    ("GET", "/aim/{camera}/picture", "toa"),
    ("GET", "/aim/{camera}/view/{which}", "toa"),
    ("POST", "/aim/{camera}/verification", "ta"),
    ("POST", "/aim/{camera}/lanes", "ta"),
    ("GET", "/alerts", "oa"),
    ("GET", "/alerts/now", "oa"),
    ("GET", "/alerts/news", "oa"),
    ("GET", "/alerts/{id}", "oa"),
    ("GET", "/alerts/{id}/{picture}", "oa"),
    ("POST", "/alerts/{id}/verification", "oa"),
    ("GET", "/screen", "oa"),
    ("GET", "/screen/now", "oa"),
    ("GET", "/lists", "oa"),
    ("POST", "/lists/entries", "oa"),
    ("POST", "/lists/entries/{id}/removal", "oa"),
    ("POST", "/lists/requests/{id}/approval", "oa"),
    ("POST", "/lists/requests/{id}/refusal", "oa"),
    ("POST", "/lists/check", "oa"),
    ("GET", "/records", "toa"),
    ("GET", "/records/{id}", "oa"),
    ("POST", "/records/{id}/reason", "oa"),
    ("GET", "/records/{id}/{picture}", "oa"),
    ("GET", "/maintenance", "ta"),
    ("POST", "/maintenance/service", "ta"),
    ("POST", "/maintenance/work", "ta"),
    ("GET", "/maintenance/export", "ta"),
    ("GET", "/deployment", "ta"),
    ("POST", "/deployment", "ta"),
    ("GET", "/network", "ta"),
    ("POST", "/network/interface", "ta"),
    ("POST", "/network/time-servers", "ta"),
    ("POST", "/network/decision", "ta"),
    ("GET", "/certificates", "ta"),
    ("GET", "/certificates/now", "ta"),
    ("POST", "/certificates", "ta"),
    ("POST", "/certificates/request", "ta"),
    ("GET", "/certificates/request", "ta"),
    ("POST", "/certificates/request/withdrawal", "ta"),
    ("POST", "/certificates/bundle", "a"),
    ("POST", "/certificates/bundle/decision", "a"),
    ("GET", "/accounts", "a"),
    ("POST", "/accounts/invitation", "a"),
    ("POST", "/accounts/change", "a"),
    ("GET", "/configuration", "a"),
    ("POST", "/configuration", "a"),
    ("POST", "/configuration/decision", "a"),
    ("GET", "/audit", "a"),
    ("GET", "/audit/export", "a"),
    ("GET", "/metrics", "toa"),
    ("GET", "/health/history", "toa"),
    ("GET", "/password", "toa"),
    ("POST", "/password", "toa"),
    ("POST", "/sign-out", "toa"),
    ("GET", "/sign-in", "*"),
    ("POST", "/sign-in", "*"),
    ("GET", "/set-up", "*"),
    ("POST", "/set-up", "*"),
    ("GET", "/assets/{name}", "*"),
    ("GET", "/recovery", "toa"),
    ("POST", "/recovery", "toa"),
    ("GET", "/api/v1/openapi.yaml", "*"),
    ("POST", "/api/v1/session", "*"),
    ("POST", "/api/v1/session/end", "toa"),
    ("POST", "/api/v1/set-up", "*"),
    ("POST", "/api/v1/password", "toa"),
    ("POST", "/api/v1/recovery", "toa"),
    ("GET", "/api/v1/overview", "toa"),
    ("GET", "/api/v1/cameras", "toa"),
    ("GET", "/api/v1/cameras/{camera}/picture", "toa"),
    ("GET", "/api/v1/cameras/{camera}/view/{which}", "toa"),
    ("POST", "/api/v1/cameras/{camera}/verification", "ta"),
    ("GET", "/api/v1/cameras/{camera}/lanes", "toa"),
    ("POST", "/api/v1/cameras/{camera}/lanes", "ta"),
    ("GET", "/api/v1/alerts", "oa"),
    ("GET", "/api/v1/alerts/news", "oa"),
    ("GET", "/api/v1/alerts/{id}", "oa"),
    ("GET", "/api/v1/alerts/{id}/{picture}", "oa"),
    ("POST", "/api/v1/alerts/{id}/verification", "oa"),
    ("GET", "/api/v1/lists", "oa"),
    ("POST", "/api/v1/lists/entries", "oa"),
    ("POST", "/api/v1/lists/entries/{id}/removal", "oa"),
    ("POST", "/api/v1/lists/requests/{id}/approval", "oa"),
    ("POST", "/api/v1/lists/requests/{id}/refusal", "oa"),
    ("POST", "/api/v1/lists/check", "oa"),
    ("GET", "/api/v1/records", "toa"),
    ("POST", "/api/v1/records/{id}/look", "oa"),
    ("GET", "/api/v1/records/{id}/{picture}", "oa"),
    ("GET", "/api/v1/maintenance", "ta"),
    ("GET", "/api/v1/maintenance/export", "ta"),
    ("POST", "/api/v1/maintenance/service", "ta"),
    ("POST", "/api/v1/maintenance/work", "ta"),
    ("GET", "/api/v1/deployment", "ta"),
    ("POST", "/api/v1/deployment", "ta"),
    ("GET", "/api/v1/network", "ta"),
    ("POST", "/api/v1/network/interface", "ta"),
    ("POST", "/api/v1/network/time-servers", "ta"),
    ("POST", "/api/v1/network/decision", "ta"),
    ("GET", "/api/v1/certificates", "ta"),
    ("POST", "/api/v1/certificates", "ta"),
    ("POST", "/api/v1/certificates/request", "ta"),
    ("POST", "/api/v1/certificates/request/withdrawal", "ta"),
    ("POST", "/api/v1/certificates/bundle", "a"),
    ("POST", "/api/v1/certificates/bundle/decision", "a"),
    ("GET", "/api/v1/accounts", "a"),
    ("POST", "/api/v1/accounts", "a"),
    ("POST", "/api/v1/accounts/change", "a"),
    ("GET", "/api/v1/configuration", "a"),
    ("POST", "/api/v1/configuration", "a"),
    ("POST", "/api/v1/configuration/decision", "a"),
    ("GET", "/api/v1/audit", "a"),
    ("GET", "/api/v1/audit/export", "a"),
    // Not there for anyone.
    ("GET", "/accounts.json", "-"),
    ("GET", "/assets/..%2Faccounts.json", "-"),
];

#[test]
fn every_route_admits_its_roles_and_nobody_else() {
    let site = Site::peopled();
    site.unit.film();
    for route in routes() {
        let row = (route.method().to_string(), route.path);
        assert!(
            WHO.iter().any(|(method, path, _)| (*method, *path) == (&row.0, row.1)),
            "{row:?} is not in WHO"
        );
    }

    let alert = lock(&site.unit.alerts)[0].alert.id;
    let entry = lock(&site.unit.manual)[0].id;
    let people = [(None, '-'), (Some(TECHNICIAN), 't'), (Some(OFFICER), 'o'), (Some(ADMINISTRATOR), 'a')];
    for (person, letter) in people {
        let come = || person.map_or_else(|| site.client(), |name| site.signed_in(name));
        let mut client = come();
        for (method, path, who) in WHO.iter().copied() {
            let concrete = path
                .replace("/entries/{id}", &format!("/entries/{entry}"))
                .replace("/records/{id}", &format!("/records/{}", site.unit.stored))
                .replace("/requests/{id}", &format!("/requests/{entry}"))
                .replace("{id}", &alert.to_string())
                .replace("{camera}", "north")
                .replace("{picture}", "crop")
                .replace("{which}", "infra-red")
                .replace("{name}", "console.css");
            let answer = match method {
                _ if path.starts_with("/api/") => client.call(method, &concrete, "{}"),
                "GET" => client.get(&concrete),
                _ => client.post(&concrete, &[]),
            };
            if ["/sign-out", "/sign-in", "/api/v1/session/end"].contains(&path) {
                client = come();
            }
            let met = match answer.status {
                401 if path != "/api/v1/session" => "sent to the door",
                303 if method == "GET" && answer.header("location") == Some("/sign-in") => "sent to the door",
                403 => "forbidden",
                404 if who == "-" => "not there",
                // Let in, and told of nothing before a reason was given.
                404 if path.ends_with("/records/{id}/{picture}") || path == "/api/v1/deployment" => "let in",
                401 if path == "/api/v1/session" => "let in",
                // An empty form is let in and then found wanting.
                200 | 204 | 303 | 422 => "let in",
                other => panic!("{method} {path} as {person:?} gave {other}"),
            };
            let due = match (who, person) {
                ("-", _) => "not there",
                ("*", _) => "let in",
                (who, Some(_)) if who.contains(letter) => "let in",
                (_, Some(_)) => "forbidden",
                (_, None) => "sent to the door",
            };
            assert_eq!(met, due, "{method} {path} as {person:?} gave {}", answer.status);
        }
    }
}

#[test]
fn the_openapi_document_names_every_address_and_its_roles() {
    let document = include_str!("../../config/openapi.yaml");
    let (mut path, mut method, mut told) = ("", String::new(), Vec::new());
    for line in document.lines().take_while(|line| *line != "components:") {
        match (line.strip_prefix("  /"), line.strip_prefix("    ")) {
            (Some(_), _) => path = line.trim().trim_end_matches(':'),
            (_, Some("get:" | "post:")) => method = line.trim().trim_end_matches(':').to_uppercase(),
            _ => {}
        }
        if let Some(roles) = line.trim().strip_prefix("description: \"Admits: ") {
            let roles = roles.trim_end_matches(".\"").split(", ").map(|role| role.chars().next().unwrap());
            told.push((method.clone(), path, roles.collect::<String>()));
        }
    }
    let due = WHO.iter().filter(|(_, path, who)| path.starts_with("/api/") && *who != "*");
    let due: Vec<_> =
        due.map(|(method, path, who)| ((*method).to_owned(), *path, (*who).to_owned())).collect();
    assert_eq!(told, due);
}

#[test]
fn a_cookie_is_no_token_so_no_other_site_can_order() {
    let site = Site::peopled();
    let mut technician = site.signed_in(TECHNICIAN);
    assert_eq!(technician.get("/overview/now").status, 200);
    let order = r#"{"to":"out-of-service","reason":"x"}"#;
    let headers = [("Content-Type", "application/json")];
    assert_eq!(technician.send("POST", "/api/v1/maintenance/service", &headers, Some(order)).status, 401);
    assert_ne!(lock(&site.unit.overview).service.state, ServiceState::OutOfService);
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

#[test]
fn forms_of_other_sites_and_other_sessions_are_refused() {
    let site = Site::peopled();
    let mut client = site.signed_in(TECHNICIAN);
    let csrf = client.csrf.clone().unwrap();
    let form = format!("csrf={csrf}&to=out-of-service&reason=x");
    let post = |client: &mut Client, headers: &[(&str, &str)], form: &str| {
        client.send("POST", "/maintenance/service", headers, Some(form)).status
    };
    let other = site.signed_in(TECHNICIAN).csrf.unwrap();
    assert_eq!(post(&mut client, &[], "to=out-of-service&reason=x"), 403);
    assert_eq!(post(&mut client, &[], &form.replace(&csrf, &other)), 403);
    assert_eq!(post(&mut client, &[("Origin", "https://evil.example")], &form), 403);
    assert_eq!(post(&mut client, &[("Sec-Fetch-Site", "cross-site")], &form), 403);
    assert_ne!(lock(&site.unit.overview).service.state, ServiceState::OutOfService);
    assert_eq!(post(&mut client, &[], &form), 303);
    assert_eq!(lock(&site.unit.overview).service.state, ServiceState::OutOfService);
}

#[test]
fn cookies_and_headers_protect_every_answer() {
    let site = Site::peopled();
    let mut client = site.client();
    let signed_in = client.post("/sign-in", &[("name", OFFICER), ("password", PASSWORD)]);
    let cookie = signed_in.header("set-cookie").unwrap();
    for part in ["__Host-milepost=", "Secure", "HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    for path in ["/", "/accounts", "/nowhere", "/assets/console.css", "/assets/nothing", "/aim/south/picture"]
    {
        let answer = client.get(path);
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{path}: {policy}");
        assert!(answer.header("strict-transport-security").is_some(), "{path}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{path}");
        let kept = answer.header("cache-control").unwrap();
        assert!(kept == "no-store" || path == "/assets/console.css", "{path}: {kept}");
    }
}

#[test]
fn pages_hold_nothing_inline_and_name_no_other_host() {
    let site = Site::peopled();
    let mut client = site.signed_in(ADMINISTRATOR);
    let alert = format!("/alerts/{}", lock(&site.unit.alerts)[0].alert.id);
    let pages = routes().into_iter().filter(|route| route.rule.kind == Kind::Page).map(|route| route.path);
    for path in pages.filter(|path| !path.contains('{') && !path.ends_with("/export")).chain([alert.as_str()])
    {
        let page = client.get(path).text();
        assert!(page.starts_with("<!doctype html>"), "{path}");
        for inline in
            ["<style", "style=\"", "onclick", "onload", "javascript:", "http:", "https:", "src=\"//"]
        {
            assert!(!page.contains(inline), "{path} holds {inline}");
        }
        assert_eq!(page.matches("<script").count(), page.matches("<script src=\"/assets/").count(), "{path}");
    }
}

#[test]
fn what_comes_from_outside_is_shown_as_text() {
    let site = Site::peopled();
    let script = "<script>alert(1)</script>";
    {
        let mut overview = lock(&site.unit.overview);
        overview.cameras[0].link.up = false;
        overview.cameras[0].link.trouble = Some(script.into());
        overview.service.reasons = vec![script.into()];
    }
    let mut client = site.signed_in(ADMINISTRATOR);
    for path in ["/", "/aim", "/maintenance", "/audit?what=%22%3E%3Cscript%3Ealert(1)%3C/script%3E"] {
        let page = client.get(path).text();
        assert!(!page.contains("<script>"), "{path}");
        assert!(page.contains("&#60;script&#62;"), "{path}");
    }
}

#[test]
fn oversized_and_broken_requests_are_refused() {
    let site = Site::peopled();
    let mut client = site.signed_in(TECHNICIAN);
    let long = "x".repeat(70_000);
    assert_eq!(client.post("/maintenance/work", &[("work", "cleaned"), ("note", &long)]).status, 422);
    assert_eq!(client.post("/maintenance/work", &[("work", "cleaned"), ("note", &long[..600])]).status, 422);
    assert_eq!(client.post("/maintenance/work", &[("work", "exploded"), ("note", "")]).status, 422);
    assert_eq!(client.get("/aim/..%2f..%2fetc%2fpasswd/picture").status, 400);
    assert_eq!(client.send("DELETE", "/", &[], None).status, 405);
    assert!(lock(&site.unit.work).is_empty());
    assert_eq!(
        client.post("/maintenance/work", &[("work", "cleaned"), ("note", "lens\r\nwiped")]).status,
        303
    );
    assert_eq!(*lock(&site.unit.work), [format!("{TECHNICIAN}: Cleaned: lens wiped")]);
}

#[test]
fn only_tls_1_3_is_spoken() {
    let site = Site::peopled();
    let url = format!("https://{}/sign-in", site.console.address());
    let curl = |arguments: &[&str]| {
        let mut command = Command::new("curl");
        command.args(["--silent", "--insecure", "--output", "/dev/null", "--max-time", "20"]).args(arguments);
        command.status().expect("curl is installed").success()
    };
    assert!(curl(&[&url]));
    assert!(!curl(&["--tls-max", "1.2", &url]));
    assert!(!curl(&[&url.replace("https", "http")]));
}

#[test]
fn every_access_is_written_down_with_name_and_time() {
    let site = Site::peopled();
    let mut officer = site.signed_in(OFFICER);
    lock(&site.unit.accesses).clear();
    let alert = format!("/alerts/{}", lock(&site.unit.alerts)[0].alert.id);
    officer.get(&alert);
    officer.get("/accounts");
    officer.get("/overview/now");
    officer.post("/sign-out", &[]);
    let officer = Some(OFFICER.to_owned());
    let sent = Act::Sent { path: "/sign-out".into(), status: 303 };
    let due = [Act::Looked { path: alert }, Act::Denied { path: "/accounts".into() }, Act::SignedOut, sent];
    assert_eq!(site.unit.acts(), due.map(|act| (officer.clone(), act)));
    let accesses = lock(&site.unit.accesses);
    assert!(accesses.iter().all(|access| access.role == Some(Role::Officer) && access.from.is_loopback()));
    assert!(accesses.iter().all(|access| access.at >= twin::NOW));
}

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

#[test]
fn the_console_stops_when_told_although_a_page_waits() {
    let site = Site::peopled();
    let mut officer = site.signed_in(OFFICER);
    let known = lock(&site.unit.alerts)[0].alert.id;
    let waiting = std::thread::spawn(move || {
        // The answer may be cut off: that it ends at all is what counts.
        let cut = std::panic::AssertUnwindSafe(|| officer.get(&format!("/alerts/news?after={known}")));
        std::panic::catch_unwind(cut).is_ok()
    });
    let Site { runtime, console, .. } = site;
    let stopped =
        runtime.block_on(async { tokio::time::timeout(Duration::from_secs(10), console.stop()).await });
    stopped.expect("the console stops");
    waiting.join().unwrap();
}
