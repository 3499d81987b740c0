//! A view as metrics for Prometheus: totals of the machine, psiod's own cost, and as many processes as were asked for.
//!
//! Counters come from the raw samples, so that Prometheus divides by time and not we. What is not known is left out.

mod exposition;

use std::collections::BTreeSet;

use crate::data::cpu::CpuCounters;
use crate::data::process::{Process, ProcessSample, ProcessStatus};
use crate::data::topics::Topics;
use crate::data::view::View;
pub use exposition::Syntax;
use exposition::{Exposition, Kind, Sample};

/// The source whose CPU counters run in a unit of its own, from a beginning of its own: usage is all it can tell.
const SOURCE_WITHOUT_CPU_SECONDS: &str = "portable";

/// These are told even when no process is in them, so that their series do not come and go.
const COMMON_STATUSES: [ProcessStatus; 6] = [
    ProcessStatus::Running,
    ProcessStatus::Sleeping,
    ProcessStatus::DiskSleep,
    ProcessStatus::Stopped,
    ProcessStatus::Zombie,
    ProcessStatus::Idle,
];

/// A mode, and the counter of a CPU for it.
type Mode = (&'static str, fn(&CpuCounters) -> u64);

const CPU_MODES: [Mode; 8] = [
    ("user", |cpu| cpu.user_ticks),
    ("nice", |cpu| cpu.nice_ticks),
    ("system", |cpu| cpu.system_ticks),
    ("idle", |cpu| cpu.idle_ticks),
    ("iowait", |cpu| cpu.iowait_ticks),
    ("irq", |cpu| cpu.irq_ticks),
    ("softirq", |cpu| cpu.softirq_ticks),
    ("steal", |cpu| cpu.steal_ticks),
];

/// What the metrics are made of; a topic that the view lacks is left out.
pub fn topics() -> Topics {
    Topics::each().fold(Topics::NONE, |all, topic| all | topic)
}

/// The whole text. Of processes, the `top_processes` that use most CPU and as many that hold most memory.
pub fn text(view: &View, top_processes: usize, syntax: Syntax) -> String {
    let mut out = Exposition::new(syntax);
    cpus(&mut out, view);
    memory(&mut out, view);
    host(&mut out, view);
    if let Some(sample) = &view.now.processes {
        statuses(&mut out, &sample.value);
        busiest(&mut out, view, &sample.value, top_processes);
    }
    daemon(&mut out, view);
    out.finish()
}

fn cpus(out: &mut Exposition, view: &View) {
    let Some(sample) = &view.now.cpus else { return };
    let cpus = &sample.value.cpus;
    // One clock tick is the same for all times that the kernel tells (USER_HZ).
    if let (Some(processes), Some(daemon)) = (&view.now.processes, &view.now.daemon)
        && &*daemon.value.source != SOURCE_WITHOUT_CPU_SECONDS
    {
        let ticks_per_second = f64::from(processes.value.ticks_per_second);
        let samples = cpus.iter().flat_map(|cpu| {
            CPU_MODES.iter().map(move |&(mode, ticks)| {
                Sample::of(ticks(cpu) as f64 / ticks_per_second).with("cpu", cpu.num).with("mode", mode)
            })
        });
        out.family("psio_cpu_seconds", Kind::Counter, "Time each CPU spent in each mode since boot.", samples);
    }
    let samples = cpus.iter().zip(view.cpu_rates()).filter_map(|(cpu, rates)| {
        let rates = rates.as_ref()?;
        Some(Sample::of(rates.busy / 100.0).with("cpu", cpu.num))
    });
    let help = "Share of about the last second in which each CPU was neither idle nor waiting for a disk.";
    out.family("psio_cpu_usage_ratio", Kind::Gauge, help, samples);
}

fn memory(out: &mut Exposition, view: &View) {
    let Some(sample) = &view.now.memory else { return };
    let memory = &sample.value;
    let gauges = [
        ("psio_memory_total_bytes", "Physical memory that the kernel can hand out.", Some(memory.total_bytes)),
        (
            "psio_memory_available_bytes",
            "What could be given to new processes without swapping.",
            memory.available_bytes,
        ),
        ("psio_memory_free_bytes", "Memory used for nothing.", memory.free_bytes),
        ("psio_memory_active_bytes", "Memory used recently.", memory.active_bytes),
        ("psio_memory_inactive_bytes", "Memory not used recently.", memory.inactive_bytes),
        ("psio_memory_buffers_bytes", "Cache of raw blocks.", memory.buffers_bytes),
        (
            "psio_memory_cached_bytes",
            "Cache of files, and what the kernel can reclaim of its own.",
            memory.cached_bytes,
        ),
        ("psio_memory_shared_bytes", "Shared memory and tmpfs.", memory.shared_bytes),
        ("psio_memory_slab_bytes", "What the kernel uses for its own structures.", memory.slab_bytes),
        ("psio_memory_wired_bytes", "What the kernel can neither reclaim nor swap.", memory.wired_bytes),
        ("psio_swap_total_bytes", "Swap.", memory.swap_total_bytes),
        ("psio_swap_free_bytes", "Swap that is not used.", memory.swap_free_bytes),
    ];
    for (name, help, bytes) in gauges {
        out.gauge(name, help, bytes.map(|bytes| bytes as f64));
    }
    out.counter("psio_swap_in_bytes", "Swapped in since boot.", memory.swapped_in_bytes.map(|bytes| bytes as f64));
    out.counter("psio_swap_out_bytes", "Swapped out since boot.", memory.swapped_out_bytes.map(|bytes| bytes as f64));
}

fn host(out: &mut Exposition, view: &View) {
    let Some(sample) = &view.now.host else { return };
    let host = &sample.value;
    let facts = [
        ("hostname", &host.hostname),
        ("os", &host.os),
        ("kernel", &host.kernel),
        ("architecture", &host.architecture),
        ("cpu_model", &host.cpu_model),
    ];
    let known = facts.into_iter().filter_map(|(name, fact)| Some((name, fact.as_ref()?)));
    let info = known.fold(Sample::of(1.0), |info, (name, fact)| info.with(name, fact));
    out.family("psio_host", Kind::Info, "What the machine is.", [info]);
    let load = |index: usize| host.load_average.map(|load| load[index]);
    out.gauge("psio_load1", "Runnable and uninterruptible tasks, averaged over 1 minute.", load(0));
    out.gauge("psio_load5", "Runnable and uninterruptible tasks, averaged over 5 minutes.", load(1));
    out.gauge("psio_load15", "Runnable and uninterruptible tasks, averaged over 15 minutes.", load(2));
    out.gauge("psio_boot_time_seconds", "Boot, in seconds from the epoch.", host.boot_time.map(|time| time as f64));
    out.gauge("psio_cpus", "CPUs online, hardware threads counted singly.", host.logical_cpus.map(f64::from));
    out.gauge("psio_cpu_cores", "Physical cores online.", host.physical_cores.map(f64::from));
    out.gauge("psio_threads", "Threads in all.", host.threads_total.map(f64::from));
    out.gauge("psio_threads_running", "Threads that are runnable now.", host.threads_running.map(f64::from));
}

fn statuses(out: &mut Exposition, sample: &ProcessSample) {
    let mut statuses = COMMON_STATUSES.to_vec();
    for process in &sample.processes {
        if !statuses.contains(&process.status) {
            statuses.push(process.status);
        }
    }
    let counted = statuses.into_iter().map(|status| {
        let count = sample.processes.iter().filter(|process| process.status == status).count();
        Sample::of(count as f64).with("status", status.as_str())
    });
    out.family("psio_processes", Kind::Gauge, "Processes by what they are doing.", counted);
}

fn busiest(out: &mut Exposition, view: &View, sample: &ProcessSample, top: usize) {
    let percents = view.process_cpu_percents();
    let chosen: Vec<(&Process, Option<f64>)> = chosen(sample, percents, top)
        .into_iter()
        .map(|index| (&sample.processes[index], percents.get(index).copied().flatten()))
        .collect();
    let seconds = chosen
        .iter()
        .filter_map(|(process, _)| Some(Sample::of(seconds(process.cpu_time?.total_ns)).with_process(process)));
    let help = "CPU time that each of the top processes has used since it started.";
    out.family("psio_process_cpu_seconds", Kind::Counter, help, seconds);
    let usage =
        chosen.iter().filter_map(|(process, percent)| Some(Sample::of((*percent)? / 100.0).with_process(process)));
    let help = "CPU that each of the top processes used over about the last second, in cores.";
    out.family("psio_process_cpu_usage_ratio", Kind::Gauge, help, usage);
    let resident = chosen
        .iter()
        .filter_map(|(process, _)| Some(Sample::of(process.memory?.rss_bytes as f64).with_process(process)));
    let help = "Physical memory that each of the top processes holds.";
    out.family("psio_process_resident_memory_bytes", Kind::Gauge, help, resident);
}

/// Positions of the processes that use most CPU, and of those that hold most memory: at most `top` each.
fn chosen(sample: &ProcessSample, percents: &[Option<f64>], top: usize) -> BTreeSet<usize> {
    let largest = |mut ranked: Vec<(usize, f64)>| {
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
        ranked.into_iter().take(top).map(|(index, _)| index)
    };
    let by_cpu = percents.iter().enumerate().filter_map(|(index, percent)| Some((index, (*percent)?)));
    let by_memory = sample.processes.iter().enumerate();
    let by_memory = by_memory.filter_map(|(index, process)| Some((index, process.memory?.rss_bytes as f64)));
    largest(by_cpu.collect()).chain(largest(by_memory.collect())).collect()
}

fn daemon(out: &mut Exposition, view: &View) {
    let Some(sample) = &view.now.daemon else { return };
    let daemon = &sample.value;
    let sweep = &daemon.sweep;
    let build = Sample::of(1.0).with("version", &daemon.version).with("source", &daemon.source);
    out.family("psio_build", Kind::Info, "Which psiod this is.", [build.with("sweep", &sweep.strategy)]);
    out.gauge("psio_daemon_uptime_seconds", "Time since psiod started.", Some(seconds(daemon.uptime_ns)));
    out.counter("psio_daemon_cpu_seconds", "CPU time that psiod has used.", daemon.cpu_time_ns.map(seconds));
    let resident = daemon.rss_bytes.map(|bytes| bytes as f64);
    out.gauge("psio_daemon_resident_memory_bytes", "Physical memory that psiod holds.", resident);
    let descriptors = daemon.descriptors.map(|count| count as f64);
    out.gauge("psio_daemon_descriptors", "Descriptors that psiod has open.", descriptors);
    let limit = daemon.descriptor_limit.map(|count| count as f64);
    out.gauge("psio_daemon_descriptors_limit", "Descriptors that psiod may have open.", limit);
    out.gauge("psio_daemon_clients", "WebSocket connections open now.", Some(daemon.clients as f64));
    out.counter("psio_daemon_requests", "Commands answered, refusals included.", Some(daemon.requests as f64));
    let subscriptions = Some(daemon.subscriptions as f64);
    out.gauge("psio_daemon_subscriptions", "Subscriptions that are being told now.", subscriptions);
    let dropped = Some(daemon.dropped_ticks as f64);
    out.counter("psio_daemon_dropped_ticks", "Ticks that came too late or could not be read.", dropped);
    out.counter("psio_daemon_sweeps", "Readings of the whole process table.", Some(sweep.count as f64));
    let cost = Some(sweep.total_us / 1e6);
    out.counter("psio_daemon_sweep_seconds", "Wall time of all readings of the process table.", cost);
    let last = Some(sweep.last_us / 1e6);
    out.gauge("psio_daemon_last_sweep_seconds", "Wall time of the last reading of the process table.", last);
    let found = Some(sweep.processes as f64);
    out.gauge("psio_daemon_sweep_processes", "Processes found by the last reading.", found);
    let kept = Some(sweep.kept as f64);
    out.gauge("psio_daemon_sweep_kept", "Processes read through descriptors that are kept open.", kept);
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

#[cfg(test)]
mod tests;
