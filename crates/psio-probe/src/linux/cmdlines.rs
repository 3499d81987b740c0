//! Command lines, read on a thread that may be given up: the kernel takes the lock of the process's memory map for
//! them, and waits for as long as somebody else holds it.

use std::sync::Arc;
use std::time::Duration;

use psio_api::data::unknown::Reason;
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;

use super::file;
use super::kept::Path;
use crate::deadline::{Outcome, Patience, Worker};

const PATIENCE: Patience = Patience { job: Duration::from_millis(100), batch: Duration::from_secs(1) };
/// Longer command lines are cut. The kernel allows megabytes of them.
const MAX_BYTES: usize = 256 * 1024;

/// The text of a command line as the kernel has it, or why it is not known.
pub type Raw = Result<Vec<u8>, Reason>;

/// Reads batches of command lines.
pub struct Cmdlines {
    worker: Worker<u32, Raw>,
    pids: Vec<u32>,
}

impl Cmdlines {
    /// Those of the processes in this `/proc`.
    pub fn new(proc_dir: Arc<OwnedFd>) -> Self {
        Self { worker: Worker::new("psio-cmdline", move |pid| read(&proc_dir, pid)), pids: Vec::new() }
    }

    /// Reads the command lines of these processes: one hop to the thread for all of them, none for none. One answer per
    /// pid, in the same order.
    pub fn read(&mut self, pids: impl Iterator<Item = u32>) -> Vec<Raw> {
        self.pids.clear();
        self.pids.extend(pids);
        let outcomes = match self.pids.as_slice() {
            [] => Vec::new(),
            pids => self.worker.run(pids, PATIENCE),
        };
        let raw_of = |outcome| match outcome {
            Outcome::Done(raw) => raw,
            Outcome::TimedOut => Err(Reason::Timeout),
            Outcome::NotTried => Err(Reason::Budget),
        };
        outcomes.into_iter().map(raw_of).collect()
    }
}

fn read(proc_dir: impl AsFd, pid: u32) -> Raw {
    let read = || -> Result<Vec<u8>, Errno> {
        const FIRST_BYTES: usize = 4096;
        let file = file::open(proc_dir, Path::of(pid, "/cmdline").as_str())?;
        let mut first = [0; FIRST_BYTES];
        let start = file::read_start(&file, &mut first)?;
        if start.len() < FIRST_BYTES {
            return Ok(start.to_vec());
        }
        let mut whole = Vec::new();
        file::read_up_to(&file, &mut whole, MAX_BYTES)?;
        Ok(whole)
    };
    read().map_err(|errno| match errno {
        Errno::ACCESS | Errno::PERM => Reason::Denied,
        Errno::MFILE | Errno::NFILE => Reason::Budget,
        _ => Reason::Vanished,
    })
}
