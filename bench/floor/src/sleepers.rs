//! `sleepers N`: processes that do nothing, to fill a machine up to a known number.
//!
//! Each child is a bare fork that pauses for ever and dies with its parent (PR_SET_PDEATHSIG), so none
//! is ever left over. The parent ends them all when its stdin closes or on SIGTERM or SIGINT.

use std::ffi::c_int;
use std::io::{self, Error, Write};
use std::mem::MaybeUninit;

use crate::sys::{self, checked};

/// Starts `count` sleepers, prints `ready`, waits for the end, kills and reaps them.
pub fn run(count: u32) -> io::Result<()> {
    let signals = catch_signals()?;
    let mut children = Children(Vec::new());
    for _ in 0..count {
        children.0.push(fork_sleeper()?);
    }
    let mut out = io::stdout().lock();
    writeln!(out, "ready")?;
    out.flush()?;
    wait_for_the_end(signals)
}

/// Killed and reaped when dropped, so also when a fork fails half way.
struct Children(Vec<libc::pid_t>);

impl Drop for Children {
    fn drop(&mut self) {
        for &pid in &self.0 {
            // SAFETY: takes integers; `pid` is an unreaped child of ours, so it names nobody else.
            unsafe { libc::kill(pid, libc::SIGKILL) };
        }
        for &pid in &self.0 {
            // SAFETY: a null status is allowed; `pid` is a child of ours.
            unsafe { libc::waitpid(pid, std::ptr::null_mut(), 0) };
        }
    }
}

fn fork_sleeper() -> io::Result<libc::pid_t> {
    // SAFETY: takes nothing, cannot fail.
    let parent = unsafe { libc::getpid() };
    // SAFETY: this process has one thread, so the child may do anything.
    let pid = checked(unsafe { libc::fork() })?;
    if pid == 0 {
        sleep_for_ever(parent);
    }
    Ok(pid)
}

fn sleep_for_ever(parent: libc::pid_t) -> ! {
    // SAFETY: plain system calls on integers and a NUL-terminated string. The signal mask is inherited
    // blocked, which SIGKILL ignores. getppid closes the race with a parent that died before prctl.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        libc::prctl(libc::PR_SET_NAME, c"psio-sleeper".as_ptr());
        if libc::getppid() != parent {
            libc::_exit(0);
        }
        for descriptor in 0..8 {
            libc::close(descriptor);
        }
        loop {
            libc::pause();
        }
    }
}

/// Blocks SIGTERM and SIGINT and returns a descriptor that becomes readable instead.
fn catch_signals() -> io::Result<c_int> {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigemptyset initialises `set` before anything reads it; the signal numbers are valid.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), libc::SIGTERM);
        libc::sigaddset(set.as_mut_ptr(), libc::SIGINT);
        checked(libc::sigprocmask(libc::SIG_BLOCK, set.as_ptr(), std::ptr::null_mut()))?;
        checked(libc::signalfd(-1, set.as_ptr(), libc::SFD_CLOEXEC))
    }
}

fn wait_for_the_end(signals: c_int) -> io::Result<()> {
    let mut ignored = [0; 256];
    loop {
        let mut polled = [libc::STDIN_FILENO, signals].map(|fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 });
        // SAFETY: the pointer and the count describe a live, writable array.
        if unsafe { libc::poll(polled.as_mut_ptr(), 2, -1) } < 0 {
            match Error::last_os_error() {
                error if error.raw_os_error() == Some(libc::EINTR) => continue,
                error => return Err(error),
            }
        }
        let signalled = polled[1].revents != 0;
        let stdin_ended = polled[0].revents != 0 && sys::read(libc::STDIN_FILENO, &mut ignored)? == 0;
        if signalled || stdin_ended {
            return Ok(());
        }
    }
}
