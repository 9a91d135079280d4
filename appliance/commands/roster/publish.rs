use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};

use super::read;
use crate::commands::hotlist::publish::{BrokerArgs, Link, Message};
use crate::delivery::Topic;
use crate::roster::Roster;

/// After this long without a retained roster there is none.
const QUIET: Duration = Duration::from_secs(3);

#[derive(Debug, clap::Args)]
pub struct Publish {
    /// The signed roster
    signed: PathBuf,
    #[command(flatten)]
    broker: BrokerArgs,
}

impl Publish {
    pub fn run(self) -> anyhow::Result<()> {
        let signed = read(&self.signed)?;
        let (roster, _) = Roster::look(&signed).with_context(|| {
            format!("{} is no signed roster: see `milepost roster sign`", self.signed.display())
        })?;
        roster.check().with_context(|| format!("{} cannot be published", self.signed.display()))?;
        let topic = Topic::Roster(roster.roster.clone()).to_string();
        let mut link = Link::new(&self.broker)?;
        let mut before = None;
        link.ask(&[], std::slice::from_ref(&topic), QUIET, |retained| {
            before = Roster::look(retained).ok().map(|(before, _)| before);
            false
        })?;
        leads_on(&roster, before.as_ref())?;
        link.send(&[Message::retained(topic.clone(), signed.clone())], "publishing")?;
        link.wait_for(&topic, &signed)?;
        println!(
            "{} version {} is on the broker. Units that are connected have it now, others when they come back.",
            roster.roster, roster.version
        );
        Ok(())
    }
}

/// Refuses what units would refuse, before it takes the place of what they take.
fn leads_on(roster: &Roster, before: Option<&Roster>) -> anyhow::Result<()> {
    let Some(before) = before else { return Ok(()) };
    ensure!(
        before.version < roster.version || before == roster,
        "the broker has version {} of {} already, and units take nothing older: sign with --version {} or above",
        before.version,
        roster.roster,
        before.version + 1
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::words::RosterName;

    #[test]
    fn nothing_is_published_that_units_would_refuse() {
        let roster = |version, second| Roster {
            roster: RosterName::parse("patrol").unwrap(),
            version,
            issued: Timestamp::from_second(second).unwrap(),
            expires: None,
            people: Vec::new(),
        };
        for (new, before) in
            [(roster(3, 9), Some(roster(2, 5))), (roster(3, 9), Some(roster(3, 9))), (roster(1, 1), None)]
        {
            leads_on(&new, before.as_ref()).unwrap();
        }
        for (new, before) in [(roster(3, 9), roster(4, 5)), (roster(3, 9), roster(3, 8))] {
            let refused = leads_on(&new, Some(&before)).unwrap_err().to_string();
            assert!(refused.contains(&format!("--version {}", before.version + 1)), "{refused}");
        }
    }
}
