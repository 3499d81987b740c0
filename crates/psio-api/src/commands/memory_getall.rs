//! `memory.getall`: physical memory and swap.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use crate::command::{Example, Read};
use crate::data::memory::MemorySample;
use crate::data::topics::Topics;
use crate::data::unknown::{Reason, Unknown};
use crate::data::view::{View, sampled};
use crate::error::ApiError;
use crate::params::NoParams;
use crate::reply::{One, nulls_of};

/// Physical memory and swap, in bytes, with the meanings psutil gives the names. Source: `/proc/meminfo` and
/// `/proc/vmstat`; see proc_meminfo(5).
#[derive(JsonSchema)]
pub struct MemoryGetAll;

/// Memory of the machine.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct MemoryStats {
    /// Physical memory.
    pub r#virtual: VirtualMemory,
    /// Swap.
    pub swap: SwapMemory,
}

/// Physical memory, in bytes but for `percent`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct VirtualMemory {
    /// Used recently (`Active`).
    pub active: Option<u64>,
    /// What could be given to new processes without swapping (`MemAvailable`).
    pub available: Option<u64>,
    /// Cache of raw blocks (`Buffers`).
    pub buffers: Option<u64>,
    /// Cache of files, and what the kernel can reclaim of its own (`Cached` + `SReclaimable`).
    pub cached: Option<u64>,
    /// Used for nothing (`MemFree`).
    pub free: Option<u64>,
    /// Not used recently (`Inactive`).
    pub inactive: Option<u64>,
    /// `(total - available) / total * 100`, to one decimal.
    pub percent: Option<f64>,
    /// Shared memory and tmpfs (`Shmem`).
    pub shared: Option<u64>,
    /// What the kernel uses for its own structures (`Slab`).
    pub slab: Option<u64>,
    /// All of it that the kernel can hand out (`MemTotal`).
    pub total: u64,
    /// `total - available`.
    pub used: Option<u64>,
    /// What the kernel can neither reclaim nor swap (`Unevictable` + `SUnreclaim` + `KernelStack` + `PageTables` +
    /// `Percpu`).
    pub wired: Option<u64>,
}

/// Swap, in bytes but for `percent`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct SwapMemory {
    /// Not used (`SwapFree`).
    pub free: Option<u64>,
    /// `used / total * 100`, to one decimal; 0 where there is no swap.
    pub percent: Option<f64>,
    /// Swapped in since boot (`/proc/vmstat` `pswpin`).
    pub sin: Option<u64>,
    /// Swapped out since boot (`/proc/vmstat` `pswpout`).
    pub sout: Option<u64>,
    /// All of it (`SwapTotal`).
    pub total: Option<u64>,
    /// `total - free`.
    pub used: Option<u64>,
}

impl Read for MemoryGetAll {
    const NAME: &'static str = "memory.getall";
    type Params = NoParams;
    type Reply = One<MemoryStats>;

    fn needs(_: &Self::Params) -> Topics {
        Topics::MEMORY
    }

    fn run(view: &View, _: &Self::Params) -> Result<Self::Reply, ApiError> {
        let memory = &sampled(view.now.memory.as_ref(), "memory")?.value;
        let value = MemoryStats { r#virtual: virtual_memory(memory), swap: swap_memory(memory) };
        let unknown = unsupported(&value);
        Ok(One { value, unknown })
    }

    fn examples() -> Vec<Example> {
        vec![Example::new("Memory and swap", json!({}))]
    }
}

fn virtual_memory(memory: &MemorySample) -> VirtualMemory {
    let used = memory.available_bytes.map(|available| memory.total_bytes.saturating_sub(available));
    VirtualMemory {
        active: memory.active_bytes,
        available: memory.available_bytes,
        buffers: memory.buffers_bytes,
        cached: memory.cached_bytes,
        free: memory.free_bytes,
        inactive: memory.inactive_bytes,
        percent: used.map(|used| share(used, memory.total_bytes)),
        shared: memory.shared_bytes,
        slab: memory.slab_bytes,
        total: memory.total_bytes,
        used,
        wired: memory.wired_bytes,
    }
}

fn swap_memory(memory: &MemorySample) -> SwapMemory {
    let (total, free) = (memory.swap_total_bytes, memory.swap_free_bytes);
    let used = total.zip(free).map(|(total, free)| total.saturating_sub(free));
    SwapMemory {
        free,
        percent: used.zip(total).map(|(used, total)| share(used, total)),
        sin: memory.swapped_in_bytes,
        sout: memory.swapped_out_bytes,
        total,
        used,
    }
}

/// Percent to one decimal, as psutil rounds it; 0 of nothing is 0.
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { (part as f64 / whole as f64 * 1000.0).round() / 10.0 }
}

fn unsupported(stats: &MemoryStats) -> Unknown {
    let within = |part: &'static str, nulls: Unknown| {
        nulls.into_iter().map(move |(name, reason)| (format!("{part}.{name}"), reason))
    };
    let virtual_nulls = nulls_of(&stats.r#virtual, Reason::Unsupported);
    let swap_nulls = nulls_of(&stats.swap, Reason::Unsupported);
    within("virtual", virtual_nulls).chain(within("swap", swap_nulls)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_swap_is_zero_percent_used() {
        let memory = MemorySample { swap_total_bytes: Some(0), swap_free_bytes: Some(0), ..MemorySample::default() };
        assert_eq!(swap_memory(&memory).percent, Some(0.0));
    }

    #[test]
    fn unknown_swap_is_not_zero() {
        assert_eq!(swap_memory(&MemorySample::default()).percent, None);
    }

    #[test]
    fn percent_is_what_is_not_available() {
        let memory = MemorySample { total_bytes: 1000, available_bytes: Some(744), ..MemorySample::default() };
        let memory = virtual_memory(&memory);
        assert_eq!((memory.percent, memory.used), (Some(25.6), Some(256)));
    }
}
