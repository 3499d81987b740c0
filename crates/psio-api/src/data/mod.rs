//! What a machine can tell: raw counters and states per topic, the snapshots that hold them, and the views that turn
//! two snapshots into rates.

pub mod access;
pub mod cpu;
pub mod daemon;
pub mod details;
pub mod host;
pub mod lifecycle;
pub mod memory;
pub mod moment;
pub mod process;
pub mod rates;
pub mod snapshot;
pub mod topics;
pub mod unknown;
pub mod view;
