//! What this very process costs.

/// Resources that this process uses. `None` where the system does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OwnUsage {
    /// CPU time of all its threads since it started, nanoseconds (`CLOCK_PROCESS_CPUTIME_ID`).
    pub cpu_time_ns: Option<u64>,
    /// Resident set size in bytes (`/proc/self/statm` field 2).
    pub rss_bytes: Option<u64>,
    /// Descriptors it has open (`/proc/self/fd`).
    pub descriptors: Option<u64>,
    /// Descriptors it may have open (`RLIMIT_NOFILE`, soft).
    pub descriptor_limit: Option<u64>,
}

impl OwnUsage {
    /// Reads them now.
    #[cfg(target_os = "linux")]
    pub fn read() -> Self {
        use rustix::process::{Resource, getrlimit};
        use rustix::time::{ClockId, clock_gettime};

        let cpu = clock_gettime(ClockId::ProcessCPUTime);
        let cpu_ns = cpu.tv_sec.saturating_mul(1_000_000_000).saturating_add(cpu.tv_nsec);
        Self {
            cpu_time_ns: u64::try_from(cpu_ns).ok(),
            rss_bytes: resident_bytes(),
            descriptors: open_descriptors(),
            descriptor_limit: getrlimit(Resource::Nofile).current,
        }
    }

    /// This system is not asked yet.
    #[cfg(not(target_os = "linux"))]
    pub fn read() -> Self {
        Self::default()
    }
}

#[cfg(target_os = "linux")]
fn resident_bytes() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    Some(pages * u64::try_from(rustix::param::page_size()).ok()?)
}

#[cfg(target_os = "linux")]
fn open_descriptors() -> Option<u64> {
    // Since Linux 6.2 the size of this directory is their number; counting thousands of entries is dear.
    let size = std::fs::metadata("/proc/self/fd").ok()?.len();
    if size > 0 {
        return Some(size);
    }
    let entries = std::fs::read_dir("/proc/self/fd").ok()?.count();
    // One of them is the descriptor that lists them.
    u64::try_from(entries.saturating_sub(1)).ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn resident_memory_grows_with_what_is_touched() {
        let before = OwnUsage::read().rss_bytes.unwrap();
        let touched = vec![1_u8; 32 << 20];
        assert!(OwnUsage::read().rss_bytes.unwrap() > before + (16 << 20), "{}", touched.len());
    }
}
