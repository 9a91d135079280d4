use serde::{Deserialize, Serialize};

/// A number from 0 to 1 that says how likely something is.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Probability(f64);

impl Probability {
    pub const NEVER: Self = Self(0.0);
    pub const CERTAIN: Self = Self(1.0);

    /// None unless `value` lies in 0..=1 (so also for NaN).
    pub fn new(value: f64) -> Option<Self> {
        (0.0..=1.0).contains(&value).then_some(Self(value))
    }

    /// For sums and products of probabilities, where rounding may leave the range by a hair; NaN becomes 0.
    pub fn clamped(value: f64) -> Self {
        if value.is_nan() { Self::NEVER } else { Self(value.clamp(0.0, 1.0)) }
    }

    pub fn value(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Probability {
    type Error = String;

    fn try_from(value: f64) -> Result<Self, Self::Error> {
        Self::new(value).ok_or_else(|| format!("{value} is not a probability: it must lie from 0 to 1"))
    }
}

impl From<Probability> for f64 {
    fn from(probability: Probability) -> Self {
        probability.0
    }
}

impl std::fmt::Display for Probability {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.1} %", self.0 * 100.0)
    }
}
