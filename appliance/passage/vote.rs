//! Many looks at one plate to one reading.

use crate::vision::Sighting;
use crate::words::{Plate, Probability, Reading, StateReading};

/// How much two frames of one passage share their errors: the same angle, the same dirt. With it the
/// worth of `n` looks grows towards `1 / CORRELATION` instead of `n`, and confidence stays honest.
const CORRELATION: f32 = 0.3;

/// More looks than this add nothing that the best of them do not say.
const LOOKS_MAX: usize = 32;

/// So many texts of each look stand for election.
const TEXTS: usize = 3;

/// A look that gives the elected text less than this saw something else: a plate cut off at its left has every
/// character in another slot, and would spoil them all.
const DISSENT: f64 = 1e-4;

/// One frame's look, as far as the vote needs it.
struct Look {
    reading: Reading,
    state: StateReading,
    quality: f32,
    /// The likeliest texts.
    texts: Vec<Plate>,
}

/// The weighted product of a passage's looks, less those that saw something else than most.
pub(super) struct Vote {
    looks: Vec<Look>,
    reading: Reading,
    state: StateReading,
}

/// How much a sighting tells: larger and sharper characters tell more.
pub(super) fn quality(sighting: &Sighting) -> f32 {
    sighting.width_px * sighting.sharpness.max(1.0).sqrt()
}

impl Vote {
    pub fn new(first: Sighting) -> Self {
        let (reading, state) = (first.reading.clone(), first.state.clone());
        Self { looks: vec![Look::of(first)], reading, state }
    }

    pub fn add(&mut self, sighting: Sighting) {
        let look = Look::of(sighting);
        if self.looks.len() < LOOKS_MAX {
            self.looks.push(look);
        } else {
            let poorest = self.looks.iter_mut().min_by(|a, b| a.quality.total_cmp(&b.quality));
            match poorest {
                Some(poorest) if poorest.quality < look.quality => *poorest = look,
                _ => return,
            }
        }
        self.count();
    }

    pub fn reading(&self) -> &Reading {
        &self.reading
    }

    pub fn state(&self) -> &StateReading {
        &self.state
    }

    fn count(&mut self) {
        let elected = self.elected();
        let agrees = |look: &&Look| elected.is_none_or(|text| look.gives(&text) >= DISSENT);
        let looks: Vec<&Look> = self.looks.iter().filter(agrees).collect();
        let best = looks.iter().map(|look| look.quality).fold(f32::MIN_POSITIVE, f32::max);
        let shares: Vec<f32> = looks.iter().map(|look| look.quality / best).collect();
        let together = 1.0 + CORRELATION * (shares.iter().sum::<f32>() - 1.0).max(0.0);
        let weights: Vec<f32> = shares.iter().map(|share| share / together).collect();
        let readings: Vec<&Reading> = looks.iter().map(|look| &look.reading).collect();
        let states: Vec<&StateReading> = looks.iter().map(|look| &look.state).collect();
        self.reading = Reading::combine(&readings, &weights);
        self.state = StateReading::combine(&states, &weights);
    }

    /// The text that the looks together hold likeliest, no look's veto counting more than [`DISSENT`]; none
    /// where nobody sees any.
    fn elected(&self) -> Option<Plate> {
        let support = |text: &Plate| -> f64 {
            self.looks.iter().map(|look| f64::from(look.quality) * look.gives(text).max(DISSENT).ln()).sum()
        };
        let mut texts: Vec<Plate> = self.looks.iter().flat_map(|look| look.texts.iter().copied()).collect();
        texts.sort_unstable();
        texts.dedup();
        let supported = texts.into_iter().map(|text| (support(&text), text));
        supported.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, text)| text)
    }
}

impl Look {
    fn of(sighting: Sighting) -> Self {
        let quality = quality(&sighting);
        let candidates = sighting.reading.candidates(TEXTS, Probability::NEVER);
        let texts = candidates.into_iter().map(|candidate| candidate.plate).collect();
        Self { reading: sighting.reading, state: sighting.state, quality, texts }
    }

    /// How likely this look holds the text.
    fn gives(&self, text: &Plate) -> f64 {
        self.reading.probability_of(text).value()
    }
}

#[cfg(test)]
mod tests {
    use super::super::track::tests::sighting;
    use super::*;

    fn confidence(vote: &Vote) -> f64 {
        vote.reading().best().unwrap().probability.value()
    }

    #[test]
    fn agreeing_looks_make_sure_but_never_certain() {
        let look = || sighting("ABC123", 5.0, (0.0, 0.0), 100.0);
        let mut vote = Vote::new(look());
        let one = confidence(&vote);
        (0..2).for_each(|_| vote.add(look()));
        let three = confidence(&vote);
        (0..500).for_each(|_| vote.add(look()));
        let many = confidence(&vote);
        assert!(one < three && three < many && many < 0.999_999, "{one} {three} {many}");
    }

    #[test]
    fn looks_that_missed_the_first_character_do_not_spoil_the_others() {
        let mut vote = Vote::new(sighting("BC1234", 5.0, (0.0, 0.0), 90.0));
        vote.add(sighting("BC1234", 5.0, (0.0, 0.0), 90.0));
        (0..4).for_each(|_| vote.add(sighting("ABC1234", 5.0, (0.0, 0.0), 100.0)));
        assert_eq!(vote.reading().best().unwrap().plate.as_str(), "ABC1234");
        assert!(confidence(&vote) > 0.95, "{}", confidence(&vote));
    }

    #[test]
    fn a_large_sharp_look_outvotes_small_blurred_ones() {
        let blurred = || Sighting { sharpness: 20.0, ..sighting("A8C123", 4.0, (0.0, 0.0), 40.0) };
        let sharp = Sighting { sharpness: 900.0, ..sighting("ABC123", 6.0, (0.0, 0.0), 160.0) };
        let mut vote = Vote::new(blurred());
        (0..3).for_each(|_| vote.add(blurred()));
        vote.add(sharp);
        assert_eq!(vote.reading().best().unwrap().plate.as_str(), "ABC123");
    }
}
