//! What the kernel's text files and messages say: pure functions over bytes, compiled and tested on every platform.
//!
//! None of them allocates unless it returns text or a request, none panics whatever the bytes, and none reads a file.

pub mod cgroup;
pub mod cmdline;
pub mod cpuinfo;
pub mod fields;
pub mod loadavg;
pub mod meminfo;
pub mod os_release;
pub mod passwd;
pub mod pid_stat;
pub mod pid_statm;
pub mod pid_status;
pub mod proc_event;
pub mod proc_stat;
pub mod vmstat;
pub mod zoneinfo;

/// What was expected where something else stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {0}")]
pub struct ParseError(pub &'static str);

/// The lines of a file, without their newlines.
pub fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty())
}

/// Text as it can be sent: what is not UTF-8 becomes U+FFFD.
pub fn lossy(text: &[u8]) -> std::sync::Arc<str> {
    String::from_utf8_lossy(text).as_ref().into()
}
