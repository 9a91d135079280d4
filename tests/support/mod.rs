//! Real parts for the tests: a mosquitto with mutual TLS on a loopback port of its own, run from the example
//! configuration that ships, and the certificates that it wants.
#![allow(dead_code, reason = "each test program uses a part of this")]

pub mod sample;
pub mod spy;

use std::net::{TcpListener, TcpStream};
use std::num::NonZeroU16;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use milepost::crypto::SigningKey;
use milepost::delivery;
use milepost::enroll::Authority;
use milepost::receive;
use spy::Spy;

/// Waits until `done`, and fails with `what` if that takes longer than half a minute. Looks often, so that
/// tests take no longer than what they test.
pub fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !done() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Says, past the test harness and its capturing, that a test did not run here. Where `CI` is set it must run, and fails.
pub fn not_run(test: &str, why: &std::io::Error) {
    use std::io::Write;
    assert!(std::env::var_os("CI").is_none(), "{test} must run in CI, and cannot: {why}");
    let line = format!("\nNOT RUN: {test}: this machine does not let a test do what it needs ({why})\n");
    let _ = std::io::stderr().lock().write_all(line.as_bytes());
}

/// A second copy of a key, for whoever keeps it.
pub fn copy(key: &SigningKey) -> SigningKey {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    key.save(&path).unwrap();
    SigningKey::load(&path).unwrap()
}

/// Every file under `folder`; what vanishes while it is looked at was temporary.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

/// A mosquitto of its own, killed when dropped. Every message on it is judged then by `config/asyncapi.yaml`.
pub struct Mosquitto {
    folder: tempfile::TempDir,
    authority: Authority,
    address: &'static str,
    port: u16,
    /// Lines of its configuration besides the shipped ones.
    extra: String,
    /// Whether it logs every message.
    verbose: bool,
    process: Option<Child>,
    spy: Option<Spy>,
    /// Beginnings of topics on which a test writes what is deliberately wrong.
    excused: Vec<String>,
}

impl Mosquitto {
    pub fn start() -> Self {
        let mut broker = Self::unheard();
        broker.spy = Some(Spy::listen(broker.client("every-message"), broker.folder.path()));
        broker
    }

    /// Another one that shows and admits what this one's authority signed.
    pub fn another(&self) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the broker");
        for name in ["broker.pem", "broker.key"] {
            std::fs::copy(self.folder.path().join(name), folder.path().join(name)).unwrap();
        }
        let own = self.authority.certificate_pem();
        std::fs::write(folder.path().join("authority.pem"), own).unwrap();
        let port = TcpListener::bind((self.address, 0)).unwrap().local_addr().unwrap().port();
        let authority = Authority::create("Never asked").unwrap();
        let (address, extra) = (self.address, String::new());
        let (verbose, spy, excused) = (self.verbose, None, Vec::new());
        let mut other =
            Self { folder, authority, address, port, extra, verbose, process: None, spy, excused };
        other.restart();
        let client = delivery::Broker { port: other.client("unused").port, ..self.client("every-message") };
        other.spy = Some(Spy::listen(client, other.folder.path()));
        other
    }

    /// One that nobody listens to, for what has its own eye on every message.
    pub fn unheard() -> Self {
        Self::begin("127.0.0.1", true)
    }

    /// One that logs no messages either, for benchmarks: thousands a second are a load of their own.
    pub fn start_quiet() -> Self {
        Self::begin("127.0.0.1", false)
    }

    /// On an address of the calling thread's network, which a listener would have to be in at the end as well: unheard.
    pub fn start_on(address: &'static str) -> Self {
        Self::begin(address, true)
    }

    fn begin(address: &'static str, verbose: bool) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the broker");
        let authority = Authority::create("Test Department").expect("an authority");
        std::fs::write(folder.path().join("authority.pem"), authority.certificate_pem()).unwrap();
        authority.issue_server(&["localhost", address]).unwrap().save(folder.path(), "broker").unwrap();
        // Freed at once and taken by the broker; it keeps the port over restarts.
        let port = TcpListener::bind((address, 0)).unwrap().local_addr().unwrap().port();
        let (extra, spy, excused) = (String::new(), None, Vec::new());
        let mut broker =
            Self { folder, authority, address, port, extra, verbose, process: None, spy, excused };
        broker.restart();
        broker
    }

    /// Messages under this beginning of a topic are wrong on purpose, and not judged.
    pub fn excuse(&mut self, topics: &str) {
        self.excused.push(topics.to_owned());
    }

    /// Starts it again with these lines in its configuration.
    pub fn reconfigure(&mut self, extra: String) {
        self.extra = extra;
        self.restart();
    }

    /// The shipped example with the paths and the port of this test.
    fn configuration(&self) -> String {
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/mosquitto");
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        let access = std::fs::read_to_string(shipped.join("acl")).expect("the shipped access list");
        std::fs::write(self.folder.path().join("acl"), access + spy::ACCESS).unwrap();
        let ours = [
            ("listener", format!("{} {}", self.port, self.address)),
            ("cafile", path("authority.pem")),
            ("certfile", path("broker.pem")),
            ("keyfile", path("broker.key")),
            ("acl_file", path("acl")),
            ("persistence_location", format!("{}/", self.folder.path().display())),
        ];
        let example = std::fs::read_to_string(shipped.join("mosquitto.conf")).expect("the shipped example");
        let mut text = String::new();
        for line in example.lines() {
            let key = line.split(' ').next().unwrap_or_default();
            if !key.is_empty() && self.extra.lines().any(|extra| extra.split(' ').next() == Some(key)) {
                continue;
            }
            match ours.iter().find(|(ours, _)| *ours == key) {
                Some((key, value)) => text += &format!("{key} {value}\n"),
                None => text += &format!("{line}\n"),
            }
        }
        // Started by root it would otherwise give up the right to its own folder.
        text + "user root\n" + &self.extra
    }

    /// Starts it (again) on the same port, with what it had saved.
    pub fn restart(&mut self) {
        self.kill();
        std::fs::write(self.folder.path().join("mosquitto.conf"), self.configuration()).unwrap();
        let log = std::fs::File::options().create(true).append(true).open(self.log_path()).unwrap();
        let process = Command::new("mosquitto")
            .args(self.verbose.then_some("-v"))
            .arg("-c")
            .arg(self.folder.path().join("mosquitto.conf"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the Debian package mosquitto is installed");
        self.process = Some(process);
        eventually("mosquitto listens", || {
            let ended = self.process.as_mut().and_then(|process| process.try_wait().ok().flatten());
            assert!(ended.is_none(), "mosquitto ended: {}", self.log());
            TcpStream::connect((self.address, self.port)).is_ok()
        });
        if let Some(spy) = &mut self.spy {
            spy.connect();
        }
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Has it save what it retains now, which a kill would take from it otherwise.
    pub fn save(&self) {
        let saved = self.folder.path().join("mosquitto.db");
        let _ = std::fs::remove_file(&saved);
        self.signal("-USR1");
        eventually("mosquitto has saved", || saved.exists());
    }

    /// Stops it where it is; connections stay open and nothing answers.
    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let status = Command::new("kill").arg(signal).arg(self.process().to_string()).status().unwrap();
        assert!(status.success());
    }

    /// Its process id.
    pub fn process(&self) -> u32 {
        self.process.as_ref().expect("mosquitto runs").id()
    }

    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    pub fn authority_path(&self) -> PathBuf {
        self.folder.path().join("authority.pem")
    }

    /// How a client of this name connects, with a certificate made for it.
    pub fn client(&self, name: &str) -> delivery::Broker {
        let path = self.folder.path().join(format!("client-{name}.pem"));
        if !path.exists() {
            let issued = self.authority.issue_client(name).unwrap();
            issued.save(self.folder.path(), &format!("client-{name}")).unwrap();
        }
        delivery::Broker {
            host: if self.address == "127.0.0.1" { "localhost" } else { self.address }.to_owned(),
            port: NonZeroU16::new(self.port).unwrap(),
            authority: self.authority_path(),
            key: path.with_extension("key"),
            certificate: path,
            retry_max_s: 1.try_into().unwrap(),
            ..delivery::Broker::default()
        }
    }

    /// The same for a program of ours, as its arguments.
    pub fn arguments(&self, name: &str) -> [String; 10] {
        let client = self.client(name);
        let text = |file: PathBuf| file.display().to_string();
        [
            "--host".into(),
            client.host,
            "--port".into(),
            client.port.to_string(),
            "--authority".into(),
            text(client.authority),
            "--certificate".into(),
            text(client.certificate),
            "--key".into(),
            text(client.key),
        ]
    }

    /// The reference receiver at this broker, which keeps what it stores in `vault`.
    pub fn receiver(&self, vault: &Path, key: SigningKey) -> receive::Config {
        receive::Config {
            broker: self.client("receiver"),
            name: "receiver".into(),
            folder: vault.into(),
            key,
            keep: receive::Keep::default(),
        }
    }

    /// From now on another authority signs what it shows, and clients of both are admitted; restarts.
    pub fn change_authority(&mut self, next: Authority) {
        let both = format!("{}{}", self.authority.certificate_pem(), next.certificate_pem());
        std::fs::write(self.authority_path(), both).unwrap();
        self.authority = next;
        for end in ["key", "pem"] {
            std::fs::remove_file(self.folder.path().join(format!("broker.{end}"))).unwrap();
        }
        let shown = self.authority.issue_server(&["localhost", self.address]).unwrap();
        shown.save(self.folder.path(), "broker").unwrap();
        self.restart();
    }

    /// Admits only what its authority signed, which signs for all its clients anew; restarts.
    pub fn forget_old_authorities(&mut self) {
        std::fs::write(self.authority_path(), self.authority.certificate_pem()).unwrap();
        for path in files(self.folder.path()) {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            if let Some(client) = name.strip_prefix("client-").filter(|_| path.extension().unwrap() == "pem")
            {
                std::fs::remove_file(&path).unwrap();
                std::fs::remove_file(path.with_extension("key")).unwrap();
                self.client(client);
            }
        }
        self.restart();
    }

    /// What clients may be signed by besides; restarts.
    pub fn admit_clients_of(&mut self, other: &Authority) {
        let both = format!("{}{}", self.authority.certificate_pem(), other.certificate_pem());
        let path = self.folder.path().join("clients.pem");
        std::fs::write(&path, both).unwrap();
        self.save();
        self.reconfigure(format!("cafile {}\n", path.display()));
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Publishes one message as a client of this name.
    pub fn publish(&self, name: &str, topic: &str, payload: &[u8]) {
        spy::publish(&self.client(name), topic, payload);
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("mosquitto.log")
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        if let Some(mut spy) = self.spy.take().filter(|_| !std::thread::panicking()) {
            // Where the test gave the broker an access list of its own, the spy is no longer let in.
            let listens = self.process.is_some() && !self.extra.contains("acl_file");
            // It may wait in vain, and the broker must not stay behind.
            let judge = AssertUnwindSafe(|| spy.judge(listens, &self.excused));
            let judged = catch_unwind(judge);
            self.kill();
            let judged = judged.unwrap_or_else(|panic| resume_unwind(panic));
            judged.unwrap_or_else(|mistakes| {
                panic!("messages are not as config/asyncapi.yaml says:\n{mistakes}")
            });
        }
        self.kill();
    }
}
