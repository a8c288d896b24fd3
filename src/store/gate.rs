//! Disk gates: ingest stops long before the disk is full, deliveries go on, because they free space.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

/// `[disk]` of the configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiskSettings {
    /// Below this, nothing is taken in.
    pub free_min_mb: u64,
    /// Below this share of the disk too, in percent.
    pub free_min_percent: u64,
    /// Below this, the ballast is deleted and the index stops committing.
    pub free_red_mb: u64,
    /// A file kept only to be deleted when the disk is nearly full.
    pub ballast_mb: u64,
}

/// How much room there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Green,
    /// Sources wait; push answers 503; deliveries go on.
    Yellow,
    /// The ballast goes; the index does not commit.
    Red,
}

/// The gate as everyone reads it.
pub struct DiskGate {
    settings: DiskSettings,
    data_dir: PathBuf,
    level: AtomicU8,
    free_bytes: AtomicU64,
}

impl DiskGate {
    pub fn new(settings: DiskSettings, data_dir: &Path) -> Self {
        Self { settings, data_dir: data_dir.to_owned(), level: AtomicU8::new(0), free_bytes: AtomicU64::new(u64::MAX) }
    }

    pub fn level(&self) -> Level {
        match self.level.load(Ordering::Relaxed) {
            0 => Level::Green,
            1 => Level::Yellow,
            _ => Level::Red,
        }
    }

    pub fn free_bytes(&self) -> u64 {
        self.free_bytes.load(Ordering::Relaxed)
    }

    /// Measures the disk, and keeps or gives up the ballast. To be called every second.
    pub fn measure(&self) -> std::io::Result<Level> {
        let disk = rustix::fs::statvfs(&self.data_dir)?;
        let free = disk.f_bavail * disk.f_frsize;
        let level = level_of(&self.settings, free, disk.f_blocks * disk.f_frsize);
        self.free_bytes.store(free, Ordering::Relaxed);
        self.level.store(level as u8, Ordering::Relaxed);
        match level {
            Level::Green => self.keep_ballast(free, disk.f_blocks * disk.f_frsize)?,
            Level::Yellow => {}
            Level::Red => match std::fs::remove_file(self.ballast()) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
                _ => {}
            },
        }
        Ok(level)
    }

    fn ballast(&self) -> PathBuf {
        self.data_dir.join("ballast")
    }

    fn keep_ballast(&self, free: u64, total: u64) -> std::io::Result<()> {
        let bytes = self.settings.ballast_mb << 20;
        // Only where there is plenty, so that the ballast itself never closes the gate.
        if bytes == 0 || self.ballast().exists() || free < 4 * bytes + closes_below(&self.settings, total) {
            return Ok(());
        }
        let file = std::fs::File::create(self.ballast())?;
        match rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, bytes) {
            Ok(()) => file.sync_all(),
            // An empty file would pass for a ballast; some file systems know no other.
            Err(error) => {
                std::fs::remove_file(self.ballast())?;
                if error == rustix::io::Errno::OPNOTSUPP { Ok(()) } else { Err(error.into()) }
            }
        }
    }
}

/// The free bytes below which nothing is taken in.
fn closes_below(settings: &DiskSettings, total: u64) -> u64 {
    (settings.free_min_mb << 20).max(total / 100 * settings.free_min_percent)
}

fn level_of(settings: &DiskSettings, free: u64, total: u64) -> Level {
    if free < settings.free_red_mb << 20 {
        return Level::Red;
    }
    if free < closes_below(settings, total) { Level::Yellow } else { Level::Green }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: DiskSettings =
        DiskSettings { free_min_mb: 2048, free_min_percent: 10, free_red_mb: 1024, ballast_mb: 1 };

    #[test]
    fn the_gate_closes_by_bytes_or_by_share_and_reddens_below() {
        let gib = 1 << 30;
        assert_eq!(level_of(&SETTINGS, 50 * gib, 100 * gib), Level::Green);
        assert_eq!(level_of(&SETTINGS, 9 * gib, 100 * gib), Level::Yellow);
        assert_eq!(level_of(&SETTINGS, 3 * gib / 2, 10 * gib), Level::Yellow);
        assert_eq!(level_of(&SETTINGS, gib / 2, 10 * gib), Level::Red);
    }

    #[test]
    fn the_ballast_is_kept_while_green_and_given_up_when_red() {
        let dir = tempfile::tempdir().unwrap();
        let small = DiskSettings { free_min_mb: 0, free_min_percent: 0, free_red_mb: 0, ballast_mb: 1 };
        let gate = DiskGate::new(small.clone(), dir.path());
        assert_eq!(gate.measure().unwrap(), Level::Green);
        assert_eq!(std::fs::metadata(dir.path().join("ballast")).unwrap().len(), 1 << 20);
        let red = DiskGate::new(DiskSettings { free_red_mb: u64::MAX >> 21, ..small }, dir.path());
        assert_eq!(red.measure().unwrap(), Level::Red);
        assert!(!dir.path().join("ballast").exists());
    }
}
