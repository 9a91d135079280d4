//! Exports as departments have them, to entries. Every bad line is told, none is taken by half.

mod cells;
mod columns;
mod encoding;
mod records;

use std::collections::HashMap;
use std::path::PathBuf;

use anyhow::{Context, bail, ensure};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use self::cells::Defaults;
use self::columns::{Column, Field, Layout, Place};
use self::encoding::{Encoding, to_utf8};
use self::records::Records;
use super::{in_words, list_file, number};
use crate::hotlist::{Category, Entry, Listed, PATTERNS_MAX, SAME_PLATE_MAX, Text};

#[derive(Debug, clap::Args)]
pub struct Import {
    /// The export: CSV with , ; or tab, with or without a header line, or text in fixed columns
    file: PathBuf,
    /// The list file to write
    #[arg(long, short, value_name = "FILE")]
    out: PathBuf,
    /// Which column holds what: `plate=1,state=2` by number, `plate=LIC_NO,state=ST` by header, or
    /// `plate=1-8,state=9-10` for fixed columns (first and last character). Fields: plate, state, category, level,
    /// reason, authority, case, instructions, from, until
    #[arg(long, value_name = "FIELD=COLUMN,...", value_delimiter = ',')]
    columns: Vec<Column>,
    /// What separates columns, if it is not found out from the first line: one character, or `tab`
    #[arg(long, value_name = "CHARACTER", value_parser = delimiter)]
    delimiter: Option<u8>,
    /// How the export writes its characters, if not as UTF-8 (UTF-16 is recognised)
    #[arg(long)]
    encoding: Option<Encoding>,
    /// The category of lines that name none
    #[arg(long, default_value = "stolen")]
    category: Category,
    /// Who answers for lines that do not say
    #[arg(long, default_value = "")]
    authority: Text<100>,
    /// Where dates and times without an offset are meant, such as America/New_York; without it this machine's zone
    #[arg(long, value_name = "ZONE", value_parser = zone)]
    time_zone: Option<TimeZone>,
    /// Leave bad lines out instead of refusing the whole export
    #[arg(long)]
    skip_bad: bool,
    /// Take even an export without entries
    #[arg(long)]
    allow_empty: bool,
}

fn delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        b"tab" | b"\\t" => Ok(b'\t'),
        &[character] => Ok(character),
        _ => Err("the delimiter must be one ASCII character, or `tab`".to_owned()),
    }
}

fn zone(name: &str) -> Result<TimeZone, String> {
    TimeZone::get(name)
        .map_err(|_| format!("no time zone is called {name:?}: use one such as America/New_York"))
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
        let Gathered { entries, bad, columns, .. } =
            self.parse(&bytes).with_context(|| format!("cannot import {file}"))?;
        for BadLine { line, why } in &bad {
            eprintln!("{file}:{line}: {why}");
        }
        let left = number(bad.len(), "bad line", "bad lines");
        if !bad.is_empty() && !self.skip_bad {
            bail!(
                "{left}, {} good: nothing was written; mend them, or leave them out with --skip-bad",
                entries.len()
            );
        }
        ensure!(
            !entries.is_empty() || self.allow_empty,
            "{file} has no entries: nothing was written (--allow-empty if that is meant)"
        );
        list_file::write(&self.out, &entries)?;
        println!("{}: {}, {left} left out", self.out.display(), in_words(&entries));
        if let Some(columns) = columns {
            println!("{columns}");
        }
        if entries.iter().any(|entry| entry.from.is_some() || entry.until.is_some()) {
            let zone = self.zone();
            println!("times without an offset were taken as {}", zone.iana_name().unwrap_or("UTC"));
        }
        let now = Timestamp::now();
        let over = entries.iter().filter(|entry| entry.until.is_some_and(|until| until <= now)).count();
        if over > 0 {
            println!("{} over already and will match nothing", number(over, "entry is", "entries are"));
        }
        Ok(())
    }

    fn zone(&self) -> TimeZone {
        self.time_zone.clone().unwrap_or_else(TimeZone::system)
    }

    fn parse(&self, bytes: &[u8]) -> anyhow::Result<Gathered> {
        let bytes = to_utf8(bytes, self.encoding)?;
        columns::check(&self.columns)?;
        let is_span = |column: &Column| matches!(column.place, Place::Characters { .. });
        let spans = self.columns.iter().filter(|column| is_span(column)).count();
        let mut gathered = Gathered::new(Defaults {
            category: self.category,
            authority: self.authority.clone(),
            zone: self.zone(),
        });
        match spans {
            0 => self.parse_separated(&bytes, &mut gathered)?,
            all if all == self.columns.len() => self.parse_fixed(&bytes, &mut gathered),
            _ => bail!("give either characters (plate=1-8) for every column, or for none"),
        }
        Ok(gathered)
    }

    fn parse_separated(&self, bytes: &[u8], gathered: &mut Gathered) -> anyhow::Result<()> {
        let first_line = bytes.split(|&byte| byte == b'\n').find(|line| !line.trim_ascii().is_empty());
        let delimiter = self.delimiter.unwrap_or_else(|| find_delimiter(first_line.unwrap_or_default()));
        let mut layout: Option<Layout> = None;
        let mut records = Records::new(bytes, delimiter);
        while let Some((line, record)) = records.next()? {
            let Some(record) = record else {
                gathered.bad(
                    line,
                    "a quotation mark opens a cell and nothing closes it: close it, or double it if it belongs to the text",
                );
                continue;
            };
            let cells: Vec<_> = record.iter().map(std::str::from_utf8).collect();
            let Ok(cells) = cells.into_iter().collect::<Result<Vec<&str>, _>>() else {
                gathered.bad(line, NOT_UTF8);
                continue;
            };
            if cells.iter().all(|cell| cell.is_empty()) {
                continue;
            }
            let Some(layout) = &layout else {
                let found = Layout::of_first_line(&cells, &self.columns)?;
                if found.header.is_none() {
                    gathered.take_first(line, &found.pick(&cells));
                }
                gathered.columns = Some(found.told());
                layout = Some(found);
                continue;
            };
            if cells.iter().skip(layout.width).any(|cell| !cell.is_empty()) {
                let why = format!(
                    "it has {} cells, the first line {}: a text that holds {:?} needs quotation marks around it",
                    cells.len(),
                    layout.width,
                    char::from(delimiter)
                );
                gathered.bad(line, &why);
                continue;
            }
            gathered.take(line, &layout.pick(&cells));
        }
        Ok(())
    }

    fn parse_fixed(&self, bytes: &[u8], gathered: &mut Gathered) {
        for (index, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
            let number = index as u64 + 1;
            let Ok(text) = std::str::from_utf8(line) else {
                gathered.bad(number, NOT_UTF8);
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

const NOT_UTF8: &str = "it is not UTF-8 text; if the export is of a Windows program, give --encoding windows-1252, or save it as UTF-8";

struct Gathered {
    defaults: Defaults,
    entries: Vec<Entry>,
    bad: Vec<BadLine>,
    /// For people: which columns were taken.
    columns: Option<String>,
    /// The line that an entry was first on.
    first: HashMap<Entry, u64>,
    /// How often a plate or pattern is listed.
    times: HashMap<Listed, usize>,
    patterns: usize,
}

impl Gathered {
    fn new(defaults: Defaults) -> Self {
        Self {
            defaults,
            entries: Vec::new(),
            bad: Vec::new(),
            columns: None,
            first: HashMap::new(),
            times: HashMap::new(),
            patterns: 0,
        }
    }

    fn take(&mut self, line: u64, cells: &[(Field, &str)]) {
        if let Err(why) = self.add(line, cells) {
            self.bad(line, &why);
        }
    }

    /// The first line may be a header that was not recognised.
    fn take_first(&mut self, line: u64, cells: &[(Field, &str)]) {
        if let Err(why) = self.add(line, cells) {
            let hint = "if this line names the columns, say which hold what: --columns plate=NAME,state=NAME";
            self.bad(line, &format!("{why}; {hint}"));
        }
    }

    fn add(&mut self, line: u64, cells: &[(Field, &str)]) -> Result<(), String> {
        let entry = cells::entry(cells, &self.defaults)?;
        if let Some(first) = self.first.get(&entry) {
            return Err(format!("it says the same as line {first}"));
        }
        let times = self.times.entry(entry.plate).or_default();
        if *times == SAME_PLATE_MAX {
            return Err(format!(
                "its plate is listed {SAME_PLATE_MAX} times already, and units take no more"
            ));
        }
        if matches!(entry.plate, Listed::Pattern(_)) {
            if self.patterns == PATTERNS_MAX {
                return Err(format!("it is a pattern, and units take no more than {PATTERNS_MAX} on a list"));
            }
            self.patterns += 1;
        }
        *times += 1;
        self.first.insert(entry.clone(), line);
        self.entries.push(entry);
        Ok(())
    }

    fn bad(&mut self, line: u64, why: &str) {
        self.bad.push(BadLine { line, why: why.to_owned() });
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::hotlist::Level;
    use crate::words::State;

    #[derive(clap::Parser)]
    struct Arguments {
        #[command(flatten)]
        import: Import,
    }

    fn parse(export: &str, arguments: &[&str]) -> (Vec<Entry>, Vec<BadLine>) {
        let all = ["import", "export", "--out", "list", "--time-zone", "UTC"].iter().chain(arguments);
        let gathered = Arguments::parse_from(all).import.parse(export.as_bytes()).unwrap();
        (gathered.entries, gathered.bad)
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
            "U+0410",
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

    #[test]
    fn no_quotation_mark_swallows_the_lines_behind_it() {
        let export =
            "plate,state,color\nABC123,CA,\"red\nDEF123,MA,blue\nGHI123,MA,\"green\nJKL123,MA,\"a\nb\"\n";
        let (entries, bad) = parse(export, &[]);
        assert_eq!(plates(&entries), ["DEF123", "JKL123"], "line breaks between quotation marks are text");
        assert_eq!(bad.iter().map(|bad| bad.line).collect::<Vec<_>>(), [2, 4]);
        assert!(bad[0].why.contains("quotation mark"));
        let (entries, bad) =
            parse("plate,reason\nABC123,\"seen\r\nin \"\"Y\"\"\"\r\nDEF123,5\" screen\n", &[]);
        assert_eq!(bad, []);
        assert_eq!(entries[0].reason.as_str(), "seen in \"Y\"");
        assert_eq!(entries[1].reason.as_str(), "5\" screen");
    }

    #[test]
    fn lines_are_counted_as_an_editor_counts_them() {
        for end in ["\n", "\r\n", "\r"] {
            let export = ["ABC1", "", "", "??", "\"A", "B\",MA", "!"].join(end);
            let (_, bad) = parse(&export, &[]);
            assert_eq!(bad.iter().map(|bad| bad.line).collect::<Vec<_>>(), [4, 5, 7], "{end:?}");
        }
    }

    #[test]
    fn a_delimiter_in_a_text_shifts_no_column_unseen() {
        let (entries, bad) = parse("plate,state,reason\nABC123,CA,red, Ford\nDEF123,MA,x,,\n", &[]);
        assert_eq!(plates(&entries), ["DEF123"]);
        assert!(bad[0].why.contains("it has 4 cells, the first line 3"), "{bad:?}");
    }

    #[test]
    fn a_plate_that_reads_like_a_heading_is_a_plate() {
        let (entries, bad) = parse("TAG;MA\nABC1;MA\n", &[]);
        assert_eq!((plates(&entries), bad), (vec!["TAG", "ABC1"], vec![]));
        assert_eq!(plates(&parse("ID,TAG,ST\n1,ABC1,MA\n", &[]).0), ["ABC1"]);
        let (_, bad) = parse("KENNZEICHEN;LAND\nABC1;MA\n", &[]);
        assert!(bad[0].why.contains("--columns"), "{bad:?}");
    }

    #[test]
    fn says_what_units_would_refuse() {
        let export: String = (0..40).map(|number| format!("ABC123,MA,{number}\n")).collect();
        let (entries, bad) = parse(&format!("plate,state,case\n{export}"), &[]);
        assert_eq!((entries.len(), bad.len(), bad[0].line), (32, 8, 34));
        let patterns: String = (0..300).map(|number| format!("?{number:04}\n")).collect();
        let (entries, bad) = parse(&patterns, &[]);
        assert_eq!((entries.len(), bad.len()), (256, 44));
    }

    #[test]
    fn columns_are_told_and_never_guessed_between_two() {
        let import = |arguments: &[&str], export: &str| {
            let all = ["import", "export", "--out", "list"].iter().chain(arguments);
            Arguments::parse_from(all).import.parse(export.as_bytes())
        };
        let told = import(&[], "LIC NO;ST;COLOR\nABC1;MA;red\n").unwrap().columns.unwrap();
        assert_eq!(told, "plate from \"LIC NO\", state from \"ST\"; not used: \"COLOR\"");
        for (arguments, export, said) in [
            (&["--columns", "plate=1,plate=2"][..], "A1;MA\n", "says twice where the plate is"),
            (&["--columns", "state=1"], "A1;MA\n", "must say where the plate is"),
            (&["--columns", "plate=9"], "A1;MA\n", "plate=9 is behind the last of 2 columns"),
            (&[], "plate;agency;source\n", "\"agency\" and \"source\" may both be the authority"),
        ] {
            let error = import(arguments, export).err().expect(said).to_string();
            assert!(error.contains(said), "{error}");
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
            if let Ok(Gathered { entries, bad, .. }) = Arguments::parse_from(all).import.parse(export.as_bytes()) {
                let lines = export.split(['\n', '\r']).count();
                proptest::prop_assert!(entries.len() + bad.len() <= lines);
                proptest::prop_assert!(bad.iter().all(|bad| (1..=lines as u64).contains(&bad.line)));
                proptest::prop_assert!(bad.is_sorted_by(|a, b| a.line < b.line));
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
        assert!(import(&[]).unwrap_err().to_string().contains("1 bad line, 1 good"));
        assert_eq!(std::fs::read_to_string(&out).unwrap(), "as it was");
        import(&["--skip-bad"]).unwrap();
        assert_eq!(plates(&list_file::read(&out).unwrap()), ["ABC123"]);
    }

    #[test]
    fn an_export_that_came_out_empty_replaces_no_list() {
        let folder = tempfile::tempdir().unwrap();
        let [export, out] = ["export.csv", "list.jsonl"].map(|name| folder.path().join(name));
        std::fs::write(&out, "as it was").unwrap();
        for text in ["", "plate,state\n"] {
            std::fs::write(&export, text).unwrap();
            let all = ["import", export.to_str().unwrap(), "--out", out.to_str().unwrap()];
            let import = |more: &[&str]| Arguments::parse_from(all.iter().chain(more)).import.run();
            assert!(import(&[]).unwrap_err().to_string().contains("has no entries"));
            assert_eq!(std::fs::read_to_string(&out).unwrap(), "as it was");
        }
    }
}
