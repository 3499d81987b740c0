//! When a sample was taken, on the two clocks that matter.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One instant, read once per sample by the sampler and passed in everywhere else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// Nanoseconds since boot, suspension included (`CLOCK_BOOTTIME`). Windows are measured on this clock.
    pub since_boot_ns: u64,
    /// Milliseconds since the Unix epoch (`CLOCK_REALTIME`). For people; it may be stepped.
    pub wall_ms: u64,
}

impl Moment {
    /// Time from `earlier` to this moment; zero when `earlier` is not earlier.
    pub fn since(&self, earlier: &Self) -> Duration {
        Duration::from_nanos(self.since_boot_ns.saturating_sub(earlier.since_boot_ns))
    }

    /// The same instant `by` later on both clocks.
    pub fn later(&self, by: Duration) -> Self {
        Self {
            since_boot_ns: self.since_boot_ns + u64::try_from(by.as_nanos()).unwrap_or(u64::MAX),
            wall_ms: self.wall_ms + u64::try_from(by.as_millis()).unwrap_or(u64::MAX),
        }
    }
}
