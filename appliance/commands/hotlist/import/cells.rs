//! One line's cells to an entry.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;

use super::columns::Field;
use crate::hotlist::{Category, Entry, Level, Listed, ListedError, Text};
use crate::words::{PlateError, State};

/// What holds where a line does not say.
#[derive(Debug, Clone)]
pub struct Defaults {
    pub category: Category,
    pub authority: Text<100>,
    /// Of dates and times without an offset.
    pub zone: TimeZone,
}

/// # Errors
/// A sentence that stands behind "line 12: " and names the field.
pub fn entry(cells: &[(Field, &str)], defaults: &Defaults) -> Result<Entry, String> {
    let cell = |field: Field| {
        let cell = cells.iter().find(|(f, _)| *f == field).map_or("", |(_, cell)| *cell);
        (!cell.is_empty()).then_some(cell)
    };
    let named = |field: Field| move |why: String| format!("{}: {why}", field.name());
    let mut entry = Entry::new(listed(cell(Field::Plate).unwrap_or_default())?, defaults.category);
    if let Some(code) = cell(Field::State) {
        entry.state = Some(state(code).map_err(named(Field::State))?);
    }
    if let Some(code) = cell(Field::Category) {
        entry.category = code.parse().map_err(named(Field::Category))?;
    }
    if let Some(code) = cell(Field::Level) {
        entry.level = Some(code.parse::<Level>().map_err(named(Field::Level))?);
    }
    entry.reason = text(cell(Field::Reason)).map_err(named(Field::Reason))?;
    entry.authority = match cell(Field::Authority) {
        None => defaults.authority.clone(),
        given => text(given).map_err(named(Field::Authority))?,
    };
    entry.case = text(cell(Field::Case)).map_err(named(Field::Case))?;
    entry.instructions = text(cell(Field::Instructions)).map_err(named(Field::Instructions))?;
    let time = |field, day| {
        let time = cell(field).map(|cell| time(cell, day, &defaults.zone)).transpose();
        time.map(Option::flatten).map_err(named(field))
    };
    entry.from = time(Field::From, Day::Begins)?;
    entry.until = time(Field::Until, Day::Ends)?;
    entry.checked().map_err(|error| error.to_string())
}

/// A character that looks like another is told by its number.
fn listed(cell: &str) -> Result<Listed, String> {
    Listed::parse(cell).map_err(|error| match error {
        ListedError::Plate(PlateError::Character(character)) if !character.is_ascii_graphic() => {
            format!("plate {:?}: U+{:04X}: {error}", clip(cell), character as u32)
        }
        ListedError::Plate(PlateError::Empty) if cell.is_empty() => error.to_string(),
        error => format!("plate {:?}: {error}", clip(cell)),
    })
}

fn state(cell: &str) -> Result<State, String> {
    let named = || State::ALL.into_iter().find(|state| state.name().eq_ignore_ascii_case(cell));
    State::from_code(cell).or_else(named).ok_or_else(|| {
        format!(
            "{:?} is not the postal code of a US state or DC; without one the plate is listed for any state",
            clip(cell)
        )
    })
}

/// Line breaks and tabs, which exports have in long texts, are spaces.
fn text<const MAX: usize>(cell: Option<&str>) -> Result<Text<MAX>, String> {
    let cell = cell.unwrap_or_default();
    let one_line =
        cell.contains(['\n', '\r', '\t']).then(|| cell.split_whitespace().collect::<Vec<_>>().join(" "));
    Text::parse(one_line.as_deref().unwrap_or(cell)).map_err(|error| error.to_string())
}

/// What a date without a time means.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Day {
    Begins,
    Ends,
}

const DATES: [&str; 3] = ["%Y-%m-%d", "%m/%d/%Y", "%Y%m%d"];
const TIMES: [&str; 3] = ["%m/%d/%Y %H:%M", "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %I:%M:%S %p"];
/// Two digits of a year, or a slip.
const FIRST_YEAR: i16 = 1900;
/// Databases write it for "no end".
const NO_END: i16 = 9999;

/// RFC 3339, or a day or a time without offset, in `zone`; the last day counts as a whole. None: no end.
fn time(cell: &str, day: Day, zone: &TimeZone) -> Result<Option<Timestamp>, String> {
    let wrong = || {
        format!(
            "{:?} is not a time: use 2026-06-30, 06/30/2026, 20260630, with a time of day 06/30/2026 14:30 or 2026-06-30T14:30:00-04:00",
            clip(cell)
        )
    };
    if let Ok(time) = cell.parse::<Timestamp>() {
        return Ok(Some(time));
    }
    let whole_day = |date: Date| match day {
        Day::Begins => date.to_datetime(Time::midnight()),
        Day::Ends => date.tomorrow().unwrap_or(date).to_datetime(Time::midnight()),
    };
    let date = DATES.iter().find_map(|format| Date::strptime(format, cell).ok());
    let spelled = || TIMES.iter().find_map(|format| DateTime::strptime(format, cell).ok());
    let iso =
        || cell.strip_suffix('Z').unwrap_or(cell).parse::<DateTime>().ok().filter(|_| cell.contains(':'));
    let named = date
        .map(|date| date.to_datetime(Time::midnight()))
        .or_else(spelled)
        .or_else(iso)
        .ok_or_else(wrong)?;
    if named.year() < FIRST_YEAR {
        return Err(format!(
            "{:?} is of the year {}: write the year with four digits",
            clip(cell),
            named.year()
        ));
    }
    if named.year() == NO_END && day == Day::Ends {
        return Ok(None);
    }
    let time = date.map_or(named, whole_day);
    zone.to_timestamp(time).map(Some).map_err(|_| wrong())
}

/// Enough of a cell to recognise it by.
fn clip(cell: &str) -> String {
    cell.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(cell: &str, zone: &str) -> Result<Option<String>, String> {
        let zone = TimeZone::get(zone).unwrap();
        time(cell, Day::Ends, &zone).map(|time| time.map(|time| time.to_string()))
    }

    #[test]
    fn a_day_ends_where_the_department_is() {
        for cell in ["2026-06-30", "06/30/2026", "6/30/2026", "20260630"] {
            assert_eq!(ends(cell, "UTC").unwrap().unwrap(), "2026-07-01T00:00:00Z", "{cell}");
            assert_eq!(ends(cell, "America/New_York").unwrap().unwrap(), "2026-07-01T04:00:00Z", "{cell}");
        }
    }

    #[test]
    fn a_time_of_day_is_never_dropped() {
        for cell in [
            "06/30/2026 14:30",
            "06/30/2026 14:30:00",
            "6/30/2026 2:30:00 PM",
            "2026-06-30 14:30",
            "2026-06-30T14:30:00",
            "2026-06-30 14:30:00.000",
        ] {
            assert_eq!(ends(cell, "America/New_York").unwrap().unwrap(), "2026-06-30T18:30:00Z", "{cell}");
        }
        assert_eq!(ends("2026-06-30T14:30:00-04:00", "UTC").unwrap().unwrap(), "2026-06-30T18:30:00Z");
    }

    #[test]
    fn a_year_of_two_digits_is_no_year_and_9999_is_no_end() {
        assert!(ends("6/30/26", "UTC").unwrap_err().contains("four digits"));
        for cell in
            ["9999-12-31", "12/31/9999", "99991231", "9999-12-31T23:59:59Z", "9999-12-31 23:59:59.997"]
        {
            assert_eq!(ends(cell, "UTC").unwrap(), None, "{cell}");
        }
        for cell in ["30.06.2026", "soon", "0000-00-00", "2026-02-30"] {
            assert!(ends(cell, "UTC").unwrap_err().contains("is not a time"), "{cell}");
        }
    }
}
