use super::Alert;
use crate::hotlist::{Entry, Text};

/// `"reason":"","authority":"","case":"","instructions":"",`: what the fields take around their texts.
const AROUND: usize = 55;
const ELLIPSIS: char = '…';

/// Cuts the entry's free texts to what fits into [`Alert::JSON_MAX`]. The whole entry stays on the unit.
///
/// Everything else in an alert is bounded by its type and always fits; what it leaves is shared out: a
/// quarter at most to the case, as much to the authority, half the rest to the reason, what is then
/// left to the instructions.
pub fn fit(mut alert: Alert) -> Alert {
    let entry = alert.matched.entry.clone();
    let bare = Entry {
        reason: Text::default(),
        authority: Text::default(),
        case: Text::default(),
        instructions: Text::default(),
        ..entry.clone()
    };
    alert.matched.entry = bare.clone();
    let length = serde_json::to_vec(&alert).expect("an alert is plain data with string keys").len();
    let mut room = Alert::JSON_MAX.saturating_sub(length + AROUND);
    let quarter = room / 4;
    let case = text(&entry.case, quarter, &mut room);
    let authority = text(&entry.authority, quarter, &mut room);
    let half = room / 2;
    let reason = text(&entry.reason, half, &mut room);
    let all = room;
    let instructions = text(&entry.instructions, all, &mut room);
    alert.matched.entry = Entry { reason, authority, case, instructions, ..bare };
    alert
}

/// Takes what the text needs, at most `budget`, out of `room`.
fn text<const MAX: usize>(text: &Text<MAX>, budget: usize, room: &mut usize) -> Text<MAX> {
    let shortened = shorten(text, budget);
    *room -= json_lengths(shortened.as_str());
    shortened
}

fn shorten<const MAX: usize>(text: &Text<MAX>, budget: usize) -> Text<MAX> {
    if json_lengths(text.as_str()) <= budget {
        return text.clone();
    }
    let Some(mut room) = budget.checked_sub(ELLIPSIS.len_utf8()) else { return Text::default() };
    let kept = text.as_str().chars().take_while(|&character| {
        let length = json_length(character);
        let fits = length <= room;
        room = room.saturating_sub(length);
        fits
    });
    let mut shortened: String = kept.collect();
    shortened.truncate(shortened.trim_end().len());
    shortened.push(ELLIPSIS);
    Text::parse(&shortened).unwrap_or_default()
}

fn json_lengths(text: &str) -> usize {
    text.chars().map(json_length).sum()
}

/// Bytes of a character in a JSON string; a text holds no control characters, which would take six.
fn json_length(character: char) -> usize {
    if matches!(character, '"' | '\\') { 2 } else { character.len_utf8() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_fits_and_marks_what_was_cut() {
        let short: Text<200> = Text::parse("seen near the bank").unwrap();
        assert_eq!(shorten(&short, 100), short);
        let long: Text<200> = Text::parse(&"\"".repeat(200)).unwrap();
        let cut = shorten(&long, 100);
        assert_eq!(cut.as_str().chars().count(), 49);
        assert!(cut.as_str().ends_with('…'));
        assert!(serde_json::to_string(&cut).unwrap().len() <= 102);
        assert!(shorten(&long, 2).is_empty());
    }
}
