//! What every source must do, asked of each of them on this machine.

mod common;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use common::{Fellow, Folder, copy_program, running, sweep, until};
use psio_api::data::process::{Process, ProcessId, ProcessStatus};
use psio_api::data::topics::Topics;
use psio_api::data::unknown::Reason;
use psio_probe::{Options, Source, SourceKind, Strategy, open};

fn native(strategy: Strategy) -> Box<dyn Source> {
    open(&Options { strategy, ..Options::default() }).expect("the native source")
}

fn portable() -> Box<dyn Source> {
    open(&Options { kind: SourceKind::Portable, ..Options::default() }).expect("the portable source")
}

/// The suite, once per source.
macro_rules! conformance {
    ($($source:ident: $open:expr),* $(,)?) => { $(
        mod $source {
            #[test]
            fn finds_itself() { super::finds_itself(&mut *$open) }
            #[test]
            fn finds_a_child_with_its_arguments() { super::finds_a_child_with_its_arguments(&mut *$open) }
            #[test]
            fn odd_names_are_told_whole() { super::odd_names_are_told_whole(&mut *$open) }
            #[test]
            fn a_zombie_is_one() { super::a_zombie_is_one(&mut *$open) }
            #[test]
            fn who_ended_is_gone() { super::who_ended_is_gone(&mut *$open) }
            #[test]
            fn pids_ascend_and_are_unique() { super::pids_ascend_and_are_unique(&mut *$open) }
            #[test]
            fn counters_never_decrease() { super::counters_never_decrease(&mut *$open) }
            #[test]
            fn start_and_identity_stay() { super::start_and_identity_stay(&mut *$open) }
            #[test]
            fn memory_makes_sense() { super::memory_makes_sense(&mut *$open) }
            #[test]
            fn cpus_make_sense() { super::cpus_make_sense(&mut *$open) }
            #[test]
            fn work_shows_in_cpu_time() { super::work_shows_in_cpu_time(&mut *$open) }
            #[test]
            fn host_makes_sense() { super::host_makes_sense(&mut *$open) }
            #[test]
            fn moments_move_on() { super::moments_move_on(&mut *$open) }
            #[test]
            fn only_what_was_asked_for_is_read() { super::only_what_was_asked_for_is_read(&mut *$open) }
            #[test]
            fn what_is_not_known_has_a_reason() { super::what_is_not_known_has_a_reason(&mut *$open) }
            #[test]
            fn details_are_of_the_process_that_was_meant() {
                super::details_are_of_the_process_that_was_meant(&mut *$open)
            }
        }
    )* };
}

conformance! {
    kept: super::native(super::Strategy::Kept),
    opened: super::native(super::Strategy::Opened),
    portable: super::portable(),
}

fn finds_itself(source: &mut dyn Source) {
    let sample = sweep(source);
    let own = sample.value.find(std::process::id()).expect("this process");
    let memory = own.memory.expect("its memory");
    assert!(memory.rss_bytes > 100_000 && memory.rss_bytes <= memory.vms_bytes, "{memory:?}");
    assert!(sample.value.find(own.ppid).is_some(), "its parent");
    assert!(own.cpu_time.is_some());
    let born = own.started / u64::from(sample.value.ticks_per_second);
    let age = (sample.at.since_boot_ns / 1_000_000_000).saturating_sub(born);
    assert!(age < 24 * 3600, "this test did not start {age} s ago");
}

fn finds_a_child_with_its_arguments(source: &mut dyn Source) {
    let fellow = Fellow::spawn(Command::new("sh").args(["-c", "read x", "zero", "a b"]));
    let process = running(source, &fellow, "sh");
    let cmdline = process.identity.cmdline.clone().expect("its arguments");
    assert_eq!(cmdline.iter().map(|arg| &**arg).collect::<Vec<_>>(), ["sh", "-c", "read x", "zero", "a b"]);
    assert_eq!(process.ppid, std::process::id());
    let own = sweep(source).value.find(std::process::id()).cloned().expect("this process");
    assert_eq!(process.uid, own.uid);
    assert_eq!(process.identity.username, own.identity.username);
}

fn odd_names_are_told_whole(source: &mut dyn Source) {
    let folder = Folder::new();
    for name in [&b"a) R 1 (b"[..], b"new\nline", b"sp ace", b"\xff\xfeb", b"<b>&amp;"] {
        let path = folder.path().join(OsStr::from_bytes(name));
        copy_program("/bin/sleep", &path);
        let fellow = Fellow::spawn(Command::new(&path).arg("1000"));
        running(source, &fellow, &String::from_utf8_lossy(name));
    }
}

fn a_zombie_is_one(source: &mut dyn Source) {
    let fellow = Fellow::shell("exit 0");
    let zombie = until(source, "a zombie", |sample| {
        sample.find(fellow.pid()).filter(|process| process.status == ProcessStatus::Zombie).cloned()
    });
    assert_eq!(zombie.memory.map(|memory| memory.rss_bytes), Some(0));
    assert_eq!(zombie.identity.cmdline.as_deref(), Some(&[][..]));
    assert_eq!(&*zombie.identity.name, "sh");
}

fn who_ended_is_gone(source: &mut dyn Source) {
    let fellow = Fellow::shell("read x");
    let pid = fellow.pid();
    running(source, &fellow, "sh");
    drop(fellow);
    until(source, "its absence", |sample| sample.find(pid).is_none().then_some(()));
}

fn pids_ascend_and_are_unique(source: &mut dyn Source) {
    for _ in 0..3 {
        let sample = sweep(source);
        assert!(sample.value.processes.is_sorted_by(|a, b| a.pid < b.pid));
        assert!(sample.value.processes.len() > 3);
    }
}

fn by_id(source: &mut dyn Source) -> BTreeMap<ProcessId, Process> {
    sweep(source).value.processes.iter().map(|process| (process.id(), process.clone())).collect()
}

fn counters_never_decrease(source: &mut dyn Source) {
    let (mut before, mut cpus) = (by_id(source), cpu_totals(source));
    for _ in 0..5 {
        thread::sleep(Duration::from_millis(20));
        let now = by_id(source);
        for (id, process) in &now {
            let Some(earlier) = before.get(id) else { continue };
            let (then, now) = (earlier.cpu_time.expect("times"), process.cpu_time.expect("times"));
            assert!(now.total_ns >= then.total_ns && now.system_ns >= then.system_ns, "{id}");
        }
        let totals = cpu_totals(source);
        assert!(totals.iter().zip(&cpus).all(|(now, then)| now >= then));
        (before, cpus) = (now, totals);
    }
}

/// Without iowait, which may decrease.
fn cpu_totals(source: &mut dyn Source) -> Vec<u64> {
    let snapshot = source.sample(Topics::CPU).expect("cpus");
    let cpus = &snapshot.cpus.expect("cpus").value.cpus;
    cpus.iter().map(|cpu| cpu.user_ticks + cpu.nice_ticks + cpu.system_ticks).collect()
}

fn start_and_identity_stay(source: &mut dyn Source) {
    let fellow = Fellow::shell("read x");
    let first = running(source, &fellow, "sh");
    for _ in 0..5 {
        let again = sweep(source).value.find(fellow.pid()).cloned().expect("it still runs");
        assert_eq!((again.id(), &again.identity), (first.id(), &first.identity));
    }
}

fn memory_makes_sense(source: &mut dyn Source) {
    let snapshot = source.sample(Topics::MEMORY | Topics::PROCESSES).expect("memory");
    let memory = snapshot.memory.expect("memory").value;
    let (available, free) = (memory.available_bytes.expect("it"), memory.free_bytes.expect("it"));
    assert!(memory.total_bytes > 1 << 26);
    assert!(available <= memory.total_bytes && free <= memory.total_bytes);
    assert!(memory.swap_free_bytes.expect("it") <= memory.swap_total_bytes.expect("it"));
    assert!(memory.wired_bytes.is_none_or(|wired| wired > 0 && wired < memory.total_bytes));
    let processes = &snapshot.processes.expect("processes").value;
    assert_eq!(processes.memory_total_bytes, Some(memory.total_bytes));
}

fn cpus_make_sense(source: &mut dyn Source) {
    let snapshot = source.sample(Topics::CPU | Topics::HOST).expect("cpus");
    let cpus = &snapshot.cpus.expect("cpus").value.cpus;
    assert!(cpus.is_sorted_by(|a, b| a.num < b.num));
    assert_eq!(snapshot.host.expect("host").value.logical_cpus, u32::try_from(cpus.len()).ok());
}

fn work_shows_in_cpu_time(source: &mut dyn Source) {
    let pid = std::process::id();
    let time = |source: &mut dyn Source| {
        let sample = sweep(source);
        sample.value.find(pid).and_then(|own| own.cpu_time).expect("its time").total_ns
    };
    let before = time(source);
    let busy = Instant::now();
    while busy.elapsed() < Duration::from_millis(300) {
        std::hint::black_box((0..1000).sum::<u64>());
    }
    // Others may have had the processor for most of that time, but not for all of it.
    assert!(time(source) >= before + 20_000_000);
}

fn host_makes_sense(source: &mut dyn Source) {
    let host = source.sample(Topics::HOST).expect("host").host.expect("host").value.clone();
    assert!(host.hostname.is_some_and(|name| !name.is_empty()));
    assert!(host.kernel.is_some() && host.architecture.is_some());
    assert!(host.logical_cpus.expect("it") >= host.physical_cores.unwrap_or(1).min(1));
    assert!(host.load_average.expect("it").iter().all(|load| *load >= 0.0));
    let now = source.now();
    let boot_ms = now.wall_ms - now.since_boot_ns / 1_000_000;
    let told_ms = host.boot_time.expect("it") * 1000;
    assert!(boot_ms.abs_diff(told_ms) < 3000, "{boot_ms} and {told_ms}");
}

fn moments_move_on(source: &mut dyn Source) {
    let before = source.now();
    let first = sweep(source).at;
    let second = sweep(source).at;
    let after = source.now();
    assert!(before.since_boot_ns <= first.since_boot_ns);
    assert!(first.since_boot_ns < second.since_boot_ns);
    assert!(second.since_boot_ns <= after.since_boot_ns);
}

fn only_what_was_asked_for_is_read(source: &mut dyn Source) {
    let nothing = source.sample(Topics::NONE | Topics::DAEMON).expect("nothing");
    assert!(Topics::each().all(|topic| nothing.at(topic).is_none()));
    let memory = source.sample(Topics::MEMORY).expect("memory");
    assert!(memory.memory.is_some() && memory.processes.is_none() && memory.cpus.is_none());
    assert_eq!(source.sweep_stats().count, 0);
    sweep(source);
    let stats = source.sweep_stats();
    assert_eq!(stats.count, 1);
    assert!(stats.processes > 3 && stats.last_us > 0.0);
}

fn what_is_not_known_has_a_reason(source: &mut dyn Source) {
    let sample = sweep(source);
    let rows = &sample.value.processes;
    type IsMissing = fn(&Process) -> bool;
    let missing: [(&str, IsMissing); 8] = [
        ("cpu_times", |process| process.cpu_time.is_none_or(|time| time.system_ns.is_none())),
        ("memory_info", |process| process.memory.is_none()),
        ("uid", |process| process.uid.is_none()),
        ("num_threads", |process| process.num_threads.is_none()),
        ("cpu_num", |process| process.cpu_num.is_none()),
        ("nice", |process| process.nice.is_none()),
        ("cmdline", |process| process.identity.cmdline.is_none()),
        ("terminal", |process| process.identity.terminal.is_none()),
    ];
    for (field, is_missing) in missing {
        let told = sample.value.unknown.contains_key(field);
        assert_eq!(rows.iter().any(is_missing), told, "{field}");
    }
}

fn details_are_of_the_process_that_was_meant(source: &mut dyn Source) {
    let own = sweep(source).value.find(std::process::id()).map(Process::id).expect("this process");
    let another = ProcessId { started: own.started + 1, ..own };
    let nobody = ProcessId { pid: u32::MAX, started: 1 };
    let details = source.details(&[own, another, nobody]);
    assert_eq!(details.keys().collect::<Vec<_>>(), [&own]);
    let own = &details[&own];
    let told = own.oom_score.is_some();
    assert_eq!(told, !own.unknown.contains_key("oom_score"));
    assert!(own.unknown.keys().all(|name| ["num_ctx_switches", "cgroup", "oom_score"].contains(&name.as_str())));
}

#[test]
fn kernel_threads_have_neither_memory_nor_arguments() {
    let mut source = native(Strategy::Auto);
    let sample = sweep(&mut *source);
    // Under a process namespace of its own there are none.
    let kernel = sample.value.processes.iter().filter(|process| process.ppid == 2);
    for thread in kernel {
        assert_eq!(thread.memory.map(|memory| memory.vms_bytes), Some(0));
        assert_eq!(thread.identity.cmdline.as_deref(), Some(&[][..]));
        assert_eq!((thread.uid, thread.identity.terminal.as_deref()), (Some(0), None));
    }
}

#[test]
fn native_sources_know_everything_but_terminals() {
    let mut source = native(Strategy::Auto);
    let unknown = sweep(&mut *source).value.unknown.clone();
    assert!(
        unknown
            .iter()
            .all(|(field, reason)| field == "terminal" && *reason == Reason::Absent || *reason == Reason::Vanished),
        "{unknown:?}"
    );
}

#[test]
fn a_long_name_is_told_whole() {
    let folder = Folder::new();
    let path = folder.path().join("a-name-of-more-than-fifteen-bytes");
    copy_program("/bin/sleep", &path);
    let fellow = Fellow::spawn(Command::new(&path).arg("1000"));
    running(&mut *native(Strategy::Auto), &fellow, "a-name-of-more-than-fifteen-bytes");
}

#[test]
fn details_are_those_of_proc() {
    let mut source = native(Strategy::Auto);
    let own = sweep(&mut *source).value.find(std::process::id()).map(Process::id).expect("it");
    let details = source.details(&[own]).remove(&own).expect("its details");
    assert!(details.voluntary_context_switches.is_some());
    let score = std::fs::read_to_string("/proc/self/oom_score").expect("a score");
    assert!(details.oom_score.expect("it").abs_diff(score.trim().parse().expect("a number")) < 100);
}

#[test]
fn terminals_have_the_names_of_their_nodes() {
    // script(1) gives its child a terminal.
    let child = Command::new("script")
        .args(["-qc", "exec sleep 1000", "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("script is missing; install it with: apt-get install -y bsdutils");
    let script = Fellow(child);
    let mut source = native(Strategy::Auto);
    let terminal = until(&mut *source, "a process with a terminal", |sample| {
        let child = sample.processes.iter().find(|process| process.ppid == script.pid())?;
        child.identity.terminal.clone()
    });
    assert!(terminal.starts_with("/dev/pts/"), "{terminal}");
}

#[test]
fn empty_arguments_are_arguments() {
    let fellow = Fellow::spawn(Command::new("sh").args(["-c", "read x", "", "b", ""]));
    let process = running(&mut *native(Strategy::Auto), &fellow, "sh");
    let cmdline = process.identity.cmdline.clone().expect("its arguments");
    assert_eq!(cmdline.iter().map(|argument| &**argument).collect::<Vec<_>>(), ["sh", "-c", "read x", "", "b", ""]);
}
