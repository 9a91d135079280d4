//! What was read, as lines of JSON or as a table.

use std::io::{self, Write};
use std::time::Duration;

use serde::Serialize;

use super::Format;
use super::sources::Source;
use crate::passage::Read;
use crate::vision::{Corners, Sighting};
use crate::words::{Candidate, Probability, Reading, State, StateReading};

/// As many candidates as a plate is reported with, and how likely each must be.
const CANDIDATES_MAX: usize = 10;
const CANDIDATE_FLOOR: f64 = 1e-6;

/// Longer names are cut at their front in the table.
const NAME_COLUMN_MAX: usize = 48;

/// One picture, or one passage of a clip.
#[derive(Debug, Serialize)]
pub(super) struct Line {
    #[serde(flatten)]
    span: Option<Span>,
    width: usize,
    height: usize,
    /// Finding and reading, with the picture already decoded; in a clip, the mean of its frames.
    ms: f64,
    plates: Vec<PlateLine>,
}

/// From the first to the last sight of a passage, in seconds from the clip's start.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Span {
    pub start_s: f64,
    pub end_s: f64,
}

#[derive(Debug, Serialize)]
struct PlateLine {
    text: String,
    confidence: f64,
    state: Option<State>,
    /// 0 where no state is named.
    state_confidence: f64,
    corners: [[f32; 2]; 4],
    candidates: Vec<CandidateLine>,
}

#[derive(Debug, Serialize)]
struct CandidateLine {
    text: String,
    confidence: f64,
}

impl Line {
    pub fn of_picture(size: (usize, usize), took: Duration, sightings: &[Sighting]) -> Self {
        let plates = sightings
            .iter()
            .filter_map(|sighting| PlateLine::new(&sighting.reading, &sighting.state, &sighting.corners));
        Self::new(None, size, took, plates.collect())
    }

    pub fn of_passage(size: (usize, usize), took: Duration, span: Span, read: &Read) -> Self {
        let span = Span { start_s: rounded(span.start_s, 3), end_s: rounded(span.end_s, 3) };
        let plate = PlateLine::new(&read.reading, &read.state, &read.corners);
        Self::new(Some(span), size, took, plate.into_iter().collect())
    }

    fn new(span: Option<Span>, size: (usize, usize), took: Duration, plates: Vec<PlateLine>) -> Self {
        let ms = rounded(took.as_secs_f64() * 1000.0, 2);
        Self { span, width: size.0, height: size.1, ms, plates }
    }
}

impl PlateLine {
    fn new(reading: &Reading, state: &StateReading, corners: &Corners) -> Option<Self> {
        let candidates = reading.candidates(CANDIDATES_MAX, Probability::clamped(CANDIDATE_FLOOR));
        let best = candidates.first().copied().or_else(|| reading.best())?;
        let state = state.best();
        Some(Self {
            text: best.plate.to_string(),
            confidence: rounded(best.probability.value(), 6),
            state: state.map(|(state, _)| state),
            state_confidence: state.map_or(0.0, |(_, probability)| rounded(probability.value(), 4)),
            corners: corners.0.map(|(x, y)| [x, y].map(|value| (value * 10.0).round() / 10.0)),
            candidates: candidates.iter().map(CandidateLine::of).collect(),
        })
    }
}

impl CandidateLine {
    fn of(candidate: &Candidate) -> Self {
        Self { text: candidate.plate.to_string(), confidence: rounded(candidate.probability.value(), 6) }
    }
}

fn rounded(value: f64, digits: i32) -> f64 {
    let scale = 10f64.powi(digits);
    (value * scale).round() / scale
}

/// Writes lines to standard output as they come.
pub(super) struct Report {
    format: Format,
    name_width: usize,
    pictures: usize,
    plates: usize,
    times_ms: Vec<f64>,
}

impl Report {
    pub fn new(format: Format, sources: &[Source]) -> Self {
        let longest = sources.iter().map(|source| source.name().chars().count()).max().unwrap_or(0);
        let name_width = longest.clamp(6, NAME_COLUMN_MAX);
        Self { format, name_width, pictures: 0, plates: 0, times_ms: Vec::new() }
    }

    /// What one source gave; a clip may give several lines or none.
    pub fn print(&mut self, source: &str, lines: &[Line]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if self.format == Format::Table && self.pictures == 0 {
            let name_width = self.name_width;
            writeln!(out, "{:name_width$}  PLATE       SURE  STATE    WIDTH      MS  SEEN", "SOURCE")?;
        }
        self.pictures += 1;
        match self.format {
            Format::Jsonl => {
                for line in lines {
                    writeln!(out, "{}", serde_json::to_string(&Named { source, line })?)?;
                }
            }
            Format::Table => self.print_rows(&mut out, source, lines)?,
        }
        self.plates += lines.iter().map(|line| line.plates.len()).sum::<usize>();
        self.times_ms.extend(lines.iter().map(|line| line.ms));
        out.flush()
    }

    fn print_rows(&self, out: &mut impl Write, source: &str, lines: &[Line]) -> io::Result<()> {
        let (name, name_width) = (shortened(source, self.name_width), self.name_width);
        if lines.iter().all(|line| line.plates.is_empty()) {
            let ms = lines.first().map_or(0.0, |line| line.ms);
            return writeln!(out, "{name:name_width$}  {:31}{ms:>9.1}", "no plate");
        }
        for line in lines {
            for plate in &line.plates {
                let sure = format!("{:.0} %", plate.confidence * 100.0);
                let state = plate.state.map_or("-".to_owned(), |state| {
                    format!("{state} {:.0} %", plate.state_confidence * 100.0)
                });
                let corners = Corners(plate.corners.map(|[x, y]| (x, y)));
                let width = format!("{:.0} px", corners.width_px());
                let seen = line
                    .span
                    .map_or(String::new(), |span| format!("{:.1}-{:.1} s", span.start_s, span.end_s));
                let row = format!(
                    "{name:name_width$}  {:10} {sure:>5}  {state:7} {width:>7} {:>7.1}  {seen}",
                    plate.text, line.ms
                );
                writeln!(out, "{}", row.trim_end())?;
            }
        }
        Ok(())
    }

    /// The last word for people.
    pub fn finish(&mut self) -> io::Result<()> {
        if self.format == Format::Jsonl || self.pictures < 2 {
            return Ok(());
        }
        self.times_ms.sort_by(f64::total_cmp);
        let median = self.times_ms.get(self.times_ms.len() / 2).copied().unwrap_or(0.0);
        let (plates, pictures) = (self.plates, self.pictures);
        writeln!(io::stdout(), "{plates} plates in {pictures} files, median {median:.1} ms")
    }
}

#[derive(Serialize)]
struct Named<'a> {
    source: &'a str,
    #[serde(flatten)]
    line: &'a Line,
}

fn shortened(name: &str, width: usize) -> String {
    let length = name.chars().count();
    if length <= width {
        return name.to_owned();
    }
    let tail: String = name.chars().skip(length - (width - 1)).collect();
    format!("…{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Slot;

    fn sighting() -> Sighting {
        let slot = |index: usize| {
            let mut logits = [0.0; 37];
            logits[index] = 9.0;
            Slot::from_logits(&logits)
        };
        let mut state = [0.0; 52];
        state[State::Ma as usize] = 9.0;
        Sighting {
            corners: Corners([(1.04, 2.0), (61.0, 2.0), (61.0, 32.0), (1.0, 32.0)]),
            reading: Reading::new(vec![slot(10), slot(1), slot(36)]),
            state: StateReading::from_logits(&state),
            found: Probability::CERTAIN,
            width_px: 60.0,
            sharpness: 100.0,
        }
    }

    #[test]
    fn a_line_of_json_is_as_programs_expect_it() {
        let line = Line::of_picture((640, 480), Duration::from_micros(12_345), &[sighting()]);
        let json: serde_json::Value =
            serde_json::from_str(&serde_json::to_string(&Named { source: "a.jpg", line: &line }).unwrap())
                .unwrap();
        assert_eq!(json["source"], "a.jpg");
        assert_eq!((&json["width"], &json["height"]), (&640.into(), &480.into()));
        assert_eq!(json["ms"], 12.35);
        let plate = &json["plates"][0];
        assert_eq!((&plate["text"], &plate["state"]), (&"A1".into(), &"ma".into()));
        assert_eq!(plate["corners"], serde_json::json!([[1.0, 2.0], [61.0, 2.0], [61.0, 32.0], [1.0, 32.0]]));
        assert_eq!(plate["candidates"][0]["text"], "A1");
        assert_eq!(plate["confidence"], plate["candidates"][0]["confidence"]);
        assert!(json.get("start_s").is_none());
    }

    #[test]
    fn long_names_keep_their_end() {
        assert_eq!(shortened("folder/picture.jpg", 10), "…cture.jpg");
    }
}
