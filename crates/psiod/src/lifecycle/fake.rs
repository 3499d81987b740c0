//! A machine whose processes come and go as a test tells them.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use psio_api::commands::process_watch::WatchSource;
use psio_api::data::daemon::SweepStats;
use psio_api::data::details::Details;
use psio_api::data::lifecycle::{LifecycleEvent, LifecycleKind, Lost};
use psio_api::data::moment::Moment;
use psio_api::data::process::{Process, ProcessId, ProcessSample};
use psio_api::data::snapshot::{Sample, Snapshot};
use psio_api::data::topics::Topics;
use psio_api::example_machine;
use psio_probe::{LifecycleBatch, LifecycleSource, LifecycleUnavailable, ProbeError, Source};

use super::{Lifecycle, Log, Table, Watch};
use crate::sampler::Sampler;
use crate::stats::Stats;

/// The machine: who lives on it, and how often that was read.
#[derive(Clone)]
pub struct Machine {
    pids: Arc<Mutex<Vec<u32>>>,
    sweeps: Arc<Mutex<u64>>,
    started: Instant,
}

impl Machine {
    pub fn new(pids: &[u32]) -> Self {
        Self { pids: Arc::new(Mutex::new(pids.to_vec())), sweeps: Arc::default(), started: Instant::now() }
    }

    /// From now on these live.
    pub fn become_home_of(&self, pids: &[u32]) {
        *self.pids.lock().unwrap() = pids.to_vec();
    }

    pub fn sweeps(&self) -> u64 {
        *self.sweeps.lock().unwrap()
    }

    pub fn sampler(&self) -> Sampler {
        Sampler::start(Box::new(self.clone()), Arc::new(Stats::default())).unwrap()
    }
}

impl Source for Machine {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn now(&self) -> Moment {
        let since_boot_ns = self.started.elapsed().as_nanos() as u64;
        Moment { since_boot_ns, wall_ms: since_boot_ns / 1_000_000 }
    }

    fn sample(&mut self, topics: Topics) -> Result<Snapshot, ProbeError> {
        if topics != Topics::PROCESSES {
            return Ok(Snapshot::default());
        }
        *self.sweeps.lock().unwrap() += 1;
        let sample = Sample { at: self.now(), value: processes(&self.pids.lock().unwrap()) };
        Ok(Snapshot { processes: Some(Arc::new(sample)), ..Snapshot::default() })
    }

    fn details(&mut self, _: &[ProcessId]) -> Details {
        Details::new()
    }

    fn sweep_stats(&self) -> SweepStats {
        SweepStats::default()
    }
}

/// What the kernel says next, as a test tells it.
pub type Kernel = mpsc::Sender<Result<LifecycleBatch, LifecycleUnavailable>>;

/// The kernel's account, as a test tells it.
pub struct Account {
    told: mpsc::Receiver<Result<LifecycleBatch, LifecycleUnavailable>>,
    /// Whom it was told to live, each time.
    pub seeds: Arc<Mutex<Vec<Vec<u32>>>>,
}

impl Account {
    pub fn new() -> (Kernel, Self) {
        let (kernel, told) = mpsc::channel();
        (kernel, Self { told, seeds: Arc::default() })
    }

    /// A lifecycle that opens it, once.
    pub fn lifecycle(self) -> Lifecycle {
        let account = Mutex::new(Some(self));
        Lifecycle::from_opening(move || match account.lock().unwrap().take() {
            Some(account) => Ok(Box::new(account)),
            None => Err(LifecycleUnavailable::Source("fake")),
        })
    }
}

impl LifecycleSource for Account {
    fn seed(&mut self, sample: &Sample<ProcessSample>) {
        let pids = sample.value.processes.iter().map(|process| process.pid).collect();
        self.seeds.lock().unwrap().push(pids);
    }

    fn next(&mut self, timeout: Duration) -> Result<LifecycleBatch, LifecycleUnavailable> {
        match self.told.recv_timeout(timeout) {
            Ok(told) => told,
            Err(RecvTimeoutError::Timeout) => Ok(LifecycleBatch::default()),
            Err(RecvTimeoutError::Disconnected) => {
                std::thread::sleep(timeout);
                Ok(LifecycleBatch::default())
            }
        }
    }
}

/// The kernel tells that these started.
pub fn started(pids: impl IntoIterator<Item = u32>) -> LifecycleBatch {
    LifecycleBatch { events: events(pids), lost: None }
}

/// The kernel tells that events were lost.
pub fn lost(events: Option<u64>) -> LifecycleBatch {
    LifecycleBatch { events: Vec::new(), lost: Some(Lost(events)) }
}

/// These started.
pub fn events(pids: impl IntoIterator<Item = u32>) -> Vec<LifecycleEvent> {
    let event = |pid| LifecycleEvent {
        kind: LifecycleKind::Started,
        pid,
        started: Some(pid.into()),
        ppid: Some(1),
        name: None,
        username: None,
        cmdline: None,
        exit_code: None,
        signal: None,
        at: 0,
    };
    pids.into_iter().map(event).collect()
}

/// A table of these, swept now.
pub fn table(pids: &[u32]) -> Table {
    let at = Moment { since_boot_ns: 0, wall_ms: 5 };
    Table { sample: Arc::new(Sample { at, value: processes(pids) }), taken: Instant::now() }
}

/// A watch of this log that no thread adds to.
pub fn watch(source: WatchSource, table: Table) -> Arc<Watch> {
    Arc::new(Watch::new(Log::new(source, table)))
}

fn processes(pids: &[u32]) -> ProcessSample {
    let pattern = example_machine::view().now.processes.as_ref().unwrap().value.clone();
    let one = |&pid: &u32| Process { pid, started: pid.into(), ..pattern.processes[0].clone() };
    ProcessSample { processes: pids.iter().map(one).collect(), ..pattern }
}
