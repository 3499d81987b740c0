//! Messages applied to a made-up `/proc`.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use psio_api::data::process::ProcessIdentity;

use super::*;
use crate::Roots;

const HZ: u64 = 100;
/// The tests' processes started around this time.
const START: u64 = 50_000;
const PARENT: u32 = 40;
const PID: u32 = 41;

/// A `/proc`, the table that looks at it, and a clock that ticks with each message.
struct Machine {
    root: PathBuf,
    living: Living,
    now: Instant,
    ticks: u64,
}

impl Machine {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("psio-living-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let root = std::env::temp_dir().join(name);
        std::fs::create_dir_all(root.join("etc")).unwrap();
        std::fs::write(root.join("etc/passwd"), "root:x:0:0::/:\nada:x:1000:1000::/:\n").unwrap();
        let roots = Roots { proc: root.clone(), etc: root.join("etc"), ..Roots::default() };
        let units = Units { ticks_per_second: HZ, page_bytes: 4096 };
        let living = Living::new(Glimpses::new(&roots).unwrap(), units);
        Self { root, living, now: Instant::now(), ticks: START }
    }

    /// There is such a process, or it has changed to this.
    fn has(&self, pid: u32, name: &str, state: char, threads: u32, started: u64) {
        let dir = self.root.join(pid.to_string());
        std::fs::create_dir_all(&dir).unwrap();
        let stat = format!(
            "{pid} ({name}) {state} {PARENT} 0 0 0 -1 0 0 0 0 0 0 0 0 0 20 0 {threads} 0 {started} 0 0 0 0 0 9 \
             0 0 0 0 0 0 0 0 0 0 0 0 0 0"
        );
        std::fs::write(dir.join("stat"), stat).unwrap();
        std::fs::write(dir.join("status"), "Name:\tx\nUid:\t1000\t0\t0\t0\n").unwrap();
        let cmdline = if state == 'Z' { String::new() } else { format!("/bin/{name}\0-v\0") };
        std::fs::write(dir.join("cmdline"), cmdline).unwrap();
    }

    fn lacks(&self, pid: u32) {
        std::fs::remove_dir_all(self.root.join(pid.to_string())).unwrap();
    }

    fn hear(&mut self, events: &[Event]) -> Vec<LifecycleEvent> {
        let messages: Vec<Message> = events.iter().map(|&event| self.message(event)).collect();
        self.living.note(&messages, self.now, AheadOfMonotonic::default())
    }

    fn message(&mut self, event: Event) -> Message {
        self.ticks += 1;
        Message { seq: 0, ack: 0, cpu: None, timestamp_ns: self.ticks * 10_000_000, event }
    }

    fn seed(&mut self, processes: Vec<Process>) {
        self.ticks += 1;
        let at = Moment { since_boot_ns: self.ticks * 10_000_000, wall_ms: self.ticks * 10 };
        let value = ProcessSample { processes, ticks_per_second: 100, ..ProcessSample::default() };
        self.living.seed(&Sample { at, value });
    }

    fn pass(&mut self, time: Duration) -> Vec<LifecycleEvent> {
        self.now += time;
        self.living.look_again(self.now)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.root as &Path);
    }
}

fn fork(pid: u32) -> Event {
    Event::Fork { parent_tgid: PARENT, tid: pid, tgid: pid }
}

fn thread(tid: u32) -> Event {
    Event::Fork { parent_tgid: PARENT, tid, tgid: PID }
}

fn exit(tid: u32, status: u32) -> Event {
    Event::Exit { tid, tgid: PID, status, parent_tgid: None }
}

fn process(pid: u32, started: u64, threads: u32, status: ProcessStatus) -> Process {
    let identity = ProcessIdentity { name: "old".into(), cmdline: None, username: Some("ada".into()), terminal: None };
    Process {
        pid,
        ppid: 1,
        started,
        cpu_time: None,
        memory: None,
        uid: Some(1000),
        num_threads: Some(threads),
        cpu_num: None,
        nice: None,
        status,
        identity: Arc::new(identity),
    }
}

fn kinds(events: &[LifecycleEvent]) -> Vec<(LifecycleKind, u32)> {
    events.iter().map(|event| (event.kind, event.pid)).collect()
}

#[test]
fn a_life_is_told_with_what_proc_says() {
    let mut machine = Machine::new();
    machine.has(PID, "sh", 'R', 1, START);
    let events = machine.hear(&[fork(PID)]);
    let expected = LifecycleEvent {
        kind: LifecycleKind::Started,
        pid: PID,
        started: Some(START),
        ppid: Some(PARENT),
        name: Some("sh".into()),
        username: Some("ada".into()),
        cmdline: Some(["/bin/sh".into(), "-v".into()].into()),
        exit_code: None,
        signal: None,
        at: (START + 1) * 10,
    };
    assert_eq!(events, std::slice::from_ref(&expected));
    machine.has(PID, "sleep", 'S', 1, START);
    let cmdline: Option<Arc<[Arc<str>]>> = Some(["/bin/sleep".into(), "-v".into()].into());
    let exec = LifecycleEvent {
        kind: LifecycleKind::Exec,
        name: Some("sleep".into()),
        cmdline,
        at: (START + 2) * 10,
        ..expected
    };
    assert_eq!(machine.hear(&[Event::Exec { tgid: PID }]), std::slice::from_ref(&exec));
    machine.lacks(PID);
    let exited = LifecycleEvent { kind: LifecycleKind::Exited, exit_code: Some(3), at: (START + 3) * 10, ..exec };
    assert_eq!(machine.hear(&[exit(PID, 3 << 8)]), [exited]);
}

#[test]
fn who_is_gone_before_it_was_read_is_told_without_what_is_not_known() {
    let mut machine = Machine::new();
    let events = machine.hear(&[fork(PID), exit(PID, 9)]);
    assert_eq!(kinds(&events), [(LifecycleKind::Started, PID), (LifecycleKind::Exited, PID)]);
    assert_eq!((events[0].started, events[0].ppid), (None, Some(PARENT)));
    assert_eq!((&events[1].name, &events[1].cmdline, events[1].signal), (&None, &None, Some(9)));
}

#[test]
fn a_process_that_has_the_pid_by_now_is_not_taken_for_the_one_that_is_gone() {
    let mut machine = Machine::new();
    machine.has(PID, "other", 'R', 1, START + 1_000);
    let events = machine.hear(&[fork(PID)]);
    assert_eq!((events[0].started, &events[0].name, &events[0].cmdline), (None, &None, &None));
}

#[test]
fn a_child_that_is_gone_ran_as_its_parent_did() {
    let mut machine = Machine::new();
    machine.seed(vec![process(PARENT, 5, 1, ProcessStatus::Sleeping)]);
    let events = machine.hear(&[fork(PID)]);
    assert_eq!(events[0].username.as_deref(), Some("ada"));
}

#[test]
fn threads_are_nobody() {
    let mut machine = Machine::new();
    machine.has(PID, "sh", 'R', 2, START);
    assert_eq!(machine.hear(&[fork(PID), thread(50), exit(50, 0)]).len(), 1);
}

#[test]
fn a_process_lives_as_long_as_any_of_its_threads() {
    let mut machine = Machine::new();
    machine.has(PID, "java", 'S', 3, START);
    machine.hear(&[fork(PID), thread(50), thread(51)]);
    machine.has(PID, "java", 'Z', 3, START);
    assert_eq!(machine.hear(&[exit(PID, 5 << 8)]), []);
    machine.has(PID, "java", 'Z', 2, START);
    assert_eq!(machine.hear(&[exit(50, 0)]), []);
    machine.has(PID, "java", 'Z', 1, START);
    let events = machine.hear(&[exit(51, 7 << 8)]);
    assert_eq!(kinds(&events), [(LifecycleKind::Exited, PID)]);
    assert_eq!((events[0].exit_code, events[0].at), (Some(7), machine.ticks * 10));
}

#[test]
fn a_last_thread_that_lingers_is_looked_for_again() {
    let mut machine = Machine::new();
    machine.has(PID, "java", 'S', 2, START);
    machine.hear(&[fork(PID), thread(50)]);
    machine.has(PID, "java", 'Z', 2, START);
    assert_eq!(machine.hear(&[exit(50, 0), exit(PID, 0)]), []);
    assert_eq!(machine.pass(FIRST_LOOK), []);
    machine.has(PID, "java", 'Z', 1, START);
    assert_eq!(machine.pass(FIRST_LOOK), []);
    let events = machine.pass(FIRST_LOOK);
    assert_eq!(kinds(&events), [(LifecycleKind::Exited, PID)]);
    assert_eq!(events[0].at, machine.ticks * 10);
    assert_eq!(machine.living.next_look(), None);
}

#[test]
fn threads_that_live_on_are_not_looked_at_for_ever() {
    let mut machine = Machine::new();
    machine.has(PID, "java", 'Z', 2, START);
    machine.hear(&[fork(PID), thread(50), exit(PID, 0)]);
    let mut looks = 0;
    while let Some(due) = machine.living.next_look() {
        let time = due - machine.now;
        assert_eq!(machine.pass(time), []);
        looks += 1;
        assert!(looks < 20);
    }
    machine.lacks(PID);
    assert_eq!(kinds(&machine.hear(&[exit(50, 0)])), [(LifecycleKind::Exited, PID)]);
}

#[test]
fn a_thread_that_executes_a_program_becomes_the_process() {
    let mut machine = Machine::new();
    machine.has(PID, "java", 'S', 2, START);
    machine.hear(&[fork(PID), thread(50)]);
    machine.has(PID, "sleep", 'S', 1, START);
    let events = machine.hear(&[exit(PID, 0), Event::Exec { tgid: PID }]);
    assert_eq!(kinds(&events), [(LifecycleKind::Exec, PID)]);
    machine.lacks(PID);
    assert_eq!(kinds(&machine.hear(&[exit(PID, 0)])), [(LifecycleKind::Exited, PID)]);
}

#[test]
fn a_change_of_user_shows_at_the_end() {
    let mut machine = Machine::new();
    machine.has(PID, "sudo", 'R', 1, START);
    machine.hear(&[fork(PID), Event::User { tid: PID, tgid: PID, real: 0 }]);
    let events = machine.hear(&[exit(PID, 0)]);
    assert_eq!(events[0].username.as_deref(), Some("root"));
}

#[test]
fn what_the_sample_shows_already_is_not_told_again() {
    let mut machine = Machine::new();
    machine.has(PID, "sh", 'R', 1, START);
    let old = [
        fork(PID),
        Event::Exec { tgid: PID },
        fork(42),
        Event::Exit { tid: 42, tgid: 42, status: 0, parent_tgid: None },
    ];
    let old: Vec<Message> = old.into_iter().map(|event| machine.message(event)).collect();
    machine.seed(vec![process(PID, START, 1, ProcessStatus::Sleeping)]);
    assert_eq!(machine.living.note(&old, machine.now, AheadOfMonotonic::default()), []);
    // 43 started while the sample was being read, and is in it; 44 and 45 are not, and 45 executed something.
    machine.seed(vec![process(43, machine.ticks + 2, 1, ProcessStatus::Running)]);
    let exit = |pid| Event::Exit { tid: pid, tgid: pid, status: 0, parent_tgid: None };
    let events = machine.hear(&[fork(43), exit(44), Event::Exec { tgid: 45 }, exit(45), exit(43)]);
    assert_eq!(kinds(&events), [(LifecycleKind::Exited, 43)]);
}

#[test]
fn a_sample_names_who_ends_later() {
    let mut machine = Machine::new();
    machine.seed(vec![process(PID, 5, 1, ProcessStatus::Sleeping), process(42, 5, 1, ProcessStatus::Zombie)]);
    let events = machine.hear(&[exit(PID, 1 << 8)]);
    assert_eq!((events[0].started, events[0].name.as_deref(), events[0].ppid), (Some(5), Some("old"), Some(1)));
    assert!(machine.living.known.is_empty(), "a zombie has ended: {:?}", machine.living.known);
}

#[test]
fn a_main_thread_that_ended_before_the_sample_is_waited_for() {
    let mut machine = Machine::new();
    machine.seed(vec![process(PID, START, 2, ProcessStatus::Zombie)]);
    machine.has(PID, "java", 'Z', 1, START);
    let events = machine.hear(&[exit(50, 2 << 8)]);
    assert_eq!((kinds(&events), events[0].exit_code), (vec![(LifecycleKind::Exited, PID)], Some(2)));
}

#[test]
fn a_pid_given_out_again_is_another_process() {
    let mut machine = Machine::new();
    machine.seed(vec![process(PID, 5, 1, ProcessStatus::Sleeping)]);
    machine.has(PID, "new", 'R', 1, START);
    let events = machine.hear(&[exit(PID, 0), fork(PID)]);
    assert_eq!(kinds(&events), [(LifecycleKind::Exited, PID), (LifecycleKind::Started, PID)]);
    assert_eq!((events[0].started, events[1].started), (Some(5), Some(START)));
}

#[test]
fn as_many_are_remembered_as_live() {
    let mut machine = Machine::new();
    for pid in 1_000..3_000 {
        let end = Event::Exit { tid: pid, tgid: pid, status: 0, parent_tgid: None };
        assert_eq!(machine.hear(&[fork(pid), Event::Exec { tgid: pid }, end]).len(), 3);
    }
    assert!(machine.living.known.is_empty());
    assert!(machine.living.looks.is_empty());
}

#[test]
fn a_zombie_still_has_its_name() {
    let mut machine = Machine::new();
    machine.has(PID, "true", 'Z', 1, START);
    let events = machine.hear(&[fork(PID), Event::Exec { tgid: PID }, exit(PID, 0)]);
    let exited = events.last().unwrap();
    assert_eq!(
        (exited.kind, exited.name.as_deref(), exited.started),
        (LifecycleKind::Exited, Some("true"), Some(START))
    );
    assert_eq!(exited.cmdline, None, "a zombie has no command line to read");
}
