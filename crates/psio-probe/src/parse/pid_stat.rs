//! `/proc/PID/stat`: one line about a process; see proc_pid_stat(5).

use psio_api::data::process::ProcessStatus;

use super::ParseError;
use super::fields::Fields;

/// `PF_KTHREAD` of the flags: a thread of the kernel itself.
const KERNEL_THREAD: u32 = 0x0020_0000;

/// The fields of `/proc/PID/stat` that are used here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PidStat<'a> {
    /// Field 2 without its parentheses. Any bytes, closing parentheses and newlines included.
    pub comm: &'a [u8],
    /// Field 3.
    pub state: u8,
    /// Field 4.
    pub ppid: u32,
    /// Field 7: device number of the controlling terminal, 0 for none.
    pub tty_nr: u32,
    /// Field 9.
    pub flags: u32,
    /// Field 14: user time of all threads, clock ticks.
    pub utime_ticks: u64,
    /// Field 15: kernel time of all threads, clock ticks.
    pub stime_ticks: u64,
    /// Field 19.
    pub nice: i8,
    /// Field 20.
    pub num_threads: u32,
    /// Field 22: clock ticks since boot.
    pub started_ticks: u64,
    /// Field 28: where the stack begins. Another program has another (addresses are random), so that it tells an
    /// exec; 0 where the kernel does not let us see it.
    pub start_stack: u64,
    /// Field 39: the CPU it last ran on.
    pub processor: u32,
}

impl PidStat<'_> {
    /// Whether this is a thread of the kernel, which has neither memory nor arguments of its own.
    pub fn is_kernel_thread(&self) -> bool {
        self.flags & KERNEL_THREAD != 0
    }

    /// psutil's word for the state.
    pub fn status(&self) -> ProcessStatus {
        match self.state {
            b'R' => ProcessStatus::Running,
            b'S' => ProcessStatus::Sleeping,
            b'D' => ProcessStatus::DiskSleep,
            b'T' => ProcessStatus::Stopped,
            b't' => ProcessStatus::TracingStop,
            b'Z' => ProcessStatus::Zombie,
            b'X' | b'x' => ProcessStatus::Dead,
            b'K' => ProcessStatus::WakeKill,
            b'W' => ProcessStatus::Waking,
            b'I' => ProcessStatus::Idle,
            b'P' => ProcessStatus::Parked,
            _ => ProcessStatus::Unknown,
        }
    }
}

/// Reads the one line of `/proc/PID/stat`.
pub fn parse(text: &[u8]) -> Result<PidStat<'_>, ParseError> {
    // The name may hold parentheses; nothing after it does, so that the last one closes it.
    let open = memchr::memchr(b'(', text).ok_or(ParseError("an opening parenthesis"))?;
    let close = memchr::memrchr(b')', text).ok_or(ParseError("a closing parenthesis"))?;
    let comm = text.get(open + 1..close).ok_or(ParseError("a name in parentheses"))?;
    let mut fields = Fields::new(&text[close + 1..]);
    let state = match fields.word()? {
        [state] => *state,
        _ => return Err(ParseError("a state of one letter")),
    };
    let ppid = fields.u32()?;
    fields.skip(2)?;
    let tty_nr = fields.i64()?;
    fields.skip(1)?;
    let flags = fields.u32()?;
    fields.skip(4)?;
    let utime_ticks = fields.u64()?;
    let stime_ticks = fields.u64()?;
    fields.skip(3)?;
    let nice = fields.i64()?;
    let num_threads = fields.u32()?;
    fields.skip(1)?;
    let started_ticks = fields.u64()?;
    fields.skip(5)?;
    let start_stack = fields.u64()?;
    fields.skip(10)?;
    let processor = fields.u32()?;
    Ok(PidStat {
        comm,
        state,
        ppid,
        // The kernel prints this unsigned device number as a signed one.
        tty_nr: u32::try_from(tty_nr & 0xffff_ffff).unwrap_or(0),
        flags,
        utime_ticks,
        stime_ticks,
        nice: i8::try_from(nice).map_err(|_| ParseError("a nice value"))?,
        num_threads,
        started_ticks,
        start_stack,
        processor,
    })
}
