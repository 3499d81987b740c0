//! Everything between a listening socket and an [`Application`]: HTTP, the WebSocket handshake, the
//! frames, and who may come in at all. Nothing here knows a command.
//!
//! `accept` takes connections, `http` routes requests after `admission` has judged them, `handshake` turns one
//! into a WebSocket (`extension` agrees to compression), and from then on `transport` owns the socket: `frame` reads
//! (`head` its headers), `outbox` writes, `deflate` compresses and inflates, `patience` ends.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};

mod accept;
pub mod admission;
mod assets;
mod deflate;
mod extension;
pub mod frame;
mod handler;
mod handshake;
mod head;
mod http;
mod limits;
mod outbox;
mod outgoing;
mod patience;
mod pending;
mod transport;
mod websocket;
mod write_deadline;

pub use deflate::Deflate;
pub use handler::{Answer, Application, Handler, Health, Message, Order, Peer, Subprotocol};
pub use limits::Limits;
pub use outgoing::{Head, Kind, Outgoing, Shared};

/// A server for an [`Application`], not yet running.
pub struct Server {
    application: Arc<dyn Application>,
    limits: Limits,
    deflate: Deflate,
}

impl Server {
    /// A server with the default limits, which compresses for other machines.
    pub fn new(application: impl Application) -> Self {
        Self { application: Arc::new(application), limits: Limits::default(), deflate: Deflate::default() }
    }

    /// Other limits.
    #[must_use]
    pub fn limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Compression with others.
    #[must_use]
    pub fn deflate(self, deflate: Deflate) -> Self {
        Self { deflate, ..self }
    }

    /// Serves on `listeners` until `shutdown` becomes true or loses its sender, then ends every connection
    /// and returns, at the latest after [`Limits::shutdown_timeout`].
    ///
    /// # Errors
    /// A listener cannot be used; the running server has no errors of its own.
    pub async fn serve(self, listeners: Vec<TcpListener>, shutdown: watch::Receiver<bool>) -> io::Result<()> {
        let listeners: Vec<_> = listeners.into_iter().map(accept::nonblocking).collect::<Result<_, _>>()?;
        let grace = self.limits.shutdown_timeout;
        // Every task holds a sender: when the receiver hears that the last is gone, all have ended.
        let (alive, mut ended) = mpsc::channel(1);
        let shared =
            http::Shared::new(self.application, self.limits, self.deflate, shutdown.clone(), alive.downgrade());
        let shared = Arc::new(shared);
        let router = http::router(&shared);
        let accepting = listeners.into_iter().map(|listener| {
            accept::accept(listener, router.clone(), Arc::clone(&shared), alive.clone(), shutdown.clone())
        });
        futures_util::future::join_all(accepting).await;
        drop(alive);
        if tokio::time::timeout(grace, ended.recv()).await.is_err() {
            tracing::warn!("some connections did not end in time and are dropped");
        }
        Ok(())
    }
}

/// Waits until the daemon is told to stop, or nobody is left to tell it.
async fn stopped(shutdown: &mut watch::Receiver<bool>) {
    // What `wait_for` gives is a read lock: dropped here, never held across an await.
    let _ = shutdown.wait_for(|stop| *stop).await;
}
