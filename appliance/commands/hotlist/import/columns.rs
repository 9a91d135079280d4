//! Which column of an export holds what.

use std::str::FromStr;

use anyhow::{Context, bail, ensure};

use crate::words::State;

/// What a column may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Field {
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
    /// The name, then what headers also call it, without all that is neither letter nor digit.
    const NAMES: [(Self, &'static [&'static str]); 10] = [
        (
            Self::Plate,
            &[
                "plate",
                "license",
                "licence",
                "lic",
                "licno",
                "licenseno",
                "licensenumber",
                "licenseplate",
                "licenceplate",
                "licenseplateno",
                "licenseplatenumber",
                "licenseplatetext",
                "plateno",
                "platenumber",
                "platetext",
                "registration",
                "registrationnumber",
                "regno",
                "tag",
                "tagno",
                "tagnumber",
                "lpn",
                "vrm",
            ],
        ),
        (
            Self::State,
            &[
                "state",
                "st",
                "stateofissuance",
                "issuingstate",
                "platestate",
                "licensestate",
                "licstate",
                "registrationstate",
                "tagstate",
                "lis",
            ],
        ),
        (Self::Category, &["category", "type", "kind", "alerttype", "hotlisttype"]),
        (Self::Level, &["level", "priority", "alertlevel"]),
        (Self::Reason, &["reason", "offense", "offence", "offensedescription", "description"]),
        (Self::Authority, &["authority", "agency", "ori", "source"]),
        (
            Self::Case,
            &["case", "caseno", "casenumber", "casereference", "incidentnumber", "reference", "nic"],
        ),
        (Self::Instructions, &["instructions", "caution", "remarks", "notes"]),
        (
            Self::From,
            &[
                "from",
                "start",
                "startdate",
                "validfrom",
                "effectivedate",
                "entered",
                "dateentered",
                "entrydate",
            ],
        ),
        (
            Self::Until,
            &[
                "until",
                "to",
                "end",
                "enddate",
                "expires",
                "expiry",
                "expirydate",
                "expiration",
                "expirationdate",
                "validuntil",
            ],
        ),
    ];

    pub fn name(self) -> &'static str {
        let names = Self::NAMES.iter().find(|(field, _)| *field == self);
        names.map_or("", |(_, names)| names[0])
    }

    fn of_header(header: &str) -> Option<Self> {
        let plain: String =
            header.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
        Self::NAMES.into_iter().find(|(_, names)| names.contains(&plain.as_str())).map(|(field, _)| field)
    }
}

/// One `FIELD=COLUMN`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub field: Field,
    pub place: Place,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
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

/// The same field twice would take one of the two at random.
pub fn check(columns: &[Column]) -> anyhow::Result<()> {
    for (index, column) in columns.iter().enumerate() {
        let doubled = columns[..index].iter().any(|earlier| earlier.field == column.field);
        ensure!(!doubled, "--columns says twice where the {} is", column.field.name());
    }
    let plate = columns.is_empty() || columns.iter().any(|column| column.field == Field::Plate);
    ensure!(plate, "--columns must say where the plate is, such as plate=1");
    Ok(())
}

/// What a separated export's first line told.
#[derive(Debug)]
pub struct Layout {
    /// Field and column, counted from 0.
    pub columns: Vec<(Field, usize)>,
    /// The first line, if it names the columns.
    pub header: Option<Vec<String>>,
    /// No line has more cells, unless a delimiter stands in a text without quotation marks.
    pub width: usize,
}

impl Layout {
    pub fn of_first_line(first: &[&str], given: &[Column]) -> anyhow::Result<Self> {
        let by_header = given.iter().any(|column| matches!(column.place, Place::Header(_)));
        if by_header || is_header(first) {
            let columns = if given.is_empty() { by_names(first)? } else { mapped(first, given)? };
            let header = first.iter().map(|&cell| cell.to_owned()).collect();
            return Ok(Self { columns, header: Some(header), width: first.len() });
        }
        if given.is_empty() {
            // The simplest export: a plate, perhaps its state, perhaps a category.
            let columns = vec![(Field::Plate, 0), (Field::State, 1), (Field::Category, 2)];
            return Ok(Self { columns, header: None, width: first.len().max(3) });
        }
        Ok(Self { columns: mapped(first, given)?, header: None, width: usize::MAX })
    }

    pub fn pick<'a>(&self, cells: &[&'a str]) -> Vec<(Field, &'a str)> {
        self.columns
            .iter()
            .map(|&(field, number)| (field, cells.get(number).copied().unwrap_or_default()))
            .collect()
    }

    /// For people: what was taken from where, and what was left.
    pub fn told(&self) -> String {
        let heading = |number: usize| match &self.header {
            Some(header) => format!("{:?}", header.get(number).map_or("", String::as_str)),
            None => format!("column {}", number + 1),
        };
        let taken =
            self.columns.iter().map(|&(field, number)| format!("{} from {}", field.name(), heading(number)));
        let taken = taken.collect::<Vec<_>>().join(", ");
        let names = self.header.iter().flatten().enumerate();
        let left: Vec<String> = names
            .filter(|(number, _)| !self.columns.iter().any(|(_, taken)| taken == number))
            .map(|(number, _)| heading(number))
            .collect();
        let header = if self.header.is_some() { "" } else { "no header line; " };
        let left = if left.is_empty() { String::new() } else { format!("; not used: {}", left.join(", ")) };
        format!("{header}{taken}{left}")
    }
}

/// A line that names the plate's column. TAG and LIC are plates as well: beside a state's code they are one, unless
/// the line names another column too.
fn is_header(first: &[&str]) -> bool {
    let named: Vec<Field> = first.iter().filter_map(|cell| Field::of_header(cell)).collect();
    let has_state = first.iter().any(|cell| State::from_code(cell).is_some());
    named.contains(&Field::Plate) && (named.len() > 1 || !has_state)
}

fn by_names(header: &[&str]) -> anyhow::Result<Vec<(Field, usize)>> {
    let mut columns: Vec<(Field, usize)> = Vec::new();
    for (number, cell) in header.iter().enumerate() {
        let Some(field) = Field::of_header(cell) else { continue };
        if let Some((_, earlier)) = columns.iter().find(|(known, _)| *known == field) {
            let (name, earlier) = (field.name(), header[*earlier]);
            bail!(
                "{earlier:?} and {cell:?} may both be the {name}: say which columns hold what, such as --columns plate={}",
                header[columns
                    .iter()
                    .find(|(known, _)| *known == Field::Plate)
                    .map_or(0, |(_, number)| *number)]
            );
        }
        columns.push((field, number));
    }
    Ok(columns)
}

fn mapped(first: &[&str], given: &[Column]) -> anyhow::Result<Vec<(Field, usize)>> {
    let number = |column: &Column| match &column.place {
        Place::Number(number) => {
            let (name, cells) = (column.field.name(), first.len());
            // Other cells may be missing at the end of a line.
            let there = column.field != Field::Plate || *number < cells;
            ensure!(there, "{name}={} is behind the last of {cells} columns", number + 1);
            Ok(*number)
        }
        Place::Header(name) => {
            first.iter().position(|cell| cell.eq_ignore_ascii_case(name)).with_context(|| {
                format!("no column is headed {name:?}; the first line is: {}", first.join(", "))
            })
        }
        Place::Characters { .. } => bail!("characters are for fixed columns only"),
    };
    given.iter().map(|column| Ok((column.field, number(column)?))).collect()
}
