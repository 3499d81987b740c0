//! `/proc/PID/cmdline`: the arguments of a process; see proc_pid_cmdline(5).

use std::sync::Arc;

use super::lossy;

/// Comm is cut after so many bytes (`TASK_COMM_LEN` less its NUL).
const COMM_BYTES: usize = 15;

/// The arguments, split as psutil splits them: at NULs; at spaces where the process has overwritten them with a
/// title of its own that does not end in NUL, or that holds spaces and no NUL but the last.
pub fn arguments(raw: &[u8]) -> Arc<[Arc<str>]> {
    parts(raw).map(lossy).collect()
}

/// The name that people know a process by: comm, or, where the kernel may have cut it, the base name of the first
/// argument if that begins with comm.
pub fn full_name(comm: &[u8], raw_cmdline: &[u8]) -> Arc<str> {
    if comm.len() >= COMM_BYTES
        && let Some(first) = parts(raw_cmdline).next()
        && let Some(base) = first.rsplit(|&byte| byte == b'/').next()
        && base.starts_with(comm)
    {
        return lossy(base);
    }
    lossy(comm)
}

fn parts(raw: &[u8]) -> impl Iterator<Item = &[u8]> {
    let separator = if raw.ends_with(b"\0") { b'\0' } else { b' ' };
    let text = raw.strip_suffix(&[separator]).unwrap_or(raw);
    let separator = if separator == b'\0' && !text.contains(&b'\0') && text.contains(&b' ') { b' ' } else { separator };
    let mut parts = text.split(move |&byte| byte == separator);
    if raw.is_empty() {
        // Splitting nothing would give one empty argument.
        parts.next();
    }
    parts
}
