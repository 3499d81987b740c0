//! Dear fields: read only for the rows that a command selected, never for all.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::data::process::ProcessId;
use crate::data::unknown::Unknown;

/// The dear fields of selected processes, filled in by the daemon between `select` and `run`.
pub type Details = HashMap<ProcessId, ProcessDetails>;

/// What costs a read of its own per process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessDetails {
    /// Times it gave up the CPU of itself (`/proc/PID/status` `voluntary_ctxt_switches`, main thread).
    pub voluntary_context_switches: Option<u64>,
    /// Times the CPU was taken from it (`/proc/PID/status` `nonvoluntary_ctxt_switches`, main thread).
    pub involuntary_context_switches: Option<u64>,
    /// Its control group in the unified hierarchy (`/proc/PID/cgroup`, the line that begins `0::`).
    pub cgroup: Option<Arc<str>>,
    /// How likely the kernel is to kill it when memory runs out, 0 to about 1000 (`/proc/PID/oom_score`).
    pub oom_score: Option<i32>,
    /// Why any of these is not known, by the field's name on the wire: `num_ctx_switches` for both counts, `cgroup`,
    /// `oom_score`.
    pub unknown: Unknown,
}
