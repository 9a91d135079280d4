use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sysinfo::{Components, Disks, ProcessRefreshKind, ProcessesToUpdate, System};

/// What the device says of itself; None where it does not say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeviceFacts {
    /// Room left on the file system of the state directory.
    pub disk_free_mb: Option<u64>,
    /// Memory resident in this process.
    pub memory_mb: Option<u64>,
    pub memory_free_mb: Option<u64>,
    /// The hottest sensor.
    pub temperature_c: Option<f32>,
    pub clock: ClockStatus,
}

/// Whether the wall clock can be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClockStatus {
    /// The kernel's clock is disciplined by a time service (NTP, PTP or GPS).
    Synchronised,
    /// Nobody keeps it: it may be off by any amount.
    Free,
    /// The kernel does not tell (as in some containers).
    Unknown,
}

/// Asks the operating system. Keeps sysinfo's handles between calls, which makes asking cheap; a handle is
/// None on a system that sysinfo does not know.
pub struct Device {
    state_dir: PathBuf,
    system: Option<System>,
    disks: Option<Disks>,
    components: Option<Components>,
}

impl Device {
    pub fn new(state_dir: &Path) -> Self {
        Self {
            state_dir: state_dir.canonicalize().unwrap_or_else(|_| state_dir.to_owned()),
            system: System::new().ok(),
            disks: Disks::new_with_refreshed_list().ok(),
            components: Components::new_with_refreshed_list().ok(),
        }
    }

    pub fn facts(&mut self) -> DeviceFacts {
        const MB: u64 = 1_000_000;
        DeviceFacts {
            disk_free_mb: self.disk_free().map(|bytes| bytes / MB),
            memory_mb: self.resident().map(|bytes| bytes / MB),
            memory_free_mb: self.memory_free().map(|bytes| bytes / MB),
            temperature_c: self.hottest(),
            clock: clock_status(),
        }
    }

    /// Of the disk with the longest mount point that holds the state directory.
    fn disk_free(&mut self) -> Option<u64> {
        let disks = self.disks.as_mut()?;
        disks.refresh(true);
        disks
            .iter()
            .filter(|disk| self.state_dir.starts_with(disk.mount_point()))
            .max_by_key(|disk| disk.mount_point().as_os_str().len())
            .map(sysinfo::Disk::available_space)
    }

    fn resident(&mut self) -> Option<u64> {
        let system = self.system.as_mut()?;
        let pid = sysinfo::get_current_pid().ok()?;
        let memory = ProcessRefreshKind::nothing().with_memory();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), false, memory);
        system.process(pid).map(sysinfo::Process::memory)
    }

    fn memory_free(&mut self) -> Option<u64> {
        let system = self.system.as_mut()?;
        system.refresh_memory();
        Some(system.available_memory())
    }

    fn hottest(&mut self) -> Option<f32> {
        let components = self.components.as_mut()?;
        components.refresh(false);
        let temperatures = components.iter().filter_map(sysinfo::Component::temperature);
        temperatures.filter(|celsius| celsius.is_finite()).reduce(f32::max)
    }
}

/// By adjtimex(2), which works the same under chrony, timesyncd and ntpd.
pub fn clock_status() -> ClockStatus {
    // SAFETY: `timex` is plain integers, for which zero bytes are valid; with `modes` = 0 the call only
    // reads the kernel's state into the buffer that it is given.
    let (answer, status) = unsafe {
        let mut timex: libc::timex = std::mem::zeroed();
        (libc::adjtimex(&raw mut timex), timex.status)
    };
    match answer {
        -1 => ClockStatus::Unknown,
        _ if status & libc::STA_UNSYNC != 0 => ClockStatus::Free,
        _ => ClockStatus::Synchronised,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_disk_and_its_own_memory() {
        let folder = tempfile::tempdir().unwrap();
        let facts = Device::new(folder.path()).facts();
        assert!(facts.memory_mb.is_some_and(|mb| mb < 100_000));
        assert!(facts.disk_free_mb.is_some());
    }
}
