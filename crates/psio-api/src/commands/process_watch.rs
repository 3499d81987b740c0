//! `process.watch`: processes as they start, execute and end.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use crate::command::{Example, Watch};
use crate::data::lifecycle::{LifecycleEvent, LifecycleKind, Lost, living};
use crate::data::process::{Process, ProcessSample};
use crate::data::view::{View, sampled};
use crate::error::ApiError;
use crate::params::NoParams;

/// Every process as it starts, executes another program or ends; to be subscribed to, not asked for. The first event
/// tells where what follows comes from (`source`) and who lives now (`list`); later ones come in each interval in which
/// something happened, and tell what, in order. After an overflow an event says how much was `lost` and lists afresh.
///
/// From `proc_connector` nothing is missed, however short it lived, and exit codes and signals are told. From `sweeps`
/// (where the kernel does not let psiod listen, and in replays) two readings of the process table are compared: what
/// lived for less than an interval may be missed, and how a process ended is not known. A process has ended once its
/// last thread has, whether or not its parent has noticed, so zombies are not in `list`. Source: the process events
/// connector of Linux (netlink, `CN_IDX_PROC`), and what `process.getall` reads.
#[derive(JsonSchema)]
pub struct ProcessWatch;

impl Watch for ProcessWatch {
    const NAME: &'static str = "process.watch";
    type Params = NoParams;
    type Event = ProcessWatchEvent;

    fn examples() -> Vec<Example> {
        vec![Example::new("Every process that comes, goes or becomes another program", json!({}))]
    }

    fn shown(view: &View) -> Result<Vec<ProcessWatchEvent>, ApiError> {
        let sample = &sampled(view.now.processes.as_ref(), "the process table")?;
        let first = ProcessWatchEvent::first(WatchSource::ProcConnector, &sample.value);
        let told = first.list.iter().flatten().find(|process| process.name.as_ref() == "bash");
        let ended = told.map(|process| LifecycleEvent {
            kind: LifecycleKind::Exited,
            pid: process.pid,
            started: Some(process.started),
            ppid: Some(process.ppid),
            name: Some(Arc::clone(&process.name)),
            username: process.username.clone(),
            cmdline: process.cmdline.clone(),
            exit_code: Some(0),
            signal: None,
            at: sample.at.wall_ms + 421,
        });
        let then = ProcessWatchEvent::of(ended.into_iter().collect());
        Ok(vec![first, then])
    }
}

/// Where life-cycle events come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WatchSource {
    /// The kernel tells of each when it happens.
    ProcConnector,
    /// Each reading of the process table is compared with the one before.
    Sweeps,
}

/// What happened in an interval. A member other than `events` is there only when it has something to say.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ProcessWatchEvent {
    /// Where the events come from: in the first event, and again when that changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<WatchSource>,
    /// How many events were lost before this one, `null` where that is not known. `list` then begins anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost: Option<Lost>,
    /// Who lives, ordered by pid, in place of everything told before: it was read after the `events` beside it happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub list: Option<Vec<WatchedProcess>>,
    /// What happened, in order.
    pub events: Vec<LifecycleEvent>,
}

impl ProcessWatchEvent {
    /// The first: where events come from, and who lives.
    pub fn first(source: WatchSource, sample: &ProcessSample) -> Self {
        Self { source: Some(source), list: Some(list(sample)), ..Self::of(Vec::new()) }
    }

    /// What happened, and nothing else to say.
    pub fn of(events: Vec<LifecycleEvent>) -> Self {
        Self { source: None, lost: None, list: None, events }
    }

    /// After a loss: how much, and who lives now.
    pub fn afresh(lost: Lost, sample: &ProcessSample, events: Vec<LifecycleEvent>) -> Self {
        Self { lost: Some(lost), list: Some(list(sample)), ..Self::of(events) }
    }
}

/// One living process.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct WatchedProcess {
    /// Process id. Together with `started` it names a process for ever; alone it may be given out again.
    pub pid: u32,
    /// Clock ticks from boot to its start (`/proc/PID/stat` field 22).
    pub started: u64,
    /// Pid of its parent; 0 for those the kernel started (`/proc/PID/stat` field 4).
    pub ppid: u32,
    /// Name; where the kernel cut it after 15 bytes, expanded from the command line.
    pub name: Arc<str>,
    /// Name of the real user; its number where the machine has no name for it.
    pub username: Option<Arc<str>>,
    /// The program and its arguments; empty for kernel threads (`/proc/PID/cmdline`).
    pub cmdline: Option<Arc<[Arc<str>]>>,
    /// Seconds from the epoch to its start.
    pub create_time: Option<f64>,
}

/// The living processes of a sample, ordered by pid.
pub fn list(sample: &ProcessSample) -> Vec<WatchedProcess> {
    living(sample).map(|process| list_row(process, sample)).collect()
}

/// The row of one process.
pub fn list_row(process: &Process, sample: &ProcessSample) -> WatchedProcess {
    let since_boot = process.started as f64 / f64::from(sample.ticks_per_second);
    WatchedProcess {
        pid: process.pid,
        started: process.started,
        ppid: process.ppid,
        name: Arc::clone(&process.identity.name),
        username: process.identity.username.clone(),
        cmdline: process.identity.cmdline.clone(),
        create_time: sample.boot_time.map(|boot| boot as f64 + since_boot),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::example_machine;

    fn written(event: &ProcessWatchEvent) -> Value {
        serde_json::to_value(event).unwrap()
    }

    fn machine() -> ProcessSample {
        example_machine::view().now.processes.as_ref().unwrap().value.clone()
    }

    #[test]
    fn the_first_event_names_the_source_and_lists_who_lives() {
        let first = written(&ProcessWatchEvent::first(WatchSource::ProcConnector, &machine()));
        assert_eq!((&first["source"], &first["events"]), (&json!("proc_connector"), &json!([])));
        assert_eq!(first.get("lost"), None);
        assert_eq!(
            first["list"][2],
            json!({
                "pid": 412, "started": 540, "ppid": 1, "name": "sshd", "username": "root",
                "cmdline": ["/usr/sbin/sshd", "-D"], "create_time": 1_763_798_767.4
            })
        );
    }

    #[test]
    fn a_zombie_is_not_listed() {
        let pids: Vec<u32> = list(&machine()).iter().map(|row| row.pid).collect();
        assert_eq!(pids, [1, 2, 412, 1893, 2034, 2210]);
    }

    #[test]
    fn a_quiet_interval_has_only_events() {
        assert_eq!(written(&ProcessWatchEvent::of(Vec::new())), json!({"events": []}));
    }

    #[test]
    fn an_unknown_loss_is_null_and_not_absent() {
        let event = written(&ProcessWatchEvent::afresh(Lost(None), &ProcessSample::default(), Vec::new()));
        assert_eq!(event, json!({"lost": null, "list": [], "events": []}));
        let event = written(&ProcessWatchEvent::afresh(Lost(Some(3)), &ProcessSample::default(), Vec::new()));
        assert_eq!(event["lost"], json!(3));
    }

    #[test]
    fn the_schema_requires_what_is_always_there() {
        let schema = schemars::generate::SchemaSettings::draft2020_12().for_serialize().into_generator();
        let schema = schema.into_root_schema_for::<ProcessWatchEvent>().to_value();
        assert_eq!(schema["required"], json!(["events"]));
    }
}
