use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::tree::Tree;

/// Fast enough to catch the swing after a blow; three small files each time.
const SAMPLE_EVERY: Duration = Duration::from_millis(100);
/// Over about this many samples the mast's swinging averages out.
const SMOOTHED_OVER: f32 = 50.0;
/// For how long a blow is told.
const KNOCK_TOLD: Duration = Duration::from_secs(60);
/// Standard gravity, in m/s².
const G: f32 = 9.806_65;

/// Which way is down, as the accelerometer feels it: its three axes, in m/s².
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Gravity(pub [f32; 3]);

impl Gravity {
    /// Degrees between this and another; 0 where one of them is nothing.
    pub fn angle_to(self, other: Self) -> f32 {
        let product: f32 = self.0.iter().zip(other.0).map(|(one, other)| one * other).sum();
        let lengths = self.length() * other.length();
        if lengths > 0.0 { (product / lengths).clamp(-1.0, 1.0).acos().to_degrees() } else { 0.0 }
    }

    fn length(self) -> f32 {
        self.0.iter().map(|axis| axis * axis).sum::<f32>().sqrt()
    }
}

/// What an accelerometer felt.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Motion {
    /// Averaged over some seconds; none in the first.
    pub gravity: Option<Gravity>,
    /// The hardest blow of the last minute, in g beyond gravity.
    pub knock_g: f32,
}

/// An accelerometer of the kernel's industrial I/O, felt by a thread of its own, which ends when this is dropped.
pub struct Accelerometer {
    felt: Arc<Mutex<Felt>>,
    stop: Arc<AtomicBool>,
}

impl Accelerometer {
    /// The first one that there is.
    pub fn find(tree: &Tree) -> Option<Self> {
        let devices = tree.folders("sys/bus/iio/devices", "iio:device");
        let sensor = devices.into_iter().find_map(|device| Sensor::open(tree, device))?;
        let (felt, stop) = (Arc::new(Mutex::new(Felt::default())), Arc::new(AtomicBool::new(false)));
        let (tree, feel, ended) = (tree.clone(), felt.clone(), stop.clone());
        let run = move || {
            while !ended.load(Ordering::Relaxed) {
                if let Some(gravity) = sensor.read(&tree) {
                    feel.lock().unwrap_or_else(PoisonError::into_inner).take(gravity, Instant::now());
                }
                std::thread::sleep(SAMPLE_EVERY);
            }
        };
        std::thread::Builder::new().name("motion".into()).spawn(run).ok()?;
        Some(Self { felt, stop })
    }

    pub fn motion(&self) -> Motion {
        self.felt.lock().unwrap_or_else(PoisonError::into_inner).motion(Instant::now())
    }
}

impl Drop for Accelerometer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Where the kernel tells the three axes (Documentation/ABI/testing/sysfs-bus-iio): `(raw + offset) * scale`, in m/s².
struct Sensor {
    axes: [String; 3],
    scale: f64,
    offset: f64,
}

impl Sensor {
    fn open(tree: &Tree, device: String) -> Option<Self> {
        let axes = ["x", "y", "z"].map(|axis| format!("{device}/in_accel_{axis}_raw"));
        let scale = tree.number(&format!("{device}/in_accel_scale"));
        let sensor = Self {
            scale: scale.or_else(|| tree.number(&format!("{device}/in_accel_x_scale")))?,
            offset: tree.number(&format!("{device}/in_accel_offset")).unwrap_or(0.0),
            axes,
        };
        sensor.read(tree).map(|_| sensor)
    }

    fn read(&self, tree: &Tree) -> Option<Gravity> {
        let axis = |file: &String| Some(((tree.number(file)? + self.offset) * self.scale) as f32);
        Some(Gravity([axis(&self.axes[0])?, axis(&self.axes[1])?, axis(&self.axes[2])?]))
    }
}

#[derive(Default)]
struct Felt {
    mean: Option<Gravity>,
    samples: u32,
    hardest: Option<(f32, Instant)>,
}

impl Felt {
    fn take(&mut self, sample: Gravity, now: Instant) {
        self.samples = self.samples.saturating_add(1);
        let mean = self.mean.get_or_insert(sample);
        // A plain mean at first, so that the first sample does not linger.
        let weight = 1.0 / (self.samples as f32).min(SMOOTHED_OVER);
        for (mean, axis) in mean.0.iter_mut().zip(sample.0) {
            *mean += (axis - *mean) * weight;
        }
        let blow = (sample.length() - G).abs() / G;
        self.hardest =
            self.hardest.filter(|(harder, at)| *harder >= blow && now.duration_since(*at) < KNOCK_TOLD);
        self.hardest.get_or_insert((blow, now));
    }

    fn motion(&self, now: Instant) -> Motion {
        let knock = self.hardest.filter(|(_, at)| now.duration_since(*at) < KNOCK_TOLD);
        Motion {
            gravity: self.mean.filter(|_| self.samples as f32 >= SMOOTHED_OVER),
            knock_g: knock.map_or(0.0, |(blow, _)| blow),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree::fixture;
    use super::*;

    #[test]
    fn an_accelerometer_is_found_among_other_sensors() {
        let root = fixture(&[
            ("sys/bus/iio/devices/iio:device0/in_temp_raw", "25\n"),
            ("sys/bus/iio/devices/iio:device1/in_accel_x_raw", "0\n"),
            ("sys/bus/iio/devices/iio:device1/in_accel_y_raw", "16384\n"),
            ("sys/bus/iio/devices/iio:device1/in_accel_z_raw", "0\n"),
            ("sys/bus/iio/devices/iio:device1/in_accel_scale", "0.000598550\n"),
        ]);
        let tree = Tree::new(root.path());
        let sensor = Sensor::open(&tree, "sys/bus/iio/devices/iio:device1".into()).unwrap();
        let down = sensor.read(&tree).unwrap();
        assert!((down.0[1] - G).abs() < 0.01, "{down:?}");
        assert!(Accelerometer::find(&tree).is_some());
        assert!(Sensor::open(&tree, "sys/bus/iio/devices/iio:device0".into()).is_none());
    }

    #[test]
    fn a_swinging_mast_averages_out_and_a_leaning_one_does_not() {
        let upright = Gravity([0.0, G, 0.0]);
        let lean = |degrees: f32| {
            let (sin, cos) = degrees.to_radians().sin_cos();
            Gravity([G * sin, G * cos, 0.0])
        };
        let (mut felt, start) = (Felt::default(), Instant::now());
        let feel = |felt: &mut Felt, sample, degrees: f32| {
            felt.take(lean(degrees), start + SAMPLE_EVERY * sample);
        };
        for sample in 0..200 {
            feel(&mut felt, sample, if sample % 2 == 0 { 4.0 } else { -4.0 });
        }
        let swinging = felt.motion(start + Duration::from_secs(20)).gravity.unwrap();
        assert!(swinging.angle_to(upright) < 0.3, "{}", swinging.angle_to(upright));
        for sample in 200..600 {
            feel(&mut felt, sample, 3.0);
        }
        let leaning = felt.motion(start + Duration::from_secs(60)).gravity.unwrap();
        assert!((leaning.angle_to(upright) - 3.0).abs() < 0.1, "{}", leaning.angle_to(upright));
    }

    #[test]
    fn a_blow_is_told_for_a_minute() {
        let (mut felt, start) = (Felt::default(), Instant::now());
        felt.take(Gravity([0.0, 2.5 * G, 0.0]), start);
        felt.take(Gravity([0.0, G, 0.0]), start + SAMPLE_EVERY);
        assert!((felt.motion(start + Duration::from_secs(59)).knock_g - 1.5).abs() < 0.01);
        assert_eq!(felt.motion(start + Duration::from_secs(60)).knock_g, 0.0);
    }
}
