//! A unit's place of work: a folder with its identity, key and configuration, a broker, a department with a
//! published hot list, and a camera; all set up by the commands that people use.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use milepost::words::UnitId;

use crate::department::Department;
use crate::program::milepost_ok;
use crate::rtsp::{self, RtspServer, Served};
use crate::support::{Mosquitto, files};

pub const UNIT: &str = "north-7";
/// What drives past, in turn; the department looks for the first two.
pub const TRAFFIC: [&str; 3] = ["0281189;sc", "5SNZ40;va", "1JR39;ok"];
pub const LISTED: [&str; 2] = ["0281189", "5SNZ40"];
/// What a monitoring system shows.
pub const METRICS_TOKEN: &str = "seven blue herons over the weir";
/// The camera's password, which nobody may ever see.
pub const PASSWORD: &str = "s3same-Open";

pub struct Site {
    folder: tempfile::TempDir,
    pub broker: Mosquitto,
    pub department: Department,
    list_key: String,
}

impl Site {
    pub fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let broker = Mosquitto::start();
        let received = folder.path().join("received");
        let department = Department::open(&broker, &received);
        enrol(folder.path(), &broker);
        std::fs::write(folder.path().join("metrics-token"), METRICS_TOKEN).unwrap();
        let list_key = publish(folder.path(), &broker);
        Self { folder, broker, department, list_key }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// An RTSP camera over the road; on a free port, or again on the one that it had.
    pub fn camera(&self, port: u16) -> RtspServer {
        let login = Some(("viewer", PASSWORD));
        RtspServer::start(Served { encode: rtsp::H264, port, login, traffic: &TRAFFIC, ..Served::default() })
    }

    /// Writes `milepost.toml` for this camera, with the console at this address.
    pub fn configure(&self, camera: &RtspServer, console: SocketAddr) {
        let source = format!("rtsp://viewer:{PASSWORD}@127.0.0.1:{}/live", camera.port);
        std::fs::write(self.folder().join("milepost.toml"), self.configuration(&source, console)).unwrap();
    }

    /// The same with a rendered street before the camera.
    pub fn configure_scene(&self, console: SocketAddr) {
        std::fs::write(self.folder().join("milepost.toml"), self.configuration("scene:traffic", console))
            .unwrap();
    }

    pub fn configuration(&self, source: &str, console: SocketAddr) -> String {
        format!(
            r#"[unit]
id = "{UNIT}"
state_dir = "state"
key_file = "seal.key"

[[camera]]
name = "lane-1"
source = "{source}"

[passage]
window_ms = 1000
recall_ms = 500

[[hotlist.lists]]
name = "state"
keys = ["{list_key}"]

[alert]
repeat_after_s = 1

[delivery]
receivers = ["{receipts}"]
batch_wait_ms = 100
receipt_timeout_s = 2

[delivery.broker]
port = {port}
retry_max_s = 1

[console]
listen = "{console}"
metrics_token = "metrics-token"
"#,
            list_key = self.list_key,
            receipts = self.department.key,
            port = self.broker.client(UNIT).port,
        )
    }

    /// Lines of the unit's audit log that speak of this event.
    pub fn audited(&self, event: &str) -> Vec<serde_json::Value> {
        let mut entries = Vec::new();
        for path in files(&self.folder().join("state/audit")) {
            let text = String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
            entries.extend(text.lines().filter_map(|line| serde_json::from_str(line).ok()));
        }
        entries.retain(|entry: &serde_json::Value| entry["what"]["event"] == event);
        entries
    }

    /// Alerts that the unit has raised and the department does not have.
    pub fn alerts_on_their_way(&self) -> usize {
        let stored = self.department.events("alerts");
        let is_stored = |id: &serde_json::Value| stored.iter().any(|event| event["data"]["id"] == *id);
        self.audited("alert-raised").iter().filter(|entry| !is_stored(&entry["what"]["alert"])).count()
    }

    /// Files of the unit's state in which something can be read that must not be.
    pub fn readable_at_rest(&self) -> Vec<String> {
        const JPEG: &[u8] = &[0xff, 0xd8, 0xff, 0xe0, 0, 16, b'J', b'F', b'I', b'F'];
        let plates = TRAFFIC.iter().map(|plate| plate.split(';').next().unwrap().as_bytes());
        let secrets: Vec<&[u8]> = plates.chain([JPEG, PASSWORD.as_bytes()]).collect();
        let shows = |bytes: &[u8]| {
            secrets.iter().any(|secret| bytes.windows(secret.len()).any(|window| window == *secret))
        };
        let state = files(&self.folder().join("state"));
        assert!(state.len() > 5, "the unit keeps its state where it was told to: {state:?}");
        let readable = state.iter().filter(|path| std::fs::read(path).is_ok_and(|bytes| shows(&bytes)));
        readable.map(|path| path.display().to_string()).collect()
    }
}

/// Request, signature, installation.
pub fn enrol(folder: &Path, broker: &Mosquitto) {
    milepost_ok(&["enroll", "request", UNIT, "--folder", "."], folder);
    let request = std::fs::read_to_string(folder.join("unit.csr")).unwrap();
    let signed = broker.authority().sign(&request, &UnitId::parse(UNIT).unwrap()).unwrap();
    std::fs::write(folder.join("signed.pem"), signed).unwrap();
    let authority = broker.authority_path().display().to_string();
    let install = ["enroll", "install", UNIT, "signed.pem", "--authority", &authority, "--folder", "."];
    milepost_ok(&install, folder);
}

/// From an export to the broker; gives the public key that signed the list.
fn publish(folder: &Path, broker: &Mosquitto) -> String {
    let said = milepost_ok(&["hotlist", "keygen", "--no-passphrase", "--out", "lists.key"], folder);
    let (_, rest) = said.split_once("keys = [\"").expect("the key is printed");
    let key = rest.split_once('"').unwrap().0.to_owned();

    let rows = LISTED.map(|plate| format!("{plate},,stolen,taken from a driveway\n")).concat();
    std::fs::write(folder.join("export.csv"), format!("plate,state,category,reason\n{rows}")).unwrap();
    milepost_ok(&["hotlist", "import", "export.csv", "--out", "list.jsonl", "--authority", "Test"], folder);
    let sign = ["hotlist", "sign", "list.jsonl", "--list", "state", "--key", "lists.key", "--out", "edition"];
    milepost_ok(&sign, folder);
    let client = broker.client("publisher");
    let paths = [&client.authority, &client.certificate, &client.key].map(|path| path.display().to_string());
    let address = format!("localhost:{}", client.port);
    let [ca, cert, own_key] = &paths;
    let to = ["--broker", &address, "--ca", ca, "--cert", cert, "--key", own_key];
    milepost_ok(&[&["hotlist", "publish", "edition"][..], &to].concat(), folder);
    key
}

/// A loss of the camera must be seen at the broker within this time: noticed within 5 s, reported within one.
pub const CAMERA_LOST_WITHIN: Duration = Duration::from_secs(6);
