//! A WebSocket as a task: its connection, served until it ends or the daemon does.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::deflate::Window;
use super::handler::Handler;
use super::limits::Limits;
use super::stopped;
use super::transport::{Connection, End};

/// A socket that has just become a WebSocket's.
pub(super) struct Socket {
    pub stream: TcpStream,
    /// What has been read of it already.
    pub read_ahead: Bytes,
    /// The window to compress in, if that was agreed.
    pub deflate: Option<Window>,
}

/// A WebSocket connection, served until it ends.
///
/// It is a future of its own, not an `async fn`: with a crowd of connections, what a tick costs is mostly how many
/// places in memory each of them has to look at.
pub(super) struct WebSocket {
    connection: Connection,
    shutdown: watch::Receiver<bool>,
    /// Until the daemon stops; `None` when it does.
    stop: Option<BoxFuture<'static, ()>>,
    /// Whether `stop` will wake this task.
    is_stop_awaited: bool,
}

impl WebSocket {
    /// When `shutdown` becomes true (or loses its sender) the client is told with close code 1001.
    pub fn new(
        socket: Socket,
        handler: Box<dyn Handler>,
        limits: Arc<Limits>,
        shutdown: watch::Receiver<bool>,
    ) -> Self {
        let mut told = shutdown.clone();
        let stop = Box::pin(async move { stopped(&mut told).await });
        let connection = Connection::new(socket, handler, limits);
        Self { connection, shutdown, stop: Some(stop), is_stop_awaited: false }
    }

    /// Whether the daemon has been told to stop since this was asked last. A connection stays on one task, so to
    /// look at it once is enough to be woken.
    fn is_stopping(&mut self, cx: &mut Context<'_>) -> bool {
        let is_unchanged = self.shutdown.has_changed().is_ok_and(|changed| !changed);
        if self.is_stop_awaited && is_unchanged {
            return false;
        }
        self.is_stop_awaited = true;
        let Some(stop) = &mut self.stop else { return false };
        let is_stopping = stop.as_mut().poll(cx).is_ready();
        if is_stopping {
            self.stop = None;
        }
        is_stopping
    }
}

impl Future for WebSocket {
    type Output = End;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<End> {
        if let Poll::Ready(end) = self.connection.poll(cx) {
            return Poll::Ready(end);
        }
        if !self.is_stopping(cx) {
            return Poll::Pending;
        }
        self.connection.leave();
        self.connection.poll(cx)
    }
}
