//! Who lives: what is known of each process, kept up by the kernel's events, and what is told of them.
//!
//! The kernel speaks of threads. A process starts with its main thread, but need not end with it: other threads may go
//! on, and one of them may even execute a program, whereby it becomes the main thread. So where a process may have
//! several threads, the end of its main thread has `/proc` consulted, then and after the end of each thread that is
//! left. Its status is that of the last thread: a process ends by exit_group(2) or a signal, which all its threads tell.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use psio_api::data::lifecycle::{LifecycleEvent, LifecycleKind, living};
use psio_api::data::moment::Moment;
use psio_api::data::process::{Process, ProcessSample, ProcessStatus};
use psio_api::data::snapshot::Sample;

use super::clock::AheadOfMonotonic;
use super::glimpse::{Glimpses, Remains};
use super::rows::Units;
use crate::parse::proc_event::{Event, Message, exit_code_or_signal};

/// A thread that has told its end may be there a little longer. What is left of its process is looked at again after
/// this time, then after twice as long, and so on.
const FIRST_LOOK: Duration = Duration::from_millis(5);
/// Until this long: then other threads live on, and the end of each of them is told.
const LAST_LOOK: Duration = Duration::from_secs(1);

/// The living processes, by pid.
pub struct Living {
    known: HashMap<u32, Known>,
    /// When those were read who were taken over.
    seeded: Option<Moment>,
    looks: Vec<Look>,
    glimpses: Glimpses,
    units: Units,
}

/// What is known of a process.
#[derive(Debug, Default)]
struct Known {
    started: Option<u64>,
    ppid: Option<u32>,
    name: Option<Arc<str>>,
    cmdline: Option<Arc<[Arc<str>]>>,
    uid: Option<u32>,
    username: Option<Arc<str>>,
    /// It has or had other threads than the main one.
    threaded: bool,
    /// Its main thread has ended.
    ended: Option<Ended>,
}

/// The last end of a thread that was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ended {
    /// As of wait(2); `None` where the end was not heard of.
    status: Option<u32>,
    at: Moment,
}

/// A look at what is left of a process, to come.
#[derive(Debug)]
struct Look {
    tgid: u32,
    due: Instant,
    delay: Duration,
}

impl Living {
    /// Nobody yet.
    pub fn new(glimpses: Glimpses, units: Units) -> Self {
        Self { known: HashMap::new(), seeded: None, looks: Vec::new(), glimpses, units }
    }

    /// Takes over who lives in this sample, in place of everybody known before.
    pub fn seed(&mut self, sample: &Sample<ProcessSample>) {
        self.looks.clear();
        self.known = living(&sample.value).map(|process| (process.pid, Known::of(process, sample.at))).collect();
        self.seeded = Some(sample.at);
    }

    /// Takes note of messages, which came in this order, and tells what they mean.
    pub fn note(&mut self, messages: &[Message], now: Instant, ahead: AheadOfMonotonic) -> Vec<LifecycleEvent> {
        self.glimpses.look(&worth_a_look(messages));
        let mut events = Vec::new();
        for message in messages {
            let at = ahead.moment(message.timestamp_ns);
            events.extend(self.note_one(message.event, at, now));
        }
        events
    }

    /// When somebody must be looked at again.
    pub fn next_look(&self) -> Option<Instant> {
        self.looks.iter().map(|look| look.due).min()
    }

    /// Looks again at those for whom it is time; tells who is gone.
    pub fn look_again(&mut self, now: Instant) -> Vec<LifecycleEvent> {
        let (due, later) = std::mem::take(&mut self.looks).into_iter().partition(|look| look.due <= now);
        self.looks = later;
        let due: Vec<Look> = due;
        due.into_iter().filter_map(|look| self.settle(look.tgid, None, now, look.delay * 2)).collect()
    }

    fn note_one(&mut self, event: Event, at: Moment, now: Instant) -> Option<LifecycleEvent> {
        // The sample that was taken over shows it already.
        let is_old = self.seeded.is_some_and(|seeded| at.since_boot_ns <= seeded.since_boot_ns);
        match event {
            Event::Fork { tid, tgid, .. } if tid != tgid => {
                if let Some(known) = self.known.get_mut(&tgid) {
                    known.threaded = true;
                }
                None
            }
            Event::User { tid, tgid, real } => {
                // As long as a program leaves that to its library, all its threads change at once.
                if let Some(known) = self.known.get_mut(&tgid).filter(|_| tid == tgid) {
                    known.uid = Some(real);
                    known.username = Some(self.glimpses.username(real));
                }
                None
            }
            _ if is_old => None,
            Event::Fork { parent_tgid, tgid, .. } => self.started(tgid, parent_tgid, at),
            Event::Exec { tgid } => self.executed(tgid, at),
            Event::Exit { tid, tgid, status, parent_tgid } => {
                let known = self.known.get_mut(&tgid);
                let Some(known) = known else { return self.exited_unknown(tid, tgid, status, parent_tgid, at) };
                if tid != tgid && known.ended.is_none() {
                    return None;
                }
                known.ended = Some(Ended { status: Some(status), at });
                if !known.threaded {
                    return self.exited(tgid, parent_tgid);
                }
                self.settle(tgid, parent_tgid, now, FIRST_LOOK)
            }
            Event::Answer { .. } | Event::Other => None,
        }
    }

    fn started(&mut self, pid: u32, ppid: u32, at: Moment) -> Option<LifecycleEvent> {
        let ticks = self.units.ticks(at);
        // It was taken over from a sample that was still being read when it started. (No pid is given out twice within
        // a second.)
        let is_taken_over = |known: &Known| {
            known.started.is_some_and(|started| started + self.units.ticks_per_second >= ticks && started <= ticks + 1)
        };
        if self.known.get(&pid).is_some_and(is_taken_over) {
            return None;
        }
        // Credentials pass to children, so that those of one already gone are known.
        let inherited = self.known.get(&ppid).and_then(|parent| parent.uid);
        self.known.insert(pid, Known { ppid: Some(ppid), uid: inherited, ..Known::default() });
        self.fill_in(pid, at);
        Some(self.told(LifecycleKind::Started, pid, at))
    }

    fn executed(&mut self, pid: u32, at: Moment) -> Option<LifecycleEvent> {
        let is_unheard_of = !self.known.contains_key(&pid);
        let known = self.known.entry(pid).or_default();
        // The other threads are gone, and with them a main thread that ended.
        (known.threaded, known.ended) = (false, None);
        (known.name, known.cmdline) = (None, None);
        self.looks.retain(|look| look.tgid != pid);
        let is_there = self.fill_in(pid, at);
        // The sample that was taken over did not have it any more: nobody has heard of it.
        if is_unheard_of && !is_there && self.seeded.is_some() {
            self.known.remove(&pid);
            return None;
        }
        Some(self.told(LifecycleKind::Exec, pid, at))
    }

    /// The end of somebody unknown: with a sample taken over, nobody has heard of it.
    fn exited_unknown(&self, tid: u32, pid: u32, status: u32, ppid: Option<u32>, at: Moment) -> Option<LifecycleEvent> {
        let latest_start = self.units.ticks(at) + 1;
        if self.seeded.is_some() || tid != pid || self.glimpses.remains(pid, None, latest_start) != Remains::Nothing {
            return None;
        }
        Some(Known { ppid, ..Known::default() }.ended(pid, Ended { status: Some(status), at }))
    }

    /// The main thread has ended: tells the end of the process, if nothing of it is left.
    fn settle(&mut self, tgid: u32, ppid: Option<u32>, now: Instant, delay: Duration) -> Option<LifecycleEvent> {
        let known = self.known.get_mut(&tgid)?;
        let at = known.ended?.at;
        self.looks.retain(|look| look.tgid != tgid);
        match self.glimpses.remains(tgid, known.started, self.units.ticks(at) + 1) {
            Remains::Nothing => self.exited(tgid, ppid),
            Remains::Everything => {
                known.ended = None;
                None
            }
            Remains::Threads => {
                if delay <= LAST_LOOK {
                    self.looks.push(Look { tgid, due: now + delay, delay });
                }
                None
            }
        }
    }

    fn exited(&mut self, pid: u32, ppid: Option<u32>) -> Option<LifecycleEvent> {
        let mut known = self.known.remove(&pid)?;
        // Who was orphaned has another parent than at its start.
        known.ppid = ppid.or(known.ppid);
        let ended = known.ended?;
        Some(known.ended(pid, ended))
    }

    /// Fills in what was seen of a process. False when it was not there any more.
    fn fill_in(&mut self, pid: u32, at: Moment) -> bool {
        let Some(known) = self.known.get_mut(&pid) else { return false };
        let seen = self.glimpses.of(pid, self.units.ticks(at) + 1);
        let seen = seen.filter(|seen| known.started.is_none_or(|started| started == seen.started));
        let is_there = seen.is_some();
        if let Some(seen) = seen {
            known.started = Some(seen.started);
            known.ppid = known.ppid.or(Some(seen.ppid));
            known.name = Some(Arc::clone(&seen.name));
            known.cmdline = seen.cmdline.clone();
            known.uid = seen.uid.or(known.uid);
        }
        known.username = known.uid.map(|uid| self.glimpses.username(uid));
        is_there
    }

    fn told(&self, kind: LifecycleKind, pid: u32, at: Moment) -> LifecycleEvent {
        let nobody = Known::default();
        self.known.get(&pid).unwrap_or(&nobody).told(kind, pid, at)
    }
}

impl Known {
    fn of(process: &Process, at: Moment) -> Self {
        let has_ended = matches!(process.status, ProcessStatus::Zombie | ProcessStatus::Dead);
        Self {
            started: Some(process.started),
            ppid: Some(process.ppid),
            name: Some(Arc::clone(&process.identity.name)),
            cmdline: process.identity.cmdline.clone(),
            uid: process.uid,
            username: process.identity.username.clone(),
            threaded: process.num_threads != Some(1),
            ended: has_ended.then_some(Ended { status: None, at }),
        }
    }

    fn told(&self, kind: LifecycleKind, pid: u32, at: Moment) -> LifecycleEvent {
        LifecycleEvent {
            kind,
            pid,
            started: self.started,
            ppid: self.ppid,
            name: self.name.clone(),
            username: self.username.clone(),
            cmdline: self.cmdline.clone(),
            exit_code: None,
            signal: None,
            at: at.wall_ms,
        }
    }

    fn ended(&self, pid: u32, ended: Ended) -> LifecycleEvent {
        let (exit_code, signal) = ended.status.map_or((None, None), exit_code_or_signal);
        LifecycleEvent { exit_code, signal, ..self.told(LifecycleKind::Exited, pid, ended.at) }
    }
}

/// Who started or executed something in these messages: also one that ended in them, whose parent may not have noticed.
fn worth_a_look(messages: &[Message]) -> HashSet<u32> {
    let who = |message: &Message| match message.event {
        Event::Fork { tid, tgid, .. } if tid == tgid => Some(tgid),
        Event::Exec { tgid } => Some(tgid),
        _ => None,
    };
    messages.iter().filter_map(who).collect()
}

#[cfg(test)]
mod tests;
