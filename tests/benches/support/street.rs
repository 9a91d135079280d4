//! A camera over a real photograph that can be turned, zoomed, lit, covered, blurred and driven past, second by second.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use milepost::capture::{Frame, OwnedPlanes};
use milepost::words::{CameraId, Moment};
use opencv::core::{self, CV_8U, CV_16S, Mat, Point, Rect, Scalar, Size, ToInputArray, Vector};
use opencv::imgcodecs;
use opencv::imgproc::{self, INTER_AREA, INTER_LINEAR};
use opencv::prelude::*;

pub const WIDTH: i32 = 1280;
pub const HEIGHT: i32 = 720;
/// Around the frame there is so much more of the picture, for the wind to sway within.
const MARGIN: i32 = 24;
/// How much larger than the frame a photograph is laid out, so that there is something to turn to.
const ROOM: f64 = 1.2;

/// xorshift64*: the same numbers in every run.
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// From 0 up to 1.
    pub fn unit(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1u64 << 53) as f64
    }

    pub fn between(&mut self, from: f64, to: f64) -> f64 {
        from + (to - from) * self.unit()
    }

    pub fn below(&mut self, end: usize) -> usize {
        ((self.unit() * end as f64) as usize).min(end - 1)
    }
}

/// How the scene lies in the frame against how it was aimed.
#[derive(Clone, Copy, Debug)]
pub struct Pose {
    pub x: f64,
    pub y: f64,
    /// Clockwise.
    pub turned_deg: f64,
    pub scale: f64,
}

impl Default for Pose {
    fn default() -> Self {
        Self { x: 0.0, y: 0.0, turned_deg: 0.0, scale: 1.0 }
    }
}

/// Light and air.
#[derive(Clone, Copy)]
pub struct Air {
    pub gain: f64,
    pub gamma: f64,
    /// Added to everything: haze, or an infra-red camera's own glow.
    pub veil: f64,
    pub noise: f64,
    pub shadows: usize,
    pub rain: bool,
    /// JPEG quality of what the camera sends; None for a camera that loses nothing.
    pub quality: Option<i32>,
    /// How far the wind moves the picture, in pixels.
    pub wind: f64,
}

impl Default for Air {
    fn default() -> Self {
        Self {
            gain: 1.0,
            gamma: 1.0,
            veil: 0.0,
            noise: 2.0,
            shadows: 0,
            rain: false,
            quality: None,
            wind: 1.0,
        }
    }
}

/// What someone did to the camera.
#[derive(Clone, Copy)]
pub enum Harm {
    None,
    /// 40 per cent of the view, at a side or somewhere within, by something grey, black, unfocused, or a picture.
    Covered,
    /// A Gaussian of this many pixels.
    Defocused(f64),
}

/// A street, and what drives on it.
pub struct Street {
    photograph: Mat,
    cars: Arc<Vec<Mat>>,
    noise: Mat,
    pub chance: Chance,
    pub second: u64,
    /// The street as it is lit now, with its margin.
    lit: Mat,
    air: Air,
    driving: Option<Driving>,
    /// Vehicles a minute.
    pub traffic: f64,
}

struct Driving {
    car: usize,
    left: i32,
    top: i32,
    step: (i32, i32),
    seconds: u32,
}

/// The photographs, halved: constants were chosen by looking at one half, figures are of the other.
pub fn photographs(datasets: &Path) -> Vec<PathBuf> {
    let listed = |set: &str| {
        let folder = datasets.join(set).join("images");
        let entries = std::fs::read_dir(folder).expect("the pictures are there");
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("it can be listed").path()).collect();
        files.sort();
        files.into_iter().skip(1).step_by(2)
    };
    listed("us-scenes").chain(listed("scenes-br")).collect()
}

/// What drives past: the middles of photographs.
pub fn cars(photographs: &[PathBuf]) -> Arc<Vec<Mat>> {
    let cut = |path: &PathBuf| {
        let photograph = read(path);
        let (width, height) = (photograph.cols(), photograph.rows());
        let middle = Rect::new(width / 4, height / 4, width / 2, height / 2);
        let mut car = Mat::default();
        let size = Size::new(420, 420 * height / width);
        let cut = Mat::roi(&photograph, middle).expect("the middle lies within");
        imgproc::resize(&cut, &mut car, size, 0.0, 0.0, INTER_AREA).expect("it can be resized");
        car
    };
    Arc::new(photographs.iter().step_by(9).map(cut).collect())
}

fn read(path: &Path) -> Mat {
    let name = path.to_str().expect("a plain name");
    let picture = imgcodecs::imread(name, imgcodecs::IMREAD_GRAYSCALE).expect("OpenCV reads it");
    assert!(!picture.empty(), "{name} is a picture");
    picture
}

impl Street {
    pub fn over(path: &Path, cars: Arc<Vec<Mat>>, seed: u64) -> Self {
        let size = Size::new(WIDTH + 200, HEIGHT + 200);
        let mut noise = Mat::new_size_with_default(size, CV_16S, Scalar::default()).expect("there is room");
        // In sixteenths of a step.
        core::randn(&mut noise, &Scalar::all(0.0), &Scalar::all(16.0)).expect("it can be filled");
        let mut street = Self {
            photograph: read(path),
            cars,
            noise,
            chance: Chance::new(seed),
            second: 0,
            lit: Mat::default(),
            air: Air::default(),
            driving: None,
            traffic: 0.0,
        };
        street.look_from(Pose::default(), Air::default(), Harm::None);
        street
    }

    /// From now on the camera stands like this, in this light.
    pub fn look_from(&mut self, pose: Pose, air: Air, harm: Harm) {
        let view = self.warped(pose).expect("a similarity warps any picture");
        let lit = self.lit(&view, air).expect("it can be lit");
        self.lit = match harm {
            Harm::None => lit,
            Harm::Covered => self.covered(lit).expect("it can be covered"),
            Harm::Defocused(sigma) => {
                let mut blurred = Mat::default();
                imgproc::gaussian_blur_def(&lit, &mut blurred, Size::new(0, 0), sigma)
                    .expect("it can be blurred");
                blurred
            }
        };
        self.air = air;
    }

    /// Time passes without a look.
    pub fn skip(&mut self, seconds: u64) {
        self.second += seconds;
        self.driving = None;
    }

    pub fn frame(&mut self) -> Frame {
        self.second += 1;
        let luma = self.picture().expect("it can be drawn");
        self.frame_of(luma)
    }

    /// A frame that shows this at the present second.
    pub fn frame_of(&self, luma: Vec<u8>) -> Frame {
        let camera = CameraId::parse("lane-1").expect("a plain name");
        let planes = OwnedPlanes::grey(luma, WIDTH as usize, HEIGHT as usize);
        Frame::new(camera, self.now(), self.second, Arc::new(planes))
    }

    pub fn now(&self) -> Moment {
        let uptime = Duration::from_secs(self.second);
        Moment { uptime, wall: Timestamp::UNIX_EPOCH + uptime }
    }

    fn warped(&self, pose: Pose) -> opencv::Result<Mat> {
        let size = Size::new(WIDTH + 2 * MARGIN, HEIGHT + 2 * MARGIN);
        let (columns, rows) = (f64::from(self.photograph.cols()), f64::from(self.photograph.rows()));
        let scale = pose.scale * ROOM * f64::max(f64::from(WIDTH) / columns, f64::from(HEIGHT) / rows);
        let (sin, cos) = pose.turned_deg.to_radians().sin_cos();
        let (re, im) = (scale * cos, scale * sin);
        let (middle_x, middle_y) = ((columns - 1.0) / 2.0, (rows - 1.0) / 2.0);
        let x = f64::from(size.width - 1) / 2.0 + pose.x - re * middle_x + im * middle_y;
        let y = f64::from(size.height - 1) / 2.0 + pose.y - im * middle_x - re * middle_y;
        let matrix = Mat::from_slice_2d(&[[re, -im, x], [im, re, y]])?;
        let mut view = Mat::default();
        let border = core::BORDER_REFLECT;
        imgproc::warp_affine(
            &self.photograph,
            &mut view,
            &matrix,
            size,
            INTER_LINEAR,
            border,
            Scalar::default(),
        )?;
        Ok(view)
    }

    fn lit(&mut self, view: &Mat, air: Air) -> opencv::Result<Mat> {
        let curve: Vec<u8> = (0..256)
            .map(|luma| {
                let light = (f64::from(luma) / 255.0).powf(air.gamma) * air.gain * 255.0 + air.veil;
                light.clamp(0.0, 255.0) as u8
            })
            .collect();
        let mut lit = Mat::default();
        core::lut(view, &Mat::from_slice(&curve)?, &mut lit)?;
        for _ in 0..air.shadows {
            let mut shade = Mat::new_size_with_default(lit.size()?, CV_8U, Scalar::all(255.0))?;
            let corner = |chance: &mut Chance| {
                Point::new(chance.between(-200.0, 1500.0) as i32, chance.between(-200.0, 900.0) as i32)
            };
            let corners: Vector<Point> = (0..3).map(|_| corner(&mut self.chance)).collect();
            imgproc::fill_convex_poly(&mut shade, &corners, Scalar::all(140.0), imgproc::LINE_8, 0)?;
            let mut soft = Mat::default();
            imgproc::blur_def(&shade, &mut soft, Size::new(9, 9))?;
            let mut shaded = Mat::default();
            core::multiply(&lit, &soft, &mut shaded, 1.0 / 255.0, CV_8U)?;
            lit = shaded;
        }
        Ok(lit)
    }

    fn covered(&mut self, mut lit: Mat) -> opencv::Result<Mat> {
        let area = match self.chance.below(5) {
            0 => Rect::new(0, 0, lit.cols(), lit.rows() * 2 / 5),
            1 => Rect::new(0, lit.rows() * 3 / 5, lit.cols(), lit.rows() * 2 / 5),
            2 => Rect::new(0, 0, lit.cols() * 2 / 5, lit.rows()),
            3 => Rect::new(lit.cols() * 3 / 5, 0, lit.cols() * 2 / 5, lit.rows()),
            _ => {
                let (width, height) = (lit.cols() * 633 / 1000, lit.rows() * 633 / 1000);
                let x = self.chance.below((lit.cols() - width) as usize) as i32;
                Rect::new(x, self.chance.below((lit.rows() - height) as usize) as i32, width, height)
            }
        };
        let mut cover = match self.chance.below(4) {
            0 => {
                Mat::new_size_with_default(lit.size()?, CV_8U, Scalar::all(self.chance.between(60.0, 160.0)))?
            }
            1 => Mat::new_size_with_default(lit.size()?, CV_8U, Scalar::all(6.0))?,
            2 => {
                let mut unfocused = Mat::default();
                imgproc::blur_def(&lit, &mut unfocused, Size::new(121, 121))?;
                unfocused
            }
            _ => {
                let picture = &self.cars[self.chance.below(self.cars.len())];
                let mut large = Mat::default();
                imgproc::resize(picture, &mut large, lit.size()?, 0.0, 0.0, INTER_LINEAR)?;
                large
            }
        };
        Mat::roi_mut(&mut cover, area)?.copy_to(&mut Mat::roi_mut(&mut lit, area)?)?;
        Ok(lit)
    }

    fn picture(&mut self) -> opencv::Result<Vec<u8>> {
        let sway = |chance: &mut Chance, wind: f64| {
            (chance.between(-wind, wind).round() as i32).clamp(-MARGIN, MARGIN)
        };
        let (x, y) = (sway(&mut self.chance, self.air.wind), sway(&mut self.chance, self.air.wind / 3.0));
        let part = Rect::new(MARGIN + x, MARGIN + y, WIDTH, HEIGHT);
        let mut picture = Mat::roi(&self.lit, part)?.try_clone()?;
        self.drive(&mut picture)?;
        if self.air.rain {
            for _ in 0..300 {
                let from = Point::new(self.chance.below(1280) as i32, self.chance.below(720) as i32);
                let length = self.chance.between(10.0, 40.0) as i32;
                let to = Point::new(from.x + length / 6, from.y + length);
                let grey = Scalar::all(self.chance.between(120.0, 210.0));
                imgproc::line(&mut picture, from, to, grey, 1, imgproc::LINE_8, 0)?;
            }
        }
        let offset = Rect::new(self.chance.below(200) as i32, self.chance.below(200) as i32, WIDTH, HEIGHT);
        let mut noisy = Mat::default();
        let noise = Mat::roi(&self.noise, offset)?;
        let mut wide = Mat::default();
        picture.convert_to(&mut wide, CV_16S, 1.0, 0.0)?;
        core::add_weighted(&wide, 1.0, &noise, self.air.noise / 16.0, 0.0, &mut noisy, CV_8U)?;
        match self.air.quality {
            None => Ok(noisy.data_bytes()?.to_vec()),
            Some(quality) => Ok(encoded(&noisy, quality)?.data_bytes()?.to_vec()),
        }
    }

    /// Now and then a car comes through the picture, or waits in it for a while.
    fn drive(&mut self, picture: &mut Mat) -> opencv::Result<()> {
        if self.driving.is_none() && self.chance.unit() < self.traffic / 60.0 {
            let waits = self.chance.unit() < 0.2;
            let step = if waits { (0, 0) } else { (self.chance.between(-80.0, 80.0) as i32, 110) };
            self.driving = Some(Driving {
                car: self.chance.below(self.cars.len()),
                left: self.chance.between(0.0, 860.0) as i32,
                top: if waits { self.chance.between(0.0, 400.0) as i32 } else { -60 },
                step,
                seconds: if waits { 15 } else { 6 },
            });
        }
        let Some(driving) = &mut self.driving else { return Ok(()) };
        let car = &self.cars[driving.car];
        let place = Rect::new(driving.left, driving.top, car.cols(), car.rows());
        let seen = place & Rect::new(0, 0, WIDTH, HEIGHT);
        if seen.width > 0 && seen.height > 0 {
            let own = Rect::new(seen.x - place.x, seen.y - place.y, seen.width, seen.height);
            let mut lit = Mat::default();
            Mat::roi(car, own)?.convert_to(&mut lit, CV_8U, self.air.gain.min(1.0), self.air.veil)?;
            lit.copy_to(&mut Mat::roi_mut(picture, seen)?)?;
        }
        driving.left += driving.step.0;
        driving.top += driving.step.1;
        driving.seconds -= 1;
        if driving.seconds == 0 {
            self.driving = None;
        }
        Ok(())
    }
}

/// As a camera that compresses sends it.
pub fn encoded(picture: &impl ToInputArray, quality: i32) -> opencv::Result<Mat> {
    let mut file = Vector::new();
    let settings = Vector::from_slice(&[imgcodecs::IMWRITE_JPEG_QUALITY, quality]);
    imgcodecs::imencode(".jpg", picture, &mut file, &settings)?;
    imgcodecs::imdecode(&file, imgcodecs::IMREAD_GRAYSCALE)
}
