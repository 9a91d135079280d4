//! How long a look at one frame takes, on one thread, and what memory it needs.

use std::time::Instant;

use milepost::capture::Plane;
use milepost::vision::{Config, Picture, Vision};

#[path = "../support/datasets.rs"]
mod datasets;
#[path = "support/summary.rs"]
mod summary;

const LOOKS: usize = 200;

/// A 1280x720 frame with one plate: find and read, the picture already decoded; and one with nothing in it, for
/// which the search alone is paid.
fn main() {
    let path = datasets::folder().join("us-scenes/images/12c6cb72-3ea3-49e7-b381-e0cdfc5e8960.jpg");
    let picture = Picture::decode(&std::fs::read(path).expect("the picture is there")).expect("it is sound");
    assert_eq!((picture.luma().width, picture.luma().height), (1280, 720));
    let mut vision = Vision::load(&Config::default()).expect("the networks are part of the program");
    let Plane { width, height, .. } = picture.luma();
    let grey = vec![128; width * height];
    let empty = Plane { data: &grey, width, height, stride: width };
    let mut times = |frame: Plane<'_>, plates: usize| {
        let mut look = || {
            let started = Instant::now();
            let sightings = vision.look(frame).expect("the picture can be looked at");
            assert_eq!(sightings.len(), plates, "what is measured is what was meant");
            started.elapsed().as_secs_f64() * 1000.0
        };
        let mut times: Vec<f64> = (0..LOOKS).map(|_| look()).collect();
        times.sort_by(f64::total_cmp);
        times
    };
    let (find, all) = (times(empty, 0), times(picture.luma(), 1));
    let figures = serde_json::json!({
        "read_frame_ms_median": rounded(all[LOOKS / 2]),
        "read_frame_ms_p95": rounded(all[LOOKS * 95 / 100]),
        "find_frame_ms_median": rounded(find[LOOKS / 2]),
        "read_plate_ms_median": rounded(all[LOOKS / 2] - find[LOOKS / 2]),
        "read_rss_mb": rounded(resident_mb()),
    });
    summary::add(figures.as_object().expect("it was just made").clone());
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
