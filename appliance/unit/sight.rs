//! One camera's thread from its newest frame to its reads.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::watch;
use tracing::{error, warn};

use super::canary::{CanaryEye, CanaryRead, Flight};
use super::live;
use super::pulse::Pulse;
use crate::capture::{Frame, Latest};
use crate::console::{Drawn, LivePicture};
use crate::health::{CameraWatch, Passed, UNSURE_BELOW, YieldWatch};
use crate::passage::{self, DrawnLanes, Passages, Verdict};
use crate::system::Clock;
use crate::vision::{Corners, MotionGate, Sighting, Vision};
use crate::words::{CameraId, Moment};

/// How long the thread waits for a frame before it shows a sign of life.
const PATIENCE: Duration = Duration::from_millis(200);

/// Fast enough to aim by; every frame would cost a fifth of a core in JPEG alone.
const LIVE_EVERY: Duration = Duration::from_millis(120);

/// What vision hands on to be decided.
pub enum Handed {
    Vehicle(Verdict),
    Canary(CanaryRead),
}

/// What other threads may see of a camera, and ask of it.
pub struct Sight {
    pub camera: CameraId,
    pub frames: Latest<Frame>,
    pub pulse: Pulse,
    pub canary: Option<Flight>,
    /// What the picture's width spans, if anybody has said.
    view_angle_deg: Option<f32>,
    watch: Mutex<CameraWatch>,
    /// Since it was last taken.
    passed: Mutex<Passed>,
    yields: Mutex<YieldWatch>,
    drawn: Mutex<Option<Drawn>>,
    live: watch::Sender<Option<Arc<LivePicture>>>,
    look_micros: AtomicU32,
    stop: AtomicBool,
}

impl Sight {
    pub fn new(
        camera: CameraId,
        view_angle_deg: Option<f32>,
        watch: CameraWatch,
        yields: YieldWatch,
        drawn: Option<Drawn>,
        canary: Option<Flight>,
        clock: &dyn Clock,
    ) -> Self {
        Self {
            camera,
            frames: Latest::new(),
            pulse: Pulse::new("vision", clock.now()),
            canary,
            view_angle_deg,
            watch: Mutex::new(watch),
            passed: Mutex::default(),
            yields: Mutex::new(yields),
            drawn: Mutex::new(drawn),
            live: watch::Sender::new(None),
            look_micros: AtomicU32::new(0),
            stop: AtomicBool::new(false),
        }
    }

    /// Starts the thread. It ends after [`Sight::stop`], when `reads` has taken every passage's last read.
    pub fn start(
        self: &Arc<Self>,
        vision: Vision,
        passage: passage::Config,
        reads: SyncSender<Handed>,
        clock: Arc<dyn Clock>,
    ) -> std::io::Result<JoinHandle<()>> {
        let sight = Arc::clone(self);
        std::thread::Builder::new()
            .name(format!("vision {}", self.camera))
            .spawn(move || sight.run(vision, passage, &reads, clock.as_ref()))
    }

    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// The checks of this camera's picture.
    pub fn watch(&self) -> MutexGuard<'_, CameraWatch> {
        // A check that panicked leaves older numbers behind, and those are still true of their time.
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What passed since this was last asked.
    pub fn take_passed(&self) -> Passed {
        std::mem::take(&mut *self.passed.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The check of this camera's yield.
    pub fn yields(&self) -> MutexGuard<'_, YieldWatch> {
        self.yields.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lanes that a person drew, if anybody did.
    pub fn drawn(&self) -> Option<Drawn> {
        self.drawn.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lets vehicles pass in these lanes from the next frame on.
    pub fn draw(&self, drawn: Drawn) {
        *self.drawn.lock().unwrap_or_else(PoisonError::into_inner) = Some(drawn);
    }

    /// When the aim in force was verified.
    pub fn aim_verified(&self) -> Option<Timestamp> {
        self.watch().references().map(|verified| verified.at)
    }

    /// Whether a person must look if the drawn lanes still fit.
    pub fn lanes_doubtful(&self) -> bool {
        let aim = self.aim_verified();
        self.drawn().is_some_and(|drawn| drawn.is_doubtful(aim))
    }

    fn lanes(&self) -> DrawnLanes {
        self.drawn().map(|drawn| drawn.lanes).unwrap_or_default()
    }

    fn count(&self, eye: &mut Eye, verdicts: &[Verdict]) {
        let unreadable = eye.passages.counts().unreadable;
        let mut passed = Passed {
            unread: (unreadable - eye.unreadable) as u32,
            stir: eye.gate.take_stir(),
            ..Passed::default()
        };
        eye.unreadable = unreadable;
        for verdict in verdicts {
            if let Verdict::Final(read) = verdict {
                let sure = read.candidates.first().map_or(0.0, |best| best.probability.value());
                passed.reads += 1;
                passed.unsure += u32::from(sure < UNSURE_BELOW);
            }
        }
        *self.passed.lock().unwrap_or_else(PoisonError::into_inner) += passed;
    }

    /// The newest picture with what was found in it; encoded only while somebody looks.
    pub fn live(&self) -> watch::Receiver<Option<Arc<LivePicture>>> {
        self.live.subscribe()
    }

    /// How long finding and reading took in the last frame.
    pub fn look_time(&self) -> Duration {
        Duration::from_micros(self.look_micros.load(Ordering::Relaxed).into())
    }

    fn run(&self, vision: Vision, passage: passage::Config, reads: &SyncSender<Handed>, clock: &dyn Clock) {
        let canary = self.canary.clone().map(|flight| CanaryEye::new(flight, passage.clone()));
        let passages = Passages::new(passage);
        let mut eye = Eye {
            vision,
            passages,
            gate: MotionGate::default(),
            seen: Vec::new(),
            canary,
            unreadable: 0,
            shown: None,
        };
        while !self.stop.load(Ordering::Relaxed) {
            self.pulse.beat(clock.now());
            let passed = match self.frames.take(PATIENCE) {
                Some(frame) => self.see(&mut eye, &frame),
                None => {
                    let verdicts = eye.passages.tick(clock.now());
                    self.count(&mut eye, &verdicts);
                    passed(verdicts)
                }
            };
            hand_on(passed, reads);
        }
        hand_on(passed(eye.passages.finish()), reads);
    }

    fn see(&self, eye: &mut Eye, frame: &Frame) -> Vec<Handed> {
        if let Err(error) = self.watch().see(frame) {
            warn!(camera = %self.camera, %error, "a frame could not be examined");
        }
        // Whoever aims the camera wants to see it all, also a still street.
        let is_watched = self.live.receiver_count() > 0;
        let calm = !eye.gate.opens(frame.luma(), frame.taken);
        let verdicts = if calm && !is_watched {
            eye.passages.tick(frame.taken)
        } else {
            self.look(eye, frame, is_watched)
        };
        self.count(eye, &verdicts);
        let canary = eye.canary.as_mut().and_then(|canary| {
            verdicts.iter().for_each(|verdict| canary.note(verdict));
            canary.see(&mut eye.vision, frame, calm, &eye.seen)
        });
        let mut passed = passed(verdicts);
        passed.extend(canary.map(Handed::Canary));
        passed
    }

    fn look(&self, eye: &mut Eye, frame: &Frame, is_watched: bool) -> Vec<Verdict> {
        let started = Instant::now();
        let sightings = eye.vision.look(frame.luma()).unwrap_or_else(|error| {
            // One frame that cannot be looked at is no reason to miss the next.
            error!(camera = %self.camera, %error, "a frame could not be read");
            Vec::new()
        });
        self.watch().see_plates(frame, &sightings);
        let micros = u32::try_from(started.elapsed().as_micros()).unwrap_or(u32::MAX);
        self.look_micros.store(micros, Ordering::Relaxed);
        let lanes = self.lanes();
        if is_watched && eye.shown.is_none_or(|last| frame.taken.since(&last) >= LIVE_EVERY) {
            eye.shown = Some(frame.taken);
            self.show(frame, &sightings, &lanes);
        }
        eye.seen = sightings.iter().map(|sighting| sighting.corners).collect();
        eye.passages.draw(lanes);
        eye.passages.see(frame, sightings)
    }

    fn show(&self, frame: &Frame, sightings: &[Sighting], lanes: &DrawnLanes) {
        match live::picture(frame, sightings, lanes, self.view_angle_deg) {
            Ok(picture) => {
                self.live.send_replace(Some(Arc::new(picture)));
            }
            Err(error) => warn!(camera = %self.camera, %error, "the live picture could not be encoded"),
        }
    }
}

/// What the thread alone holds.
struct Eye {
    vision: Vision,
    passages: Passages,
    gate: MotionGate,
    /// The plates of the last look.
    seen: Vec<Corners>,
    canary: Option<CanaryEye>,
    /// Vehicles counted so far that could not be read.
    unreadable: u64,
    /// When the live picture was last encoded.
    shown: Option<Moment>,
}

fn passed(verdicts: Vec<Verdict>) -> Vec<Handed> {
    verdicts.into_iter().map(Handed::Vehicle).collect()
}

/// Waits where the next stage is busy: frames are skipped meanwhile, reads never.
fn hand_on(passed: Vec<Handed>, reads: &SyncSender<Handed>) {
    for passed in passed {
        if reads.send(passed).is_err() {
            // The receiver outlives us unless its thread failed, which ends the program.
            return;
        }
    }
}
