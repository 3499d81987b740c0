//! `process.get`: one process, with what is too dear to read for all.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::command::{Example, Read};
use crate::commands::process_getall::{ProcessRow, row, unknown_of};
use crate::data::process::{Process, ProcessId};
use crate::data::topics::Topics;
use crate::data::unknown::Reason;
use crate::data::view::{View, sampled};
use crate::error::{ApiError, ErrorCode};
use crate::params::Params;
use crate::reply::{One, nulls_of};

/// One process: every field of `process.getall`, and some that cost a read of their own. Source: as
/// `process.getall`; also `/proc/PID/status`, `cgroup` and `oom_score`.
#[derive(JsonSchema)]
pub struct ProcessGet;

/// Parameters of `process.get`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProcessGetParams {
    /// Process id.
    pub pid: u32,
    /// Its `started`: with it the answer is `conflict` when the pid belongs to another process by now.
    pub started: Option<u64>,
}

impl Params for ProcessGetParams {}

/// One process in detail.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ProcessDetail {
    /// What `process.getall` tells of it.
    #[serde(flatten)]
    pub row: ProcessRow,
    /// `[voluntary, involuntary]`: times its main thread gave up the CPU, and times it was taken from it
    /// (`/proc/PID/status` `voluntary_ctxt_switches`, `nonvoluntary_ctxt_switches`).
    pub num_ctx_switches: Option<[u64; 2]>,
    /// Its control group in the unified hierarchy (`/proc/PID/cgroup`, the line that begins `0::`).
    pub cgroup: Option<Arc<str>>,
    /// How likely the kernel is to end it when memory runs out, 0 to about 1000 (`/proc/PID/oom_score`).
    pub oom_score: Option<i32>,
}

impl Read for ProcessGet {
    const NAME: &'static str = "process.get";
    type Params = ProcessGetParams;
    type Reply = One<ProcessDetail>;

    fn needs(_: &Self::Params) -> Topics {
        Topics::PROCESSES
    }

    fn select(view: &View, params: &Self::Params) -> Vec<ProcessId> {
        find(view, params).map(|(_, process)| process.id()).into_iter().collect()
    }

    fn run(view: &View, params: &Self::Params) -> Result<Self::Reply, ApiError> {
        let (index, process) = find(view, params)?;
        let sample = &sampled(view.now.processes.as_ref(), "the process table")?.value;
        let row = row(sample, process, view.process_cpu_percents()[index]);
        // The sample knows it, the reading of its details does not: it ended in between.
        let details = view.details.get(&process.id()).ok_or_else(|| ApiError::no_process(params.pid))?;
        let mut reasons = unknown_of(std::slice::from_ref(&row), sample);
        reasons.extend(details.unknown.clone());
        let switches = details.voluntary_context_switches.zip(details.involuntary_context_switches);
        let value = ProcessDetail {
            row,
            num_ctx_switches: switches.map(|(voluntary, involuntary)| [voluntary, involuntary]),
            cgroup: details.cgroup.clone(),
            oom_score: details.oom_score,
        };
        // What is unknown of other processes may be known of this one.
        let mut unknown = nulls_of(&value, Reason::Absent);
        for (name, reason) in &mut unknown {
            *reason = reasons.get(name).copied().unwrap_or(*reason);
        }
        Ok(One { value, unknown })
    }

    fn examples() -> Vec<Example> {
        vec![Example::new("The first process of the machine", json!({"pid": 1}))]
    }
}

fn find<'a>(view: &'a View, params: &ProcessGetParams) -> Result<(usize, &'a Process), ApiError> {
    let processes = &sampled(view.now.processes.as_ref(), "the process table")?.value.processes;
    let index = processes
        .binary_search_by_key(&params.pid, |process| process.pid)
        .map_err(|_| ApiError::no_process(params.pid))?;
    let process = &processes[index];
    match params.started {
        Some(started) if started != process.started => {
            let message = format!("pid {} is another process by now: it started at {}", params.pid, process.started);
            let details = json!({"pid": params.pid, "started": process.started});
            Err(ApiError::new(ErrorCode::Conflict, message).with(details))
        }
        _ => Ok((index, process)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example_machine;

    fn get(pid: u32, started: Option<u64>) -> Result<ProcessDetail, ApiError> {
        ProcessGet::run(&example_machine::view(), &ProcessGetParams { pid, started }).map(|one| one.value)
    }

    #[test]
    fn a_pid_that_is_gone_is_not_found() {
        assert_eq!(get(99_999, None).unwrap_err().code, ErrorCode::NotFound);
    }

    #[test]
    fn a_pid_that_was_given_out_again_is_a_conflict() {
        assert_eq!(get(1893, Some(5)).unwrap_err().code, ErrorCode::Conflict);
    }

    #[test]
    fn details_stand_beside_the_fields_of_the_list() {
        let detail = get(1893, None).unwrap();
        assert_eq!((&*detail.row.name, detail.num_ctx_switches), ("firefox", Some([81_224, 3_016])));
    }

    #[test]
    fn every_null_has_a_reason() {
        let one = ProcessGet::run(&example_machine::view(), &ProcessGetParams { pid: 1893, started: None }).unwrap();
        assert_eq!(one.unknown, [("terminal".to_owned(), Reason::Absent)].into());
    }

    #[test]
    fn one_that_ended_between_sample_and_details_is_not_found() {
        let mut view = example_machine::view();
        view.details = Arc::default();
        let error = ProcessGet::run(&view, &ProcessGetParams { pid: 1893, started: None }).unwrap_err();
        assert_eq!(error.code, ErrorCode::NotFound);
    }
}
