//! Drives a real server over real sockets: what a client sees, not how it comes about.

#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod deflate;
mod http;
mod patience;
mod support;
mod websocket;
