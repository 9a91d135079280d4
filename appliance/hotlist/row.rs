//! An entry as it is stored, inside a sealed block.
//!
//! | bytes | what |
//! |---|---|
//! | 2 | length of all that follows, little-endian |
//! | 1, n | length of the plate or pattern, its characters |
//! | 1 | state by its place in `State::ALL`, 255 none |
//! | 1 | category by its place in `Category::ALL` |
//! | 1 | bits: 0-2 level (0 none, else place in `Level::ALL` + 1), 3 `from` follows, 4 `until` follows |
//! | 8, 8 | `from`, `until`: microseconds since 1970, little-endian, each only if its bit says so |
//! | 4 × (2, n) | reason, authority, case, instructions: length, UTF-8 |

use jiff::Timestamp;

use super::entry::{Category, Entry, Level};
use super::listed::Listed;
use super::text::Text;
use crate::words::State;

const NO_STATE: u8 = 255;
const HAS_FROM: u8 = 1 << 3;
const HAS_UNTIL: u8 = 1 << 4;

/// No row is longer, with its length in front: 13 + 20 bytes, and 860 characters of up to 4 bytes behind
/// four lengths.
pub const MAX: usize = 4 << 10;

pub fn encode(entry: &Entry, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[0, 0]);
    let plate = entry.plate.as_str().as_bytes();
    out.push(plate.len() as u8);
    out.extend_from_slice(plate);
    out.push(entry.state.map_or(NO_STATE, |state| state as u8));
    out.push(entry.category as u8);
    let level = entry.level.map_or(0, |level| level as u8 + 1);
    let flag = |time: Option<Timestamp>, bit| if time.is_some() { bit } else { 0 };
    out.push(level | flag(entry.from, HAS_FROM) | flag(entry.until, HAS_UNTIL));
    for time in [entry.from, entry.until].into_iter().flatten() {
        out.extend_from_slice(&time.as_microsecond().to_le_bytes());
    }
    let texts =
        [entry.reason.as_str(), entry.authority.as_str(), entry.case.as_str(), entry.instructions.as_str()];
    for text in texts {
        out.extend_from_slice(&(text.len() as u16).to_le_bytes());
        out.extend_from_slice(text.as_bytes());
    }
    // Fits: see MAX.
    let length = (out.len() - start - 2) as u16;
    out[start..start + 2].copy_from_slice(&length.to_le_bytes());
}

/// A row that lies in a block, not yet taken apart.
#[derive(Clone, Copy)]
pub struct Row<'a>(&'a [u8]);

/// Splits a block into its rows. None in the place of a row whose length runs over the end.
pub fn rows(mut block: &[u8]) -> impl Iterator<Item = Option<Row<'_>>> {
    std::iter::from_fn(move || {
        if block.is_empty() {
            return None;
        }
        let taken = block
            .split_first_chunk::<2>()
            .and_then(|(length, rest)| rest.split_at_checked(usize::from(u16::from_le_bytes(*length))));
        let (row, rest) = taken.unwrap_or((&[], &[]));
        block = rest;
        Some((!row.is_empty()).then_some(Row(row)))
    })
}

impl<'a> Row<'a> {
    /// The plate or pattern as text.
    pub fn listed(&self) -> &'a [u8] {
        let length = usize::from(self.0[0]);
        self.0.get(1..=length).unwrap_or_default()
    }

    pub fn state(&self) -> Option<State> {
        let place = *self.0.get(1 + usize::from(self.0[0]))?;
        State::ALL.get(usize::from(place)).copied()
    }

    /// The row with its length in front, as it lies in the block.
    pub fn copy_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&(self.0.len() as u16).to_le_bytes());
        out.extend_from_slice(self.0);
    }

    /// None if the row is damaged.
    pub fn decode(&self) -> Option<Entry> {
        let mut rest = Bytes(&self.0[1..]);
        let plate = Listed::parse(rest.text(usize::from(self.0[0]))?).ok()?;
        let state = match rest.byte()? {
            NO_STATE => None,
            place => Some(*State::ALL.get(usize::from(place))?),
        };
        let category = *Category::ALL.get(usize::from(rest.byte()?))?;
        let bits = rest.byte()?;
        let level = match bits & 7 {
            0 => None,
            place => Some(*Level::ALL.get(usize::from(place) - 1)?),
        };
        let from = if bits & HAS_FROM != 0 { Some(rest.time()?) } else { None };
        let until = if bits & HAS_UNTIL != 0 { Some(rest.time()?) } else { None };
        let reason = rest.sized_text()?;
        let authority = rest.sized_text()?;
        let case = rest.sized_text()?;
        let instructions = rest.sized_text()?;
        Some(Entry { plate, state, category, level, reason, authority, case, instructions, from, until })
    }
}

struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|byte| byte[0])
    }

    fn time(&mut self) -> Option<Timestamp> {
        let bytes = self.take(8)?.try_into().expect("eight bytes were asked for");
        Timestamp::from_microsecond(i64::from_le_bytes(bytes)).ok()
    }

    fn text(&mut self, length: usize) -> Option<&'a str> {
        std::str::from_utf8(self.take(length)?).ok()
    }

    fn sized_text<const MAX: usize>(&mut self) -> Option<Text<MAX>> {
        let length = self.take(2)?.try_into().expect("two bytes were asked for");
        Text::parse(self.text(usize::from(u16::from_le_bytes(length)))?).ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entries() -> impl Strategy<Value = Entry> {
        let texts = ("\\PC{0,60}", "\\PC{0,60}", "\\PC{0,20}", "\\PC{0,200}");
        let times = (any::<Option<u32>>(), any::<Option<u32>>());
        ("[A-Z0-9?*]{3,9}", 0..52usize, 0..11usize, 0..5usize, texts, times).prop_filter_map(
            "only what makes an entry",
            |(plate, state, category, level, texts, times)| {
                let time = |seconds: Option<u32>| seconds.map(|s| Timestamp::from_second(s.into()).unwrap());
                let entry = Entry {
                    plate: Listed::parse(&plate).ok()?,
                    state: State::ALL.get(state).copied(),
                    category: Category::ALL[category],
                    level: Level::ALL.get(level).copied(),
                    reason: Text::parse(&texts.0).ok()?,
                    authority: Text::parse(&texts.1).ok()?,
                    case: Text::parse(&texts.2).ok()?,
                    instructions: Text::parse(&texts.3).ok()?,
                    from: time(times.0),
                    until: time(times.1),
                };
                Some(entry)
            },
        )
    }

    proptest! {
        #[test]
        fn rows_come_back_as_they_went(all in proptest::collection::vec(entries(), 0..8)) {
            let mut block = Vec::new();
            all.iter().for_each(|entry| encode(entry, &mut block));
            let back: Vec<Entry> = rows(&block).map(|row| row.unwrap().decode().unwrap()).collect();
            prop_assert_eq!(&back, &all);
            for (row, entry) in rows(&block).map(Option::unwrap).zip(&all) {
                prop_assert_eq!(row.listed(), entry.plate.as_str().as_bytes());
                prop_assert_eq!(row.state(), entry.state);
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            for row in rows(&bytes).flatten() {
                row.listed();
                row.state();
                row.decode();
            }
        }
    }
}
