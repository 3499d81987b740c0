//! The thread that listens to the kernel: it does nothing else, since what the kernel holds back for us is bounded.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use psio_api::data::lifecycle::Lost;
use psio_api::error::ApiError;
use psio_probe::{LifecycleBatch, LifecycleSource};
use tokio::runtime::Handle;
use tokio::sync::oneshot::{self, error::TryRecvError};
use tracing::{debug, info};

use super::{Shared, Table};
use crate::ring::MIN_MAX_AGE;
use crate::sampler::Sampler;

/// How soon it notices that nobody listens to it any more.
const PATIENCE: Duration = Duration::from_millis(200);
/// How soon it notices that a table has been read.
const IMPATIENCE: Duration = Duration::from_millis(10);

/// Starts it, within the runtime. It ends when nobody wants it any more.
pub fn start(source: Box<dyn LifecycleSource>, shared: Arc<Shared>, sampler: Sampler) -> std::io::Result<()> {
    let runtime = Handle::current();
    let listener = Listener { source, shared, sampler, runtime, loss: None, asked: None, answer: None };
    std::thread::Builder::new().name("lifecycle".to_owned()).spawn(|| listener.run())?;
    Ok(())
}

struct Listener {
    source: Box<dyn LifecycleSource>,
    shared: Arc<Shared>,
    sampler: Sampler,
    runtime: Handle,
    loss: Option<Loss>,
    /// When a table was last asked for.
    asked: Option<Instant>,
    answer: Option<oneshot::Receiver<Result<Table, ApiError>>>,
}

/// Events were lost, and no table that makes up for it has been read.
#[derive(Clone, Copy)]
struct Loss {
    lost: Lost,
    at: Instant,
}

impl Listener {
    fn run(mut self) {
        while self.shared.is_wanted.load(Ordering::SeqCst) {
            let timeout = if self.loss.is_some() { IMPATIENCE } else { PATIENCE };
            match self.source.next(timeout) {
                Ok(batch) => self.take(batch, Instant::now()),
                Err(reason) => {
                    info!("process.watch compares sweeps from now on: {reason}");
                    return self.shared.log().lose_the_kernel();
                }
            }
            self.make_up();
        }
    }

    fn take(&mut self, batch: LifecycleBatch, now: Instant) {
        if !batch.events.is_empty() {
            self.shared.log().append(batch.events, now);
        }
        if let Some(lost) = batch.lost {
            self.loss = Some(Loss { lost: self.loss.map_or(lost, |earlier| earlier.lost.and(lost)), at: now });
        }
    }

    /// After a loss: has the table read, and begins afresh with it.
    fn make_up(&mut self) {
        let Some(loss) = self.loss else { return };
        if let Some(answer) = &mut self.answer {
            match answer.try_recv() {
                Err(TryRecvError::Empty) => return,
                Ok(Ok(table)) if table.taken >= loss.at => {
                    self.source.seed(&table.sample);
                    self.shared.log().begin_afresh(loss.lost, table);
                    (self.loss, self.answer) = (None, None);
                    return;
                }
                Ok(Err(error)) => debug!("cannot list processes after a loss: {error}"),
                // Too old: more was lost meanwhile.
                Ok(Ok(_)) | Err(TryRecvError::Closed) => {}
            }
            self.answer = None;
        }
        // Losses without end are no reason to sweep without end.
        if self.asked.is_none_or(|asked| asked.elapsed() >= MIN_MAX_AGE) {
            let (done, answer) = oneshot::channel();
            let sampler = self.sampler.clone();
            self.runtime.spawn(async move { done.send(Table::read(&sampler, loss.at).await) });
            (self.asked, self.answer) = (Some(Instant::now()), Some(answer));
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // A mistake here must not leave the watchers without a word.
        if std::thread::panicking() {
            self.shared.log().lose_the_kernel();
        }
    }
}
