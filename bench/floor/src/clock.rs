//! CPU time of a process in nanoseconds, this one's or another's, ended threads included.
//!
//! `/proc/PID/stat` gives the same in 10 ms ticks, too coarse for one request.

use std::io;
use std::time::Duration;

/// CPU time used by this process.
pub fn own_cpu() -> io::Result<Duration> {
    read(libc::CLOCK_PROCESS_CPUTIME_ID)
}

/// CPU time used by the process `pid`, all its threads together.
pub fn cpu_of(pid: u32) -> io::Result<Duration> {
    let pid = libc::pid_t::try_from(pid).map_err(io::Error::other)?;
    let mut id: libc::clockid_t = 0;
    // SAFETY: `id` is a live, writable clockid_t; the call writes nothing else.
    let errno = unsafe { libc::clock_getcpuclockid(pid, &raw mut id) };
    if errno != 0 {
        return Err(io::Error::from_raw_os_error(errno));
    }
    read(id)
}

fn read(id: libc::clockid_t) -> io::Result<Duration> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a live, writable timespec; the call writes nothing else.
    if unsafe { libc::clock_gettime(id, &raw mut time) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(Duration::new(time.tv_sec.try_into().unwrap_or(0), time.tv_nsec.try_into().unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_clock_and_clock_of_own_pid_agree() {
        let by_pid = cpu_of(std::process::id()).unwrap();
        let own = own_cpu().unwrap();
        assert!(own >= by_pid && own - by_pid < Duration::from_secs(1));
    }
}
