use std::sync::Arc;
use std::time::Duration;

use super::config::Config;
use super::fault::LinkFault;
use super::folder::FolderFeed;
use super::frame::Planes;
use super::scene::SceneFeed;
use super::source::Source;
use super::{recording, rtsp, v4l2};

/// Where one attempt at a source gets its pictures from, until it is dropped.
pub(super) trait Feed {
    /// The next picture; waits at most about `patience` for it.
    fn next(&mut self, patience: Duration) -> Heard;

    /// A count that rises while the source sends anything at all.
    fn signs_of_life(&self) -> u64 {
        0
    }

    /// The element that decodes, once it is chosen.
    fn decoder(&self) -> Option<Arc<str>> {
        None
    }
}

/// What came of waiting for a picture.
pub(super) enum Heard {
    Picture(Arc<dyn Planes>),
    Nothing,
    Ended,
    Failed(LinkFault),
}

/// Begins with the source of `config`. Does not wait for a camera: its answer, or silence, comes from the feed.
pub(super) fn open(config: &Config) -> Result<Box<dyn Feed>, LinkFault> {
    Ok(match &config.source {
        Source::Rtsp(url) => Box::new(rtsp::open(url, config)?),
        Source::V4l2(path) => Box::new(v4l2::open(path, config)?),
        Source::File(path) => Box::new(recording::open_paced(path, config.decoder_threads.get())?),
        Source::Folder(path) => Box::new(FolderFeed::open(path, config)?),
        Source::Scene => Box::new(SceneFeed::new(&config.plates)),
    })
}
