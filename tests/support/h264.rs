//! A real H.264 encoder and decoder, one behind the other: what a camera's own compression makes of pictures.

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app::{AppSink, AppSrc};

/// From grey pictures to what a receiver sees of them.
pub struct Coder {
    pipeline: gst::Pipeline,
    source: AppSrc,
    sink: AppSink,
    size: (usize, usize),
    fps: u64,
    sent: u64,
}

impl Coder {
    /// `settings`: properties of `x264enc`, which sends each picture at once and keeps none back.
    pub fn new((width, height): (usize, usize), fps: u64, settings: &str) -> Self {
        gst::init().expect("GStreamer starts");
        let description = format!(
            "appsrc name=source format=time caps=video/x-raw,format=GRAY8,width={width},height={height},framerate={fps}/1 \
             ! videoconvert ! video/x-raw,format=I420 ! x264enc tune=zerolatency threads=1 {settings} ! h264parse \
             ! avdec_h264 max-threads=1 ! videoconvert ! video/x-raw,format=GRAY8 ! appsink name=sink sync=false"
        );
        let pipeline = gst::parse::launch(&description).expect("encoder and decoder are installed");
        let pipeline = pipeline.downcast::<gst::Pipeline>().expect("several elements are a pipeline");
        let source = pipeline.by_name("source").and_then(|source| source.downcast::<AppSrc>().ok());
        let sink = pipeline.by_name("sink").and_then(|sink| sink.downcast::<AppSink>().ok());
        pipeline.set_state(gst::State::Playing).expect("the pipeline plays");
        let (source, sink) = (source.expect("it is in the description"), sink.expect("so is this"));
        Self { pipeline, source, sink, size: (width, height), fps, sent: 0 }
    }

    /// What comes out for this picture.
    pub fn coded(&mut self, luma: Vec<u8>) -> Vec<u8> {
        let mut buffer = gst::Buffer::from_mut_slice(luma);
        let details = buffer.get_mut().expect("nobody else has it yet");
        details.set_pts(gst::ClockTime::SECOND * self.sent / self.fps);
        details.set_duration(gst::ClockTime::SECOND / self.fps);
        self.sent += 1;
        self.source.push_buffer(buffer).expect("the encoder takes it");
        let sample = self.sink.pull_sample().expect("the decoder gives a picture for each");
        let map = sample.buffer().expect("a sample has a buffer").map_readable().expect("it can be read");
        let (width, height) = self.size;
        let stride = map.len() / height;
        map.chunks(stride).flat_map(|row| &row[..width]).copied().collect()
    }
}

impl Drop for Coder {
    fn drop(&mut self) {
        self.pipeline.set_state(gst::State::Null).expect("a pipeline can always be stopped");
    }
}
