//! `/proc/vmstat`: counters of virtual memory; see proc_vmstat(5).

use super::fields::number;
use super::lines;

/// What was swapped since boot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swapped {
    /// `pswpin`, pages.
    pub in_pages: Option<u64>,
    /// `pswpout`, pages.
    pub out_pages: Option<u64>,
}

/// Reads the two lines about swapping.
pub fn swapped(text: &[u8]) -> Swapped {
    let mut swapped = Swapped::default();
    for line in lines(text) {
        if let Some(pages) = line.strip_prefix(b"pswpin ") {
            swapped.in_pages = number(pages).ok();
        } else if let Some(pages) = line.strip_prefix(b"pswpout ") {
            swapped.out_pages = number(pages).ok();
            // The kernel lists it right after the other.
            break;
        }
    }
    swapped
}
