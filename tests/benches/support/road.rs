//! A road filmed once: real photographs of cars that drive up before a still background, as H.264 in a file.
#![allow(dead_code, reason = "each benchmark uses a part of this")]

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app::AppSrc;
use milepost::capture::Plane;
use milepost::vision::Picture;

pub const WIDTH: usize = 1920;
pub const HEIGHT: usize = 1080;
/// The cars, which come in turn.
pub const CARS: usize = 6;
/// How much smaller a car is when it comes into view.
const FAR: f32 = 0.4;
/// What of a photograph drives, around its plate and in plate widths and heights.
const CAR: (f32, f32) = (2.2, 3.0);
/// A sensor's noise, in grey levels up and down.
const NOISE: u32 = 3;

/// When a car is in view, in seconds from the film's beginning; the last picture shows it near and whole.
pub type Pass = Range<f32>;

/// Films these passes at `fps`, unless that was done under this name before.
pub fn film(datasets: &Path, name: &str, seconds: u32, fps: u32, passes: Vec<Pass>) -> PathBuf {
    let target = std::env::var("CARGO_TARGET_DIR").unwrap_or_else(|_| "target".to_owned());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(target).join("bench");
    std::fs::create_dir_all(&folder).expect("the target folder can be written");
    let path = folder.join(format!("road-{seconds}s-{fps}fps-{name}.mp4"));
    if !path.exists() {
        let half = path.with_extension("half");
        encode(&half, fps, Road::new(datasets, passes), seconds * fps);
        std::fs::rename(&half, &path).expect("the film can be renamed");
    }
    path
}

/// What the cars carry, in turn.
pub fn plates(datasets: &Path) -> Vec<String> {
    truth(datasets).map(|row| row["plate"].clone()).collect()
}

/// A photograph by the names of what is known of it.
type Row = BTreeMap<String, String>;

/// The photographs that the cars are from.
fn truth(datasets: &Path) -> impl Iterator<Item = Row> {
    let rows = csv::Reader::from_path(datasets.join("us-scenes/truth.csv"));
    let rows = rows.expect("the scenes have their truth").into_deserialize::<Row>();
    let wide =
        rows.map(|row| row.expect("the truth is a table")).filter(|row| row["image"].starts_with("wts-"));
    wide.step_by(5).take(CARS)
}

/// Without pictures that need a later one: cameras send none, and a decoder would wait for it.
fn encode(path: &Path, fps: u32, mut road: Road, frames: u32) {
    gst::init().expect("GStreamer starts");
    let description = format!(
        "appsrc name=pictures format=time caps=video/x-raw,format=I420,width={WIDTH},height={HEIGHT},framerate={fps}/1 \
         ! x264enc speed-preset=veryfast bitrate=6000 bframes=0 key-int-max={} ! mp4mux ! filesink location={}",
        fps * 2,
        path.display()
    );
    let pipeline = gst::parse::launch(&description).expect("the encoder is installed");
    let pipeline = pipeline.downcast::<gst::Pipeline>().expect("several elements are a pipeline");
    let source = pipeline.by_name("pictures").and_then(|source| source.downcast::<AppSrc>().ok());
    let source = source.expect("it is in the description");
    source.set_property("block", true);
    pipeline.set_state(gst::State::Playing).expect("the pipeline plays");
    let second = gst::ClockTime::SECOND;
    for number in 0..frames {
        let mut luma = road.picture(number as f32 / fps as f32);
        luma.extend(std::iter::repeat_n(128, WIDTH * HEIGHT / 2));
        let mut buffer = gst::Buffer::from_mut_slice(luma);
        let details = buffer.get_mut().expect("nobody else has it yet");
        details.set_pts(second * u64::from(number) / u64::from(fps));
        details.set_duration(second / u64::from(fps));
        source.push_buffer(buffer).expect("the encoder takes it");
    }
    source.end_of_stream().expect("the encoder ends");
    let bus = pipeline.bus().expect("a pipeline has a bus");
    let wanted = [gst::MessageType::Eos, gst::MessageType::Error];
    let end = bus.timed_pop_filtered(gst::ClockTime::from_seconds(600), &wanted).expect("it ends in time");
    assert!(matches!(end.view(), gst::MessageView::Eos(_)), "the film is encoded: {end:?}");
    pipeline.set_state(gst::State::Null).expect("the pipeline stops");
}

struct Road {
    background: Vec<u8>,
    cars: Vec<Car>,
    passes: Vec<Pass>,
    noise: u32,
}

/// A piece of a photograph with a car's plate in its middle.
struct Car {
    luma: Vec<u8>,
    width: usize,
    height: usize,
}

impl Road {
    fn new(datasets: &Path, passes: Vec<Pass>) -> Self {
        let scenes = datasets.join("us-scenes");
        let cars = truth(datasets).map(|row| Car::of(&scenes.join("images").join(&row["image"]), &row));
        let street = scenes.join("images/12c6cb72-3ea3-49e7-b381-e0cdfc5e8960.jpg");
        let background = scaled(&picture(&street), WIDTH, HEIGHT);
        Self { background, cars: cars.collect(), passes, noise: 1 }
    }

    fn picture(&mut self, seconds: f32) -> Vec<u8> {
        let mut luma = self.background.clone();
        if let Some(number) = self.passes.iter().position(|pass| pass.contains(&seconds)) {
            let pass = &self.passes[number];
            let along = (seconds - pass.start) / (pass.end - pass.start);
            self.cars[number % CARS].draw(&mut luma, along);
        }
        for value in &mut luma {
            self.noise = self.noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let grain = ((self.noise >> 16) % (2 * NOISE + 1)) as i16 - NOISE as i16;
            *value = (i16::from(*value) + grain).clamp(0, 255) as u8;
        }
        luma
    }
}

impl Car {
    fn of(path: &Path, row: &Row) -> Self {
        let picture = picture(path);
        let Plane { width, height, .. } = picture.luma();
        let number = |key: &str| row[key].parse::<f32>().expect("the truth is in numbers");
        let reach = |from: f32, size: f32, around: f32, end: usize| -> Range<usize> {
            ((from - around * size).max(0.0) as usize)..((from + (1.0 + around) * size) as usize).min(end)
        };
        let columns = reach(number("x"), number("width"), CAR.0, width);
        let rows = reach(number("y"), number("height"), CAR.1, height);
        let (width, height) = (columns.len(), rows.len());
        let luma = rows.flat_map(|y| &picture.luma().row(y)[columns.clone()]).copied().collect();
        Self { luma, width, height }
    }

    /// From far up on the road towards the camera.
    fn draw(&self, canvas: &mut [u8], along: f32) {
        let size = FAR + (1.0 - FAR) * along * along;
        let (width, height) = ((self.width as f32 * size) as usize, (self.height as f32 * size) as usize);
        let left = (WIDTH / 3 + (along * 300.0) as usize).min(WIDTH - width.min(WIDTH));
        let top = (150.0 + along * 500.0) as usize;
        for y in 0..height.min(HEIGHT.saturating_sub(top)) {
            let from = &self.luma[(y as f32 / size) as usize * self.width..];
            let to = &mut canvas[(top + y) * WIDTH + left..];
            for x in 0..width.min(WIDTH - left) {
                to[x] = from[(x as f32 / size) as usize];
            }
        }
    }
}

fn picture(path: &Path) -> Picture {
    Picture::decode(&std::fs::read(path).expect("the picture is there")).expect("the picture is sound")
}

fn scaled(picture: &Picture, width: usize, height: usize) -> Vec<u8> {
    let luma = picture.luma();
    let place = |x: usize, y: usize| luma.row(y * luma.height / height)[x * luma.width / width];
    (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).map(|(x, y)| place(x, y)).collect()
}
