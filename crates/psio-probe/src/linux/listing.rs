//! The pids of now: the directories of `/proc` that are named by a number.

use std::mem::MaybeUninit;
use std::path::Path;
use std::sync::Arc;

use rustix::fd::OwnedFd;
use rustix::fs::{CWD, RawDir, SeekFrom};
use rustix::io::Errno;

use super::file;
use crate::ProbeError;

/// `/proc`, open, and what its entries are read into.
pub struct Listing {
    path: String,
    dir: Arc<OwnedFd>,
    buffer: Box<[MaybeUninit<u8>]>,
}

impl Listing {
    /// Opens `/proc`.
    pub fn open(root: &Path) -> Result<Self, ProbeError> {
        const BUFFER_BYTES: usize = 64 * 1024;
        let path = root.display().to_string();
        let dir =
            file::open_dir(CWD, root).map_err(|errno| ProbeError::Read { path: path.clone(), source: errno.into() })?;
        Ok(Self { path, dir: Arc::new(dir), buffer: vec![MaybeUninit::uninit(); BUFFER_BYTES].into_boxed_slice() })
    }

    /// Where it is, for errors.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The open directory, to open files below it.
    pub fn dir(&self) -> &Arc<OwnedFd> {
        &self.dir
    }

    /// Fills `pids` with the pids of now, in ascending order, each once.
    pub fn read(&mut self, pids: &mut Vec<u32>) -> Result<(), ProbeError> {
        pids.clear();
        self.collect(pids).map_err(|errno| ProbeError::Read { path: self.path.clone(), source: errno.into() })?;
        // The kernel lists them so; a directory that only looks like /proc may not.
        if !pids.is_sorted_by(|a, b| a < b) {
            pids.sort_unstable();
            pids.dedup();
        }
        Ok(())
    }

    fn collect(&mut self, pids: &mut Vec<u32>) -> Result<(), Errno> {
        rustix::fs::seek(&self.dir, SeekFrom::Start(0))?;
        let mut entries = RawDir::new(&self.dir, &mut self.buffer);
        while let Some(entry) = entries.next() {
            match entry {
                Ok(entry) => pids.extend(parse_pid(entry.file_name().to_bytes())),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }
}

/// A name of digits only, without leading zeros.
fn parse_pid(name: &[u8]) -> Option<u32> {
    if !matches!(name.first(), Some(b'1'..=b'9')) {
        return None;
    }
    name.iter().try_fold(0_u32, |pid, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit <= 9).then_some(pid.checked_mul(10)?.checked_add(digit.into())?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_numbers_are_pids() {
        assert_eq!(parse_pid(b"412"), Some(412));
        for name in [&b"self"[..], b"", b"0", b"01", b"4x", b"-1", b"99999999999"] {
            assert_eq!(parse_pid(name), None, "{name:?}");
        }
    }

    #[test]
    fn lists_this_process_in_ascending_order() {
        let mut pids = Vec::new();
        Listing::open(Path::new("/proc")).unwrap().read(&mut pids).unwrap();
        assert!(pids.contains(&std::process::id()));
        assert!(pids.is_sorted());
    }
}
