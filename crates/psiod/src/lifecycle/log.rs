//! What happened to processes lately: a bounded log that everybody who watches reads from a place of their own.
//!
//! Events are in the order in which they were noticed, lists are swept tables. An event noticed before a table began to
//! be read is shown by that table; one noticed later may be, so it is told after the list.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use psio_api::commands::process_watch::{ProcessWatchEvent, WatchSource};
use psio_api::data::lifecycle::{LifecycleEvent, Lost, changes};
use psio_api::data::process::ProcessSample;
use psio_api::data::snapshot::Sample;

/// Events that are kept, at most…
const MAX_EVENTS: usize = 16_384;
/// … and their bytes, about.
const MAX_BYTES: usize = 8 << 20;

/// The process table, as one sweep found it.
#[derive(Clone, Debug)]
pub struct Table {
    /// What was found.
    pub sample: Arc<Sample<ProcessSample>>,
    /// When the sweep began.
    pub taken: Instant,
}

/// The events, newest last.
#[derive(Debug)]
pub struct Log {
    source: WatchSource,
    events: VecDeque<Noticed>,
    /// The number of the oldest event that is kept, counted from the log's beginning.
    first: u64,
    bytes: usize,
    /// When the newest event was noticed that is not kept any more; at first when the log began.
    forgotten: Instant,
    losses: Losses,
    afresh: Option<Afresh>,
    /// From sweeps: what the next is compared with. `None` where what happened since the last event is not known.
    swept: Option<Table>,
}

#[derive(Debug)]
struct Noticed {
    event: LifecycleEvent,
    at: Instant,
}

/// The table that was read after the newest loss.
#[derive(Debug)]
struct Afresh {
    table: Table,
    /// What had been lost before that loss.
    before: Losses,
}

/// What the kernel has lost since the log began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Losses {
    times: u64,
    /// Events that are known to be lost.
    events: u64,
    /// How many times it was not known how many.
    unknown: u64,
}

/// Up to where somebody has been told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The number of the next event.
    pub next: u64,
    losses: Losses,
    source: WatchSource,
}

impl Place {
    /// What somebody misses who is told nothing between this place and a later one.
    pub fn missed_until(&self, later: &Self) -> Lost {
        let events = later.next.saturating_sub(self.next) + later.losses.events.saturating_sub(self.losses.events);
        Lost((later.losses.unknown == self.losses.unknown).then_some(events))
    }

    /// Whether something was told between this place and a later one.
    pub fn is_before(&self, later: &Self) -> bool {
        self.next < later.next || self.losses.times < later.losses.times
    }
}

/// Something to be told.
#[derive(Clone, Debug)]
pub struct Telling {
    /// The number of its first event.
    pub from: u64,
    /// Up to where it tells.
    pub upto: Place,
    /// What it says besides its events.
    source: Option<WatchSource>,
    afresh: Option<(Lost, Table)>,
    events: Vec<LifecycleEvent>,
}

impl Telling {
    /// Whether it lists who lives, in place of everything told before.
    pub fn is_afresh(&self) -> bool {
        self.afresh.is_some()
    }

    /// When its list was read, milliseconds since the epoch.
    pub fn listed_ms(&self) -> Option<u64> {
        self.afresh.as_ref().map(|(_, table)| table.sample.at.wall_ms)
    }

    /// How it is sent.
    pub fn event(&self) -> ProcessWatchEvent {
        self.event_from(self.from)
    }

    /// How it is sent to somebody to whom the list that they began with shows the events before this one.
    pub fn event_from(&self, next: u64) -> ProcessWatchEvent {
        let shown = usize::try_from(next.saturating_sub(self.from)).unwrap_or(usize::MAX).min(self.events.len());
        let events = self.events[shown..].to_vec();
        let event = match &self.afresh {
            Some((lost, table)) => ProcessWatchEvent::afresh(*lost, &table.sample.value, events),
            None => ProcessWatchEvent::of(events),
        };
        ProcessWatchEvent { source: self.source, ..event }
    }

    /// Whether there is nothing in it for that somebody.
    pub fn is_empty_from(&self, next: u64) -> bool {
        let has_events = next < self.from + self.events.len() as u64;
        !has_events && self.source.is_none() && self.afresh.is_none()
    }
}

/// What somebody has not been told is not kept any more: they need a table that is newer.
#[derive(Debug, PartialEq, Eq)]
pub struct Forgotten;

impl Log {
    /// The log of what this source tells from now on; `table` was read after it had begun to listen.
    pub fn new(source: WatchSource, table: Table) -> Self {
        Self {
            source,
            events: VecDeque::new(),
            first: 0,
            bytes: 0,
            forgotten: table.taken,
            losses: Losses::default(),
            afresh: None,
            swept: (source == WatchSource::Sweeps).then_some(table),
        }
    }

    /// Where events come from.
    pub fn source(&self) -> WatchSource {
        self.source
    }

    /// When the oldest table may have been taken with which somebody can begin.
    pub fn oldest_table(&self) -> Instant {
        self.forgotten
    }

    /// Adds what was noticed by now.
    pub fn append(&mut self, events: Vec<LifecycleEvent>, at: Instant) {
        for event in events {
            self.bytes += cost(&event);
            self.events.push_back(Noticed { event, at });
        }
        while self.events.len() > MAX_EVENTS || self.bytes > MAX_BYTES {
            let Some(oldest) = self.events.pop_front() else { return };
            self.bytes -= cost(&oldest.event);
            self.first += 1;
            self.forgotten = oldest.at;
        }
    }

    /// Events were lost; `table` was read since.
    pub fn begin_afresh(&mut self, lost: Lost, table: Table) {
        self.afresh = Some(Afresh { table, before: self.losses });
        self.losses.times += 1;
        match lost.0 {
            Some(events) => self.losses.events += events,
            None => self.losses.unknown += 1,
        }
    }

    /// The kernel tells no more: from now on sweeps are compared.
    pub fn lose_the_kernel(&mut self) {
        self.source = WatchSource::Sweeps;
        self.swept = None;
    }

    /// Adds what this sweep shows, where sweeps are what the log is made of.
    pub fn compare(&mut self, table: &Table) {
        if self.source != WatchSource::Sweeps {
            return;
        }
        match &self.swept {
            // The log is in the order in which things were noticed.
            None if self.events.back().is_some_and(|newest| table.taken < newest.at) => return,
            None => self.begin_afresh(Lost(None), table.clone()),
            Some(before) if before.taken < table.taken => {
                let wall_ms = table.sample.at.wall_ms;
                self.append(changes(&before.sample.value, &table.sample.value, wall_ms), table.taken);
            }
            Some(_) => return,
        }
        self.swept = Some(table.clone());
    }

    /// From where somebody is to be told who begins with this table.
    pub fn place_after(&self, table: &Table) -> Result<Place, Forgotten> {
        if table.taken < self.forgotten {
            return Err(Forgotten);
        }
        let losses = match &self.afresh {
            Some(afresh) if afresh.table.taken > table.taken => afresh.before,
            _ => self.losses,
        };
        Ok(Place { next: self.number_after(table), losses, source: self.source })
    }

    /// What is to be told to somebody who has been told up to this place: nothing, one thing, or what happened until a
    /// list, and what since. `spare` is a table for the case that they have been told too little.
    pub fn tell(&self, place: Place, spare: Option<&Table>) -> Result<Vec<Telling>, Forgotten> {
        let end = Place { next: self.first + self.events.len() as u64, losses: self.losses, source: self.source };
        let source = (place.source != self.source).then_some(self.source);
        let is_forgotten = place.next < self.first;
        let begun = self.afresh.as_ref().filter(|_| place.losses.times < self.losses.times).map(|afresh| &afresh.table);
        let table = [begun, spare].into_iter().flatten().max_by_key(|table| table.taken);
        let Some(table) = table else {
            if is_forgotten {
                return Err(Forgotten);
            }
            let events = self.between(place.next, end.next);
            let has_news = !events.is_empty() || source.is_some();
            let telling = Telling { from: place.next, upto: end, source, afresh: None, events };
            return Ok(if has_news { vec![telling] } else { Vec::new() });
        };
        if table.taken < self.forgotten {
            return Err(Forgotten);
        }
        let from = place.next.max(self.first);
        let lost = place.missed_until(&Place { next: from, ..end });
        // What they were told since the table was read is told again: the list may lack it.
        let middle = Place { next: self.number_after(table), ..end };
        let afresh = Some((lost, table.clone()));
        let events = self.between(from, middle.next);
        let mut tellings = vec![Telling { from: from.min(middle.next), upto: middle, source, afresh, events }];
        let events = self.between(middle.next, end.next);
        if !events.is_empty() {
            tellings.push(Telling { from: middle.next, upto: end, source: None, afresh: None, events });
        }
        Ok(tellings)
    }

    /// The number of the first event that this table need not show.
    fn number_after(&self, table: &Table) -> u64 {
        self.first + self.events.partition_point(|noticed| noticed.at <= table.taken) as u64
    }

    fn between(&self, from: u64, to: u64) -> Vec<LifecycleEvent> {
        let kept = self.events.iter().skip((from - self.first) as usize).take(to.saturating_sub(from) as usize);
        kept.map(|noticed| noticed.event.clone()).collect()
    }
}

/// About how many bytes an event takes.
fn cost(event: &LifecycleEvent) -> usize {
    let arguments = event.cmdline.iter().flat_map(|arguments| arguments.iter());
    let cmdline: usize = arguments.map(|argument| argument.len() + size_of_val(argument)).sum();
    size_of::<Noticed>() + cmdline + event.name.as_ref().map_or(0, |name| name.len())
}

#[cfg(test)]
#[path = "log_tests.rs"]
mod tests;
