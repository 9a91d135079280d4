//! Whether two looks show the same plate, by what they say and where they are.

use crate::words::{ALPHABET, Reading};

/// From this share of positions on, a reading is clear enough to contradict another.
const CLEAR: f32 = 0.7;

/// The reader's blank stands last in a slot, behind the characters.
const BLANK: usize = ALPHABET.len();

/// How alike two readings are: the share of character positions that agree, from 0 to 1.
///
/// A share and not the probability that both texts are equal: one mistaken character makes that
/// probability vanish, but says little against the same vehicle. Two plates by chance share about a
/// tenth, two of one fleet all but a character.
pub(super) fn likeness(a: &Reading, b: &Reading) -> f32 {
    let (mut shared, mut positions) = (0.0, 0.0);
    for (a, b) in a.slots().iter().zip(b.slots()) {
        let (a, b) = (a.probabilities(), b.probabilities());
        let both_blank = a[BLANK] * b[BLANK];
        positions += 1.0 - both_blank;
        shared += a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>() - both_blank;
    }
    if positions > 0.0 { shared / positions } else { 0.0 }
}

/// Whether both readings are clear, whatever they say: a blurred one is not even like itself.
fn both_clear(a: &Reading, b: &Reading) -> bool {
    likeness(a, a) >= CLEAR && likeness(b, b) >= CLEAR
}

/// Whether both readings are clear and their texts differ.
pub(super) fn contradict(a: &Reading, b: &Reading) -> bool {
    let text = |reading: &Reading| reading.best().map(|best| best.plate);
    both_clear(a, b) && text(a) != text(b)
}

/// How well a new look continues what was seen of a vehicle; None if it is another vehicle.
///
/// `distance` is measured from where the plate was expected, in plate widths; `reach` is how far it
/// may have got. In reach, only a clear contradiction separates: one misread character does not.
/// Out of reach, only an equal text joins: two vehicles cannot carry the same plate.
pub(super) fn kinship(known: &Reading, seen: &Reading, distance: f32, reach: f32) -> Option<f32> {
    const HARDLY_ALIKE: f32 = 0.4;
    const MUCH_ALIKE: f32 = 0.75;
    let likeness = likeness(known, seen);
    let kin = if distance <= reach {
        likeness >= HARDLY_ALIKE || !both_clear(known, seen)
    } else {
        likeness >= MUCH_ALIKE && !contradict(known, seen)
    };
    kin.then(|| likeness + (-distance / reach).exp())
}

#[cfg(test)]
mod tests {
    use super::super::track::tests::reading;
    use super::*;

    #[test]
    fn likeness_counts_positions_and_not_blanks() {
        assert!(likeness(&reading("ABC123", 12.0), &reading("ABC123", 12.0)) > 0.99);
        assert!((likeness(&reading("ABC123", 12.0), &reading("ABC124", 12.0)) - 5.0 / 6.0).abs() < 0.01);
        assert!(likeness(&reading("ABC123", 12.0), &reading("XYZ987", 12.0)) < 0.01);
    }

    #[test]
    fn a_misread_character_does_not_make_another_vehicle_nearby() {
        let known = reading("ABC123", 12.0);
        assert!(kinship(&known, &reading("A8C123", 12.0), 0.2, 1.0).is_some());
        assert!(kinship(&known, &reading("XYZ987", 12.0), 0.2, 1.0).is_none());
    }

    #[test]
    fn an_unreadable_look_belongs_to_what_is_nearby() {
        let known = reading("ABC123", 12.0);
        assert!(kinship(&known, &reading("XYZ987", 1.0), 0.2, 1.0).is_some());
        assert!(kinship(&known, &reading("XYZ987", 1.0), 2.0, 1.0).is_none());
    }

    #[test]
    fn far_away_only_the_same_plate_is_the_same_vehicle() {
        let known = reading("ABC1234", 12.0);
        assert!(kinship(&known, &reading("ABC1234", 12.0), 9.0, 1.0).is_some());
        assert!(kinship(&known, &reading("ABC1235", 12.0), 9.0, 1.0).is_none(), "the next of a fleet");
    }
}
