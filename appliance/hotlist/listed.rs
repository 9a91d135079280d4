use serde::{Deserialize, Serialize};

use crate::words::{Plate, PlateError};

/// What an entry lists: a plate, or a part of one as a witness remembers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Listed {
    Plate(Plate),
    Pattern(Pattern),
}

/// A partial plate: `?` stands for exactly one unknown character, `*` for any number of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pattern {
    // Unused bytes are zero, so that the derived comparisons hold.
    characters: [u8; Pattern::MAX],
    length: u8,
}

/// Why a text is neither a plate nor a pattern. The messages are meant to stand behind "line 12: ".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ListedError {
    #[error(transparent)]
    Plate(#[from] PlateError),
    #[error("the pattern has more than {} characters", Pattern::MAX)]
    TooLong,
    #[error(
        "the pattern names fewer than {} characters and would match half the traffic",
        Pattern::FIXED_MIN
    )]
    TooVague,
}

impl Listed {
    /// A text with `?` or `*` is a pattern, any other a plate; spaces, hyphens and dots are dropped.
    pub fn parse(text: &str) -> Result<Self, ListedError> {
        if text.len() <= 100 && text.contains(['?', '*']) {
            Pattern::parse(text).map(Self::Pattern)
        } else {
            Ok(Self::Plate(Plate::parse(text)?))
        }
    }

    pub fn as_str(&self) -> &str {
        match self {
            Self::Plate(plate) => plate.as_str(),
            Self::Pattern(pattern) => pattern.as_str(),
        }
    }
}

impl Pattern {
    pub const MAX: usize = 12;
    /// Fewer known characters than this say nothing about a vehicle.
    const FIXED_MIN: usize = 2;

    fn parse(text: &str) -> Result<Self, ListedError> {
        let mut pattern = Self { characters: [0; Self::MAX], length: 0 };
        let mut fixed = 0;
        for character in text.chars() {
            let kept = match character {
                ' ' | '-' | '.' => continue,
                // Several stars in a row say no more than one, but would make matching slower.
                '*' if pattern.as_bytes().last() == Some(&b'*') => continue,
                '?' | '*' => character,
                'a'..='z' | 'A'..='Z' | '0'..='9' => {
                    fixed += 1;
                    character.to_ascii_uppercase()
                }
                other => return Err(PlateError::Character(other).into()),
            };
            if usize::from(pattern.length) == Self::MAX {
                return Err(ListedError::TooLong);
            }
            pattern.characters[usize::from(pattern.length)] = kept as u8;
            pattern.length += 1;
        }
        if fixed < Self::FIXED_MIN { Err(ListedError::TooVague) } else { Ok(pattern) }
    }

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).expect("parse admits ASCII only")
    }

    fn as_bytes(&self) -> &[u8] {
        &self.characters[..usize::from(self.length)]
    }

    pub fn fits(&self, plate: &Plate) -> bool {
        fits(self.as_bytes(), plate.as_bytes())
    }
}

/// Remembers the last star only: what an earlier star could still take, the last one can take too.
fn fits(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut in_text) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while in_text < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                retry = Some((at, in_text));
                at += 1;
            }
            Some(&wanted) if wanted == b'?' || wanted == text[in_text] => {
                at += 1;
                in_text += 1;
            }
            _ => {
                let Some((star, taken)) = retry else { return false };
                retry = Some((star, taken + 1));
                at = star + 1;
                in_text = taken + 1;
            }
        }
    }
    pattern[at..].iter().all(|&left| left == b'*')
}

impl TryFrom<String> for Listed {
    type Error = ListedError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<Listed> for String {
    fn from(listed: Listed) -> Self {
        listed.as_str().to_owned()
    }
}

impl From<Plate> for Listed {
    fn from(plate: Plate) -> Self {
        Self::Plate(plate)
    }
}

impl std::str::FromStr for Listed {
    type Err = ListedError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl std::fmt::Display for Listed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tells_plates_from_patterns() {
        assert!(matches!(Listed::parse("abc 123"), Ok(Listed::Plate(_))));
        assert!(matches!(Listed::parse("ab?12**"), Ok(Listed::Pattern(_))));
        assert_eq!(Listed::parse("ab?12**").unwrap().as_str(), "AB?12*");
        assert_eq!(Listed::parse("*A*"), Err(ListedError::TooVague));
        assert_eq!(Listed::parse(&"A?".repeat(20)), Err(ListedError::TooLong));
        assert!(matches!(Listed::parse("A\u{0410}*"), Err(ListedError::Plate(PlateError::Character(_)))));
        assert!(Listed::parse(&"?".repeat(1_000_000)).is_err());
    }

    /// The textbook definition, exponential and plainly right.
    fn naive(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, rest) => rest.is_none(),
            (Some((b'*', tail)), rest) => {
                naive(tail, text) || rest.is_some_and(|(_, left)| naive(pattern, left))
            }
            (Some((&wanted, tail)), Some((&found, left))) => {
                (wanted == b'?' || wanted == found) && naive(tail, left)
            }
            (Some(_), None) => false,
        }
    }

    proptest! {
        #[test]
        fn fits_as_the_textbook_says(pattern in "[AB?*]{0,8}", text in "[AB]{0,8}") {
            prop_assert_eq!(fits(pattern.as_bytes(), text.as_bytes()), naive(pattern.as_bytes(), text.as_bytes()));
        }
    }
}
