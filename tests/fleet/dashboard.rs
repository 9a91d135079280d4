//! `milepost fleet`, the program, beside a broker of a test or a benchmark.
#![allow(dead_code, reason = "the tests and the benchmark use a part of this each")]

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use crate::client::Client;
use crate::stage::{ADMINISTRATOR, PASSWORD};
use crate::support::Mosquitto;

/// Killed when dropped.
pub struct Dashboard {
    process: Child,
    pub address: SocketAddr,
    /// The first administrator, signed in.
    pub administrator: Client,
}

impl Dashboard {
    pub fn start(broker: &Mosquitto, folder: &Path) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_milepost"))
            .args(["fleet", "--listen", "127.0.0.1:0", "--name", "Springfield"])
            .args(broker.arguments("dashboard"))
            .current_dir(folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("milepost runs");
        let mut said = BufReader::new(process.stdout.take().expect("it is piped")).lines();
        let mut line = || said.next().expect("it goes on").expect("it is text");
        let address = line().rsplit("https://").next().expect("a last part").parse().expect("an address");
        assert!(line().contains("SHA-256"), "what a person compares the certificate with");
        let code = line().split_whitespace().nth(2).expect("a code").to_owned();
        let mut administrator = Client::new(address, &folder.join("fleet"));
        let fields =
            [("code", code.as_str()), ("name", ADMINISTRATOR), ("password", PASSWORD), ("again", PASSWORD)];
        assert_eq!(administrator.post("/set-up", &fields).status, 303);
        Self { process, address, administrator }
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// SIGTERM, as systemd stops it.
    pub fn terminate(mut self) -> ExitStatus {
        let asked = Command::new("kill").arg(self.id().to_string()).status().expect("there is a kill");
        assert!(asked.success());
        self.process.wait().expect("it is a child of this process")
    }
}

impl Drop for Dashboard {
    fn drop(&mut self) {
        // It may have ended when it was told to.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
