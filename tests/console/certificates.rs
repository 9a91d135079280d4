//! The page "Certificates" and its twin for programs: who makes a request, who puts in what was signed, and what they see of it.

use milepost::console::{Attempt, AttemptState};
use milepost::words::PersonName;
use serde_json::{Value, json};

use crate::site::{ADMINISTRATOR, OFFICER, PASSWORD, Site, TECHNICIAN};
use crate::twin::{self, lock};

#[test]
fn a_technician_makes_a_request_and_puts_in_what_was_signed() {
    let site = Site::peopled();
    let mut technician = site.signed_in(TECHNICIAN);
    let page = technician.get("/certificates").text();
    for told in [
        "Test Department",
        "3f3f 3f3f",
        "79 days left",
        "the installed files",
        "Make a request as Tess Grant",
    ] {
        assert!(page.contains(told), "{told}: {page}");
    }
    assert_eq!(technician.get("/certificates/request").status, 404);
    assert_eq!(technician.post("/certificates/request", &[]).status, 303);
    let page = technician.get("/certificates").text();
    assert!(page.contains("Tess Grant made a new key") && page.contains("Download barrel-7.csr"));
    let request = technician.get("/certificates/request");
    assert_eq!(request.header("content-disposition"), Some("attachment; filename=\"barrel-7.csr\""));
    assert!(request.text().starts_with("-----BEGIN CERTIFICATE REQUEST-----"));

    // A browser sends lines as mail does; what is refused comes back as a sentence.
    let signed = "-----BEGIN CERTIFICATE-----\r\nMIIB\r\n-----END CERTIFICATE-----\r\n";
    let empty = technician.post("/certificates", &[("certificate", ""), ("authority", "")]);
    assert!(empty.status == 422 && empty.text().contains("Neither a certificate nor an authority"));
    let put_in = [("certificate", signed), ("authority", "")];
    assert_eq!(technician.post("/certificates", &put_in).status, 303);
    assert_eq!(lock(&site.unit.offered)[0].certificate, signed);
    let long = "x".repeat(70_000);
    assert_eq!(technician.post("/certificates", &[("certificate", &long)]).status, 422);

    assert_eq!(technician.post("/certificates/request/withdrawal", &[]).status, 303);
    assert!(technician.get("/certificates").text().contains("Make a request as"));
    assert!(!site.signed_in(OFFICER).get("/").text().contains("/certificates"));
}

#[test]
fn what_is_being_tried_and_what_came_of_it_is_said_on_the_page() {
    let site = Site::peopled();
    let mut administrator = site.signed_in(ADMINISTRATOR);
    for (state, class) in [
        (AttemptState::Proving, "banner fair"),
        (AttemptState::OnTrial, "banner fair"),
        (AttemptState::InUse, "banner good"),
        (AttemptState::NotProved, "banner bad"),
        (AttemptState::WentBack, "banner bad"),
    ] {
        *lock(&site.unit.attempt) = Some(Attempt {
            certificate: twin::certificate(),
            by: PersonName::parse(TECHNICIAN).unwrap(),
            at: twin::NOW,
            state,
            said: "The broker <says> so.".into(),
        });
        let page = administrator.get("/certificates/now").text();
        assert!(page.contains(class) && page.contains(state.words()), "{page}");
        assert!(page.contains("The broker &#60;says&#62; so."));
    }
}

#[test]
fn a_tool_renews_by_token() {
    let site = Site::peopled();
    site.clock.advance(std::time::Duration::from_secs(60));
    let mut tool = site.client();
    let shown = json!({"name": TECHNICIAN, "password": PASSWORD}).to_string();
    let session: Value = serde_json::from_slice(&tool.call("POST", "/api/v1/session", &shown).body).unwrap();
    tool.token = session["token"].as_str().map(str::to_owned);
    let mut ask = |method: &str, path: &str, body: &str| {
        let answer = tool.call(method, &format!("/api/v1/certificates{path}"), body);
        (answer.status, serde_json::from_slice::<Value>(&answer.body).unwrap_or_default())
    };
    let (status, now) = ask("GET", "", "");
    assert_eq!((status, &now["present"]["name"], &now["requested"]), (200, &json!("barrel-7"), &Value::Null));
    let (status, made) = ask("POST", "/request", "{}");
    assert!(status == 200 && made["request"].as_str().unwrap().contains("CERTIFICATE REQUEST"));
    let (status, said) = ask("POST", "", "{}");
    assert!(status == 422 && said["error"].as_str().unwrap().starts_with("Neither"), "{said}");
    assert_eq!(ask("POST", "", r#"{"certificate":"x","colour":"red"}"#).0, 422);
    assert_eq!(ask("POST", "", r#"{"authority":"-----BEGIN CERTIFICATE-----"}"#).0, 204);
    assert_eq!(lock(&site.unit.offered)[0].authority, "-----BEGIN CERTIFICATE-----");
    assert_eq!(ask("POST", "/request/withdrawal", "{}").0, 204);
    assert_eq!(ask("POST", "/request/withdrawal", "{}").0, 422);
}

#[test]
fn an_administrator_sees_what_a_bundle_would_change_and_takes_it() {
    let site = Site::peopled();
    assert!(!site.signed_in(TECHNICIAN).get("/certificates").text().contains("Enrolment bundle"));
    let mut administrator = site.signed_in(ADMINISTRATOR);
    assert!(administrator.get("/certificates").text().contains("Enrolment bundle"));
    let refused = administrator.post("/certificates/bundle", &[("bundle", "forged"), ("key", "")]);
    assert!(refused.status == 422 && refused.text().contains("not what the department signed"));
    let page = administrator.post("/certificates/bundle", &[("bundle", "signed"), ("key", "")]).text();
    for told in ["The key that signed it came with the unit", "0123456789abcdef", "Next Department"] {
        assert!(page.contains(told), "{told}: {page}");
    }
    for told in ["alert.repeat_after_s", "<td>default</td>", "https://10.1.1.1:8443", "value=\"signed\""] {
        assert!(page.contains(told), "{told}: {page}");
    }
    let page = administrator.post("/certificates/bundle", &[("bundle", "signed"), ("key", "abc=")]).text();
    assert!(page.contains("compare it with what the department told you") && page.contains("abc="));
    assert!(lock(&site.unit.work).is_empty(), "nothing is done before it is decided");
    let taken = administrator.post("/certificates/bundle/decision", &[("bundle", "signed"), ("key", "")]);
    assert_eq!((taken.status, taken.header("location")), (303, Some("/certificates")));
    assert_eq!(*lock(&site.unit.work), [format!("{ADMINISTRATOR}: takes a bundle")]);
}
