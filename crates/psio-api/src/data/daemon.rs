//! What psiod knows about itself.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// psiod's own figures at one instant. Counters count from its start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DaemonSample {
    /// Version of psiod.
    pub version: Arc<str>,
    /// Its process id.
    pub pid: u32,
    /// Nanoseconds since it started.
    pub uptime_ns: u64,
    /// CPU time it has used, nanoseconds.
    pub cpu_time_ns: Option<u64>,
    /// Its resident set size in bytes.
    pub rss_bytes: Option<u64>,
    /// Descriptors it has open.
    pub descriptors: Option<u64>,
    /// Descriptors it may have open (`RLIMIT_NOFILE`, raised to its hard limit at start).
    pub descriptor_limit: Option<u64>,
    /// WebSocket connections open now.
    pub clients: u64,
    /// Commands answered, refusals included.
    pub requests: u64,
    /// Subscriptions that are being told now.
    #[serde(default)]
    pub subscriptions: u64,
    /// Ticks of subscriptions that came too late or could not be read; each is a gap in somebody's `seq`.
    #[serde(default)]
    pub dropped_ticks: u64,
    /// Where the figures come from: `linux`, `portable` or `replay`.
    pub source: Arc<str>,
    /// How processes are swept, and what it costs.
    pub sweep: SweepStats,
}

/// How the process table is read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SweepStats {
    /// `kept` (descriptors held open), `opened` (open, read, close), `mixed` (kept as far as descriptors reach), or the
    /// source's name where it reads in a way of its own.
    pub strategy: String,
    /// Sweeps since start.
    pub count: u64,
    /// Processes found by the last sweep.
    pub processes: u64,
    /// How many of those were read through kept descriptors.
    pub kept: u64,
    /// Wall time of the last sweep, microseconds.
    pub last_us: f64,
    /// Wall time of all sweeps, microseconds.
    pub total_us: f64,
}
