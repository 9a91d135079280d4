//! The department: broker and receiver, each a process of its own.

use std::path::Path;

use milepost::crypto::VerifyingKey;

use crate::cores::{self, Cores};
use crate::receiver::Receiver;
use crate::support::Mosquitto;

pub struct Department {
    pub broker: Mosquitto,
    /// Signs the receipts.
    pub key: VerifyingKey,
    receiver: Receiver,
}

impl Department {
    pub fn open(folder: &Path) -> Self {
        let broker = Mosquitto::unheard();
        cores::hold(broker.process(), Cores::Others);
        let (receiver, key) = Receiver::start(folder, &broker);
        cores::hold(receiver.id(), Cores::Others);
        receiver.wait_until_connected();
        Self { broker, key, receiver }
    }

    /// Seconds of processor time of broker and receiver.
    pub fn seconds(&self) -> [f64; 2] {
        [self.broker.process(), self.receiver.id()].map(cores::seconds)
    }
}
