//! Preserving records for a case, releasing them, and the end of the others.

use std::collections::BTreeSet;

use clap::Args;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::Folder;
use crate::hotlist::Text;
use crate::receive::{Deed, Hold, Keep, Selection, expire, holds, preserve, release};
use crate::words::{PersonName, Plate, RecordId, UnitId};

/// Keep records for a case, whatever their age: of an alert, a plate, a unit, a time span
///
/// Held is what fits and is here, and what fits and comes later, with the pictures and answers that belong to
/// it. Where several things are given, only what fits all of them is held.
#[derive(Debug, Args)]
pub struct Preserve {
    /// The case that needs them
    #[arg(long)]
    case: Text<100>,
    #[command(flatten)]
    who: WhoAndWhy,
    #[command(flatten)]
    what: What,
    #[command(flatten)]
    folder: Folder,
}

/// List what is preserved, for which case, by whom and why
#[derive(Debug, Args)]
pub struct Holds {
    #[command(flatten)]
    folder: Folder,
}

/// End a hold; what no other hold needs is kept no longer than everything else
#[derive(Debug, Args)]
pub struct Release {
    /// The hold's id, as `preserve` and `holds` print it
    hold: RecordId,
    #[command(flatten)]
    who: WhoAndWhy,
    #[command(flatten)]
    folder: Folder,
}

/// Destroy now what was kept long enough and is not preserved; a running receiver does so by itself every hour
///
/// Of each record a line stays in `expired.jsonl` beside it: id, digest, when it was received and when destroyed.
#[derive(Debug, Args)]
pub struct Expire {
    /// Days for which records are kept after they were received
    #[arg(long, value_name = "DAYS", default_value_t = Keep::default())]
    keep_days: Keep,
    /// Your name, as it is to stand in the log
    #[arg(long, value_name = "NAME", value_parser = person)]
    by: PersonName,
    #[command(flatten)]
    folder: Folder,
}

#[derive(Debug, Args)]
pub struct WhoAndWhy {
    /// Your name, as it is to stand in the log
    #[arg(long, value_name = "NAME", value_parser = person)]
    pub by: PersonName,
    /// The reason, as it is to stand in the log
    #[arg(long, value_name = "REASON")]
    pub why: Text<200>,
}

/// Which records.
#[derive(Debug, Args)]
pub struct What {
    /// An alert with all that belongs to it, a read or a picture, by its id; may be given several times
    #[arg(long = "record", visible_alias = "alert", value_name = "ID")]
    records: Vec<RecordId>,
    /// A plate, as it was read or as it is listed
    #[arg(long, value_parser = plate)]
    plate: Option<Plate>,
    /// A unit
    #[arg(long)]
    unit: Option<UnitId>,
    /// What happened from then on: a date (UTC) or a time such as 2026-03-01T07:30:00-05:00
    #[arg(long, value_name = "TIME", value_parser = time)]
    from: Option<Timestamp>,
    /// What happened before
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<Timestamp>,
}

impl Preserve {
    pub fn run(self) -> anyhow::Result<()> {
        let (ledger, clock) = self.folder.open()?;
        let (hold, amount) =
            preserve(&ledger, &clock, self.case, self.who.deed(), self.what.selection(false))?;
        println!(
            "Preserved for {}: {amount} that are here, and what fits and comes later.",
            hold.case.as_str()
        );
        println!("Hold {}", hold.id);
        println!("It ends by: milepost receive release {} --by NAME --why REASON", hold.id);
        Ok(())
    }
}

impl Holds {
    pub fn run(self) -> anyhow::Result<()> {
        let (ledger, _) = self.folder.open()?;
        let holds = holds(&ledger)?;
        if holds.is_empty() {
            println!("Nothing is preserved in {}.", self.folder.folder.display());
        }
        for Hold { id, case, by, why, at, selection } in holds {
            let what = serde_json::to_string(&selection).expect("a selection is plain data with string keys");
            println!("{id}  {}  since {at:.0} by {by}: {}\n    {what}", case.as_str(), why.as_str());
        }
        Ok(())
    }
}

impl Release {
    pub fn run(self) -> anyhow::Result<()> {
        let (ledger, clock) = self.folder.open()?;
        let hold = release(&ledger, &clock, self.hold, self.who.deed())?;
        println!("Released what was preserved for {} since {:.0}.", hold.case.as_str(), hold.at);
        Ok(())
    }
}

impl Expire {
    pub fn run(self) -> anyhow::Result<()> {
        let (ledger, clock) = self.folder.open()?;
        let amount = expire(&ledger, &clock, self.keep_days, Some(&self.by))?;
        println!("Expired: {amount}, received more than {} days ago and not preserved.", self.keep_days);
        Ok(())
    }
}

impl WhoAndWhy {
    pub fn deed(self) -> Deed {
        Deed { by: self.by, why: self.why }
    }
}

impl What {
    pub fn selection(self, hits: bool) -> Selection {
        let Self { records, plate, unit, from, until } = self;
        Selection { records: BTreeSet::from_iter(records), plate, unit, from, until, hits }
    }
}

pub fn person(text: &str) -> Result<PersonName, String> {
    PersonName::parse(text).map_err(|error| error.to_string())
}

fn plate(text: &str) -> Result<Plate, String> {
    Plate::parse(text).map_err(|error| error.to_string())
}

fn time(text: &str) -> Result<Timestamp, String> {
    let midnight = |date: Date| TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok();
    let date = || text.parse::<Date>().ok().and_then(midnight);
    text.parse().ok().or_else(date).ok_or_else(|| {
        format!(
            "{text:?} is no time: write a date as 2026-03-01, or a time as 2026-03-01T07:30:00-05:00 or ...Z"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_date_or_a_moment() {
        assert_eq!(time("2026-03-01").unwrap().to_string(), "2026-03-01T00:00:00Z");
        assert_eq!(time("2026-03-01T07:30:00-05:00").unwrap().to_string(), "2026-03-01T12:30:00Z");
        assert!(time("yesterday").unwrap_err().starts_with("\"yesterday\" is no time"));
    }
}
