//! What the receiver has stored, read from its files alone.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use milepost::crypto::Digest;
use milepost::words::RecordId;
use serde_json::Value;

use crate::support::files;

#[derive(Default)]
pub struct Vault {
    /// For each record the digests of all copies.
    pub records: HashMap<RecordId, Vec<Digest>>,
    /// Records that certificates of purge name.
    pub certified: BTreeSet<RecordId>,
    captured: BTreeSet<RecordId>,
}

impl Vault {
    /// Whether it shows a vehicle, so that its purge needs a certificate.
    pub fn is_captured(&self, id: &RecordId) -> bool {
        self.captured.contains(id)
    }

    fn add(&mut self, id: RecordId, digest: Digest) {
        self.records.entry(id).or_default().push(digest);
    }
}

pub fn read(folder: &Path) -> Vault {
    let mut vault = Vault::default();
    for path in files(folder) {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("jsonl") => {
                for line in std::fs::read_to_string(&path).unwrap().lines() {
                    read_line(&mut vault, line);
                }
            }
            Some("jpg") => {
                let id: RecordId = path.file_stem().unwrap().to_str().unwrap().parse().unwrap();
                vault.add(id, Digest::of(&std::fs::read(&path).unwrap()));
                vault.captured.insert(id);
            }
            _ => {}
        }
    }
    vault
}

fn read_line(vault: &mut Vault, line: &str) {
    let line: Value = serde_json::from_str(line).expect("the receiver leaves no torn line behind");
    let event = &line["event"];
    let Some(id) = event["id"].as_str().and_then(|id| id.parse().ok()) else { return };
    vault.add(id, line["sha256"].as_str().unwrap().parse().unwrap());
    let kind = event["type"].as_str().unwrap_or_default();
    if ["milepost.alert.v1", "milepost.read.v1"].contains(&kind) {
        vault.captured.insert(id);
    }
    if kind == "milepost.purge-certificate.v1" {
        let records = event["data"]["records"].as_array().unwrap();
        vault
            .certified
            .extend(records.iter().map(|record| record["id"].as_str().unwrap().parse::<RecordId>().unwrap()));
    }
}
