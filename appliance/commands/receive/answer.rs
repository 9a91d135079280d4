use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use jiff::Timestamp;

use super::BrokerArgs;
use super::keep::person;
use crate::alert::{self, Disposition, Verdict, Verified};
use crate::crypto::{Letter, SigningKey};
use crate::delivery::{Broker, Link, LinkEvent, Subscriptions, Topic, UnitTopic};
use crate::hotlist::Text;
use crate::words::{PersonName, RecordId, UnitId};

/// Tell a unit what an alert turned out to be: its own rate of false hits comes from such answers
///
/// The unit records the answer, sends it back with its other records, and counts it. It believes the key whose
/// receipts it believes; a later answer to the same alert takes the place of an earlier one.
#[derive(Debug, Args)]
pub struct Answer {
    /// The unit that raised the alert
    #[arg(long)]
    unit: UnitId,
    /// The alert's id: `data.id` in alerts.jsonl
    #[arg(long, value_name = "ID")]
    alert: RecordId,
    /// What it turned out to be
    #[arg(long)]
    verdict: Choice,
    /// The characters were verified by eye
    #[arg(long)]
    characters: bool,
    /// The state of issuance was verified by eye
    #[arg(long)]
    state: bool,
    /// The status was verified in CJIS/NCIC
    #[arg(long)]
    status: bool,
    /// Who found it
    #[arg(long, value_name = "NAME", value_parser = person)]
    by: PersonName,
    /// Anything else worth knowing
    #[arg(long, default_value = "")]
    note: Text<200>,
    #[command(flatten)]
    broker: BrokerArgs,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Choice {
    /// Characters and state are the listed ones
    CorrectRead,
    /// The characters are right, the plate is another state's
    WrongState,
    /// The characters are not what the unit read
    IncorrectRead,
    /// Seen, and not followed up
    Dismissed,
}

/// How long the broker may take to say that it has the answer.
const PATIENCE: Duration = Duration::from_secs(20);

impl Answer {
    pub fn run(self) -> anyhow::Result<()> {
        let verdict = match self.verdict {
            Choice::CorrectRead => Verdict::CorrectRead,
            Choice::WrongState => Verdict::WrongState,
            Choice::IncorrectRead => Verdict::IncorrectRead,
            Choice::Dismissed => Verdict::Dismissed,
        };
        let verified = Verified { characters: self.characters, state: self.state, status: self.status };
        let found = Disposition::new(self.alert, verdict, verified, self.by, Timestamp::now())
            .context("--characters and --state say what was verified by eye")?;
        let answer = alert::Answer::new(self.unit.clone(), Disposition { note: self.note, ..found })?;
        let key = SigningKey::load(&self.broker.signing_key)
            .context("--signing-key names the key that `milepost receive` signs receipts with")?;
        let (name, broker) = self.broker.open()?;
        let topic = Topic::Unit(self.unit.clone(), UnitTopic::Answers).to_string();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(send(&broker, &format!("{name}-answer"), topic, answer.sign(&key)))?;
        println!(
            "The broker has it for {}. What the unit made of it comes back among its events.",
            self.unit
        );
        Ok(())
    }
}

/// Over a connection of its own, so that a running receiver keeps its.
async fn send(broker: &Broker, client: &str, topic: String, payload: Vec<u8>) -> anyhow::Result<()> {
    let subscriptions = Subscriptions { filters: Vec::new(), renew: false };
    let opened = Link::open(broker, client, None, &subscriptions).await;
    let mut link = opened.map_err(|fault| anyhow::anyhow!("{fault}: {}", fault.mend()))?;
    link.publish(topic, payload, false).map_err(|fault| anyhow::anyhow!("{fault}: {}", fault.mend()))?;
    let acknowledged = async {
        loop {
            match link.next().await {
                LinkEvent::Acknowledged(_) => return Ok(()),
                LinkEvent::Lost(fault) => bail!("{fault}: {}", fault.mend()),
                _ => {}
            }
        }
    };
    tokio::time::timeout(PATIENCE, acknowledged)
        .await
        .context("the broker does not say that it has it")??;
    link.close().await;
    Ok(())
}
