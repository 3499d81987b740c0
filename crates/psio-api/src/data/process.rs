//! Processes: who they are, and their counters at one instant.

use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::data::unknown::Unknown;

/// What a process *is*: a pid can be given out again, pid and start time together cannot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ProcessId {
    /// Process id.
    pub pid: u32,
    /// Clock ticks since boot when it started (`/proc/PID/stat` field 22).
    pub started: u64,
}

impl fmt::Display for ProcessId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.pid, self.started)
    }
}

/// Every process of the machine at one instant, ordered by pid.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProcessSample {
    /// The processes, ordered by pid, each pid once.
    pub processes: Vec<Process>,
    /// Clock ticks per second, the unit of [`ProcessId::started`].
    pub ticks_per_second: u32,
    /// Seconds since the epoch when the kernel started; `create_time` counts from here.
    pub boot_time: Option<u64>,
    /// Total physical memory in bytes, which `memory_percent` is a share of.
    pub memory_total_bytes: Option<u64>,
    /// Why fields of some or all of these processes are not known, by field name.
    pub unknown: Unknown,
}

impl ProcessSample {
    /// The process that has this pid.
    pub fn find(&self, pid: u32) -> Option<&Process> {
        let index = self.processes.binary_search_by_key(&pid, |process| process.pid).ok()?;
        self.processes.get(index)
    }
}

/// One process at one instant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Process {
    /// Process id.
    pub pid: u32,
    /// Pid of the parent; 0 for those the kernel started.
    pub ppid: u32,
    /// Clock ticks since boot when it started (`/proc/PID/stat` field 22).
    pub started: u64,
    /// User and system time of all its threads, ended ones included.
    pub cpu_time: Option<CpuTime>,
    /// Resident and virtual memory.
    pub memory: Option<ProcessMemory>,
    /// Real user id.
    pub uid: Option<u32>,
    /// Threads it has.
    pub num_threads: Option<u32>,
    /// The CPU it last ran on.
    pub cpu_num: Option<u32>,
    /// Nice value, −20 (favoured) to 19.
    pub nice: Option<i8>,
    /// What it is doing.
    pub status: ProcessStatus,
    /// What seldom changes, shared between snapshots.
    pub identity: Arc<ProcessIdentity>,
}

impl Process {
    /// Pid and start time.
    pub fn id(&self) -> ProcessId {
        ProcessId { pid: self.pid, started: self.started }
    }
}

/// What seldom changes in the life of a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessIdentity {
    /// Name; where the kernel cut it after 15 bytes, expanded from the command line.
    pub name: Arc<str>,
    /// Arguments, the program first. Empty for kernel threads and zombies, `None` where it could not be read.
    pub cmdline: Option<Arc<[Arc<str>]>>,
    /// Name of the real user; the number as text where the machine has no name for it.
    pub username: Option<Arc<str>>,
    /// Controlling terminal, such as `/dev/pts/3`.
    pub terminal: Option<Arc<str>>,
}

/// CPU time used since the process started, in nanoseconds (from `/proc` multiples of a clock tick).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CpuTime {
    /// User and kernel mode together.
    pub total_ns: u64,
    /// Kernel mode alone; `None` where the source cannot tell them apart.
    pub system_ns: Option<u64>,
}

impl CpuTime {
    /// From the parts.
    pub fn of(user_ns: u64, system_ns: u64) -> Self {
        Self { total_ns: user_ns.saturating_add(system_ns), system_ns: Some(system_ns) }
    }

    /// User mode alone.
    pub fn user_ns(&self) -> Option<u64> {
        Some(self.total_ns.saturating_sub(self.system_ns?))
    }
}

/// Memory of a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessMemory {
    /// Resident set size: physical memory it holds now.
    pub rss_bytes: u64,
    /// Virtual memory size: address space it has mapped.
    pub vms_bytes: u64,
}

/// What a process is doing, in psutil's words (`/proc/PID/stat` field 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ProcessStatus {
    /// `R`: running or ready to run.
    Running,
    /// `S`: waiting for an event, can be interrupted.
    Sleeping,
    /// `D`: waiting, cannot be interrupted.
    DiskSleep,
    /// `T`: stopped by a signal.
    Stopped,
    /// `t`: stopped by a debugger.
    TracingStop,
    /// `Z`: ended, not yet waited for by its parent.
    Zombie,
    /// `X` or `x`: being removed.
    Dead,
    /// `K`.
    WakeKill,
    /// `W`.
    Waking,
    /// `I`: an idle kernel thread.
    Idle,
    /// `P`.
    Parked,
    /// FreeBSD: holding a lock.
    Locked,
    /// FreeBSD: waiting.
    Waiting,
    /// A state this version does not know.
    Unknown,
}

impl ProcessStatus {
    /// psutil's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Sleeping => "sleeping",
            Self::DiskSleep => "disk-sleep",
            Self::Stopped => "stopped",
            Self::TracingStop => "tracing-stop",
            Self::Zombie => "zombie",
            Self::Dead => "dead",
            Self::WakeKill => "wake-kill",
            Self::Waking => "waking",
            Self::Idle => "idle",
            Self::Parked => "parked",
            Self::Locked => "locked",
            Self::Waiting => "waiting",
            Self::Unknown => "unknown",
        }
    }
}
