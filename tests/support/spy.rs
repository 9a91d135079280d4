//! Hears every message on a test's broker, and has each judged by `config/asyncapi.yaml` at the test's end.

use std::fs::File;
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use milepost::crypto::hex;
use milepost::delivery::Broker;
use serde_json::Value;

use super::{eventually, files};

/// What the broker's access list grants it, in tests alone.
pub const ACCESS: &str = "\nuser every-message\ntopic read #\ntopic write every-message/end\n";
const END: &str = "every-message/end";

/// Debian's `mosquitto_sub`, with a session that outlives the broker's restarts.
pub struct Spy {
    client: Broker,
    heard: PathBuf,
    process: Option<Child>,
}

impl Spy {
    pub fn listen(client: Broker, folder: &Path) -> Self {
        let mut spy = Self { client, heard: folder.join("heard"), process: None };
        spy.connect();
        spy.catch_up();
        spy
    }

    /// Connects (again), with the certificates of now.
    pub fn connect(&mut self) {
        self.end();
        // A line without its end was torn by the disconnection; its message comes again.
        let append = |path: &Path| File::options().create(true).append(true).open(path).unwrap();
        let mut heard = append(&self.heard);
        heard.write_all(b"\n").unwrap();
        let process = command("mosquitto_sub", &self.client)
            .args(["-c", "-i", "every-message", "-t", "#", "-F", "%t %x ."])
            .stdout(heard)
            .stderr(append(&self.heard.with_extension("log")))
            .spawn()
            .expect("the Debian package mosquitto-clients is installed");
        self.process = Some(process);
    }

    /// Returns once it has heard what was sent before: the broker hands on in order. Said again, in case that it had not
    /// subscribed yet.
    fn catch_up(&self) {
        let said = || std::fs::read_to_string(&self.heard).unwrap_or_default().matches(END).count();
        let before = said();
        let mut asked = None::<Instant>;
        eventually("the spy has heard what was said", || {
            if asked.is_none_or(|asked| asked.elapsed() > Duration::from_secs(1)) {
                publish(&self.client, END, b"end");
                asked = Some(Instant::now());
            }
            said() > before
        });
    }

    fn end(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// All that it heard is judged, but for topics under an `excused` beginning.
    ///
    /// # Errors
    /// The mistakes, a line each.
    pub fn judge(&mut self, broker_runs: bool, excused: &[String]) -> Result<(), String> {
        if broker_runs {
            self.catch_up();
        }
        self.end();
        judge(File::open(&self.heard).unwrap().into(), excused)
    }
}

impl Drop for Spy {
    fn drop(&mut self) {
        self.end();
    }
}

/// Has lines `TOPIC HEXADECIMAL-PAYLOAD .` judged.
///
/// # Errors
/// The mistakes, a line each.
pub fn judge(heard: Stdio, excused: &[String]) -> Result<(), String> {
    // Debian's own, which has Debian's packages; another may come first on the path.
    let judged = Command::new("/usr/bin/python3")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/judge.py"))
        .args(excused)
        .stdin(heard)
        .output()
        .expect("the Debian package python3 is installed");
    judged.status.success().then_some(()).ok_or_else(|| String::from_utf8_lossy(&judged.stderr).into_owned())
}

/// Has what a receiver stored judged as the messages that it came in: for where nobody could listen to the broker.
///
/// # Errors
/// The mistakes, a line each.
pub fn judge_stored(vault: &Path) -> Result<(), String> {
    const BATCHED: [&str; 3] = ["milepost.read.v1", "milepost.purge-certificate.v1", "milepost.audit.v1"];
    let mut lines = tempfile::tempfile().unwrap();
    for path in files(vault) {
        let (name, folder) = (path.file_name().unwrap(), path.parent().unwrap());
        let books = ["alerts", "reads", "events"];
        let Some(book) = books.into_iter().find(|book| *name == *format!("{book}.jsonl")) else { continue };
        let unit = folder.file_name().unwrap().to_str().unwrap();
        for line in std::fs::read_to_string(&path).unwrap().lines() {
            let event = serde_json::from_str::<Value>(line).unwrap()["event"].take();
            let is_batched = BATCHED.iter().any(|kind| event["type"] == *kind);
            let payload = if is_batched { Value::from(vec![event]) } else { event };
            let payload = hex(payload.to_string().as_bytes());
            writeln!(lines, "milepost/v1/units/{unit}/{book} {payload} .").unwrap();
        }
    }
    lines.rewind().unwrap();
    judge(lines.into(), &[])
}

/// Publishes one message, as this client.
pub fn publish(client: &Broker, topic: &str, payload: &[u8]) {
    let mut sending = command("mosquitto_pub", client)
        .args(["-t", topic, "-s"])
        .stdin(Stdio::piped())
        .spawn()
        .expect("the Debian package mosquitto-clients is installed");
    sending.stdin.take().expect("it was piped").write_all(payload).unwrap();
    assert!(sending.wait().unwrap().success(), "a message to {topic} is sent");
}

fn command(program: &str, client: &Broker) -> Command {
    let mut command = Command::new(program);
    command
        .args(["-h", &client.host, "-p", &client.port.to_string(), "-q", "1", "--tls-version", "tlsv1.3"])
        .arg("--cafile")
        .arg(&client.authority)
        .arg("--cert")
        .arg(&client.certificate)
        .arg("--key")
        .arg(&client.key);
    command
}
