//! `milepost read`: plates in pictures and clips.

mod report;
mod sources;

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;

use crate::capture::{Clip, Frame};
use crate::passage::{self, Passages, Verdict};
use crate::vision::{self, Picture, Vision};

use report::{Line, Report, Span};
use sources::{Kind, Source};

/// A larger file is no photograph, and reading it would eat the machine's memory.
const PICTURE_BYTES_MAX: u64 = 512 << 20;

/// Reads the plates in pictures and clips
///
/// Prints what was found: text, confidence, state of issuance, corners, and how long it took. A file
/// that cannot be read gives a line on stderr and exit status 1 after the others are done.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Pictures (JPEG, PNG, WebP, TIFF, BMP, PNM), clips (MP4, MKV, AVI, MOV, ...) or folders of them
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Each picture is one plate, cut out with little around it; without this, each picture shows by itself
    /// whether it is one or a scene
    #[arg(long)]
    crop: bool,
    /// A table for people, or one JSON object on each line for programs
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Jsonl,
}

/// Reads all files; the exit status says whether all could be read.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut vision = Vision::load(&vision::Config::default())?;
    let sources = sources::expand(&args.files);
    match read_all(&mut vision, args, &sources) {
        // Whoever listened has heard enough, as `head` does.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        outcome => Ok(outcome.context("the result cannot be written")?),
    }
}

fn read_all(vision: &mut Vision, args: &Args, sources: &[Source]) -> io::Result<ExitCode> {
    let bar = progress_bar(sources);
    let mut report = Report::new(args.format, sources);
    let mut status = ExitCode::SUCCESS;
    for source in sources {
        bar.set_message(source.name());
        let mut lines = Vec::new();
        let outcome = read(vision, source, args.crop, &bar, &mut lines);
        bar.suspend(|| {
            // What was read of a clip before it broke off counts.
            if outcome.is_ok() || !lines.is_empty() {
                report.print(&source.name(), &lines)?;
            }
            if let Err(error) = outcome {
                status = ExitCode::FAILURE;
                eprintln!("milepost read: {}: {error:#}", source.name());
            }
            io::Result::Ok(())
        })?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    report.finish()?;
    Ok(status)
}

fn read(
    vision: &mut Vision,
    source: &Source,
    crop: bool,
    bar: &ProgressBar,
    lines: &mut Vec<Line>,
) -> anyhow::Result<()> {
    match source {
        Source::Missing { why, .. } => bail!("{why}"),
        Source::File { path, kind: Kind::Picture } => lines.push(read_picture(vision, path, crop)?),
        Source::File { path, kind: Kind::Clip } => read_clip(vision, path, bar, lines)?,
    }
    Ok(())
}

fn read_picture(vision: &mut Vision, path: &Path, crop: bool) -> anyhow::Result<Line> {
    let size = std::fs::metadata(path).context("cannot be read")?.len();
    if size > PICTURE_BYTES_MAX {
        bail!("with {} MB the file is too large to be a picture", size >> 20);
    }
    let file = std::fs::read(path).context("cannot be read")?;
    let picture = Picture::decode(&file)?;
    let luma = picture.luma();
    let started = Instant::now();
    let sightings =
        if crop { vision.read_crop(luma)?.into_iter().collect() } else { vision.look_at_photograph(luma)? };
    Ok(Line::of_picture((luma.width, luma.height), started.elapsed(), &sightings))
}

fn read_clip(
    vision: &mut Vision,
    path: &Path,
    bar: &ProgressBar,
    lines: &mut Vec<Line>,
) -> anyhow::Result<()> {
    let mut passages = Passages::new(passage::Config::default());
    let mut pace = Pace::default();
    for frame in Clip::open(path)? {
        let (seconds, mut frame) = frame?;
        // The clip's own clock is the only one that says anything here.
        frame.taken.wall = Timestamp::UNIX_EPOCH + frame.taken.uptime;
        let started = Instant::now();
        let sightings = vision.look(frame.luma())?;
        pace.count(&frame, started.elapsed());
        lines.extend(pace.lines(&passages.see(&frame, sightings)));
        bar.set_message(format!("{} at {seconds:.0} s", path.display()));
    }
    lines.extend(pace.lines(&passages.finish()));
    Ok(())
}

/// The size of a clip's pictures and the time that each took.
#[derive(Default)]
struct Pace {
    size: (usize, usize),
    frames: u32,
    took: Duration,
}

impl Pace {
    fn count(&mut self, frame: &Frame, took: Duration) {
        self.size = (frame.luma().width, frame.luma().height);
        self.frames += 1;
        self.took += took;
    }

    fn lines(&self, verdicts: &[Verdict]) -> Vec<Line> {
        let finals = verdicts.iter().filter(|verdict| matches!(verdict, Verdict::Final(_)));
        let seconds = |time: Timestamp| time.duration_since(Timestamp::UNIX_EPOCH).as_secs_f64();
        finals
            .map(Verdict::read)
            .map(|read| {
                let span = Span { start_s: seconds(read.started), end_s: seconds(read.ended) };
                Line::of_passage(self.size, self.took / self.frames.max(1), span, read)
            })
            .collect()
    }
}

/// Shown on a terminal only, and only when there is something to wait for.
fn progress_bar(sources: &[Source]) -> ProgressBar {
    let is_clip = |source: &Source| matches!(source, Source::File { kind: Kind::Clip, .. });
    let is_short = sources.len() < 2 && !sources.iter().any(is_clip);
    if is_short || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {eta:>4} {wide_msg}")
        .expect("the template is constant and valid");
    let bar = ProgressBar::new(sources.len() as u64).with_style(style);
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
