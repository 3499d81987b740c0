//! Reading one process: through descriptors kept from sweep to sweep, or by opening its files.
//!
//! What the kernel does not say aloud (EVIDENCE §1): a kept `stat` of a process that is gone reads ESRCH, also when its
//! pid belongs to another process by then; fstat of a kept *directory* follows a change of the effective user at once,
//! fstat of a kept `stat` never does.

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::AtFlags;
use rustix::io::Errno;

use super::file;
use crate::parse::pid_stat::{self, PidStat};
use crate::parse::pid_statm::{self, PidStatm};

/// `stat` is far shorter: 52 numbers and a name of 64 bytes at most.
const STAT_BYTES: usize = 2048;
const STATM_BYTES: usize = 256;

/// What the files are read into.
pub struct Buffers {
    stat: Box<[u8; STAT_BYTES]>,
    statm: [u8; STATM_BYTES],
}

impl Default for Buffers {
    fn default() -> Self {
        Self { stat: Box::new([0; STAT_BYTES]), statm: [0; STATM_BYTES] }
    }
}

/// What one sweep reads of one process.
#[derive(Debug)]
pub struct Reading<'a> {
    /// Whose it is.
    pub pid: u32,
    /// `/proc/PID/stat`.
    pub stat: PidStat<'a>,
    /// `/proc/PID/statm`; zero for kernel threads. `None` where it makes no sense.
    pub statm: Option<PidStatm>,
    /// Owner of `/proc/PID`: the effective user. Not read again for kernel threads, which keep theirs.
    pub owner: Option<u32>,
}

/// The same, as the kernel writes it.
#[derive(Clone, Copy, Debug)]
pub struct Raw<'a> {
    /// Text of `stat`.
    pub stat: &'a [u8],
    /// Text of `statm`; kernel threads have none.
    pub statm: Option<&'a [u8]>,
    /// Owner of the directory, where it was asked.
    pub owner: Option<u32>,
}

impl<'a> Raw<'a> {
    /// Understands it.
    pub fn parse(self, pid: u32) -> Result<Reading<'a>, Trouble> {
        let stat = pid_stat::parse(self.stat).map_err(|_| Trouble::Garbage)?;
        let statm = self.statm.map_or(Some(PidStatm::default()), |statm| pid_statm::parse(statm).ok());
        Ok(Reading { pid, stat, statm, owner: self.owner })
    }
}

/// Why a process could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It is gone.
    Vanished,
    /// We may not.
    Denied,
    /// No descriptor was left.
    NoDescriptors,
    /// What stands there is no `stat`.
    Garbage,
}

impl From<Errno> for Trouble {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::ACCESS | Errno::PERM => Self::Denied,
            Errno::MFILE | Errno::NFILE => Self::NoDescriptors,
            // ENOENT: not in /proc any more. ESRCH: reaped since its file was opened. Others come from the same race.
            _ => Self::Vanished,
        }
    }
}

/// Descriptors of one process.
#[derive(Debug)]
pub struct Kept {
    pid: u32,
    stat: OwnedFd,
    /// Kernel threads have no memory to read, and keep their owner.
    rest: Option<Rest>,
}

#[derive(Debug)]
struct Rest {
    dir: OwnedFd,
    statm: OwnedFd,
}

impl Kept {
    /// Descriptors of a process that has memory.
    pub const MOST: u64 = 3;

    /// Opens the files of a process and reads them for the first time.
    pub fn open<'a>(proc_dir: impl AsFd, pid: u32, buffers: &'a mut Buffers) -> Result<(Self, Reading<'a>), Trouble> {
        // Everything below one directory descriptor is of one process, whatever happens to its pid meanwhile.
        let dir = file::open_dir(proc_dir, Path::of(pid, "").as_str())?;
        let stat = file::open(&dir, "stat")?;
        let parsed = parse_stat(&stat, &mut buffers.stat[..])?;
        let owner = Some(owner_of(&dir)?);
        let (rest, statm) = if parsed.is_kernel_thread() {
            (None, Some(PidStatm::default()))
        } else {
            let statm = file::open(&dir, "statm")?;
            let memory = parse_statm(&statm, &mut buffers.statm)?;
            (Some(Rest { dir, statm }), memory)
        };
        let kept = Self { pid, stat, rest };
        Ok((kept, Reading { pid, stat: parsed, statm, owner }))
    }

    /// Reads them again.
    pub fn read<'a>(&self, buffers: &'a mut Buffers) -> Result<Reading<'a>, Trouble> {
        self.read_raw(buffers)?.parse(self.pid)
    }

    /// Reads them again, as the kernel writes it.
    pub fn read_raw<'a>(&self, buffers: &'a mut Buffers) -> Result<Raw<'a>, Trouble> {
        let stat = file::read_start(&self.stat, &mut buffers.stat[..])?;
        let Some(rest) = &self.rest else { return Ok(Raw { stat, statm: None, owner: None }) };
        let statm = Some(file::read_start(&rest.statm, &mut buffers.statm)?);
        Ok(Raw { stat, statm, owner: Some(owner_of(&rest.dir)?) })
    }

    /// How many descriptors these are.
    pub fn count(&self) -> u64 {
        if self.rest.is_some() { Self::MOST } else { 1 }
    }

    /// The directory of the process, where it is kept.
    pub fn dir(&self) -> Option<BorrowedFd<'_>> {
        self.rest.as_ref().map(|rest| rest.dir.as_fd())
    }
}

/// Opens, reads and closes the files of a process.
pub fn read_opened<'a>(proc_dir: impl AsFd, pid: u32, buffers: &'a mut Buffers) -> Result<Reading<'a>, Trouble> {
    let stat = {
        let file = file::open(&proc_dir, Path::of(pid, "/stat").as_str())?;
        parse_stat(&file, &mut buffers.stat[..])?
    };
    let statm = if stat.is_kernel_thread() {
        Some(PidStatm::default())
    } else {
        let file = file::open(&proc_dir, Path::of(pid, "/statm").as_str())?;
        parse_statm(&file, &mut buffers.statm)?
    };
    let owner = rustix::fs::statat(proc_dir, Path::of(pid, "").as_str(), AtFlags::empty())?.st_uid;
    Ok(Reading { pid, stat, statm, owner: Some(owner) })
}

fn owner_of(dir: &OwnedFd) -> Result<u32, Trouble> {
    Ok(rustix::fs::fstat(dir)?.st_uid)
}

fn parse_stat<'a>(file: &OwnedFd, buffer: &'a mut [u8]) -> Result<PidStat<'a>, Trouble> {
    pid_stat::parse(file::read_start(file, buffer)?).map_err(|_| Trouble::Garbage)
}

fn parse_statm(file: &OwnedFd, buffer: &mut [u8]) -> Result<Option<PidStatm>, Trouble> {
    Ok(pid_statm::parse(file::read_start(file, buffer)?).ok())
}

/// A path below `/proc`, written without allocating.
#[derive(Clone, Copy, Debug)]
pub struct Path {
    bytes: [u8; Self::BYTES],
    length: usize,
}

impl Path {
    const BYTES: usize = 32;
    const PID_DIGITS: usize = 10;

    /// `PID` followed by `rest`, such as `/stat`.
    pub fn of(pid: u32, rest: &str) -> Self {
        let mut digits = [0; Self::PID_DIGITS];
        let mut start = digits.len();
        let mut left = pid;
        loop {
            start -= 1;
            digits[start] = b'0' + (left % 10) as u8;
            left /= 10;
            if left == 0 {
                break;
            }
        }
        let digits = &digits[start..];
        let length = digits.len() + rest.len();
        let mut bytes = [0; Self::BYTES];
        bytes[..digits.len()].copy_from_slice(digits);
        bytes[digits.len()..length].copy_from_slice(rest.as_bytes());
        Self { bytes, length }
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.bytes[..self.length]).expect("invariant: digits and a str are text")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_the_pid_and_the_rest() {
        assert_eq!(Path::of(4_294_967_295, "/statm").as_str(), "4294967295/statm");
        assert_eq!(Path::of(7, "").as_str(), "7");
    }
}
