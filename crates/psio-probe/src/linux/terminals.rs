//! Which terminal a device number stands for, by its node in `/dev`.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Pseudo terminals have these major numbers, 256 minors for each of them (Documentation/admin-guide/devices.txt).
const PTS_MAJORS: std::ops::RangeInclusive<u32> = 136..=143;

/// Terminals by device number.
#[derive(Debug)]
pub struct Terminals {
    dev: PathBuf,
    known: HashMap<u32, Arc<str>>,
    scanned: bool,
}

impl Terminals {
    /// Those below the root `dev`.
    pub fn new(dev: &Path) -> Self {
        Self { dev: dev.into(), known: HashMap::new(), scanned: false }
    }

    /// The path, such as `/dev/pts/3`, of the terminal with the number that `/proc/PID/stat` field 7 gives. `None` for 0
    /// and where `/dev` has no such node.
    pub fn path(&mut self, tty_nr: u32) -> Option<Arc<str>> {
        if tty_nr == 0 {
            return None;
        }
        if let Some(path) = self.known.get(&tty_nr) {
            return Some(Arc::clone(path));
        }
        self.find_pts(tty_nr);
        if !self.known.contains_key(&tty_nr) && !self.scanned {
            self.scan();
        }
        self.known.get(&tty_nr).cloned()
    }

    fn find_pts(&mut self, tty_nr: u32) {
        let (major, minor) = split(tty_nr);
        if !PTS_MAJORS.contains(&major) {
            return;
        }
        let number = (major - PTS_MAJORS.start()) * 256 + minor;
        self.learn(&format!("pts/{number}"));
    }

    /// Learns every `/dev/tty*`, once: these do not come and go.
    fn scan(&mut self) {
        self.scanned = true;
        let Ok(entries) = fs::read_dir(&self.dev) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            match name.to_str() {
                // `/dev/tty` is whatever terminal the one who opens it has.
                Some(name) if name.starts_with("tty") && name != "tty" => self.learn(name),
                _ => {}
            }
        }
    }

    fn learn(&mut self, name: &str) {
        let Ok(node) = fs::metadata(self.dev.join(name)) else { return };
        let Ok(device) = u32::try_from(node.rdev()) else { return };
        if device != 0 {
            // Named as processes see it, wherever this root is mounted.
            self.known.insert(device, format!("/dev/{name}").into());
        }
    }
}

/// Major and minor number, as the kernel packs them into 32 bits.
fn split(device: u32) -> (u32, u32) {
    ((device >> 8) & 0xfff, (device & 0xff) | ((device >> 12) & 0xf_ff00))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_number_is_split_as_the_kernel_packs_it() {
        assert_eq!(split(0x8803), (136, 3));
        assert_eq!(split(0x0401), (4, 1));
        assert_eq!(split(0x1010_0501), (5, 0x1_0101));
    }

    #[test]
    fn no_terminal_has_no_path() {
        assert_eq!(Terminals::new(Path::new("/dev")).path(0), None);
        assert_eq!(Terminals::new(Path::new("/nowhere")).path(0x8803), None);
    }
}
