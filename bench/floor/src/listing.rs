//! The pids under /proc by getdents64, without a library between.

use std::ffi::c_int;
use std::io;

use crate::sys;

/// Where in a `linux_dirent64` the record length and the name stand.
const RECORD_LENGTH_AT: usize = 16;
const NAME_AT: usize = 19;

/// /proc, open, and the buffer that its entries are read into.
pub struct Listing {
    proc_dir: c_int,
    buffer: Box<[u8]>,
}

impl Listing {
    /// Opens /proc.
    pub fn open() -> io::Result<Self> {
        Ok(Self {
            proc_dir: sys::openat(libc::AT_FDCWD, c"/proc", libc::O_DIRECTORY)?,
            buffer: vec![0; 64 * 1024].into_boxed_slice(),
        })
    }

    /// The descriptor of /proc, to open below it.
    pub fn proc_dir(&self) -> c_int {
        self.proc_dir
    }

    /// Fills `pids` with the pids of now; the kernel lists them in ascending order.
    pub fn read(&mut self, pids: &mut Vec<u32>) -> io::Result<()> {
        pids.clear();
        // SAFETY: takes integers only; the descriptor is ours.
        if unsafe { libc::lseek(self.proc_dir, 0, libc::SEEK_SET) } < 0 {
            return Err(io::Error::last_os_error());
        }
        loop {
            // SAFETY: the pointer and the length describe a live, writable slice.
            let n = unsafe {
                libc::syscall(libc::SYS_getdents64, self.proc_dir, self.buffer.as_mut_ptr(), self.buffer.len())
            };
            let n = usize::try_from(n).map_err(|_| io::Error::last_os_error())?;
            if n == 0 {
                return Ok(());
            }
            collect_pids(&self.buffer[..n], pids);
        }
    }
}

impl Drop for Listing {
    fn drop(&mut self) {
        sys::close(self.proc_dir);
    }
}

fn collect_pids(mut entries: &[u8], pids: &mut Vec<u32>) {
    while entries.len() > NAME_AT {
        let length = usize::from(u16::from_ne_bytes([entries[RECORD_LENGTH_AT], entries[RECORD_LENGTH_AT + 1]]));
        if length <= NAME_AT || length > entries.len() {
            return;
        }
        let (entry, rest) = entries.split_at(length);
        pids.extend(parse_pid(&entry[NAME_AT..]));
        entries = rest;
    }
}

/// A name of digits only, up to its NUL.
fn parse_pid(name: &[u8]) -> Option<u32> {
    let mut pid = 0u32;
    for byte in name {
        match byte {
            b'0'..=b'9' => pid = pid.wrapping_mul(10).wrapping_add(u32::from(byte - b'0')),
            0 => return (pid != 0).then_some(pid),
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_this_process_in_ascending_order() {
        let mut pids = Vec::new();
        Listing::open().unwrap().read(&mut pids).unwrap();
        assert!(pids.contains(&std::process::id()));
        assert!(pids.is_sorted());
    }

    #[test]
    fn names_that_are_not_numbers_are_no_pids() {
        assert_eq!(parse_pid(b"412\0"), Some(412));
        assert_eq!(parse_pid(b"self\0"), None);
        assert_eq!(parse_pid(b"\0"), None);
    }
}
