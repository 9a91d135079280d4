//! Network and time at the console: what is shown, what is asked of the unit, and who keeps it.

use serde_json::{Value, json};

use crate::twin::lock;
use crate::{Site, TECHNICIAN};

#[test]
fn a_technician_sees_what_the_interfaces_have_and_changes_one_on_trial() {
    let site = Site::peopled();
    let mut technician = site.signed_in(TECHNICIAN);
    let page = technician.get("/network").text();
    for shown in [
        "192.168.200.1/24",
        "10.20.0.47/16</code> by DHCP",
        ">Console<",
        ">Broker<",
        "NetworkManager looks after it",
        "off by 14 ms at most",
        "time.county.example 10.20.0.1; asked now: 10.20.0.1",
    ] {
        assert!(page.contains(shown), "{shown} is not on {page}");
    }
    assert_eq!(page.matches("action=\"/network/interface\"").count(), 2, "none for what others look after");

    let fields = |address| {
        [("interface", "eth1"), ("addressing", "static"), ("address", address), ("gateway", "10.20.0.1")]
    };
    let wrong = technician.post("/network/interface", &fields("10.20.0.300/16"));
    assert!(wrong.status == 422 && wrong.text().contains("192.168.1.20/24"), "{}", wrong.text());
    assert_eq!(technician.post("/network/interface", &fields("10.20.0.48/16")).status, 303);
    let page = technician.get("/network").text();
    assert!(page.contains("On trial until") && page.contains("eth1: 10.20.0.48/16, gateway 10.20.0.1"));
    assert!(!page.contains("action=\"/network/interface\""), "one change at a time");
    assert!(technician.get("/").text().contains("The network is on trial"));
    assert_eq!(technician.post("/network/decision", &[("decision", "keep")]).status, 303);
    assert!(!technician.get("/").text().contains("The network is on trial"));
    let done = lock(&site.unit.work).clone();
    assert_eq!(
        done,
        [
            format!("{TECHNICIAN}: tries eth1: 10.20.0.48/16, gateway 10.20.0.1"),
            format!("{TECHNICIAN}: keeps true")
        ]
    );
}

#[test]
fn a_tool_changes_network_and_time_as_a_person_does() {
    let site = Site::peopled();
    let mut tool = site.signed_in(TECHNICIAN);
    let network: Value = serde_json::from_slice(&tool.call("GET", "/api/v1/network", "").body).unwrap();
    assert_eq!(
        network["interfaces"][1]["addresses"][0],
        json!({"address": "10.20.0.47/16", "by_dhcp": true})
    );
    assert_eq!((&network["interfaces"][0]["console"], &network["trial"]), (&json!(true), &Value::Null));

    let mut ask = |path: &str, body: Value| {
        let answer = tool.call("POST", &format!("/api/v1/network/{path}"), &body.to_string());
        (answer.status, answer.text())
    };
    assert_eq!(ask("interface", json!({"interface": "eth0", "addressing": "dhcp"})).0, 204);
    assert_eq!(ask("decision", json!({"decision": "leave"})).0, 204);
    assert_eq!(ask("decision", json!({"decision": "leave"})).0, 422, "nothing is on trial any more");
    assert_eq!(ask("time-servers", json!({"servers": "time.example.org, 192.0.2.1"})).0, 204);
    let (status, why) = ask("time-servers", json!({"servers": "time.example.org NTP=evil"}));
    assert!(status == 422 && why.contains("neither an address nor the name of a host"), "{why}");
    let (status, why) = ask("interface", json!({"interface": "../eth0", "addressing": "dhcp"}));
    assert!(status == 422 && why.contains("not the name of an interface"), "{why}");
    assert!(lock(&site.unit.work).last().unwrap().ends_with("time servers: time.example.org 192.0.2.1"));
}
