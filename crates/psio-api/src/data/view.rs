//! What a read command sees: two snapshots, who asks, and the dear fields it selected.

use std::sync::Arc;
use std::time::Duration;

use crate::data::access::Viewer;
use crate::data::details::Details;
use crate::data::rates::{CpuRates, Rates};
use crate::data::snapshot::{Sample, Snapshot};
use crate::data::topics::Topics;
use crate::error::ApiError;

/// Everything a read command may know. Whether it is of now, of the past, of another host or of a recorded machine is
/// decided by whoever makes it.
#[derive(Clone, Debug)]
pub struct View {
    /// The newest snapshot that is to be told.
    pub now: Arc<Snapshot>,
    /// The earlier snapshot that rates are measured from; a topic it lacks has no rates.
    pub base: Arc<Snapshot>,
    /// Whom the answer is for.
    pub viewer: Viewer,
    /// Dear fields of the rows that the command selected.
    pub details: Arc<Details>,
    rates: Arc<Rates>,
}

impl View {
    /// A view of `now` with rates measured from `base`.
    pub fn new(now: Arc<Snapshot>, base: Arc<Snapshot>, viewer: Viewer) -> Self {
        Self { now, base, viewer, details: Arc::default(), rates: Arc::default() }
    }

    /// The same view with the dear fields filled in.
    #[must_use]
    pub fn with_details(mut self, details: Details) -> Self {
        self.details = Arc::new(details);
        self
    }

    /// The same two snapshots, their rates shared, for another viewer.
    #[must_use]
    pub fn for_viewer(&self, viewer: Viewer) -> Self {
        Self { viewer, details: Arc::default(), ..self.clone() }
    }

    /// Rates of each CPU, in the order of `now.cpus`.
    pub fn cpu_rates(&self) -> &[Option<CpuRates>] {
        self.rates.cpus(&self.now, &self.base)
    }

    /// CPU percent of each process, in the order of `now.processes`.
    pub fn process_cpu_percents(&self) -> &[Option<f64>] {
        self.rates.processes(&self.now, &self.base)
    }

    /// CPU percent of psiod itself.
    pub fn daemon_cpu_percent(&self) -> Option<f64> {
        self.rates.daemon(&self.now, &self.base)
    }

    /// The window over which the rates of these topics are measured: the longest of them; `None` where none of the
    /// topics has rates, or there is no earlier reading.
    pub fn window(&self, topics: Topics) -> Option<Duration> {
        Topics::each()
            .filter(|&topic| topics.with_rates().contains(topic))
            .filter_map(|topic| Some(self.now.at(topic)?.since(&self.base.at(topic)?)))
            .max()
    }
}

/// The sample of a topic that a command declared in `needs`, or the error that says it could not be read.
pub fn sampled<'a, T>(sample: Option<&'a Arc<Sample<T>>>, topic: &str) -> Result<&'a Sample<T>, ApiError> {
    sample.map(Arc::as_ref).ok_or_else(|| ApiError::unavailable(format!("{topic} could not be read on this machine")))
}
