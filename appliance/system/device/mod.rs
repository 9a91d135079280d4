//! What the device says of itself: storage, memory, heat, power, clock, motion.
//!
//! Everything is read from the kernel's files under a root folder, which tests replace. What a device does not have is
//! `None` and never an error: units run on anything from a Raspberry Pi to a PC.

pub(super) mod clock;
mod motion;
mod power;
mod storage;
mod tree;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use clock::{ClockStatus, clock_status};
pub use motion::{Gravity, Motion};
pub use power::PowerFacts;
pub use storage::{Reserve, StorageFacts};
pub(super) use tree::Tree;
#[cfg(test)]
pub(super) use tree::fixture;

use motion::Accelerometer;
use storage::Storage;

/// What the device says of itself; None where it does not say.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DeviceFacts {
    /// Room left on the file system of the state directory.
    pub disk_free_mb: Option<u64>,
    /// Wear of the medium that holds it.
    #[serde(flatten)]
    pub storage: StorageFacts,
    /// Memory resident in this process.
    pub memory_mb: Option<u64>,
    /// Memory that programs can still get.
    pub memory_free_mb: Option<u64>,
    /// The hottest sensor.
    pub temperature_c: Option<f32>,
    #[serde(flatten)]
    pub power: PowerFacts,
    pub clock: ClockStatus,
    /// By how much the clock may be wrong at most, as the kernel reckons; None while nobody keeps it.
    pub clock_error_ms: Option<f64>,
    /// By an accelerometer; null where there is none.
    pub motion: Option<Motion>,
}

/// Asks the operating system.
pub struct Device {
    state_dir: PathBuf,
    tree: Tree,
    storage: Option<Storage>,
    accelerometer: Option<Accelerometer>,
}

impl Device {
    pub fn new(state_dir: &Path) -> Self {
        Self::at(Path::new("/"), state_dir)
    }

    /// As [`Device::new`], with the kernel's files (`proc`, `sys`) under another root.
    pub fn at(root: &Path, state_dir: &Path) -> Self {
        let tree = Tree::new(root);
        Self {
            storage: Storage::of(&tree, state_dir),
            accelerometer: Accelerometer::find(&tree),
            state_dir: state_dir.to_owned(),
            tree,
        }
    }

    pub fn facts(&self) -> DeviceFacts {
        let clock = clock::look();
        DeviceFacts {
            disk_free_mb: storage::room(&self.state_dir),
            storage: self.storage.as_ref().map(|storage| storage.facts(&self.tree)).unwrap_or_default(),
            memory_mb: self.memory("proc/self/status", "VmRSS:"),
            memory_free_mb: self.memory("proc/meminfo", "MemAvailable:"),
            temperature_c: self.hottest(),
            power: power::facts(&self.tree),
            clock: clock.status,
            clock_error_ms: clock.error_ms,
            motion: self.accelerometer.as_ref().map(Accelerometer::motion),
        }
    }

    /// A line such as `MemAvailable:    1234 kB`.
    fn memory(&self, file: &str, name: &str) -> Option<u64> {
        let text = self.tree.text(file)?;
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kibibytes * 1024 / 1_000_000)
    }

    /// Of the thermal zones and of every temperature that a hardware monitor measures.
    fn hottest(&self) -> Option<f32> {
        let zones = self.tree.folders("sys/class/thermal", "thermal_zone");
        let zones = zones.iter().map(|zone| format!("{zone}/temp"));
        let monitors = self.tree.folders("sys/class/hwmon", "hwmon");
        let sensors = monitors.iter().flat_map(|monitor| self.tree.files(monitor, "temp", "_input"));
        let measured = zones.chain(sensors).filter_map(|file| self.tree.number(&file));
        // A sensor that is not connected reads as absolute zero or as the end of its scale.
        let plausible = |millidegrees: &f64| (-60_000.0..150_000.0).contains(millidegrees);
        measured.filter(plausible).map(|millidegrees| (millidegrees / 1000.0) as f32).reduce(f32::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_tells_its_disk_and_memory() {
        let folder = tempfile::tempdir().unwrap();
        let facts = Device::new(folder.path()).facts();
        assert!(facts.memory_mb.is_some_and(|mb| mb < 100_000));
        assert!(facts.memory_free_mb.is_some());
        assert!(facts.disk_free_mb.is_some());
    }

    #[test]
    fn what_is_not_there_is_no_error() {
        let root = tempfile::tempdir().unwrap();
        let facts = Device::at(root.path(), root.path()).facts();
        let clock = clock::look();
        let expected = DeviceFacts {
            disk_free_mb: facts.disk_free_mb,
            clock: clock.status,
            clock_error_ms: facts.clock_error_ms,
            ..DeviceFacts::default()
        };
        assert_eq!(facts, expected);
    }

    #[test]
    fn the_hottest_sensor_counts_and_an_absent_one_does_not() {
        let root = fixture(&[
            ("sys/class/thermal/thermal_zone0/temp", "51234\n"),
            ("sys/class/hwmon/hwmon0/temp1_input", "-273150\n"),
            ("sys/class/hwmon/hwmon1/temp1_input", "83500\n"),
            ("sys/class/hwmon/hwmon1/temp1_crit", "99000\n"),
            ("proc/meminfo", "MemTotal:        3884344 kB\nMemAvailable:    2048000 kB\n"),
        ]);
        let facts = Device::at(root.path(), root.path()).facts();
        assert_eq!((facts.temperature_c, facts.memory_free_mb), (Some(83.5), Some(2097)));
    }
}
