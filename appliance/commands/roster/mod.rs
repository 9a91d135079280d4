//! `milepost roster`: the people who may sign in at the department's units, from a file at the department to the broker.
//!
//! Owns the roster's file (people, and the last version that was signed). Must not know how a unit keeps accounts.

mod draft;
mod publish;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, ensure};
use clap::ValueEnum;
use clap::builder::PossibleValue;
use jiff::{SignedDuration, Timestamp};

use super::hotlist::keys::{self, Passphrase};
use crate::console::{GivenSecret, Member, OneTimeCode, Role};
use crate::roster::Roster;
use crate::system::write_durably;
use crate::words::{PersonName, RosterName};
use draft::Draft;

/// Say who may sign in at your units, all of them at once (for the department)
///
/// The people stand in a file, roster.json. Change it, sign it, publish it: units that are connected follow at that instant, and
/// sign out who may not sign in any more; others follow when they come back.
///
///   milepost roster new patrol
///   milepost roster add "Jo Hill" --role officer         # prints the code that Jo Hill signs in with
///   milepost roster sign --sign-key ann.key              # a key of `milepost hotlist keygen`; units have it under [roster]
///   milepost roster publish patrol.roster --broker HOST:8883 --ca authority.pem --cert administrator.pem --key administrator.key
///
/// To shut somebody out everywhere: milepost roster disable "Jo Hill", then sign and publish.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct RosterArgs {
    /// The file with the people
    #[arg(long, global = true, default_value = "roster.json", value_name = "FILE")]
    file: PathBuf,
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, clap::Subcommand)]
enum Act {
    /// Begin a roster without people
    New {
        /// As units have it under [roster], such as `patrol`
        name: RosterName,
    },
    /// Add a person, and print the code that they sign in with
    Add {
        #[arg(value_parser = person)]
        name: PersonName,
        /// What the person may do
        #[arg(long)]
        role: Role,
    },
    /// Give a person a new code, where the former is lost or known to others
    Renew {
        #[arg(value_parser = person)]
        name: PersonName,
    },
    /// Give a person another role
    Role {
        #[arg(value_parser = person)]
        name: PersonName,
        role: Role,
    },
    /// Shut a person out until they are enabled again
    Disable {
        #[arg(value_parser = person)]
        name: PersonName,
    },
    /// Let a person in again, with the code or password from before
    Enable {
        #[arg(value_parser = person)]
        name: PersonName,
    },
    /// Take a person out for good
    Remove {
        #[arg(value_parser = person)]
        name: PersonName,
    },
    /// Say who stands in the file, or in a signed roster
    Show {
        /// A signed roster; without it the file
        signed: Option<PathBuf>,
    },
    /// Sign the roster as its next version
    Sign(Sign),
    /// Add your signature to one that somebody else signed, where units ask for two
    Countersign {
        /// The signed roster; look at it first with `milepost roster show`
        signed: PathBuf,
        #[command(flatten)]
        key: Key,
    },
    /// Send a signed roster to the broker, where units fetch it
    Publish(publish::Publish),
}

#[derive(Debug, clap::Args)]
struct Sign {
    #[command(flatten)]
    key: Key,
    /// Where to write it; without this the roster's name with .roster
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// For how many days it counts; without this until the next one
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    good_for_days: Option<u16>,
    /// The version, where the file has lost count
    #[arg(long)]
    version: Option<u64>,
}

#[derive(Debug, clap::Args)]
struct Key {
    /// Your private key; units have its public half under [roster]
    #[arg(long, value_name = "FILE")]
    sign_key: PathBuf,
    #[command(flatten)]
    passphrase: Passphrase,
}

impl ValueEnum for Role {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let help = match self {
            Self::Technician => "aims and maintains; sees no alerts",
            Self::Officer => "sees alerts and hot lists",
            Self::Administrator => "may do all",
        };
        Some(PossibleValue::new(self.token()).help(help))
    }
}

fn person(text: &str) -> Result<PersonName, String> {
    PersonName::parse(text).map_err(|error| error.to_string())
}

impl RosterArgs {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let file = &self.file;
        match self.act {
            Act::New { name } => {
                Draft::begin(name, file)?;
                println!("{} is a roster without people: `milepost roster add` comes next", file.display());
            }
            Act::Add { name, role } => {
                let code = OneTimeCode::generate();
                let secret = GivenSecret::of(&code);
                let member = Member { name: name.clone(), role, secret, disabled: false };
                Draft::change(file, |draft| draft.add(member))?;
                hand_over(&name, &code);
            }
            Act::Renew { name } => {
                let code = OneTimeCode::generate();
                let secret = GivenSecret::of(&code);
                let name = Draft::change(file, |draft| {
                    let person = draft.person(&name)?;
                    person.secret = secret;
                    Ok(person.name.clone())
                })?;
                hand_over(&name, &code);
                println!(
                    "The former code, and passwords that {name} has set at units, are void there once this is published."
                );
            }
            Act::Role { name, role } => {
                alter(file, &name, |person| person.role = role)?;
            }
            Act::Disable { name } => alter(file, &name, |person| person.disabled = true)?,
            Act::Enable { name } => alter(file, &name, |person| person.disabled = false)?,
            Act::Remove { name } => {
                Draft::change(file, |draft| draft.remove(&name))?;
                unsigned(file);
            }
            Act::Show { signed: None } => Draft::load(file)?.tell(),
            Act::Show { signed: Some(signed) } => show(&signed)?,
            Act::Sign(sign) => sign.run(file)?,
            Act::Countersign { signed, key } => countersign(&signed, &key)?,
            Act::Publish(publish) => publish.run()?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn alter(file: &Path, name: &PersonName, change: impl FnOnce(&mut Member)) -> anyhow::Result<()> {
    Draft::change(file, |draft| draft.person(name).map(change))?;
    unsigned(file);
    Ok(())
}

fn unsigned(file: &Path) {
    println!("Written to {}. Units follow once it is signed and published.", file.display());
}

/// The one place where a code is shown.
fn hand_over(name: &PersonName, code: &OneTimeCode) {
    println!("{name} signs in with this code, which is shown only now:\n\n    {code}\n");
    println!("At a unit, {name} may set a password of their own in its place.");
}

impl Sign {
    fn run(self, file: &Path) -> anyhow::Result<()> {
        let key = keys::open(&self.key.sign_key, &self.key.passphrase)?;
        let issued = Timestamp::now();
        let expires =
            self.good_for_days.map(|days| issued + SignedDuration::from_hours(24 * i64::from(days)));
        // Counted first: a version that is signed twice would be refused.
        let roster = Draft::change(file, |draft| {
            let next = draft.version + 1;
            let version = self.version.unwrap_or(next);
            ensure!(version >= next, "version {} was signed already: the next is {next}", draft.version);
            draft.version = version;
            Ok(Roster {
                roster: draft.roster.clone(),
                version,
                issued,
                expires,
                people: draft.people.clone(),
            })
        })?;
        roster.check().with_context(|| format!("{} cannot be signed", file.display()))?;
        let out = self.out.unwrap_or_else(|| PathBuf::from(format!("{}.roster", roster.roster)));
        write_durably(&out, &roster.sign(&[&key]))
            .with_context(|| format!("cannot write {}", out.display()))?;
        let able = roster.people.iter().filter(|person| !person.disabled).count();
        println!(
            "{}: {} version {}, {able} people may sign in",
            out.display(),
            roster.roster,
            roster.version
        );
        if able == 0 {
            println!("Nobody of it may sign in: units keep only the accounts that were made at them.");
        }
        println!(
            "It is signed by key {}. `milepost roster publish {}` comes next.",
            key.verifying_key().id(),
            out.display()
        );
        Ok(())
    }
}

fn countersign(path: &Path, key: &Key) -> anyhow::Result<()> {
    let signed = read(path)?;
    let key = keys::open(&key.sign_key, &key.passphrase)?;
    let not = || format!("{} is no signed roster", path.display());
    let both = Roster::countersign(&signed, &key).with_context(not)?;
    let (roster, by) = Roster::look(&both).with_context(not)?;
    write_durably(path, &both).with_context(|| format!("cannot write {}", path.display()))?;
    println!("{} version {} has {} signatures now", roster.roster, roster.version, by.len());
    Ok(())
}

fn show(path: &Path) -> anyhow::Result<()> {
    let (roster, by) =
        Roster::look(&read(path)?).with_context(|| format!("{} is no signed roster", path.display()))?;
    let by: Vec<String> = by.iter().map(ToString::to_string).collect();
    println!(
        "{} version {}, of {:.0}, signed by {}",
        roster.roster,
        roster.version,
        roster.issued,
        by.join(" and ")
    );
    if let Some(expires) = roster.expires {
        println!("It counts until {expires:.0}.");
    }
    draft::tell_people(&roster.people);
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}
