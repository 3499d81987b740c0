//! A core for the server and another for the client, so that neither waits for the other.

use anyhow::Result;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Which cores are whose; none on a machine that has only one, or when nobody is to be tied.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cores {
    /// The server's.
    pub server: Option<usize>,
    /// The client's.
    pub client: Option<usize>,
}

impl Cores {
    /// The first two that this process may use.
    pub fn choose() -> Result<Self> {
        let allowed = sched_getaffinity(None)?;
        let mut cores = (0..CpuSet::MAX_CPU).filter(|&core| allowed.is_set(core));
        Ok(match (cores.next(), cores.next()) {
            (Some(server), Some(client)) => Self { server: Some(server), client: Some(client) },
            _ => Self::default(),
        })
    }

    /// How it was, for the report.
    pub fn describe(self) -> &'static str {
        if self.server.is_some() { "Server and client have a core each." } else { "Server and client share all cores." }
    }
}

/// Runs `start` on this core; what it starts stays there, this thread does not.
pub fn on<T>(core: Option<usize>, start: impl FnOnce() -> Result<T>) -> Result<T> {
    let Some(core) = core else {
        return start();
    };
    let before = sched_getaffinity(None)?;
    let mut only = CpuSet::new();
    only.set(core);
    sched_setaffinity(None, &only)?;
    let started = start();
    sched_setaffinity(None, &before)?;
    started
}
