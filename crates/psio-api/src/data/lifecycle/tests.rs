//! Sweeps compared, and how events are written.

use std::collections::BTreeSet;

use serde_json::json;

use super::*;
use crate::data::process::{ProcessId, ProcessIdentity};
use crate::example_machine;

fn process(pid: u32, started: u64, name: &str) -> Process {
    let identity = ProcessIdentity {
        name: name.into(),
        cmdline: Some([Arc::from(name)].into()),
        username: Some("root".into()),
        terminal: None,
    };
    Process {
        pid,
        ppid: 1,
        started,
        cpu_time: None,
        memory: None,
        uid: Some(0),
        num_threads: Some(1),
        cpu_num: None,
        nice: None,
        status: ProcessStatus::Sleeping,
        identity: Arc::new(identity),
    }
}

fn zombie(pid: u32, started: u64, threads: u32) -> Process {
    Process { status: ProcessStatus::Zombie, num_threads: Some(threads), ..process(pid, started, "z") }
}

fn sample(processes: &[Process]) -> ProcessSample {
    ProcessSample { processes: processes.to_vec(), ticks_per_second: 100, ..ProcessSample::default() }
}

fn told(before: &[Process], after: &[Process]) -> Vec<(LifecycleKind, u32, Option<u64>)> {
    let events = changes(&sample(before), &sample(after), 7);
    events.into_iter().map(|event| (event.kind, event.pid, event.started)).collect()
}

#[test]
fn a_new_pid_started_and_a_missing_one_exited() {
    let (a, b, c) = (process(1, 2, "init"), process(5, 10, "a"), process(9, 20, "b"));
    assert_eq!(
        told(&[a.clone(), b], &[a, c]),
        [(LifecycleKind::Exited, 5, Some(10)), (LifecycleKind::Started, 9, Some(20))]
    );
}

#[test]
fn a_pid_given_out_again_exited_and_started() {
    assert_eq!(
        told(&[process(5, 10, "a")], &[process(5, 30, "a")]),
        [(LifecycleKind::Exited, 5, Some(10)), (LifecycleKind::Started, 5, Some(30))]
    );
}

#[test]
fn another_program_in_the_same_process_is_an_exec() {
    assert_eq!(told(&[process(5, 10, "sh")], &[process(5, 10, "sleep")]), [(LifecycleKind::Exec, 5, Some(10))]);
    let mut other_arguments = process(5, 10, "sh");
    Arc::make_mut(&mut other_arguments.identity).cmdline = Some(["sh".into(), "-x".into()].into());
    assert_eq!(told(&[process(5, 10, "sh")], &[other_arguments]), [(LifecycleKind::Exec, 5, Some(10))]);
}

#[test]
fn a_command_line_that_became_known_or_another_user_is_no_exec() {
    let mut unread = process(5, 10, "sh");
    Arc::make_mut(&mut unread.identity).cmdline = None;
    assert_eq!(told(&[unread.clone()], &[process(5, 10, "sh")]), []);
    assert_eq!(told(&[process(5, 10, "sh")], &[unread]), []);
    let mut other_user = process(5, 10, "sh");
    Arc::make_mut(&mut other_user.identity).username = Some("nobody".into());
    assert_eq!(told(&[process(5, 10, "sh")], &[other_user]), []);
}

#[test]
fn a_zombie_has_exited_and_its_removal_is_no_news() {
    assert_eq!(told(&[process(5, 10, "a")], &[zombie(5, 10, 1)]), [(LifecycleKind::Exited, 5, Some(10))]);
    assert_eq!(told(&[zombie(5, 10, 1)], &[]), []);
    assert_eq!(told(&[], &[zombie(5, 10, 1)]), []);
}

#[test]
fn a_process_whose_main_thread_ended_first_lives() {
    let before = Process { num_threads: Some(3), ..process(5, 10, "z") };
    assert_eq!(told(&[before], &[zombie(5, 10, 2)]), []);
}

#[test]
fn who_started_is_told_in_the_order_of_starting() {
    let after = [process(3, 40, "c"), process(7, 20, "a"), process(8, 20, "b")];
    let pids: Vec<u32> = told(&[], &after).into_iter().map(|(_, pid, _)| pid).collect();
    assert_eq!(pids, [7, 8, 3]);
}

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn machine(&mut self) -> Vec<Process> {
        let mut processes = Vec::new();
        for pid in 1..40 {
            let started = self.below(3);
            match self.below(6) {
                0 | 1 => {}
                2 => processes.push(zombie(pid, started, 1 + self.below(2) as u32)),
                _ => processes.push(process(pid, started, if self.below(2) == 0 { "sh" } else { "sleep" })),
            }
        }
        processes
    }
}

fn ids(sample: &ProcessSample) -> BTreeSet<ProcessId> {
    living(sample).map(Process::id).collect()
}

#[test]
fn events_applied_to_who_lived_give_who_lives() {
    let mut dice = Dice(3);
    let mut before = sample(&[]);
    for _ in 0..2_000 {
        let after = sample(&dice.machine());
        let mut known = ids(&before);
        for event in changes(&before, &after, 0) {
            let id = ProcessId { pid: event.pid, started: event.started.unwrap() };
            match event.kind {
                LifecycleKind::Exited => assert!(known.remove(&id), "{id} exited and was not there"),
                LifecycleKind::Started => {
                    assert!(known.iter().all(|known| known.pid != id.pid), "{id} started while its pid was taken");
                    known.insert(id);
                }
                LifecycleKind::Exec => assert!(known.contains(&id), "{id} executed and was not there"),
            }
        }
        assert_eq!(known, ids(&after));
        before = after;
    }
}

#[test]
fn nothing_happens_between_a_sample_and_itself() {
    let view = example_machine::view();
    let sample = &view.now.processes.as_ref().unwrap().value;
    assert_eq!(changes(sample, sample, 0), []);
}

#[test]
fn an_event_is_written_with_every_member() {
    let [event] = &changes(&sample(&[]), &sample(&[process(5, 10, "sh")]), 1_763_816_400_123)[..] else {
        panic!("one event")
    };
    assert_eq!(
        serde_json::to_value(event).unwrap(),
        json!({
            "event": "started", "pid": 5, "started": 10, "ppid": 1, "name": "sh", "username": "root",
            "cmdline": ["sh"], "exit_code": null, "signal": null, "time": 1_763_816_400_123_u64
        })
    );
}

#[test]
fn losses_add_up_and_the_unknown_stays_unknown() {
    assert_eq!(Lost(Some(2)).and(Lost(Some(3))), Lost(Some(5)));
    assert_eq!(Lost(Some(2)).and(Lost(None)), Lost(None));
    assert_eq!(serde_json::to_value([Lost(Some(2)), Lost(None)]).unwrap(), json!([2, null]));
}
