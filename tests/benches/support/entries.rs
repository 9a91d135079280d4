//! Listed vehicles by the million, the same in every run.

use milepost::hotlist::{Category, Entry, Listed, Text};
use milepost::words::{Plate, State};

/// Numbers that are the same in every run (xorshift64*).
pub struct Numbers(pub u64);

impl Numbers {
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit
    }

    /// As most states write them: three letters, four digits.
    pub fn plate(&mut self) -> Plate {
        let letters: String = (0..3).map(|_| char::from(b'A' + self.below(26) as u8)).collect();
        Plate::parse(&format!("{letters}{:04}", self.below(10_000))).expect("letters and digits are a plate")
    }

    pub fn entry(&mut self) -> Entry {
        let text = |text: String| text.parse().expect("short plain text");
        Entry {
            state: Some(State::ALL[self.below(51)]),
            reason: Text::parse("stolen vehicle").expect("short plain text"),
            authority: Text::parse("State Police").expect("short plain text"),
            case: text(format!("2026-{:07}", self.below(10_000_000))),
            ..Entry::new(Listed::from(self.plate()), Category::ALL[self.below(11)])
        }
    }
}
