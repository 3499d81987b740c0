//! One pass over all processes.
//!
//! The pids of now, in ascending order, are merged with the processes of the sweep before, so that nothing is hashed
//! or sorted. Per process the hot path is two reads and one fstat, a hand-made parse, and one reference count.

use std::collections::VecDeque;
use std::sync::Arc;

use psio_api::data::process::{CpuTime, Process, ProcessIdentity, ProcessMemory, ProcessStatus};
use psio_api::data::unknown::{Reason, Unknown};
use rustix::fd::OwnedFd;

use super::ahead::{Ahead, Reader};
use super::cmdlines::Cmdlines;
use super::descriptors::Budget;
use super::identity::{Due, Entry, Tick};
use super::kept::{Buffers, Kept, Reading, Trouble, read_opened};
use super::listing::Listing;
use super::real_uid::RealUids;
use super::terminals::Terminals;
use super::users::Users;
use crate::{Options, ProbeError};

const NS_PER_SEC: u64 = 1_000_000_000;

/// What the kernel counts in.
#[derive(Clone, Copy, Debug)]
pub struct Units {
    /// Clock ticks per second.
    pub ticks_per_second: u64,
    /// Bytes of a page.
    pub page_bytes: u64,
}

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
    /// Why some process could not be read at all.
    blank: Option<Trouble>,
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
            reader: Reader::start(),
            count: 0,
        })
    }

    /// Reads every process. `now_ticks` is the time since boot in clock ticks.
    pub fn run(&mut self, now_ticks: u64) -> Result<Found, ProbeError> {
        let read_ahead = self.reader.as_ref().and_then(|reader| reader.begin(&mut self.before));
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
        let mut pass = Pass { tick, processes: Vec::with_capacity(pids.len()), blank: None, ahead: Ahead::default() };
        let (first, last) = pids.split_at(pids.partition_point(|&pid| read_ahead.is_none_or(|start| pid < start)));
        self.visit_all(first, &mut pass);
        if let Some(start) = read_ahead {
            self.advance_to(start);
            pass.ahead = self.finish_ahead(read_ahead);
        }
        self.visit_all(last, &mut pass);
        self.advance_to(u32::MAX);
        self.pids = pids;
        let Pass { mut processes, blank, .. } = pass;
        self.finish_jobs(&mut processes);
        std::mem::swap(&mut self.before, &mut self.now);
        Ok(Found {
            unknown: self.unknown(&processes, blank),
            kept: self.before.iter().filter(|entry| entry.kept.is_some()).count() as u64,
            processes,
        })
    }

    /// Takes back the processes that were read ahead, if any, and what was read of them.
    fn finish_ahead(&mut self, read_ahead: Option<u32>) -> Ahead {
        let Some(reader) = self.reader.as_ref().filter(|_| read_ahead.is_some()) else { return Ahead::default() };
        let (mut entries, ahead) = reader.finish();
        self.before.append(&mut entries);
        ahead
    }

    fn visit_all(&mut self, pids: &[u32], pass: &mut Pass) {
        let mut buffers = Buffers::default();
        for &pid in pids {
            let before = self.advance_to(pid);
            match self.visit(pid, before, pass, &mut buffers) {
                Ok(process) => pass.processes.push(process),
                // A process that ends meanwhile is normal, and what has no stat is none.
                Err(Trouble::Vanished | Trouble::Garbage) => {}
                Err(trouble) => {
                    pass.blank = Some(trouble);
                    pass.processes.push(self.blank(pid));
                }
            }
        }
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
        let process = self.row(&entry, reading);
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

    fn row(&self, entry: &Entry, reading: &Reading<'_>) -> Process {
        let stat = &reading.stat;
        let tick_ns = NS_PER_SEC / self.units.ticks_per_second;
        let page_bytes = self.units.page_bytes;
        Process {
            pid: entry.pid,
            ppid: stat.ppid,
            started: entry.started,
            cpu_time: Some(CpuTime::of(
                stat.utime_ticks.saturating_mul(tick_ns),
                stat.stime_ticks.saturating_mul(tick_ns),
            )),
            memory: reading.statm.map(|statm| ProcessMemory {
                rss_bytes: statm.resident_pages.saturating_mul(page_bytes),
                vms_bytes: statm.size_pages.saturating_mul(page_bytes),
            }),
            uid: entry.uid,
            num_threads: Some(stat.num_threads),
            cpu_num: Some(stat.processor),
            nice: Some(stat.nice),
            status: stat.status(),
            identity: Arc::clone(&entry.identity),
        }
    }

    /// A process of which nothing but the pid can be read (`/proc` mounted with `hidepid=1`).
    fn blank(&self, pid: u32) -> Process {
        Process {
            pid,
            ppid: 0,
            started: 0,
            cpu_time: None,
            memory: None,
            uid: None,
            num_threads: None,
            cpu_num: None,
            nice: None,
            status: ProcessStatus::Unknown,
            identity: Arc::clone(&self.nobody),
        }
    }

    /// Why fields of some processes are not known, by their names on the wire.
    fn unknown(&self, processes: &[Process], blank: Option<Trouble>) -> Unknown {
        const OF_BLANK: [&str; 13] = [
            "ppid",
            "started",
            "name",
            "cmdline",
            "username",
            "uid",
            "status",
            "nice",
            "num_threads",
            "cpu_times",
            "cpu_num",
            "memory_info",
            "create_time",
        ];
        let mut unknown = Unknown::new();
        if processes.iter().any(|process| process.identity.terminal.is_none()) {
            unknown.insert("terminal".into(), Reason::Absent);
        }
        if processes.iter().any(|process| process.memory.is_none()) {
            unknown.insert("memory_info".into(), Reason::Unsupported);
        }
        for entry in &self.before {
            if let Some(reason) = entry.cmdline_reason {
                unknown.insert("cmdline".into(), reason);
            }
            if let Some(reason) = entry.uid_reason {
                unknown.insert("uid".into(), reason);
                unknown.insert("username".into(), reason);
            }
        }
        if let Some(trouble) = blank {
            let reason = match trouble {
                Trouble::NoDescriptors => Reason::Budget,
                _ => Reason::Denied,
            };
            unknown.extend(OF_BLANK.map(|field| (field.into(), reason)));
        }
        unknown
    }
}

/// Stands for what is not known yet.
fn nobody() -> Arc<ProcessIdentity> {
    Arc::new(ProcessIdentity { name: "".into(), cmdline: None, username: None, terminal: None })
}
