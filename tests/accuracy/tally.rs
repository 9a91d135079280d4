//! What happened with the plates of a slice, and how it is told.

use std::collections::BTreeMap;

use milepost::vision::Sighting;
use milepost::words::{Plate, Probability};
use serde_json::{Map, Value};

use super::pictures::Truth;

/// Bins of equal width in which stated confidence is held against the share that is right.
const BINS: usize = 10;

/// What happened with the labelled plates of a slice.
#[derive(Default, Clone)]
pub struct Tally {
    plates: u32,
    texts: u32,
    found: u32,
    exact: u32,
    /// As exact, with O and 0 taken for one character.
    exact_o_is_zero: u32,
    among_ten: u32,
    states: u32,
    state_named: u32,
    state_right: u32,
    /// Of each read with a known text, how sure it was and whether it was right.
    reads: Vec<(f64, bool)>,
}

impl Tally {
    pub fn count(&mut self, truth: &Truth, sighting: Option<&Sighting>) {
        self.plates += 1;
        self.texts += u32::from(truth.plate.is_some());
        self.states += u32::from(truth.state.is_some());
        let Some(sighting) = sighting else { return };
        self.found += 1;
        if let Some(truth) = truth.plate {
            let candidates = sighting.reading.candidates(10, Probability::NEVER);
            let best = candidates.first();
            let alike = |text: &Plate| text.as_str().replace('O', "0") == truth.as_str().replace('O', "0");
            let right = best.is_some_and(|best| best.plate == truth);
            self.exact += u32::from(right);
            self.exact_o_is_zero += u32::from(best.is_some_and(|best| alike(&best.plate)));
            self.among_ten += u32::from(candidates.iter().any(|candidate| candidate.plate == truth));
            self.reads.extend(best.map(|best| (best.probability.value(), right)));
        }
        if let (Some(truth), Some((state, _))) = (truth.state, sighting.state.best()) {
            self.state_named += 1;
            self.state_right += u32::from(state == truth);
        }
    }

    pub fn add(&mut self, other: &Tally) {
        self.reads.extend(&other.reads);
    }

    pub fn found_share(&self) -> f64 {
        share(self.found, self.plates)
    }

    pub fn exact_share(&self) -> f64 {
        share(self.exact, self.texts)
    }

    /// Mean distance of stated confidence from the share that is right, over [`BINS`]; none without reads.
    pub fn calibration_error(&self) -> Option<f64> {
        let apart: f64 = self.bins().iter().map(|bin| (bin.confidence - f64::from(bin.right)).abs()).sum();
        (!self.reads.is_empty()).then(|| apart / self.reads.len() as f64)
    }

    fn bins(&self) -> [Bin; BINS] {
        let mut bins = [Bin::default(); BINS];
        for &(confidence, right) in &self.reads {
            let bin = &mut bins[((confidence * BINS as f64) as usize).min(BINS - 1)];
            bin.reads += 1;
            bin.right += u32::from(right);
            bin.confidence += confidence;
        }
        bins
    }

    fn shares(&self) -> [(&'static str, u32, u32); 6] {
        [
            ("found", self.found, self.plates),
            ("exact", self.exact, self.texts),
            ("exact_o_is_zero", self.exact_o_is_zero, self.texts),
            ("among_ten", self.among_ten, self.texts),
            ("state_named", self.state_named, self.states),
            ("state_right", self.state_right, self.state_named),
        ]
    }

    /// Of the reads at least so sure, how many there are and how many are right.
    fn from(&self, floor: f64) -> (u32, u32) {
        let sure = self.reads.iter().filter(|(confidence, _)| *confidence >= floor);
        sure.fold((0, 0), |(reads, right), (_, is_right)| (reads + 1, right + u32::from(*is_right)))
    }
}

/// The reads whose confidence falls between two bounds.
#[derive(Default, Clone, Copy)]
struct Bin {
    reads: u32,
    right: u32,
    /// Summed over the reads.
    confidence: f64,
}

fn share(hits: u32, of: u32) -> f64 {
    f64::from(hits) / f64::from(of.max(1))
}

pub fn print_table(tallies: &BTreeMap<String, Tally>) {
    println!("Shares in per cent, with the 95 % interval of each; calibration error in per cent");
    print!("{:36}{:>5}", "slice", "n");
    Tally::default().shares().iter().for_each(|(name, ..)| print!("  {name:>16}"));
    println!("  {:>11}", "calibration");
    for (slice, tally) in tallies {
        print!("{slice:36}{:>5}", tally.plates);
        for (_, hits, of) in tally.shares() {
            print!("  {:>16}", if of == 0 { "-".to_owned() } else { with_interval(hits, of) });
        }
        println!(
            "  {:>11}",
            tally.calibration_error().map_or("-".to_owned(), |error| format!("{:.1}", 100.0 * error))
        );
    }
}

/// How far confidence can be trusted, and how sure the surest must be for so many of them to be right.
pub fn print_reliability(all: &Tally) {
    println!("\nAll reads: confidence stated, and the share that was right");
    for (bin, index) in all.bins().iter().zip(0..) {
        let lower = f64::from(index) / BINS as f64;
        if bin.reads > 0 {
            let stated = 100.0 * bin.confidence / f64::from(bin.reads);
            println!(
                "{lower:4.1} up  {:>5} reads  {stated:5.1} stated  {} right",
                bin.reads,
                with_interval(bin.right, bin.reads)
            );
        }
    }
    for floor in [0.4, 0.5, 0.9, 0.95, 0.99] {
        let (reads, right) = all.from(floor);
        println!(
            "confidence {floor:.2} and more: {reads} of {} reads, right {}",
            all.reads.len(),
            with_interval(right, reads)
        );
    }
}

fn with_interval(hits: u32, of: u32) -> String {
    let (low, high) = interval(hits, of);
    format!("{:.1} ({low:.0}-{high:.0})", 100.0 * share(hits, of))
}

/// Wilson's interval at 95 %, in per cent.
fn interval(hits: u32, of: u32) -> (f64, f64) {
    const Z: f64 = 1.96;
    let (n, share) = (f64::from(of.max(1)), share(hits, of));
    let middle = share + Z * Z / (2.0 * n);
    let spread = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 100.0 / (1.0 + Z * Z / n);
    ((middle - spread) * scale, (middle + spread) * scale)
}

/// Every figure under a flat name.
pub fn figures(tallies: &BTreeMap<String, Tally>) -> Map<String, Value> {
    let mut figures = Map::new();
    for (slice, tally) in tallies {
        let slice = slice.replace(", ", "_").replace([' ', '-'], "_");
        figures.insert(format!("{slice}_n"), tally.plates.into());
        for (name, hits, of) in tally.shares().into_iter().filter(|(_, _, of)| *of > 0) {
            figures.insert(format!("{slice}_{name}_share"), share(hits, of).into());
        }
        if let Some(error) = tally.calibration_error() {
            figures.insert(format!("{slice}_calibration_error"), error.into());
        }
    }
    figures
}
