//! The handful of system calls that the sweeps share, with errors as `io::Error`.

use std::ffi::{CStr, c_int};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Opens `path` relative to the directory descriptor `dir` for reading.
pub fn openat(dir: c_int, path: &CStr, flags: c_int) -> io::Result<c_int> {
    // SAFETY: `path` is NUL-terminated and outlives the call.
    checked(unsafe { libc::openat(dir, path.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC | flags) })
}

/// Closes a descriptor of ours; that it may fail is of no interest to a floor.
pub fn close(descriptor: c_int) {
    // SAFETY: takes an integer; each caller closes a descriptor that it opened, once.
    unsafe { libc::close(descriptor) };
}

/// Reads from the start of a descriptor without moving its offset.
pub fn pread(descriptor: c_int, buffer: &mut [u8]) -> io::Result<usize> {
    // SAFETY: the pointer and the length describe a live, writable slice.
    let n = unsafe { libc::pread(descriptor, buffer.as_mut_ptr().cast(), buffer.len(), 0) };
    usize::try_from(n).map_err(|_| io::Error::last_os_error())
}

/// Reads from a descriptor's offset.
pub fn read(descriptor: c_int, buffer: &mut [u8]) -> io::Result<usize> {
    // SAFETY: the pointer and the length describe a live, writable slice.
    let n = unsafe { libc::read(descriptor, buffer.as_mut_ptr().cast(), buffer.len()) };
    usize::try_from(n).map_err(|_| io::Error::last_os_error())
}

/// The owner of an open file.
pub fn uid_of(descriptor: c_int) -> io::Result<u32> {
    let mut stat = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: `stat` is writable and of the right size.
    checked(unsafe { libc::fstat(descriptor, stat.as_mut_ptr()) })?;
    // SAFETY: fstat succeeded, so it filled the whole structure.
    Ok(unsafe { stat.assume_init() }.st_uid)
}

/// The owner of `path` relative to the directory descriptor `dir`.
pub fn uid_at(dir: c_int, path: &CStr) -> io::Result<u32> {
    let mut stat = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: `path` is NUL-terminated, `stat` is writable and of the right size.
    checked(unsafe { libc::fstatat(dir, path.as_ptr(), stat.as_mut_ptr(), 0) })?;
    // SAFETY: fstatat succeeded, so it filled the whole structure.
    Ok(unsafe { stat.assume_init() }.st_uid)
}

/// Raises the limit on open files to its hard maximum, which is returned.
pub fn raise_open_files() -> io::Result<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a live, writable rlimit.
    checked(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) })?;
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: `limit` is a live rlimit, only read.
    checked(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) })?;
    Ok(limit.rlim_max)
}

/// Offers the other end of a socket that is not yet connected only so large segments, so that it also buffers little.
pub fn set_max_segment(socket: impl AsFd, bytes: u32) -> io::Result<()> {
    let size = size_of::<u32>() as libc::socklen_t;
    let descriptor = socket.as_fd().as_raw_fd();
    // SAFETY: the pointer and the size describe a live integer, only read.
    checked(unsafe {
        libc::setsockopt(descriptor, libc::IPPROTO_TCP, libc::TCP_MAXSEG, (&raw const bytes).cast(), size)
    })?;
    Ok(())
}

/// Has the command killed when the thread that spawns it ends, however that comes about.
pub fn die_with_parent(command: &mut Command) -> &mut Command {
    // SAFETY: the closure runs between fork and exec and does one system call, without allocating.
    unsafe { command.pre_exec(|| checked(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL)).map(|_| ())) }
}

/// Whether the error says that the process is gone (unlinked from /proc, or reaped).
pub fn is_vanished(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH))
}

/// Turns -1 into the errno.
pub fn checked(result: c_int) -> io::Result<c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// The few digits that a floor looks at, so that nobody can say the bytes were never touched.
pub fn touch(bytes: &[u8]) -> u64 {
    bytes.iter().take(8).map(|byte| u64::from(*byte)).sum()
}
