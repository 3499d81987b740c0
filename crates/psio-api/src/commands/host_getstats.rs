//! `host.getstats`: the machine itself.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use crate::command::{Example, Read};
use crate::data::topics::Topics;
use crate::data::unknown::Reason;
use crate::data::view::{View, sampled};
use crate::error::ApiError;
use crate::params::NoParams;
use crate::reply::{One, nulls_of};

/// Name, system, hardware and load of the machine. Source: `/proc/sys/kernel`, `/proc/stat`, `/proc/cpuinfo`,
/// `/proc/loadavg`, `/etc/os-release`, uname(2).
#[derive(JsonSchema)]
pub struct HostGetStats;

/// Facts about the machine.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct HostStats {
    /// Network name.
    pub hostname: Option<Arc<str>>,
    /// Name and version of the operating system.
    pub os: Option<Arc<str>>,
    /// Kernel release.
    pub kernel: Option<Arc<str>>,
    /// Instruction set, as `uname -m` names it.
    pub architecture: Option<Arc<str>>,
    /// Tells boots of this machine apart.
    pub boot_id: Option<Arc<str>>,
    /// Seconds from the epoch to boot.
    pub boot_time: Option<u64>,
    /// Seconds since boot, suspension included.
    pub uptime: f64,
    /// Model of the first CPU.
    pub cpu_model: Option<Arc<str>>,
    /// CPUs online, hardware threads counted singly.
    pub cpu_count: Option<u32>,
    /// Physical cores online.
    pub cpu_cores: Option<u32>,
    /// Runnable and uninterruptible tasks averaged over 1, 5 and 15 minutes.
    pub load_average: Option<[f64; 3]>,
    /// Threads runnable now.
    pub threads_running: Option<u32>,
    /// Threads in all.
    pub threads_total: Option<u32>,
}

impl Read for HostGetStats {
    const NAME: &'static str = "host.getstats";
    type Params = NoParams;
    type Reply = One<HostStats>;

    fn needs(_: &Self::Params) -> Topics {
        Topics::HOST
    }

    fn run(view: &View, _: &Self::Params) -> Result<Self::Reply, ApiError> {
        let sample = sampled(view.now.host.as_ref(), "the host")?;
        let host = sample.value.clone();
        let value = HostStats {
            hostname: host.hostname,
            os: host.os,
            kernel: host.kernel,
            architecture: host.architecture,
            boot_id: host.boot_id,
            boot_time: host.boot_time,
            uptime: (sample.at.since_boot_ns / 10_000_000) as f64 / 100.0,
            cpu_model: host.cpu_model,
            cpu_count: host.logical_cpus,
            cpu_cores: host.physical_cores,
            load_average: host.load_average,
            threads_running: host.threads_running,
            threads_total: host.threads_total,
        };
        let unknown = nulls_of(&value, Reason::Unsupported);
        Ok(One { value, unknown })
    }

    fn examples() -> Vec<Example> {
        vec![Example::new("The machine", json!({}))]
    }
}
