//! The one place that divides by time: two snapshots in, rates out.

use std::sync::OnceLock;
use std::time::Duration;

use crate::data::cpu::{CpuCounters, CpuSample};
use crate::data::process::{Process, ProcessSample};
use crate::data::snapshot::{Sample, Snapshot};

const NANOSECONDS_PER_SECOND: u128 = 1_000_000_000;

/// Rates between two snapshots, computed when first asked for and shared by every view of the same two.
#[derive(Debug, Default)]
pub struct Rates {
    cpus: OnceLock<Vec<Option<CpuRates>>>,
    processes: OnceLock<Vec<Option<f64>>>,
}

/// Share of a window that one CPU spent in each state, percent, 0–100.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CpuRates {
    /// Everything but idle and iowait.
    pub busy: f64,
    /// User mode, niced processes included.
    pub user: f64,
    /// Kernel mode, interrupts included.
    pub system: f64,
    /// Idle with a disk request outstanding.
    pub iowait: f64,
    /// Taken by the hypervisor.
    pub steal: f64,
}

impl Rates {
    /// For each CPU of `now`, in its order; `None` where there is no earlier reading of that CPU.
    pub fn cpus(&self, now: &Snapshot, base: &Snapshot) -> &[Option<CpuRates>] {
        self.cpus.get_or_init(|| match (&now.cpus, &base.cpus) {
            (Some(now), Some(base)) => cpu_rates(&now.value, &base.value),
            (Some(now), None) => vec![None; now.value.cpus.len()],
            (None, _) => Vec::new(),
        })
    }

    /// For each process of `now`, in its order: CPU percent, 100 = one core fully used.
    pub fn processes(&self, now: &Snapshot, base: &Snapshot) -> &[Option<f64>] {
        self.processes.get_or_init(|| match (&now.processes, &base.processes) {
            (Some(now), Some(base)) => process_rates(now, base),
            (Some(now), None) => vec![None; now.value.processes.len()],
            (None, _) => Vec::new(),
        })
    }

    /// CPU percent of psiod itself.
    pub fn daemon(&self, now: &Snapshot, base: &Snapshot) -> Option<f64> {
        let (now, base) = (now.daemon.as_ref()?, base.daemon.as_ref()?);
        cpu_percent(now.value.cpu_time_ns?, base.value.cpu_time_ns?, now.at.since(&base.at))
    }
}

/// CPU time used over time passed, percent; `None` when the counter went backwards or no time passed.
fn cpu_percent(used_now_ns: u64, used_before_ns: u64, window: Duration) -> Option<f64> {
    let used_ns = used_now_ns.checked_sub(used_before_ns)?;
    (!window.is_zero()).then(|| used_ns as f64 / window.as_nanos() as f64 * 100.0)
}

fn cpu_rates(now: &CpuSample, base: &CpuSample) -> Vec<Option<CpuRates>> {
    let before = |num: u32| base.cpus.iter().find(|cpu| cpu.num == num);
    now.cpus.iter().map(|cpu| cpu_rate(cpu, before(cpu.num)?)).collect()
}

fn cpu_rate(now: &CpuCounters, base: &CpuCounters) -> Option<CpuRates> {
    // iowait, and after a hotplug any counter, may decrease: such a state counts as not entered at all.
    let spent = |counter: fn(&CpuCounters) -> u64| counter(now).saturating_sub(counter(base)) as f64;
    let user = spent(|cpu| cpu.user_ticks) + spent(|cpu| cpu.nice_ticks);
    let system = spent(|cpu| cpu.system_ticks) + spent(|cpu| cpu.irq_ticks) + spent(|cpu| cpu.softirq_ticks);
    let (iowait, steal) = (spent(|cpu| cpu.iowait_ticks), spent(|cpu| cpu.steal_ticks));
    let busy = user + system + steal;
    let total = busy + iowait + spent(|cpu| cpu.idle_ticks);
    let percent = |part: f64| part / total * 100.0;
    (total > 0.0).then(|| CpuRates {
        busy: percent(busy),
        user: percent(user),
        system: percent(system),
        iowait: percent(iowait),
        steal: percent(steal),
    })
}

fn process_rates(now: &Sample<ProcessSample>, base: &Sample<ProcessSample>) -> Vec<Option<f64>> {
    let window = now.at.since(&base.at);
    let mut earlier = base.value.processes.iter().peekable();
    // Both lists are ordered by pid, so one pass over each finds every pair.
    now.value
        .processes
        .iter()
        .map(|process| {
            while earlier.next_if(|other| other.pid < process.pid).is_some() {}
            let same = earlier.peek().filter(|other| other.id() == process.id());
            let used_before = match same {
                Some(other) => other.cpu_time?.total_ns,
                None if born_after(process, now, base) => 0,
                None => return None,
            };
            cpu_percent(process.cpu_time?.total_ns, used_before, window)
        })
        .collect()
}

/// Whether a process that `base` lacks was started after it, so that all its time falls into the window. The start
/// time is cut to a clock tick, so one that began in the very tick of the base counts as born after it.
fn born_after(process: &Process, now: &Sample<ProcessSample>, base: &Sample<ProcessSample>) -> bool {
    let ticks_per_second = u128::from(now.value.ticks_per_second);
    let base_ticks = u128::from(base.at.since_boot_ns) * ticks_per_second / NANOSECONDS_PER_SECOND;
    u128::from(process.started) >= base_ticks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::moment::Moment;
    use crate::data::process::{CpuTime, ProcessIdentity, ProcessStatus};
    use std::sync::Arc;

    fn at(ms: u64) -> Moment {
        Moment { since_boot_ns: ms * 1_000_000, wall_ms: ms }
    }

    fn process(pid: u32, started: u64, user_ms: u64) -> Process {
        Process {
            pid,
            ppid: 1,
            started,
            cpu_time: Some(CpuTime::of(user_ms * 1_000_000, 0)),
            memory: None,
            uid: None,
            num_threads: None,
            cpu_num: None,
            nice: None,
            status: ProcessStatus::Running,
            identity: Arc::new(ProcessIdentity { name: "x".into(), cmdline: None, username: None, terminal: None }),
        }
    }

    fn snapshot(ms: u64, processes: Vec<Process>) -> Snapshot {
        let value = ProcessSample { processes, ticks_per_second: 100, ..ProcessSample::default() };
        Snapshot { processes: Some(Arc::new(Sample { at: at(ms), value })), ..Snapshot::default() }
    }

    fn rates(now: &Snapshot, base: &Snapshot) -> Vec<Option<f64>> {
        Rates::default().processes(now, base).to_vec()
    }

    #[test]
    fn cpu_percent_is_time_used_over_time_passed() {
        let base = snapshot(10_000, vec![process(7, 1, 100)]);
        let now = snapshot(12_000, vec![process(7, 1, 700)]);
        assert_eq!(rates(&now, &base), [Some(30.0)]);
    }

    #[test]
    fn a_process_born_inside_the_window_counts_from_zero() {
        let base = snapshot(10_000, vec![]);
        let now = snapshot(11_000, vec![process(7, 1_050, 250)]);
        assert_eq!(rates(&now, &base), [Some(25.0)]);
    }

    #[test]
    fn an_older_process_that_the_base_lacks_is_unknown() {
        let base = snapshot(10_000, vec![]);
        let now = snapshot(11_000, vec![process(7, 20, 250)]);
        assert_eq!(rates(&now, &base), [None]);
    }

    #[test]
    fn a_reused_pid_is_not_compared_with_its_predecessor() {
        let base = snapshot(10_000, vec![process(7, 5, 900)]);
        let now = snapshot(11_000, vec![process(7, 1_010, 100)]);
        assert_eq!(rates(&now, &base), [Some(10.0)]);
    }

    #[test]
    fn a_counter_that_went_backwards_is_unknown() {
        let base = snapshot(10_000, vec![process(7, 5, 900)]);
        let now = snapshot(11_000, vec![process(7, 5, 100)]);
        assert_eq!(rates(&now, &base), [None]);
    }

    #[test]
    fn processes_that_ended_do_not_shift_the_others() {
        let base = snapshot(10_000, vec![process(3, 1, 0), process(5, 1, 0), process(9, 1, 0)]);
        let now = snapshot(11_000, vec![process(5, 1, 10), process(9, 1, 20)]);
        assert_eq!(rates(&now, &base), [Some(1.0), Some(2.0)]);
    }

    #[test]
    fn without_a_base_every_rate_is_unknown() {
        let now = snapshot(11_000, vec![process(5, 1, 10)]);
        assert_eq!(rates(&now, &Snapshot::default()), [None]);
    }

    fn cpu(num: u32, user: u64, idle: u64, iowait: u64) -> CpuCounters {
        CpuCounters { num, user_ticks: user, idle_ticks: idle, iowait_ticks: iowait, ..CpuCounters::default() }
    }

    #[test]
    fn iowait_is_not_busy() {
        let rate = cpu_rate(&cpu(0, 20, 50, 30), &cpu(0, 0, 0, 0)).unwrap();
        assert_eq!((rate.busy, rate.iowait), (20.0, 30.0));
    }

    #[test]
    fn iowait_that_decreased_does_not_make_usage_exceed_100() {
        let rate = cpu_rate(&cpu(0, 20, 80, 10), &cpu(0, 0, 0, 30)).unwrap();
        assert_eq!(rate.busy, 20.0);
    }

    #[test]
    fn a_cpu_that_came_online_is_unknown_and_does_not_shift_the_others() {
        let base = CpuSample { cpus: vec![cpu(0, 0, 0, 0), cpu(2, 0, 0, 0)] };
        let now = CpuSample { cpus: vec![cpu(0, 1, 1, 0), cpu(1, 5, 5, 0), cpu(2, 3, 1, 0)] };
        let busy: Vec<_> = cpu_rates(&now, &base).into_iter().map(|rate| rate.map(|rate| rate.busy)).collect();
        assert_eq!(busy, [Some(50.0), None, Some(75.0)]);
    }
}
