//! What psiod knows about itself: counters that its parts keep, and what the kernel says of its own process.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use psio_api::data::daemon::DaemonSample;
use psio_probe::{OwnUsage, Source};

/// Counters since the start of psiod.
#[derive(Debug)]
pub struct Stats {
    started: Instant,
    /// WebSocket connections open now.
    pub clients: AtomicU64,
    /// Commands answered, refusals included.
    pub requests: AtomicU64,
    /// Subscriptions that are being told now.
    pub subscriptions: AtomicU64,
    /// Ticks of subscriptions that came too late or could not be read.
    pub dropped_ticks: AtomicU64,
}

impl Default for Stats {
    /// Counters at zero; psiod's uptime counts from here.
    fn default() -> Self {
        Self {
            started: Instant::now(),
            clients: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            subscriptions: AtomicU64::new(0),
            dropped_ticks: AtomicU64::new(0),
        }
    }
}

impl Stats {
    /// Seconds since psiod started.
    pub fn uptime(&self) -> f64 {
        (self.started.elapsed().as_secs_f64() * 1e3).round() / 1e3
    }

    /// All of it at this instant.
    pub fn sample(&self, source: &dyn Source) -> DaemonSample {
        let usage = OwnUsage::read();
        DaemonSample {
            version: Arc::from(env!("CARGO_PKG_VERSION")),
            pid: std::process::id(),
            uptime_ns: u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX),
            cpu_time_ns: usage.cpu_time_ns,
            rss_bytes: usage.rss_bytes,
            descriptors: usage.descriptors,
            descriptor_limit: usage.descriptor_limit,
            clients: self.clients.load(Ordering::Relaxed),
            requests: self.requests.load(Ordering::Relaxed),
            subscriptions: self.subscriptions.load(Ordering::Relaxed),
            dropped_ticks: self.dropped_ticks.load(Ordering::Relaxed),
            source: Arc::from(source.name()),
            sweep: source.sweep_stats(),
        }
    }
}
