//! Life-cycle events of real processes, as the kernel tells them and as sweeps show them. Where the kernel does not let
//! this test listen, it must say why.
#![cfg(target_os = "linux")]

mod common;

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use common::{Fellow, Folder, running, sweep, until};
use psio_api::data::lifecycle::{LifecycleEvent, LifecycleKind, Lost, changes};
use psio_probe::{LifecycleSource, LifecycleUnavailable, Options, Roots, SourceKind, open, open_lifecycle};

use LifecycleKind::{Exec, Exited, Started};

/// A storm of one test would overflow the ear of another.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Listens to the machine and remembers what it heard.
struct Ear {
    source: Box<dyn LifecycleSource>,
    heard: Vec<LifecycleEvent>,
    lost: Option<Lost>,
    _alone: MutexGuard<'static, ()>,
}

impl Ear {
    /// `None` where the kernel refuses, for a reason that is checked.
    fn open() -> Option<Self> {
        let alone = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut source = match open_lifecycle(&Options::default()) {
            Ok(source) => source,
            Err(reason) => {
                check_refusal(&reason);
                return None;
            }
        };
        source.seed(&sweep(&mut *open(&Options::default()).expect("the native source")));
        Some(Self { source, heard: Vec::new(), lost: None, _alone: alone })
    }

    fn listen(&mut self, time: Duration) {
        let batch = self.source.next(time).expect("events");
        self.heard.extend(batch.events);
        self.lost = self.lost.or(batch.lost);
    }

    /// What happened to this process, once it has ended.
    fn life_of(&mut self, pid: u32) -> Vec<LifecycleEvent> {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !self.heard.iter().any(|event| event.pid == pid && event.kind == Exited) {
            assert!(Instant::now() < deadline, "{pid} never ended; heard {:?}", self.of(pid));
            self.listen(Duration::from_millis(100));
        }
        self.of(pid)
    }

    fn of(&self, pid: u32) -> Vec<LifecycleEvent> {
        self.heard.iter().filter(|event| event.pid == pid).cloned().collect()
    }

    fn until(&mut self, what: &str, found: impl Fn(&LifecycleEvent) -> bool) -> LifecycleEvent {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(event) = self.heard.iter().find(|event| found(event)) {
                return event.clone();
            }
            assert!(Instant::now() < deadline, "never heard of {what}");
            self.listen(Duration::from_millis(100));
        }
    }
}

/// A refusal must be one of those that this process can be seen to deserve.
fn check_refusal(reason: &LifecycleUnavailable) {
    let namespace = |name: &str| {
        std::fs::read_link(format!("/proc/self/ns/{name}")).expect("a namespace").to_string_lossy().into_owned()
    };
    let in_initial_namespaces = namespace("pid") == "pid:[4026531836]" && namespace("user") == "user:[4026531837]";
    match reason {
        LifecycleUnavailable::Namespace(_) => assert!(!in_initial_namespaces, "{reason}"),
        LifecycleUnavailable::Denied { .. } => {
            assert!(!common::is_root() || !in_initial_namespaces || !may_administer_the_network(), "{reason}");
        }
        // Another network namespace, or a kernel without the connector.
        LifecycleUnavailable::Unsupported { .. } | LifecycleUnavailable::NoAnswer(_) => {
            let connectors = std::fs::read_to_string("/proc/net/connector").unwrap_or_default();
            assert!(!connectors.contains("cn_proc"), "{reason}, though there is a connector: {connectors}");
        }
        other => panic!("no reason to refuse: {other}"),
    }
}

fn may_administer_the_network() -> bool {
    const CAP_NET_ADMIN: u64 = 1 << 12;
    let status = std::fs::read_to_string("/proc/self/status").expect("status");
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:")).expect("capabilities");
    u64::from_str_radix(line.trim(), 16).expect("a mask") & CAP_NET_ADMIN != 0
}

fn kinds(life: &[LifecycleEvent]) -> Vec<LifecycleKind> {
    life.iter().map(|event| event.kind).collect()
}

fn end_of(life: &[LifecycleEvent]) -> (Option<u8>, Option<i32>) {
    life.last().map(|event| (event.exit_code, event.signal)).expect("an end")
}

fn spawn(command: &mut Command) -> Child {
    command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().expect("a program to run")
}

#[test]
fn a_life_is_told_from_start_to_end() {
    let Some(mut ear) = Ear::open() else { return };
    // What it is can be read while it is there.
    let mut fellow = Fellow::shell("read x; exit 0");
    let pid = fellow.pid();
    ear.until("its exec", |event| event.pid == pid && event.kind == Exec);
    drop(fellow.0.stdin.take());
    fellow.0.wait().expect("its end");
    let life = ear.life_of(pid);
    assert_eq!(kinds(&life), [Started, Exec, Exited]);
    assert_eq!(end_of(&life), (Some(0), None));
    let user = sweep(&mut *open(&Options::default()).expect("a source"))
        .value
        .find(std::process::id())
        .and_then(|own| own.identity.username.clone());
    let wall_ms = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock").as_millis();
    for event in &life {
        assert_eq!(event.ppid, Some(std::process::id()), "{event:?}");
        assert!(event.started.is_some() && event.started == life[0].started, "{event:?}");
        assert_eq!(event.username, user, "{event:?}");
        let age = wall_ms.checked_sub(u128::from(event.at)).expect("the past");
        assert!(age < 20_000, "{age} ms ago: {event:?}");
    }
    assert!(life.is_sorted_by_key(|event| event.at), "{life:?}");
    for event in &life[1..] {
        assert_eq!(event.name.as_deref(), Some("sh"));
        assert_eq!(event.cmdline.as_deref(), Some(&["sh".into(), "-c".into(), "read x; exit 0".into()][..]));
    }
}

#[test]
fn exit_codes_and_signals_are_told() {
    let Some(mut ear) = Ear::open() else { return };
    let mut three = spawn(Command::new("sh").args(["-c", "exit 3"]));
    let mut most = spawn(Command::new("sh").args(["-c", "exit 255"]));
    let mut killed = spawn(Command::new("sleep").arg("1000"));
    let mut aborted = spawn(Command::new("sh").args(["-c", "ulimit -c 0; kill -ABRT $$"]));
    killed.kill().expect("a signal");
    for child in [&mut three, &mut most, &mut killed, &mut aborted] {
        child.wait().expect("its end");
    }
    assert_eq!(end_of(&ear.life_of(three.id())), (Some(3), None));
    assert_eq!(end_of(&ear.life_of(most.id())), (Some(255), None));
    assert_eq!(end_of(&ear.life_of(killed.id())), (None, Some(9)));
    assert_eq!(end_of(&ear.life_of(aborted.id())), (None, Some(6)));
}

#[test]
fn a_program_in_place_of_another_is_an_exec() {
    let Some(mut ear) = Ear::open() else { return };
    let mut fellow = Fellow::shell("sleep 0.1; read x; exec cat");
    let pid = fellow.pid();
    let inner = ear.until("the first program's end", |event| event.ppid == Some(pid) && event.kind == Exited);
    assert_eq!(inner.exit_code, Some(0));
    writeln!(fellow.0.stdin.as_mut().expect("its stdin")).expect("that it listens");
    ear.until("cat", |event| event.pid == pid && event.name.as_deref() == Some("cat"));
    drop(fellow.0.stdin.take());
    fellow.0.wait().expect("its end");
    let life = ear.life_of(pid);
    assert_eq!(kinds(&life), [Started, Exec, Exec, Exited]);
    assert_eq!(life[3].name.as_deref(), Some("cat"));
    assert_eq!(life[3].started, life[2].started);
}

#[test]
fn a_short_life_is_not_missed() {
    let Some(mut ear) = Ear::open() else { return };
    let mut child = spawn(&mut Command::new("true"));
    child.wait().expect("its end");
    let life = ear.life_of(child.id());
    assert_eq!(kinds(&life), [Started, Exec, Exited]);
    assert_eq!(end_of(&life), (Some(0), None));
}

#[test]
fn a_change_of_user_is_noticed() {
    if !common::is_root() {
        return;
    }
    let Some(mut ear) = Ear::open() else { return };
    let mut child = spawn(Command::new("sleep").arg("0.2").uid(65_534).gid(65_534));
    let life = ear.life_of(child.id());
    child.wait().expect("its end");
    assert_eq!(kinds(&life), [Started, Exec, Exited]);
    assert_eq!(life[1].username.as_deref(), Some("nobody"));
    assert_eq!(life[2].username.as_deref(), Some("nobody"));
}

/// Threads of this very test process come and go without a word.
#[test]
fn threads_are_not_told() {
    let Some(mut ear) = Ear::open() else { return };
    for _ in 0..20 {
        std::thread::spawn(|| {}).join().expect("a thread");
    }
    let mut child = spawn(&mut Command::new("true"));
    child.wait().expect("its end");
    ear.life_of(child.id());
    assert_eq!(ear.of(std::process::id()), []);
}

/// The threads that a program runs do not hide its end, whichever of them ends last.
#[test]
fn a_program_of_many_threads_ends_once() {
    let Some(mut ear) = Ear::open() else { return };
    let script = "import threading, time, os\n\
                  for _ in range(8): threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()\n\
                  threading.Thread(target=lambda: os._exit(7)).start()\n\
                  time.sleep(1000)";
    let Ok(mut child) = Command::new("/usr/bin/python3").args(["-c", script]).stdin(Stdio::null()).spawn() else {
        return;
    };
    child.wait().expect("its end");
    let life = ear.life_of(child.id());
    assert_eq!(kinds(&life), [Started, Exec, Exited]);
    assert_eq!(end_of(&life), (Some(7), None));
}

#[test]
fn five_hundred_at_once_are_all_told() {
    let Some(mut ear) = Ear::open() else { return };
    let script = "i=0; while [ $i -lt 500 ]; do sleep 1 & i=$((i+1)); done; wait; exit 9";
    let mut child = spawn(Command::new("sh").args(["-c", script]));
    let pid = child.id();
    let life = ear.life_of(pid);
    child.wait().expect("its end");
    assert_eq!(end_of(&life), (Some(9), None));
    assert_eq!(ear.lost, None);
    let children: Vec<u32> = ear
        .heard
        .iter()
        .filter(|event| event.kind == Started && event.ppid == Some(pid))
        .map(|event| event.pid)
        .collect();
    assert_eq!(children.len(), 500);
    for child in children {
        let life = ear.of(child);
        assert_eq!(kinds(&life), [Started, Exec, Exited], "{life:?}");
        assert_eq!(end_of(&life), (Some(0), None));
        assert_eq!(life[2].name.as_deref(), Some("sleep"), "{life:?}");
        assert!(life[2].started.is_some(), "{life:?}");
    }
}

#[test]
fn what_a_storm_drops_is_told_as_lost_and_listening_goes_on() {
    let Some(mut ear) = Ear::open() else { return };
    // Nobody listens meanwhile: more than the kernel holds back.
    let script = "i=0; while [ $i -lt 12000 ]; do (:) ; i=$((i+1)); done";
    let status = Command::new("sh").args(["-c", script]).status().expect("sh");
    assert!(status.success());
    let deadline = Instant::now() + Duration::from_secs(20);
    while ear.lost.is_none() {
        assert!(Instant::now() < deadline, "no loss was told; heard {}", ear.heard.len());
        ear.listen(Duration::from_millis(100));
    }
    assert_eq!(ear.lost, Some(Lost(None)));
    ear.source.seed(&sweep(&mut *open(&Options::default()).expect("a source")));
    ear.heard.clear();
    let mut child = spawn(Command::new("sh").args(["-c", "exit 4"]));
    child.wait().expect("its end");
    let life = ear.life_of(child.id());
    assert_eq!((kinds(&life), end_of(&life)), (vec![Started, Exec, Exited], (Some(4), None)));
}

#[test]
fn sweeps_and_the_kernel_agree_about_who_lives_long_enough() {
    let mut source = open(&Options::default()).expect("the native source");
    let before = sweep(&mut *source);
    let mut ear = Ear::open();
    let long = Fellow::spawn(Command::new("sleep").arg("1000"));
    let mut other = Fellow::shell("read x; exec sleep 1000");
    running(&mut *source, &long, "sleep");
    let shell = running(&mut *source, &other, "sh");
    let hears = |ear: &mut Option<Ear>, pid, program: &str| {
        // What it was is read when its event is heard.
        if let Some(ear) = ear {
            ear.until(program, |event| {
                event.pid == pid && event.kind == Exec && event.name.as_deref() == Some(program)
            });
        }
    };
    hears(&mut ear, long.pid(), "sleep");
    hears(&mut ear, other.pid(), "sh");
    let middle = sweep(&mut *source);
    let by_sweeps = |from, to, pid| -> Vec<LifecycleEvent> {
        changes(from, to, 0).into_iter().filter(|event| event.pid == pid).collect()
    };
    let started = by_sweeps(&before.value, &middle.value, long.pid());
    assert_eq!(kinds(&started), [Started]);
    writeln!(other.0.stdin.as_mut().expect("its stdin")).expect("that it listens");
    running(&mut *source, &other, "sleep");
    hears(&mut ear, other.pid(), "sleep");
    let later = sweep(&mut *source);
    let exec = by_sweeps(&middle.value, &later.value, other.pid());
    assert_eq!(kinds(&exec), [Exec]);
    assert_eq!((exec[0].name.as_deref(), exec[0].started), (Some("sleep"), Some(shell.started)));
    let (long_pid, other_pid) = (long.pid(), other.pid());
    drop((long, other));
    until(&mut *source, "their absence", |sample| {
        (sample.find(long_pid).is_none() && sample.find(other_pid).is_none()).then_some(())
    });
    let after = sweep(&mut *source);
    let exited = by_sweeps(&later.value, &after.value, long_pid);
    assert_eq!((kinds(&exited), end_of(&exited)), (vec![Exited], (None, None)));

    let Some(ear) = &mut ear else { return };
    let life = ear.life_of(long_pid);
    let same = |told: &LifecycleEvent, seen: &LifecycleEvent| {
        let of = |event: &LifecycleEvent| {
            (event.kind, event.started, event.ppid, event.username.clone(), event.name.clone(), event.cmdline.clone())
        };
        assert_eq!(of(told), of(seen));
    };
    assert_eq!(kinds(&life), [Started, Exec, Exited]);
    assert_eq!(life[0].started, started[0].started);
    same(&life[2], &exited[0]);
    assert_eq!(life[2].signal, Some(9));
    let life = ear.life_of(other_pid);
    assert_eq!(kinds(&life), [Started, Exec, Exec, Exited]);
    same(&life[2], &exec[0]);
}

#[test]
fn who_lived_before_is_named_at_the_end() {
    let mut source = open(&Options::default()).expect("the native source");
    let fellow = Fellow::spawn(Command::new("sleep").arg("1000"));
    let process = running(&mut *source, &fellow, "sleep");
    let Some(mut ear) = Ear::open() else { return };
    drop(fellow);
    let life = ear.life_of(process.pid);
    assert_eq!(kinds(&life), [Exited]);
    assert_eq!((life[0].started, life[0].name.as_deref()), (Some(process.started), Some("sleep")));
    assert_eq!(life[0].cmdline, process.identity.cmdline);
    assert_eq!(end_of(&life), (None, Some(9)));
}

#[test]
fn other_sources_say_that_they_have_none() {
    for (kind, name) in [(SourceKind::Portable, "portable"), (SourceKind::Replay("x".into()), "replay")] {
        let options = Options { kind, ..Options::default() };
        let reason = open_lifecycle(&options).err().expect("a refusal").to_string();
        assert!(reason.contains(name), "{reason}");
    }
}

#[test]
fn a_proc_of_another_machine_is_not_mixed_with_events_of_this_one() {
    let folder = Folder::new();
    std::os::unix::fs::symlink("4000000000", folder.path().join("self")).expect("a link");
    let roots = Roots { proc: folder.path().into(), ..Roots::default() };
    let reason = open_lifecycle(&Options { roots, ..Options::default() }).err().expect("a refusal");
    assert!(matches!(reason, LifecycleUnavailable::OtherPids(_)), "{reason}");
}
