//! What one connection may use, and for how long.

use std::time::Duration;

/// What a connection may use, and for how long.
#[derive(Debug, Clone)]
pub struct Limits {
    /// How long a request's headers, and so a WebSocket handshake, may take to arrive.
    pub header_timeout: Duration,
    /// Bytes of one incoming message, inflated; a larger one closes the connection with 1009.
    pub max_message: usize,
    /// Bytes waiting to be written beyond which nothing more is read from the client. One answer may be larger.
    pub max_outbox: usize,
    /// Pending answers beyond which nothing more is read from the client.
    pub max_pending: usize,
    /// A client that takes no byte for so long is closed with 1013; a plain HTTP connection is dropped.
    pub write_timeout: Duration,
    /// How long a client closed with 1013 has to take the rest of the frame it did not read, and the close.
    pub collect_timeout: Duration,
    /// How long the client's part of a close may take.
    pub close_timeout: Duration,
    /// A client that is silent for so long is sent a ping.
    pub ping_interval: Duration,
    /// A client that is silent for so long, pinged or not, is gone.
    pub gone_after: Duration,
    /// How long connections may take to end when the server stops.
    pub shutdown_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            header_timeout: Duration::from_secs(10),
            max_message: 64 * 1024,
            max_outbox: 4 * 1024 * 1024,
            max_pending: 64,
            write_timeout: Duration::from_secs(10),
            collect_timeout: Duration::from_secs(30),
            close_timeout: Duration::from_secs(2),
            ping_interval: Duration::from_secs(30),
            gone_after: Duration::from_secs(60),
            shutdown_timeout: Duration::from_secs(3),
        }
    }
}
