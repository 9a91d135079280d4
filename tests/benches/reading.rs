//! How long a look at one frame takes, on one thread, and what memory it needs.

use std::time::Instant;

use milepost::capture::Plane;
use milepost::vision::{Config, Picture, Vision};

#[path = "../support/datasets.rs"]
mod datasets;
#[path = "support/summary.rs"]
mod summary;

/// Each picture is looked at so often.
const LOOKS: usize = 5;
const SIZE: (usize, usize) = (1280, 720);

/// Real frames of 1280x720, find and read, already decoded; and one with nothing in it, for which the search
/// alone is paid.
fn main() {
    let mut vision = Vision::load(&Config::default()).expect("the networks are part of the program");
    let mut times = |frame: Plane<'_>| -> Vec<f64> {
        let look = |_| {
            let started = Instant::now();
            vision.look(frame).expect("the picture can be looked at");
            started.elapsed().as_secs_f64() * 1000.0
        };
        (0..LOOKS).map(look).collect()
    };
    let mut all: Vec<f64> = frames().flat_map(|frame| times(frame.luma())).collect();
    assert!(all.len() >= 100, "enough for a median: {}", all.len());
    all.sort_by(f64::total_cmp);
    let grey = vec![128; SIZE.0 * SIZE.1];
    let empty = Plane { data: &grey, width: SIZE.0, height: SIZE.1, stride: SIZE.0 };
    let mut find: Vec<f64> = (0..10).flat_map(|_| times(empty)).collect();
    find.sort_by(f64::total_cmp);
    let figures = serde_json::json!({
        "read_frame_ms_median": rounded(all[all.len() / 2]),
        "read_frame_ms_p95": rounded(all[all.len() * 95 / 100]),
        "find_frame_ms_median": rounded(find[find.len() / 2]),
        "read_rss_mb": rounded(resident_mb()),
    });
    summary::add(figures.as_object().expect("it was just made").clone());
}

/// The street scenes of that size, most with one plate, one after the other.
fn frames() -> impl Iterator<Item = Picture> {
    let folder = datasets::folder().join("us-scenes/images");
    let files = std::fs::read_dir(folder).expect("the pictures are there").filter_map(Result::ok);
    let pictures = files.map(|file| std::fs::read(file.path()).expect("the picture is there"));
    let pictures = pictures.map(|file| Picture::decode(&file).expect("the picture is sound"));
    pictures.filter(|picture| (picture.luma().width, picture.luma().height) == SIZE)
}

fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

fn resident_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux shows a process its status");
    let line = status.lines().find(|line| line.starts_with("VmRSS")).expect("it says what is resident");
    let kilobytes: f64 = line.split_whitespace().nth(1).and_then(|kb| kb.parse().ok()).expect("in kB");
    kilobytes / 1e3
}
