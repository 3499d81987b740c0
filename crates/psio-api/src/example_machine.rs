//! A small made-up machine, always the same: the examples in the reference run on it, and so do tests.

use std::sync::Arc;
use std::time::Duration;

use crate::data::access::Viewer;
use crate::data::cpu::{CpuCounters, CpuSample};
use crate::data::daemon::{DaemonSample, SweepStats};
use crate::data::details::{Details, ProcessDetails};
use crate::data::host::HostSample;
use crate::data::memory::MemorySample;
use crate::data::moment::Moment;
use crate::data::process::{CpuTime, Process, ProcessId, ProcessIdentity, ProcessMemory, ProcessSample, ProcessStatus};
use crate::data::snapshot::{Sample, Snapshot};
use crate::data::view::View;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const TICK_NS: u64 = 10_000_000;
const BOOT_TIME: u64 = 1_763_798_762;

/// Processes on it.
pub const PROCESS_COUNT: usize = PROCESSES.len();

/// One made-up process. Times are in clock ticks of 10 ms.
struct Sketch {
    pid: u32,
    ppid: u32,
    started: u64,
    user: (&'static str, u32),
    status: ProcessStatus,
    threads: u32,
    used_before: u64,
    used_in_window: u64,
    rss_bytes: u64,
    terminal: Option<&'static str>,
    cmdline: &'static [&'static str],
    name: &'static str,
}

const ROOT: (&str, u32) = ("root", 0);
const MARCUS: (&str, u32) = ("marcus", 1000);

#[rustfmt::skip]
const PROCESSES: [Sketch; 7] = [
    Sketch { pid: 1, ppid: 0, started: 2, user: ROOT, status: ProcessStatus::Sleeping, threads: 1, used_before: 412, used_in_window: 0,
        rss_bytes: 13 * MIB, terminal: None, cmdline: &["/sbin/init"], name: "init" },
    Sketch { pid: 2, ppid: 0, started: 2, user: ROOT, status: ProcessStatus::Sleeping, threads: 1, used_before: 3, used_in_window: 0,
        rss_bytes: 0, terminal: None, cmdline: &[], name: "kthreadd" },
    Sketch { pid: 412, ppid: 1, started: 540, user: ROOT, status: ProcessStatus::Sleeping, threads: 3, used_before: 930, used_in_window: 1,
        rss_bytes: 24 * MIB, terminal: None, cmdline: &["/usr/sbin/sshd", "-D"], name: "sshd" },
    Sketch { pid: 1893, ppid: 1, started: 61_204, user: MARCUS, status: ProcessStatus::Sleeping, threads: 118, used_before: 96_113, used_in_window: 12,
        rss_bytes: 612 * MIB, terminal: None, cmdline: &["/usr/lib/firefox/firefox", "-new-window"], name: "firefox" },
    Sketch { pid: 2034, ppid: 1, started: 70_310, user: MARCUS, status: ProcessStatus::Sleeping, threads: 1, used_before: 21, used_in_window: 0,
        rss_bytes: 6 * MIB, terminal: Some("/dev/pts/0"), cmdline: &["-bash"], name: "bash" },
    Sketch { pid: 2210, ppid: 1, started: 88_001, user: MARCUS, status: ProcessStatus::Running, threads: 4, used_before: 5_120, used_in_window: 54,
        rss_bytes: 88 * MIB, terminal: None, cmdline: &["python3", "index.py", "--worker", "data=/srv"], name: "python3" },
    Sketch { pid: 2391, ppid: 2210, started: 91_755, user: MARCUS, status: ProcessStatus::Zombie, threads: 1, used_before: 2, used_in_window: 0,
        rss_bytes: 0, terminal: None, cmdline: &[], name: "sh" },
];

/// The machine over one second, details included, as a stranger on loopback sees it.
pub fn view() -> View {
    let start = Moment { since_boot_ns: 1_637_400 * TICK_NS, wall_ms: 1_763_815_136_000 };
    let base = snapshot(start, false);
    let now = snapshot(start.later(Duration::from_secs(1)), true);
    View::new(Arc::new(now), Arc::new(base), Viewer::STRANGER).with_details(details())
}

fn snapshot(at: Moment, later: bool) -> Snapshot {
    Snapshot {
        cpus: Some(Arc::new(Sample { at, value: cpus(later) })),
        memory: Some(Arc::new(Sample { at, value: memory() })),
        processes: Some(Arc::new(Sample { at, value: processes(later) })),
        host: Some(Arc::new(Sample { at, value: host() })),
        daemon: Some(Arc::new(Sample { at, value: daemon(later) })),
    }
}

fn cpus(later: bool) -> CpuSample {
    let cpu = |num, user_ticks, system_ticks, iowait_ticks| {
        let before =
            CpuCounters { num, user_ticks: 52_000, system_ticks: 9_100, idle_ticks: 1_571_000, ..Default::default() };
        let idle = 100 - user_ticks - system_ticks - iowait_ticks;
        let after = CpuCounters {
            user_ticks: before.user_ticks + user_ticks,
            system_ticks: before.system_ticks + system_ticks,
            iowait_ticks: before.iowait_ticks + iowait_ticks,
            idle_ticks: before.idle_ticks + idle,
            ..before
        };
        if later { after } else { before }
    };
    CpuSample { cpus: vec![cpu(0, 36, 6, 0), cpu(1, 7, 1, 3)] }
}

fn memory() -> MemorySample {
    MemorySample {
        total_bytes: 16 * GIB,
        available_bytes: Some(12 * GIB - 90 * MIB),
        free_bytes: Some(7 * GIB),
        active_bytes: Some(5 * GIB),
        inactive_bytes: Some(2 * GIB),
        buffers_bytes: Some(310 * MIB),
        cached_bytes: Some(5 * GIB),
        shared_bytes: Some(204 * MIB),
        slab_bytes: Some(420 * MIB),
        wired_bytes: Some(388 * MIB),
        swap_total_bytes: Some(2 * GIB),
        swap_free_bytes: Some(2 * GIB - 40 * MIB),
        swapped_in_bytes: Some(12 * MIB),
        swapped_out_bytes: Some(52 * MIB),
    }
}

fn processes(later: bool) -> ProcessSample {
    ProcessSample {
        processes: PROCESSES.iter().map(|sketch| process(sketch, later)).collect(),
        ticks_per_second: 100,
        boot_time: Some(BOOT_TIME),
        memory_total_bytes: Some(16 * GIB),
        unknown: [].into(),
    }
}

fn process(sketch: &Sketch, later: bool) -> Process {
    let used = sketch.used_before + if later { sketch.used_in_window } else { 0 };
    let (username, uid) = sketch.user;
    Process {
        pid: sketch.pid,
        ppid: sketch.ppid,
        started: sketch.started,
        cpu_time: Some(CpuTime::of((used - used / 4) * TICK_NS, used / 4 * TICK_NS)),
        memory: Some(ProcessMemory { rss_bytes: sketch.rss_bytes, vms_bytes: sketch.rss_bytes * 4 }),
        uid: Some(uid),
        num_threads: Some(sketch.threads),
        cpu_num: Some(sketch.pid % 2),
        nice: Some(0),
        status: sketch.status,
        identity: Arc::new(ProcessIdentity {
            name: sketch.name.into(),
            cmdline: Some(sketch.cmdline.iter().map(|&argument| Arc::from(argument)).collect()),
            username: Some(username.into()),
            terminal: sketch.terminal.map(Arc::from),
        }),
    }
}

fn host() -> HostSample {
    HostSample {
        hostname: Some("workbench".into()),
        os: Some("Debian GNU/Linux 12 (bookworm)".into()),
        kernel: Some("6.18.2".into()),
        architecture: Some("x86_64".into()),
        boot_id: Some("5e1c2a0e-7d2b-4a6e-9c5a-0d9f6b1c3e4f".into()),
        boot_time: Some(BOOT_TIME),
        cpu_model: Some("AMD EPYC".into()),
        logical_cpus: Some(2),
        physical_cores: Some(1),
        load_average: Some([0.52, 0.41, 0.3]),
        threads_running: Some(2),
        threads_total: Some(131),
    }
}

fn daemon(later: bool) -> DaemonSample {
    let seconds = if later { 61 } else { 60 };
    DaemonSample {
        version: env!("CARGO_PKG_VERSION").into(),
        pid: 2412,
        uptime_ns: seconds * 1_000_000_000,
        cpu_time_ns: Some(if later { 96_000_000 } else { 95_000_000 }),
        rss_bytes: Some(9 * MIB),
        descriptors: Some(41),
        descriptor_limit: Some(20_000),
        clients: 1,
        requests: 118,
        subscriptions: 2,
        dropped_ticks: 0,
        source: "linux".into(),
        sweep: SweepStats {
            strategy: "kept".to_owned(),
            count: seconds,
            processes: PROCESS_COUNT as u64,
            kept: PROCESS_COUNT as u64,
            last_us: 61.0,
            total_us: 3_700.0,
        },
    }
}

fn details() -> Details {
    let of = |sketch: &Sketch| {
        let id = ProcessId { pid: sketch.pid, started: sketch.started };
        let details = ProcessDetails {
            voluntary_context_switches: Some(if sketch.pid == 1893 { 81_224 } else { 1_204 }),
            involuntary_context_switches: Some(if sketch.pid == 1893 { 3_016 } else { 35 }),
            cgroup: Some("/".into()),
            oom_score: Some(0),
            ..ProcessDetails::default()
        };
        (id, details)
    };
    PROCESSES.iter().map(of).collect()
}
