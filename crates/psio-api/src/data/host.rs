//! The machine itself.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Facts about the machine. All but the load and the process counts stay the same from boot to shutdown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostSample {
    /// Network name (`/proc/sys/kernel/hostname`).
    pub hostname: Option<Arc<str>>,
    /// Name of the operating system (`PRETTY_NAME` of `/etc/os-release`).
    pub os: Option<Arc<str>>,
    /// Kernel release (`/proc/sys/kernel/osrelease`).
    pub kernel: Option<Arc<str>>,
    /// Instruction set, as `uname -m` names it.
    pub architecture: Option<Arc<str>>,
    /// Tells boots apart (`/proc/sys/kernel/random/boot_id`).
    pub boot_id: Option<Arc<str>>,
    /// Seconds since the epoch when the kernel started (`/proc/stat` `btime`).
    pub boot_time: Option<u64>,
    /// Model of the first CPU (`/proc/cpuinfo` `model name`).
    pub cpu_model: Option<Arc<str>>,
    /// CPUs online.
    pub logical_cpus: Option<u32>,
    /// Physical cores online.
    pub physical_cores: Option<u32>,
    /// Runnable and uninterruptible tasks, averaged over 1, 5 and 15 minutes (`/proc/loadavg`).
    pub load_average: Option<[f64; 3]>,
    /// Threads that are runnable now (`/proc/loadavg` field 4, before the slash).
    pub threads_running: Option<u32>,
    /// Threads in all (`/proc/loadavg` field 4, after the slash).
    pub threads_total: Option<u32>,
}
