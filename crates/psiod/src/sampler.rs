//! The one thread that reads the machine. Everybody who asks at about the same time shares what it read; while nobody
//! asks it sleeps.

use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use psio_api::data::details::Details;
use psio_api::data::process::ProcessId;
use psio_api::data::snapshot::{Sample, Snapshot};
use psio_api::data::topics::Topics;
use psio_api::error::ApiError;
use psio_probe::{ProbeError, Source};
use tokio::sync::oneshot;
use tracing::{debug, warn};

use crate::ring::{MIN_MAX_AGE, MIN_WINDOW, Ring};
use crate::stats::Stats;

/// What can be asked of the sampler. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Sampler {
    ring: Arc<Mutex<Ring>>,
    /// Samples taken so far.
    taken: Arc<AtomicU64>,
    asks: mpsc::Sender<Ask>,
}

enum Ask {
    Sample { topics: Topics, wanted: Wanted, done: oneshot::Sender<Result<(), ApiError>> },
    Details { processes: Vec<ProcessId>, done: oneshot::Sender<Details> },
}

/// Which samples serve somebody.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    /// None older than this, nor than any may be.
    max_age: Duration,
    /// Whether there must be an earlier one to measure rates from.
    with_base: bool,
}

impl Sampler {
    /// Starts the thread. It takes a first sample at once, so that the first client finds something to measure from.
    pub fn start(source: Box<dyn Source>, stats: Arc<Stats>) -> std::io::Result<Self> {
        let (asks, inbox) = mpsc::channel();
        let ring = Arc::<Mutex<Ring>>::default();
        let taken = Arc::<AtomicU64>::default();
        let thread = Thread {
            source,
            stats,
            ring: ring.clone(),
            taken: taken.clone(),
            inbox,
            waiting: Vec::new(),
            details: VecDeque::new(),
            failures: HashMap::new(),
        };
        std::thread::Builder::new().name("sampler".to_owned()).spawn(|| thread.run())?;
        Ok(Self { ring, taken, asks })
    }

    /// The samples so far.
    pub fn ring(&self) -> MutexGuard<'_, Ring> {
        lock(&self.ring)
    }

    /// How many samples have been taken: as long as it stays the same, so does everything that is told.
    pub fn taken(&self) -> u64 {
        self.taken.load(Ordering::Acquire)
    }

    /// Until when these topics can be told at once: as long as what was sampled last is young enough, and has a base for
    /// its rates. `None` when they have to be sampled first.
    pub fn fresh_until(&self, topics: Topics) -> Option<Instant> {
        let ring = self.ring();
        let now = Instant::now();
        let mut until = now + MIN_MAX_AGE;
        for topic in Topics::each().filter(|&topic| topics.contains(topic)) {
            let series = ring.series(topic);
            until = until.min(series.newest_taken()? + series.max_age());
            if until < now || !(topic.with_rates().is_empty() || series.has_base()) {
                return None;
            }
        }
        Some(until)
    }

    /// Waits until the topics are sampled, together with everybody else who waits for them.
    pub async fn sampled(&self, topics: Topics) -> Result<(), ApiError> {
        self.sampled_within(topics, Duration::MAX).await
    }

    /// The same for somebody who wants counters and no rates, and so no earlier sample.
    pub async fn counted(&self, topics: Topics) -> Result<(), ApiError> {
        self.sampled_as(topics, Wanted { max_age: Duration::MAX, with_base: false }).await
    }

    /// The same for somebody whom a sample serves that is neither older than this nor than any may be.
    pub async fn sampled_within(&self, topics: Topics, max_age: Duration) -> Result<(), ApiError> {
        self.sampled_as(topics, Wanted { max_age, with_base: true }).await
    }

    async fn sampled_as(&self, topics: Topics, wanted: Wanted) -> Result<(), ApiError> {
        let (done, answer) = oneshot::channel();
        self.ask(Ask::Sample { topics, wanted, done })?;
        answer.await.map_err(|_| stopped())?
    }

    /// Reads the dear fields of the given processes.
    pub async fn details(&self, processes: Vec<ProcessId>) -> Result<Details, ApiError> {
        let (done, answer) = oneshot::channel();
        self.ask(Ask::Details { processes, done })?;
        answer.await.map_err(|_| stopped())
    }

    fn ask(&self, ask: Ask) -> Result<(), ApiError> {
        self.asks.send(ask).map_err(|_| stopped())
    }
}

fn stopped() -> ApiError {
    ApiError::unavailable("the sampler has stopped; psiod is going down or needs a restart")
}

fn lock(ring: &Mutex<Ring>) -> MutexGuard<'_, Ring> {
    // The ring is whole between any two of its methods, so a panic elsewhere leaves it usable.
    ring.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Thread {
    source: Box<dyn Source>,
    stats: Arc<Stats>,
    ring: Arc<Mutex<Ring>>,
    taken: Arc<AtomicU64>,
    inbox: Receiver<Ask>,
    waiting: Vec<Waiting>,
    details: VecDeque<(Vec<ProcessId>, oneshot::Sender<Details>)>,
    /// The last error of each topic and when it was met: one that repeats is logged once, and not met more often than
    /// the topic would be read.
    failures: HashMap<Topics, (Instant, String)>,
}

/// Somebody who asked, and what they still wait for.
struct Waiting {
    /// Topics still missing, each with the oldest moment at which a sample of it may have been taken.
    missing: Vec<(Topics, Instant)>,
    with_base: bool,
    asked: Instant,
    done: oneshot::Sender<Result<(), ApiError>>,
}

impl Thread {
    fn run(mut self) {
        self.sample(Topics::CPU | Topics::PROCESSES | Topics::DAEMON);
        loop {
            let asked = match self.next_due() {
                None => self.inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(due) => self.inbox.recv_timeout(due.saturating_duration_since(Instant::now())),
            };
            match asked {
                Ok(ask) => self.accept(ask),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return debug!("the sampler has nobody left to serve"),
            }
            // Whoever asked meanwhile shares the samples that are taken next.
            while let Ok(ask) = self.inbox.try_recv() {
                self.accept(ask);
            }
            self.sample_what_is_due();
            self.read_details();
        }
    }

    fn accept(&mut self, ask: Ask) {
        match ask {
            Ask::Details { processes, done } => self.details.push_back((processes, done)),
            Ask::Sample { topics, wanted, done } => {
                let asked = Instant::now();
                let ring = lock(&self.ring);
                let max_age = |topic| ring.series(topic).max_age().min(wanted.max_age);
                let not_before = |topic| asked.checked_sub(max_age(topic)).unwrap_or(asked);
                let missing = Topics::each()
                    .filter(|&topic| topics.contains(topic))
                    .map(|topic| (topic, not_before(topic)))
                    .collect();
                self.waiting.push(Waiting { missing, with_base: wanted.with_base, asked, done });
            }
        }
    }

    /// Reads dear fields for the first few who asked; the others' turn comes after the samples that are due then.
    fn read_details(&mut self) {
        const AT_ONCE: usize = 16;
        for (processes, done) in self.details.drain(..self.details.len().min(AT_ONCE)) {
            // Whoever asked may have gone; nobody else wants it then.
            if done.is_closed() {
                continue;
            }
            let source = &mut self.source;
            // As in `read`: without an answer the asker hears that there is none.
            if let Ok(details) = catch_unwind(AssertUnwindSafe(|| source.details(&processes))) {
                let _ = done.send(details);
            }
        }
    }

    /// Takes the samples whose time has come and answers those they complete, until nothing is due.
    fn sample_what_is_due(&mut self) {
        loop {
            self.answer_the_satisfied();
            let now = Instant::now();
            let due = self.missing().filter(|&(topic, with_base)| self.due_at(topic, with_base, now) <= now);
            let due = due.fold(Topics::NONE, |due, (topic, _)| due | topic);
            if due.is_empty() {
                return;
            }
            self.sample(due);
        }
    }

    /// Each topic that somebody waits for, and whether they need an earlier sample too.
    fn missing(&self) -> impl Iterator<Item = (Topics, bool)> {
        self.waiting.iter().flat_map(|waiting| waiting.missing.iter().map(|&(topic, _)| (topic, waiting.with_base)))
    }

    fn next_due(&self) -> Option<Instant> {
        let now = Instant::now();
        if !self.details.is_empty() {
            return Some(now);
        }
        self.missing().map(|(topic, with_base)| self.due_at(topic, with_base, now)).min()
    }

    /// When a sample of the topic is worth taking. A topic with rates whose samples are all younger than the shortest
    /// window waits until one is old enough to measure from.
    fn due_at(&self, topic: Topics, with_base: bool, now: Instant) -> Instant {
        let has_rates = with_base && !topic.with_rates().is_empty();
        if has_rates { lock(&self.ring).series(topic).base_ready(now) } else { now }
    }

    fn sample(&mut self, topics: Topics) {
        for topic in Topics::each().filter(|&topic| topics.contains(topic)) {
            let started = Instant::now();
            if let Some((at, message)) = self.failures.get(&topic)
                && started - *at < MIN_MAX_AGE
            {
                let message = message.clone();
                self.refuse(topic, &message);
                continue;
            }
            match self.read(topic) {
                Ok(sample) if sample.at(topic).is_none() => self.fail(topic, &ProbeError::Missing.to_string()),
                Ok(sample) => {
                    self.failures.remove(&topic);
                    lock(&self.ring).push(topic, &sample, started, started.elapsed());
                    self.taken.fetch_add(1, Ordering::Release);
                }
                Err(message) => self.fail(topic, &message),
            }
        }
    }

    fn read(&mut self, topic: Topics) -> Result<Snapshot, String> {
        if topic == Topics::DAEMON {
            let value = self.stats.sample(self.source.as_ref());
            let daemon = Some(Arc::new(Sample { at: self.source.now(), value }));
            return Ok(Snapshot { daemon, ..Snapshot::default() });
        }
        let source = &mut self.source;
        // A mistake in reading one topic must not take the others with it; the panic itself is in the log.
        match catch_unwind(AssertUnwindSafe(|| source.sample(topic))) {
            Ok(sample) => sample.map_err(|error| error.to_string()),
            Err(_) => Err("psiod made a mistake while reading it; its log says where".to_owned()),
        }
    }

    /// Notes why a topic could not be read.
    fn fail(&mut self, topic: Topics, message: &str) {
        let failure = (Instant::now(), message.to_owned());
        if self.failures.insert(topic, failure).is_none_or(|(_, before)| before != message) {
            warn!("{message}");
        }
        self.refuse(topic, message);
    }

    /// Tells everybody who waits for the topic that it cannot be had.
    fn refuse(&mut self, topic: Topics, message: &str) {
        let (failed, waiting) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|waiting| waiting.missing.iter().any(|&(missing, _)| missing == topic));
        self.waiting = waiting;
        for Waiting { done, .. } in failed {
            let _ = done.send(Err(ApiError::unavailable(message)));
        }
    }

    fn answer_the_satisfied(&mut self) {
        let ring = lock(&self.ring);
        for waiting in &mut self.waiting {
            let (asked, with_base) = (waiting.asked, waiting.with_base);
            waiting.missing.retain(|&(topic, not_before)| {
                let series = ring.series(topic);
                let Some(taken) = series.newest_taken().filter(|&taken| taken >= not_before) else { return true };
                // A machine that stands still (a recording) never has a base: a second reading is all one can do.
                let has_what_it_needs = !with_base || topic.with_rates().is_empty() || series.has_base();
                !has_what_it_needs && taken < asked + MIN_WINDOW
            });
        }
        let (satisfied, waiting): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.waiting).into_iter().partition(|waiting| waiting.missing.is_empty());
        drop(ring);
        self.waiting = waiting;
        for Waiting { done, .. } in satisfied {
            let _ = done.send(Ok(()));
        }
    }
}

#[cfg(test)]
mod tests;
