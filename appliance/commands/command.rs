//! `milepost command`: the department's word to its units, signed, and what they answer.

mod certificates;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::hotlist::keys::{self, Passphrase};
use super::hotlist::publish::{BrokerArgs, Link, Message};
use crate::command::{Act, Command, CommandResult, Outcome};
use crate::crypto::{Letter, SigningKey};
use crate::delivery::{Topic, UnitTopic};
use crate::hotlist::Text;
use crate::words::{CameraId, UnitId};

/// Take a unit out of service or return it, verify its aim, have a snapshot sent, roll its configuration back, renew its
/// certificate; by signed message (for the department)
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
    /// For how many seconds to wait for the answers. Default 30; 90 where a certificate is tried, 180 where a
    /// configuration is rolled back
    #[arg(long, global = true)]
    wait_s: Option<u16>,
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
    /// Go back to the configuration from before the latest change that was kept; the unit starts anew with it, keeps it if it
    /// then reaches the broker, and returns to the present one if not
    RollBack,
    /// Have the unit make a key and send the certificate request for it
    RequestCertificate(certificates::Request),
    /// Give the unit a certificate, or other authorities; it tries them first, and stays with the old if they do not work
    InstallCertificate(certificates::Install),
    /// Both at once: have a request made, have it signed by a program of yours, and install the certificate
    RotateCertificate(certificates::Rotate),
}

/// Whoever commands, and the way to the units.
struct Desk {
    key: SigningKey,
    broker: BrokerArgs,
    reason: Text<200>,
    good_for: SignedDuration,
    wait_s: Option<u16>,
}

/// What came of some commands.
struct Answers {
    done: Vec<CommandResult>,
    /// Whether every unit did it.
    all: bool,
}

const ANSWER_WITHIN_S: u16 = 30;
/// The unit starts anew, and once more after the time in which it may reach the broker: 120 seconds if nobody set another.
const WENT_BACK_WITHIN_S: u16 = 180;
/// A certificate is proved, shown by the session and watched for a while before the answer comes.
const TRIED_WITHIN_S: u16 = 90;

impl CommandArgs {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        anyhow::ensure!(
            !self.reason.is_empty(),
            "say why: --reason \"...\"; it stands in the unit's audit log"
        );
        let desk = Desk {
            key: keys::open(&self.sign_key, &self.passphrase)?,
            broker: self.broker,
            reason: self.reason,
            good_for: SignedDuration::from_mins(self.good_for_min.into()),
            wait_s: self.wait_s,
        };
        let units = &self.unit;
        let all = |act: Act| desk.send(units.iter().map(|unit| (unit.clone(), act.clone())).collect());
        let well = match self.act {
            ActArgs::TakeOut => all(Act::TakeOut {})?.all,
            ActArgs::Return => all(Act::Return {})?.all,
            ActArgs::VerifyAim { camera } => all(Act::VerifyAim { camera })?.all,
            ActArgs::Snapshot { camera } => all(Act::SendSnapshot { camera })?.all,
            ActArgs::RollBack => all(Act::RollBackConfiguration {})?.all,
            ActArgs::RequestCertificate(args) => args.run(&desk, units)?,
            ActArgs::InstallCertificate(args) => args.run(&desk, units)?,
            ActArgs::RotateCertificate(args) => args.run(&desk, units)?,
        };
        Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

impl Desk {
    /// Sends a command to each of these units, and tells what they answer.
    fn send(&self, orders: Vec<(UnitId, Act)>) -> anyhow::Result<Answers> {
        let longest = orders.iter().map(|(_, act)| match act {
            Act::RollBackConfiguration {} => WENT_BACK_WITHIN_S,
            Act::InstallCertificate(_) => TRIED_WITHIN_S,
            _ => ANSWER_WITHIN_S,
        });
        let wait_s = self.wait_s.or(longest.max()).unwrap_or(ANSWER_WITHIN_S);
        let command =
            |(unit, act)| Command::new(unit, act, self.reason.clone(), Timestamp::now(), self.good_for);
        let mut open: Vec<Command> = orders.into_iter().map(command).collect();
        let message = |command: &Command| {
            let topic = Topic::Unit(command.unit.clone(), UnitTopic::Commands);
            Message::once(topic.to_string(), command.sign(&self.key))
        };
        let messages: Vec<Message> = open.iter().map(message).collect();
        let results =
            |command: &Command| Topic::Unit(command.unit.clone(), UnitTopic::CommandResults).to_string();
        let results: Vec<String> = open.iter().map(results).collect();
        let mut answers = Answers { done: Vec::new(), all: true };
        let hear = |answer: &[u8]| {
            let Ok(result) = serde_json::from_slice::<CommandResult>(answer) else { return true };
            // Others' results come by the same topic.
            let known = open
                .iter()
                .position(|command| (command.nonce, &command.unit) == (result.nonce, &result.unit));
            if let Some(known) = known {
                open.remove(known);
                tell(&result);
                match result.outcome {
                    Outcome::Done => answers.done.push(result),
                    Outcome::Refused => answers.all = false,
                }
            }
            !open.is_empty()
        };
        Link::new(&self.broker)?.ask(&messages, &results, Duration::from_secs(wait_s.into()), hear)?;
        for command in &open {
            println!(
                "{}: no answer in {wait_s} s. It may be offline, or this certificate may not write its commands. It may still \
                 carry the command out until {:.0}.",
                command.unit, command.expires
            );
        }
        answers.all &= open.is_empty();
        Ok(answers)
    }
}

fn tell(result: &CommandResult) {
    let refused = if result.outcome == Outcome::Refused { "refused. " } else { "" };
    println!("{}: {refused}{}", result.unit, result.said);
    if let Some(snapshot) = &result.snapshot {
        println!("The receiver stores it as {}.jpg, SHA-256 {}.", snapshot.picture, snapshot.sha256);
    }
}
