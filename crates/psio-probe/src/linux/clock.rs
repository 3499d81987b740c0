//! The clocks, and when the kernel started.

use psio_api::data::moment::Moment;
use rustix::time::{ClockId, Timespec, clock_gettime};

use super::file::KeptFile;
use crate::ProbeError;
use crate::parse::proc_stat;

const NS_PER_SEC: i64 = 1_000_000_000;

/// The moment it is.
pub fn moment() -> Moment {
    let wall = clock_gettime(ClockId::Realtime);
    Moment {
        since_boot_ns: u64::try_from(nanoseconds(clock_gettime(ClockId::Boottime))).unwrap_or(0),
        wall_ms: u64::try_from(nanoseconds(wall) / 1_000_000).unwrap_or(0),
    }
}

/// `btime` of `/proc/stat`, read again only when the wall clock was set: on a large machine that file is dear.
#[derive(Debug, Default)]
pub struct BootTime {
    known: Option<(u64, i64)>,
}

impl BootTime {
    /// Seconds since the epoch when the kernel started.
    pub fn get(&mut self, proc_stat: &mut KeptFile) -> Result<u64, ProbeError> {
        /// Reading two clocks one after the other is not exact; setting one moves it by more.
        const SAME_NS: i64 = 1_000_000;
        let offset = nanoseconds(clock_gettime(ClockId::Realtime)) - nanoseconds(clock_gettime(ClockId::Boottime));
        if let Some((boot_time, then)) = self.known
            && (offset - then).abs() < SAME_NS
        {
            return Ok(boot_time);
        }
        let boot_time = proc_stat.parsed(proc_stat::boot_time)?;
        self.known = Some((boot_time, offset));
        Ok(boot_time)
    }
}

fn nanoseconds(time: Timespec) -> i64 {
    time.tv_sec.saturating_mul(NS_PER_SEC) + time.tv_nsec
}
