//! `milepost command`: the department's word to its units, signed, and what they answer.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::hotlist::keys::{self, Passphrase};
use super::hotlist::publish::{BrokerArgs, Link, Message};
use crate::command::{Act, Command, CommandResult, Outcome};
use crate::delivery::{Topic, UnitTopic};
use crate::hotlist::Text;
use crate::words::{CameraId, UnitId};

/// Take a unit out of service or return it, verify its aim, have a snapshot sent; by signed message (for the department)
///
/// Waits for what the unit answers. The exit status is 0 if every unit did it, 1 if one refused or did not answer.
#[derive(Debug, clap::Args)]
pub struct CommandArgs {
    /// The unit; give it several times for several units
    #[arg(long, required = true, value_name = "UNIT")]
    unit: Vec<UnitId>,
    /// Your private key; the units know it with your name and role ([[command.people]])
    #[arg(long, value_name = "FILE")]
    sign_key: PathBuf,
    #[command(flatten)]
    passphrase: Passphrase,
    #[command(flatten)]
    broker: BrokerArgs,
    /// Why, in your words; it stands in the unit's audit log
    #[arg(long, global = true, default_value = "")]
    reason: Text<200>,
    /// For how many minutes a unit that is offline may still carry it out when it comes back
    #[arg(long, global = true, default_value_t = 15, value_parser = clap::value_parser!(u16).range(1..=1440))]
    good_for_min: u16,
    /// For how many seconds to wait for the answers
    #[arg(long, global = true, default_value_t = 30)]
    wait_s: u16,
    #[command(subcommand)]
    act: ActArgs,
}

#[derive(Debug, clap::Subcommand)]
enum ActArgs {
    /// Out of service: no alerts are raised until it is returned
    TakeOut,
    /// Back into service; refused while a check still fails
    Return,
    /// Make the present view the reference: only after somebody has verified the aim
    VerifyAim {
        /// Of this camera; without it of every camera
        #[arg(long)]
        camera: Option<CameraId>,
    },
    /// Have a picture of what a camera sees now delivered to the receiver
    Snapshot {
        /// Of this camera; without it of the first
        #[arg(long)]
        camera: Option<CameraId>,
    },
}

impl CommandArgs {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        anyhow::ensure!(
            !self.reason.is_empty(),
            "say why: --reason \"...\"; it stands in the unit's audit log"
        );
        let key = keys::open(&self.sign_key, &self.passphrase)?;
        let act = match self.act {
            ActArgs::TakeOut => Act::TakeOut {},
            ActArgs::Return => Act::Return {},
            ActArgs::VerifyAim { camera } => Act::VerifyAim { camera },
            ActArgs::Snapshot { camera } => Act::SendSnapshot { camera },
        };
        let good_for = SignedDuration::from_mins(self.good_for_min.into());
        let command = |unit: &UnitId| {
            Command::new(unit.clone(), act.clone(), self.reason.clone(), Timestamp::now(), good_for)
        };
        let mut open: Vec<Command> = self.unit.iter().map(command).collect();
        let message = |command: &Command| {
            let topic = Topic::Unit(command.unit.clone(), UnitTopic::Commands);
            Message::once(topic.to_string(), command.sign(&key))
        };
        let messages: Vec<Message> = open.iter().map(message).collect();
        let results =
            self.unit.iter().map(|unit| Topic::Unit(unit.clone(), UnitTopic::CommandResults).to_string());
        let mut refused = false;
        let hear = |answer: &[u8]| {
            let Ok(result) = serde_json::from_slice::<CommandResult>(answer) else { return true };
            // Others' results come by the same topic.
            let known = open
                .iter()
                .position(|command| (command.nonce, &command.unit) == (result.nonce, &result.unit));
            if let Some(known) = known {
                open.remove(known);
                refused |= result.outcome == Outcome::Refused;
                tell(&result);
            }
            !open.is_empty()
        };
        let patience = Duration::from_secs(self.wait_s.into());
        Link::new(&self.broker)?.ask(&messages, &results.collect::<Vec<_>>(), patience, hear)?;
        for command in &open {
            println!(
                "{}: no answer in {} s. It may be offline, or this certificate may not write its commands. It may still \
                 carry the command out until {:.0}.",
                command.unit, self.wait_s, command.expires
            );
        }
        Ok(if refused || !open.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}

fn tell(result: &CommandResult) {
    let refused = if result.outcome == Outcome::Refused { "refused. " } else { "" };
    println!("{}: {refused}{}", result.unit, result.said);
    if let Some(snapshot) = &result.snapshot {
        println!("The receiver stores it as {}.jpg, SHA-256 {}.", snapshot.picture, snapshot.sha256);
    }
}
