use super::{Config, Sighting};

/// Tells plates from badges, grilles, stickers and signs, by all that is known of a sighting.
pub(super) struct Gate {
    read_floor: f64,
    character_floor: f64,
}

impl Gate {
    pub fn new(config: &Config) -> Self {
        Self { read_floor: config.read_floor.value(), character_floor: config.character_floor.value() }
    }

    pub fn admits(&self, sighting: &Sighting) -> bool {
        sighting.reading.best().is_some_and(|best| {
            let confidence = best.probability.value();
            // The mean over the characters, as a geometric one: a long plate is not expected to be
            // as sure as a short one.
            let each = confidence.powf(1.0 / best.plate.as_bytes().len() as f64);
            confidence >= self.read_floor && each >= self.character_floor
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vision::Corners;
    use crate::words::{ALPHABET, Probability, Reading, Slot, StateReading};

    /// A sighting of `text`, each character with the given log-odds ahead of every other.
    fn sighting(text: &str, lead: f32) -> Sighting {
        let slot = |character: Option<u8>| {
            let mut logits = [0.0; 37];
            let index = character.and_then(|c| ALPHABET.iter().position(|&other| other == c));
            logits[index.unwrap_or(36)] = lead;
            Slot::from_logits(&logits)
        };
        let slots = (0..8).map(|position| slot(text.as_bytes().get(position).copied())).collect();
        Sighting {
            corners: Corners::of_picture(100, 50),
            reading: Reading::new(slots),
            state: StateReading::from_logits(&[0.0; 52]),
            found: Probability::CERTAIN,
            width_px: 100.0,
            sharpness: 100.0,
        }
    }

    #[test]
    fn admits_a_clear_plate_and_refuses_scribble_and_nothing() {
        let gate = Gate::new(&Config::default());
        assert!(gate.admits(&sighting("ABC123", 8.0)));
        assert!(!gate.admits(&sighting("C00D", 2.0)));
        assert!(!gate.admits(&sighting("", 8.0)));
    }
}
