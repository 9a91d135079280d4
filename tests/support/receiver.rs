//! `milepost receive`, the program, beside a broker of a test or a benchmark.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

use milepost::crypto::{SigningKey, VerifyingKey};

use crate::support::Mosquitto;

/// Killed when dropped.
pub struct Receiver {
    process: Child,
    /// Has something once this process is connected.
    connected: mpsc::Receiver<()>,
    signing_key: PathBuf,
    folder: PathBuf,
}

impl Receiver {
    /// With a new key for its receipts, and what it receives in `received`, both in this folder.
    pub fn start(folder: &Path, broker: &Mosquitto) -> (Self, VerifyingKey) {
        std::fs::create_dir_all(folder).expect("the folder can be written");
        let (signing_key, received) = (folder.join("receipts.key"), folder.join("received"));
        SigningKey::generate().save(&signing_key).expect("the folder can be written");
        let key = SigningKey::load(&signing_key).expect("it was just written").verifying_key();
        let (process, connected) = run(broker, &signing_key, &received);
        (Self { process, connected, signing_key, folder: received }, key)
    }

    pub fn wait_until_connected(&self) {
        self.connected.recv().expect("the receiver connects");
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.process.kill().expect("it runs");
        self.process.wait().expect("it runs");
    }

    pub fn restart(&mut self, broker: &Mosquitto) {
        (self.process, self.connected) = run(broker, &self.signing_key, &self.folder);
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn run(broker: &Mosquitto, signing_key: &Path, folder: &Path) -> (Child, mpsc::Receiver<()>) {
    let mut process = Command::new(env!("CARGO_BIN_EXE_milepost"))
        .arg("receive")
        .args(broker.arguments("receiver"))
        .arg("--signing-key")
        .arg(signing_key)
        .arg("--folder")
        .arg(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("milepost runs");
    let lines = BufReader::new(process.stdout.take().expect("it is piped")).lines();
    let (sender, connected) = mpsc::channel();
    // Reads on to the end: a full pipe would hold it up.
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            if line.contains("connected") {
                let _ = sender.send(());
            }
        }
    });
    (process, connected)
}
