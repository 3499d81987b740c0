//! This machine as Linux tells it, in `/proc` and `/sys`, by plain system calls.

mod ahead;
mod clock;
mod cmdlines;
mod descriptors;
mod details;
mod file;
mod glimpse;
mod host;
mod identity;
mod kept;
pub mod lifecycle;
mod listener_owner;
mod listing;
mod living;
mod memory;
mod proc_connector;
mod real_uid;
mod rows;
mod sweep;
mod terminals;
mod users;

pub use listener_owner::listener_owner;

use std::sync::Arc;
use std::time::Instant;

use psio_api::data::cpu::CpuSample;
use psio_api::data::daemon::SweepStats;
use psio_api::data::details::Details;
use psio_api::data::memory::MemorySample;
use psio_api::data::moment::Moment;
use psio_api::data::process::{ProcessId, ProcessSample};
use psio_api::data::snapshot::{Sample, Snapshot};
use psio_api::data::topics::Topics;
use rustix::fd::OwnedFd;
use rustix::fs::CWD;

use self::clock::BootTime;
use self::file::KeptFile;
use self::host::Host;
use self::memory::Memory;
use self::rows::Units;
use self::sweep::Sweep;
use crate::parse::proc_stat;
use crate::{Options, ProbeError, Source, Strategy};

/// The native source.
pub struct LinuxSource {
    proc_dir: OwnedFd,
    proc_stat: KeptFile,
    memory: Memory,
    host: Host,
    sweep: Sweep,
    boot_time: BootTime,
    units: Units,
    strategy: Strategy,
    stats: SweepStats,
}

impl LinuxSource {
    /// Opens the roots, and raises this process's limit on open files unless the strategy is [`Strategy::Opened`].
    ///
    /// Takes one sweep that is never told: it opens the files of every process, for which it needs several times as long
    /// as those that follow, so that rates measured against it would be wrong.
    pub fn open(options: &Options) -> Result<Self, ProbeError> {
        let roots = &options.roots;
        let units = Units {
            ticks_per_second: rustix::param::clock_ticks_per_second().max(1),
            page_bytes: rustix::param::page_size() as u64,
        };
        let proc_dir = file::open_dir(CWD, &roots.proc)
            .map_err(|errno| ProbeError::Read { path: roots.proc.display().to_string(), source: errno.into() })?;
        let mut sweep = Sweep::open(options, units)?;
        // What keeps it from reading everything now may have passed when somebody asks.
        let _ = sweep.run(units.ticks(clock::moment()));
        Ok(Self {
            proc_dir,
            proc_stat: KeptFile::new(&roots.proc, "stat"),
            memory: Memory::new(&roots.proc, units.page_bytes),
            host: Host::new(roots),
            sweep,
            boot_time: BootTime::default(),
            units,
            strategy: options.strategy,
            stats: SweepStats { strategy: strategy_name(options.strategy, 0, 0).into(), ..SweepStats::default() },
        })
    }

    fn cpus(&mut self) -> Result<CpuSample, ProbeError> {
        let mut cpus = Vec::new();
        self.proc_stat.parsed(|text| proc_stat::cpus(text, &mut cpus))?;
        Ok(CpuSample { cpus })
    }

    fn processes(&mut self, at: Moment, memory: Option<&MemorySample>) -> Result<ProcessSample, ProbeError> {
        let start = Instant::now();
        let found = self.sweep.run(self.units.ticks(at))?;
        let mut sample = ProcessSample {
            processes: found.processes,
            ticks_per_second: u32::try_from(self.units.ticks_per_second).unwrap_or(u32::MAX),
            boot_time: self.boot_time.get(&mut self.proc_stat).ok(),
            memory_total_bytes: match memory {
                Some(memory) => Some(memory.total_bytes),
                None => self.memory.total(),
            },
            unknown: found.unknown,
        };
        crate::note_derived(&mut sample);
        let stats = &mut self.stats;
        let total = sample.processes.len() as u64;
        let name = strategy_name(self.strategy, found.kept, total);
        if stats.strategy != name {
            stats.strategy = name.into();
        }
        stats.count += 1;
        stats.processes = total;
        stats.kept = found.kept;
        stats.last_us = start.elapsed().as_secs_f64() * 1e6;
        stats.total_us += stats.last_us;
        Ok(sample)
    }
}

impl Source for LinuxSource {
    fn name(&self) -> &'static str {
        "linux"
    }

    fn now(&self) -> Moment {
        clock::moment()
    }

    fn sample(&mut self, topics: Topics) -> Result<Snapshot, ProbeError> {
        let mut snapshot = Snapshot::default();
        if topics.contains(Topics::CPU) {
            let at = clock::moment();
            snapshot.cpus = Some(Arc::new(Sample { at, value: self.cpus()? }));
        }
        if topics.contains(Topics::MEMORY) {
            let at = clock::moment();
            snapshot.memory = Some(Arc::new(Sample { at, value: self.memory.sample()? }));
        }
        if topics.contains(Topics::HOST) {
            let at = clock::moment();
            let boot_time = self.boot_time.get(&mut self.proc_stat).ok();
            let value = self.host.sample(&mut self.proc_stat, boot_time);
            snapshot.host = Some(Arc::new(Sample { at, value }));
        }
        if topics.contains(Topics::PROCESSES) {
            let at = clock::moment();
            let memory = snapshot.memory.as_ref().map(|sample| sample.value);
            let value = self.processes(at, memory.as_ref())?;
            snapshot.processes = Some(Arc::new(Sample { at, value }));
        }
        Ok(snapshot)
    }

    fn details(&mut self, processes: &[ProcessId]) -> Details {
        details::read(&self.proc_dir, processes)
    }

    fn sweep_stats(&self) -> SweepStats {
        self.stats.clone()
    }
}

/// What a sweep turned out to be; before the first, what it is going to be.
fn strategy_name(strategy: Strategy, kept: u64, processes: u64) -> &'static str {
    match (strategy, kept) {
        (Strategy::Opened, _) => "opened",
        (_, kept) if kept == processes => "kept",
        (_, 0) => "opened",
        _ => "mixed",
    }
}
