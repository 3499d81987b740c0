//! `/proc/PID/cgroup`: the control groups a process is in; see cgroups(7).

use super::lines;

/// The path in the unified hierarchy (version 2): what follows `0::`. `None` where that is not in use.
pub fn unified(text: &[u8]) -> Option<&[u8]> {
    lines(text).find_map(|line| line.strip_prefix(b"0::"))
}
