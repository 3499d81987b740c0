//! What happens to processes, from the first who wants to know until the last: told by the kernel, or where it does not
//! tell, found by comparing sweeps. With nobody watching there is neither thread nor socket.

mod listener;
mod log;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use psio_api::commands::process_watch::{ProcessWatchEvent, WatchSource};
use psio_api::data::topics::Topics;
use psio_api::error::{ApiError, ErrorCode};
use psio_api::reply::Rendered;
use psio_probe::{LifecycleSource, LifecycleUnavailable, Options, open_lifecycle};
use tracing::info;

pub use log::{Forgotten, Log, Place, Table, Telling};

use crate::ring::MIN_MAX_AGE;
use crate::sampler::Sampler;
use crate::shared_answer::{SharedAnswer, Stamp};

/// How the kernel's account is opened.
type Open = dyn Fn() -> Result<Box<dyn LifecycleSource>, LifecycleUnavailable> + Send + Sync;

/// Begins a watch when there is none.
pub struct Lifecycle {
    open: Arc<Open>,
    last: tokio::sync::Mutex<Last>,
}

/// The watch that began last.
#[derive(Default)]
struct Last {
    watch: Weak<Watch>,
    opened: Option<Instant>,
    /// Why the kernel did not tell then.
    reason: Option<String>,
}

/// What happens to processes, as long as somebody holds it.
pub struct Watch {
    shared: Arc<Shared>,
    /// What they were told who began last.
    first: Mutex<Option<(Instant, WatchSource, Arc<SharedAnswer>)>>,
}

/// What the listener's thread shares with those who watch.
struct Shared {
    log: Mutex<Log>,
    is_wanted: AtomicBool,
}

impl Shared {
    fn log(&self) -> MutexGuard<'_, Log> {
        lock(&self.log)
    }
}

impl Table {
    /// One that was taken since then, and no longer ago than any may be.
    pub async fn read(sampler: &Sampler, since: Instant) -> Result<Self, ApiError> {
        let oldest = Instant::now().checked_sub(sampler.ring().series(Topics::PROCESSES).max_age());
        if let Some(table) = Self::newest(sampler)
            && table.taken >= oldest.map_or(since, |oldest| oldest.max(since))
        {
            return Ok(table);
        }
        sampler.sampled_within(Topics::PROCESSES, since.elapsed()).await?;
        Self::newest(sampler).ok_or_else(|| ApiError::unavailable("the process table could not be read"))
    }

    fn newest(sampler: &Sampler) -> Option<Self> {
        let ring = sampler.ring();
        let sample = ring.newest(Topics::PROCESSES).processes?;
        Some(Self { sample, taken: ring.series(Topics::PROCESSES).newest_taken()? })
    }
}

impl Lifecycle {
    /// What the source tells that these options name.
    pub fn new(options: Options) -> Self {
        Self::from_opening(move || open_lifecycle(&options))
    }

    fn from_opening(
        open: impl Fn() -> Result<Box<dyn LifecycleSource>, LifecycleUnavailable> + Send + Sync + 'static,
    ) -> Self {
        Self { open: Arc::new(open), last: tokio::sync::Mutex::default() }
    }

    /// The watch that everybody shares.
    pub async fn watch(&self, sampler: &Sampler) -> Result<Arc<Watch>, ApiError> {
        let mut last = self.last.lock().await;
        if let Some(watch) = last.watch.upgrade() {
            return Ok(watch);
        }
        // Each beginning has a sweep of its own, and those who come and go must not cause them without end.
        if let Some(opened) = last.opened {
            tokio::time::sleep_until((opened + MIN_MAX_AGE).into()).await;
        }
        let open = self.open.clone();
        let source = tokio::task::spawn_blocking(move || open()).await;
        let source = source.map_err(|error| ApiError::new(ErrorCode::Internal, error.to_string()))?;
        let opened = Instant::now();
        last.opened = Some(opened);
        let table = Table::read(sampler, opened).await?;
        let (watch, reason) = match source {
            Ok(mut source) => {
                source.seed(&table.sample);
                let watch = Watch::new(Log::new(WatchSource::ProcConnector, table));
                listener::start(source, watch.shared.clone(), sampler.clone())
                    .map_err(|error| ApiError::unavailable(format!("cannot start a thread: {error}")))?;
                (watch, None)
            }
            Err(reason) => (Watch::new(Log::new(WatchSource::Sweeps, table)), Some(reason.to_string())),
        };
        if let Some(reason) = &reason
            && last.reason.as_ref() != Some(reason)
        {
            info!("process.watch compares sweeps: {reason}");
        }
        last.reason = reason;
        let watch = Arc::new(watch);
        last.watch = Arc::downgrade(&watch);
        Ok(watch)
    }
}

impl Watch {
    fn new(log: Log) -> Self {
        let shared = Shared { log: Mutex::new(log), is_wanted: true.into() };
        Self { shared: Arc::new(shared), first: Mutex::default() }
    }

    /// The events so far.
    pub fn log(&self) -> MutexGuard<'_, Log> {
        self.shared.log()
    }

    /// Where the log is made of sweeps, sees to it that it has one that is no older than this.
    pub async fn sweep(&self, sampler: &Sampler, max_age: Duration) -> Result<(), ApiError> {
        if self.log().source() == WatchSource::Sweeps {
            let now = Instant::now();
            let table = Table::read(sampler, now.checked_sub(max_age).unwrap_or(now)).await?;
            self.log().compare(&table);
        }
        Ok(())
    }

    /// What somebody is told first, and from where they are told the rest.
    pub async fn begin(&self, sampler: &Sampler) -> Result<(Arc<SharedAnswer>, Place), ApiError> {
        const ATTEMPTS: usize = 3;
        for _ in 0..ATTEMPTS {
            let since = self.log().oldest_table();
            let table = Table::read(sampler, since).await?;
            let (place, source) = {
                let mut log = self.log();
                log.compare(&table);
                (log.place_after(&table), log.source())
            };
            if let Ok(place) = place {
                return Ok((self.first(source, &table), place));
            }
        }
        Err(ApiError::unavailable("processes come and go faster than they can be listed"))
    }

    fn first(&self, source: WatchSource, table: &Table) -> Arc<SharedAnswer> {
        let mut first = lock(&self.first);
        if let Some((taken, told, answer)) = &*first
            && (*taken, *told) == (table.taken, source)
        {
            return answer.clone();
        }
        let event = ProcessWatchEvent::first(source, &table.sample.value);
        let answer = rendered(&event, table.sample.at.wall_ms);
        *first = Some((table.taken, source, answer.clone()));
        answer
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.shared.is_wanted.store(false, Ordering::SeqCst);
    }
}

/// An event whose bytes are shared.
pub fn rendered(event: &ProcessWatchEvent, time_ms: u64) -> Arc<SharedAnswer> {
    Arc::new(SharedAnswer::new(&Rendered::of(event), &Stamp::at(time_ms)))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each is whole between any two statements that change it, so a panic elsewhere leaves it usable.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
pub(crate) mod fake;
#[cfg(test)]
mod tests;
