//! The psiod on a port: whether it runs, and ending it.

use std::fs::{self, File};
use std::io::Read;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use psiod::health::{self, Running};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::folders::Files;
use crate::say;

/// How long psiod is given to close its connections and end.
const PATIENCE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(10);
/// `psio status` ends with this when psiod is not running, as `systemctl status` does.
const NOT_RUNNING: u8 = 3;

/// The address a browser is given.
pub fn page(port: u16) -> String {
    format!("http://localhost:{port}/")
}

/// The psiod that answers on this port of loopback.
pub fn find(port: u16) -> Option<Running> {
    let loopback = [SocketAddr::from((Ipv4Addr::LOCALHOST, port)), SocketAddr::from((Ipv6Addr::LOCALHOST, port))];
    loopback.into_iter().find_map(health::ask)
}

/// `psio status`.
pub fn status(port: u16) -> anyhow::Result<ExitCode> {
    let files = Files::of(port)?;
    let Some(running) = find(port) else {
        if let Some(pid) = locked_pid(&files) {
            bail!("psiod (pid {pid}) runs but does not answer on port {port}; `psio stop` ends it");
        }
        say(&format!("psiod is not running on port {port}"));
        return Ok(ExitCode::from(NOT_RUNNING));
    };
    let up = duration(running.uptime);
    say(&format!("psiod {} is running on {} (pid {}, up {up})", running.version, page(port), running.pid));
    if let Some(difference) = running.other_protocol() {
        say(&format!("{difference}: what this psio shows may not fit"));
    }
    if files.log.exists() {
        say(&format!("log: {}", files.log.display()));
    }
    Ok(ExitCode::SUCCESS)
}

/// `psio stop`.
pub fn stop(port: u16) -> anyhow::Result<ExitCode> {
    let Some(pid) = pid_to_stop(port)? else {
        say(&format!("psiod is not running on port {port}"));
        return Ok(ExitCode::SUCCESS);
    };
    let process = i32::try_from(pid).ok().and_then(Pid::from_raw).context("psiod gave an impossible pid")?;
    match kill_process(process, Signal::TERM) {
        // ESRCH: it has just ended on its own.
        Ok(()) | Err(Errno::SRCH) => {}
        Err(error) => bail!("cannot stop psiod (pid {pid}): {error}"),
    }
    // One that was suspended would not hear of it.
    let _ = kill_process(process, Signal::CONT);
    let deadline = Instant::now() + PATIENCE;
    while !has_ended(process) {
        if Instant::now() > deadline {
            bail!("psiod (pid {pid}) has not ended after {} s; `kill -9 {pid}` would end it", PATIENCE.as_secs());
        }
        std::thread::sleep(POLL);
    }
    say(&format!("psiod (pid {pid}) stopped"));
    Ok(ExitCode::SUCCESS)
}

/// The psiod on this port, if it is beyond doubt which process that is: anybody can answer `/healthz` with the pid of
/// somebody else, and a psiod in a container means a process of its own there.
fn pid_to_stop(port: u16) -> anyhow::Result<Option<u32>> {
    // One that hangs does not answer either, but holds the lock.
    if let Some(pid) = locked_pid(&Files::of(port)?) {
        return Ok(Some(pid));
    }
    let Some(Running { pid, .. }) = find(port) else {
        return Ok(None);
    };
    match health::owner_of(SocketAddr::from((Ipv4Addr::LOCALHOST, port))) {
        Some(owner) if owner.pid == pid => Ok(Some(pid)),
        Some(owner) => bail!(
            "nothing was stopped: on port {port} listens {} (pid {}), which says that it is psiod (pid {pid})",
            owner.name,
            owner.pid
        ),
        None => bail!(
            "nothing was stopped: whoever listens on port {port} says that it is psiod (pid {pid}), but that cannot be \
             verified; another user or a container may have started it"
        ),
    }
}

/// The pid in the pid file, if a living psiod holds the lock on it.
pub fn locked_pid(files: &Files) -> Option<u32> {
    let mut file = File::open(&files.pid).ok()?;
    if flock(&file, FlockOperation::NonBlockingLockShared) != Err(Errno::WOULDBLOCK) {
        return None;
    }
    let mut pid = String::new();
    file.read_to_string(&mut pid).ok()?;
    let pid = pid.trim().parse().ok()?;
    has_open(pid, &file).then_some(pid)
}

/// Whether the process has this file open: the pid may be from before a crash, and the next psiod about to write its own
/// over it, or from another container. `true` where the system does not tell.
fn has_open(pid: u32, file: &File) -> bool {
    if !Path::new("/proc/self/fd").exists() {
        return true;
    }
    let Ok(wanted) = file.metadata() else { return false };
    let Ok(open) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    let mut found =
        open.flatten().filter_map(|fd| fs::metadata(fd.path()).ok()).map(|found| (found.dev(), found.ino()));
    found.any(|found| found == (wanted.dev(), wanted.ino()))
}

/// Whether it is gone, or dead and only waits for a parent that does not collect it (PID 1 of some containers).
fn has_ended(process: Pid) -> bool {
    let is_gone = test_kill_process(process) == Err(Errno::SRCH);
    is_gone || fs::read(format!("/proc/{process}/stat")).is_ok_and(|stat| is_dead(&stat))
}

/// State in `/proc/PID/stat`, see proc_pid_stat(5): the field behind the name, which may contain anything.
fn is_dead(stat: &[u8]) -> bool {
    let behind_name = stat.iter().rposition(|&byte| byte == b')').map(|at| &stat[at + 1..]);
    matches!(behind_name, Some([b' ', b'Z' | b'X', ..]))
}

/// `3 d 4 h`, `12 m 5 s`: the two largest units.
fn duration(seconds: f64) -> String {
    let seconds = seconds as u64;
    let units = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    let first = units.iter().position(|&(size, _)| seconds >= size).unwrap_or(3);
    let mut rest = seconds;
    let parts = units[first..].iter().take(2).map(|&(size, unit)| {
        let count = rest / size;
        rest %= size;
        format!("{count} {unit}")
    });
    parts.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_show_their_two_largest_units() {
        assert_eq!(duration(0.4), "0 s");
        assert_eq!(duration(725.9), "12 m 5 s");
        assert_eq!(duration(273_600.0), "3 d 4 h");
    }

    #[test]
    fn a_zombie_counts_as_dead_whatever_its_name() {
        assert!(is_dead(b"41 (psiod) Z 1 41 41"));
        assert!(is_dead(b"41 (a) S 1) Z 1 41 41"));
        assert!(!is_dead(b"41 (a) Z 1) S 1 41 41"));
        assert!(!is_dead(b""));
    }
}
