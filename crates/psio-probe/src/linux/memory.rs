//! Physical memory and swap.

use std::path::{Path, PathBuf};

use psio_api::data::memory::MemorySample;

use super::file::{self, KeptFile};
use crate::ProbeError;
use crate::parse::{meminfo, vmstat, zoneinfo};

/// `/proc/meminfo` and `/proc/vmstat`, kept open.
pub struct Memory {
    proc: PathBuf,
    meminfo: KeptFile,
    vmstat: KeptFile,
    page_bytes: u64,
}

impl Memory {
    /// Below the root `proc`.
    pub fn new(proc: &Path, page_bytes: u64) -> Self {
        Self {
            proc: proc.into(),
            meminfo: KeptFile::new(proc, "meminfo"),
            vmstat: KeptFile::new(proc, "vmstat"),
            page_bytes,
        }
    }

    /// Reads both. What swapping has moved is `None` where there is no `vmstat`.
    pub fn sample(&mut self) -> Result<MemorySample, ProbeError> {
        let info = self.meminfo.parsed(meminfo::parse)?;
        let swapped = self.vmstat.read().map(vmstat::swapped).unwrap_or_default();
        let bytes = |pages: u64| pages.saturating_mul(self.page_bytes);
        Ok(MemorySample {
            total_bytes: info.mem_total,
            available_bytes: info.available(|| {
                file::text(&self.proc, "zoneinfo").map(|text| bytes(zoneinfo::low_watermark_pages(&text)))
            }),
            free_bytes: info.mem_free,
            active_bytes: info.active,
            inactive_bytes: info.inactive,
            buffers_bytes: info.buffers,
            cached_bytes: info.cached_with_slab(),
            shared_bytes: info.shmem,
            slab_bytes: info.slab,
            wired_bytes: info.wired(),
            swap_total_bytes: info.swap_total,
            swap_free_bytes: info.swap_free,
            swapped_in_bytes: swapped.in_pages.map(bytes),
            swapped_out_bytes: swapped.out_pages.map(bytes),
        })
    }

    /// `MemTotal` alone, in bytes.
    pub fn total(&mut self) -> Option<u64> {
        Some(self.meminfo.parsed(meminfo::parse).ok()?.mem_total)
    }
}
