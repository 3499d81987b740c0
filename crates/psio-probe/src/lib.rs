//! Reads this machine: the only home of target cfg and of unsafe code.
//!
//! [`open`] hands out a [`Source`]: `linux` (native and fast), `portable` (the sysinfo crate) or `replay` (a recorded
//! machine). What the kernel writes is understood by the pure functions of [`parse`].

mod coarse_clock;
pub mod deadline;
pub mod lifecycle;
#[cfg(target_os = "linux")]
pub mod linux;
pub mod parse;
pub mod portable;
pub mod replay;

mod options;
mod own_usage;

pub use coarse_clock::coarse_now;
pub use lifecycle::{LifecycleBatch, LifecycleSource, LifecycleUnavailable, open_lifecycle};
pub use options::{Options, Roots, SourceKind, Strategy};
pub use own_usage::OwnUsage;

use psio_api::data::daemon::SweepStats;
use psio_api::data::details::{Details, ProcessDetails};
use psio_api::data::moment::Moment;
use psio_api::data::process::{ProcessId, ProcessSample};
use psio_api::data::snapshot::Snapshot;
use psio_api::data::topics::Topics;
use psio_api::data::unknown::Reason;

/// Something that can be asked what a machine's counters and states are right now.
pub trait Source: Send {
    /// `linux`, `portable` or `replay`.
    fn name(&self) -> &'static str;

    /// The clocks, now. A replayed machine has clocks of its own.
    fn now(&self) -> Moment;

    /// Reads the given topics ([`Topics::DAEMON`] is the daemon's own business and is ignored). Each carries the moment
    /// at which its reading began.
    fn sample(&mut self, topics: Topics) -> Result<Snapshot, ProbeError>;

    /// Reads the dear fields of the given processes; one that is gone (also when another now has its pid) is left out.
    fn details(&mut self, processes: &[ProcessId]) -> Details;

    /// How processes are swept and what it has cost.
    fn sweep_stats(&self) -> SweepStats;
}

/// A process that holds something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Its process id.
    pub pid: u32,
    /// Its name, as the kernel has it.
    pub name: String,
}

/// The process that listens on this TCP address; `None` where that cannot be found out.
#[cfg(target_os = "linux")]
pub use linux::listener_owner;

/// The process that listens on this TCP address: this system is not asked yet.
#[cfg(not(target_os = "linux"))]
pub fn listener_owner(_: std::net::SocketAddr) -> Option<Owner> {
    None
}

/// Why a topic could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// A file could not be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// A file says something this version does not understand.
    #[error("cannot understand {path}: expected {what}")]
    Parse {
        /// The file.
        path: String,
        /// What was expected.
        what: &'static str,
    },
    /// A line of a recording is not what a recording holds.
    #[error("cannot understand {path} line {line}: {what}")]
    Recording {
        /// The file.
        path: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        what: String,
    },
    /// The source has nothing to say about it: a recording without this topic.
    #[error("this machine's source does not tell of it")]
    Missing,
    /// A recording could not be written.
    #[error("cannot write the recording: {0}")]
    Write(#[source] std::io::Error),
    /// sysinfo does not work here.
    #[error("cannot read this machine with the sysinfo crate: {0}")]
    Portable(#[source] sysinfo::Error),
    /// This program was not built for such a source.
    #[error("no native source for this operating system, try the portable one")]
    NoNative,
}

/// Opens the source that the options name.
pub fn open(options: &Options) -> Result<Box<dyn Source>, ProbeError> {
    match &options.kind {
        #[cfg(target_os = "linux")]
        SourceKind::Native => Ok(Box::new(linux::LinuxSource::open(options)?)),
        #[cfg(not(target_os = "linux"))]
        SourceKind::Native => Err(ProbeError::NoNative),
        SourceKind::Portable => Ok(Box::new(portable::PortableSource::open()?)),
        SourceKind::Replay(path) => Ok(Box::new(replay::ReplaySource::open(path)?)),
    }
}

/// The details of a process of which none can be told, for this reason.
fn no_details(reason: Reason) -> ProcessDetails {
    const FIELDS: [&str; 3] = ["num_ctx_switches", "cgroup", "oom_score"];
    ProcessDetails {
        unknown: FIELDS.iter().map(|field| ((*field).into(), reason)).collect(),
        ..ProcessDetails::default()
    }
}

/// Notes why fields that are worked out of several others cannot be.
fn note_derived(sample: &mut ProcessSample) {
    let no_total = sample.memory_total_bytes.is_none().then_some(Reason::Unsupported);
    if let Some(reason) = sample.unknown.get("memory_info").copied().or(no_total) {
        sample.unknown.insert("memory_percent".into(), reason);
    }
    if sample.boot_time.is_none() {
        sample.unknown.insert("create_time".into(), Reason::Unsupported);
    }
}
