//! A camera that is unplugged, stalls, changes or refuses is noticed, named, and comes back by itself.

#[path = "support/rtsp.rs"]
mod rtsp;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use milepost::capture::{
    Capture, Chroma, Clip, Config, Frame, Latest, LinkState, PasswordFrom, Source, TlsTrust,
};
use milepost::system::SystemClock;
use rtsp::{H264, H265, MJPEG, RtspServer, Served};

/// What DESIGN promises: a lost camera is noticed within this time.
const NOTICED: Duration = Duration::from_secs(5);
/// How long a test waits for what must happen but has no promise.
const PATIENCE: Duration = Duration::from_secs(20);

struct Viewer {
    capture: Capture,
    newest: Latest<Frame>,
}

impl Viewer {
    fn of(source: &str) -> Self {
        Self::with(Config::of(Source::parse(source).unwrap()))
    }

    fn with(config: Config) -> Self {
        let newest = Latest::new();
        let capture = Capture::start(config, Arc::new(SystemClock::new()), newest.clone()).unwrap();
        Self { capture, newest }
    }

    fn picture(&self) -> Frame {
        self.newest.take(PATIENCE).unwrap_or_else(|| panic!("no picture; {:?}", self.capture.status()))
    }

    /// Waits until the link's state is as told; gives the time it took.
    fn waits_for(&self, within: Duration, what: &str, fits: impl Fn(&LinkState) -> bool) -> Duration {
        let started = Instant::now();
        while !fits(&self.capture.status().state) {
            assert!(started.elapsed() < within, "no {what} within {within:?}: {:?}", self.capture.status());
            std::thread::sleep(Duration::from_millis(20));
        }
        started.elapsed()
    }

    fn waits_for_fault(&self, kind: &str) -> Duration {
        self.waits_for(
            NOTICED,
            kind,
            |state| matches!(state, LinkState::Faulted(fault) if fault.kind() == kind),
        )
    }
}

fn live(port: u16) -> String {
    format!("rtsp://127.0.0.1:{port}/live")
}

fn clip() -> PathBuf {
    let datasets = std::env::var_os("MILEPOST_DATASETS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/datasets"), PathBuf::from);
    let clip = datasets.join("clips/uk-approach.mp4");
    assert!(clip.exists(), "{} is not there: set MILEPOST_DATASETS to the datasets", clip.display());
    clip
}

/// Not a test: the process in which [`RtspServer`] serves.
#[test]
#[ignore = "the RTSP server of the other tests, started by them"]
fn rtsp_server_process() {
    rtsp::serve();
}

#[test]
fn each_codec_of_a_camera_gives_luma_and_colour() {
    for (encode, decoder) in [(H264, "264"), (H265, "265"), (MJPEG, "jpeg")] {
        let server = RtspServer::start(Served { encode, ..Served::default() });
        let viewer = Viewer::of(&live(server.port));
        let frame = viewer.picture();
        assert_eq!((frame.luma().width, frame.luma().height), (320, 240));
        let brightest = (0..240).flat_map(|y| frame.luma().row(y)).max();
        assert!(brightest > Some(&180), "the test picture has a white ball");
        assert!(matches!(frame.chroma(), Some(Chroma::Separate { .. } | Chroma::Interleaved(_))));
        let LinkState::Streaming(stream) = viewer.capture.status().state else { panic!("not streaming") };
        let found = stream.decoder.expect("a decoder was chosen");
        assert!(found.contains(decoder) || found.contains("mjpeg"), "{found}");
    }
}

#[test]
fn a_server_that_dies_is_noticed_and_comes_back_by_itself() {
    let server = RtspServer::start(Served { encode: H264, ..Served::default() });
    let port = server.port;
    let viewer = Viewer::of(&live(port));
    viewer.picture();
    drop(server);
    viewer.waits_for(NOTICED, "fault", |state| matches!(state, LinkState::Faulted(_)));
    viewer.waits_for_fault("unreachable");
    let _server = RtspServer::start(Served { encode: H264, port, ..Served::default() });
    viewer.waits_for(PATIENCE, "stream", |state| matches!(state, LinkState::Streaming(_)));
    viewer.picture();
}

#[test]
fn a_server_that_accepts_and_says_nothing_is_noticed() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let viewer = Viewer::of(&live(listener.local_addr().unwrap().port()));
    viewer.waits_for_fault("silent");
    let stopping = Instant::now();
    viewer.capture.stop();
    assert!(stopping.elapsed() < NOTICED, "stopping took {:?}", stopping.elapsed());
}

#[test]
fn a_stream_that_stalls_without_an_error_is_noticed_and_comes_back() {
    let mut server = RtspServer::start(Served { encode: H264, ..Served::default() });
    let viewer = Viewer::of(&live(server.port));
    viewer.picture();
    server.fall_silent();
    viewer.waits_for_fault("silent");
    // The server makes its media anew for the next viewer.
    viewer.waits_for(PATIENCE, "stream", |state| matches!(state, LinkState::Streaming(_)));
}

#[test]
fn a_wrong_password_is_named_and_the_right_one_works() {
    let server =
        RtspServer::start(Served { encode: MJPEG, login: Some(("pole", "hunter2")), ..Served::default() });
    let viewer = Viewer::of(&format!("rtsp://pole:wrong@127.0.0.1:{}/live", server.port));
    viewer.waits_for_fault("refused");
    let shown = format!("{:?}", viewer.capture.status());
    assert!(!shown.contains("wrong"), "{shown}");

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, "hunter2\n").unwrap();
    let source = Source::parse(&format!("rtsp://pole@127.0.0.1:{}/live", server.port)).unwrap();
    Viewer::with(Config { password: Some(PasswordFrom::File(file)), ..Config::of(source) }).picture();
}

#[test]
fn a_wrong_path_is_named() {
    let server = RtspServer::start(Served { encode: MJPEG, ..Served::default() });
    Viewer::of(&format!("rtsp://127.0.0.1:{}/dead", server.port)).waits_for_fault("no-stream");
}

#[test]
fn a_change_of_resolution_is_taken_in_mid_stream() {
    let mut server = RtspServer::start(Served { encode: H264, ..Served::default() });
    let viewer = Viewer::of(&live(server.port));
    assert_eq!(viewer.picture().luma().width, 320);
    server.resize(640, 480);
    viewer.waits_for(
        PATIENCE,
        "new size",
        |state| matches!(state, LinkState::Streaming(stream) if (stream.width, stream.height) == (640, 480)),
    );
    let frame = viewer.picture();
    assert_eq!((frame.luma().width, frame.luma().height), (640, 480));
    assert_eq!(viewer.capture.status().faults, 0);
}

#[test]
fn an_encrypted_camera_is_believed_only_with_a_trusted_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, both) = (folder.path().join("camera.pem"), folder.path().join("both.pem"));
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&both, made.cert.pem() + &made.signing_key.serialize_pem()).unwrap();
    let server = RtspServer::start(Served { encode: MJPEG, tls: Some(&both), ..Served::default() });
    let source = Source::parse(&format!("rtsps://127.0.0.1:{}/live", server.port)).unwrap();

    let trusting = |tls_trust| Viewer::with(Config { tls_trust, ..Config::of(source.clone()) });
    trusting(TlsTrust::System).waits_for_fault("untrusted");
    trusting(TlsTrust::Authorities(certificate)).picture();
    trusting(TlsTrust::Anyone).picture();
}

#[test]
fn a_clip_gives_every_frame_in_order() {
    let mut last = -1.0;
    let mut count = 0;
    for frame in Clip::open(&clip()).unwrap() {
        let (at, frame) = frame.unwrap();
        assert!(at > last, "frame {count} at {at} s comes after {last} s");
        assert_eq!((frame.luma().width, frame.luma().height), (1280, 720));
        assert_eq!((frame.sequence, frame.taken.uptime.as_secs_f64()), (count, at));
        (last, count) = (at, count + 1);
    }
    assert!(count > 100 && (4.0..5.5).contains(&last), "{count} frames up to {last} s");
}

#[test]
fn what_is_no_clip_is_said_to_be_none() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("note.mp4");
    std::fs::write(&file, "not a video").unwrap();
    let message =
        Clip::open(&file).map(Iterator::last).map(Option::unwrap).unwrap().err().unwrap().to_string();
    assert!(message.contains("note.mp4 is no video"), "{message}");
    let missing = Clip::open(Path::new("/nowhere.mp4")).err().unwrap().to_string();
    assert!(missing.contains("/nowhere.mp4 cannot be read"), "{missing}");
}

#[test]
fn a_file_plays_once_or_for_ever() {
    let source = Source::File(clip());
    let once = Viewer::with(Config { repeat: false, ..Config::of(source.clone()) });
    let again = Viewer::with(Config { repeat: true, ..Config::of(source) });
    once.waits_for(PATIENCE, "end", |state| *state == LinkState::Ended);
    let until_the_end = again.capture.status().pictures;
    let started = Instant::now();
    while again.capture.status().pictures < until_the_end + 20 {
        assert!(started.elapsed() < PATIENCE, "{:?}", again.capture.status());
        std::thread::sleep(Duration::from_millis(20));
    }
    let missing = Viewer::of("/nowhere.mp4");
    missing.waits_for_fault("missing");
}

#[test]
fn the_rendered_scene_is_a_camera_like_any_other() {
    let viewer = Viewer::of("scene:traffic");
    let (first, second) = (viewer.picture(), viewer.picture());
    assert_eq!((first.luma().width, first.luma().height), (1280, 720));
    assert!(first.chroma().is_some());
    assert!(second.sequence > first.sequence && second.taken.since(&first.taken) > Duration::ZERO);
    viewer.waits_for(
        PATIENCE,
        "frame rate",
        |state| matches!(state, LinkState::Streaming(stream) if (5.0..=30.0).contains(&stream.fps)),
    );
}

#[test]
fn a_missing_device_is_named() {
    Viewer::of("/dev/video-none").waits_for_fault("missing");
}

#[test]
fn a_folder_shows_its_pictures_in_order() {
    let folder = tempfile::tempdir().unwrap();
    picture_file(&folder.path().join("2.png"), 48);
    picture_file(&folder.path().join("1.png"), 32);
    std::fs::write(folder.path().join("3.png"), "broken").unwrap();
    std::fs::write(folder.path().join("readme.txt"), "no picture").unwrap();
    let config = Config {
        repeat: false,
        picture_ms: 200.try_into().unwrap(),
        ..Config::of(Source::Folder(folder.path().into()))
    };
    let viewer = Viewer::with(config);
    assert_eq!(viewer.picture().luma().width, 32);
    assert_eq!(viewer.picture().luma().width, 48);
    viewer.waits_for(PATIENCE, "end", |state| *state == LinkState::Ended);
}

fn picture_file(path: &Path, width: usize) {
    use gstreamer::prelude::*;
    gstreamer::init().unwrap();
    let launch = format!(
        "videotestsrc num-buffers=1 ! video/x-raw,width={width},height=32 ! pngenc ! filesink location={}",
        path.display()
    );
    let pipeline = gstreamer::parse::launch(&launch).unwrap();
    pipeline.set_state(gstreamer::State::Playing).unwrap();
    let end = pipeline.bus().unwrap().timed_pop_filtered(
        gstreamer::ClockTime::from_seconds(10),
        &[gstreamer::MessageType::Eos, gstreamer::MessageType::Error],
    );
    pipeline.set_state(gstreamer::State::Null).unwrap();
    assert_eq!(end.map(|message| message.type_()), Some(gstreamer::MessageType::Eos));
}
