//! `/proc/zoneinfo`: the watermarks of memory zones, for kernels that do not tell `MemAvailable`.

use super::fields::Fields;
use super::lines;

/// Sum of the zones' `low` watermarks, pages.
pub fn low_watermark_pages(text: &[u8]) -> u64 {
    lines(text)
        .filter_map(|line| line.trim_ascii_start().strip_prefix(b"low"))
        .filter_map(|rest| Fields::new(rest).u64().ok())
        .fold(0, u64::saturating_add)
}
