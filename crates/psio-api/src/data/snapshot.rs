//! Everything that was read of a machine at (about) one instant.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::data::cpu::CpuSample;
use crate::data::daemon::DaemonSample;
use crate::data::host::HostSample;
use crate::data::memory::MemorySample;
use crate::data::moment::Moment;
use crate::data::process::ProcessSample;
use crate::data::topics::Topics;

/// A value and when it was read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample<T> {
    /// When.
    pub at: Moment,
    /// What.
    pub value: T,
}

/// Raw counters and states, per topic; immutable and shared. Topics are read at cadences of their own, so each
/// carries its own moment, and one that nobody needed is `None`. No rates in here: those need two snapshots.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Time counters of every CPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpus: Option<Arc<Sample<CpuSample>>>,
    /// Physical memory and swap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Arc<Sample<MemorySample>>>,
    /// Every process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processes: Option<Arc<Sample<ProcessSample>>>,
    /// Name, kernel, load and the like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<Arc<Sample<HostSample>>>,
    /// psiod's own figures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daemon: Option<Arc<Sample<DaemonSample>>>,
}

impl Snapshot {
    /// When the given single topic was read; `None` where this snapshot lacks it.
    pub fn at(&self, topic: Topics) -> Option<Moment> {
        match topic {
            Topics::CPU => self.cpus.as_ref().map(|sample| sample.at),
            Topics::MEMORY => self.memory.as_ref().map(|sample| sample.at),
            Topics::PROCESSES => self.processes.as_ref().map(|sample| sample.at),
            Topics::HOST => self.host.as_ref().map(|sample| sample.at),
            Topics::DAEMON => self.daemon.as_ref().map(|sample| sample.at),
            _ => None,
        }
    }

    /// The newest moment among the given topics.
    pub fn newest(&self, topics: Topics) -> Option<Moment> {
        Topics::each()
            .filter(|&topic| topics.contains(topic))
            .filter_map(|topic| self.at(topic))
            .max_by_key(|at| at.since_boot_ns)
    }

    /// The same snapshot with one topic taken from `other`.
    pub fn take(&mut self, topic: Topics, other: &Self) {
        match topic {
            Topics::CPU => self.cpus.clone_from(&other.cpus),
            Topics::MEMORY => self.memory.clone_from(&other.memory),
            Topics::PROCESSES => self.processes.clone_from(&other.processes),
            Topics::HOST => self.host.clone_from(&other.host),
            Topics::DAEMON => self.daemon.clone_from(&other.daemon),
            _ => {}
        }
    }
}
