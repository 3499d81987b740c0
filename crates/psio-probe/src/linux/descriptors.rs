//! How many descriptors sweeps may keep open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::{Options, Strategy};

/// Descriptors left to sockets unless the options say otherwise: so many at most …
const MAX_RESERVE: u64 = 4096;
/// … and such a part of the limit.
const RESERVE_PART: u64 = 4;
/// The limit where the kernel sets none: as many as it hands out by default (`fs.nr_open`).
const NO_LIMIT: u64 = 1 << 20;

/// Descriptors that may be kept, and how many are.
#[derive(Debug)]
pub struct Budget {
    allowed: u64,
    held: u64,
    short: bool,
}

impl Budget {
    /// Raises this process's limit on open files to its hard maximum and sees what is left for sweeps.
    pub fn new(options: &Options) -> Self {
        let allowed = match (options.strategy, options.descriptor_budget) {
            (Strategy::Opened, _) => 0,
            (_, Some(budget)) => budget.min(raise_limit()),
            (_, None) => {
                let limit = raise_limit();
                let reserve = options.descriptor_reserve.unwrap_or_else(|| (limit / RESERVE_PART).min(MAX_RESERVE));
                limit.saturating_sub(reserve).saturating_sub(open_now())
            }
        };
        Self { allowed, held: 0, short: false }
    }

    /// Whether `count` more may be kept.
    pub fn has(&self, count: u64) -> bool {
        self.held + count <= self.allowed
    }

    /// How many are kept.
    pub fn held(&self) -> u64 {
        self.held
    }

    /// Notes that `count` are kept from now on.
    pub fn take(&mut self, count: u64) {
        self.held += count;
    }

    /// Notes that `count` were closed.
    pub fn give_back(&mut self, count: u64) {
        self.held = self.held.saturating_sub(count);
    }

    /// Notes that so many are kept: somebody else has closed some.
    pub fn recount(&mut self, held: u64) {
        self.held = held;
    }

    /// The kernel had none left, so somebody needs more than the reserve: from now on sweeps keep no more than they do
    /// at this moment.
    pub fn shrink(&mut self) {
        self.allowed = self.held;
        self.short = true;
    }

    /// Whether the kernel ever had none left.
    pub fn is_short(&self) -> bool {
        self.short
    }
}

/// Raises the soft limit to the hard one; returns what then holds.
fn raise_limit() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let holds = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    holds.unwrap_or(NO_LIMIT)
}

/// Descriptors this process has open.
fn open_now() -> u64 {
    const UNCOUNTED: u64 = 64;
    std::fs::read_dir("/proc/self/fd").map_or(UNCOUNTED, |entries| entries.count() as u64)
}
