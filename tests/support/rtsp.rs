//! A real RTSP server for a test: GStreamer's own, in a process of its own that can be killed.
//!
//! The process is the test program itself, started again as its ignored test `rtsp_server_process`, which
//! calls [`serve`]. It obeys lines on its standard input and ends with it.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gstreamer as gst;
use gstreamer::glib;
use gstreamer::prelude::*;
use gstreamer_app::AppSrc;
use gstreamer_rtsp_server as gst_rtsp_server;
use gstreamer_rtsp_server::prelude::*;
use milepost::capture::scene::{self, ScenePlate, Traffic};
use milepost::capture::{Chroma, Planes};

pub const H264: &str = "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=15 threads=1 ! rtph264pay name=pay0 config-interval=1";
pub const H265: &str = "x265enc tune=zerolatency speed-preset=ultrafast key-int-max=15 option-string=pools=1:frame-threads=1 ! h265parse ! rtph265pay name=pay0 config-interval=1";
pub const MJPEG: &str = "jpegenc ! rtpjpegpay name=pay0";

const PORT_LINE: &str = "rtsp server listens on ";

/// Serves moving pictures under `/live` until it is dropped, by which it is killed.
pub struct RtspServer {
    pub port: u16,
    process: Child,
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
    /// What the cars of rendered traffic carry, `ABC123;ma` each; none: a bouncing ball.
    pub traffic: &'a [&'a str],
    /// An MP4 file with H.264 to serve as it is, at its own pace, instead of pictures to `encode`.
    pub film: Option<&'a Path>,
}

impl RtspServer {
    pub fn start(served: Served<'_>) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "rtsp_server_process", "--ignored", "--nocapture"]);
        command.env("RTSP_ENCODE", served.encode).env("RTSP_PORT", served.port.to_string());
        if let Some((user, password)) = served.login {
            command.env("RTSP_USER", user).env("RTSP_PASSWORD", password);
        }
        if let Some(certificate) = served.tls {
            command.env("RTSP_CERTIFICATE", certificate);
        }
        if let Some(film) = served.film {
            command.env("RTSP_FILM", film);
        }
        if !served.traffic.is_empty() {
            command.env("RTSP_TRAFFIC", served.traffic.join(" "));
        }
        // What GStreamer grumbles about cut connections is of no interest here.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().unwrap();
        let port = BufReader::new(process.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok)
            .find_map(|line| line.split_once(PORT_LINE).map(|(_, port)| port.parse().unwrap()))
            .expect("the server tells its port");
        Self { port, process }
    }

    /// The camera changes its resolution in mid-stream.
    pub fn resize(&mut self, width: i32, height: i32) {
        self.tell(&format!("resize {width} {height}"));
    }

    /// The server lives and keeps its connections, but sends no picture any more.
    pub fn fall_silent(&mut self) {
        self.tell("silence");
    }

    fn tell(&mut self, line: &str) {
        writeln!(self.process.stdin.as_mut().unwrap(), "{line}").unwrap();
    }
}

impl Drop for RtspServer {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// The body of the server's process; returns at the end of standard input.
pub fn serve() {
    gst::init().unwrap();
    let latest_media = Arc::default();
    let server = server(&latest_media);
    let _source = server.attach(None).unwrap();
    println!("{PORT_LINE}{}", server.bound_port());
    let main_loop = glib::MainLoop::new(None, false);
    let quit = main_loop.clone();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            obey(&line, &latest_media);
        }
        quit.quit();
    });
    main_loop.run();
}

fn obey(line: &str, media: &Mutex<Option<gst::Element>>) {
    let media = media.lock().unwrap();
    let bin = media.as_ref().unwrap().downcast_ref::<gst::Bin>().unwrap();
    match line.split(' ').collect::<Vec<_>>()[..] {
        ["silence"] => {
            let pad = bin.by_name("pictures").unwrap().static_pad("src").unwrap();
            pad.add_probe(gst::PadProbeType::BUFFER, |_, _| gst::PadProbeReturn::Drop);
        }
        ["resize", width, height] => {
            let caps = caps(width.parse().unwrap(), height.parse().unwrap());
            bin.by_name("size").unwrap().set_property("caps", caps);
        }
        _ => panic!("{line:?} is no order"),
    }
}

fn caps(width: i32, height: i32) -> gst::Caps {
    gst::Caps::builder("video/x-raw")
        .field("width", width)
        .field("height", height)
        .field("framerate", gst::Fraction::new(15, 1))
        .field("format", "I420")
        .build()
}

/// Traffic as a camera of [`TRAFFIC_FPS`] sees it, until nobody looks any more.
fn drive(source: &AppSrc, plates: &str) {
    let plates: Vec<_> =
        plates.split(' ').map(|plate| ScenePlate::try_from(plate.to_owned()).unwrap()).collect();
    let mut traffic = Traffic::new(&plates, 1);
    let started = Instant::now();
    for step in 0.. {
        let due = Duration::from_secs(1) * step / TRAFFIC_FPS;
        std::thread::sleep(due.saturating_sub(started.elapsed()));
        let picture = traffic.picture((started.elapsed().as_secs_f64() * f64::from(scene::FPS)) as u64);
        if source.push_buffer(gst::Buffer::from_mut_slice(i420(&picture))).is_err() {
            return;
        }
    }
}

/// Half of what the scene can give: encoder, decoder and the tested program share a machine.
const TRAFFIC_FPS: u32 = 10;

fn i420(picture: &dyn Planes) -> Vec<u8> {
    let Some(Chroma::Separate { u, v }) = picture.chroma() else { panic!("the scene is in colour") };
    let rows = [picture.luma(), u, v].map(|plane| (0..plane.height).flat_map(move |y| plane.row(y)));
    rows.into_iter().flatten().copied().collect()
}

fn server(latest_media: &Arc<Mutex<Option<gst::Element>>>) -> gst_rtsp_server::RTSPServer {
    let told = |name: &str| std::env::var(name).ok();
    let server = gst_rtsp_server::RTSPServer::new();
    server.set_address("127.0.0.1");
    server.set_service(&told("RTSP_PORT").unwrap());
    let factory = gst_rtsp_server::RTSPMediaFactory::new();
    let traffic = told("RTSP_TRAFFIC");
    let (source, caps) = match traffic {
        Some(_) => ("appsrc is-live=true do-timestamp=true format=time", caps(1280, 720)),
        None => ("videotestsrc is-live=true pattern=ball", caps(320, 240)),
    };
    factory.set_launch(&match told("RTSP_FILM") {
        Some(film) => {
            format!(
                "( filesrc location={film} ! qtdemux ! h264parse ! rtph264pay name=pay0 config-interval=1 )"
            )
        }
        None => format!(
            "( {source} name=pictures ! capsfilter name=size caps=\"{caps}\" ! {} )",
            told("RTSP_ENCODE").unwrap()
        ),
    });
    let latest = Arc::clone(latest_media);
    factory.connect_media_configure(move |_, media| {
        if let Some(plates) = traffic.clone() {
            let bin = media.element().downcast::<gst::Bin>().unwrap();
            let source = bin.by_name("pictures").unwrap().downcast::<AppSrc>().unwrap();
            source.set_caps(Some(&caps));
            std::thread::spawn(move || drive(&source, &plates));
        }
        *latest.lock().unwrap() = Some(media.element());
    });
    let login = told("RTSP_USER").zip(told("RTSP_PASSWORD"));
    let certificate =
        told("RTSP_CERTIFICATE").map(|path| gst_rtsp_server::gio::TlsCertificate::from_file(path).unwrap());
    if login.is_some() || certificate.is_some() {
        server.set_auth(Some(&auth(&factory, login, certificate)));
    }
    server.mount_points().unwrap().add_factory("/live", factory);
    server
}

fn auth(
    factory: &gst_rtsp_server::RTSPMediaFactory,
    login: Option<(String, String)>,
    certificate: Option<gst_rtsp_server::gio::TlsCertificate>,
) -> gst_rtsp_server::RTSPAuth {
    let auth = gst_rtsp_server::RTSPAuth::new();
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
    auth
}
