//! The department: broker and receiver, each a process of its own.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use milepost::crypto::{SigningKey, VerifyingKey};

use crate::cores::{self, Cores};
use crate::support::Mosquitto;

pub struct Department {
    pub broker: Mosquitto,
    /// Signs the receipts.
    pub key: VerifyingKey,
    receiver: Child,
}

impl Department {
    pub fn open(folder: &Path) -> Self {
        std::fs::create_dir_all(folder).expect("the bench folder can be written");
        let broker = Mosquitto::unheard();
        cores::hold(broker.process(), Cores::Others);
        let keys = folder.join("receipts.key");
        SigningKey::generate().save(&keys).expect("the bench folder can be written");
        let key = SigningKey::load(&keys).expect("it was just written").verifying_key();
        let client = broker.client("receiver");
        let mut receiver = Command::new(env!("CARGO_BIN_EXE_milepost"))
            .arg("receive")
            .args(["--host", "localhost", "--port", &client.port.to_string()])
            .arg("--authority")
            .arg(&client.authority)
            .arg("--certificate")
            .arg(&client.certificate)
            .arg("--key")
            .arg(&client.key)
            .arg("--signing-key")
            .arg(&keys)
            .arg("--folder")
            .arg(folder.join("received"))
            .stdout(Stdio::piped())
            .spawn()
            .expect("milepost runs");
        cores::hold(receiver.id(), Cores::Others);
        let mut lines = BufReader::new(receiver.stdout.take().expect("it is piped")).lines();
        let connected = |line: std::io::Result<String>| line.is_ok_and(|line| line.contains("connected"));
        assert!(lines.by_ref().any(connected), "the receiver connects");
        std::thread::spawn(|| lines.count());
        Self { broker, key, receiver }
    }

    /// Seconds of processor time of broker and receiver.
    pub fn seconds(&self) -> [f64; 2] {
        [self.broker.process(), self.receiver.id()].map(cores::seconds)
    }
}

impl Drop for Department {
    fn drop(&mut self) {
        let _ = self.receiver.kill();
        let _ = self.receiver.wait();
    }
}
