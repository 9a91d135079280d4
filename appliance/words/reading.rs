//! What was read, as distributions instead of a string.

use serde::{Deserialize, Serialize};

use super::{Plate, Probability, State};

/// The characters of a slot in the reader's order; index 36 behind them is "blank".
pub const ALPHABET: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// The longest text that a reading can hold.
pub const SLOTS_MAX: usize = Plate::MAX;

const BLANK: usize = 36;

/// No single sighting may rule a character out for good: a glare that is surely an 8 in one frame
/// must be outvoted by ten frames of a 3.
const FLOOR: f32 = 1e-4;

/// How likely each of `0-9A-Z` and blank stands at one position; sums to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slot([f32; 37]);

impl Slot {
    /// From unnormalised log-likelihoods (the reader's logits).
    pub fn from_logits(logits: &[f32; 37]) -> Self {
        Self(softmax(logits))
    }

    /// By index into [`ALPHABET`], blank last.
    pub fn probabilities(&self) -> &[f32; 37] {
        &self.0
    }

    /// How likely this character stands here (`A-Z0-9`), or nothing.
    pub fn probability_of(&self, character: Option<u8>) -> f32 {
        self.0[character.map_or(BLANK, index_of)]
    }
}

/// The reading of one plate: a [`Slot`] for each character position, left to right, blanks behind the text.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    slots: Vec<Slot>,
}

/// One text that the plate may carry, and how likely.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Candidate {
    #[serde(rename = "text")]
    pub plate: Plate,
    #[serde(rename = "confidence")]
    pub probability: Probability,
}

impl Reading {
    /// Slots beyond [`SLOTS_MAX`] are dropped: no plate is that long.
    pub fn new(mut slots: Vec<Slot>) -> Self {
        slots.truncate(SLOTS_MAX);
        Self { slots }
    }

    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// How likely the plate carries exactly this text.
    pub fn probability_of(&self, plate: &Plate) -> Probability {
        let text = plate.as_bytes();
        if text.len() > self.slots.len() {
            return Probability::NEVER;
        }
        let product = self
            .slots
            .iter()
            .enumerate()
            .map(|(position, slot)| f64::from(slot.probability_of(text.get(position).copied())))
            .product();
        Probability::clamped(product)
    }

    /// The most likely texts, best first, none below `floor`; at most `count`, where "no text at all" counts too.
    ///
    /// A text ends at its first blank and stays ended, so a gap inside a plate is no candidate.
    pub fn candidates(&self, count: usize, floor: Probability) -> Vec<Candidate> {
        let mut open = vec![Partial { text: [0; SLOTS_MAX], length: 0, ended: false, probability: 1.0 }];
        for slot in &self.slots {
            let mut next: Vec<Partial> = open.iter().flat_map(|partial| partial.extended(slot)).collect();
            next.sort_by(|a, b| b.probability.total_cmp(&a.probability));
            // A prefix outside this many cannot end among the best `count`: later slots multiply all alike.
            next.truncate(count.saturating_mul(2).max(8));
            open = next;
        }
        open.into_iter()
            .take(count)
            .filter(|partial| partial.probability > 0.0 && partial.probability >= floor.value())
            .filter_map(Partial::into_candidate)
            .collect()
    }

    /// The most likely text; none if "nothing but blanks" is likelier than any.
    pub fn best(&self) -> Option<Candidate> {
        self.candidates(1, Probability::NEVER).into_iter().next()
    }

    /// Several sightings of one plate as one reading: the normalised product of their distributions.
    ///
    /// `weights` say how much each sighting counts (1 = an independent look); sightings of neighbouring
    /// frames share their errors, so the caller gives them less than 1. Both slices have one length.
    pub fn combine(readings: &[&Reading], weights: &[f32]) -> Reading {
        let length = readings.iter().map(|reading| reading.slots.len()).max().unwrap_or(0);
        let slots = (0..length)
            .map(|position| {
                let mut logits = [0.0f32; 37];
                for (reading, weight) in readings.iter().zip(weights) {
                    for (index, logit) in logits.iter_mut().enumerate() {
                        // A shorter reading says "blank" where it has no slot.
                        let seen = reading
                            .slots
                            .get(position)
                            .map_or(f32::from(index == BLANK), |slot| slot.0[index]);
                        *logit += weight * seen.max(FLOOR).ln();
                    }
                }
                Slot::from_logits(&logits)
            })
            .collect();
        Reading { slots }
    }
}

/// A text under construction in the search of [`Reading::candidates`].
#[derive(Clone, Copy)]
struct Partial {
    text: [u8; SLOTS_MAX],
    length: usize,
    ended: bool,
    probability: f64,
}

impl Partial {
    fn extended(&self, slot: &Slot) -> Vec<Partial> {
        let blank =
            Partial { ended: true, probability: self.probability * f64::from(slot.0[BLANK]), ..*self };
        if self.ended {
            return vec![blank];
        }
        let characters = ALPHABET.iter().enumerate().map(|(index, &character)| {
            let mut longer = *self;
            longer.text[longer.length] = character;
            longer.length += 1;
            longer.probability *= f64::from(slot.0[index]);
            longer
        });
        characters.chain([blank]).collect()
    }

    fn into_candidate(self) -> Option<Candidate> {
        let text = std::str::from_utf8(&self.text[..self.length]).expect("the alphabet is ASCII");
        let plate = Plate::parse(text).ok()?;
        Some(Candidate { plate, probability: Probability::clamped(self.probability) })
    }
}

/// How likely each state issued the plate, and how likely it cannot be told; sums to 1.
#[derive(Debug, Clone, PartialEq)]
pub struct StateReading([f32; 52]);

impl StateReading {
    /// In the order of [`State::ALL`], "unknown" last.
    pub fn from_logits(logits: &[f32; 52]) -> Self {
        Self(softmax(logits))
    }

    pub fn probability_of(&self, state: State) -> Probability {
        Probability::clamped(f64::from(self.0[state as usize]))
    }

    /// The state that is likelier than all else together; none where the plate leaves it open. A wrong state
    /// stops an innocent driver, an unknown one asks a person to look.
    pub fn best(&self) -> Option<(State, Probability)> {
        let state =
            State::ALL.into_iter().max_by(|a, b| self.0[*a as usize].total_cmp(&self.0[*b as usize]))?;
        (self.0[state as usize] >= 0.5).then(|| (state, self.probability_of(state)))
    }

    /// As [`Reading::combine`].
    pub fn combine(readings: &[&StateReading], weights: &[f32]) -> StateReading {
        let mut logits = [0.0f32; 52];
        for (reading, weight) in readings.iter().zip(weights) {
            for (logit, seen) in logits.iter_mut().zip(reading.0) {
                *logit += weight * seen.max(FLOOR).ln();
            }
        }
        Self::from_logits(&logits)
    }
}

fn softmax<const N: usize>(logits: &[f32; N]) -> [f32; N] {
    let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut out = logits.map(|logit| (logit - highest).exp());
    let sum: f32 = out.iter().sum();
    out.iter_mut().for_each(|value| *value /= sum);
    out
}

fn index_of(character: u8) -> usize {
    match character {
        b'0'..=b'9' => usize::from(character - b'0'),
        _ => usize::from(character - b'A') + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A slot that gives each named character its share, and the rest evenly to all.
    fn slot(shares: &[(char, f32)]) -> Slot {
        let rest = (1.0 - shares.iter().map(|(_, share)| share).sum::<f32>()) / 37.0;
        let mut probabilities = [rest; 37];
        for (character, share) in shares {
            let index = if *character == '_' { BLANK } else { index_of(*character as u8) };
            probabilities[index] += share;
        }
        Slot(probabilities)
    }

    fn reading(slots: &[&[(char, f32)]]) -> Reading {
        Reading::new(slots.iter().map(|shares| slot(shares)).collect())
    }

    #[test]
    fn candidates_come_best_first_with_their_probability() {
        let read = reading(&[&[('8', 0.6), ('B', 0.4)], &[('1', 1.0)], &[('_', 1.0)]]);
        let found = read.candidates(10, Probability::clamped(0.01));
        let texts: Vec<_> = found.iter().map(|candidate| candidate.plate.to_string()).collect();
        assert_eq!(texts, ["81", "B1"]);
        assert!((found[0].probability.value() - 0.6).abs() < 1e-6);
        assert_eq!(read.probability_of(&found[1].plate), found[1].probability);
    }

    #[test]
    fn ten_doubtful_looks_outvote_one_sure_mistake() {
        let wrong = reading(&[&[('8', 0.999)]]);
        let right = reading(&[&[('3', 0.7), ('8', 0.3)]]);
        let mut looks = vec![&wrong];
        looks.extend(std::iter::repeat_n(&right, 12));
        let vote = Reading::combine(&looks, &vec![1.0; looks.len()]);
        assert_eq!(vote.best().unwrap().plate.as_str(), "3");
    }

    #[test]
    fn only_blanks_is_no_plate() {
        assert_eq!(reading(&[&[('_', 1.0)], &[('_', 1.0)]]).best(), None);
    }

    #[test]
    fn an_unknown_state_is_an_answer() {
        let mut logits = [0.0; 52];
        logits[51] = 3.0;
        assert_eq!(StateReading::from_logits(&logits).best(), None);
        logits[State::Ma as usize] = 9.0;
        assert_eq!(StateReading::from_logits(&logits).best().unwrap().0, State::Ma);
    }
}
