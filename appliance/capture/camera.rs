use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tracing::{debug, info, warn};

use super::config::Config;
use super::decoder;
use super::feed::{self, Feed, Heard};
use super::frame::Frame;
use super::latest::Latest;
use super::link::{AtEnd, Link, LinkState, LinkStatus, Turn};
use super::pipeline::lock;
use super::source::Source;
use crate::system::Clock;
use crate::words::CameraId;

/// One camera at work in a thread of its own, until it is dropped or stopped.
pub struct Capture {
    camera: CameraId,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    status: Mutex<LinkStatus>,
    stop: Mutex<bool>,
    stopped: Condvar,
}

/// Why a camera's thread cannot even be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("GStreamer does not start: {0}")]
    GStreamer(String),
    #[error("no thread can be started for camera {camera}: {source}")]
    Thread { camera: CameraId, source: std::io::Error },
}

impl Capture {
    /// Connects to the camera of `config` and leaves its frames in `newest`, for ever: a camera that is
    /// gone is not an error here but a [`LinkState`], and it is tried until it is back.
    pub fn start(config: Config, clock: Arc<dyn Clock>, newest: Latest<Frame>) -> Result<Self, StartError> {
        decoder::prepare().map_err(|error| StartError::GStreamer(error.to_string()))?;
        let camera = config.name.clone();
        let at_end = match config.source {
            Source::Rtsp(_) | Source::V4l2(_) => AtEnd::Fault,
            _ if config.repeat => AtEnd::Repeat,
            _ => AtEnd::Finish,
        };
        let link = Link::new(at_end, clock.now());
        let shared = Arc::new(Shared {
            status: Mutex::new(link.status().clone()),
            stop: Mutex::new(false),
            stopped: Condvar::new(),
        });
        let worker = Worker { config, clock, newest, link, shared: Arc::clone(&shared), sequence: 0 };
        let thread = std::thread::Builder::new()
            .name(format!("camera-{camera}"))
            .spawn(move || worker.run())
            .map_err(|source| StartError::Thread { camera: camera.clone(), source })?;
        Ok(Self { camera, shared, thread: Some(thread) })
    }

    pub fn camera(&self) -> &CameraId {
        &self.camera
    }

    /// The state of the link now; cheap.
    pub fn status(&self) -> LinkStatus {
        lock(&self.shared.status).clone()
    }

    /// Stops the camera and waits until its thread is gone: a fraction of a second.
    pub fn stop(mut self) {
        self.stop_and_join();
    }

    fn stop_and_join(&mut self) {
        *lock(&self.shared.stop) = true;
        self.shared.stopped.notify_all();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            warn!(camera = %self.camera, "the camera's thread had panicked");
        }
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.stop_and_join();
    }
}

impl Shared {
    fn stops(&self) -> bool {
        *lock(&self.stop)
    }

    /// Waits for `rest`, or until it is time to stop.
    fn rest(&self, rest: Duration) {
        let stop = lock(&self.stop);
        let waited = self.stopped.wait_timeout_while(stop, rest, |stop| !*stop);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

/// What runs in the camera's thread: does what [`Link`] decides.
struct Worker {
    config: Config,
    clock: Arc<dyn Clock>,
    newest: Latest<Frame>,
    link: Link,
    shared: Arc<Shared>,
    sequence: u64,
}

impl Worker {
    fn run(mut self) {
        info!(camera = %self.config.name, source = %self.config.source, "camera starts");
        let mut feed: Option<Box<dyn Feed>> = None;
        while !self.shared.stops() {
            let turn = self.link.turn(self.clock.now());
            self.publish();
            match (turn, &mut feed) {
                (Turn::Watch(patience), Some(feed)) => self.watch(feed.as_mut(), patience),
                (Turn::Open | Turn::Watch(_), _) => {
                    // The old feed closes before the new one opens: a camera may admit only one viewer.
                    drop(feed.take());
                    feed = self.open();
                }
                (Turn::Rest(rest), _) => {
                    feed = None;
                    self.shared.rest(rest);
                }
                (Turn::Finish, _) => break,
            }
            self.publish();
        }
        drop(feed);
        self.link.stopped(self.clock.now());
        self.publish();
    }

    fn open(&mut self) -> Option<Box<dyn Feed>> {
        let opened = feed::open(&self.config);
        let now = self.clock.now();
        match opened {
            Ok(feed) => {
                self.link.opened(now);
                self.sequence = 0;
                Some(feed)
            }
            Err(fault) => {
                self.link.failed(fault, now);
                None
            }
        }
    }

    fn watch(&mut self, feed: &mut dyn Feed, patience: Duration) {
        let heard = feed.next(patience);
        let now = self.clock.now();
        self.link.heard(feed.signs_of_life(), now);
        match heard {
            Heard::Picture(planes) => {
                let frame = Frame::new(self.config.name.clone(), now, self.sequence, planes);
                self.sequence += 1;
                let luma = frame.luma();
                self.link.picture(luma.width, luma.height, feed.decoder(), now);
                // First, so that whoever gets the frame finds the link streaming.
                self.publish();
                self.newest.put(frame);
            }
            Heard::Nothing => {}
            Heard::Ended => self.link.ended(now),
            Heard::Failed(fault) => self.link.failed(fault, now),
        }
    }

    /// Shows the link's state to others, and logs it when it has changed.
    fn publish(&self) {
        let new = self.link.status();
        let old = std::mem::replace(&mut *lock(&self.shared.status), new.clone());
        self.log(&old, new);
    }

    fn log(&self, old: &LinkStatus, new: &LinkStatus) {
        let camera = &self.config.name;
        match (&old.state, &new.state) {
            (LinkState::Streaming(old), LinkState::Streaming(new))
                if (old.width, old.height) != (new.width, new.height) =>
            {
                warn!(%camera, width = new.width, height = new.height, was_width = old.width,
                    was_height = old.height, "the camera changed the size of its picture");
            }
            (LinkState::Streaming(_), LinkState::Streaming(_)) => {}
            (_, LinkState::Streaming(stream)) => {
                let decoder = stream.decoder.as_deref().unwrap_or("none");
                info!(%camera, width = stream.width, height = stream.height, decoder, "camera streams");
            }
            (LinkState::Faulted(_), LinkState::Faulted(_)) if old.faults == new.faults => {}
            // Told once at the higher level: a camera that is gone for a week must not fill the journal.
            (LinkState::Faulted(before), LinkState::Faulted(fault)) if before.kind() == fault.kind() => {
                debug!(%camera, %fault, faults = new.faults, "camera still lost");
            }
            (_, LinkState::Faulted(fault)) => {
                warn!(%camera, source = %self.config.source, %fault, mend = fault.mend(), "camera lost");
            }
            (old, LinkState::Ended) if *old != LinkState::Ended => info!(%camera, "camera ends"),
            _ => {}
        }
    }
}
