//! Everybody who watches processes at the same interval: what they are told is queued, and each reads it from a place
//! of their own.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use psio_api::commands::process_watch::{ProcessWatchEvent, WatchSource};
use psio_api::data::lifecycle::Lost;
use psio_api::data::topics::Topics;
use psio_api::error::ApiError;

use super::hub::{Hub, Membership};
use super::subscriber::Said;
use crate::lifecycle::{Forgotten, Place, Table, Telling, Watch, rendered};
use crate::sampler::Sampler;
use crate::shared_answer::SharedAnswer;

/// Ticks that are kept for who reads slowly, at most…
const MAX_TICKS: usize = 64;
/// … and their bytes. The newest is kept whatever its size.
const MAX_BYTES: usize = 4 << 20;

/// What a group is told, tick by tick, as far as anything happens.
pub struct Queue {
    watch: Arc<Watch>,
    state: Mutex<State>,
}

struct State {
    /// Up to where the group has been told.
    told: Place,
    /// When that was.
    told_at: Instant,
    /// The number of the newest tick; only those that tell something are counted.
    newest: u64,
    ticks: VecDeque<Arc<Tick>>,
    bytes: usize,
    /// With what those go on whose next tick is not kept any more.
    relief: Option<Arc<Relief>>,
    is_relief_wanted: bool,
}

/// What the group is told at once.
struct Tick {
    number: u64,
    telling: Telling,
    time_ms: u64,
    answer: Arc<SharedAnswer>,
    bytes: usize,
}

/// A list that stands for all ticks up to a number.
struct Relief {
    number: u64,
    place: Place,
    table: Table,
    /// What was told last, and to somebody who had lost how much.
    told: Mutex<Option<(Lost, Arc<SharedAnswer>)>>,
}

/// What there is for somebody.
enum Next {
    Tick(Arc<Tick>),
    Relief(Arc<Relief>),
    Nothing,
}

impl Queue {
    /// A queue whose first member has been told up to this place.
    pub fn new(watch: Arc<Watch>, told: Place) -> Self {
        let state = State {
            told,
            told_at: Instant::now(),
            newest: 0,
            ticks: VecDeque::new(),
            bytes: 0,
            relief: None,
            is_relief_wanted: false,
        };
        Self { watch, state: Mutex::new(state) }
    }

    /// What is sampled for a tick.
    pub fn topics(&self) -> Topics {
        match self.watch.log().source() {
            WatchSource::ProcConnector => Topics::NONE,
            WatchSource::Sweeps => Topics::PROCESSES,
        }
    }

    /// Queues what has happened since the last tick; whether anything has.
    pub async fn tick(&self, sampler: &Sampler, max_age: Duration) -> Result<bool, ApiError> {
        self.watch.sweep(sampler, max_age).await?;
        let place = self.state().told;
        let told_at = Instant::now();
        let told = self.watch.log().tell(place, None);
        let tellings = match told {
            Ok(tellings) => tellings,
            Err(Forgotten) => {
                let since = self.watch.log().oldest_table();
                let table = Table::read(sampler, since).await?;
                // Where it does not help, it will at the next tick: so much does not happen all the time.
                self.watch.log().tell(place, Some(&table)).unwrap_or_default()
            }
        };
        let ticks: Vec<_> = tellings.into_iter().map(Tick::new).collect();
        let mut state = self.state();
        if state.told != place {
            // Somebody began meanwhile who is to be told more: the next tick tells all of it.
            return Ok(false);
        }
        state.told_at = told_at;
        let has_news = !ticks.is_empty();
        for tick in ticks {
            state.publish(tick);
        }
        Ok(has_news)
    }

    /// Makes the list for those whose next tick is not kept any more, if there are any; whether there is one.
    pub async fn relieve(&self, sampler: &Sampler) -> Result<bool, ApiError> {
        let (number, place, since) = {
            let mut state = self.state();
            if !std::mem::take(&mut state.is_relief_wanted) {
                return Ok(false);
            }
            (state.newest, state.told, state.told_at)
        };
        let table = Table::read(sampler, since).await.inspect_err(|_| self.state().is_relief_wanted = true)?;
        self.state().relief = Some(Arc::new(Relief { number, place, table, told: Mutex::default() }));
        Ok(true)
    }

    /// The number of the tick that comes first for somebody who begins at this place.
    fn first_after(&self, place: &Place) -> u64 {
        let mut state = self.state();
        let first = state.ticks.iter().find(|tick| place.is_before(&tick.telling.upto));
        match first {
            // What happened before it is not kept any more.
            Some(tick) if place.next < tick.telling.from => tick.number - 1,
            Some(tick) => tick.number,
            None => {
                // The others have been told these events, and do not hear them again.
                if state.ticks.is_empty() && place.is_before(&state.told) {
                    state.told = *place;
                }
                state.newest + 1
            }
        }
    }

    /// What there is for somebody whose next tick has this number.
    fn next(&self, number: u64) -> Next {
        let mut state = self.state();
        let Some(oldest) = state.ticks.front().map(|tick| tick.number) else { return Next::Nothing };
        if number >= oldest {
            let tick = state.ticks.get((number - oldest) as usize);
            return tick.map_or(Next::Nothing, |tick| Next::Tick(tick.clone()));
        }
        match &state.relief {
            Some(relief) if relief.number >= number => Next::Relief(relief.clone()),
            _ => {
                state.is_relief_wanted = true;
                Next::Nothing
            }
        }
    }

    /// Whether somebody waits for a list.
    pub fn is_relief_wanted(&self) -> bool {
        self.state().is_relief_wanted
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl State {
    fn publish(&mut self, mut tick: Tick) {
        self.newest += 1;
        tick.number = self.newest;
        self.told = tick.telling.upto;
        self.bytes += tick.bytes;
        self.ticks.push_back(Arc::new(tick));
        while self.ticks.len() > 1 && (self.ticks.len() > MAX_TICKS || self.bytes > MAX_BYTES) {
            self.bytes -= self.ticks.pop_front().map_or(0, |tick| tick.bytes);
        }
        let oldest = self.newest + 1 - self.ticks.len() as u64;
        if self.relief.as_ref().is_some_and(|relief| relief.number + 1 < oldest) {
            self.relief = None;
        }
    }
}

impl Tick {
    fn new(telling: Telling) -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let time_ms = telling.listed_ms().unwrap_or(now.as_millis() as u64);
        let answer = rendered(&telling.event(), time_ms);
        Self { number: 0, bytes: answer.kept_bytes(), telling, time_ms, answer }
    }

    /// What somebody is told who has been told everything before the event of this number; `None` where that is all.
    fn after(&self, next: u64) -> Option<Arc<SharedAnswer>> {
        if self.telling.is_afresh() || next <= self.telling.from {
            return Some(self.answer.clone());
        }
        let is_new = !self.telling.is_empty_from(next);
        is_new.then(|| rendered(&self.telling.event_from(next), self.time_ms))
    }
}

impl Relief {
    fn after(&self, place: &Place) -> Arc<SharedAnswer> {
        let lost = place.missed_until(&self.place);
        let mut told = lock(&self.told);
        match &*told {
            Some((same, answer)) if *same == lost => answer.clone(),
            _ => {
                let event = ProcessWatchEvent::afresh(lost, &self.table.sample.value, Vec::new());
                let answer = rendered(&event, self.table.sample.at.wall_ms);
                *told = Some((lost, answer.clone()));
                answer
            }
        }
    }
}

/// Somebody who is told all that happens.
pub struct QueueListener {
    hub: Arc<Hub>,
    queue: Arc<Queue>,
    _membership: Membership,
    first: Option<Arc<SharedAnswer>>,
    /// The tick that would have been number one; silence is not counted.
    begun: u64,
    next: u64,
    place: Place,
}

impl QueueListener {
    /// Somebody who is told `first` and then what happened after this place.
    pub fn new(
        hub: Arc<Hub>,
        queue: Arc<Queue>,
        membership: Membership,
        first: Arc<SharedAnswer>,
        place: Place,
    ) -> Self {
        let next = queue.first_after(&place);
        Self { hub, queue, _membership: membership, first: Some(first), begun: next.saturating_sub(1), next, place }
    }

    /// Tells what happened since it was told last.
    pub fn hear(&mut self, tell: &mut dyn FnMut(Said)) {
        if let Some(first) = self.first.take() {
            tell(Said::Event(1, first));
        }
        loop {
            match self.queue.next(self.next) {
                Next::Tick(tick) => self.tell_tick(&tick, tell),
                Next::Relief(relief) => {
                    tell(Said::Event(1 + relief.number - self.begun, relief.after(&self.place)));
                    (self.place, self.next) = (relief.place, relief.number + 1);
                }
                Next::Nothing => break,
            }
        }
        if self.queue.is_relief_wanted() {
            self.hub.changed.notify_one();
        }
    }

    fn tell_tick(&mut self, tick: &Tick, tell: &mut dyn FnMut(Said)) {
        match tick.after(self.place.next) {
            Some(answer) => tell(Said::Event(1 + tick.number - self.begun, answer)),
            None => self.begun += 1,
        }
        // The list that they began with may show more than this tick told.
        let shown = if tick.telling.is_afresh() { 0 } else { self.place.next };
        self.place = tick.telling.upto;
        self.place.next = self.place.next.max(shown);
        self.next = tick.number + 1;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each is whole between any two statements that change it, so a panic elsewhere leaves it usable.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
