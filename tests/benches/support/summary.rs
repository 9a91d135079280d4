//! Where benchmarks leave their figures: `target/bench/summary.json`, flat names to numbers.

use std::path::Path;

use serde_json::{Map, Value};

/// Prints the figures and takes them into the summary; those of other benchmarks stay.
pub fn add(figures: Map<String, Value>) {
    for (name, value) in &figures {
        println!("{name:34} {value}");
    }
    let target = std::env::var("CARGO_TARGET_DIR").unwrap_or_else(|_| "target".to_owned());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(target).join("bench");
    std::fs::create_dir_all(&folder).expect("the target folder can be written");
    let path = folder.join("summary.json");
    let before = std::fs::read(&path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let mut summary: Map<String, Value> = before.unwrap_or_default();
    summary.extend(figures);
    let json = serde_json::to_vec_pretty(&summary).expect("names and numbers are JSON");
    std::fs::write(&path, json).expect("the target folder can be written");
}
