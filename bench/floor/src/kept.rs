//! The floor of a sweep over kept descriptors: per process two preads and one fstat.
//!
//! What it does beyond that is the least that keeps it right: it merges the listing (ascending) with
//! the descriptors of the round before, opens for who is new and closes for who is gone.

use std::ffi::{CStr, c_int};
use std::hint::black_box;
use std::io;

use crate::listing::Listing;
use crate::opened::Path;
use crate::sys;

struct Kept {
    pid: u32,
    dir: c_int,
    stat: c_int,
    statm: c_int,
}

impl Kept {
    fn open(proc_dir: c_int, pid: u32) -> io::Result<Self> {
        let mut path = Path::default();
        let dir = sys::openat(proc_dir, path.of(pid, b"")?, libc::O_DIRECTORY)?;
        let stat = open_below(dir, c"stat").inspect_err(|_| sys::close(dir))?;
        let statm = open_below(dir, c"statm").inspect_err(|_| {
            sys::close(stat);
            sys::close(dir);
        })?;
        Ok(Self { pid, dir, stat, statm })
    }

    fn read(&self, buffer: &mut [u8]) -> io::Result<u64> {
        let n = sys::pread(self.stat, buffer)?;
        let mut sum = sys::touch(&buffer[..n]);
        let n = sys::pread(self.statm, buffer)?;
        sum += sys::touch(&buffer[..n]);
        Ok(sum + u64::from(sys::uid_of(self.dir)?))
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        sys::close(self.statm);
        sys::close(self.stat);
        sys::close(self.dir);
    }
}

/// Mostly "too many open files": then it matters how far the limit reached.
fn told_with_count(error: &io::Error, kept: usize, of: usize) -> io::Error {
    io::Error::new(error.kind(), format!("{error}, with {kept} of {of} processes kept"))
}

fn open_below(dir: c_int, name: &CStr) -> io::Result<c_int> {
    sys::openat(dir, name, 0)
}

/// All that is kept between rounds.
pub struct Sweep {
    listing: Listing,
    pids: Vec<u32>,
    kept: Vec<Kept>,
    next: Vec<Kept>,
    buffer: Box<[u8]>,
}

impl Sweep {
    /// Raises the limit on open files and opens /proc.
    pub fn new() -> io::Result<Self> {
        sys::raise_open_files()?;
        Ok(Self {
            listing: Listing::open()?,
            pids: Vec::new(),
            kept: Vec::new(),
            next: Vec::new(),
            buffer: vec![0; 1024].into_boxed_slice(),
        })
    }

    /// One sweep; returns how many processes it read.
    pub fn round(&mut self) -> io::Result<usize> {
        self.listing.read(&mut self.pids)?;
        let mut sum = 0;
        let mut kept = self.kept.drain(..).peekable();
        for &pid in &self.pids {
            while kept.next_if(|old| old.pid < pid).is_some() {}
            let process = match kept.next_if(|old| old.pid == pid) {
                Some(process) => process,
                None => match Kept::open(self.listing.proc_dir(), pid) {
                    Ok(process) => process,
                    Err(error) if sys::is_vanished(&error) => continue,
                    Err(error) => return Err(told_with_count(&error, self.next.len(), self.pids.len())),
                },
            };
            match process.read(&mut self.buffer) {
                Ok(part) => {
                    sum += part;
                    self.next.push(process);
                }
                Err(error) if sys::is_vanished(&error) => {}
                Err(error) => return Err(error),
            }
        }
        drop(kept);
        std::mem::swap(&mut self.kept, &mut self.next);
        black_box(sum);
        Ok(self.kept.len())
    }
}
