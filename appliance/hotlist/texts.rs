//! Which texts a plate may carry, and how likely: what matching looks up.

use super::config::Matching;
use crate::words::{ALPHABET, Plate, Probability, Reading};

/// Characters that many states cut with the same die: a reader cannot tell them, only the list can.
const SAME: [(u8, u8); 2] = [(b'0', b'O'), (b'1', b'I')];
/// Characters that dirt, blur, a frame or a low sun make alike.
const ALIKE: [(u8, u8); 15] = [
    (b'0', b'D'),
    (b'0', b'Q'),
    (b'O', b'D'),
    (b'O', b'Q'),
    (b'D', b'Q'),
    (b'1', b'L'),
    (b'I', b'L'),
    (b'1', b'7'),
    (b'2', b'Z'),
    (b'5', b'S'),
    (b'6', b'G'),
    (b'8', b'B'),
    (b'4', b'A'),
    (b'U', b'V'),
    (b'V', b'Y'),
];
/// How likely a reading that is sure of one of a pair saw the other. Judged, not measured: characters of the
/// same die are either with equal right, and of the others the reader itself says when it doubts.
const SAME_TAKEN: f64 = 0.5;
const ALIKE_TAKEN: f64 = 0.1;

/// More texts than this above the floor are noise rather than a reading; the floor is raised until they are
/// fewer. At the default floor there are never so many.
const TEXTS_MAX: usize = 64;
const BLANK: usize = 36;

/// One text to look up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Text {
    pub plate: Plate,
    /// As the reader saw it; where a look-alike was put in, how likely the reader took it for what it saw.
    pub probability: Probability,
    /// The text as seen, before anything was put in.
    pub seen: Plate,
    /// Characters that were put in for ones that look like them.
    pub put_in: u8,
}

/// Every text above the floor, the likeliest first. Those without anything put in are the reading's own
/// candidates.
pub fn texts(reading: &Reading, matching: &Matching) -> Vec<Text> {
    let mut floor = matching.floor.value().max(1e-6);
    loop {
        let mut found = above(floor, reading, matching);
        if found.len() <= TEXTS_MAX {
            found.sort_by(|a, b| b.probability.value().total_cmp(&a.probability.value()));
            return found;
        }
        floor *= 2.0;
    }
}

/// In no order; stops at one more than [`TEXTS_MAX`].
fn above(floor: f64, reading: &Reading, matching: &Matching) -> Vec<Text> {
    let slots: Vec<Vec<Choice>> = reading
        .slots()
        .iter()
        .map(|slot| choices(slot.probabilities(), matching.look_alikes.count() > 0, floor))
        .collect();
    // The best that the slots from each position on can still contribute.
    let mut ahead = vec![1.0; slots.len() + 1];
    for (position, choices) in slots.iter().enumerate().rev() {
        ahead[position] = ahead[position + 1] * choices.first().map_or(0.0, |best| best.probability);
    }
    let mut search =
        Search { slots: &slots, ahead: &ahead, floor, most: matching.look_alikes.count(), found: Vec::new() };
    search.extend(Prefix::EMPTY, 0);
    search.found
}

/// What may stand at one position.
#[derive(Clone, Copy)]
struct Choice {
    /// Index into [`ALPHABET`], or blank.
    index: usize,
    probability: f64,
    /// What was seen: another character, if this one was put in for it.
    seen: usize,
}

/// The likeliest first, none below the floor.
fn choices(seen: &[f32; 37], look_alikes: bool, floor: f64) -> Vec<Choice> {
    let mut choices: Vec<Choice> = (0..seen.len())
        .map(|index| {
            let own = f64::from(seen[index]);
            let taken = (look_alikes && index != BLANK).then(|| taken_for(index, seen)).flatten();
            match taken.filter(|&(_, probability)| probability > own) {
                Some((seen, probability)) => Choice { index, probability, seen },
                None => Choice { index, probability: own, seen: index },
            }
        })
        .filter(|choice| choice.probability >= floor)
        .collect();
    choices.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    choices
}

/// The character for which this one was most likely taken, and how likely.
fn taken_for(index: usize, seen: &[f32; 37]) -> Option<(usize, f64)> {
    look_alikes(index)
        .map(|(other, rate)| (other, f64::from(seen[other]) * rate))
        .max_by(|a, b| a.1.total_cmp(&b.1))
}

fn look_alikes(index: usize) -> impl Iterator<Item = (usize, f64)> {
    let character = ALPHABET[index];
    let other = move |&(a, b): &(u8, u8)| {
        if a == character {
            Some(b)
        } else if b == character {
            Some(a)
        } else {
            None
        }
    };
    let place =
        |character: u8| ALPHABET.iter().position(|&listed| listed == character).expect("pairs are A-Z0-9");
    let same = SAME.iter().filter_map(other).map(move |character| (place(character), SAME_TAKEN));
    let alike = ALIKE.iter().filter_map(other).map(move |character| (place(character), ALIKE_TAKEN));
    same.chain(alike)
}

#[derive(Clone, Copy)]
struct Prefix {
    text: [u8; Plate::MAX],
    seen: [u8; Plate::MAX],
    length: usize,
    ended: bool,
    probability: f64,
    put_in: u8,
}

struct Search<'a> {
    slots: &'a [Vec<Choice>],
    ahead: &'a [f64],
    floor: f64,
    most: u8,
    found: Vec<Text>,
}

impl Search<'_> {
    /// Depth first, likeliest first; a prefix that cannot reach the floor any more is left.
    fn extend(&mut self, prefix: Prefix, position: usize) {
        let Some(choices) = self.slots.get(position) else {
            return self.found.extend(prefix.finished());
        };
        for choice in choices {
            let probability = prefix.probability * choice.probability;
            if probability * self.ahead[position + 1] < self.floor || self.found.len() > TEXTS_MAX {
                return;
            }
            let put_in = prefix.put_in + u8::from(choice.seen != choice.index);
            let gap = prefix.ended && choice.index != BLANK;
            if gap || put_in > self.most {
                continue;
            }
            let mut next = Prefix { probability, put_in, ..prefix };
            if choice.index == BLANK {
                next.ended = true;
            } else {
                next.text[next.length] = ALPHABET[choice.index];
                next.seen[next.length] = ALPHABET[choice.seen];
                next.length += 1;
            }
            self.extend(next, position + 1);
        }
    }
}

impl Prefix {
    const EMPTY: Self = Self {
        text: [0; Plate::MAX],
        seen: [0; Plate::MAX],
        length: 0,
        ended: false,
        probability: 1.0,
        put_in: 0,
    };

    /// None for "no text at all".
    fn finished(self) -> Option<Text> {
        let plate = |characters: &[u8; Plate::MAX]| {
            Plate::parse(std::str::from_utf8(&characters[..self.length]).expect("the alphabet is ASCII")).ok()
        };
        Some(Text {
            plate: plate(&self.text)?,
            seen: plate(&self.seen)?,
            probability: Probability::clamped(self.probability),
            put_in: self.put_in,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::hotlist::config::LookAlikes;
    use crate::words::Slot;

    /// Slots that are sure of each character (blank where `_`), up to the share given away to another.
    fn reading(slots: &[(char, char, f32)]) -> Reading {
        let place =
            |character: char| ALPHABET.iter().position(|&listed| listed == character as u8).unwrap_or(BLANK);
        let slot = |&(first, second, share): &(char, char, f32)| {
            let mut logits = [f32::NEG_INFINITY; 37];
            logits[place(second)] = share.ln();
            logits[place(first)] = (1.0 - share).ln();
            Slot::from_logits(&logits)
        };
        Reading::new(slots.iter().map(slot).collect())
    }

    fn sure(text: &str) -> Reading {
        reading(&text.chars().map(|character| (character, '_', 0.0)).collect::<Vec<_>>())
    }

    fn matching(look_alikes: u8, floor: f64) -> Matching {
        let look_alikes = LookAlikes::try_from(look_alikes).unwrap();
        Matching { look_alikes, floor: Probability::clamped(floor), ..Matching::default() }
    }

    fn shown(texts: &[Text]) -> Vec<(String, u8)> {
        texts.iter().map(|text| (text.plate.to_string(), text.put_in)).collect()
    }

    #[test]
    fn a_sure_reading_is_looked_up_with_one_look_alike_at_a_time() {
        let found = texts(&sure("A0__"), &matching(1, 0.05));
        let shown = shown(&found);
        assert_eq!(shown[0], ("A0".to_owned(), 0));
        assert_eq!(shown[1], ("AO".to_owned(), 1));
        let mut rest: Vec<&str> = shown[2..].iter().map(|(text, _)| text.as_str()).collect();
        rest.sort_unstable();
        assert_eq!(rest, ["40", "AD", "AQ"]);
        assert_eq!(found[1].seen.as_str(), "A0", "what was read stays what was read");
        assert_eq!(texts(&sure("A0__"), &matching(0, 0.05)).len(), 1);
    }

    #[test]
    fn two_look_alikes_need_to_be_asked_for() {
        let both = ("OI".to_owned(), 2);
        assert!(!shown(&texts(&sure("01"), &matching(1, 0.01))).contains(&both));
        assert!(shown(&texts(&sure("01"), &matching(2, 0.01))).contains(&both));
    }

    #[test]
    fn doubt_of_the_reader_is_no_look_alike() {
        let found = texts(&reading(&[('3', '8', 0.3), ('X', '_', 0.0)]), &matching(1, 0.05));
        assert_eq!(shown(&found)[..2], [("3X".to_owned(), 0), ("8X".to_owned(), 0)]);
        assert!((found[1].probability.value() - 0.3).abs() < 1e-6);
    }

    #[test]
    fn noise_is_cut_down_to_its_likeliest_texts() {
        let flat = Slot::from_logits(&[0.0; 37]);
        let found = texts(&Reading::new(vec![flat; 3]), &matching(1, 1e-6));
        assert!(found.len() <= TEXTS_MAX);
        let doubtful = reading(&[('3', '8', 0.45); 8]);
        let found = texts(&doubtful, &matching(0, 1e-4));
        assert!((1..=TEXTS_MAX).contains(&found.len()));
        assert_eq!(found[0].plate.as_str(), "33333333");
    }

    #[test]
    fn nothing_read_looks_nothing_up() {
        assert_eq!(texts(&sure("____"), &matching(1, 0.05)), []);
        assert_eq!(texts(&Reading::new(vec![]), &matching(1, 0.05)), []);
    }

    proptest! {
        /// Against the definition: of all texts over the characters in play, those above the floor.
        #[test]
        fn finds_what_trying_every_text_finds(
            slots in proptest::collection::vec(("[0OD8_]", "[0OB1_]", 0.0f32..0.5), 1..5),
            most in 0u8..3,
            floor in 0.02f64..0.5,
        ) {
            let character = |text: &str| text.chars().next().unwrap();
            let slots: Vec<_> = slots.iter().map(|(a, b, share)| (character(a), character(b), *share)).collect();
            let reading = reading(&slots);
            let found = texts(&reading, &matching(most, floor));
            let mut expected = 0;
            let alphabet = b"0ODQ8B1IL7_";
            for number in 0..alphabet.len().pow(slots.len() as u32) {
                let mut rest = number;
                let text: Vec<u8> = slots.iter().map(|_| {
                    let character = alphabet[rest % alphabet.len()];
                    rest /= alphabet.len();
                    character
                }).collect();
                let Some((plate, probability, put_in)) = naive(&reading, &text, most > 0) else { continue };
                let wanted = probability >= floor && put_in <= most;
                if (probability - floor).abs() < 1e-9 { continue }
                let is_found = found.iter().any(|text| text.plate == plate);
                prop_assert_eq!(is_found, wanted, "{} {} {}", plate, probability, put_in);
                expected += usize::from(wanted);
            }
            prop_assert_eq!(found.len(), expected);
            prop_assert!(found.is_sorted_by(|a, b| a.probability >= b.probability));
        }
    }

    fn naive(reading: &Reading, text: &[u8], look_alikes: bool) -> Option<(Plate, f64, u8)> {
        let length = text.iter().position(|&c| c == b'_').unwrap_or(text.len());
        if text[length..].iter().any(|&c| c != b'_') {
            return None;
        }
        let plate = Plate::parse(std::str::from_utf8(&text[..length]).unwrap()).ok()?;
        let (mut probability, mut put_in) = (1.0, 0);
        for (slot, &character) in reading.slots().iter().zip(text) {
            let seen = slot.probabilities();
            let index = ALPHABET.iter().position(|&c| c == character).unwrap_or(BLANK);
            let own = f64::from(seen[index]);
            let taken = (look_alikes && index != BLANK).then(|| taken_for(index, seen)).flatten();
            match taken {
                Some((_, taken)) if taken > own => {
                    probability *= taken;
                    put_in += 1;
                }
                _ => probability *= own,
            }
        }
        Some((plate, probability, put_in))
    }
}
