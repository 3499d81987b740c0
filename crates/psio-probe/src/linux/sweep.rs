//! One pass over all processes.
//!
//! The pids of now, in ascending order, are merged with the processes of the sweep before, so that nothing is hashed
//! or sorted. Per process the hot path is two reads and one fstat, a hand-made parse, and one reference count.

use std::collections::VecDeque;
use std::sync::Arc;

use psio_api::data::process::{Process, ProcessIdentity};
use psio_api::data::unknown::Unknown;
use rustix::fd::OwnedFd;
use rustix::io::Errno;

use super::ahead::{Ahead, Died, Reader};
use super::cmdlines::Cmdlines;
use super::descriptors::Budget;
use super::identity::{Due, Entry, Tick};
use super::kept::{Buffers, Kept, Reading, Trouble, read_opened};
use super::listing::Listing;
use super::real_uid::RealUids;
use super::rows::{self, Units};
use super::terminals::Terminals;
use super::users::Users;
use crate::{Options, ProbeError, Strategy};

/// What a sweep finds.
pub struct Found {
    /// Ordered by pid.
    pub processes: Vec<Process>,
    /// What is not known of some of them.
    pub unknown: Unknown,
    /// How many were read through kept descriptors.
    pub kept: u64,
}

/// All that is remembered between sweeps.
pub struct Sweep {
    listing: Listing,
    proc_dir: Arc<OwnedFd>,
    pids: Vec<u32>,
    /// Processes of the sweep before; while one runs, those it has not come to yet.
    before: VecDeque<Box<Entry>>,
    /// Processes of the running sweep, as far as it is.
    now: VecDeque<Box<Entry>>,
    jobs: Vec<Job>,
    budget: Budget,
    real_uids: RealUids,
    cmdlines: Cmdlines,
    users: Users,
    terminals: Terminals,
    nobody: Arc<ProcessIdentity>,
    units: Units,
    reader: Option<Reader>,
    count: u64,
}

/// One sweep, as far as it has come.
struct Pass {
    tick: Tick,
    processes: Vec<Process>,
    ahead: Ahead,
}

/// A process whose command line is to be read, or whose identity is to be built.
struct Job {
    entry: usize,
    row: usize,
    due: Due,
}

impl Sweep {
    /// Opens `/proc` below the options' root.
    pub fn open(options: &Options, units: Units) -> Result<Self, ProbeError> {
        let listing = Listing::open(&options.roots.proc)?;
        let proc_dir = Arc::clone(listing.dir());
        Ok(Self {
            listing,
            pids: Vec::new(),
            before: VecDeque::new(),
            now: VecDeque::new(),
            jobs: Vec::new(),
            budget: Budget::new(options),
            real_uids: RealUids::new(&options.roots.proc),
            cmdlines: Cmdlines::new(Arc::clone(&proc_dir)),
            users: Users::new(&options.roots.etc),
            terminals: Terminals::new(&options.roots.dev),
            nobody: nobody(),
            proc_dir,
            units,
            // It reads what is kept.
            reader: if options.strategy == Strategy::Opened { None } else { Reader::start() },
            count: 0,
        })
    }

    /// Reads every process. `now_ticks` is the time since boot in clock ticks.
    ///
    /// Those that may not be read at all (`/proc` mounted with `hidepid=1`) are not listed, as in `ps`. Fails where one
    /// cannot be read because no descriptor is left, even after those kept for others were closed.
    pub fn run(&mut self, now_ticks: u64) -> Result<Found, ProbeError> {
        let read_ahead = self.begin_ahead();
        let mut pids = std::mem::take(&mut self.pids);
        if let Err(error) = self.listing.read(&mut pids) {
            self.finish_ahead(read_ahead);
            return Err(error);
        }
        self.count += 1;
        let tick = Tick {
            sweep: self.count,
            now_ticks,
            ticks_per_second: self.units.ticks_per_second,
            users_generation: self.users.refresh(),
        };
        let mut pass = Pass { tick, processes: Vec::with_capacity(pids.len()), ahead: Ahead::default() };
        let (first, last) = pids.split_at(pids.partition_point(|&pid| read_ahead.is_none_or(|start| pid < start)));
        let mut outcome = self.visit_all(first, &mut pass);
        if let Some(start) = read_ahead {
            if outcome.is_ok() {
                self.advance_to(start);
            }
            pass.ahead = self.finish_ahead(read_ahead);
        }
        outcome = outcome.and_then(|()| self.visit_all(last, &mut pass));
        if outcome.is_ok() {
            self.advance_to(u32::MAX);
        }
        self.pids = pids;
        let mut processes = pass.processes;
        self.finish_jobs(&mut processes);
        // Those that a sweep which failed has not come to are as they were.
        self.now.append(&mut self.before);
        std::mem::swap(&mut self.before, &mut self.now);
        outcome?;
        Ok(Found {
            unknown: rows::unknown(&processes, &self.before),
            kept: self.before.iter().filter(|entry| entry.kept.is_some()).count() as u64,
            processes,
        })
    }

    /// Has the last processes read ahead where that is worth it; returns the first pid of them.
    fn begin_ahead(&mut self) -> Option<u32> {
        // What the reader has in hand cannot be closed for others.
        if self.budget.held() == 0 || self.budget.is_short() {
            return None;
        }
        let begun = self.reader.as_ref()?.begin(&mut self.before);
        begun.unwrap_or_else(|Died| {
            self.lose_reader();
            None
        })
    }

    /// Takes back the processes that were read ahead, if any, and what was read of them. Should the reader have died,
    /// there are none, so that they are opened anew.
    fn finish_ahead(&mut self, read_ahead: Option<u32>) -> Ahead {
        let Some(reader) = self.reader.as_ref().filter(|_| read_ahead.is_some()) else { return Ahead::default() };
        match reader.finish() {
            Ok((mut entries, ahead)) => {
                self.before.append(&mut entries);
                ahead
            }
            Err(Died) => {
                self.lose_reader();
                Ahead::default()
            }
        }
    }

    /// The reader died, and the descriptors it had in hand were closed with it.
    fn lose_reader(&mut self) {
        self.reader = None;
        let kept = self.before.iter().chain(&self.now).filter_map(|entry| entry.kept.as_ref());
        self.budget.recount(kept.map(Kept::count).sum());
    }

    fn visit_all(&mut self, pids: &[u32], pass: &mut Pass) -> Result<(), ProbeError> {
        let mut buffers = Buffers::default();
        for &pid in pids {
            let before = self.advance_to(pid);
            match self.visit(pid, before, pass, &mut buffers) {
                Ok(process) => pass.processes.push(process),
                // A process that ends meanwhile is normal, what has no stat is none, and what may not be read is none
                // of ours.
                Err(Trouble::Vanished | Trouble::Garbage | Trouble::Denied) => {}
                // Left out, it would look as if it had ended.
                Err(Trouble::NoDescriptors) => {
                    let path = format!("{}/{pid}/stat", self.listing.path());
                    return Err(ProbeError::Read { path, source: Errno::MFILE.into() });
                }
            }
        }
        Ok(())
    }

    /// Forgets the processes of the sweep before that come before `pid`; returns the one that had it.
    fn advance_to(&mut self, pid: u32) -> Option<Box<Entry>> {
        while let Some(entry) = self.before.pop_front() {
            if entry.pid == pid {
                return Some(entry);
            }
            if entry.pid > pid {
                self.before.push_front(entry);
                return None;
            }
            self.close(entry.kept);
        }
        None
    }

    /// Reads one process, which is new unless it is the one seen `before`.
    fn visit(
        &mut self,
        pid: u32,
        before: Option<Box<Entry>>,
        pass: &mut Pass,
        buffers: &mut Buffers,
    ) -> Result<Process, Trouble> {
        let (tick, row) = (pass.tick, pass.processes.len());
        let mut known = before;
        if let Some(mut entry) = known.take() {
            match entry.kept.take() {
                Some(kept) => match pass.ahead.take(pid).unwrap_or_else(|| kept.read(buffers)) {
                    Ok(reading) if entry.is_same(&reading) => {
                        entry.kept = Some(kept);
                        return Ok(self.note(entry, &reading, tick, row, false));
                    }
                    // It is gone; its pid may be another's by now.
                    _ => self.close(Some(kept)),
                },
                None => known = Some(entry),
            }
        }
        if self.budget.has(Kept::MOST) {
            match Kept::open(&self.proc_dir, pid, buffers) {
                Ok((kept, reading)) => {
                    self.budget.take(kept.count());
                    return Ok(self.note_as(known, Some(kept), &reading, tick, row));
                }
                Err(Trouble::NoDescriptors) => self.free_descriptors(),
                Err(trouble) => return Err(trouble),
            }
        }
        match read_opened(&self.proc_dir, pid, buffers) {
            Ok(reading) => return Ok(self.note_as(known, None, &reading, tick, row)),
            Err(Trouble::NoDescriptors) => self.free_descriptors(),
            Err(trouble) => return Err(trouble),
        }
        let reading = read_opened(&self.proc_dir, pid, buffers)?;
        Ok(self.note_as(known, None, &reading, tick, row))
    }

    /// Notes a process read anew, which may still be the one that is known.
    fn note_as(
        &mut self,
        known: Option<Box<Entry>>,
        kept: Option<Kept>,
        reading: &Reading<'_>,
        tick: Tick,
        row: usize,
    ) -> Process {
        let pid = reading.pid;
        match known.filter(|entry| entry.is_same(reading)) {
            Some(mut entry) => {
                entry.kept = kept;
                self.note(entry, reading, tick, row, false)
            }
            None => {
                let entry = Box::new(Entry::new(pid, kept, reading, &self.nobody));
                self.note(entry, reading, tick, row, true)
            }
        }
    }

    fn note(&mut self, mut entry: Box<Entry>, reading: &Reading<'_>, tick: Tick, row: usize, is_new: bool) -> Process {
        let mut due = entry.note(reading, tick, is_new);
        if due.status {
            due.identity |= entry.note_uid(self.real_uids.get(&self.proc_dir, entry.pid, entry.kept.as_ref()));
        }
        if due.cmdline || due.identity {
            self.jobs.push(Job { entry: self.now.len(), row, due });
        }
        let process = rows::row(&entry, reading, self.units);
        self.now.push_back(entry);
        process
    }

    /// Reads the command lines that are due, all in one hop, and builds the identities that changed.
    fn finish_jobs(&mut self, processes: &mut [Process]) {
        let jobs = std::mem::take(&mut self.jobs);
        let due = jobs.iter().filter(|job| job.due.cmdline);
        let raws = self.cmdlines.read(due.map(|job| self.now[job.entry].pid));
        let mut raws = raws.into_iter();
        for job in &jobs {
            let entry = &mut self.now[job.entry];
            let raw = if job.due.cmdline { raws.next() } else { None };
            let changed = match &raw {
                Some(Ok(raw)) => entry.note_cmdline(raw),
                Some(Err(reason)) => entry.note_no_cmdline(*reason),
                None => false,
            };
            if changed || job.due.identity {
                let raw = raw.and_then(Result::ok);
                entry.build(raw.as_deref(), &mut self.users, &mut self.terminals);
                processes[job.row].identity = Arc::clone(&entry.identity);
            }
        }
        self.jobs = jobs;
        self.jobs.clear();
    }

    fn close(&mut self, kept: Option<Kept>) {
        if let Some(kept) = kept {
            self.budget.give_back(kept.count());
        }
    }

    /// Others have used up the limit: gives some descriptors back and keeps no more than the rest from now on.
    fn free_descriptors(&mut self) {
        let step = self.budget.held() / 8 + Kept::MOST;
        let mut freed = 0;
        for entry in self.before.iter_mut().rev().chain(self.now.iter_mut().rev()) {
            if freed >= step {
                break;
            }
            freed += entry.kept.take().map_or(0, |kept| kept.count());
        }
        self.budget.give_back(freed);
        self.budget.shrink();
    }
}

/// Stands for what is not known yet.
fn nobody() -> Arc<ProcessIdentity> {
    Arc::new(ProcessIdentity { name: "".into(), cmdline: None, username: None, terminal: None })
}

#[cfg(test)]
mod tests;
