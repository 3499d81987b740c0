//! Any machine, as the sysinfo crate tells it: macOS, Windows, FreeBSD, and Linux for comparison.
//!
//! What sysinfo does not tell is `None`, with the reason `unsupported`. Two things are made here:
//!
//! - Counters of CPUs. sysinfo gives usage in per cent since its own last reading, at most five times a second, so each
//!   reading adds usage × elapsed to the busy time and the rest to the idle time, in nanoseconds; one that comes too
//!   early waits. All busy time counts as user time.
//! - Start times. sysinfo knows them to the second, so that a pid given out twice within one second cannot be told.
//!
//! Each sweep begins with a new `System`: a kept one goes on showing the name that a process had when first seen.
//! Empty arguments are missing from command lines, and user and system time of a process are known together only.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use psio_api::data::cpu::{CpuCounters, CpuSample};
use psio_api::data::daemon::SweepStats;
use psio_api::data::details::Details;
use psio_api::data::host::HostSample;
use psio_api::data::memory::MemorySample;
use psio_api::data::moment::Moment;
use psio_api::data::process::{
    CpuTime, Process, ProcessId, ProcessIdentity, ProcessMemory, ProcessSample, ProcessStatus,
};
use psio_api::data::snapshot::{Sample, Snapshot};
use psio_api::data::topics::Topics;
use psio_api::data::unknown::{Reason, Unknown};
use sysinfo::{
    MINIMUM_CPU_UPDATE_INTERVAL, ProcessRefreshKind, ProcessesToUpdate, System, ThreadKind, UpdateKind, Users,
};

use crate::parse::cmdline;
use crate::{ProbeError, Source};

/// What sysinfo cannot tell of processes.
const UNSUPPORTED: [&str; 5] = ["cpu_num", "cpu_times", "nice", "num_threads", "terminal"];
/// The clock ticks that start times are told in.
const TICKS_PER_SECOND: u64 = 100;
/// Users are read again after so long.
const USERS_AGE: Duration = Duration::from_secs(60);

/// The portable source.
pub struct PortableSource {
    system: System,
    users: Users,
    users_at: Instant,
    opened: Opened,
    cpus: Vec<CpuCounters>,
    cpus_at: Instant,
    stats: SweepStats,
}

/// The clocks when the source was opened: sysinfo has none, and `Instant` has no zero.
struct Opened {
    at: Instant,
    uptime: Duration,
    boot_time: u64,
}

impl PortableSource {
    /// Takes the first reading of the CPUs, which usage is measured against.
    pub fn open() -> Result<Self, ProbeError> {
        let mut system = System::new().map_err(ProbeError::Portable)?;
        system.refresh_cpu_usage();
        let opened = Opened {
            at: Instant::now(),
            uptime: Duration::from_secs(System::uptime().map_err(ProbeError::Portable)?),
            boot_time: System::boot_time().map_err(ProbeError::Portable)?,
        };
        Ok(Self {
            cpus: (0..).zip(system.cpus()).map(|(num, _)| CpuCounters { num, ..CpuCounters::default() }).collect(),
            system,
            users: Users::new_with_refreshed_list().map_err(ProbeError::Portable)?,
            users_at: opened.at,
            cpus_at: Instant::now(),
            opened,
            stats: SweepStats { strategy: "portable".into(), ..SweepStats::default() },
        })
    }

    fn cpus(&mut self) -> CpuSample {
        thread::sleep(MINIMUM_CPU_UPDATE_INTERVAL.saturating_sub(self.cpus_at.elapsed()));
        self.system.refresh_cpu_usage();
        let elapsed_ns = self.cpus_at.elapsed().as_nanos() as f64;
        self.cpus_at = Instant::now();
        for (counters, cpu) in self.cpus.iter_mut().zip(self.system.cpus()) {
            let busy_ns = elapsed_ns * f64::from(cpu.usage()).clamp(0.0, 100.0) / 100.0;
            counters.user_ticks += busy_ns as u64;
            counters.idle_ticks += (elapsed_ns - busy_ns) as u64;
        }
        CpuSample { cpus: self.cpus.clone() }
    }

    fn memory(&mut self) -> MemorySample {
        self.system.refresh_memory();
        let system = &self.system;
        MemorySample {
            total_bytes: system.total_memory(),
            available_bytes: Some(system.available_memory()),
            free_bytes: Some(system.free_memory()),
            swap_total_bytes: Some(system.total_swap()),
            swap_free_bytes: Some(system.free_swap()),
            ..MemorySample::default()
        }
    }

    fn host(&self) -> HostSample {
        let text = |text: Result<String, _>| text.ok().map(Arc::from);
        let load = System::load_average().ok();
        let cpus = self.system.cpus();
        HostSample {
            hostname: text(System::host_name()),
            os: text(System::long_os_version()),
            kernel: text(System::kernel_version()),
            architecture: Some(System::cpu_arch().into()),
            boot_id: None,
            boot_time: Some(self.opened.boot_time),
            cpu_model: cpus.first().map(|cpu| cpu.brand().into()),
            logical_cpus: u32::try_from(cpus.len()).ok(),
            physical_cores: System::physical_core_count().ok().and_then(|count| u32::try_from(count).ok()),
            load_average: load.map(|load| [load.one, load.five, load.fifteen]),
            threads_running: None,
            threads_total: None,
        }
    }

    fn processes(&mut self) -> Result<ProcessSample, ProbeError> {
        let start = Instant::now();
        if self.users_at.elapsed() > USERS_AGE {
            self.users.refresh();
            self.users_at = Instant::now();
        }
        let what = ProcessRefreshKind::nothing()
            .with_cpu()
            .with_memory()
            .with_user(UpdateKind::Always)
            .with_cmd(UpdateKind::Always);
        let mut system = System::new().map_err(ProbeError::Portable)?;
        system.refresh_processes_specifics(ProcessesToUpdate::All, true, what);
        if self.system.total_memory() == 0 {
            self.system.refresh_memory();
        }
        let mut processes: Vec<Process> = system
            .processes()
            .values()
            // sysinfo lists threads of users as processes, too.
            .filter(|process| process.thread_kind() != Some(ThreadKind::Userland))
            .map(|process| self.row(process))
            .collect();
        processes.sort_unstable_by_key(|process| process.pid);
        self.stats.count += 1;
        self.stats.processes = processes.len() as u64;
        self.stats.last_us = start.elapsed().as_secs_f64() * 1e6;
        self.stats.total_us += self.stats.last_us;
        let mut unknown: Unknown = UNSUPPORTED.iter().map(|field| ((*field).into(), Reason::Unsupported)).collect();
        if processes.iter().any(|process| process.uid.is_none()) {
            unknown.insert("uid".into(), Reason::Unsupported);
        }
        if processes.iter().any(|process| process.identity.username.is_none()) {
            unknown.insert("username".into(), Reason::Denied);
        }
        let mut sample = ProcessSample {
            processes,
            ticks_per_second: TICKS_PER_SECOND as u32,
            boot_time: Some(self.opened.boot_time),
            memory_total_bytes: Some(self.system.total_memory()),
            unknown,
        };
        crate::note_derived(&mut sample);
        Ok(sample)
    }

    fn started(&self, process: &sysinfo::Process) -> u64 {
        process.start_time().saturating_sub(self.opened.boot_time) * TICKS_PER_SECOND
    }

    fn row(&self, process: &sysinfo::Process) -> Process {
        // On Windows a user is no number.
        let user = process.user_id();
        let uid = user.and_then(|user| user.to_string().parse().ok());
        let username = user.map(|user| match self.users.get_user_by_id(user) {
            Some(known) => known.name().into(),
            None => user.to_string().into(),
        });
        let status = status(process.status());
        // What a zombie's command line was is not told natively either.
        let arguments = if status == ProcessStatus::Zombie { &[] } else { process.cmd() };
        let program =
            arguments.first().map(|program| [program.as_encoded_bytes(), b"\0\0"].concat()).unwrap_or_default();
        let cmdline = arguments.iter().map(|argument| argument.to_string_lossy().as_ref().into());
        Process {
            pid: process.pid().as_u32(),
            ppid: process.parent().map_or(0, sysinfo::Pid::as_u32),
            started: self.started(process),
            cpu_time: Some(CpuTime {
                total_ns: process.accumulated_cpu_time().saturating_mul(1_000_000),
                system_ns: None,
            }),
            memory: Some(ProcessMemory { rss_bytes: process.memory(), vms_bytes: process.virtual_memory() }),
            uid,
            num_threads: None,
            cpu_num: None,
            nice: None,
            status,
            identity: Arc::new(ProcessIdentity {
                name: cmdline::full_name(process.name().as_encoded_bytes(), &program),
                cmdline: Some(cmdline.collect()),
                username,
                terminal: None,
            }),
        }
    }
}

impl Source for PortableSource {
    fn name(&self) -> &'static str {
        "portable"
    }

    fn now(&self) -> Moment {
        let since_boot = self.opened.uptime + self.opened.at.elapsed();
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Moment {
            since_boot_ns: u64::try_from(since_boot.as_nanos()).unwrap_or(u64::MAX),
            wall_ms: u64::try_from(wall.as_millis()).unwrap_or(u64::MAX),
        }
    }

    fn sample(&mut self, topics: Topics) -> Result<Snapshot, ProbeError> {
        let mut snapshot = Snapshot::default();
        if topics.contains(Topics::CPU) {
            let at = self.now();
            snapshot.cpus = Some(Arc::new(Sample { at, value: self.cpus() }));
        }
        if topics.contains(Topics::MEMORY) {
            let at = self.now();
            snapshot.memory = Some(Arc::new(Sample { at, value: self.memory() }));
        }
        if topics.contains(Topics::HOST) {
            snapshot.host = Some(Arc::new(Sample { at: self.now(), value: self.host() }));
        }
        if topics.contains(Topics::PROCESSES) {
            let at = self.now();
            snapshot.processes = Some(Arc::new(Sample { at, value: self.processes()? }));
        }
        Ok(snapshot)
    }

    fn details(&mut self, processes: &[ProcessId]) -> Details {
        let what = ProcessRefreshKind::nothing();
        // sysinfo takes a pid that is named twice for dead.
        let pids: BTreeSet<_> = processes.iter().map(|id| id.pid).collect();
        let pids: Vec<_> = pids.into_iter().map(sysinfo::Pid::from_u32).collect();
        self.system.refresh_processes_specifics(ProcessesToUpdate::Some(&pids), true, what);
        let started = |id: &ProcessId| {
            let process = self.system.process(sysinfo::Pid::from_u32(id.pid))?;
            Some(self.started(process))
        };
        processes
            .iter()
            .filter(|id| started(id) == Some(id.started))
            .map(|id| (*id, crate::no_details(Reason::Unsupported)))
            .collect()
    }

    fn sweep_stats(&self) -> SweepStats {
        self.stats.clone()
    }
}

fn status(status: sysinfo::ProcessStatus) -> ProcessStatus {
    use sysinfo::ProcessStatus as Theirs;
    match status {
        Theirs::Idle => ProcessStatus::Idle,
        Theirs::Run => ProcessStatus::Running,
        Theirs::Sleep => ProcessStatus::Sleeping,
        Theirs::Stop => ProcessStatus::Stopped,
        Theirs::Zombie => ProcessStatus::Zombie,
        Theirs::Tracing => ProcessStatus::TracingStop,
        Theirs::Dead => ProcessStatus::Dead,
        Theirs::Wakekill => ProcessStatus::WakeKill,
        Theirs::Waking => ProcessStatus::Waking,
        Theirs::Parked => ProcessStatus::Parked,
        Theirs::LockBlocked => ProcessStatus::Locked,
        Theirs::UninterruptibleDiskSleep => ProcessStatus::DiskSleep,
        _ => ProcessStatus::Unknown,
    }
}
