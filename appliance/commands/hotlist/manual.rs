//! Requests and approvals of manual entries, signed and sent to units.

use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};

use super::keys::{self, Passphrase};
use super::number;
use super::publish::{BrokerArgs, Link, Message};
use crate::crypto::Letter;
use crate::delivery::{Topic, UnitTopic};
use crate::hotlist::{Category, Entry, Level, Listed, ManualAct, ManualMessage, Request, Text};
use crate::words::{RecordId, State, UnitId};

#[derive(Debug, clap::Args)]
pub struct Manual {
    /// The unit that is to take it; give it several times for several units
    #[arg(long, required = true, value_name = "UNIT")]
    unit: Vec<UnitId>,
    /// Your private key; the units know it with your name ([[hotlist.people]])
    #[arg(long, value_name = "FILE")]
    sign_key: PathBuf,
    #[command(flatten)]
    passphrase: Passphrase,
    #[command(flatten)]
    broker: BrokerArgs,
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, clap::Subcommand)]
enum Act {
    /// Ask for an entry; it matches nothing until another person approves it
    Add(EntryArgs),
    /// Ask that another entry take the place of one
    Change {
        /// The id of the entry
        id: RecordId,
        #[command(flatten)]
        entry: EntryArgs,
    },
    /// Ask that an entry be taken out
    Remove {
        /// The id of the entry
        id: RecordId,
        /// Why it is to be taken out
        #[arg(long, value_parser = reason)]
        reason: Text<200>,
    },
    /// Approve what another person asked for
    Approve {
        /// The id of the request
        id: RecordId,
    },
    /// Say no to a request, or take back your own
    Decline {
        /// The id of the request
        id: RecordId,
    },
}

#[derive(Debug, clap::Args)]
struct EntryArgs {
    /// The plate, or a part of one with ? for one unknown character and * for several
    #[arg(long)]
    plate: Listed,
    /// The state of issuance (postal code); without it any state
    #[arg(long, value_parser = state)]
    state: Option<State>,
    #[arg(long)]
    category: Category,
    /// Why the vehicle is looked for
    #[arg(long, value_parser = reason)]
    reason: Text<200>,
    /// Overrides the level of the category
    #[arg(long)]
    level: Option<Level>,
    #[arg(long, default_value = "")]
    authority: Text<100>,
    #[arg(long, default_value = "")]
    case: Text<60>,
    /// Instructions and caution for the officer
    #[arg(long, default_value = "")]
    instructions: Text<500>,
    /// For how many hours it is to match, at most 30 days (720). Without it 72 for amber and missing-child; 168 for stolen,
    /// missing-person and missing-college-student; 48 for wanted and person-of-interest; 24 for all others
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=720))]
    hours: Option<u16>,
}

fn state(code: &str) -> Result<State, String> {
    State::from_code(code).ok_or_else(|| format!("{code:?} is not the postal code of a US state or DC"))
}

fn reason(text: &str) -> Result<Text<200>, String> {
    let reason: Text<200> = Text::parse(text).map_err(|error| error.to_string())?;
    if reason.is_empty() {
        Err("nothing is entered or taken out without a reason".to_owned())
    } else {
        Ok(reason)
    }
}

impl EntryArgs {
    fn entry(self, now: Timestamp) -> Entry {
        Entry {
            state: self.state,
            level: self.level,
            reason: self.reason,
            authority: self.authority,
            case: self.case,
            instructions: self.instructions,
            until: self.hours.map(|hours| now + SignedDuration::from_hours(hours.into())),
            ..Entry::new(self.plate, self.category)
        }
    }
}

impl Act {
    fn said(self, now: Timestamp) -> ManualAct {
        match self {
            Self::Add(entry) => ManualAct::Request(Request::Add { entry: entry.entry(now) }),
            Self::Change { id, entry } => {
                ManualAct::Request(Request::Change { of: id, entry: entry.entry(now) })
            }
            Self::Remove { id, reason } => ManualAct::Request(Request::Remove { of: id, reason }),
            Self::Approve { id } => ManualAct::Approve(id),
            Self::Decline { id } => ManualAct::Decline(id),
        }
    }
}

impl Manual {
    pub fn run(self) -> anyhow::Result<()> {
        let key = keys::open(&self.sign_key, &self.passphrase)?;
        let now = Timestamp::now();
        let act = self.act.said(now);
        let is_request = matches!(act, ManualAct::Request(_));
        let first = ManualMessage::new(self.unit[0].clone(), act, now);
        let message = |unit: &UnitId| {
            Message::once(
                Topic::Unit(unit.clone(), UnitTopic::ManualEntries).to_string(),
                // One id for all units, so that one approval names it.
                ManualMessage { unit: unit.clone(), ..first.clone() }.sign(&key),
            )
        };
        let messages: Vec<Message> = self.unit.iter().map(message).collect();
        Link::new(&self.broker)?.send(&messages, "sending")?;
        println!(
            "The broker has it for {}. What they make of it stands in their audit log.",
            number(messages.len(), "unit", "units")
        );
        if is_request {
            println!("Another person approves it by: milepost hotlist manual ... approve {}", first.id);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::{Args, Command, Parser};

    use super::*;
    use crate::hotlist::default_hours;

    #[derive(clap::Parser)]
    struct Arguments {
        #[command(flatten)]
        entry: EntryArgs,
    }

    #[test]
    fn what_units_would_refuse_is_not_sent() {
        let add = |reason: &str, hours: &str| {
            let all = ["add", "--plate", "A1", "--category", "bolo", "--reason", reason, "--hours", hours];
            Arguments::try_parse_from(all)
                .map(|arguments| arguments.entry.hours)
                .map_err(|error| error.to_string())
        };
        assert_eq!(add("left the scene", "720"), Ok(Some(720)));
        assert!(add(" ", "24").unwrap_err().contains("without a reason"));
        for hours in ["0", "721"] {
            assert!(add("left the scene", hours).unwrap_err().contains("1..=720"), "{hours}");
        }
    }

    #[test]
    fn the_help_names_the_hours_that_units_take() {
        let command = EntryArgs::augment_args(Command::new("add"));
        let hours = command.get_arguments().find(|argument| argument.get_id() == "hours").unwrap();
        let help = hours.get_help().unwrap().to_string();
        let (named, others) =
            help.split_once("; 24 for all others").map_or((help.as_str(), false), |(n, _)| (n, true));
        assert!(others, "{help}");
        for category in Category::ALL {
            let part =
                named.split(';').find(|part| part.split([' ', ',']).any(|word| word == category.code()));
            let hours = part
                .map_or(24, |part| part.split_whitespace().rev().find_map(|word| word.parse().ok()).unwrap());
            assert_eq!(hours, default_hours(category), "{category}: {help}");
        }
    }
}
