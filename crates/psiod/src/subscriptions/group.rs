//! Everybody who is told the same at the same moments, and what they were told last.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use futures_util::task::AtomicWaker;
use psio_api::command::Prepared;
use psio_api::data::snapshot::Snapshot;
use psio_api::data::topics::Topics;
use psio_api::data::view::View;
use psio_api::delta::Listing;
use psio_api::error::ApiError;
use psio_api::request::Mode;
use slab::Slab;

use crate::answers::Question;
use crate::ring::{MAX_WINDOW, MIN_WINDOW, Ring};
use crate::shared_answer::{SharedAnswer, Stamp};

/// What makes subscriptions the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GroupKey {
    /// What is told.
    pub question: Question,
    /// How often.
    pub interval_ms: u32,
}

impl GroupKey {
    /// From one tick to the next.
    pub fn interval(&self) -> Duration {
        Duration::from_millis(self.interval_ms.into())
    }
}

/// The subscriptions that are the same.
pub struct Group {
    pub key: GroupKey,
    pub command: Box<dyn Prepared>,
    newest: Mutex<Option<Newest>>,
    members: Mutex<Slab<Arc<Mailbox>>>,
    progress: Mutex<Progress>,
}

/// What the ticker remembers of a group from one tick to the next.
pub struct Progress {
    /// The tick that came last, counted from the hub's start; those missed count too.
    pub number: u64,
    /// Whether the machine has been read ahead of the next tick, for a window that ends there.
    pub is_led: bool,
    /// What was told last, to measure the next rates from.
    pub told: Snapshot,
    /// What was listed last, in delta mode.
    listing: Option<Arc<dyn Listing>>,
    /// How long the last evaluation took.
    pub cost: Duration,
}

/// The content of a group's slot.
#[derive(Clone)]
pub enum Newest {
    /// The newest tick.
    Tick(Arc<Tick>),
    /// There will be no more, for this reason.
    Ended(Arc<ApiError>),
}

/// What the members are told at one tick.
pub struct Tick {
    /// Which tick of its interval it is.
    pub number: u64,
    /// When it was made.
    pub made: Instant,
    changes: Option<Arc<SharedAnswer>>,
    whole: OnceLock<Arc<SharedAnswer>>,
    listing: Option<(Arc<dyn Listing>, Stamp)>,
}

impl Tick {
    /// What somebody is told who was told of tick `before`: the changes, or all where there was a gap.
    pub fn since(&self, before: Option<u64>) -> &Arc<SharedAnswer> {
        match &self.changes {
            Some(changes) if before.is_some_and(|before| before + 1 == self.number) => changes,
            _ => self.whole(),
        }
    }

    /// All of it. In delta mode it is made when the first asks for it: seldom does anybody.
    pub fn whole(&self) -> &Arc<SharedAnswer> {
        self.whole.get_or_init(|| {
            let (listing, stamp) = self.listing.as_ref().expect("invariant: a tick has its whole or a listing");
            Arc::new(SharedAnswer::new(&listing.reset(), stamp))
        })
    }
}

impl Group {
    /// A group whose members have just been told of `told`, in the time of tick `number`.
    pub fn new(key: GroupKey, command: Box<dyn Prepared>, told: Snapshot, number: u64) -> Self {
        let progress = Progress { number, is_led: false, told, listing: None, cost: Duration::ZERO };
        Self { key, command, newest: Mutex::default(), members: Mutex::default(), progress: Mutex::new(progress) }
    }

    pub fn interval(&self) -> Duration {
        self.key.interval()
    }

    pub fn newest(&self) -> Option<Newest> {
        lock(&self.newest).clone()
    }

    pub fn publish(&self, newest: Newest) {
        *lock(&self.newest) = Some(newest);
    }

    pub fn members(&self) -> MutexGuard<'_, Slab<Arc<Mailbox>>> {
        lock(&self.members)
    }

    pub fn progress(&self) -> MutexGuard<'_, Progress> {
        lock(&self.progress)
    }

    /// What to measure the rates of `now` from: exactly what was told last where that gives a window one may have.
    pub fn base(&self, ring: &Ring, now: &Snapshot) -> Snapshot {
        let told = self.progress().told.clone();
        let topics = self.command.needs().with_rates();
        let mut base = Snapshot::default();
        for topic in Topics::each().filter(|&topic| topics.contains(topic)) {
            let (Some(at), Some(earlier)) = (now.at(topic), told.at(topic)) else {
                base.take(topic, &ring.base(topic, now, None));
                continue;
            };
            if (MIN_WINDOW..=MAX_WINDOW + SLACK).contains(&at.since(&earlier)) {
                base.take(topic, &told);
            } else {
                base.take(topic, &ring.base(topic, now, Some(earlier)));
            }
        }
        base
    }

    /// Evaluates the command for tick `number`, sharing what `shared` finds where the whole is told.
    pub fn evaluate(
        &self,
        number: u64,
        view: &View,
        shared: impl FnOnce() -> Result<Arc<SharedAnswer>, ApiError>,
    ) -> Result<Tick, ApiError> {
        let made = Instant::now();
        let listing = match self.key.question.mode {
            Mode::Whole => None,
            Mode::Delta => self.command.list(view)?,
        };
        let tick = match listing {
            None => Tick { number, made, changes: None, whole: OnceLock::from(shared()?), listing: None },
            Some(listing) => {
                let stamp = Stamp::of(view, self.command.needs());
                let before = self.progress().listing.replace(listing.clone());
                let changes = before.map(|before| Arc::new(SharedAnswer::new(&listing.changes(&*before), &stamp)));
                Tick { number, made, changes, whole: OnceLock::new(), listing: Some((listing, stamp)) }
            }
        };
        let mut progress = self.progress();
        progress.told = (*view.now).clone();
        progress.cost = made.elapsed();
        Ok(tick)
    }
}

/// Ticks of ten seconds are not exactly ten seconds apart.
const SLACK: Duration = Duration::from_secs(1);

/// How a connection hears that there is something for it.
#[derive(Debug, Default)]
pub struct Mailbox {
    pub waker: AtomicWaker,
    pub is_ready: AtomicBool,
    /// The hub's round that was heard of last.
    pub heard: AtomicU64,
}

impl Mailbox {
    /// Wakes the connection, unless it is awake already or has looked since this round's ticks were published.
    pub fn notify(&self, round: u64) {
        if self.heard.load(Ordering::SeqCst) < round && !self.is_ready.swap(true, Ordering::SeqCst) {
            self.waker.wake();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each is whole between any two statements that change it, so a panic elsewhere leaves it usable.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
