//! A department's tool at `/api/v1`: what people do on the pages, by token and in JSON.

use std::time::Duration;

use serde_json::{Value, json};

use crate::client::{Answer, Client};
use crate::twin::lock;
use crate::{ADMINISTRATOR, OFFICER, PASSWORD, Site};

#[test]
fn a_tool_does_by_token_what_a_person_does_on_the_pages() {
    let site = Site::peopled();
    site.clock.advance(Duration::from_secs(60));
    let mut tool = site.client();
    let shown = format!("{{\"name\":\"{OFFICER}\",\"password\":\"{PASSWORD}\"}}");
    let wrong = tool.call("POST", "/api/v1/session", &shown.replace("four", "five"));
    assert_eq!((wrong.status, read(&wrong)["error"].is_string()), (401, true));
    let session = tool.call("POST", "/api/v1/session", &shown);
    assert_eq!((session.status, session.header("set-cookie")), (200, None));
    tool.token = read(&session)["token"].as_str().map(str::to_owned);

    let alerts = read(&tool.call("GET", "/api/v1/alerts", ""));
    let id = alerts[0]["alert"]["id"].as_str().unwrap().to_owned();
    let found =
        r#"{"characters_match":true,"state_matches":false,"status_verified":false,"verdict":"wrong-state"}"#;
    assert_eq!(tool.call("POST", &format!("/api/v1/alerts/{id}/verification"), found).status, 204);
    assert_eq!(lock(&site.unit.alerts)[0].verified.as_ref().unwrap().by.as_str(), OFFICER);

    let stored = format!("/api/v1/records/{}", site.unit.stored);
    assert_eq!(tool.call("GET", &format!("{stored}/crop"), "").status, 404);
    let look = tool.call("POST", &format!("{stored}/look"), r#"{"reason":"case 26-4471"}"#);
    assert_eq!(read(&look)["alert"]["text"], "MRG7712");
    assert_eq!(tool.call("GET", &format!("{stored}/crop"), "").header("content-type"), Some("image/jpeg"));

    let entry = r#"{"plate":"ABC123","category":"bolo","reason":"seen at the bank","colour":"red"}"#;
    let unknown = tool.call("POST", "/api/v1/lists/entries", entry);
    assert!(unknown.status == 422 && read(&unknown)["error"].as_str().unwrap().contains("colour"));
    let entry = entry.replace(",\"colour\":\"red\"", "");
    assert_eq!(tool.call("POST", "/api/v1/lists/entries", &entry).status, 204);
    let id = lock(&site.unit.manual)[0].id;
    assert_eq!(tool.call("POST", &format!("/api/v1/lists/requests/{id}/approval"), "{}").status, 422);
    let forbidden = tool.call("GET", "/api/v1/accounts", "");
    assert!(forbidden.status == 403 && read(&forbidden)["error"].as_str().unwrap().contains("role"));

    let paths: Vec<String> = site.unit.acts().into_iter().map(|(_, act)| act.to_string()).collect();
    assert!(paths.contains(&"opened /api/v1/alerts".to_owned()), "{paths:?}");
    assert_eq!(tool.call("POST", "/api/v1/session/end", "{}").status, 204);
    assert_eq!(tool.call("GET", "/api/v1/alerts", "").status, 401);
}

#[test]
fn a_tool_sets_itself_up_and_changes_its_secrets() {
    let site = Site::fresh();
    let mut tool = site.client();
    let wrong = json!({"code": "0000-0000-0000-0000", "name": ADMINISTRATOR, "password": PASSWORD});
    let refused = tool.call("POST", "/api/v1/set-up", &wrong.to_string());
    assert!(refused.status == 422 && read(&refused)["error"].as_str().unwrap().contains("do not fit"));
    let weak = json!({"code": site.code, "name": ADMINISTRATOR, "password": "short"});
    assert_eq!(tool.call("POST", "/api/v1/set-up", &weak.to_string()).status, 422, "and the code stays good");
    let first = json!({"code": site.code, "name": ADMINISTRATOR, "password": PASSWORD});
    begin(&mut tool, "/api/v1/set-up", &first);
    assert_eq!(read(&tool.call("GET", "/api/v1/accounts", ""))[0]["name"], ADMINISTRATOR);

    let renew = |tool: &mut Client, password: &str| {
        tool.call("POST", "/api/v1/recovery", &json!({"password": password}).to_string())
    };
    assert_eq!(renew(&mut tool, "wrong").status, 422);
    let codes = read(&renew(&mut tool, PASSWORD));
    assert_eq!(codes["codes"].as_array().unwrap().len(), 8);
    let changed = json!({"old": PASSWORD, "password": "nine lanes, wet road"}).to_string();
    assert_eq!(tool.call("POST", "/api/v1/password", &changed).status, 204);
    assert_eq!(tool.call("GET", "/api/v1/overview", "").status, 401, "signed out everywhere");
    let recovered = json!({"code": codes["codes"][3], "name": ADMINISTRATOR, "password": PASSWORD});
    begin(&mut tool, "/api/v1/set-up", &recovered);
    assert_eq!(tool.call("GET", "/api/v1/overview", "").status, 200);
}

#[test]
fn a_tool_tries_a_configuration_and_keeps_it() {
    let site = Site::peopled();
    site.clock.advance(Duration::from_secs(60));
    let mut tool = site.client();
    begin(&mut tool, "/api/v1/session", &json!({"name": ADMINISTRATOR, "password": PASSWORD}));
    let configuration = read(&tool.call("GET", "/api/v1/configuration", ""));
    assert!(configuration["text"].as_str().unwrap().contains("[unit]"), "{configuration}");
    let propose = |tool: &mut Client, text: &str| {
        tool.call("POST", "/api/v1/configuration", &json!({"text": text}).to_string())
    };
    assert_eq!(propose(&mut tool, "nonsense").status, 422);
    let trial = propose(&mut tool, "[unit]\nid = \"barrel-7\"\n");
    assert!(trial.status == 200 && read(&trial)["console"].is_string(), "{}", trial.text());
    let decide = |tool: &mut Client, what: &str| {
        tool.call("POST", "/api/v1/configuration/decision", &json!({"decision": what}).to_string()).status
    };
    assert_eq!(decide(&mut tool, "perhaps"), 422);
    assert_eq!(decide(&mut tool, "keep"), 204);
    assert_eq!(decide(&mut tool, "keep"), 422, "nothing is on trial any more");
}

fn begin(tool: &mut Client, path: &str, shown: &Value) {
    let session = tool.call("POST", path, &shown.to_string());
    assert_eq!((session.status, session.header("set-cookie")), (200, None), "{}", session.text());
    tool.token = read(&session)["token"].as_str().map(str::to_owned);
}

fn read(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap()
}
