//! Work that may hang, on a thread that can be given up: reading the arguments of a process whose memory map is
//! locked, asking a name service.
//!
//! A batch of jobs costs one hop to the thread and one back. A job that makes no progress in its time is reported as
//! timed out, its thread is abandoned (it ends by itself should the job ever return) and another takes over the rest.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// So many threads may be stuck at once; beyond that nothing is tried any more until one of them returns.
const MAX_STUCK: usize = 8;
/// Jobs keep their buffers on the heap.
const STACK_BYTES: usize = 256 * 1024;

/// What became of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome<R> {
    /// It returned this.
    Done(R),
    /// It did not return in its time.
    TimedOut,
    /// Its turn did not come: the batch's time was up, or too many threads are stuck already.
    NotTried,
}

/// How long to wait.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For a single job, before it counts as stuck.
    pub job: Duration,
    /// For the whole batch.
    pub batch: Duration,
}

/// A disposable thread that works through batches of jobs.
pub struct Worker<J, R> {
    name: &'static str,
    run: Arc<dyn Fn(J) -> R + Send + Sync>,
    lane: Option<Arc<Lane<J, R>>>,
    stuck: Arc<AtomicUsize>,
}

/// What a worker and one of its threads share.
struct Lane<J, R> {
    state: Mutex<State<J, R>>,
    changed: Condvar,
}

struct State<J, R> {
    jobs: Option<Vec<J>>,
    results: Vec<R>,
    finished: bool,
    abandoned: bool,
}

impl<J, R> Lane<J, R> {
    fn lock(&self) -> MutexGuard<'_, State<J, R>> {
        // A panic elsewhere leaves plain data behind.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<J: Copy + Send + 'static, R: Send + 'static> Worker<J, R> {
    /// A worker that runs `run` for each job. No thread is started before the first batch.
    pub fn new(name: &'static str, run: impl Fn(J) -> R + Send + Sync + 'static) -> Self {
        Self { name, run: Arc::new(run), lane: None, stuck: Arc::default() }
    }

    /// Runs the jobs, in order, and waits for them. One outcome per job, in the same order.
    pub fn run(&mut self, jobs: &[J], patience: Patience) -> Vec<Outcome<R>> {
        let deadline = Instant::now() + patience.batch;
        let mut outcomes = Vec::with_capacity(jobs.len());
        while outcomes.len() < jobs.len() && Instant::now() < deadline {
            let Some(lane) = self.start(&jobs[outcomes.len()..]) else {
                break;
            };
            let finished = self.collect(&lane, patience.job, deadline, &mut outcomes);
            if !finished {
                self.abandon();
                if outcomes.len() < jobs.len() {
                    outcomes.push(Outcome::TimedOut);
                }
            }
        }
        outcomes.resize_with(jobs.len(), || Outcome::NotTried);
        outcomes
    }

    /// How many threads are stuck at the moment.
    pub fn stuck(&self) -> usize {
        self.stuck.load(Ordering::Relaxed)
    }

    /// Moves results to `outcomes` until the batch has finished (true), or the job in progress is stuck (false).
    fn collect(&self, lane: &Lane<J, R>, per_job: Duration, deadline: Instant, outcomes: &mut Vec<Outcome<R>>) -> bool {
        let mut state = lane.lock();
        let mut progress = 0;
        let mut progress_at = Instant::now();
        while !state.finished {
            let until = (progress_at + per_job).min(deadline);
            let wait = until.saturating_duration_since(Instant::now());
            if wait.is_zero() {
                break;
            }
            (state, _) = lane.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner);
            if state.results.len() > progress {
                progress = state.results.len();
                progress_at = Instant::now();
            }
        }
        outcomes.extend(state.results.drain(..).map(Outcome::Done));
        state.finished
    }

    /// Hands the jobs to the thread, which is started if there is none.
    fn start(&mut self, jobs: &[J]) -> Option<Arc<Lane<J, R>>> {
        let lane = match &self.lane {
            Some(lane) => Arc::clone(lane),
            None => self.spawn()?,
        };
        let mut state = lane.lock();
        state.jobs = Some(jobs.to_vec());
        state.finished = false;
        drop(state);
        lane.changed.notify_all();
        self.lane = Some(Arc::clone(&lane));
        Some(lane)
    }

    fn spawn(&self) -> Option<Arc<Lane<J, R>>> {
        if self.stuck() >= MAX_STUCK {
            return None;
        }
        let lane = Arc::new(Lane {
            state: Mutex::new(State { jobs: None, results: Vec::new(), finished: false, abandoned: false }),
            changed: Condvar::new(),
        });
        let (own, run, stuck) = (Arc::clone(&lane), Arc::clone(&self.run), Arc::clone(&self.stuck));
        thread::Builder::new()
            .name(self.name.into())
            .stack_size(STACK_BYTES)
            .spawn(move || {
                let guard = StuckGuard { lane: &own, stuck: &stuck };
                work(guard.lane, &*run);
            })
            .ok()?;
        Some(lane)
    }
}

impl<J, R> Worker<J, R> {
    fn abandon(&mut self) {
        let Some(lane) = self.lane.take() else { return };
        lane.lock().abandoned = true;
        self.stuck.fetch_add(1, Ordering::Relaxed);
        lane.changed.notify_all();
    }
}

impl<J, R> Drop for Worker<J, R> {
    fn drop(&mut self) {
        self.abandon();
    }
}

impl<J, R> fmt::Debug for Worker<J, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Counts its thread as free again when it ends, a panic included.
struct StuckGuard<'a, J, R> {
    lane: &'a Lane<J, R>,
    stuck: &'a AtomicUsize,
}

impl<J, R> Drop for StuckGuard<'_, J, R> {
    fn drop(&mut self) {
        if self.lane.lock().abandoned {
            self.stuck.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// The thread: takes batches until it is abandoned.
fn work<J, R>(lane: &Lane<J, R>, run: &dyn Fn(J) -> R) {
    loop {
        let mut state = lane.lock();
        let jobs = loop {
            if state.abandoned {
                return;
            }
            if let Some(jobs) = state.jobs.take() {
                break jobs;
            }
            state = lane.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        };
        drop(state);
        for job in jobs {
            let result = run(job);
            let mut state = lane.lock();
            if state.abandoned {
                return;
            }
            state.results.push(result);
        }
        lane.lock().finished = true;
        lane.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience { job: Duration::from_millis(50), batch: Duration::from_secs(10) };

    fn sleeper() -> Worker<u64, u64> {
        Worker::new("test", |millis| {
            thread::sleep(Duration::from_millis(millis));
            millis
        })
    }

    #[test]
    fn results_come_in_order() {
        let outcomes = sleeper().run(&[2, 0, 1], PATIENCE);
        assert_eq!(outcomes, [Outcome::Done(2), Outcome::Done(0), Outcome::Done(1)]);
    }

    #[test]
    fn a_stuck_job_does_not_keep_the_others() {
        let outcomes = sleeper().run(&[1, 60_000, 2], PATIENCE);
        assert_eq!(outcomes, [Outcome::Done(1), Outcome::TimedOut, Outcome::Done(2)]);
    }

    #[test]
    fn many_quick_jobs_may_take_longer_than_one_job_may() {
        let jobs = [5; 40];
        let outcomes = sleeper().run(&jobs, PATIENCE);
        assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Done(5)));
    }

    #[test]
    fn when_too_many_are_stuck_nothing_more_is_tried() {
        let mut worker = sleeper();
        // Long enough for a thread to begin: one that is given up before that is not stuck.
        let patience = Patience { job: Duration::from_millis(100), ..PATIENCE };
        for _ in 0..MAX_STUCK {
            assert_eq!(worker.run(&[60_000], patience), [Outcome::TimedOut]);
        }
        assert_eq!(worker.run(&[0], patience), [Outcome::NotTried]);
    }

    #[test]
    fn a_thread_that_returns_is_free_again() {
        let mut worker = sleeper();
        let patience = Patience { job: Duration::from_millis(100), ..PATIENCE };
        assert_eq!(worker.run(&[1000], patience), [Outcome::TimedOut]);
        assert_eq!(worker.stuck(), 1);
        let deadline = Instant::now() + Duration::from_secs(10);
        while worker.stuck() > 0 {
            assert!(Instant::now() < deadline, "the thread never came back");
            thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn a_job_that_panics_counts_as_timed_out() {
        let mut worker: Worker<u32, u32> = Worker::new("test", |job| {
            assert_ne!(job, 1, "as the test wants it");
            job
        });
        let outcomes = worker.run(&[0, 1, 2], PATIENCE);
        assert_eq!(outcomes, [Outcome::Done(0), Outcome::TimedOut, Outcome::Done(2)]);
    }
}
