//! Everything between a listening socket and an [`Application`]: HTTP, the WebSocket handshake, the
//! frames, and who may come in at all. Nothing here knows a command.
//!
//! `accept` takes connections, `http` routes requests after `admission` has judged them, `handshake` turns one
//! into a WebSocket, and from then on `transport` owns the socket: `frame` reads (`head` its headers), `outbox` writes.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};

mod accept;
pub mod admission;
mod assets;
pub mod frame;
mod handler;
mod handshake;
mod head;
mod http;
mod outbox;
mod outgoing;
mod pending;
pub mod transport;

pub use handler::{Answer, Application, Handler, Health, Message, Order, Peer, Subprotocol};
pub use outgoing::{Kind, Outgoing, Shared};
pub use transport::Limits;

/// A server for an [`Application`], not yet running.
pub struct Server {
    application: Arc<dyn Application>,
    limits: Limits,
}

impl Server {
    /// A server with the default limits.
    pub fn new(application: impl Application) -> Self {
        Self { application: Arc::new(application), limits: Limits::default() }
    }

    /// Other limits.
    #[must_use]
    pub fn limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
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
        let shared = Arc::new(http::Shared::new(self.application, self.limits, shutdown.clone(), alive.downgrade()));
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
