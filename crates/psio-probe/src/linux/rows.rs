//! From what was read of a process to what is told of it.

use std::sync::Arc;

use psio_api::data::moment::Moment;
use psio_api::data::process::{CpuTime, Process, ProcessMemory};
use psio_api::data::unknown::{Reason, Unknown};

use super::identity::Entry;
use super::kept::Reading;

const NS_PER_SEC: u64 = 1_000_000_000;

/// What the kernel counts in.
#[derive(Clone, Copy, Debug)]
pub struct Units {
    /// Clock ticks per second.
    pub ticks_per_second: u64,
    /// Bytes of a page.
    pub page_bytes: u64,
}

impl Units {
    /// Clock ticks since boot.
    pub fn ticks(self, at: Moment) -> u64 {
        let ticks = u128::from(at.since_boot_ns) * u128::from(self.ticks_per_second) / u128::from(NS_PER_SEC);
        u64::try_from(ticks).unwrap_or(u64::MAX)
    }
}

/// A row of the process table.
pub fn row(entry: &Entry, reading: &Reading<'_>, units: Units) -> Process {
    let stat = &reading.stat;
    let tick_ns = NS_PER_SEC / units.ticks_per_second;
    let page_bytes = units.page_bytes;
    Process {
        pid: entry.pid,
        ppid: stat.ppid,
        started: entry.started,
        cpu_time: Some(CpuTime::of(stat.utime_ticks.saturating_mul(tick_ns), stat.stime_ticks.saturating_mul(tick_ns))),
        memory: reading.statm.map(|statm| ProcessMemory {
            rss_bytes: statm.resident_pages.saturating_mul(page_bytes),
            vms_bytes: statm.size_pages.saturating_mul(page_bytes),
        }),
        uid: entry.uid,
        num_threads: Some(stat.num_threads),
        cpu_num: Some(stat.processor),
        nice: Some(stat.nice),
        status: stat.status(),
        identity: Arc::clone(&entry.identity),
    }
}

/// Why fields of some processes are not known, by their names on the wire.
pub fn unknown<'a>(processes: &[Process], entries: impl IntoIterator<Item = &'a Box<Entry>>) -> Unknown {
    let mut unknown = Unknown::new();
    if processes.iter().any(|process| process.identity.terminal.is_none()) {
        unknown.insert("terminal".into(), Reason::Absent);
    }
    if processes.iter().any(|process| process.memory.is_none()) {
        unknown.insert("memory_info".into(), Reason::Unsupported);
    }
    for entry in entries {
        if let Some(reason) = entry.cmdline_reason {
            unknown.insert("cmdline".into(), reason);
        }
        if let Some(reason) = entry.uid_reason {
            unknown.insert("uid".into(), reason);
            unknown.insert("username".into(), reason);
        }
    }
    unknown
}
