//! A list of a million entries, of which 1 % are replaced: what a unit downloads for it.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use milepost::crypto::SigningKey;
use milepost::hotlist::{Entry, List};
use milepost::simulate::Fleet;
use milepost::words::ListName;
use serde_json::{Value, json};

use crate::entries::Numbers;
use crate::support::Mosquitto;
use crate::wait;

const ENTRIES: usize = 1_000_000;
/// One entry in a hundred leaves, and another comes.
const REPLACED: usize = ENTRIES / 100;
const LIST: &str = "state";

/// Two versions of the list, signed by the command that a department uses.
pub struct Published {
    folder: PathBuf,
    pub list: List,
    snapshot_bytes: u64,
}

impl Published {
    /// Signs both, and publishes the first.
    pub fn open(folder: &Path, broker: &Mosquitto) -> Self {
        std::fs::create_dir_all(folder).expect("the bench folder can be written");
        let key = SigningKey::generate();
        key.save(&folder.join("lists.key")).expect("the bench folder can be written");
        let mut numbers = Numbers(42);
        let mut entries: Vec<Entry> = (0..ENTRIES).map(|_| numbers.entry()).collect();
        write(&folder.join("old.jsonl"), &entries);
        for _ in 0..REPLACED {
            let index = numbers.below(ENTRIES);
            entries[index] = numbers.entry();
        }
        write(&folder.join("new.jsonl"), &entries);
        drop(entries);
        hotlist(folder, &format!("sign old.jsonl --list {LIST} --key lists.key --version 1 --out old"));
        hotlist(
            folder,
            &format!(
                "sign new.jsonl --list {LIST} --key lists.key --version 2 --previous old.jsonl --previous-version 1 \
                 --delta-only --out new"
            ),
        );
        let snapshot_bytes = bytes(&folder.join("old/chunks")) + bytes(&folder.join("old/manifest.json"));
        let list =
            List { name: ListName::parse(LIST).expect("it is a name"), keys: vec![key.verifying_key()] };
        let published = Self { folder: folder.to_owned(), list, snapshot_bytes };
        published.publish("old", broker);
        published
    }

    /// Publishes the step to the second version, and waits until every unit holds it.
    pub fn step(&self, broker: &Mosquitto, fleet: &Fleet) -> Value {
        let before = fleet.gauge().counts();
        let started = Instant::now();
        self.publish("new", broker);
        wait("every unit takes the step", Duration::from_secs(180), || {
            fleet.gauge().counts().list_steps == before.units
        });
        let took = started.elapsed();
        let after = fleet.gauge().counts();
        assert_eq!(after.list_refusals, 0, "nothing was refused");
        let unit_bytes = (after.list_bytes - before.list_bytes) as f64 / before.units as f64;
        json!({
            "fleet_delta_share": (unit_bytes / self.snapshot_bytes as f64 * 1e5).round() / 1e5,
            "fleet_delta_kb": (unit_bytes / 1e3).round(),
            "fleet_snapshot_kb": (self.snapshot_bytes as f64 / 1e3).round(),
            "fleet_delta_all_s": (took.as_secs_f64() * 100.0).round() / 100.0,
        })
    }

    fn publish(&self, edition: &str, broker: &Mosquitto) {
        let client = broker.client("publisher");
        let [authority, certificate, key] =
            [&client.authority, &client.certificate, &client.key].map(|path| path.display().to_string());
        let port = client.port;
        hotlist(
            &self.folder,
            &format!(
                "publish {edition} --broker localhost:{port} --ca {authority} --cert {certificate} --key {key}"
            ),
        );
    }
}

fn hotlist(folder: &Path, words: &str) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_milepost"));
    let output = command.arg("hotlist").args(words.split_whitespace()).current_dir(folder).output();
    let output = output.expect("milepost runs");
    assert!(output.status.success(), "{words}: {}", String::from_utf8_lossy(&output.stderr));
}

fn write(path: &Path, entries: &[Entry]) {
    let mut file = BufWriter::new(File::create(path).expect("the bench folder can be written"));
    for entry in entries {
        serde_json::to_writer(&mut file, entry).expect("the bench folder has room");
        file.write_all(b"\n").expect("the bench folder has room");
    }
    file.flush().expect("the bench folder has room");
}

/// Of a file, or of all files in a folder.
fn bytes(path: &Path) -> u64 {
    if path.is_file() {
        return path.metadata().expect("it is there").len();
    }
    let items = std::fs::read_dir(path).expect("it is there").flatten();
    items.map(|item| bytes(&item.path())).sum()
}
