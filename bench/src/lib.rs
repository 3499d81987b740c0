//! What the benchmark (`psio-bench`), the load run (`psio_load`), its client in a process of its own
//! (`crowd_client`) and its floor (`floor_server`) share.

pub mod client;
pub mod commands;
pub mod daemon;
pub mod frames;
pub mod load;
pub mod machine;
pub mod poller;
pub mod python;
pub mod quantile;
pub mod report;
pub mod running;
pub mod setup;
pub mod socket;
