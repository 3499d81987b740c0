//! `daemon.getstats`: what psiod costs.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use crate::command::{Example, Read};
use crate::data::daemon::SweepStats;
use crate::data::topics::Topics;
use crate::data::unknown::Reason;
use crate::data::view::{View, sampled};
use crate::error::ApiError;
use crate::params::NoParams;
use crate::reply::{One, nulls_of};
use crate::value::hundredths;

/// psiod's own version, cost and clients. Source: psiod itself, `/proc/self/statm`, getrusage(2).
#[derive(JsonSchema)]
pub struct DaemonGetStats;

/// psiod's own figures.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct DaemonStats {
    /// Version of psiod.
    pub version: Arc<str>,
    /// Its process id.
    pub pid: u32,
    /// Seconds since it started.
    pub uptime: f64,
    /// CPU seconds it has used since it started.
    pub cpu_seconds: Option<f64>,
    /// Percent of one core it used over the window.
    pub cpu_percent: Option<f64>,
    /// Its resident set size in bytes.
    pub rss: Option<u64>,
    /// Descriptors it has open.
    pub descriptors: Option<u64>,
    /// Descriptors it may have open.
    pub descriptor_limit: Option<u64>,
    /// WebSocket connections open now.
    pub clients: u64,
    /// Commands answered since it started, refusals included.
    pub requests: u64,
    /// Subscriptions that are being told now.
    pub subscriptions: u64,
    /// Ticks of subscriptions that came too late or could not be read; each is a gap in somebody's `seq`.
    pub dropped_ticks: u64,
    /// Where its figures come from: `linux`, `portable` or `replay`.
    pub source: Arc<str>,
    /// How processes are read, and what that costs.
    pub sweep: SweepStats,
}

impl Read for DaemonGetStats {
    const NAME: &'static str = "daemon.getstats";
    type Params = NoParams;
    type Reply = One<DaemonStats>;

    fn needs(_: &Self::Params) -> Topics {
        Topics::DAEMON
    }

    fn run(view: &View, _: &Self::Params) -> Result<Self::Reply, ApiError> {
        let sample = sampled(view.now.daemon.as_ref(), "psiod itself")?;
        let daemon = sample.value.clone();
        let value = DaemonStats {
            version: daemon.version,
            pid: daemon.pid,
            uptime: (daemon.uptime_ns / 1_000_000) as f64 / 1e3,
            cpu_seconds: daemon.cpu_time_ns.map(|ns| (ns / 1_000) as f64 / 1e6),
            cpu_percent: view.daemon_cpu_percent().map(hundredths),
            rss: daemon.rss_bytes,
            descriptors: daemon.descriptors,
            descriptor_limit: daemon.descriptor_limit,
            clients: daemon.clients,
            requests: daemon.requests,
            subscriptions: daemon.subscriptions,
            dropped_ticks: daemon.dropped_ticks,
            source: daemon.source,
            sweep: daemon.sweep,
        };
        let mut unknown = nulls_of(&value, Reason::Unsupported);
        if unknown.contains_key("cpu_percent") && value.cpu_seconds.is_some() {
            unknown.insert("cpu_percent".to_owned(), Reason::Absent);
        }
        Ok(One { value, unknown })
    }

    fn examples() -> Vec<Example> {
        vec![Example::new("What psiod costs", json!({}))]
    }
}
