//! A second thread that reads ahead: while the sweep works on the first processes, it reads the files of the last.
//!
//! Nearly all of a sweep is spent in the kernel, and after a pause most of that waiting for memory. Two threads halve
//! the time that somebody waits for an answer; the work stays the same. Only what the kernel wrote is taken over, the
//! sweep itself understands it.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use rustix::thread::{Pid, gettid, sched_getaffinity, sched_getcpu, sched_setaffinity};

use super::identity::Entry;
use super::kept::{Buffers, Raw, Reading, Trouble};

/// With fewer processes than this, waking a thread costs more than it saves.
const WORTHWHILE: usize = 64;
/// The part of the processes that is read ahead, in eighths: the sweep has more to do with each than to read it.
const EIGHTHS: usize = 5;
/// What `stat` and `statm` of a process usually take.
const USUAL_BYTES: usize = 320;

/// What was read ahead, in order of pids.
#[derive(Debug, Default)]
pub struct Ahead {
    bytes: Vec<u8>,
    items: Vec<Item>,
    next: usize,
}

#[derive(Debug)]
struct Item {
    pid: u32,
    span: Result<Span, Trouble>,
    owner: Option<u32>,
}

/// Where in the bytes the files of a process stand.
#[derive(Clone, Copy, Debug)]
struct Span {
    stat_start: usize,
    stat_end: usize,
    /// Its `statm` begins where its `stat` ends. `None` for a kernel thread, which is not the same as an empty one.
    statm_end: Option<usize>,
}

/// Processes of the sweep before, in order of pids.
type Entries = VecDeque<Box<Entry>>;

/// The thread has died, and with it whatever it was reading. Its number may be another thread's by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Died;

/// The thread. It sleeps between sweeps.
#[derive(Debug)]
pub struct Reader {
    thread: Pid,
    work: Sender<Entries>,
    done: Receiver<(Entries, Ahead)>,
}

impl Reader {
    /// Starts the thread; `None` on a machine with one CPU, or where no thread can be had.
    pub fn start() -> Option<Self> {
        if thread::available_parallelism().map_or(1, usize::from) < 2 {
            return None;
        }
        Self::spawn(|inbox, outbox| {
            for entries in inbox {
                let ahead = Ahead::read(&entries);
                // Whoever listens at the other end may be gone; then so is the work.
                let _ = outbox.send((entries, ahead));
            }
        })
    }

    fn spawn(run: impl FnOnce(Receiver<Entries>, Sender<(Entries, Ahead)>) + Send + 'static) -> Option<Self> {
        let (work, inbox) = channel();
        let (outbox, done) = channel();
        let (tell, told) = channel();
        let run = move || {
            let _ = tell.send(gettid());
            run(inbox, outbox);
        };
        thread::Builder::new().name("read-ahead".to_owned()).spawn(run).ok()?;
        Some(Self { thread: told.recv().ok()?, work, done })
    }

    /// A thread that dies of the first work it gets.
    #[cfg(test)]
    pub fn dying() -> Option<Self> {
        Self::spawn(|inbox, _outbox| drop(inbox.recv()))
    }

    /// Takes the processes that are worth reading ahead off the end and has them read. Returns the first pid of them;
    /// `None` when there is nothing to gain. Nothing was taken then, nor where the thread has died.
    pub fn begin(&self, entries: &mut Entries) -> Result<Option<u32>, Died> {
        if entries.len() < WORTHWHILE {
            return Ok(None);
        }
        self.keep_off_this_cpu();
        let last = entries.split_off(entries.len() - entries.len() * EIGHTHS / 8);
        let first_pid = last.front().map(|entry| entry.pid);
        match self.work.send(last) {
            Ok(()) => Ok(first_pid),
            Err(unsent) => {
                entries.extend(unsent.0);
                Err(Died)
            }
        }
    }

    /// Waits for what [`Self::begin`] had read.
    pub fn finish(&self) -> Result<(Entries, Ahead), Died> {
        self.done.recv().map_err(|_| Died)
    }

    /// A thread that is woken is often put behind the one that wakes it, on the same CPU, however idle the others are.
    fn keep_off_this_cpu(&self) {
        let Ok(mut cpus) = sched_getaffinity(None) else { return };
        cpus.unset(sched_getcpu());
        // Where that leaves no CPU, or is not allowed, the scheduler decides.
        let _ = sched_setaffinity(Some(self.thread), &cpus);
    }
}

impl Ahead {
    /// Reads the kept descriptors of these processes.
    fn read(entries: &Entries) -> Self {
        let mut ahead = Self {
            bytes: Vec::with_capacity(entries.len() * USUAL_BYTES),
            items: Vec::with_capacity(entries.len()),
            next: 0,
        };
        let mut buffers = Buffers::default();
        for entry in entries {
            if let Some(kept) = &entry.kept {
                let raw = kept.read_raw(&mut buffers);
                ahead.add(entry.pid, raw);
            }
        }
        ahead
    }

    fn add(&mut self, pid: u32, raw: Result<Raw<'_>, Trouble>) {
        let owner = raw.as_ref().ok().and_then(|raw| raw.owner);
        let span = raw.map(|raw| {
            let stat_start = self.bytes.len();
            self.bytes.extend_from_slice(raw.stat);
            let stat_end = self.bytes.len();
            let statm_end = raw.statm.map(|statm| {
                self.bytes.extend_from_slice(statm);
                self.bytes.len()
            });
            Span { stat_start, stat_end, statm_end }
        });
        self.items.push(Item { pid, span, owner });
    }

    /// What was read of this process. Asked for in order of pids, each once.
    pub fn take(&mut self, pid: u32) -> Option<Result<Reading<'_>, Trouble>> {
        let skipped = self.items[self.next..].iter().take_while(|item| item.pid < pid).count();
        self.next += skipped;
        let item = self.items.get(self.next).filter(|item| item.pid == pid)?;
        self.next += 1;
        Some(item.span.and_then(|span| {
            let stat = &self.bytes[span.stat_start..span.stat_end];
            let statm = span.statm_end.map(|end| &self.bytes[span.stat_end..end]);
            Raw { stat, statm, owner: item.owner }.parse(pid)
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &[u8] =
        b"7 (sh) S 1 7 7 0 -1 4194560 1 0 0 0 3 4 0 0 20 0 1 0 99 8192 5 18446744073709551615 0 0 0 0 0 \
                          0 0 0 0 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0\n";

    fn ahead() -> Ahead {
        let mut ahead = Ahead::default();
        ahead.add(3, Ok(Raw { stat: STAT, statm: Some(b"2 1 0 0 0 0 0\n"), owner: Some(5) }));
        ahead.add(5, Err(Trouble::Vanished));
        ahead.add(9, Ok(Raw { stat: STAT, statm: None, owner: None }));
        ahead
    }

    #[test]
    fn each_process_gets_its_own_reading() {
        let mut ahead = ahead();
        let reading = ahead.take(3).unwrap().unwrap();
        assert_eq!(
            (reading.stat.started_ticks, reading.statm.unwrap().resident_pages, reading.owner),
            (99, 1, Some(5))
        );
        assert_eq!(ahead.take(5).unwrap().unwrap_err(), Trouble::Vanished);
        assert_eq!(ahead.take(9).unwrap().unwrap().owner, None);
    }

    #[test]
    fn processes_that_nobody_asks_for_are_passed_over() {
        assert!(ahead().take(9).is_some());
    }

    #[test]
    fn an_empty_statm_is_not_that_of_a_kernel_thread() {
        let mut ahead = Ahead::default();
        for (pid, statm) in [(3, Some(&b""[..])), (5, None)] {
            let raw = Raw { stat: STAT, statm, owner: None };
            ahead.add(pid, Ok(raw));
            assert_eq!(ahead.take(pid).unwrap().unwrap().statm, raw.parse(pid).unwrap().statm);
        }
        assert_eq!(Raw { stat: STAT, statm: Some(b""), owner: None }.parse(3).unwrap().statm, None);
    }

    #[test]
    fn one_that_was_not_read_has_nothing() {
        let mut ahead = ahead();
        assert!(ahead.take(4).is_none());
        assert!(ahead.take(5).is_some());
        assert!(ahead.take(5).is_none());
    }
}
