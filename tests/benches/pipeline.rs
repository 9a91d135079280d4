//! What a camera costs from its RTSP stream to the reads, and whether the unit keeps up with it.
//!
//! The stream is H.264 decoded in software, and everything between runs as in the unit: capture, the checks of
//! the picture, the motion gate, both networks, the passages. Shares are of one core.

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use milepost::capture::{Capture, Config, Frame, Latest, Source};
use milepost::health::CameraWatch;
use milepost::passage::{self, Passages, Verdict};
use milepost::system::SystemClock;
use milepost::vision::{self, MotionGate, Vision};

#[path = "../support/datasets.rs"]
mod datasets;
#[path = "support/road.rs"]
mod road;
#[path = "../support/rtsp.rs"]
#[expect(dead_code, reason = "the tests make more of the server than a benchmark needs")]
mod rtsp;
#[path = "support/summary.rs"]
mod summary;

use rtsp::{RtspServer, Served};

const SECONDS: u32 = 24;
/// Connecting and the first pictures are not counted.
const SETTLING: Duration = Duration::from_secs(3);
const COUNTED: Duration = Duration::from_secs(18);

fn main() {
    // The server is this program again, so that its work is not counted as ours.
    if std::env::args().any(|argument| argument == "rtsp_server_process") {
        return rtsp::serve();
    }
    let datasets = datasets::folder();
    let cars: Vec<road::Pass> = (0..SECONDS).step_by(6).map(|at| at as f32..at as f32 + 3.0).collect();
    let one = watch(&[road::film(&datasets, "cars", SECONDS, 30, cars.clone())]);
    let half = road::film(&datasets, "cars", SECONDS, 15, cars);
    let two = watch(&[half.clone(), half]);
    let still = watch(&[road::film(&datasets, "still", SECONDS, 30, Vec::new())]);
    let figures = serde_json::json!({
        "pipeline_1080p30_share_of_core": rounded(one.all),
        "pipeline_1080p30_decode_share_of_core": rounded(one.all - one.vision),
        "pipeline_1080p30_vision_share_of_core": rounded(one.vision),
        "pipeline_1080p30_look_ms_mean": rounded(one.look_ms),
        "pipeline_1080p30_skipped_share": rounded(one.skipped),
        "pipeline_1080p30_reads": one.reads,
        "pipeline_two_1080p15_share_of_core": rounded(two.all),
        "pipeline_two_1080p15_skipped_share": rounded(two.skipped),
        "still_scene_share_of_core": rounded(still.vision),
        "still_scene_decode_share_of_core": rounded(still.all - still.vision),
    });
    summary::add(figures.as_object().expect("it was just made").clone());
}

/// What it cost to watch for [`COUNTED`], all cameras together.
#[derive(Default)]
struct Costs {
    /// Share of one core, of the whole process.
    all: f64,
    /// The part of it that the vision threads took.
    vision: f64,
    /// Of one frame that was looked at, in which most often nothing is to be read.
    look_ms: f64,
    /// Frames that came too fast, of all that were decoded.
    skipped: f64,
    reads: usize,
}

/// One camera's thread from its newest frame to its reads, as in the unit.
struct Seen {
    taken: u64,
    looks: u32,
    looking: Duration,
    reads: usize,
    /// Processor time of the thread.
    cpu_s: f64,
}

fn watch(films: &[std::path::PathBuf]) -> Costs {
    let cameras: Vec<(RtspServer, Capture, Latest<Frame>)> = films.iter().map(|film| open(film)).collect();
    std::thread::sleep(SETTLING);
    let (before, started) = (cpu_seconds("/proc/self/stat"), Instant::now());
    let dropped: u64 = cameras.iter().map(|(_, _, newest)| newest.dropped()).sum();
    let threads: Vec<JoinHandle<Seen>> = cameras.iter().map(|(_, _, newest)| look(newest.clone())).collect();
    let seen: Vec<Seen> =
        threads.into_iter().map(|thread| thread.join().expect("it looks to the end")).collect();
    let (spent, wall) = (cpu_seconds("/proc/self/stat") - before, started.elapsed().as_secs_f64());
    let dropped = cameras.iter().map(|(_, _, newest)| newest.dropped()).sum::<u64>() - dropped;
    let taken: u64 = seen.iter().map(|seen| seen.taken).sum();
    let looks: u32 = seen.iter().map(|seen| seen.looks).sum();
    let looking: Duration = seen.iter().map(|seen| seen.looking).sum();
    Costs {
        all: spent / wall,
        vision: seen.iter().map(|seen| seen.cpu_s).sum::<f64>() / wall,
        look_ms: looking.as_secs_f64() * 1000.0 / f64::from(looks.max(1)),
        skipped: dropped as f64 / (dropped + taken).max(1) as f64,
        reads: seen.iter().map(|seen| seen.reads).sum(),
    }
}

fn open(film: &Path) -> (RtspServer, Capture, Latest<Frame>) {
    let server = RtspServer::start(Served { film: Some(film), ..Served::default() });
    let source = Source::parse(&format!("rtsp://127.0.0.1:{}/live", server.port)).expect("it is an address");
    let newest = Latest::new();
    let capture = Capture::start(Config::of(source), Arc::new(SystemClock::new()), newest.clone());
    (server, capture.expect("the camera's thread starts"), newest)
}

fn look(newest: Latest<Frame>) -> JoinHandle<Seen> {
    let mut vision = Vision::load(&vision::Config::default()).expect("the networks are part of the program");
    let looks = move || {
        let mut gate = MotionGate::default();
        let mut passages = Passages::new(passage::Config::default());
        let mut checks: Option<CameraWatch> = None;
        let mut seen = Seen { taken: 0, looks: 0, looking: Duration::ZERO, reads: 0, cpu_s: 0.0 };
        let (before, started) = (cpu_seconds("/proc/thread-self/stat"), Instant::now());
        while started.elapsed() < COUNTED {
            let Some(frame) = newest.take(Duration::from_millis(200)) else { continue };
            seen.taken += 1;
            let checks = checks.get_or_insert_with(|| CameraWatch::new(frame.camera.clone(), None, None));
            checks.see(&frame).expect("the picture can be examined");
            let verdicts = if gate.opens(frame.luma(), frame.taken) {
                let began = Instant::now();
                let sightings = vision.look(frame.luma()).expect("the picture can be looked at");
                seen.looks += 1;
                seen.looking += began.elapsed();
                passages.see(&frame, sightings)
            } else {
                passages.tick(frame.taken)
            };
            seen.reads += verdicts.iter().filter(|verdict| matches!(verdict, Verdict::Final(_))).count();
        }
        seen.cpu_s = cpu_seconds("/proc/thread-self/stat") - before;
        seen
    };
    std::thread::Builder::new().name("vision".to_owned()).spawn(looks).expect("a thread starts")
}

/// Seconds of processor time that the process or thread behind this file has had, threads that have ended
/// among them.
fn cpu_seconds(stat: &str) -> f64 {
    let stat = std::fs::read_to_string(stat).expect("Linux shows what a process used");
    let (_, fields) = stat.rsplit_once(')').expect("the name ends so, by proc(5)");
    let ticks = fields.split_whitespace().skip(11).take(2);
    ticks.map(|field| field.parse::<f64>().expect("in ticks")).sum::<f64>() / 100.0
}

fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
