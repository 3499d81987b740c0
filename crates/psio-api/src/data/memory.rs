//! Physical memory and swap.

use serde::{Deserialize, Serialize};

/// Memory and swap at one instant; everything in bytes. `None` where the machine does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemorySample {
    /// `MemTotal` of `/proc/meminfo`.
    pub total_bytes: u64,
    /// `MemAvailable`: what could be given to new processes without swapping.
    pub available_bytes: Option<u64>,
    /// `MemFree`.
    pub free_bytes: Option<u64>,
    /// `Active`.
    pub active_bytes: Option<u64>,
    /// `Inactive`.
    pub inactive_bytes: Option<u64>,
    /// `Buffers`.
    pub buffers_bytes: Option<u64>,
    /// `Cached` + `SReclaimable`.
    pub cached_bytes: Option<u64>,
    /// `Shmem`.
    pub shared_bytes: Option<u64>,
    /// `Slab`.
    pub slab_bytes: Option<u64>,
    /// What the kernel can neither reclaim nor swap: `Unevictable` + `SUnreclaim` + `KernelStack` + `PageTables` +
    /// `Percpu`.
    pub wired_bytes: Option<u64>,
    /// `SwapTotal`.
    pub swap_total_bytes: Option<u64>,
    /// `SwapFree`.
    pub swap_free_bytes: Option<u64>,
    /// Swapped in since boot (`/proc/vmstat` `pswpin`, pages).
    pub swapped_in_bytes: Option<u64>,
    /// Swapped out since boot (`/proc/vmstat` `pswpout`, pages).
    pub swapped_out_bytes: Option<u64>,
}
