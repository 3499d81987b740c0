//! The language of psio: what a machine can tell ([`data`]), what one can ask ([`commands`]), and how both are
//! written down ([`request`], [`message`]). Nothing in here does I/O, reads a clock or knows an operating system.

pub mod command;
pub mod commands;
pub mod data;
pub mod delta;
pub mod error;
pub mod example_machine;
pub mod filter;
pub mod message;
pub mod metrics;
pub mod msgpack;
pub mod params;
pub mod registry;
pub mod reply;
pub mod request;
pub mod rows;
pub mod schema;
pub mod table;
pub mod value;

/// Version of the wire protocol. Version 1 only ever adds.
pub const PROTOCOL_VERSION: u32 = 1;
