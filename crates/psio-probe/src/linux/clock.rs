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

/// How far other clocks are ahead of `CLOCK_MONOTONIC`, in nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct AheadOfMonotonic {
    wall_ns: i64,
    boot_ns: i64,
}

impl AheadOfMonotonic {
    /// As it is now: setting the clock changes the one, a suspension both.
    pub fn now() -> Self {
        let monotonic = nanoseconds(clock_gettime(ClockId::Monotonic));
        Self {
            wall_ns: nanoseconds(clock_gettime(ClockId::Realtime)) - monotonic,
            boot_ns: nanoseconds(clock_gettime(ClockId::Boottime)) - monotonic,
        }
    }

    /// The same instant on the clocks that samples tell.
    pub fn moment(self, monotonic_ns: u64) -> Moment {
        Moment {
            since_boot_ns: monotonic_ns.saturating_add_signed(self.boot_ns),
            wall_ms: monotonic_ns.saturating_add_signed(self.wall_ns) / 1_000_000,
        }
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
