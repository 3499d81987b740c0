//! Processes that start, execute another program and end: what is told of each, and what two sweeps show of it.
//!
//! A process lives until the last of its threads has ended. What remains until its parent has waited for it (a zombie)
//! is in the process table, but does not live.

use std::cmp::Ordering;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::data::process::{Process, ProcessSample, ProcessStatus};

/// What happened to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LifecycleKind {
    /// Another process created it (fork, vfork, clone).
    Started,
    /// It runs another program from now on. From `sweeps`: it has another name or command line than before, which
    /// programs that give themselves a title also cause.
    Exec,
    /// The last of its threads has ended.
    Exited,
}

/// Something that happened to a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LifecycleEvent {
    /// What happened.
    #[serde(rename = "event")]
    pub kind: LifecycleKind,
    /// Process id.
    pub pid: u32,
    /// Clock ticks from boot to its start (`/proc/PID/stat` field 22); `null` where it ended before that was read.
    pub started: Option<u64>,
    /// Pid of its parent; 0 for those the kernel started (the event itself; from `sweeps` `/proc/PID/stat` field 4).
    pub ppid: Option<u32>,
    /// Name, as `process.getall` tells it: after `exec` the new one, at the end the last one. `null` where it ended
    /// before that was read.
    pub name: Option<Arc<str>>,
    /// Name of the real user; its number where the machine has no name for it; `null` where it ended before that was
    /// read.
    pub username: Option<Arc<str>>,
    /// The program and its arguments, as `process.getall` tells them; `null` where it ended before they were read.
    pub cmdline: Option<Arc<[Arc<str>]>>,
    /// The exit code, 0–255, of a process that ended by itself; `null` where a signal ended it, where it has not
    /// ended, and from `sweeps`.
    pub exit_code: Option<u8>,
    /// Number of the signal that ended it, as in signal(7); `null` where none did, and from `sweeps`.
    pub signal: Option<i32>,
    /// Milliseconds from the epoch to when it happened; from `sweeps`, to the sweep that noticed it.
    #[serde(rename = "time")]
    pub at: u64,
}

/// How many events were lost; `null` where that is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Lost(pub Option<u64>);

impl Lost {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0.zip(other.0).map(|(one, other)| one.saturating_add(other)))
    }
}

/// Whether a process lives: not when it only waits for its parent to notice its end. A main thread that ended before
/// the others is told as a zombie too, and lives.
pub fn lives(process: &Process) -> bool {
    match process.status {
        ProcessStatus::Zombie | ProcessStatus::Dead => process.num_threads.is_some_and(|threads| threads > 1),
        _ => true,
    }
}

/// The living processes of a sample, ordered by pid.
pub fn living(sample: &ProcessSample) -> impl Iterator<Item = &Process> {
    sample.processes.iter().filter(|process| lives(process))
}

/// What happened from one sweep to a later one, read at `wall_ms`. First who ended, by pid; then who executed another
/// program, by pid; then who started, in the order in which they did. A pid that is another's now has ended and started.
/// Who started and ended in between leaves no trace.
pub fn changes(before: &ProcessSample, after: &ProcessSample, wall_ms: u64) -> Vec<LifecycleEvent> {
    let (mut exited, mut execs, mut started) = (Vec::new(), Vec::new(), Vec::new());
    let mut before = living(before).peekable();
    let mut after = living(after).peekable();
    loop {
        let order = match (before.peek(), after.peek()) {
            (Some(old), Some(new)) => old.id().cmp(&new.id()),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => break,
        };
        match order {
            Ordering::Less => exited.extend(before.next()),
            Ordering::Greater => started.extend(after.next()),
            Ordering::Equal => {
                if let Some((old, new)) = before.next().zip(after.next())
                    && runs_another_program(old, new)
                {
                    execs.push(new);
                }
            }
        }
    }
    started.sort_by_key(|process| (process.started, process.pid));
    let events = |kind, processes: Vec<&Process>| {
        processes.into_iter().map(|process| seen(kind, process, wall_ms)).collect::<Vec<_>>()
    };
    let mut all = events(LifecycleKind::Exited, exited);
    all.extend(events(LifecycleKind::Exec, execs));
    all.extend(events(LifecycleKind::Started, started));
    all
}

/// What could not be read in one of the sweeps is no change.
fn runs_another_program(old: &Process, new: &Process) -> bool {
    let (old, new) = (&old.identity, &new.identity);
    if Arc::ptr_eq(old, new) {
        return false;
    }
    let other_cmdline = old.cmdline.as_ref().zip(new.cmdline.as_ref()).is_some_and(|(old, new)| old != new);
    other_cmdline || old.name != new.name
}

fn seen(kind: LifecycleKind, process: &Process, wall_ms: u64) -> LifecycleEvent {
    let identity = &process.identity;
    LifecycleEvent {
        kind,
        pid: process.pid,
        started: Some(process.started),
        ppid: Some(process.ppid),
        name: Some(Arc::clone(&identity.name)),
        username: identity.username.clone(),
        cmdline: identity.cmdline.clone(),
        exit_code: None,
        signal: None,
        at: wall_ms,
    }
}

#[cfg(test)]
mod tests;
