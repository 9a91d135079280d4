//! For tests: a camera over a real photograph, which can be turned, dimmed, blurred and covered.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use opencv::core::{self, Mat, Point, Rect, Scalar, Size};
use opencv::imgcodecs;
use opencv::imgproc::{self, INTER_LINEAR};
use opencv::prelude::*;

use super::camera::CameraWatch;
use super::{Finding, Reason};
use crate::capture::{Frame, OwnedPlanes};
use crate::words::{CameraId, Moment, PersonName};

const WIDTH: i32 = 1280;
const HEIGHT: i32 = 720;

/// How the camera stands and what it sees by; at its default all is as the person left it.
#[derive(Clone, Copy)]
pub struct Pose {
    /// Where the scene's middle lies, in pixels.
    pub x: f64,
    pub y: f64,
    /// Clockwise turn of the scene in the picture.
    pub turned_deg: f64,
    pub scale: f64,
    pub gain: f64,
    pub blur_px: f64,
    /// Light that haze adds to every sample.
    pub haze: f64,
    /// Drops on the window, each as wide as a tenth of the picture.
    pub drops: i32,
    /// Share of the picture that is covered from the left.
    pub covered: f32,
}

impl Default for Pose {
    fn default() -> Self {
        Self {
            x: 0.0,
            y: 0.0,
            turned_deg: 0.0,
            scale: 1.0,
            gain: 1.0,
            blur_px: 0.0,
            haze: 0.0,
            drops: 0,
            covered: 0.0,
        }
    }
}

pub struct Camera {
    scene: Mat,
    pub second: u64,
}

impl Camera {
    /// Over a photograph of `us-scenes`.
    pub fn over(name: &str) -> Self {
        let folder = std::env::var("MILEPOST_DATASETS").unwrap_or_else(|_| "../shared/datasets".to_owned());
        let path = format!("{folder}/us-scenes/images/{name}");
        let scene = imgcodecs::imread(&path, imgcodecs::IMREAD_GRAYSCALE).unwrap();
        assert!(
            !scene.empty(),
            "{path} is missing: put the datasets there or point MILEPOST_DATASETS at them"
        );
        Self { scene, second: 0 }
    }

    pub fn frame(&mut self, pose: Pose) -> Frame {
        self.second += 1;
        // The photograph is larger than the frame, so that there is something to turn to.
        let scale =
            pose.scale * 1.2 * f64::max(1280.0 / self.scene.cols() as f64, 720.0 / self.scene.rows() as f64);
        let (sin, cos) = pose.turned_deg.to_radians().sin_cos();
        let (re, im) = (scale * cos, scale * sin);
        let middle = (f64::from(self.scene.cols()) / 2.0, f64::from(self.scene.rows()) / 2.0);
        let x = 640.0 + pose.x - re * middle.0 + im * middle.1;
        let y = 360.0 + pose.y - im * middle.0 - re * middle.1;
        let matrix = Mat::from_slice_2d(&[[re, -im, x], [im, re, y]]).unwrap();
        let mut view = Mat::default();
        let size = Size::new(WIDTH, HEIGHT);
        let (border, black) = (core::BORDER_REFLECT, Scalar::default());
        imgproc::warp_affine(&self.scene, &mut view, &matrix, size, INTER_LINEAR, border, black).unwrap();
        if pose.blur_px > 0.0 {
            let mut blurred = Mat::default();
            imgproc::gaussian_blur_def(&view, &mut blurred, Size::new(0, 0), pose.blur_px).unwrap();
            view = blurred;
        }
        let mut drops = Mat::new_size_with_default(size, core::CV_8U, Scalar::default()).unwrap();
        for drop in 0..pose.drops {
            let middle = Point::new((drop * 347 + 150) % 1280, (drop * 211 + 100) % 720);
            imgproc::circle(&mut drops, middle, 64, Scalar::all(255.0), -1, imgproc::LINE_8, 0).unwrap();
        }
        let mut unfocused = Mat::default();
        imgproc::gaussian_blur_def(&view, &mut unfocused, Size::new(0, 0), 6.0).unwrap();
        unfocused.copy_to_masked(&mut view, &drops).unwrap();
        let mut lit = Mat::default();
        view.convert_to(&mut lit, core::CV_16S, pose.gain, pose.haze).unwrap();
        if pose.covered > 0.0 {
            let part = Rect::new(0, 0, (WIDTH as f32 * pose.covered) as i32, HEIGHT);
            Mat::roi_mut(&mut lit, part).unwrap().set_to(&Scalar::all(60.0), &core::no_array()).unwrap();
        }
        let mut noise = Mat::new_size_with_default(size, core::CV_16S, Scalar::default()).unwrap();
        core::randn(&mut noise, &Scalar::all(0.0), &Scalar::all(2.0)).unwrap();
        let mut noisy = Mat::default();
        core::add(&lit, &noise, &mut noisy, &core::no_array(), core::CV_8U).unwrap();
        let luma = noisy.data_bytes().unwrap().to_vec();
        frame(self.second, luma)
    }

    /// A watch over this camera, whose aim has just been verified.
    pub fn watched(&mut self) -> CameraWatch {
        let mut watch = CameraWatch::new(CameraId::parse("lane-1").unwrap(), None, None);
        self.look(&mut watch, Pose::default(), 12);
        let by = PersonName::parse("Dana Ruiz").unwrap();
        watch.verify_aim(by, at(self.second)).unwrap().expect("the view has settled");
        self.look(&mut watch, Pose::default(), 10);
        watch
    }

    pub fn look(&mut self, watch: &mut CameraWatch, pose: Pose, seconds: u64) {
        for _ in 0..seconds {
            watch.see(&self.frame(pose)).unwrap();
        }
    }
}

/// A frame of 1280x720.
pub fn frame(second: u64, luma: Vec<u8>) -> Frame {
    let camera = CameraId::parse("lane-1").unwrap();
    let planes = OwnedPlanes::grey(luma, WIDTH as usize, HEIGHT as usize);
    Frame::new(camera, at(second), second, Arc::new(planes))
}

pub fn at(second: u64) -> Moment {
    let uptime = Duration::from_secs(second);
    Moment { uptime, wall: Timestamp::UNIX_EPOCH + uptime }
}

pub fn reasons(findings: &[Finding]) -> Vec<Reason> {
    findings.iter().map(|finding| finding.reason).collect()
}
