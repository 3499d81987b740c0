//! Being told by the kernel when processes start, execute and end, where it does so.

use std::io;
use std::time::Duration;

use psio_api::data::lifecycle::{LifecycleEvent, Lost};
use psio_api::data::process::ProcessSample;
use psio_api::data::snapshot::Sample;

use crate::{Options, SourceKind};

/// The kernel's own account of processes. It collects from the moment it is opened, so a process table read afterwards
/// ([`LifecycleSource::seed`]) and the events that follow fit together without a gap.
pub trait LifecycleSource: Send {
    /// Takes over who lives, so that later events can say who it was, and leaves out what this sample shows already.
    /// To be called with a sample read after opening, and again with one read after each loss.
    fn seed(&mut self, sample: &Sample<ProcessSample>);

    /// Waits for events, up to `timeout`: returns as soon as there are any, else with none. Somebody must call it all
    /// the time, since what the kernel holds back for us is bounded. An error is final.
    fn next(&mut self, timeout: Duration) -> Result<LifecycleBatch, LifecycleUnavailable>;
}

/// Some events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LifecycleBatch {
    /// What happened, in order.
    pub events: Vec<LifecycleEvent>,
    /// Set where events were lost, before or between these.
    pub lost: Option<Lost>,
}

impl LifecycleBatch {
    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty() && self.lost.is_none()
    }
}

/// Why the kernel does not tell, so that sweeps must be compared.
#[derive(Debug, thiserror::Error)]
pub enum LifecycleUnavailable {
    /// Another kind of source was chosen, or this system is not Linux.
    #[error("the {0} source has no events of processes")]
    Source(&'static str),
    /// The proc root is not that of this process.
    #[error("{0} is not where this process sees its own pid, so that the kernel's events would speak of others")]
    OtherPids(String),
    /// The kernel refused.
    #[error(
        "the kernel does not let this process hear of others ({doing}: {source}), expected CAP_NET_ADMIN or Linux 6.6"
    )]
    Denied {
        /// What it refused.
        doing: &'static str,
        /// With these words.
        source: io::Error,
    },
    /// There is no such thing in this kernel, or not in this network namespace.
    #[error(
        "no process events connector answers ({doing}: {source}), expected a kernel with CONFIG_PROC_EVENTS and the \
         initial network namespace"
    )]
    Unsupported {
        /// What failed.
        doing: &'static str,
        /// How.
        source: io::Error,
    },
    /// Containers: requests from here are ignored without a word.
    #[error("the kernel tells of processes only in the initial {0} namespace, this process is in another")]
    Namespace(&'static str),
    /// Requests were accepted, and nothing came.
    #[error("the kernel did not answer a request for process events within {0:?}")]
    NoAnswer(Duration),
    /// Something else went wrong.
    #[error("cannot hear of processes ({doing}: {source})")]
    Failed {
        /// What failed.
        doing: &'static str,
        /// How.
        source: io::Error,
    },
}

/// Starts to collect life-cycle events, or says why this machine, or the source that the options name, has none. The
/// kernel has answered when this succeeds.
pub fn open_lifecycle(options: &Options) -> Result<Box<dyn LifecycleSource>, LifecycleUnavailable> {
    match &options.kind {
        #[cfg(target_os = "linux")]
        SourceKind::Native => Ok(Box::new(crate::linux::lifecycle::ProcEvents::open(options)?)),
        #[cfg(not(target_os = "linux"))]
        SourceKind::Native => Err(LifecycleUnavailable::Source("native")),
        SourceKind::Portable => Err(LifecycleUnavailable::Source("portable")),
        SourceKind::Replay(_) => Err(LifecycleUnavailable::Source("replay")),
    }
}
