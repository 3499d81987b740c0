//! The floor of a sweep that keeps nothing: per process open + read + close of stat and statm, and
//! fstatat of the directory for its owner.

use std::ffi::{CStr, c_int};
use std::hint::black_box;
use std::io::{self, Write};

use crate::listing::Listing;
use crate::sys;

/// A path below /proc, written anew for each file without allocating.
#[derive(Default)]
pub struct Path {
    bytes: [u8; 32],
}

impl Path {
    /// `PID` followed by `rest` (such as `/stat`).
    pub fn of(&mut self, pid: u32, rest: &[u8]) -> io::Result<&CStr> {
        let mut free = &mut self.bytes[..];
        write!(free, "{pid}")?;
        free.write_all(rest)?;
        free.write_all(b"\0")?;
        CStr::from_bytes_until_nul(&self.bytes).map_err(io::Error::other)
    }
}

/// /proc and the buffers; no descriptor of any process.
pub struct Sweep {
    listing: Listing,
    pids: Vec<u32>,
    buffer: Box<[u8]>,
}

impl Sweep {
    /// Opens /proc.
    pub fn new() -> io::Result<Self> {
        Ok(Self { listing: Listing::open()?, pids: Vec::new(), buffer: vec![0; 1024].into_boxed_slice() })
    }

    /// One sweep; returns how many processes it read.
    pub fn round(&mut self) -> io::Result<usize> {
        self.listing.read(&mut self.pids)?;
        let proc_dir = self.listing.proc_dir();
        let (mut sum, mut processes) = (0, 0);
        for &pid in &self.pids {
            match read_process(proc_dir, pid, &mut self.buffer) {
                Ok(part) => {
                    sum += part;
                    processes += 1;
                }
                Err(error) if sys::is_vanished(&error) => {}
                Err(error) => return Err(error),
            }
        }
        black_box(sum);
        Ok(processes)
    }
}

fn read_process(proc_dir: c_int, pid: u32, buffer: &mut [u8]) -> io::Result<u64> {
    let mut path = Path::default();
    let mut sum = read_file(proc_dir, path.of(pid, b"/stat")?, buffer)?;
    sum += read_file(proc_dir, path.of(pid, b"/statm")?, buffer)?;
    Ok(sum + u64::from(sys::uid_at(proc_dir, path.of(pid, b"")?)?))
}

fn read_file(proc_dir: c_int, path: &CStr, buffer: &mut [u8]) -> io::Result<u64> {
    let file = sys::openat(proc_dir, path, 0)?;
    let read = sys::read(file, buffer);
    sys::close(file);
    Ok(sys::touch(&buffer[..read?]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_is_written_anew_each_time() {
        let mut path = Path::default();
        assert_eq!(path.of(4_194_304, b"/statm").unwrap(), c"4194304/statm");
        assert_eq!(path.of(7, b"").unwrap(), c"7");
    }
}
