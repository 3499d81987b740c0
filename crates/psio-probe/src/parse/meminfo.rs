//! `/proc/meminfo`: physical memory and swap; see proc_meminfo(5).

use super::fields::Fields;
use super::{ParseError, lines};

/// The lines of `/proc/meminfo` that are used here, in bytes; `None` where this kernel has no such line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "named after the lines")]
pub struct MemInfo {
    pub mem_total: u64,
    pub mem_free: Option<u64>,
    pub mem_available: Option<u64>,
    pub buffers: Option<u64>,
    pub cached: Option<u64>,
    pub active: Option<u64>,
    pub inactive: Option<u64>,
    pub active_file: Option<u64>,
    pub inactive_file: Option<u64>,
    pub unevictable: Option<u64>,
    pub swap_total: Option<u64>,
    pub swap_free: Option<u64>,
    pub shmem: Option<u64>,
    pub slab: Option<u64>,
    pub s_reclaimable: Option<u64>,
    pub s_unreclaim: Option<u64>,
    pub kernel_stack: Option<u64>,
    pub page_tables: Option<u64>,
    pub percpu: Option<u64>,
}

/// Reads `/proc/meminfo`. Lines that are not known are passed over.
pub fn parse(text: &[u8]) -> Result<MemInfo, ParseError> {
    let mut info = MemInfo::default();
    let mut total = None;
    for line in lines(text) {
        let Some(colon) = line.iter().position(|&byte| byte == b':') else {
            continue;
        };
        let slot = match &line[..colon] {
            b"MemTotal" => &mut total,
            b"MemFree" => &mut info.mem_free,
            b"MemAvailable" => &mut info.mem_available,
            b"Buffers" => &mut info.buffers,
            b"Cached" => &mut info.cached,
            b"Active" => &mut info.active,
            b"Inactive" => &mut info.inactive,
            b"Active(file)" => &mut info.active_file,
            b"Inactive(file)" => &mut info.inactive_file,
            b"Unevictable" => &mut info.unevictable,
            b"SwapTotal" => &mut info.swap_total,
            b"SwapFree" => &mut info.swap_free,
            b"Shmem" => &mut info.shmem,
            b"Slab" => &mut info.slab,
            b"SReclaimable" => &mut info.s_reclaimable,
            b"SUnreclaim" => &mut info.s_unreclaim,
            b"KernelStack" => &mut info.kernel_stack,
            b"PageTables" => &mut info.page_tables,
            b"Percpu" => &mut info.percpu,
            _ => continue,
        };
        let kibibytes = Fields::new(&line[colon + 1..]).u64()?;
        *slot = Some(kibibytes.saturating_mul(1024));
    }
    info.mem_total = total.ok_or(ParseError("a line MemTotal:"))?;
    Ok(info)
}

impl MemInfo {
    /// `Cached` + `SReclaimable`, as free(1) and psutil count the page cache.
    pub fn cached_with_slab(&self) -> Option<u64> {
        Some(self.cached? + self.s_reclaimable.unwrap_or(0))
    }

    /// What the kernel can neither reclaim nor swap. `Percpu` came with Linux 4.20 and counts 0 before.
    pub fn wired(&self) -> Option<u64> {
        Some(self.unevictable? + self.s_unreclaim? + self.kernel_stack? + self.page_tables? + self.percpu.unwrap_or(0))
    }

    /// `MemAvailable` where the kernel tells it (since 3.14); else, or where it says 0, the estimate of free(1) and
    /// psutil. `low_watermark` is the sum of the zones' low watermarks in bytes (`/proc/zoneinfo`).
    pub fn available(&self, low_watermark: impl FnOnce() -> Option<u64>) -> Option<u64> {
        let available = match self.mem_available {
            Some(told) if told > 0 => told,
            _ => self.estimated_available(low_watermark)?,
        };
        // Distorted figures in some containers; psutil does the same.
        if available > self.mem_total {
            return self.mem_free;
        }
        Some(available)
    }

    fn estimated_available(&self, low_watermark: impl FnOnce() -> Option<u64>) -> Option<u64> {
        let free = self.mem_free?;
        let pieces = (self.active_file, self.inactive_file, self.s_reclaimable, low_watermark());
        let (Some(active), Some(inactive), Some(reclaimable), Some(low)) = pieces else {
            return Some(free + self.cached.unwrap_or(0));
        };
        let page_cache = active + inactive;
        let page_cache = page_cache - low.min(page_cache / 2);
        let slab = reclaimable - low.min(reclaimable / 2);
        Some((free + page_cache + slab).saturating_sub(low))
    }
}
