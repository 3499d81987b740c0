//! `/proc/PID/status`: the dear file, read seldom; see proc_pid_status(5).

use super::fields::Fields;
use super::{ParseError, lines};

/// The real user id: the first number of the line `Uid:`.
pub fn real_uid(text: &[u8]) -> Result<u32, ParseError> {
    value_of(text, b"Uid:").ok_or(ParseError("a line Uid:"))?.u32()
}

/// Times the main thread gave up the CPU of itself, and times it was taken from it.
pub fn context_switches(text: &[u8]) -> Result<(u64, u64), ParseError> {
    let voluntary =
        value_of(text, b"voluntary_ctxt_switches:").ok_or(ParseError("a line voluntary_ctxt_switches:"))?.u64()?;
    let involuntary = value_of(text, b"nonvoluntary_ctxt_switches:")
        .ok_or(ParseError("a line nonvoluntary_ctxt_switches:"))?
        .u64()?;
    Ok((voluntary, involuntary))
}

/// The fields behind a label. The name in the first line cannot feign one: the kernel escapes its newlines here.
fn value_of<'a>(text: &'a [u8], label: &[u8]) -> Option<Fields<'a>> {
    lines(text).find_map(|line| line.strip_prefix(label)).map(Fields::new)
}
