use serde::{Deserialize, Serialize};

/// The characters of a licence plate: 1 to 10 of `A-Z0-9`, as they stand on the plate.
///
/// O and 0 are different characters: a plate is never rewritten to a "canonical" form, because the
/// difference decides whether a vehicle is the listed one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Plate {
    // Unused bytes are zero, so that the derived comparisons hold.
    characters: [u8; Plate::MAX],
    length: u8,
}

impl Plate {
    /// No US state issues more than 8 characters; the rest is room for foreign plates.
    pub const MAX: usize = 10;

    /// Reads a plate as people and exports write it: lower case, spaces, hyphens and dots are accepted and dropped.
    pub fn parse(text: &str) -> Result<Self, PlateError> {
        let mut plate = Self { characters: [0; Self::MAX], length: 0 };
        for character in text.chars() {
            let kept = match character {
                ' ' | '-' | '.' => continue,
                'a'..='z' => character.to_ascii_uppercase(),
                'A'..='Z' | '0'..='9' => character,
                other => return Err(PlateError::Character(other)),
            };
            if usize::from(plate.length) == Self::MAX {
                return Err(PlateError::TooLong);
            }
            plate.characters[usize::from(plate.length)] = kept as u8;
            plate.length += 1;
        }
        if plate.length == 0 { Err(PlateError::Empty) } else { Ok(plate) }
    }

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).expect("parse admits ASCII only")
    }

    /// One byte for each character.
    pub fn as_bytes(&self) -> &[u8] {
        &self.characters[..usize::from(self.length)]
    }
}

/// Why a text is no plate. The messages are meant to stand behind "line 12: ".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PlateError {
    #[error("the plate is empty")]
    Empty,
    #[error("the plate has more than {} characters", Plate::MAX)]
    TooLong,
    #[error("{0:?} cannot stand on a plate: only A-Z and 0-9 (spaces, hyphens and dots are ignored)")]
    Character(char),
}

impl TryFrom<String> for Plate {
    type Error = PlateError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<Plate> for String {
    fn from(plate: Plate) -> Self {
        plate.as_str().to_owned()
    }
}

impl std::fmt::Display for Plate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::fmt::Debug for Plate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Plate({})", self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_plates_as_people_write_them() {
        assert_eq!(Plate::parse("abc-12 3").unwrap().as_str(), "ABC123");
        assert_eq!(Plate::parse("7").unwrap().as_str(), "7");
    }

    #[test]
    fn keeps_o_and_zero_apart() {
        assert_ne!(Plate::parse("O0").unwrap(), Plate::parse("00").unwrap());
    }

    #[test]
    fn refuses_what_cannot_stand_on_a_plate() {
        assert_eq!(Plate::parse(" - "), Err(PlateError::Empty));
        assert_eq!(Plate::parse("ABCDEFGHIJK"), Err(PlateError::TooLong));
        // Cyrillic А looks like A and is not.
        assert_eq!(Plate::parse("\u{0410}BC"), Err(PlateError::Character('\u{0410}')));
        assert_eq!(Plate::parse("A\0B"), Err(PlateError::Character('\0')));
    }
}
