//! What seldom changes in the life of a process, and the rule by which it is read again.
//!
//! Command line: read at first sight, when comm changes, when the stack begins elsewhere (an exec, also of a program of
//! the same name), in every sweep while the process is younger than 3 s (programs that set their own title do so at
//! their start), and else in every 40th sweep, each pid in its turn. Real user: read from `status` at first sight, when
//! the owner of `/proc/PID` or comm changes, and else in every 10th sweep. Kernel threads have no command line, and
//! their user is the owner of their directory. A command line that could not be read in time is tried again only in
//! its turn, and each time it could not that turn becomes twice as rare.

use std::hash::{DefaultHasher, Hasher};
use std::sync::Arc;

use psio_api::data::process::ProcessIdentity;
use psio_api::data::unknown::Reason;

use super::kept::{Kept, Reading};
use super::terminals::Terminals;
use super::users::Users;
use crate::parse::cmdline;

const STATUS_TURN: u64 = 10;
const CMDLINE_TURN: u64 = 40;
/// Turns of a stuck process become this many powers of two rarer at most.
const MAX_TIMEOUTS: u8 = 6;
const YOUNG_SECONDS: u64 = 3;

/// What is remembered of a process between sweeps.
pub struct Entry {
    /// Its pid.
    pub pid: u32,
    /// Clock ticks since boot when it started.
    pub started: u64,
    /// Its descriptors, where there are enough of them.
    pub kept: Option<Kept>,
    /// Its real user.
    pub uid: Option<u32>,
    /// Why that is not known.
    pub uid_reason: Option<Reason>,
    /// Why its command line is not known.
    pub cmdline_reason: Option<Reason>,
    /// Name, command line, user name, terminal.
    pub identity: Arc<ProcessIdentity>,
    comm: Comm,
    owner: u32,
    start_stack: u64,
    cmdline_hash: u64,
    tty_nr: u32,
    users_generation: u64,
    kernel: bool,
    zombie: bool,
    /// How often in a row its command line could not be read in time.
    timeouts: u8,
}

/// What must be read or built anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// `status`, for the real user.
    pub status: bool,
    /// `cmdline`.
    pub cmdline: bool,
    /// The identity: something it is made of has changed.
    pub identity: bool,
}

/// What a sweep knows when it looks at a process.
#[derive(Clone, Copy, Debug)]
pub struct Tick {
    /// Number of the sweep.
    pub sweep: u64,
    /// Clock ticks since boot.
    pub now_ticks: u64,
    /// Clock ticks per second.
    pub ticks_per_second: u64,
    /// Changes when a user's name may have.
    pub users_generation: u64,
}

impl Entry {
    /// A process never seen before.
    pub fn new(pid: u32, kept: Option<Kept>, reading: &Reading<'_>, nobody: &Arc<ProcessIdentity>) -> Self {
        Self {
            pid,
            started: reading.stat.started_ticks,
            kept,
            uid: None,
            uid_reason: None,
            cmdline_reason: None,
            identity: Arc::clone(nobody),
            comm: Comm::default(),
            owner: 0,
            start_stack: 0,
            cmdline_hash: 0,
            tty_nr: 0,
            users_generation: 0,
            kernel: reading.stat.is_kernel_thread(),
            zombie: false,
            timeouts: 0,
        }
    }

    /// Whether this reading is of the same process: a pid is given out again, and a thread of the kernel may become a
    /// process by executing a program.
    pub fn is_same(&self, reading: &Reading<'_>) -> bool {
        self.started == reading.stat.started_ticks && self.kernel == reading.stat.is_kernel_thread()
    }

    /// Takes over what was read, and says what must be read besides.
    pub fn note(&mut self, reading: &Reading<'_>, tick: Tick, is_new: bool) -> Due {
        let stat = &reading.stat;
        let is_zombie = matches!(stat.state, b'Z' | b'X' | b'x');
        let comm_changed = is_new || !self.comm.is(stat.comm);
        let owner_changed = is_new || reading.owner.is_some_and(|owner| owner != self.owner);
        let program_changed = stat.start_stack != self.start_stack;
        let became_zombie = is_zombie && (is_new || !self.zombie);
        let mut due = Due {
            identity: comm_changed
                || became_zombie
                || stat.tty_nr != self.tty_nr
                || tick.users_generation != self.users_generation,
            ..Due::default()
        };
        if comm_changed {
            self.comm = Comm::new(stat.comm);
        }
        if let Some(owner) = reading.owner {
            self.owner = owner;
        }
        self.start_stack = stat.start_stack;
        self.tty_nr = stat.tty_nr;
        self.users_generation = tick.users_generation;
        self.zombie = is_zombie;
        if self.kernel {
            self.uid = Some(self.owner);
            return due;
        }
        let turn = tick.sweep + u64::from(self.pid);
        due.status = comm_changed || owner_changed || turn.is_multiple_of(STATUS_TURN);
        if is_zombie {
            self.cmdline_reason = None;
            return due;
        }
        let is_young = || tick.now_ticks < stat.started_ticks + YOUNG_SECONDS * tick.ticks_per_second;
        let untried = self.cmdline_reason == Some(Reason::Budget);
        due.cmdline = turn.is_multiple_of(CMDLINE_TURN << self.timeouts)
            || (self.timeouts == 0 && (comm_changed || program_changed || untried || is_young()));
        due
    }

    /// Takes over the real user, or why it could not be read. True when it is another than before.
    pub fn note_uid(&mut self, uid: Result<u32, Reason>) -> bool {
        let before = self.uid;
        match uid {
            Ok(uid) => {
                self.uid = Some(uid);
                self.uid_reason = None;
            }
            // It goes on as the user it was.
            Err(Reason::Vanished) if self.uid.is_some() => {}
            Err(reason) => {
                self.uid = None;
                self.uid_reason = Some(reason);
            }
        }
        self.uid != before
    }

    /// Whether this text of `cmdline` is another than the one before.
    pub fn note_cmdline(&mut self, raw: &[u8]) -> bool {
        let mut hasher = DefaultHasher::new();
        hasher.write(raw);
        let hash = hasher.finish();
        let known = self.identity.cmdline.is_some() && self.cmdline_reason.is_none();
        self.cmdline_reason = None;
        self.timeouts = 0;
        let changed = !known || hash != self.cmdline_hash;
        self.cmdline_hash = hash;
        changed
    }

    /// Notes why the command line could not be read. True when that is news.
    pub fn note_no_cmdline(&mut self, reason: Reason) -> bool {
        if reason == Reason::Timeout {
            self.timeouts = (self.timeouts + 1).min(MAX_TIMEOUTS);
        }
        self.cmdline_reason.replace(reason) != Some(reason)
    }

    /// Builds the identity anew; `raw_cmdline` is `None` where that was not read. The old one stays where nothing has
    /// changed, so that snapshots share it.
    pub fn build(&mut self, raw_cmdline: Option<&[u8]>, users: &mut Users, terminals: &mut Terminals) {
        let raw_cmdline = if self.kernel || self.zombie { Some(&[][..]) } else { raw_cmdline };
        let old = &self.identity;
        let (name, cmdline) = match raw_cmdline {
            Some(raw) => (cmdline::full_name(self.comm.bytes(), raw), Some(cmdline::arguments(raw))),
            None if self.cmdline_reason.is_some() => (cmdline::full_name(self.comm.bytes(), b""), None),
            None => (Arc::clone(&old.name), old.cmdline.clone()),
        };
        let identity = ProcessIdentity {
            name,
            cmdline,
            username: self.uid.map(|uid| users.name(uid)),
            terminal: terminals.path(self.tty_nr),
        };
        if *self.identity != identity {
            self.identity = Arc::new(identity);
        }
    }
}

/// A process's own name as the kernel has it, compared in every sweep.
struct Comm {
    bytes: [u8; Self::BYTES],
    length: u8,
}

impl Comm {
    /// 15 for processes; kernel threads may tell more (`WQ_WORKER_COMM_LEN`).
    const BYTES: usize = 63;

    fn new(comm: &[u8]) -> Self {
        let length = comm.len().min(Self::BYTES);
        let mut bytes = [0; Self::BYTES];
        bytes[..length].copy_from_slice(&comm[..length]);
        Self { bytes, length: length as u8 }
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }

    fn is(&self, comm: &[u8]) -> bool {
        self.bytes() == &comm[..comm.len().min(Self::BYTES)]
    }
}

impl Default for Comm {
    fn default() -> Self {
        Self { bytes: [0; Self::BYTES], length: 0 }
    }
}
