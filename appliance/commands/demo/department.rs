//! The department's side of the demo: its authority, its broker, its hot list and its receiver.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use tokio::sync::mpsc;

use crate::capture::scene::ScenePlate;
use crate::commands::local_broker::Broker;
use crate::commands::publish_list::publish_list;
use crate::crypto::{SigningKey, VerifyingKey};
use crate::delivery;
use crate::enroll::Authority;
use crate::receive::{self, News, Receiver};
use crate::system::SystemClock;
use crate::words::UnitId;

pub struct Department {
    pub broker: Broker,
    pub receiver: Receiver,
    pub news: mpsc::Receiver<News>,
    pub list_key: VerifyingKey,
    pub receipt_key: VerifyingKey,
}

impl Department {
    /// Sets everything up in `folder`, with certificates for the broker, the receiver, the publisher and `unit`.
    pub fn open(folder: &Path, unit: &UnitId) -> anyhow::Result<Self> {
        let authority = Authority::create("Demo Department")?;
        std::fs::write(folder.join("authority.pem"), authority.certificate_pem())?;
        authority.issue_server(&["localhost", "127.0.0.1"])?.save(folder, "broker")?;
        for client in ["receiver", "publisher", unit.as_str()] {
            authority.issue_client(client)?.save(folder, client)?;
        }
        let broker = Broker::start(folder)?;

        let receipts = SigningKey::generate();
        let receipt_key = receipts.verifying_key();
        let config = receive::Config {
            broker: client(folder, "receiver", broker.port)?,
            name: "receiver".to_owned(),
            folder: folder.join("received"),
            key: receipts,
            keep: receive::Keep::default(),
        };
        let (receiver, news) = Receiver::start(config, Arc::new(SystemClock::new()))?;

        let lists = SigningKey::generate();
        lists.save(&folder.join("lists.key"))?;
        Ok(Self { broker, receiver, news, list_key: lists.verifying_key(), receipt_key })
    }

    /// Publishes a hot list with these plates, by the commands that a department would use.
    pub fn publish(&self, folder: &Path, listed: &[ScenePlate]) -> anyhow::Result<()> {
        let lines = listed.iter().zip(REASONS.iter().cycle()).map(|(listed, (category, reason))| {
            format!("{},{},{category},{reason}\n", listed.plate, listed.state)
        });
        let export = format!("plate,state,category,reason\n{}", lines.collect::<String>());
        publish_list(folder, "demo", self.broker.port, &export)
    }
}

/// What the demo's vehicles are looked for, in turn.
const REASONS: [(&str, &str); 2] =
    [("stolen", "taken from a driveway on Elm Street"), ("amber", "child last seen in this vehicle")];

/// How a client of the demo reaches the broker.
pub fn client(folder: &Path, name: &str, port: u16) -> anyhow::Result<delivery::Broker> {
    Ok(delivery::Broker {
        host: "localhost".to_owned(),
        port: port.try_into().context("port 0 is no port")?,
        authority: folder.join("authority.pem"),
        certificate: folder.join(format!("{name}.pem")),
        key: folder.join(format!("{name}.key")),
        ..delivery::Broker::default()
    })
}
