//! Exports as departments have them, to entries. Every bad line is told, none is taken by half.

use std::collections::HashMap;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context, bail};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::list_file;
use crate::hotlist::{Category, Entry, Level, Listed, Text};
use crate::words::State;

#[derive(Debug, clap::Args)]
pub struct Import {
    /// The export: CSV with , ; or tab, with or without a header line, or text in fixed columns
    file: PathBuf,
    /// The list file to write
    #[arg(long, short, value_name = "FILE")]
    out: PathBuf,
    /// Which column holds what: `plate=1,state=2` by number, `plate=LIC_NO,state=ST` by header, or
    /// `plate=1-8,state=9-10` for fixed columns (first and last character)
    #[arg(long, value_name = "FIELD=COLUMN,...", value_delimiter = ',')]
    columns: Vec<Column>,
    /// What separates columns, if it is not found out from the first line
    #[arg(long, value_name = "CHARACTER")]
    delimiter: Option<char>,
    /// The category of lines that name none
    #[arg(long, default_value = "stolen")]
    category: Category,
    /// Who answers for lines that do not say
    #[arg(long, default_value = "")]
    authority: Text<100>,
    /// Leave bad lines out instead of refusing the whole export
    #[arg(long)]
    skip_bad: bool,
}

/// What a column may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Field {
    Plate,
    State,
    Category,
    Level,
    Reason,
    Authority,
    Case,
    Instructions,
    From,
    Until,
}

impl Field {
    /// The name, then what headers also call it.
    const NAMES: [(Self, &'static [&'static str]); 10] = [
        (
            Self::Plate,
            &[
                "plate",
                "license",
                "licence",
                "lic",
                "licenseplate",
                "licenceplate",
                "platenumber",
                "tag",
                "lpn",
            ],
        ),
        (Self::State, &["state", "st", "stateofissuance", "platestate", "lis"]),
        (Self::Category, &["category", "type", "kind"]),
        (Self::Level, &["level", "priority", "alertlevel"]),
        (Self::Reason, &["reason", "offense", "offence", "description"]),
        (Self::Authority, &["authority", "agency", "ori", "source"]),
        (Self::Case, &["case", "casenumber", "reference", "nic"]),
        (Self::Instructions, &["instructions", "caution", "remarks", "notes"]),
        (Self::From, &["from", "start", "validfrom", "entered"]),
        (Self::Until, &["until", "to", "end", "expires", "validuntil"]),
    ];

    fn of_header(header: &str) -> Option<Self> {
        let plain: String =
            header.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
        Self::NAMES.into_iter().find(|(_, names)| names.contains(&plain.as_str())).map(|(field, _)| field)
    }
}

/// One `FIELD=COLUMN`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Column {
    field: Field,
    place: Place,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// Counted from 0.
    Number(usize),
    Header(String),
    /// Characters `from..to`, counted from 0.
    Characters {
        from: usize,
        to: usize,
    },
}

impl FromStr for Column {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (field, place) =
            text.split_once('=').ok_or_else(|| format!("{text:?} is not FIELD=COLUMN, such as plate=1"))?;
        let known = || Field::NAMES.map(|(_, names)| names[0]).join(", ");
        let field = Field::NAMES
            .into_iter()
            .find(|(_, names)| names[0] == field.trim())
            .map(|(field, _)| field)
            .ok_or_else(|| format!("{field:?} is not a field: use one of {}", known()))?;
        let counted = |number: &str| number.trim().parse::<usize>().ok().and_then(|n| n.checked_sub(1));
        let span = place.split_once('-').and_then(|(from, to)| Some((counted(from)?, counted(to)? + 1)));
        let place = match (counted(place), span) {
            (Some(number), _) => Place::Number(number),
            (None, Some((from, to))) if from < to => Place::Characters { from, to },
            (None, Some(_)) => return Err(format!("{place:?} ends before it begins")),
            (None, None) => Place::Header(place.trim().to_owned()),
        };
        Ok(Self { field, place })
    }
}

/// A line that makes no entry.
#[derive(Debug, PartialEq, Eq)]
struct BadLine {
    line: u64,
    why: String,
}

impl Import {
    pub fn run(self) -> anyhow::Result<()> {
        let file = self.file.display();
        let bytes = std::fs::read(&self.file).with_context(|| format!("cannot read the export {file}"))?;
        let (entries, bad) = self.parse(&bytes).with_context(|| format!("cannot import {file}"))?;
        for BadLine { line, why } in &bad {
            eprintln!("{file}:{line}: {why}");
        }
        if !bad.is_empty() && !self.skip_bad {
            bail!(
                "{} bad lines, {} good: nothing was written; mend them, or leave them out with --skip-bad",
                bad.len(),
                entries.len()
            );
        }
        list_file::write(&self.out, &entries)?;
        println!("{}: {} entries, {} bad lines left out", self.out.display(), entries.len(), bad.len());
        Ok(())
    }

    fn parse(&self, bytes: &[u8]) -> anyhow::Result<(Vec<Entry>, Vec<BadLine>)> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let is_span = |column: &Column| matches!(column.place, Place::Characters { .. });
        let spans = self.columns.iter().filter(|column| is_span(column)).count();
        let mut gathered =
            Gathered { defaults: self, entries: Vec::new(), first: HashMap::new(), bad: Vec::new() };
        match spans {
            0 => self.parse_separated(bytes, &mut gathered)?,
            all if all == self.columns.len() => self.parse_fixed(bytes, &mut gathered),
            _ => bail!("give either characters (plate=1-8) for every column, or for none"),
        }
        Ok((gathered.entries, gathered.bad))
    }

    fn parse_separated(&self, bytes: &[u8], gathered: &mut Gathered<'_>) -> anyhow::Result<()> {
        let first_line = bytes.split(|&byte| byte == b'\n').find(|line| !line.trim_ascii().is_empty());
        let delimiter = match self.delimiter {
            Some(delimiter) => {
                u8::try_from(delimiter).context("the delimiter must be one ASCII character")?
            }
            None => find_delimiter(first_line.unwrap_or_default()),
        };
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .has_headers(false)
            .flexible(true)
            .trim(csv::Trim::All)
            .from_reader(bytes);
        let mut record = csv::ByteRecord::new();
        let mut columns: Option<Vec<(Field, usize)>> = None;
        while reader.read_byte_record(&mut record).context("the export is no CSV")? {
            let line = record.position().map_or(0, csv::Position::line);
            let cells: Vec<_> = record.iter().map(std::str::from_utf8).collect();
            let Ok(cells) = cells.into_iter().collect::<Result<Vec<&str>, _>>() else {
                gathered.bad(line, "it is not UTF-8 text");
                continue;
            };
            if cells.iter().all(|cell| cell.is_empty()) {
                continue;
            }
            let Some(columns) = &columns else {
                let (found, is_header) = self.find_columns(&cells)?;
                if !is_header {
                    gathered.take(line, &pick(&found, &cells));
                }
                columns = Some(found);
                continue;
            };
            gathered.take(line, &pick(columns, &cells));
        }
        Ok(())
    }

    /// Which column holds which field, and whether this first line is a header.
    fn find_columns(&self, first: &[&str]) -> anyhow::Result<(Vec<(Field, usize)>, bool)> {
        let is_header = first.iter().any(|cell| Field::of_header(cell) == Some(Field::Plate))
            || self.columns.iter().any(|column| matches!(column.place, Place::Header(_)));
        if self.columns.is_empty() && is_header {
            let named = first.iter().enumerate().filter_map(|(n, cell)| Some((Field::of_header(cell)?, n)));
            return Ok((named.collect(), true));
        }
        if self.columns.is_empty() {
            // The simplest export: a plate, perhaps its state, perhaps a category.
            return Ok((vec![(Field::Plate, 0), (Field::State, 1), (Field::Category, 2)], false));
        }
        let mut found = Vec::new();
        for column in &self.columns {
            let number = match &column.place {
                Place::Number(number) => *number,
                Place::Header(name) => {
                    first.iter().position(|cell| cell.eq_ignore_ascii_case(name)).with_context(|| {
                        format!("no column is headed {name:?}; there are: {}", first.join(", "))
                    })?
                }
                Place::Characters { .. } => bail!("characters are for fixed columns only"),
            };
            found.push((column.field, number));
        }
        if !found.iter().any(|(field, _)| *field == Field::Plate) {
            bail!("--columns must say where the plate is, such as plate=1");
        }
        Ok((found, is_header))
    }

    fn parse_fixed(&self, bytes: &[u8], gathered: &mut Gathered<'_>) {
        for (index, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
            let number = index as u64 + 1;
            let Ok(text) = std::str::from_utf8(line) else {
                gathered.bad(number, "it is not UTF-8 text");
                continue;
            };
            if text.trim().is_empty() {
                continue;
            }
            let characters: Vec<char> = text.trim_end_matches('\r').chars().collect();
            let cells: Vec<(Field, String)> = self
                .columns
                .iter()
                .filter_map(|column| {
                    let Place::Characters { from, to } = column.place else { return None };
                    let cell = characters.get(from..to.min(characters.len())).unwrap_or_default();
                    Some((column.field, cell.iter().collect::<String>().trim().to_owned()))
                })
                .collect();
            let cells: Vec<(Field, &str)> =
                cells.iter().map(|(field, cell)| (*field, cell.as_str())).collect();
            gathered.take(number, &cells);
        }
    }
}

fn find_delimiter(line: &[u8]) -> u8 {
    let count = |delimiter: u8| line.iter().filter(|&&byte| byte == delimiter).count();
    [b',', b';', b'\t']
        .into_iter()
        .max_by_key(|&delimiter| (count(delimiter), delimiter == b','))
        .unwrap_or(b',')
}

fn pick<'a>(columns: &[(Field, usize)], cells: &[&'a str]) -> Vec<(Field, &'a str)> {
    columns.iter().map(|&(field, number)| (field, cells.get(number).copied().unwrap_or_default())).collect()
}

struct Gathered<'a> {
    defaults: &'a Import,
    entries: Vec<Entry>,
    /// The line that an entry was first on.
    first: HashMap<Entry, u64>,
    bad: Vec<BadLine>,
}

impl Gathered<'_> {
    fn take(&mut self, line: u64, cells: &[(Field, &str)]) {
        match entry(cells, self.defaults) {
            Err(why) => self.bad(line, &why),
            Ok(entry) => match self.first.get(&entry) {
                Some(first) => self.bad(line, &format!("it says the same as line {first}")),
                None => {
                    self.first.insert(entry.clone(), line);
                    self.entries.push(entry);
                }
            },
        }
    }

    fn bad(&mut self, line: u64, why: &str) {
        self.bad.push(BadLine { line, why: why.to_owned() });
    }
}

fn entry(cells: &[(Field, &str)], defaults: &Import) -> Result<Entry, String> {
    let cell = |field: Field| cells.iter().find(|(f, _)| *f == field).map_or("", |(_, cell)| *cell);
    let named = |field: Field, name: &'static str| (!cell(field).is_empty()).then(|| (name, cell(field)));
    let listed = Listed::parse(cell(Field::Plate)).map_err(|error| error.to_string())?;
    let mut entry = Entry::new(listed, defaults.category);
    entry.authority = defaults.authority.clone();
    if let Some((_, code)) = named(Field::State, "state") {
        let unknown = || format!("state: {:?} is not the postal code of a US state or DC", clip(code));
        entry.state = Some(State::from_code(code).ok_or_else(unknown)?);
    }
    if let Some((_, code)) = named(Field::Category, "category") {
        entry.category = code.parse::<Category>()?;
    }
    if let Some((_, code)) = named(Field::Level, "level") {
        entry.level = Some(code.parse::<Level>()?);
    }
    entry.reason = text(named(Field::Reason, "reason"), entry.reason)?;
    entry.authority = text(named(Field::Authority, "authority"), entry.authority)?;
    entry.case = text(named(Field::Case, "case"), entry.case)?;
    entry.instructions = text(named(Field::Instructions, "instructions"), entry.instructions)?;
    entry.from = named(Field::From, "from").map(|(name, cell)| time(name, cell, Day::Begins)).transpose()?;
    entry.until = named(Field::Until, "until").map(|(name, cell)| time(name, cell, Day::Ends)).transpose()?;
    entry.checked().map_err(|error| error.to_string())
}

fn text<const MAX: usize>(cell: Option<(&str, &str)>, default: Text<MAX>) -> Result<Text<MAX>, String> {
    match cell {
        Some((name, cell)) => Text::parse(cell).map_err(|error| format!("{name}: {error}")),
        None => Ok(default),
    }
}

/// What a date without a time means.
#[derive(Clone, Copy)]
enum Day {
    Begins,
    Ends,
}

/// RFC 3339, or a day as `2026-06-30` or `06/30/2026`, in UTC; the last day counts as a whole.
fn time(name: &str, cell: &str, day: Day) -> Result<Timestamp, String> {
    let wrong = || {
        format!("{name}: {:?} is not a time: use 2026-06-30, 06/30/2026 or 2026-06-30T12:00:00Z", clip(cell))
    };
    if let Ok(time) = cell.parse::<Timestamp>() {
        return Ok(time);
    }
    let date = cell.parse::<Date>().or_else(|_| Date::strptime("%m/%d/%Y", cell)).map_err(|_| wrong())?;
    let date = match day {
        Day::Begins => date,
        Day::Ends => date.tomorrow().map_err(|_| wrong())?,
    };
    TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0)).map_err(|_| wrong())
}

/// Enough of a cell to recognise it by.
fn clip(cell: &str) -> String {
    cell.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(clap::Parser)]
    struct Arguments {
        #[command(flatten)]
        import: Import,
    }

    fn parse(export: &str, arguments: &[&str]) -> (Vec<Entry>, Vec<BadLine>) {
        let all = ["import", "export", "--out", "list"].iter().chain(arguments);
        Arguments::parse_from(all).import.parse(export.as_bytes()).unwrap()
    }

    fn plates(entries: &[Entry]) -> Vec<&str> {
        entries.iter().map(|entry| entry.plate.as_str()).collect()
    }

    #[test]
    fn takes_the_simplest_line_and_every_delimiter() {
        for export in
            ["ABC123;CA\nXYZ9;", "ABC123,CA\r\nXYZ9\r\n", "ABC123\tCA\n\nXYZ9\t", "\u{feff}abc 123,ca\nXYZ9"]
        {
            let (entries, bad) = parse(export, &[]);
            assert_eq!(bad, [], "{export:?}");
            assert_eq!(plates(&entries), ["ABC123", "XYZ9"]);
            assert_eq!((entries[0].state, entries[1].state), (Some(State::Ca), None));
            assert_eq!(entries[0].category, Category::Stolen);
        }
    }

    #[test]
    fn finds_columns_by_header_in_any_order() {
        let export = "State;Case Number;LICENSE PLATE;Category;Until;level;reason\n\
                      MA;77-1;ABC-123;Missing Child;06/30/2026;low;\"seen; twice\"\n";
        let (entries, bad) = parse(export, &[]);
        assert_eq!(bad, []);
        let entry = &entries[0];
        assert_eq!((entry.plate.as_str(), entry.category), ("ABC123", Category::MissingChild));
        assert_eq!((entry.case.as_str(), entry.reason.as_str()), ("77-1", "seen; twice"));
        assert_eq!(entry.until, Some("2026-07-01T00:00:00Z".parse().unwrap()));
        assert_eq!(entry.level, Some(Level::Low));
    }

    #[test]
    fn takes_a_mapping_by_number_by_name_and_by_characters() {
        let (entries, _) = parse("x,MA,ABC123\n", &["--columns", "plate=3,state=2"]);
        assert_eq!((entries[0].plate.as_str(), entries[0].state), ("ABC123", Some(State::Ma)));
        let (entries, _) = parse("A,KFZ\nMA,ABC123\n", &["--columns", "plate=kfz,state=a"]);
        assert_eq!((entries[0].plate.as_str(), entries[0].state), ("ABC123", Some(State::Ma)));
        let fixed = "ABC123  MA stolen\r\nXY 9    NHwanted\n";
        let (entries, bad) = parse(fixed, &["--columns", "plate=1-8,state=9-10,category=11-30"]);
        assert_eq!(bad, []);
        assert_eq!(plates(&entries), ["ABC123", "XY9"]);
        assert_eq!((entries[1].state, entries[1].category), (Some(State::Nh), Category::Wanted));
    }

    #[test]
    fn names_every_bad_line_with_its_number_and_why() {
        let export = "plate,state,category,from,until\nABC123,CA\nABC123,CA\n,MA\nAB\u{0410}1,MA\nX1,ZZ\nX2,MA,spy\n\
                      X3,MA,bolo,soon\nX4,MA,bolo,2026-02-02,2026-01-01\nABCDEFGHIJKLM\n";
        let (entries, bad) = parse(export, &[]);
        assert_eq!(plates(&entries), ["ABC123"]);
        let said = [
            "same as line 2",
            "empty",
            "'\u{0410}'",
            "\"ZZ\"",
            "\"spy\"",
            "not a time",
            "never be in force",
            "more than 10",
        ];
        assert_eq!(bad.iter().map(|bad| bad.line).collect::<Vec<_>>(), (3..=10).collect::<Vec<_>>());
        for (bad, said) in bad.iter().zip(said) {
            assert!(bad.why.contains(said), "{bad:?}");
        }
    }

    proptest::proptest! {
        /// Whatever an export is, it is taken or refused in words, each line once.
        #[test]
        fn no_export_is_too_odd(
            export in "([A-Z0-9?*;,\"\t \\x00\u{410}\r]{0,12}\n){0,8}|.{0,80}",
            mapped in proptest::bool::ANY,
        ) {
            let more = ["--columns", "plate=1-8,state=9-10"];
            let all = ["import", "export", "--out", "list"].iter().chain(if mapped { &more[..] } else { &[] });
            if let Ok((entries, bad)) = Arguments::parse_from(all).import.parse(export.as_bytes()) {
                proptest::prop_assert!(entries.len() + bad.len() <= export.split(['\n', '\r']).count());
            }
        }
    }

    #[test]
    fn a_bad_line_leaves_the_list_file_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let [export, out] = ["export.csv", "list.jsonl"].map(|name| folder.path().join(name));
        std::fs::write(&export, "ABC123;CA\n??\n").unwrap();
        std::fs::write(&out, "as it was").unwrap();
        let import = |more: &[&str]| {
            let all = ["import", export.to_str().unwrap(), "--out", out.to_str().unwrap()];
            Arguments::parse_from(all.iter().chain(more)).import.run()
        };
        assert!(import(&[]).unwrap_err().to_string().contains("1 bad lines, 1 good"));
        assert_eq!(std::fs::read_to_string(&out).unwrap(), "as it was");
        import(&["--skip-bad"]).unwrap();
        assert_eq!(plates(&list_file::read(&out).unwrap()), ["ABC123"]);
    }
}
