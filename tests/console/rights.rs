//! Who may go where, on pages and by the API.

use milepost::console::{Act, Role, ServiceState, routes};

use crate::twin::{self, lock};
use crate::{ADMINISTRATOR, OFFICER, Site, TECHNICIAN};

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
    ("POST", "/network/clock", "ta"),
    ("POST", "/network/clock/decision", "ta"),
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
    ("POST", "/api/v1/network/clock", "ta"),
    ("POST", "/api/v1/network/clock/decision", "ta"),
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
