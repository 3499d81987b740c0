//! The real user of a process.
//!
//! `/proc/PID/status` tells it on every kernel, but costs as much as all else that a sweep reads of a process. Since
//! Linux 6.13 a pidfd tells it at a fraction of that (`PIDFD_GET_INFO`).

use std::path::Path as FilePath;

use psio_api::data::unknown::Reason;
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;
use rustix::ioctl::{Opcode, Updater, opcode};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::file;
use super::kept::{Kept, Path, Trouble};
use crate::parse::pid_status;

/// Reads real users.
pub struct RealUids {
    pidfds: bool,
}

impl RealUids {
    /// Those of the processes below the root `proc`. Pidfds are used where the kernel can tell by them, and where pids
    /// mean the same to us as in that `/proc`.
    pub fn new(proc: &FilePath) -> Self {
        let own = std::process::id();
        let names_us =
            std::fs::read_link(proc.join("self")).is_ok_and(|target| target.to_str() == Some(&own.to_string()));
        Self { pidfds: names_us && by_pidfd(own).is_ok() }
    }

    /// The real user of a process, whose descriptors may be kept.
    pub fn get(&self, proc_dir: &OwnedFd, pid: u32, kept: Option<&Kept>) -> Result<u32, Reason> {
        if self.pidfds {
            match by_pidfd(pid).map_err(Trouble::from) {
                Ok(uid) => return Ok(uid),
                Err(Trouble::Vanished) => return Err(Reason::Vanished),
                Err(_) => {}
            }
        }
        let read = match kept.and_then(Kept::dir) {
            Some(dir) => by_status(dir, "status"),
            None => by_status(proc_dir, Path::of(pid, "/status").as_str()),
        };
        match read.map_err(Trouble::from) {
            Ok(Some(uid)) => Ok(uid),
            Ok(None) => Err(Reason::Unsupported),
            Err(Trouble::Denied) => Err(Reason::Denied),
            Err(Trouble::NoDescriptors) => Err(Reason::Budget),
            Err(_) => Err(Reason::Vanished),
        }
    }
}

fn by_status(dir: impl AsFd, path: &str) -> Result<Option<u32>, Errno> {
    /// The line `Uid:` is the ninth; what comes before it is short.
    const BUFFER_BYTES: usize = 1024;
    let mut buffer = [0; BUFFER_BYTES];
    let file = file::open(dir, path)?;
    Ok(pid_status::real_uid(file::read_start(&file, &mut buffer)?).ok())
}

/// `struct pidfd_info` of `linux/pidfd.h` in its first version; later kernels accept this size.
#[repr(C)]
#[derive(Default)]
struct PidfdInfo {
    mask: u64,
    cgroupid: u64,
    pid: u32,
    tgid: u32,
    ppid: u32,
    ruid: u32,
    rgid: u32,
    euid: u32,
    egid: u32,
    suid: u32,
    sgid: u32,
    fsuid: u32,
    fsgid: u32,
    exit_code: i32,
}

const PIDFD_GET_INFO: Opcode = opcode::read_write::<PidfdInfo>(0xff, 11);
const PIDFD_INFO_CREDS: u64 = 1 << 1;

#[allow(unsafe_code, reason = "rustix has no safe wrapper for this ioctl")]
fn by_pidfd(pid: u32) -> Result<u32, Errno> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(Errno::SRCH)?;
    let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
    let mut info = PidfdInfo { mask: PIDFD_INFO_CREDS, ..PidfdInfo::default() };
    // SAFETY: the opcode carries the size of `PidfdInfo`, which is laid out as the kernel's structure of that size and
    // consists of integers only, so that whatever the kernel writes is a valid value; it lives until the call returns.
    unsafe { rustix::ioctl::ioctl(&pidfd, Updater::<PIDFD_GET_INFO, _>::new(&mut info)) }?;
    if info.mask & PIDFD_INFO_CREDS == 0 {
        return Err(Errno::NOTSUP);
    }
    Ok(info.ruid)
}
