//! `process.getall`: every process.

use std::sync::Arc;

use schemars::JsonSchema;
use serde_json::json;

use crate::command::{Example, Read};
use crate::data::process::{Process, ProcessSample, ProcessStatus};
use crate::data::topics::Topics;
use crate::data::unknown::{Reason, Unknown};
use crate::data::view::{View, sampled};
use crate::error::ApiError;
use crate::rows::{ListParams, Rows, field};
use crate::value::{CpuSeconds, MemoryBytes, hundredths};

/// All processes of the machine, ordered by pid unless `sort` says otherwise. `cpu_percent` is measured over the
/// window that `meta.window_ms` tells. Source: `/proc/PID/stat`, `statm`, `status` and `cmdline`; see proc_pid_stat(5).
#[derive(JsonSchema)]
pub struct ProcessGetAll;

crate::row! {
    /// One process.
    pub struct ProcessRow, key [pid, started], searched [name, cmdline, username, pid] {
        /// Process id. Together with `started` it names a process for ever; alone it may be given out again.
        pub pid: u32,
        /// Name; where the kernel cut it after 15 bytes, expanded from the command line.
        pub name: Arc<str>,
        /// Name of the real user; its number where the machine has no name for it.
        pub username: Option<Arc<str>>,
        /// What it is doing, in psutil's words.
        pub status: ProcessStatus,
        /// Nice value, −20 (favoured) to 19 (`/proc/PID/stat` field 19).
        pub nice: Option<i8>,
        /// Threads it has (`/proc/PID/stat` field 20).
        pub num_threads: Option<u32>,
        /// CPU used over the window, all its threads together; 100 = one core fully used, so it may exceed 100.
        pub cpu_percent: Option<f64>,
        /// `[user, system]` CPU seconds since it started (`/proc/PID/stat` fields 14 and 15).
        pub cpu_times: Option<CpuSeconds>,
        /// `[rss, vms]` in bytes: memory it holds, address space it has mapped (`/proc/PID/statm` fields 2 and 1).
        pub memory_info: Option<MemoryBytes>,
        /// rss as percent of the machine's memory.
        pub memory_percent: Option<f64>,
        /// Clock ticks from boot to its start (`/proc/PID/stat` field 22).
        pub started: u64,
        /// Seconds from the epoch to its start.
        pub create_time: Option<f64>,
        /// Pid of its parent; 0 for those the kernel started (`/proc/PID/stat` field 4).
        pub ppid: u32,
        /// Real user id (`/proc/PID/status` `Uid`).
        pub uid: Option<u32>,
        /// The CPU it last ran on (`/proc/PID/stat` field 39).
        pub cpu_num: Option<u32>,
        /// Controlling terminal, `null` for most (`/proc/PID/stat` field 7).
        pub terminal: Option<Arc<str>>,
        /// The program and its arguments; empty for kernel threads and zombies (`/proc/PID/cmdline`).
        pub cmdline: Option<Arc<[Arc<str>]>>,
    }
}

impl Read for ProcessGetAll {
    const NAME: &'static str = "process.getall";
    type Params = ListParams<ProcessRow>;
    type Reply = Rows<ProcessRow>;

    fn needs(_: &Self::Params) -> Topics {
        Topics::PROCESSES
    }

    fn run(view: &View, _: &Self::Params) -> Result<Self::Reply, ApiError> {
        let sample = &sampled(view.now.processes.as_ref(), "the process table")?.value;
        let rows = rows(view)?;
        let unknown = unknown_of(&rows, sample);
        Ok(Rows::new(rows, unknown))
    }

    fn examples() -> Vec<Example> {
        vec![
            Example::new(
                "The three that use most CPU",
                json!({
                    "sort": "-cpu_percent", "limit": 3, "fields": ["pid", "name", "cpu_percent"]
                }),
            ),
            Example::new(
                "root's processes that hold more than 10 MiB, as columns",
                json!({
                    "filter": "username=root memory_info>10M",
                    "fields": ["pid", "name", "memory_info"], "format": "columns"
                }),
            ),
            Example::new("Every field of the first process", json!({"limit": 1})),
        ]
    }
}

/// A row for every process of the view, ordered by pid.
pub fn rows(view: &View) -> Result<Vec<ProcessRow>, ApiError> {
    let sample = &sampled(view.now.processes.as_ref(), "the process table")?.value;
    let processes = sample.processes.iter().zip(view.process_cpu_percents());
    Ok(processes.map(|(process, &cpu_percent)| row(sample, process, cpu_percent)).collect())
}

/// The row of one process.
pub fn row(sample: &ProcessSample, process: &Process, cpu_percent: Option<f64>) -> ProcessRow {
    let rss = process.memory.map(|memory| memory.rss_bytes);
    let total = sample.memory_total_bytes.filter(|&total| total > 0);
    let since_boot = process.started as f64 / f64::from(sample.ticks_per_second);
    ProcessRow {
        pid: process.pid,
        name: process.identity.name.clone(),
        username: process.identity.username.clone(),
        status: process.status,
        nice: process.nice,
        num_threads: process.num_threads,
        cpu_percent: cpu_percent.map(hundredths),
        cpu_times: process.cpu_time.and_then(CpuSeconds::of),
        memory_info: process.memory.map(MemoryBytes::from),
        memory_percent: rss.zip(total).map(|(rss, total)| rss as f64 / total as f64 * 100.0),
        started: process.started,
        create_time: sample.boot_time.map(|boot| boot as f64 + since_boot),
        ppid: process.ppid,
        uid: process.uid,
        cpu_num: process.cpu_num,
        terminal: process.identity.terminal.clone(),
        cmdline: process.identity.cmdline.clone(),
    }
}

/// Why fields of these rows are null: what the sample says, and for what is computed here, that there was nothing to
/// compute it from.
pub fn unknown_of(rows: &[ProcessRow], sample: &ProcessSample) -> Unknown {
    const COMPUTED: [&str; 3] = ["cpu_percent", "memory_percent", "create_time"];
    let mut unknown = sample.unknown.clone();
    for field in COMPUTED.iter().filter_map(|name| field::<ProcessRow>(name)) {
        if rows.iter().any(|row| (field.value)(row).is_null()) {
            unknown.entry(field.name.to_owned()).or_insert(Reason::Absent);
        }
    }
    unknown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example_machine;

    #[test]
    fn what_cannot_be_computed_is_absent() {
        let mut view = example_machine::view();
        view.base = Arc::default();
        let sample = &view.now.processes.as_ref().unwrap().value;
        let unknown = unknown_of(&rows(&view).unwrap(), sample);
        assert_eq!(unknown.get("cpu_percent"), Some(&Reason::Absent));
        assert_eq!(unknown.get("memory_percent"), None);
    }

    #[test]
    fn a_process_without_an_earlier_reading_is_unknown_among_others_that_have_one() {
        let view = example_machine::view();
        let mut base = (*view.base).clone();
        Arc::make_mut(base.processes.as_mut().unwrap()).value.processes.remove(0);
        let view = View::new(view.now.clone(), Arc::new(base), view.viewer);
        let rows = rows(&view).unwrap();
        assert_eq!((rows[0].cpu_percent, rows[1].cpu_percent), (None, Some(0.0)));
        let sample = &view.now.processes.as_ref().unwrap().value;
        assert_eq!(unknown_of(&rows, sample).get("cpu_percent"), Some(&Reason::Absent));
    }
}
