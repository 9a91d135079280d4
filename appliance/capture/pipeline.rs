use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use gstreamer as gst;
use gstreamer::glib;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use gstreamer_video as gst_video;

use super::decoder;
use super::fault::LinkFault;
use super::feed::{Feed, Heard};
use super::frame::Planes;
use super::mapped;

/// How long a wait for a picture may overlook an error.
const LOOK: Duration = Duration::from_millis(50);

/// How pictures leave a pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// As they come; what is not fetched in time is replaced by the next.
    Live,
    /// At the speed of the recording; what is not fetched in time is replaced by the next.
    Recorded,
    /// As fast as they are fetched, none left out.
    Every,
}

/// A running GStreamer pipeline that ends in pictures.
///
/// Dropping it stops it; pictures fetched from it stay valid.
pub(super) struct Pipeline {
    pipeline: gst::Pipeline,
    sink: gst_app::AppSink,
    bus: gst::Bus,
    observed: Arc<Observed>,
}

/// What the streaming threads saw.
#[derive(Default)]
pub(super) struct Observed {
    /// Encoded buffers that went into the decoder.
    buffers: AtomicU64,
    decoder: Mutex<Option<Arc<str>>>,
    /// What was wrong with the camera's certificate: GStreamer's own error does not tell.
    pub certificate: Mutex<Option<String>>,
}

impl Pipeline {
    /// Builds `source ! decodebin ! videoconvert ! appsink` and sets it going. `connect` links the source's
    /// pads to the decoder's, at once or when they appear.
    pub fn start(
        source: &gst::Element,
        pace: Pace,
        decoder_threads: u8,
        observed: Arc<Observed>,
        connect: impl FnOnce(&gst::Element, &gst::Pad) -> Result<(), glib::BoolError>,
    ) -> Result<Self, LinkFault> {
        let decode = element("decodebin")?;
        // Passes everything through untouched unless the decoder gives a format outside of `FORMATS`.
        let convert = element("videoconvert")?;
        let caps = gst::Caps::builder("video/x-raw").field("format", gst::List::new(mapped::FORMATS)).build();
        let sink = gst_app::AppSink::builder()
            .caps(&caps)
            .max_buffers(if pace == Pace::Every { 2 } else { 1 })
            .drop(pace != Pace::Every)
            .sync(pace == Pace::Recorded)
            .enable_last_sample(false)
            .build();

        let pipeline = gst::Pipeline::new();
        pipeline
            .add_many([source, &decode, &convert, sink.upcast_ref()])
            .and_then(|()| convert.link(&sink))
            .map_err(|error| LinkFault::Broken(error.to_string()))?;
        let entry = static_pad(&decode, "sink")?;
        let exit = static_pad(&convert, "sink")?;

        accept_padded_pictures(&static_pad(sink.upcast_ref(), "sink")?);
        count_buffers(&entry, &observed);
        watch_decoder(&decode, decoder_threads, &observed);
        link_first_video(&decode, exit);
        connect(source, &entry).map_err(|error| LinkFault::Broken(error.to_string()))?;

        let bus = pipeline.bus().ok_or_else(|| LinkFault::Broken("GStreamer gave no bus".to_owned()))?;
        let started = Self { pipeline, sink, bus, observed };
        match started.pipeline.set_state(gst::State::Playing) {
            Ok(_) => Ok(started),
            Err(_) => Err(started
                .error()
                .unwrap_or_else(|| LinkFault::Broken("the pipeline does not start".to_owned()))),
        }
    }

    /// The next picture and its time in the recording; waits at most about `patience`.
    pub fn pull(&mut self, patience: Duration) -> Pulled {
        // After an error no picture comes, and waiting for one is not interrupted by it.
        let deadline = Instant::now() + patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let pulled = self.pull_once(left.min(LOOK));
            if !matches!(pulled, Pulled::Nothing) || left.is_zero() {
                return pulled;
            }
        }
    }

    fn pull_once(&mut self, patience: Duration) -> Pulled {
        let patience = gst::ClockTime::try_from(patience).unwrap_or(gst::ClockTime::MAX);
        if let Some(sample) = self.sink.try_pull_sample(patience) {
            let at = sample
                .buffer()
                .and_then(|buffer| buffer.pts())
                .map_or(Duration::ZERO, |pts| Duration::from_nanos(pts.nseconds()));
            return match mapped::map(&sample) {
                Ok(planes) => Pulled::Picture(at, planes),
                Err(fault) => Pulled::Failed(fault),
            };
        }
        // An error also ends the stream, so it is looked for first.
        match self.error() {
            Some(fault) => Pulled::Failed(fault),
            None if self.sink.is_eos() => Pulled::Ended,
            None => Pulled::Nothing,
        }
    }

    fn error(&self) -> Option<LinkFault> {
        let message = self.bus.pop_filtered(&[gst::MessageType::Error])?;
        match message.view() {
            gst::MessageView::Error(error) => {
                Some(self.fault(&error.error(), error.debug().as_deref().unwrap_or_default()))
            }
            _ => None,
        }
    }

    fn fault(&self, error: &glib::Error, debug: &str) -> LinkFault {
        use gst::StreamError;
        if let Some(reason) = lock(&self.observed.certificate).take() {
            return LinkFault::Untrusted(reason);
        }
        let said = sentence(error.message(), debug);
        if let Some(kind) = error.kind::<gst::ResourceError>() {
            return of_resource(kind, said);
        }
        match error.kind::<StreamError>() {
            Some(StreamError::Failed) | None => LinkFault::Broken(said),
            Some(_) => LinkFault::Undecodable(said),
        }
    }
}

fn of_resource(kind: gst::ResourceError, said: String) -> LinkFault {
    use gst::ResourceError;
    match kind {
        ResourceError::NotAuthorized => LinkFault::Refused,
        ResourceError::NotFound => LinkFault::NoStream,
        // What v4l2src makes of the driver's EBUSY.
        ResourceError::Busy => LinkFault::Busy(said),
        ResourceError::OpenRead | ResourceError::OpenReadWrite | ResourceError::OpenWrite => {
            LinkFault::Unreachable(said)
        }
        _ => LinkFault::Broken(said),
    }
}

/// GStreamer's message, and what its debug text adds behind the place in the source, such as a server's
/// answer. An address is left out: it may hold secrets.
fn sentence(message: &str, debug: &str) -> String {
    let message = message.trim_end_matches('.');
    match debug.split_once('\n').map(|(_, detail)| detail.trim().trim_end_matches('.')) {
        Some(detail) if !detail.is_empty() && !detail.contains("://") && detail.len() < 120 => {
            format!("{message} ({detail})")
        }
        _ => message.to_owned(),
    }
}

/// What [`Pipeline::pull`] found.
pub(super) enum Pulled {
    Picture(Duration, Arc<dyn Planes>),
    Nothing,
    Ended,
    Failed(LinkFault),
}

impl Feed for Pipeline {
    fn next(&mut self, patience: Duration) -> Heard {
        match self.pull(patience) {
            Pulled::Picture(_, planes) => Heard::Picture(planes),
            Pulled::Nothing => Heard::Nothing,
            Pulled::Ended => Heard::Ended,
            Pulled::Failed(fault) => Heard::Failed(fault),
        }
    }

    fn signs_of_life(&self) -> u64 {
        self.observed.buffers.load(Ordering::Relaxed)
    }

    fn decoder(&self) -> Option<Arc<str>> {
        lock(&self.observed.decoder).clone()
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        // Elements that are dropped in any other state leak their threads and sockets.
        if self.pipeline.set_state(gst::State::Null).is_err() {
            tracing::warn!("a camera's pipeline did not stop cleanly");
        }
    }
}

/// Makes an element; a missing one is a plugin that is not installed.
pub(super) fn element(factory: &str) -> Result<gst::Element, LinkFault> {
    gst::ElementFactory::make(factory)
        .build()
        .map_err(|_| LinkFault::Undecodable(format!("GStreamer's element {factory} is not installed")))
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn static_pad(element: &gst::Element, name: &str) -> Result<gst::Pad, LinkFault> {
    element.static_pad(name).ok_or_else(|| LinkFault::Broken(format!("{} has no pad {name}", element.name())))
}

/// Tells the decoder that rows may be padded. Without this answer, which `appsink` does not give, it copies
/// each picture into tight rows: a tenth more processor time for H.264 at 1280x720.
fn accept_padded_pictures(pad: &gst::Pad) {
    pad.add_probe(gst::PadProbeType::QUERY_DOWNSTREAM, |_, info| {
        if let Some(query) = info.query_mut()
            && let gst::QueryViewMut::Allocation(allocation) = query.view_mut()
        {
            allocation.add_allocation_meta::<gst_video::VideoMeta>(None);
            return gst::PadProbeReturn::Handled;
        }
        gst::PadProbeReturn::Ok
    });
}

fn count_buffers(pad: &gst::Pad, observed: &Arc<Observed>) {
    let observed = Arc::clone(observed);
    pad.add_probe(gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST, move |_, _| {
        observed.buffers.fetch_add(1, Ordering::Relaxed);
        gst::PadProbeReturn::Ok
    });
}

fn watch_decoder(decode: &gst::Element, threads: u8, observed: &Arc<Observed>) {
    let Some(bin) = decode.downcast_ref::<gst::Bin>() else { return };
    let observed = Arc::clone(observed);
    bin.connect_deep_element_added(move |_, _, added| {
        if decoder::is_video_decoder(added) {
            decoder::limit_threads(added, threads);
            *lock(&observed.decoder) = added.factory().map(|factory| factory.name().as_str().into());
        }
    });
    // Sound is left undecoded.
    decode.connect("autoplug-continue", false, |values| {
        let caps = values.get(2).and_then(|value| value.get::<gst::Caps>().ok())?;
        let is_sound = caps.structure(0).is_some_and(|structure| structure.name().starts_with("audio/"));
        Some((!is_sound).to_value())
    });
}

fn link_first_video(decode: &gst::Element, exit: gst::Pad) {
    let linked = Arc::new(AtomicBool::new(false));
    let linked_before = Arc::clone(&linked);
    decode.connect_pad_added(move |_, pad| {
        let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
        let is_video = caps.structure(0).is_some_and(|structure| structure.name().starts_with("video/"));
        if is_video && !exit.is_linked() && pad.link(&exit).is_ok() {
            linked.store(true, Ordering::Relaxed);
        }
    });
    decode.connect_no_more_pads(move |decode| {
        if !linked_before.load(Ordering::Relaxed) {
            gst::element_error!(decode, gst::StreamError::WrongType, ["There is no video in it"]);
        }
    });
}

/// For sources that have their one pad from the start.
pub(super) fn link_at_once(source: &gst::Element, entry: &gst::Pad) -> Result<(), glib::BoolError> {
    let exit = source.static_pad("src").ok_or_else(|| glib::bool_error!("the source has no exit"))?;
    exit.link(entry).map(drop).map_err(|error| glib::bool_error!("the source does not fit: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_camera_that_another_program_has_is_busy_and_not_broken() {
        let fault = of_resource(gst::ResourceError::Busy, sentence("Device '/dev/video0' is busy", ""));
        assert_eq!(
            fault.to_string(),
            "the camera is in use by another program: Device '/dev/video0' is busy"
        );
    }

    #[test]
    fn a_detail_is_told_but_no_address() {
        let place = "gstrtspsrc.c(6795): gst_rtspsrc_send (): /GstPipeline:pipeline0/GstRTSPSrc:rtspsrc0:";
        let detailed = format!("{place}\nService Unavailable (503)");
        assert_eq!(sentence("Unhandled error", &detailed), "Unhandled error (Service Unavailable (503))");
        let address = format!("{place}\nFailed at rtsp://cam/password=hunter2");
        assert_eq!(sentence("It failed.", &address), "It failed");
    }
}
