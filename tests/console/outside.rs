//! What other sites, broken clients and strange texts can do to it: nothing.

use std::process::Command;
use std::time::Duration;

use milepost::console::{Kind, ServiceState, routes};

use crate::client::Client;
use crate::twin::lock;
use crate::{ADMINISTRATOR, OFFICER, PASSWORD, Site, TECHNICIAN};

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
