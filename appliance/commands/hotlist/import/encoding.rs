//! An export's bytes to UTF-8.

use std::borrow::Cow;

use anyhow::{Context, ensure};

/// How an export writes its characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Encoding {
    #[value(name = "utf-8")]
    Utf8,
    /// Western European, as older Windows programs write
    #[value(name = "windows-1252")]
    Windows1252,
    /// Excel's "Unicode Text"
    #[value(name = "utf-16")]
    Utf16,
}

/// What Windows-1252 has where Latin-1 has control characters; five of them it lacks.
const HIGH: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}',
    '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

/// The export as UTF-8, as far as it is text: without `given` UTF-16 is known by its first bytes, and everything else
/// passes for UTF-8 (lines that are not are told one by one).
pub fn to_utf8(bytes: &[u8], given: Option<Encoding>) -> anyhow::Result<Cow<'_, [u8]>> {
    let encoding =
        given.unwrap_or_else(|| if order(bytes).is_some() { Encoding::Utf16 } else { Encoding::Utf8 });
    match encoding {
        Encoding::Utf8 => Ok(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).into()),
        Encoding::Windows1252 => {
            let character = |&byte: &u8| match byte {
                0x80..=0x9f => HIGH[usize::from(byte - 0x80)],
                byte => char::from(byte),
            };
            Ok(bytes.iter().map(character).collect::<String>().into_bytes().into())
        }
        Encoding::Utf16 => {
            ensure!(bytes.len().is_multiple_of(2), "it is cut off in the midst of a character");
            let unit = order(bytes).unwrap_or(u16::from_le_bytes);
            let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect();
            let text = String::from_utf16(&units).context("it is not UTF-16 text throughout")?;
            Ok(text.strip_prefix('\u{feff}').unwrap_or(&text).as_bytes().to_vec().into())
        }
    }
}

/// The byte order of UTF-16: by its mark, or because an export begins with an ASCII character.
fn order(bytes: &[u8]) -> Option<fn([u8; 2]) -> u16> {
    match bytes {
        [0xff, 0xfe, ..] => Some(u16::from_le_bytes),
        [0xfe, 0xff, ..] => Some(u16::from_be_bytes),
        [1..0x80, 0, 1..0x80, 0, ..] => Some(u16::from_le_bytes),
        [0, 1..0x80, 0, 1..0x80, ..] => Some(u16::from_be_bytes),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utf_16_is_known_by_its_first_bytes_in_both_orders_with_and_without_a_mark() {
        let export = "plate;reason\r\nABC123;volé\r\n";
        for mark in ["\u{feff}", ""] {
            let units: Vec<u16> = format!("{mark}{export}").encode_utf16().collect();
            for bytes in [
                units.iter().flat_map(|unit| unit.to_le_bytes()).collect::<Vec<u8>>(),
                units.iter().flat_map(|unit| unit.to_be_bytes()).collect(),
            ] {
                assert_eq!(to_utf8(&bytes, None).unwrap(), export.as_bytes());
                assert!(to_utf8(&bytes[..bytes.len() - 1], None).is_err());
            }
        }
    }

    #[test]
    fn windows_1252_is_taken_where_it_is_said() {
        let taken = to_utf8(b"vol\xe9 \x96 5\x80", Some(Encoding::Windows1252)).unwrap();
        assert_eq!(taken, "volé – 5€".as_bytes());
    }
}
