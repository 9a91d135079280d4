//! Many looks at one plate to one reading.

use crate::vision::Sighting;
use crate::words::{Reading, StateReading};

/// How much two frames of one passage share their errors: the same angle, the same dirt. With it the
/// worth of `n` looks grows towards `1 / CORRELATION` instead of `n`, and confidence stays honest.
const CORRELATION: f32 = 0.3;

/// More looks than this add nothing that the best of them do not say.
const LOOKS_MAX: usize = 32;

/// One frame's look, as far as the vote needs it.
struct Look {
    reading: Reading,
    state: StateReading,
    quality: f32,
}

/// The weighted product of a passage's looks.
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
        let best = self.looks.iter().map(|look| look.quality).fold(f32::MIN_POSITIVE, f32::max);
        let shares: Vec<f32> = self.looks.iter().map(|look| look.quality / best).collect();
        let together = 1.0 + CORRELATION * (shares.iter().sum::<f32>() - 1.0).max(0.0);
        let weights: Vec<f32> = shares.iter().map(|share| share / together).collect();
        let readings: Vec<&Reading> = self.looks.iter().map(|look| &look.reading).collect();
        let states: Vec<&StateReading> = self.looks.iter().map(|look| &look.state).collect();
        self.reading = Reading::combine(&readings, &weights);
        self.state = StateReading::combine(&states, &weights);
    }
}

impl Look {
    fn of(sighting: Sighting) -> Self {
        let quality = quality(&sighting);
        Self { reading: sighting.reading, state: sighting.state, quality }
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
    fn a_large_sharp_look_outvotes_small_blurred_ones() {
        let blurred = || Sighting { sharpness: 20.0, ..sighting("A8C123", 4.0, (0.0, 0.0), 40.0) };
        let sharp = Sighting { sharpness: 900.0, ..sighting("ABC123", 6.0, (0.0, 0.0), 160.0) };
        let mut vote = Vote::new(blurred());
        (0..3).for_each(|_| vote.add(blurred()));
        vote.add(sharp);
        assert_eq!(vote.reading().best().unwrap().plate.as_str(), "ABC123");
    }
}
