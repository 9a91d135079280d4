//! Where benchmarks leave their figures: `target/bench/summary.json`, flat names to numbers.
#![allow(dead_code, reason = "the kill test uses one part of it, benchmarks the other")]

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

/// Prints the figures and takes them into the summary; those of other benchmarks stay.
pub fn add(figures: Map<String, Value>) {
    for (name, value) in &figures {
        println!("{name:34} {value}");
    }
    let path = folder().join("summary.json");
    let before = std::fs::read(&path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let mut summary: Map<String, Value> = before.unwrap_or_default();
    summary.extend(figures);
    let json = serde_json::to_vec_pretty(&summary).expect("names and numbers are JSON");
    std::fs::write(&path, json).expect("the target folder can be written");
}

/// The figures of the kill test, which takes minutes and is no benchmark: a later `make bench` begins its summary with them.
pub fn keep_kills(figures: &[(&str, u64)]) {
    let figures: Map<String, Value> =
        figures.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
    let json = serde_json::to_vec_pretty(&figures).expect("names and numbers are JSON");
    std::fs::write(folder().join("kill-test.json"), json).expect("the target folder can be written");
    add(figures);
}

fn folder() -> PathBuf {
    let target = std::env::var("CARGO_TARGET_DIR").unwrap_or_else(|_| "target".to_owned());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(target).join("bench");
    std::fs::create_dir_all(&folder).expect("the target folder can be written");
    folder
}
