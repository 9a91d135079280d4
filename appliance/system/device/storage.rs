use std::os::linux::fs::MetadataExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::tree::{Tree, parse_hexadecimal};

/// How worn the medium is that holds the state directory.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StorageFacts {
    /// Per cent of its rated life that is used, as the medium itself says (eMMC: in steps of ten).
    pub storage_worn_percent: Option<u8>,
    /// What the medium says of its spare blocks (eMMC).
    pub storage_reserve: Option<Reserve>,
    /// Written to it: in its whole life where the file system counts (ext4), otherwise since the unit was switched on.
    pub storage_written_gb: Option<f64>,
}

/// The spare blocks of an eMMC (JEDEC JESD84-B51, `PRE_EOL_INFO`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Reserve {
    Normal,
    /// 80 % of the spare blocks are used.
    Low,
    /// 90 % are used.
    NearlyGone,
}

/// Megabytes that this user may still write.
pub fn room(folder: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(folder).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize) / 1_000_000)
}

/// The medium under a folder.
pub struct Storage {
    /// The whole disk's folder in sysfs.
    disk: String,
    /// The file system's counter, where it has one.
    lifetime: String,
    /// The partition's, or the disk's where it has none.
    stat: String,
}

impl Storage {
    /// None where the folder does not lie on a block device (an overlay, a network).
    pub fn of(tree: &Tree, folder: &Path) -> Option<Self> {
        let device = std::fs::metadata(folder).ok()?.st_dev();
        let number = format!("{}:{}", rustix::fs::major(device), rustix::fs::minor(device));
        let link = format!("sys/dev/block/{number}");
        let real = std::fs::canonicalize(tree.path(&link)).ok()?;
        let name = real.file_name()?.to_str()?.to_owned();
        let disk = if tree.text(&format!("{link}/partition")).is_some() {
            real.parent()?.file_name()?.to_str()?.to_owned()
        } else {
            name.clone()
        };
        Some(Self {
            disk: format!("sys/block/{disk}"),
            lifetime: format!("sys/fs/ext4/{name}/lifetime_write_kbytes"),
            stat: format!("{link}/stat"),
        })
    }

    pub fn facts(&self, tree: &Tree) -> StorageFacts {
        StorageFacts {
            storage_worn_percent: self.worn(tree),
            storage_reserve: self.reserve(tree),
            storage_written_gb: self.written(tree),
        }
    }

    /// eMMC's two estimates (of its two kinds of cells) in tenths of its life: 0x01 is up to 10 %, 0x0b more than all.
    fn worn(&self, tree: &Tree) -> Option<u8> {
        let estimates = tree.text(&format!("{}/device/life_time", self.disk))?;
        let tenths = estimates.split_whitespace().filter_map(parse_hexadecimal);
        // 0 says that it was not defined by the maker.
        tenths.filter(|tenths| (1..=11).contains(tenths)).max().map(|tenths| (tenths * 10).min(100) as u8)
    }

    fn reserve(&self, tree: &Tree) -> Option<Reserve> {
        match tree.hexadecimal(&format!("{}/device/pre_eol_info", self.disk))? {
            1 => Some(Reserve::Normal),
            2 => Some(Reserve::Low),
            3 => Some(Reserve::NearlyGone),
            _ => None,
        }
    }

    fn written(&self, tree: &Tree) -> Option<f64> {
        if let Some(kibibytes) = tree.number(&self.lifetime) {
            return Some(kibibytes * 1024.0 / 1e9);
        }
        // The seventh number is of sectors of 512 bytes (Documentation/block/stat.rst).
        let sectors: f64 = tree.text(&self.stat)?.split_whitespace().nth(6)?.parse().ok()?;
        Some(sectors * 512.0 / 1e9)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree::fixture;
    use super::*;

    /// A Raspberry Pi compute module: the state on the second partition of its eMMC.
    #[test]
    fn an_emmc_tells_its_wear() {
        let root = fixture(&[
            ("sys/devices/mmc0/block/mmcblk0/mmcblk0p2/partition", "2\n"),
            ("sys/devices/mmc0/block/mmcblk0/mmcblk0p2/stat", "1 0 8 0 5 0 2000000 0 0 0 0\n"),
            ("sys/block/mmcblk0/device/life_time", "0x03 0x09\n"),
            ("sys/block/mmcblk0/device/pre_eol_info", "0x02\n"),
        ]);
        let device = std::fs::metadata(root.path()).unwrap().st_dev();
        let number = format!("{}:{}", rustix::fs::major(device), rustix::fs::minor(device));
        let dev = root.path().join("sys/dev/block");
        std::fs::create_dir_all(&dev).unwrap();
        let partition = root.path().join("sys/devices/mmc0/block/mmcblk0/mmcblk0p2");
        std::os::unix::fs::symlink(partition, dev.join(number)).unwrap();

        let tree = Tree::new(root.path());
        let storage = Storage::of(&tree, root.path()).unwrap();
        assert_eq!(
            storage.facts(&tree),
            StorageFacts {
                storage_worn_percent: Some(90),
                storage_reserve: Some(Reserve::Low),
                storage_written_gb: Some(1.024),
            }
        );
        let lifetime = root.path().join("sys/fs/ext4/mmcblk0p2");
        std::fs::create_dir_all(&lifetime).unwrap();
        std::fs::write(lifetime.join("lifetime_write_kbytes"), "976562500\n").unwrap();
        assert_eq!(storage.facts(&tree).storage_written_gb, Some(1000.0));
    }
}
