//! What ships for Prometheus and Grafana fits what the dashboard tells them: rules by promtool's own word, and every
//! metric that a rule or a panel names is one that `/metrics` has.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::stage::{OFFICER, Stage, TOKEN};
use crate::support::eventually;

fn shipped(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config").join(path)
}

fn promtool(arguments: &[&str]) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/promtool");
    let output = Command::new(script).args(arguments).current_dir(shipped("prometheus")).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "promtool {arguments:?}: {said}");
}

#[test]
fn the_rules_are_whole_and_fire_when_they_should() {
    promtool(&["check", "rules", "milepost-fleet.rules.yml"]);
    promtool(&["test", "rules", "milepost-fleet.test.yml"]);
}

/// Names of our metrics in a text.
fn names(text: &str) -> BTreeSet<String> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    text.split(|letter| !is_part(letter))
        .filter(|word| word.starts_with("milepost_fleet_"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn rules_and_panels_name_only_what_is_told() {
    let stage = Stage::peopled();
    let unit = stage.unit("pole-1");
    unit.reports(|report| {
        report["service"]["reasons"] =
            json!([{ "reason": "camera-moved", "detail": "", "since": report["at"] }]);
    });
    let mut officer = stage.signed_in(OFFICER);
    stage.sees(&mut officer, "pole-1", "is heard", |told| told["state"] == "in-service");

    let bearer = format!("Bearer {TOKEN}");
    let mut scraper = stage.client();
    assert_eq!(scraper.get("/metrics").status, 401);
    let mut scrape = |path: &str| {
        let answer = scraper.get_with(path, &[("Authorization", &bearer)]);
        assert_eq!(answer.status, 200);
        answer.text()
    };
    let text = scrape("/metrics") + &scrape("/metrics/units");
    assert!(text.contains("milepost_fleet_unit_state{state=\"in-service\",unit=\"pole-1\"} 1"), "{text}");
    assert!(text.contains("milepost_fleet_units_with_reason{reason=\"camera-moved\"} 1"), "{text}");
    let told = names(&text);

    for file in [
        "prometheus/milepost-fleet.rules.yml",
        "prometheus/milepost-fleet.test.yml",
        "grafana/milepost-fleet.json",
    ] {
        let named = names(&std::fs::read_to_string(shipped(file)).unwrap());
        let unknown: Vec<_> = named.difference(&told).collect();
        assert!(named.len() > 5 && unknown.is_empty(), "{file} names {unknown:?}, which nothing tells");
    }
    let grafana: Value =
        serde_json::from_slice(&std::fs::read(shipped("grafana/milepost-fleet.json")).unwrap()).unwrap();
    assert!(grafana["panels"].as_array().unwrap().len() >= 8);

    // The text is what Prometheus itself takes.
    let file = stage.folder.path().join("metrics.txt");
    std::fs::write(&file, &text).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/promtool");
    let input = std::fs::File::open(&file).unwrap();
    let mut child = Command::new(script).args(["check", "metrics"]).stdin(input).spawn().unwrap();
    eventually("promtool has read the metrics", || child.try_wait().unwrap().is_some());
    assert!(child.wait().unwrap().success());
}
