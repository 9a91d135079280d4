use serde::{Deserialize, Serialize};

/// A short free text of an entry, at most `MAX` characters of printable text.
///
/// It is shown to an officer and travels in an alert, so it can neither break a line, nor hide or reorder
/// other text (control and direction characters are refused), nor be long.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Text<const MAX: usize>(String);

/// Why a text was refused. The messages are meant to stand behind the name of the field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    #[error("{length} characters are too many: at most {most}")]
    TooLong { length: usize, most: usize },
    #[error("{0:?} cannot stand in a text: control and direction characters are refused")]
    Character(char),
}

impl<const MAX: usize> Text<MAX> {
    /// Outer spaces are dropped.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        let text = text.trim();
        // A megabyte of text is refused without walking through it.
        let length = if text.len() > MAX * 4 { text.len() } else { text.chars().count() };
        if length > MAX {
            return Err(TextError::TooLong { length, most: MAX });
        }
        match text.chars().find(|&character| character.is_control() || redirects(character)) {
            Some(character) => Err(TextError::Character(character)),
            None => Ok(Self(text.to_owned())),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Characters that change the direction or the visibility of their neighbours.
fn redirects(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

impl<const MAX: usize> TryFrom<String> for Text<MAX> {
    type Error = TextError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl<const MAX: usize> From<Text<MAX>> for String {
    fn from(text: Text<MAX>) -> Self {
        text.0
    }
}

impl<const MAX: usize> std::str::FromStr for Text<MAX> {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl<const MAX: usize> std::fmt::Display for Text<MAX> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_short_printable_text_only() {
        assert_eq!(Text::<5>::parse("  né à ").unwrap().as_str(), "né à");
        assert_eq!(Text::<5>::parse("abcdef"), Err(TextError::TooLong { length: 6, most: 5 }));
        assert_eq!(Text::<5>::parse("a\nb"), Err(TextError::Character('\n')));
        assert_eq!(Text::<5>::parse("a\u{202e}b"), Err(TextError::Character('\u{202e}')));
        assert!(Text::<5>::parse(&"x".repeat(1_000_000)).is_err());
    }
}
