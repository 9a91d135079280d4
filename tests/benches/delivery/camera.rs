//! An RTSP camera that shows a film, and knows when each picture left it.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gstreamer as gst;
use gstreamer::glib;
use gstreamer::prelude::*;
use gstreamer_app::{AppSink, AppSrc};
use gstreamer_rtsp_server as gst_rtsp_server;
use gstreamer_rtsp_server::prelude::*;

pub struct Camera {
    pub port: i32,
    left: Arc<Mutex<Vec<Instant>>>,
}

impl Camera {
    /// Serves until the program ends. The film begins when somebody looks.
    pub fn over(film: &Path, fps: u32) -> Self {
        let film = Arc::new(pictures(film));
        let left = Arc::new(Mutex::new(Vec::new()));
        let factory = gst_rtsp_server::RTSPMediaFactory::new();
        factory.set_launch(
            "( appsrc name=pictures is-live=true do-timestamp=true format=time \
             caps=video/x-h264,stream-format=byte-stream,alignment=au \
             ! h264parse ! rtph264pay name=pay0 config-interval=1 )",
        );
        let noted = Arc::clone(&left);
        factory.connect_media_configure(move |_, media| {
            let bin = media.element().downcast::<gst::Bin>().expect("it is described as a bin");
            let source = bin.by_name("pictures").and_then(|source| source.downcast::<AppSrc>().ok());
            let source = source.expect("it is in the description");
            let (film, noted) = (Arc::clone(&film), Arc::clone(&noted));
            std::thread::spawn(move || show(&film, fps, &source, &noted));
        });
        let server = gst_rtsp_server::RTSPServer::new();
        server.set_address("127.0.0.1");
        server.set_service("0");
        server.mount_points().expect("a server has them").add_factory("/live", factory);
        server.attach(None).expect("a port is free");
        let port = server.bound_port();
        std::thread::spawn(move || {
            glib::MainLoop::new(None, false).run();
            drop(server);
        });
        Self { port, left }
    }

    /// When the pictures were taken, as far as the film has gone.
    pub fn taken(&self) -> Vec<Instant> {
        self.left.lock().expect("nothing fails while it is held").clone()
    }
}

/// Each picture when it is due, from the first one.
fn show(film: &[gst::Buffer], fps: u32, source: &AppSrc, left: &Mutex<Vec<Instant>>) {
    left.lock().expect("nothing fails while it is held").clear();
    let started = Instant::now();
    for (number, picture) in (0..).zip(film) {
        let due = Duration::from_secs(1) * number / fps;
        std::thread::sleep(due.saturating_sub(started.elapsed()));
        left.lock().expect("nothing fails while it is held").push(Instant::now());
        let mut picture = picture.copy();
        let times = picture.get_mut().expect("it was just copied");
        times.set_pts(gst::ClockTime::NONE);
        times.set_dts(gst::ClockTime::NONE);
        if source.push_buffer(picture).is_err() {
            return;
        }
    }
}

/// The film's pictures as they were encoded.
fn pictures(film: &Path) -> Vec<gst::Buffer> {
    let description = format!(
        "filesrc location={} ! qtdemux ! h264parse config-interval=-1 \
         ! video/x-h264,stream-format=byte-stream,alignment=au ! appsink name=pictures sync=false",
        film.display()
    );
    gst::init().expect("GStreamer starts");
    let pipeline = gst::parse::launch(&description).expect("the elements are installed");
    let pipeline = pipeline.downcast::<gst::Pipeline>().expect("several elements are a pipeline");
    let sink = pipeline.by_name("pictures").and_then(|sink| sink.downcast::<AppSink>().ok());
    let sink = sink.expect("it is in the description");
    pipeline.set_state(gst::State::Playing).expect("the pipeline plays");
    let samples = std::iter::from_fn(|| sink.pull_sample().ok());
    let pictures: Vec<gst::Buffer> = samples.filter_map(|sample| sample.buffer_owned()).collect();
    pipeline.set_state(gst::State::Null).expect("the pipeline stops");
    pictures
}
