//! A real RTSP server inside a test: GStreamer's own, on an ephemeral loopback port.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;

use gstreamer as gst;
use gstreamer::glib;
use gstreamer::prelude::*;
use gstreamer_rtsp_server as gst_rtsp_server;
use gstreamer_rtsp_server::prelude::*;

/// Serves `/live` until it is dropped; then its port is closed and its viewers are cut off.
pub struct RtspServer {
    pub port: u16,
    context: glib::MainContext,
    main_loop: glib::MainLoop,
    thread: Option<JoinHandle<()>>,
    media: Arc<Mutex<Option<gst::Element>>>,
}

/// What a server serves and asks for.
#[derive(Default)]
pub struct Served<'a> {
    /// The part of a `gst-launch` description behind the raw pictures, ending in a payloader `pay0`.
    pub encode: &'a str,
    /// 0: a free one is found.
    pub port: u16,
    pub login: Option<(&'a str, &'a str)>,
    /// A PEM file with certificate and key.
    pub tls: Option<&'a Path>,
}

pub const H264: &str = "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=15 threads=1 ! rtph264pay name=pay0 config-interval=1";
pub const H265: &str = "x265enc tune=zerolatency speed-preset=ultrafast key-int-max=15 ! h265parse ! rtph265pay name=pay0 config-interval=1";
pub const MJPEG: &str = "jpegenc ! rtpjpegpay name=pay0";

impl RtspServer {
    pub fn start(served: Served<'_>) -> Self {
        gst::init().unwrap();
        let launch = format!(
            "( videotestsrc is-live=true pattern=ball name=pictures ! capsfilter name=size caps=video/x-raw,width=320,height=240,framerate=15/1,format=I420 ! {} )",
            served.encode
        );
        let context = glib::MainContext::new();
        let main_loop = glib::MainLoop::new(Some(&context), false);
        let media = Arc::default();
        let (ready, started) = mpsc::channel();
        let login = served.login.map(|(user, password)| (user.to_owned(), password.to_owned()));
        let certificate = served.tls.map(Path::to_owned);
        let thread = std::thread::spawn({
            let (context, main_loop, media) =
                (context.clone(), main_loop.clone(), Arc::clone(&media));
            move || {
                context
                    .with_thread_default(|| {
                        let server = server(&launch, served.port, login, certificate, &media);
                        let source = server.attach(Some(&context)).unwrap();
                        ready.send(server.bound_port()).unwrap();
                        main_loop.run();
                        server.client_filter(Some(&mut |_, _| gst_rtsp_server::RTSPFilterResult::Remove));
                        source.remove();
                    })
                    .unwrap();
            }
        });
        let port = u16::try_from(started.recv().unwrap()).unwrap();
        Self { port, context, main_loop, thread: Some(thread), media }
    }

    /// The camera changes its resolution in mid-stream.
    pub fn resize(&self, width: i32, height: i32) {
        let media = self.media.lock().unwrap();
        let bin = media.as_ref().unwrap().downcast_ref::<gst::Bin>().unwrap();
        let caps = gst::Caps::builder("video/x-raw")
            .field("width", width)
            .field("height", height)
            .field("framerate", gst::Fraction::new(15, 1))
            .field("format", "I420")
            .build();
        bin.by_name("size").unwrap().set_property("caps", caps);
    }

    /// The server lives and keeps its connections, but sends no picture any more.
    pub fn fall_silent(&self) {
        let media = self.media.lock().unwrap();
        let bin = media.as_ref().unwrap().downcast_ref::<gst::Bin>().unwrap();
        let pad = bin.by_name("pictures").unwrap().static_pad("src").unwrap();
        pad.add_probe(gst::PadProbeType::BUFFER, |_, _| gst::PadProbeReturn::Drop);
    }
}

fn server(
    launch: &str,
    port: u16,
    login: Option<(String, String)>,
    certificate: Option<PathBuf>,
    media: &Arc<Mutex<Option<gst::Element>>>,
) -> gst_rtsp_server::RTSPServer {
    let server = gst_rtsp_server::RTSPServer::new();
    server.set_address("127.0.0.1");
    server.set_service(&port.to_string());
    let factory = gst_rtsp_server::RTSPMediaFactory::new();
    factory.set_launch(launch);
    factory.set_shared(true);
    let latest = Arc::clone(media);
    factory.connect_media_configure(move |_, media| *latest.lock().unwrap() = Some(media.element()));
    if login.is_some() || certificate.is_some() {
        let auth = gst_rtsp_server::RTSPAuth::new();
        let certificate =
            certificate.map(|path| gst_rtsp_server::gio::TlsCertificate::from_file(path).unwrap());
        auth.set_tls_certificate(certificate.as_ref());
        let role = gst::Structure::builder("viewer")
            .field("media.factory.access", true)
            .field("media.factory.construct", true)
            .build();
        factory.add_role_from_structure(&role);
        let mut token = gst_rtsp_server::RTSPToken::builder().field("media.factory.role", "viewer").build();
        match login {
            Some((user, password)) => {
                auth.set_supported_methods(gst_rtsp_server::gst_rtsp::RTSPAuthMethod::Digest);
                auth.add_digest(&user, &password, &token);
            }
            None => auth.set_default_token(Some(&mut token)),
        }
        server.set_auth(Some(&auth));
    }
    server.mount_points().unwrap().add_factory("/live", factory);
    server
}

impl Drop for RtspServer {
    fn drop(&mut self) {
        let main_loop = self.main_loop.clone();
        self.context.invoke(move || main_loop.quit());
        self.thread.take().unwrap().join().unwrap();
    }
}
