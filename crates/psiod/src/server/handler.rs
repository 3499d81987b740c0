//! What the transport asks of the program behind it: a handler per connection, an answer per message.

use std::fmt;
use std::net::SocketAddr;
use std::task::Context;

use futures_util::future::BoxFuture;
use serde::Serialize;

use super::outgoing::Outgoing;

/// The program that a [`Server`](super::Server) serves.
pub trait Application: Send + Sync + 'static {
    /// A handler for a WebSocket connection that has just been opened and speaks the given subprotocol.
    fn connect(&self, peer: &Peer, subprotocol: Subprotocol) -> Box<dyn Handler>;

    /// What is served over plain HTTP beside the UI and `/healthz`, behind the same admission.
    fn routes(&self) -> axum::Router {
        axum::Router::new()
    }

    /// What `GET /` answers to this request's headers, where that is not the page of the UI.
    fn front_page(&self, _headers: &http::HeaderMap) -> Option<axum::response::Response> {
        None
    }

    /// What `GET /healthz` answers.
    fn health(&self) -> Health;
}

/// Answers the messages of one connection. Dropped when the connection ends, its pending answers with it.
pub trait Handler: Send {
    /// Answers one message. Called on the connection's own task: what takes long belongs in [`Answer::later`].
    fn message(&mut self, message: Message<'_>) -> Answer;

    /// Pushes what is to be sent unasked, and sees that `cx` is woken when there is more. Called while the
    /// connection is open and everything pushed before has been written, so a client that reads slowly is
    /// not asked for: what it misses meanwhile is the handler's to skip.
    fn poll_push(&mut self, _cx: &mut Context<'_>, _push: &mut dyn FnMut(Outgoing)) {}
}

/// How the messages of a connection are written, agreed in its handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subprotocol {
    /// JSON in text messages: `psio.v1.json`, and whoever offers nothing.
    Json,
    /// The same objects as `MessagePack` in binary messages: `psio.v1.msgpack`.
    MsgPack,
}

/// Who is at the other end.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Peer {
    /// The address the connection came from.
    pub address: SocketAddr,
}

impl Peer {
    pub(super) fn new(address: SocketAddr) -> Self {
        Self { address }
    }
}

/// A whole message as it arrived, unmasked, at most [`Limits::max_message`](super::Limits) bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message<'a> {
    /// A text frame's payload, valid UTF-8.
    Text(&'a str),
    /// A binary frame's payload.
    Binary(&'a [u8]),
}

/// Whether an answer may overtake others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// It leaves after every earlier `Kept` answer of the connection: a request without an id.
    Kept,
    /// It leaves as soon as it is ready: a request with an id.
    Free,
}

/// The answer to one message.
pub struct Answer {
    pub(super) order: Order,
    pub(super) when: When,
}

pub(super) enum When {
    Now(Outgoing),
    Later(BoxFuture<'static, Outgoing>),
}

impl Answer {
    /// An answer that is there already. If its order is kept and an earlier one is pending, it waits its turn.
    pub fn now(order: Order, message: Outgoing) -> Self {
        Self { order, when: When::Now(message) }
    }

    /// An answer that `future` will give.
    pub fn later(order: Order, future: impl Future<Output = Outgoing> + Send + 'static) -> Self {
        Self { order, when: When::Later(Box::pin(future)) }
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let when = match self.when {
            When::Now(_) => "now",
            When::Later(_) => "later",
        };
        write!(f, "Answer({:?}, {when})", self.order)
    }
}

/// The body of `/healthz`: how `psio` recognises a running daemon.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Health {
    /// The program's name, `psiod`.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// Its process id.
    pub pid: u32,
    /// The protocol version spoken on the WebSocket.
    pub protocol: u32,
    /// Seconds since it started.
    pub uptime: f64,
}
