use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gstreamer::prelude::*;

use super::fault::LinkFault;
use super::frame::Frame;
use super::pipeline::{Observed, Pace, Pipeline, Pulled, element};
use super::{decoder, pipeline};
use crate::words::{CameraId, Moment};

/// A recording that gives no picture for this long while it is read as fast as possible is broken.
const PATIENCE: Duration = Duration::from_secs(10);

/// Every picture of a recording in order, with its time from the beginning in seconds.
///
/// For reading clips, not cameras: nothing is dropped, the reader sets the pace. Each frame's `taken` has the
/// time in the recording as uptime, so that what follows plates through time judges by the recording's clock.
pub struct Clip {
    path: PathBuf,
    pipeline: Pipeline,
    camera: CameraId,
    sequence: u64,
    /// The first picture's time: recordings may begin anywhere.
    beginning: Option<Duration>,
    over: bool,
}

/// Why a recording cannot be read, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum ClipError {
    #[error("GStreamer does not start: {0}")]
    Unavailable(String),
    #[error("{} cannot be read: {source}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{} is no video that can be decoded: {fault}", path.display())]
    Undecodable { path: PathBuf, fault: LinkFault },
}

impl Clip {
    pub fn open(path: &Path) -> Result<Self, ClipError> {
        decoder::prepare().map_err(|error| ClipError::Unavailable(error.to_string()))?;
        // GStreamer's errors for missing and unreadable files are less exact than the system's.
        std::fs::File::open(path)
            .map_err(|source| ClipError::Unreadable { path: path.to_owned(), source })?;
        let pipeline = open(path, Pace::Every, 1)
            .map_err(|fault| ClipError::Undecodable { path: path.to_owned(), fault })?;
        let camera = CameraId::parse("clip").expect("a constant name of allowed characters");
        Ok(Self { path: path.to_owned(), pipeline, camera, sequence: 0, beginning: None, over: false })
    }

    fn frame(&mut self, at: Duration, planes: Arc<dyn super::Planes>) -> (f64, Frame) {
        let uptime = at.saturating_sub(*self.beginning.get_or_insert(at));
        let taken = Moment { uptime, wall: jiff::Timestamp::now() };
        let frame = Frame::new(self.camera.clone(), taken, self.sequence, planes);
        self.sequence += 1;
        (uptime.as_secs_f64(), frame)
    }
}

impl Iterator for Clip {
    type Item = Result<(f64, Frame), ClipError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let fault = match self.pipeline.pull(PATIENCE) {
            Pulled::Picture(at, planes) => return Some(Ok(self.frame(at, planes))),
            Pulled::Ended if self.sequence > 0 => {
                self.over = true;
                return None;
            }
            Pulled::Ended => LinkFault::Empty("the file".to_owned()),
            Pulled::Nothing => LinkFault::NoPicture(PATIENCE),
            Pulled::Failed(fault) => fault,
        };
        self.over = true;
        Some(Err(ClipError::Undecodable { path: self.path.clone(), fault }))
    }
}

/// A recording as if it were a camera: at its own speed.
pub(super) fn open_paced(path: &Path, decoder_threads: u8) -> Result<Pipeline, LinkFault> {
    match std::fs::metadata(path) {
        Ok(facts) if facts.is_dir() => {
            let folder = path.display();
            Err(LinkFault::Missing(format!("a file {folder} (a folder is written {folder}/)")))
        }
        Ok(_) => open(path, Pace::Recorded, decoder_threads),
        Err(error) => Err(LinkFault::Missing(format!("{} ({error})", path.display()))),
    }
}

/// The one picture of a picture file.
pub(super) fn picture(path: &Path) -> Result<Arc<dyn super::Planes>, LinkFault> {
    match open(path, Pace::Every, 1)?.pull(PATIENCE) {
        Pulled::Picture(_, planes) => Ok(planes),
        Pulled::Ended => Err(LinkFault::Empty(path.display().to_string())),
        Pulled::Nothing => Err(LinkFault::NoPicture(PATIENCE)),
        Pulled::Failed(fault) => Err(fault),
    }
}

fn open(path: &Path, pace: Pace, decoder_threads: u8) -> Result<pipeline::Pipeline, LinkFault> {
    let source = element("filesrc")?;
    source.set_property("location", path);
    Pipeline::start(&source, pace, decoder_threads, Arc::new(Observed::default()), pipeline::link_at_once)
}
