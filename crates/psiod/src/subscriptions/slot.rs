//! What everybody in a group of a read command was told last.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use psio_api::command::Prepared;
use psio_api::data::snapshot::Snapshot;
use psio_api::data::topics::Topics;
use psio_api::data::view::View;
use psio_api::delta::Listing;
use psio_api::error::ApiError;
use psio_api::request::Mode;

use super::hub::Membership;
use super::subscriber::Said;
use crate::ring::{MAX_WINDOW, MIN_WINDOW, Ring};
use crate::shared_answer::{SharedAnswer, Stamp};

/// What a group was told last: whoever missed it gets what is newest.
pub struct Slot {
    pub command: Box<dyn Prepared>,
    mode: Mode,
    newest: Mutex<Option<Newest>>,
    progress: Mutex<Progress>,
}

/// What the ticker remembers of a group from one tick to the next.
pub struct Progress {
    /// Whether the machine has been read ahead of the next tick, for a window that ends there.
    pub is_led: bool,
    /// Whether the last tick is still being evaluated, apart from the others because that takes long.
    pub is_late: bool,
    /// What was told last, to measure the next rates from.
    pub told: Snapshot,
    /// What was listed last, in delta mode.
    listing: Option<Arc<dyn Listing>>,
    /// How long the last evaluation took, reading included.
    pub cost: Duration,
    /// How much of that was computing.
    pub computed: Duration,
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

impl Slot {
    /// The slot of a group that has been told nothing yet.
    pub fn new(command: Box<dyn Prepared>, mode: Mode) -> Self {
        let progress = Progress {
            is_led: false,
            is_late: false,
            told: Snapshot::default(),
            listing: None,
            cost: Duration::ZERO,
            computed: Duration::ZERO,
        };
        Self { command, mode, newest: Mutex::default(), progress: Mutex::new(progress) }
    }

    pub fn newest(&self) -> Option<Newest> {
        lock(&self.newest).clone()
    }

    pub fn publish(&self, newest: Newest) {
        *lock(&self.newest) = Some(newest);
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
        let listing = match self.mode {
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
        progress.computed = made.elapsed();
        Ok(tick)
    }
}

/// Ticks of ten seconds are not exactly ten seconds apart.
const SLACK: Duration = Duration::from_secs(1);

/// Somebody who is told what is newest.
pub struct SlotListener {
    slot: Arc<Slot>,
    _membership: Membership,
    /// What they are told first; until then nothing else is.
    first: Option<Arc<SharedAnswer>>,
    /// The tick that counts as number one.
    begun: u64,
    /// The tick they were told of last.
    number: u64,
    /// Whether they were told that tick itself, so that changes since then may follow.
    has_tick: bool,
}

/// What somebody is told first.
pub enum First {
    /// What the others were told at their last tick.
    Tick(Arc<Tick>),
    /// The same, found out for them alone, beside the group's ticks.
    Answer(Arc<Tick>),
}

impl SlotListener {
    pub fn new(slot: Arc<Slot>, membership: Membership, first: First) -> Self {
        let (tick, has_tick) = match first {
            First::Tick(tick) => (tick, true),
            First::Answer(tick) => (tick, false),
        };
        let (first, number) = (Some(tick.whole().clone()), tick.number);
        Self { slot, _membership: membership, first, begun: number, number, has_tick }
    }

    /// Tells what is newest; whether there may be more.
    pub fn hear(&mut self, tell: &mut dyn FnMut(Said)) -> bool {
        if let Some(first) = self.first.take() {
            tell(Said::Event(1, first));
        }
        match self.slot.newest() {
            Some(Newest::Tick(tick)) if tick.number > self.number => {
                let answer = tick.since(self.has_tick.then_some(self.number)).clone();
                tell(Said::Event(1 + tick.number - self.begun, answer));
                (self.number, self.has_tick) = (tick.number, true);
                true
            }
            Some(Newest::Ended(error)) => {
                tell(Said::End(error));
                false
            }
            _ => true,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each is whole between any two statements that change it, so a panic elsewhere leaves it usable.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
