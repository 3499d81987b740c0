//! The psiod on a port: whether it runs, and ending it.

use std::fs::File;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
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
    let Some(running) = find(port) else {
        say(&format!("psiod is not running on port {port}"));
        return Ok(ExitCode::from(NOT_RUNNING));
    };
    let up = duration(running.uptime);
    say(&format!("psiod {} is running on {} (pid {}, up {up})", running.version, page(port), running.pid));
    let log = Files::of(port)?.log;
    if log.exists() {
        say(&format!("log: {}", log.display()));
    }
    Ok(ExitCode::SUCCESS)
}

/// `psio stop`.
pub fn stop(port: u16) -> anyhow::Result<ExitCode> {
    // One that hangs does not answer, but holds the lock on its pid file.
    let pid = match find(port) {
        Some(running) => Some(running.pid),
        None => locked_pid(&Files::of(port)?),
    };
    let Some(pid) = pid else {
        say(&format!("psiod is not running on port {port}"));
        return Ok(ExitCode::SUCCESS);
    };
    let process = i32::try_from(pid).ok().and_then(Pid::from_raw).context("psiod gave an impossible pid")?;
    kill_process(process, Signal::TERM).with_context(|| format!("cannot stop psiod (pid {pid})"))?;
    let deadline = Instant::now() + PATIENCE;
    while test_kill_process(process) != Err(Errno::SRCH) {
        if Instant::now() > deadline {
            bail!("psiod (pid {pid}) has not ended after {} s; `kill -9 {pid}` would end it", PATIENCE.as_secs());
        }
        std::thread::sleep(POLL);
    }
    say(&format!("psiod (pid {pid}) stopped"));
    Ok(ExitCode::SUCCESS)
}

/// The pid in the pid file, if a living psiod holds the lock on it.
fn locked_pid(files: &Files) -> Option<u32> {
    let file = File::open(&files.pid).ok()?;
    let is_held = flock(&file, FlockOperation::NonBlockingLockShared) == Err(Errno::WOULDBLOCK);
    is_held.then(|| std::fs::read_to_string(&files.pid).ok()?.trim().parse().ok()).flatten()
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
}
