//! A quick look at single processes, many of which are gone before it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use rustix::fd::OwnedFd;

use super::cmdlines::Cmdlines;
use super::file;
use super::kept::{Path, Trouble};
use super::real_uid::RealUids;
use super::users::Users;
use crate::parse::{cmdline, pid_stat};
use crate::{LifecycleUnavailable, Roots};

/// What a look at a process shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glimpse {
    /// Clock ticks since boot when it started.
    pub started: u64,
    /// Its parent.
    pub ppid: u32,
    /// Its name.
    pub name: Arc<str>,
    /// Its command line; `None` where it could not be read in time.
    pub cmdline: Option<Arc<[Arc<str>]>>,
    /// Its real user.
    pub uid: Option<u32>,
}

/// What is left of a process whose main thread ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remains {
    /// Nothing, or no more than a parent has to take note of.
    Nothing,
    /// Other threads.
    Threads,
    /// All of it: another thread executed a program, and is the main thread now.
    Everything,
}

/// Looks at processes.
pub struct Glimpses {
    proc_dir: Arc<OwnedFd>,
    cmdlines: Cmdlines,
    real_uids: RealUids,
    users: Users,
    seen: HashMap<u32, Glimpse>,
}

impl Glimpses {
    /// At those below these roots.
    pub fn new(roots: &Roots) -> Result<Self, LifecycleUnavailable> {
        let proc_dir = file::open_dir(rustix::fs::CWD, &roots.proc)
            .map_err(|errno| LifecycleUnavailable::Failed { doing: "opening the proc root", source: errno.into() })?;
        let proc_dir = Arc::new(proc_dir);
        Ok(Self {
            cmdlines: Cmdlines::new(Arc::clone(&proc_dir)),
            proc_dir,
            real_uids: RealUids::new(&roots.proc),
            users: Users::new(&roots.etc),
            seen: HashMap::new(),
        })
    }

    /// Looks at these processes, as far as they are still there.
    pub fn look(&mut self, pids: &HashSet<u32>) {
        self.users.refresh();
        self.seen.clear();
        // What vanishes soonest comes first. Nobody else gets such a pid in the second that the rest takes at most.
        let looks: Vec<Look> = pids.iter().filter_map(|&pid| self.look_at(pid)).collect();
        let with_cmdline = |look: &&Look| !look.is_kernel_thread && !look.has_ended;
        let raws = self.cmdlines.read(looks.iter().filter(with_cmdline).map(|look| look.pid));
        let mut raws = raws.into_iter();
        for look in &looks {
            let raw = if with_cmdline(&look) { raws.next().and_then(Result::ok) } else { None };
            // One that ended in between has none any more.
            let raw = raw.filter(|raw| !raw.is_empty() || self.is_alive(look.pid));
            let raw = if look.is_kernel_thread { Some(Vec::new()) } else { raw };
            let glimpse = Glimpse {
                started: look.started,
                ppid: look.ppid,
                name: cmdline::full_name(&look.comm, raw.as_deref().unwrap_or_default()),
                cmdline: raw.as_deref().map(cmdline::arguments),
                uid: look.uid,
            };
            self.seen.insert(look.pid, glimpse);
        }
    }

    /// What the last look showed of a process; `None` where it was gone, was not looked at, or started later than
    /// `latest_start`, so that it is another that has its pid now.
    pub fn of(&self, pid: u32, latest_start: u64) -> Option<&Glimpse> {
        self.seen.get(&pid).filter(|seen| seen.started <= latest_start)
    }

    /// What is left of the process that started then (or not later than `latest_start`, where that is not known).
    pub fn remains(&self, pid: u32, started: Option<u64>, latest_start: u64) -> Remains {
        let mut buffer = [0; STAT_BYTES];
        let Ok(stat) = self.stat(pid, &mut buffer) else { return Remains::Nothing };
        let is_same = started.map_or(stat.started_ticks <= latest_start, |started| stat.started_ticks == started);
        match stat.num_threads {
            _ if !is_same => Remains::Nothing,
            _ if !has_ended(&stat) => Remains::Everything,
            0 | 1 => Remains::Nothing,
            _ => Remains::Threads,
        }
    }

    /// The name of a user.
    pub fn username(&mut self, uid: u32) -> Arc<str> {
        self.users.name(uid)
    }

    fn look_at(&self, pid: u32) -> Option<Look> {
        let mut buffer = [0; STAT_BYTES];
        let stat = self.stat(pid, &mut buffer).ok()?;
        Some(Look {
            pid,
            started: stat.started_ticks,
            ppid: stat.ppid,
            comm: stat.comm.to_vec(),
            is_kernel_thread: stat.is_kernel_thread(),
            has_ended: has_ended(&stat),
            uid: self.real_uids.get(&self.proc_dir, pid, None).ok(),
        })
    }

    fn is_alive(&self, pid: u32) -> bool {
        let mut buffer = [0; STAT_BYTES];
        self.stat(pid, &mut buffer).is_ok_and(|stat| !has_ended(&stat))
    }

    fn stat<'a>(&self, pid: u32, buffer: &'a mut [u8]) -> Result<pid_stat::PidStat<'a>, Trouble> {
        let file = file::open(&self.proc_dir, Path::of(pid, "/stat").as_str())?;
        pid_stat::parse(file::read_start(&file, buffer)?).map_err(|_| Trouble::Garbage)
    }
}

/// What `stat` shows of a process, before its command line is read.
struct Look {
    pid: u32,
    started: u64,
    ppid: u32,
    comm: Vec<u8>,
    is_kernel_thread: bool,
    has_ended: bool,
    uid: Option<u32>,
}

/// The line has at most some 1,200 bytes.
const STAT_BYTES: usize = 2048;

fn has_ended(stat: &pid_stat::PidStat<'_>) -> bool {
    matches!(stat.state, b'Z' | b'X' | b'x')
}
