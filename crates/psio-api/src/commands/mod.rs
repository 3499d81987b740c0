//! The commands, one file each.

pub mod cpu_getall;
pub mod daemon_describe;
pub mod daemon_getstats;
pub mod host_getstats;
pub mod memory_getall;
pub mod process_get;
pub mod process_getall;
pub mod process_watch;
