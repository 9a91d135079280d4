//! The department: broker and receiver, each a process of its own, and what they use.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use milepost::crypto::VerifyingKey;
use milepost::hotlist::List;
use milepost::simulate::{Config, Day, Fleet, Folder, Follow, Vehicle, vehicles};
use milepost::words::UnitId;

use crate::cores;
use crate::receiver::Receiver;
use crate::support::Mosquitto;

/// Of 1,000 vehicles; ten times what is usual, so that there are alerts enough to measure.
const HITS_PER_1000: f64 = 20.0;

pub struct Department {
    pub broker: Mosquitto,
    pub receiver: Receiver,
    units: Folder,
    key: VerifyingKey,
    vehicles: Arc<Vec<Vehicle>>,
}

impl Department {
    pub fn open(folder: &Path) -> Self {
        let broker = Mosquitto::start_quiet();
        let authority = folder.join("authority.key");
        std::fs::write(&authority, broker.authority().key_pem()).expect("the bench folder can be written");
        let units = Folder::open(&folder.join("units"), Some((&broker.authority_path(), &authority)));
        let (receiver, key) = Receiver::start(folder, &broker);
        receiver.wait_until_connected();
        let vehicles = Arc::new(vehicles(16, 7).expect("vehicles can be rendered and read"));
        Self { broker, receiver, units: units.expect("it is a folder"), key, vehicles }
    }

    /// Units `first` to `last`, in the evening's rush hour.
    pub fn fleet(&self, first: usize, last: usize, list: &List) -> Fleet {
        let port = self.broker.client("receiver").port;
        let unit = |number| {
            let name = UnitId::parse(&format!("sim-{number:04}")).expect("it is a name");
            let broker = self.units.unit(&name, "localhost", port).expect("a certificate can be issued");
            (name, broker)
        };
        let config = Config {
            units: (first..=last).map(unit).collect(),
            seed: first as u64,
            receivers: vec![self.key],
            list: Some(Follow { list: list.clone(), snapshots: false }),
            day: Day::new(jiff::civil::time(17, 0, 0, 0), 1.0),
            hits_per_1000: HITS_PER_1000,
            faults: false,
            report_every: Duration::from_secs(60),
            start_per_s: 300.try_into().expect("not zero"),
        };
        Fleet::start(config, self.vehicles.clone())
    }

    /// Seconds of processor time of this process, of the broker and of the receiver.
    pub fn seconds(&self) -> [f64; 3] {
        [std::process::id(), self.broker.process(), self.receiver.id()].map(cores::seconds)
    }

    /// Resident memory of the broker, in kB.
    pub fn broker_kb(&self) -> f64 {
        resident_kb(self.broker.process())
    }
}

pub fn resident_kb(process: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("the process runs");
    let line = status.lines().find(|line| line.starts_with("VmRSS")).expect("Linux tells resident memory");
    line.split_whitespace().nth(1).and_then(|kb| kb.parse().ok()).expect("in kB")
}
