//! Time counters of each CPU.

use serde::{Deserialize, Serialize};

/// Counters of every online CPU at one instant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CpuSample {
    /// One entry per online CPU, ordered by number.
    pub cpus: Vec<CpuCounters>,
}

/// Time one CPU has spent in each state since boot, in ticks of a unit that is the same for all states
/// (`/proc/stat` line `cpuN`; see proc_stat(5)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CpuCounters {
    /// The kernel's number of this CPU; gaps mean offline CPUs.
    pub num: u32,
    /// Normal processes in user mode, guests included.
    pub user_ticks: u64,
    /// Niced processes in user mode, guests included.
    pub nice_ticks: u64,
    /// Kernel mode.
    pub system_ticks: u64,
    /// Idle.
    pub idle_ticks: u64,
    /// Idle while a disk request was outstanding. May decrease, says proc_stat(5).
    pub iowait_ticks: u64,
    /// Hardware interrupts.
    pub irq_ticks: u64,
    /// Software interrupts.
    pub softirq_ticks: u64,
    /// Taken by the hypervisor for others.
    pub steal_ticks: u64,
}
