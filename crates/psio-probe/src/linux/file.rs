//! Reading the kernel's files: those kept open, and those opened once.

use std::path::Path;

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::path::Arg;

use crate::ProbeError;
use crate::parse::ParseError;

/// A file read again and again through one descriptor. A file of `/proc` is made anew by the kernel on each read.
#[derive(Debug)]
pub struct KeptFile {
    path: String,
    file: Option<OwnedFd>,
    buffer: Vec<u8>,
}

impl KeptFile {
    /// A file below `root`. It is opened by the first read.
    pub fn new(root: &Path, name: &str) -> Self {
        Self { path: root.join(name).display().to_string(), file: None, buffer: Vec::new() }
    }

    /// What it says now.
    pub fn read(&mut self) -> Result<&[u8], ProbeError> {
        match self.fill() {
            Ok(()) => Ok(&self.buffer),
            Err(errno) => {
                self.file = None;
                Err(ProbeError::Read { path: self.path.clone(), source: errno.into() })
            }
        }
    }

    /// What it says now, understood by `parse`.
    pub fn parsed<'a, T>(&'a mut self, parse: impl FnOnce(&'a [u8]) -> Result<T, ParseError>) -> Result<T, ProbeError> {
        let path = self.path.clone();
        parse(self.read()?).map_err(|error| ProbeError::Parse { path, what: error.0 })
    }

    fn fill(&mut self) -> Result<(), Errno> {
        let file = match self.file.take() {
            Some(file) => file,
            None => open(CWD, self.path.as_str())?,
        };
        read_all(&file, &mut self.buffer)?;
        self.file = Some(file);
        Ok(())
    }
}

/// Opens a file for reading.
pub fn open(dir: impl AsFd, path: impl Arg) -> Result<OwnedFd, Errno> {
    open_with(dir, path, OFlags::empty())
}

/// Opens a directory.
pub fn open_dir(dir: impl AsFd, path: impl Arg) -> Result<OwnedFd, Errno> {
    open_with(dir, path, OFlags::DIRECTORY)
}

fn open_with(dir: impl AsFd, path: impl Arg, flags: OFlags) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(dir, path, OFlags::RDONLY | OFlags::CLOEXEC | flags, Mode::empty())
}

/// Replaces `buffer` with the whole of a file, from its start, however much there is of it.
pub fn read_all(file: impl AsFd, buffer: &mut Vec<u8>) -> Result<(), Errno> {
    read_up_to(file, buffer, usize::MAX)
}

/// Like [`read_all`], but stops once there are `limit` bytes or more.
pub fn read_up_to(file: impl AsFd, buffer: &mut Vec<u8>, limit: usize) -> Result<(), Errno> {
    const FIRST_BYTES: usize = 8 * 1024;
    buffer.clear();
    if buffer.capacity() == 0 {
        buffer.reserve(FIRST_BYTES);
    }
    while buffer.len() < limit {
        if buffer.len() == buffer.capacity() {
            buffer.reserve(buffer.capacity());
        }
        let offset = buffer.len() as u64;
        match rustix::io::pread(&file, rustix::buffer::spare_capacity(buffer), offset) {
            Ok(0) => break,
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    buffer.truncate(limit);
    Ok(())
}

/// The whole of a small file that is read once in a while; `None` where it cannot be read.
pub fn text(root: &Path, name: &str) -> Option<Vec<u8>> {
    std::fs::read(root.join(name)).ok()
}

/// One read from the start of a file that is known to be shorter than `buffer`.
pub fn read_start(file: impl AsFd, buffer: &mut [u8]) -> Result<&[u8], Errno> {
    loop {
        match rustix::io::pread(&file, &mut *buffer, 0) {
            Ok(length) => return Ok(&buffer[..length]),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}
