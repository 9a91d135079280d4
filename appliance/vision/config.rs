use serde::Deserialize;

use crate::words::Probability;

/// `[vision]`: how sure the unit must be before something in the picture counts as a plate.
///
/// The defaults suit every camera; they come from pictures that the networks were not trained on.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How sure the localiser must be that a place is a plate. Default 0.25. Raise it where badges,
    /// grilles or signs are read as plates; lower it where distant plates are missed.
    pub found_floor: Probability,
    /// How sure the reader must be of the whole text for one frame's sighting to count. Default 0.05:
    /// the vote over a passage, not one frame, decides. Raise it where signs are read as plates. Below
    /// it no text was right on the validation scenes; above, 4 of 94 backgrounds without a plate gave one.
    pub read_floor: Probability,
    /// How sure the reader must be of each single character, on average. Default 0.4: letters of a
    /// shop sign are rarely all plate characters. Raise it together with `read_floor`.
    pub character_floor: Probability,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            found_floor: Probability::clamped(0.25),
            read_floor: Probability::clamped(0.05),
            character_floor: Probability::clamped(0.4),
        }
    }
}
